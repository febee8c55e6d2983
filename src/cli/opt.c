/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/foreign.h"

#define NEAREST_MAX 64 /* no word of ours is longer */
#define OPTIONS_MAX 96 /* a table has fewer rows */

int opt_bool(const char *value, bool *ret_value)
{
        static const struct {
                const char *word;
                bool value;
        } words[] = {
                {"true",  true },
                {"false", false},
                {"1",     true },
                {"0",     false},
                {"True",  true },
                {"False", false},
                {"TRUE",  true },
                {"FALSE", false},
                {"t",     true },
                {"f",     false},
                {"T",     true },
                {"F",     false},
        };

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (str_eq(value, words[i].word)) {
                        *ret_value = words[i].value;
                        return 0;
                }
        }
        return -EINVAL;
}

int opt_flag(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        if (opt_bool(value, where) < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "neither true nor false");
        return 0;
}

int opt_string(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        *(const char **)where = value;
        return 0;
}

int opt_list(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        int r = strv_add(where, value);

        return r < 0 ? error_set(err, r, "keep it") : 0;
}

int opt_count(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        uint64_t n = 0;

        if (str_eq(value, "-1")) {
                *(int64_t *)where = -1;
                return 0;
        }
        if (str_to_u64(value, INT32_MAX, &n) < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "not a whole number");
        *(int64_t *)where = (int64_t)n;
        return 0;
}

int opt_pair(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        struct opt_pairs *p = where;
        bool on = false;
        int r;

        if (!o->arg) {
                if (opt_bool(value, &on) < 0)
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "neither true nor false");
                value = on ? "true" : "false";
        }
        r = strv_add(&p->names, o->name);
        if (r == 0)
                r = strv_add(&p->values, value);
        return r < 0 ? error_set(err, r, "keep it") : 0;
}

void opt_pairs_release(struct opt_pairs *p)
{
        strv_release(&p->names);
        strv_release(&p->values);
}

const struct opt *opt_by_name(const struct opt *opts, const char *name, size_t size)
{
        for (const struct opt *o = opts; o->name; o++)
                if (strlen(o->name) == size && strncmp(o->name, name, size) == 0)
                        return o;
        return NULL;
}

static const struct opt *by_letter(const struct opt *opts, char letter)
{
        for (const struct opt *o = opts; o->name; o++)
                if (o->letter == letter)
                        return o;
        return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
        return a < b ? a : b;
}

