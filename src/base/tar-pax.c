/* SPDX-License-Identifier: Apache-2.0 */
/* pax extended headers (POSIX.1-2017, pax): "LENGTH KEY=VALUE\n" records. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/tar-parse.h"

#define XATTR_PREFIX "SCHILY.xattr."

/* One record, whole; key and value are not NUL-terminated. */
struct record {
        const char *key;
        size_t key_size;
        const char *value;
        size_t size;
};

static int want_text(const struct record *rec, struct coffer_error *err)
{
        if (memchr(rec->value, '\0', rec->size))
                return tar_bad(err, "pax record '%.*s' contains NUL", (int)rec->key_size, rec->key);
        if (rec->size > TAR_PATH_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "a name in the tar stream has more than %d bytes", TAR_PATH_MAX);
        return 0;
}

static int set_name(struct tar *t, const struct record *rec, size_t *at, unsigned flag,
                    struct coffer_error *err)
{
        ssize_t kept;
        int r = want_text(rec, err);

        if (r < 0)
                return r;
        kept = tar_keep(t, rec->value, rec->size);
        if (kept < 0)
                return error_set(err, (int)kept, "keep a tar name");
        *at = (size_t)kept;
        t->overrides |= flag;
        return 0;
}

static int on_path(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        if (t->overrides & TAR_HAS_SPARSE_NAME)
                return 0; /* GNU: path is then only a placeholder */
        return set_name(t, rec, &t->path_at, TAR_HAS_PATH, err);
}

static int on_sparse_name(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        return set_name(t, rec, &t->path_at, TAR_HAS_PATH | TAR_HAS_SPARSE_NAME, err);
}

static int on_link(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        return set_name(t, rec, &t->link_at, TAR_HAS_LINK, err);
}

static int set_number(struct tar *t, const struct record *rec, uint64_t *to, unsigned flag,
                      struct coffer_error *err)
{
        const char *p = rec->value;

        if (tar_decimal(&p, rec->value + rec->size, to) < 0 || p != rec->value + rec->size)
                return tar_bad(err, "pax record '%.*s' is not a number", (int)rec->key_size,
                               rec->key);
        t->overrides |= flag;
        return 0;
}

static int on_size(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        return set_number(t, rec, &t->size, TAR_HAS_SIZE, err);
}

static int on_uid(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        return set_number(t, rec, &t->uid, TAR_HAS_UID, err);
}

static int on_gid(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        return set_number(t, rec, &t->gid, TAR_HAS_GID, err);
}

/* "-12.5" is twelve and a half seconds before 1970. */
static int on_mtime(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        const char *p = rec->value, *end = rec->value + rec->size;
        bool negative = p < end && *p == '-';
        uint64_t seconds = 0;
        uint32_t nsec = 0, unit = 100000000;

        if (negative)
                p++;
        if (tar_decimal(&p, end, &seconds) < 0 || seconds > INT64_MAX / 2)
                return tar_bad(err, "pax record 'mtime' is not a time");
        if (p < end && *p == '.')
                for (p++; p < end && *p >= '0' && *p <= '9'; p++) {
                        nsec += (uint32_t)(*p - '0') * unit;
                        unit /= 10;
                }
        if (p != end)
                return tar_bad(err, "pax record 'mtime' is not a time");

        t->mtime_sec = negative ? -(int64_t)seconds : (int64_t)seconds;
        if (negative && nsec > 0) {
                t->mtime_sec--;
                nsec = 1000000000 - nsec;
        }
        t->mtime_nsec = nsec;
        t->overrides |= TAR_HAS_MTIME;
        return 0;
}

static int on_xattr(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        size_t prefix = strlen(XATTR_PREFIX);
        size_t name_size = rec->key_size - prefix;
        ssize_t name, value;

        if (name_size == 0 || name_size > 255 || memchr(rec->key, '\0', rec->key_size))
                return tar_bad(err, "an extended attribute has no usable name");
        if (rec->size > TAR_XATTR_MAX || t->xattr_count == TAR_XATTRS_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "an entry has more than %d extended attributes, or one of more "
                                 "than %zu bytes",
                                 TAR_XATTRS_MAX, TAR_XATTR_MAX);

        name = tar_keep(t, rec->key + prefix, name_size);
        value = name < 0 ? name : tar_keep(t, rec->value, rec->size);
        if (value < 0)
                return error_set(err, (int)value, "keep an extended attribute");
        t->xattrs[t->xattr_count++] = (struct tar_xattr_at){
                .name = (size_t)name,
                .value = (size_t)value,
                .size = rec->size,
        };
        return 0;
}

