/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/defaults.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "spec/control.h"
#include "store/conf.h"

enum lock {
        LOCK_NOT,    /* a default, and no more than that */
        LOCK_MOST,   /* a number that may be lowered; 0 and SPEC_UNLIMITED are above all others */
        LOCK_SAME,   /* nothing else may be said */
        LOCK_ON,     /* true may not become false */
        LOCK_ALL_OF, /* controls: more may be named */
        LOCK_ANY_OF, /* controls or words: no others may be named */
};

/*
 * What may stand in the two sections: the names of options of `coffer run`.  Not there: what makes
 * sense for one box only (a name, a mount), and what an image decides (a user, a health check).
 */
static const struct row {
        const char *key;
        enum lock lock;
        bool controls;
        size_t offset;
        size_t size; /* of a number */
} rows[] = {
#define ROW(key, lock, field)                                                                     \
        {                                                                                         \
                key, lock, false, offsetof(struct spec, field), sizeof(((struct spec *)0)->field) \
        }
#define CONTROLS(key, lock, field)                               \
        {                                                        \
                key, lock, true, offsetof(struct spec, field), 0 \
        }
        CONTROLS("allow-degraded", LOCK_ANY_OF, allow_degraded),
        ROW("cap-add", LOCK_ANY_OF, cap_add),
        ROW("cap-drop", LOCK_NOT, cap_drop),
        ROW("cpus", LOCK_MOST, cpu_millis),
        ROW("init", LOCK_NOT, init),
        ROW("memory", LOCK_MOST, memory_bytes),
        ROW("network", LOCK_SAME, network),
        ROW("pids-limit", LOCK_MOST, pids_max),
        ROW("read-only", LOCK_ON, read_only),
        CONTROLS("require", LOCK_ALL_OF, require),
        ROW("shm-size", LOCK_MOST, shm_bytes),
        ROW("stop-timeout", LOCK_NOT, stop_grace_ms),
        ROW("timeout", LOCK_MOST, timeout_ms),
};

/**
 * struct defaults - one reading of it
 * @conf:     both files
 * @run:      the line that holds for a row of [run], the last one; NULL: none
 * @locked:   likewise, of [locked]
 * @variable: COFFER_RUN_…, which stands above @run; NULL: not set
 */
struct defaults {
        struct conf conf;
        const struct conf_entry *run[ELEMENTS(rows)];
        const struct conf_entry *locked[ELEMENTS(rows)];
        const char *variable[ELEMENTS(rows)];
};

