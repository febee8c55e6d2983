/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --mount: one record of CSV whose fields are KEY=VALUE or KEY, with Docker's keys.  A field may be
 * quoted as a whole, so that a path with a comma can be written: '"source=/a,b"'.
 */
#include "spec/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "spec/value.h"

#define HINT_KEYS "e.g. type=bind,source=/DIR,target=/DIR,readonly"

/* Takes one field off @s, unquoted, into @to, which has room for all of @s. */
static int read_field(const char **s, char *to)
{
        bool quoted = **s == '"';

        if (quoted)
                (*s)++;
        for (; **s != '\0'; (*s)++) {
                if (quoted && **s == '"') {
                        (*s)++;
                        if (**s != '"') {
                                quoted = false;
                                break;
                        }
                } else if (!quoted && **s == ',') {
                        break;
                } else if (!quoted && **s == '"') {
                        return -EINVAL;
                }
                *to++ = **s;
        }
        *to = '\0';
        if (quoted || (**s != ',' && **s != '\0'))
                return -EINVAL; /* not closed, or something behind the closing quote */
        return 0;
}

static int split(const char *s, struct strv *ret_fields)
{
        cleanup_free char *field = malloc(strlen(s) + 1);
        int r;

        if (!field)
                return -ENOMEM;
        for (;;) {
                r = read_field(&s, field);
                if (r == 0)
                        r = strv_add(ret_fields, field);
                if (r < 0 || *s == '\0')
                        return r;
                s++;
        }
}

enum key_kind { TYPE, SOURCE, TARGET, READ_ONLY, NO_COPY, OPTION, REFUSED };

/* OPTION: the value goes behind the word and becomes one of mount_set_option()'s. */
static const struct key {
        const char *name;
        enum key_kind kind;
        const char *text; /* the word, or why it is refused */
} keys[] = {
        {"type",              TYPE,      NULL                                                    },
        {"source",            SOURCE,    NULL                                                    },
        {"src",               SOURCE,    NULL                                                    },
        {"target",            TARGET,    NULL                                                    },
        {"destination",       TARGET,    NULL                                                    },
        {"dst",               TARGET,    NULL                                                    },
        {"readonly",          READ_ONLY, NULL                                                    },
        {"ro",                READ_ONLY, NULL                                                    },
        {"volume-nocopy",     NO_COPY,   NULL                                                    },
        {"tmpfs-size",        OPTION,    "size="                                                 },
        {"tmpfs-mode",        OPTION,    "mode="                                                 },
        {"bind-propagation",  OPTION,    ""                                                      },
        {"bind-nonrecursive", REFUSED,   "leave it out: what is mounted beneath comes along"     },
        {"bind-recursive",    REFUSED,   "leave it out: what is mounted beneath comes along"     },
        {"consistency",       REFUSED,   "leave it out: host and box see the same files at once" },
        {"volume-driver",     REFUSED,   "leave it out: volumes are directories of this host"    },
        {"volume-opt",        REFUSED,   "leave it out: volumes are directories of this host"    },
        {"volume-label",      REFUSED,   "label it when it is made: coffer volume create --label"},
        {"volume-subpath",    REFUSED,   "mount the whole volume"                                },
        {"image-subpath",     REFUSED,   "use the image as the root of a box"                    },
};

static const struct key *find_key(const char *field, const char **ret_value)
{
        size_t size = strcspn(field, "=");

        *ret_value = field[size] == '=' ? field + size + 1 : NULL;
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (strlen(keys[i].name) == size && strncmp(keys[i].name, field, size) == 0)
                        return &keys[i];
        return NULL;
}

static int find_type(const struct strv *fields, enum spec_mount_kind *ret_kind,
                     struct coffer_error *err)
{
        static const char *const types[] = {"bind", "volume", "tmpfs"};
        const char *type = strv_get(fields, "type");

        *ret_kind = SPEC_VOLUME; /* as Docker */
        for (size_t i = 0; type && i < ELEMENTS(types); i++) {
                if (!str_eq(types[i], type))
                        continue;
                *ret_kind = (enum spec_mount_kind)i;
                return 0;
        }
        return type ? value_refuse(err, -EINVAL, "bind, volume and tmpfs are",
                                   "no type of mount:", type)
                    : 0;
}

static int set_key(struct spec_mount *m, const struct key *key, const char *value, unsigned *seen,
                   struct coffer_error *err)
{
        int n;
        char option[64];
        bool on = true;

        switch (key->kind) {
        case TYPE:
                return 0;
        case SOURCE:
                return mount_set_source(m, value, err);
        case TARGET:
                return mount_set_target(m, value, err);
        case READ_ONLY:
        case NO_COPY:
                if (value_bool(value, &on) < 0)
                        return value_refuse(err, -EINVAL, "write true or false",
                                            "not a flag:", value);
                if (key->kind == READ_ONLY)
                        return mount_set_option(m, on ? "ro" : "rw", seen, err);
                return on ? mount_set_option(m, "nocopy", seen, err) : 0;
        case OPTION:
                n = snprintf(option, sizeof(option), "%s%s", key->text, value);
                if (n < 0 || (size_t)n >= sizeof(option))
                        return value_refuse(err, -EINVAL, HINT_KEYS, "too long:", value);
                return mount_set_option(m, option, seen, err);
        case REFUSED:
        default:
                return value_refuse(err, -ENOTSUP, key->text, "Coffer has no mount key", key->name);
        }
}

static int set_field(struct spec_mount *m, const char *field, unsigned *seen_keys, unsigned *seen,
                     struct coffer_error *err)
{
        const char *value = NULL;
        const struct key *key = find_key(field, &value);
        unsigned bit;

        if (!key)
                return value_refuse(err, -EINVAL, HINT_KEYS, "not a key of a mount:", field);
        if (!value && key->kind != READ_ONLY && key->kind != NO_COPY && key->kind != REFUSED)
                return value_refuse(err, -EINVAL, HINT_KEYS, "no value for the key", field);
        if (value && *value == '\0')
                return value_refuse(err, -EINVAL, "leave the key out", "an empty value:", field);

        /* An option's repetition is seen by mount_set_option(), a refused key never returns. */
        bit = 1u << key->kind;
        if (key->kind <= TARGET && *seen_keys & bit)
                return value_refuse(err, -EINVAL, "give each key once", "a second time the key",
                                    field);
        *seen_keys |= bit;
        return set_key(m, key, value, seen, err);
}

int mounts_add_csv(struct spec_mounts *to, const char *value, struct coffer_error *err)
{
        cleanup_with(strv_release) struct strv fields = {0};
        cleanup_with(mount_release) struct spec_mount m = {0};
        unsigned seen_keys = 0, seen = 0;
        enum spec_mount_kind kind;
        int r;

        r = strchr(value, '\n') ? -EINVAL : split(value, &fields);
        if (r == -ENOMEM)
                return error_set(err, r, "add a mount");
        if (r < 0)
                return value_refuse(err, r, "quote a whole field: '\"source=/a,b\",target=/c'",
                                    "not KEY=VALUE fields with commas between them", NULL);
        r = find_type(&fields, &kind, err);
        if (r < 0)
                return r;

        mount_init(&m, kind);
        for (size_t i = 0; i < fields.count; i++) {
                r = set_field(&m, fields.items[i], &seen_keys, &seen, err);
                if (r < 0)
                        return r;
        }
        return mounts_add(to, &m, err);
}