static int on_real_size(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        t->overrides |= TAR_SPARSE;
        return set_number(t, rec, &t->real_size, TAR_HAS_REAL_SIZE, err);
}

static int on_sparse_map(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        t->overrides |= TAR_SPARSE;
        return tar_sparse_list(t, rec->value, rec->size, err);
}

static int on_sparse_major(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        if (rec->size != 1 || (rec->value[0] != '0' && rec->value[0] != '1'))
                return tar_bad(err, "the sparse format is not known");
        if (rec->value[0] == '1')
                t->overrides |= TAR_SPARSE | TAR_SPARSE_MAP_IN_DATA;
        return 0;
}

static int on_sparse_offset(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        uint64_t offset = 0;
        int r;

        if (t->overrides & TAR_HALF_SEGMENT)
                return tar_bad(err, "a sparse map has an offset without a size");
        r = set_number(t, rec, &offset, TAR_SPARSE | TAR_HALF_SEGMENT, err);
        return r < 0 ? r : tar_sparse_add(t, offset, 0, err);
}

static int on_sparse_bytes(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        if (!(t->overrides & TAR_HALF_SEGMENT))
                return tar_bad(err, "a sparse map has a size without an offset");
        t->overrides &= ~(unsigned)TAR_HALF_SEGMENT;
        return set_number(t, rec, &t->segments[t->segment_count - 1].size, TAR_SPARSE, err);
}

/* Keys that have no row (ctime, comment, LIBARCHIVE.*, …) change nothing. */
static const struct {
        const char *key;
        bool prefix;
        int (*apply)(struct tar *t, const struct record *rec, struct coffer_error *err);
} keys[] = {
        {"path",                false, on_path         },
        {"linkpath",            false, on_link         },
        {"size",                false, on_size         },
        {"uid",                 false, on_uid          },
        {"gid",                 false, on_gid          },
        {"mtime",               false, on_mtime        },
        {XATTR_PREFIX,          true,  on_xattr        },
        {"GNU.sparse.name",     false, on_sparse_name  },
        {"GNU.sparse.realsize", false, on_real_size    },
        {"GNU.sparse.size",     false, on_real_size    },
        {"GNU.sparse.map",      false, on_sparse_map   },
        {"GNU.sparse.major",    false, on_sparse_major },
        {"GNU.sparse.offset",   false, on_sparse_offset},
        {"GNU.sparse.numbytes", false, on_sparse_bytes },
};

static int apply_record(struct tar *t, const struct record *rec, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                size_t n = strlen(keys[i].key);

                if (rec->key_size < n || memcmp(rec->key, keys[i].key, n) != 0)
                        continue;
                if (rec->key_size != n && !keys[i].prefix)
                        continue;
                /* An empty value takes an earlier one back; an attribute may well be empty. */
                if (rec->size == 0 && !keys[i].prefix)
                        return 0;
                return keys[i].apply(t, rec, err);
        }
        return 0;
}

int tar_pax_records(struct tar *t, const char *text, size_t size, bool global,
                    struct coffer_error *err)
{
        const char *p = text, *end = text + size;

        while (p < end) {
                const char *start = p, *equals;
                struct record rec;
                uint64_t length;
                int r;

                if (tar_decimal(&p, end, &length) < 0 || p == end || *p != ' ' ||
                    length > (uint64_t)(end - start) || length <= (uint64_t)(p + 1 - start) ||
                    start[length - 1] != '\n')
                        return tar_bad(err, "a pax record has a wrong length");
                p++;
                equals = memchr(p, '=', (size_t)(start + length - 1 - p));
                if (!equals || equals == p)
                        return tar_bad(err, "a pax record has no key");

                rec.key = p;
                rec.key_size = (size_t)(equals - p);
                rec.value = equals + 1;
                rec.size = (size_t)(start + length - 1 - rec.value);
                p = start + length;
                r = global ? 0 : apply_record(t, &rec, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