static void name_variable(const char *key, char *to, size_t size)
{
        (void)snprintf(to, size, "COFFER_RUN_%s", key);
        for (char *c = to; *c != '\0'; c++)
                *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static int sort_out(struct defaults *d, struct coffer_error *err)
{
        for (size_t n = 0; n < d->conf.count; n++) {
                const struct conf_entry *e = &d->conf.items[n];
                bool locked = str_eq(e->section, "locked");
                size_t i = 0;

                if (e->section[0] == '\0')
                        continue;
                while (i < ELEMENTS(rows) && !str_eq(rows[i].key, e->name))
                        i++;
                if (i == ELEMENTS(rows))
                        return conf_refuse(&d->conf, e, -EINVAL, err,
                                           "there is no option '%.40s' in [%s]", e->name,
                                           e->section);
                if (locked && rows[i].lock == LOCK_NOT)
                        return conf_refuse(&d->conf, e, -EINVAL, err, "%s cannot be locked",
                                           e->name);
                *(locked ? &d->locked[i] : &d->run[i]) = e;
        }
        return 0;
}

static int read_defaults(struct defaults *d, struct coffer_error *err)
{
        int r = conf_read(&d->conf, err);

        if (r == 0)
                r = sort_out(d, err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char name[64];

                name_variable(rows[i].key, name, sizeof(name));
                d->variable[i] = getenv(name);
        }
        return r;
}

static void defaults_release(struct defaults *d)
{
        conf_release(&d->conf);
}

/* ------------------------------------------------------------------------------- the defaults */

/* Says where a value stands that an option has refused. */
static int blame(const struct defaults *d, size_t i, const struct conf_entry *e, int code,
                 struct coffer_error *err)
{
        char name[64];

        if (e)
                return error_wrap(err, code, "%s", conf_where(&d->conf, e).text);
        name_variable(rows[i].key, name, sizeof(name));
        return error_wrap(err, code, "%s", name);
}

static struct strv *list_at(struct spec *s, size_t i)
{
        return (void *)((char *)s + rows[i].offset);
}

static bool is_list(size_t i)
{
        return rows[i].controls || rows[i].offset == offsetof(struct spec, cap_add) ||
               rows[i].offset == offsetof(struct spec, cap_drop);
}

/* Nothing at all is a list, too. */
static int set_words(struct spec *s, const char *key, const char *text, struct coffer_error *err)
{
        cleanup_free char *copy = strdup(text);
        char *rest = copy, *word;
        int r = 0;

        if (!copy)
                return error_set(err, -ENOMEM, "read %s", key);
        while (r == 0 && (word = strsep(&rest, ", \t")))
                if (word[0] != '\0')
                        r = spec_set(s, key, word, err);
        return r;
}

static int set_value(struct spec *s, size_t i, const char *text, struct coffer_error *err)
{
        return is_list(i) ? set_words(s, rows[i].key, text, err)
                          : spec_set(s, rows[i].key, text, err);
}

/* Control by control, but for those of which the caller says the contrary. */
static int add_controls(struct spec *to, size_t i, const struct spec *from,
                        struct coffer_error *err)
{
        const struct strv *words = list_at((struct spec *)(uintptr_t)from, i);
        bool required = rows[i].lock == LOCK_ALL_OF;
        const struct strv *contrary = required ? &to->allow_degraded : &to->require;
        size_t count;
        const struct control *all = controls(&count);
        int r = 0;

        for (size_t n = 0; r == 0 && n < count; n++)
                if (control_listed(words, all[n].name) && !control_listed(contrary, all[n].name) &&
                    !(required && all[n].kind == CONTROL_ABSENT))
                        r = spec_set(to, rows[i].key, all[n].name, err);
        return r;
}

static int apply_text(struct spec *s, size_t i, const char *text, struct coffer_error *err)
{
        cleanup_with(spec_release) struct spec read;
        int r;

        spec_init(&read);
        r = set_value(&read, i, text, err);
        if (r < 0)
                return r;
        return rows[i].controls ? add_controls(s, i, &read, err) : set_value(s, i, text, err);
}

/* What the caller gave replaces a default, but for a list, to which it is added. */
static int apply_row(const struct defaults *d, size_t i, const struct strv *given, struct spec *s,
                     struct coffer_error *err)
{
        const struct conf_entry *lock = rows[i].lock == LOCK_ANY_OF ? NULL : d->locked[i];
        const struct conf_entry *e = d->variable[i] ? NULL : d->run[i];
        const char *text = e ? e->value : d->variable[i];
        int r = 0;

        if (!is_list(i) && strv_has(given, rows[i].key))
                return 0;
        /* What is locked is a default, too, where it is not a list of what there may be. */
        if (lock && (!text || rows[i].lock == LOCK_ALL_OF)) {
                r = apply_text(s, i, lock->value, err);
                if (r < 0)
                        return blame(d, i, lock, r, err);
        }
        if (text)
                r = apply_text(s, i, text, err);
        return r < 0 ? blame(d, i, e, r, err) : 0;
}

/* ---------------------------------------------------------------------------------- the locks */

static uint64_t number_of(const struct spec *s, size_t i)
{
        const char *at = (const char *)s + rows[i].offset;
        uint64_t n;

        if (rows[i].size == sizeof(uint64_t))
                n = *(const uint64_t *)(const void *)at;
        else
                n = rows[i].size == sizeof(uint32_t) ? *(const uint32_t *)(const void *)at
                                                     : *(const bool *)at;
        if (rows[i].lock == LOCK_MOST && n == 0)
                return SPEC_UNLIMITED;
        return n;
}

/* The first control or word that is named and may not be, or the other way round; NULL: none. */
static const char *find_other(const struct spec *s, const struct spec *locked, size_t i)
{
        const struct strv *words = list_at((struct spec *)(uintptr_t)s, i);
        const struct strv *bounds = list_at((struct spec *)(uintptr_t)locked, i);
        size_t count;
        const struct control *all = controls(&count);

        if (!rows[i].controls) {
                for (size_t n = 0; n < words->count && !strv_has(bounds, "ALL"); n++)
                        if (!strv_has(bounds, words->items[n]))
                                return words->items[n];
                return NULL;
        }
        for (size_t n = 0; n < count; n++) {
                const char *name = all[n].name;

                if (rows[i].lock == LOCK_ANY_OF && control_listed(words, name) &&
                    !control_listed(bounds, name))
                        return name;
                if (rows[i].lock == LOCK_ALL_OF && control_listed(bounds, name) &&
                    control_listed(&s->allow_degraded, name))
                        return name;
        }
        return NULL;
}

static bool is_weaker(const struct spec *s, const struct spec *locked, size_t i)
{
        switch (rows[i].lock) {
        case LOCK_MOST:
                return number_of(s, i) > number_of(locked, i);
        case LOCK_SAME:
                return number_of(s, i) != number_of(locked, i);
        case LOCK_ON:
                return number_of(s, i) < number_of(locked, i);
        case LOCK_ALL_OF:
        case LOCK_ANY_OF:
                return find_other(s, locked, i) != NULL;
        case LOCK_NOT:
                break;
        }
        return false;
}

/* "--memory", or whichever line or variable of the caller's it was. */
static void name_culprit(const struct defaults *d, size_t i, const char *other,
                         const struct strv *given, char *to, size_t size)
{
        size_t weak = i;
        char name[64];

        /* What is required is taken back by saying that it may be lacking. */
        for (size_t n = 0; rows[i].lock == LOCK_ALL_OF && n < ELEMENTS(rows); n++)
                if (str_eq(rows[n].key, "allow-degraded"))
                        weak = n;
        name_variable(rows[weak].key, name, sizeof(name));
        if (strv_has(given, rows[weak].key))
                (void)snprintf(to, size, "--%s%s%s", rows[weak].key, other ? " " : "",
                               other ? other : "");
        else if (d->variable[weak])
                (void)snprintf(to, size, "%s=%.40s", name, d->variable[weak]);
        else if (d->run[weak])
                (void)snprintf(to, size, "%s = %.40s in %s", rows[weak].key, d->run[weak]->value,
                               conf_where(&d->conf, d->run[weak]).text);
        else
                (void)snprintf(to, size, "what the box has for --%s", rows[weak].key);
}

static int check_row(const struct defaults *d, size_t i, const struct strv *given,
                     const struct spec *s, struct coffer_error *err)
{
        cleanup_with(spec_release) struct spec locked;
        const struct conf_entry *e = d->locked[i];
        char culprit[200];
        int r;

        if (!e)
                return 0;
        spec_init(&locked);
        r = set_value(&locked, i, e->value, err);
        if (r < 0)
                return blame(d, i, e, r, err);
        if (!is_weaker(s, &locked, i))
                return 0;
        name_culprit(d, i, is_list(i) ? find_other(s, &locked, i) : NULL, given, culprit,
                     sizeof(culprit));
        (void)error_say(err, -EPERM, COFFER_ERROR_USAGE, "%s: locked by %s: %s = %.60s", culprit,
                        conf_where(&d->conf, e).text, e->name, e->value);
        error_hint(err, "leave it out; who administers this host may change the lock");
        return -EPERM;
}

int defaults_apply(struct spec *s, const struct strv *given, struct coffer_error *err)
{
        cleanup_with(defaults_release) struct defaults d = {.conf = {.count = 0}};
        int r = read_defaults(&d, err);

        for (size_t i = 0; r == 0 && i < ELEMENTS(rows); i++)
                r = apply_row(&d, i, given, s, err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(rows); i++)
                r = check_row(&d, i, given, s, err);
        return r;
}

int defaults_check(const struct spec *s, const struct strv *given, struct coffer_error *err)
{
        cleanup_with(defaults_release) struct defaults d = {.conf = {.count = 0}};
        int r = read_defaults(&d, err);

        for (size_t i = 0; r == 0 && i < ELEMENTS(rows); i++)
                if (strv_has(given, rows[i].key))
                        r = check_row(&d, i, given, s, err);
        return r;
}
