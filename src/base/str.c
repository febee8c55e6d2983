/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *str_after(const char *s, const char *prefix)
{
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret_value)
{
        uint64_t value = 0;

        if (*s == '\0')
                return -EINVAL;
        for (; *s != '\0'; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
                        return -ERANGE;
        }
        if (value > max)
                return -ERANGE;
        *ret_value = value;
        return 0;
}

int str_copy(char *to, size_t size, const char *from)
{
        size_t n = strlen(from);

        if (n >= size)
                return -ENAMETOOLONG;
        memcpy(to, from, n + 1);
        return 0;
}

void strv_release(struct strv *v)
{
        for (size_t i = 0; i < v->count; i++)
                free(v->items[i]);
        free(v->items);
        *v = (struct strv){0};
}

int strv_take(struct strv *v, char *s)
{
        char **items;

        if (!s)
                return -ENOMEM;
        if (v->count >= STRV_MAX) {
                free(s);
                return -E2BIG;
        }
        /* Capacity is the next power of two, so it need not be stored. */
        if (v->count == 0 || ((v->count + 1) & v->count) == 0) {
                items = realloc(v->items, 2 * (v->count + 1) * sizeof(*items));
                if (!items) {
                        free(s);
                        return -ENOMEM;
                }
                v->items = items;
        }
        v->items[v->count++] = s;
        v->items[v->count] = NULL;
        return 0;
}

int strv_add(struct strv *v, const char *s)
{
        return strv_take(v, strdup(s));
}

int strv_addf(struct strv *v, const char *format, ...)
{
        va_list ap;
        char *s = NULL;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        return n < 0 ? -ENOMEM : strv_take(v, s);
}

int strv_copy(struct strv *v, const struct strv *from)
{
        for (size_t i = 0; i < from->count; i++) {
                int r = strv_add(v, from->items[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static char **find_name(const struct strv *v, const char *name)
{
        size_t n = strlen(name);

        for (size_t i = v->count; i-- > 0;)
                if (strncmp(v->items[i], name, n) == 0 && v->items[i][n] == '=')
                        return &v->items[i];
        return NULL;
}

bool strv_has(const struct strv *v, const char *s)
{
        for (size_t i = 0; i < v->count; i++)
                if (str_eq(v->items[i], s))
                        return true;
        return false;
}

const char *strv_get(const struct strv *v, const char *name)
{
        char **item = find_name(v, name);

        return item ? *item + strlen(name) + 1 : NULL;
}

int strv_set(struct strv *v, const char *name, const char *value)
{
        char **item = find_name(v, name);
        char *s = NULL;

        if (!item)
                return strv_addf(v, "%s=%s", name, value);
        if (asprintf(&s, "%s=%s", name, value) < 0)
                return -ENOMEM;
        free(*item);
        *item = s;
        return 0;
}
