/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static inline bool str_eq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/** str_after() - what follows @prefix in @s, or NULL when @s does not begin with it */
const char *str_after(const char *s, const char *prefix);

/** str_to_u64() - a whole decimal number, nothing before or after it; 0, -EINVAL or -ERANGE */
int str_to_u64(const char *s, uint64_t max, uint64_t *ret_value);

/** str_copy() - copy into a fixed array; 0, or -ENAMETOOLONG with @to untouched */
int str_copy(char *to, size_t size, const char *from);

/**
 * struct strv - a list of strings that owns them
 * @items: NULL-terminated once anything was added, else NULL; each string owned
 * @count: without the NULL
 *
 * STRV_MAX items at most: adding more fails with -E2BIG.
 */
struct strv {
        char **items; /* owned */
        size_t count;
};

#define STRV_MAX 65536

void strv_release(struct strv *v);
/** strv_add() - append a copy; 0, -ENOMEM or -E2BIG */
int strv_add(struct strv *v, const char *s);
/** strv_take() - append; @s (from malloc) is taken, also on failure */
int strv_take(struct strv *v, char *s);
int strv_addf(struct strv *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** strv_copy() - append copies of all of @from */
int strv_copy(struct strv *v, const struct strv *from);
/** strv_has() - is @s one of them? */
bool strv_has(const struct strv *v, const char *s);
/** strv_get() - the value of "NAME=value" among the items, the last one wins; NULL when absent */
const char *strv_get(const struct strv *v, const char *name);
/** strv_set() - replace or add "NAME=value" */
int strv_set(struct strv *v, const char *name, const char *value);