/* Letters left out, put in, replaced, or swapped with the next one. */
static unsigned distance(const char *a, const char *b)
{
        unsigned rows[3][NEAREST_MAX + 1];
        unsigned *before = rows[0], *last = rows[1], *row = rows[2];
        size_t n = strlen(b);

        if (n > NEAREST_MAX)
                return UINT32_MAX;
        for (size_t j = 0; j <= n; j++)
                last[j] = before[j] = (unsigned)j;

        for (size_t i = 1; a[i - 1] != '\0'; i++) {
                unsigned *oldest = before;

                row[0] = (unsigned)i;
                for (size_t j = 1; j <= n; j++) {
                        row[j] = least(least(last[j], row[j - 1]) + 1,
                                       last[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = least(row[j], before[j - 2] + 1);
                }
                before = last;
                last = row;
                row = oldest;
        }
        return last[n];
}

const char *opt_nearest(const char *word, const char *const *words, size_t count)
{
        size_t size = strlen(word);
        unsigned best = size < 5 ? 1 : size < 8 ? 2 : 3; /* further away is another word */
        const char *nearest = NULL;

        if (size < 2 || size > NEAREST_MAX)
                return NULL;
        /* A beginning, such as --mem for --memory, is better than a near miss. */
        for (size_t i = 0; i < count && size >= 3; i++)
                if (strncmp(word, words[i], size) == 0)
                        return words[i];
        for (size_t i = 0; i < count; i++) {
                unsigned d = distance(word, words[i]);

                if (d < best || (d == best && !nearest)) {
                        best = d;
                        nearest = words[i];
                }
        }
        return nearest;
}

static int unknown(const struct opt_parse *p, const char *name, size_t size,
                   struct coffer_error *err)
{
        const char *names[OPTIONS_MAX] = {"help"};
        size_t count = 1;
        const char *nearest;
        char word[NEAREST_MAX] = "";

        if (size < sizeof(word))
                memcpy(word, name, size);
        for (const struct opt *o = p->opts; o->name && count < ELEMENTS(names); o++)
                names[count++] = o->name;
        nearest = opt_nearest(word, names, count);

        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "unknown flag: --%.*s", (int)size, name);
        if (nearest)
                error_hint(err, "did you mean --%s?", nearest);
        return -EINVAL;
}

static int set(struct opt_parse *p, const struct opt *o, const char *value,
               struct coffer_error *err)
{
        int r = o->set((char *)p->args + o->where, o, value, err);

        if (r < 0) {
                char letter[] = {'-', o->letter, ',', ' ', '\0'};

                (void)error_wrap(err, r, "invalid argument \"%.100s\" for \"%s--%s\" flag", value,
                                 o->letter ? letter : "", o->name);
                error_kind(err, COFFER_ERROR_USAGE);
        }
        return r;
}

/* A word that begins with two dashes; @i is its place and moves on when a value is taken. */
static int long_option(struct opt_parse *p, int *i, struct coffer_error *err)
{
        const char *name = p->argv[*i] + 2;
        const char *equals = strchr(name, '=');
        size_t size = equals ? (size_t)(equals - name) : strlen(name);
        const struct opt *o = opt_by_name(p->opts, name, size);
        int r;

        if (!o && size == 4 && strncmp(name, "help", 4) == 0) {
                p->help = true;
                return 0;
        }
        if (!o) {
                r = foreign_option(name, size, equals ? equals + 1 : p->argv[*i + 1], err);
                return r < 0 ? r : unknown(p, name, size, err);
        }
        if (equals)
                return set(p, o, equals + 1, err);
        if (!o->arg)
                return set(p, o, "true", err);
        if (!opt_takes_value(o))
                return set(p, o, "", err);
        if (!p->argv[*i + 1])
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "flag needs an argument: --%s",
                                 o->name);
        return set(p, o, p->argv[++*i], err);
}

/* A word of letters behind one dash. */
static int short_options(struct opt_parse *p, int *i, struct coffer_error *err)
{
        const char *word = p->argv[*i];

        for (const char *s = word + 1; *s != '\0'; s++) {
                const struct opt *o = by_letter(p->opts, *s);
                int r;

                if (!o && *s == 'h') {
                        p->help = true;
                        return 0;
                }
                if (!o)
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "unknown shorthand flag: '%c' in %s", *s, word);
                if (s[1] == '=')
                        return set(p, o, s + 2, err);
                if (opt_takes_value(o)) {
                        if (s[1] != '\0')
                                return set(p, o, s + 1, err);
                        if (p->argv[*i + 1])
                                return set(p, o, p->argv[++*i], err);
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "flag needs an argument: '%c' in %s", *s, word);
                }
                r = set(p, o, o->arg ? "" : "true", err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int opt_parse(struct opt_parse *p, struct coffer_error *err)
{
        int kept = 0;
        int i;

        for (i = 0; i < p->argc; i++) {
                const char *word = p->argv[i];
                int r;

                if (word[0] != '-' || word[1] == '\0') {
                        if (p->options_first)
                                break;
                        p->argv[kept++] = p->argv[i];
                        continue;
                }
                if (str_eq(word, "--")) {
                        i++;
                        break;
                }
                r = word[1] == '-' ? long_option(p, &i, err) : short_options(p, &i, err);
                if (r < 0 || p->help)
                        return r;
        }
        for (; i < p->argc; i++)
                p->argv[kept++] = p->argv[i];
        p->argv[kept] = NULL;
        p->argc = kept;
        return 0;
}
