/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/tar-parse.h"

/* Names, links and attributes of one entry, all extended headers before it included. */
#define TEXT_MAX ((size_t)8 * 1024 * 1024)

/* Where POSIX puts the fields of a header. */
enum {
        NAME_AT = 0,
        NAME_SIZE = 100,
        MODE_AT = 100,
        UID_AT = 108,
        GID_AT = 116,
        SHORT_SIZE = 8,
        SIZE_AT = 124,
        MTIME_AT = 136,
        LONG_SIZE = 12,
        CHECKSUM_AT = 148,
        TYPE_AT = 156,
        LINK_AT = 157,
        MAGIC_AT = 257,
        MAJOR_AT = 329,
        MINOR_AT = 337,
        PREFIX_AT = 345,
        PREFIX_SIZE = 155,
};

int tar_bad(struct coffer_error *err, const char *format, ...)
{
        char text[COFFER_ERROR_MSG_MAX];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE, "malformed tar stream: %s", text);
}

int tar_new(const struct tar_source *source, bool require_end, struct tar **ret_tar)
{
        struct tar *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->source = *source;
        t->require_end = require_end;
        t->text = BUF_INIT(TEXT_MAX);
        t->buffer = malloc(TAR_BUFFER_BYTES);
        if (!t->buffer) {
                free(t);
                return -ENOMEM;
        }
        *ret_tar = t;
        return 0;
}

struct tar *tar_free(struct tar *t)
{
        if (t) {
                buf_release(&t->text);
                free(t->segments);
                free(t->buffer);
                free(t);
        }
        return NULL;
}

/* Up to @max bytes that lie in the buffer, which is filled when it is empty: 1, 0 at the end. */
static int available(struct tar *t, size_t *ret_size, struct coffer_error *err)
{
        ssize_t n;

        if (t->position == t->filled) {
                t->position = t->filled = 0;
                n = t->source.read(t->source.data, t->buffer, TAR_BUFFER_BYTES, err);
                if (n <= 0)
                        return (int)n;
                t->filled = (size_t)n;
        }
        *ret_size = t->filled - t->position;
        return 1;
}

static void consume(struct tar *t, size_t size)
{
        t->position += size;
        t->consumed += size;
}

int tar_block(struct tar *t, const unsigned char **ret_block, struct coffer_error *err)
{
        size_t have = t->filled - t->position;

        if (have < TAR_BLOCK) {
                memmove(t->buffer, t->buffer + t->position, have);
                t->position = 0;
                t->filled = have;
        }
        while (t->filled - t->position < TAR_BLOCK) {
                ssize_t n = t->source.read(t->source.data, t->buffer + t->filled,
                                           TAR_BUFFER_BYTES - t->filled, err);

                if (n < 0)
                        return (int)n;
                if (n == 0 && t->filled == 0)
                        return 0;
                if (n == 0)
                        return tar_bad(err, "it ends inside a block");
                t->filled += (size_t)n;
        }
        *ret_block = t->buffer + t->position;
        consume(t, TAR_BLOCK);
        return 1;
}

static int skip(struct tar *t, uint64_t count, struct coffer_error *err)
{
        while (count > 0) {
                size_t have = 0;
                int r;

                if (t->position == t->filled && t->source.skip && count > TAR_BUFFER_BYTES) {
                        t->consumed += count;
                        return t->source.skip(t->source.data, count, err);
                }
                r = available(t, &have, err);
                if (r == 0)
                        return tar_bad(err, "it ends inside an entry");
                if (r < 0)
                        return r;
                if (have > count)
                        have = (size_t)count;
                consume(t, have);
                count -= have;
        }
        return 0;
}

int tar_decimal(const char **p, const char *end, uint64_t *ret_number)
{
        uint64_t number = 0;
        const char *s = *p;

        for (; s < end && *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
                    __builtin_add_overflow(number, (uint64_t)(*s - '0'), &number) ||
                    number > INT64_MAX)
                        return -ERANGE;
        if (s == *p)
                return -EINVAL;
        *p = s;
        *ret_number = number;
        return 0;
}

/* GNU and star: the first bit says base 256, two's complement, big-endian. */
static int base256(const unsigned char *field, size_t size, int64_t *ret_number)
{
        bool negative = field[0] & 0x40;
        uint64_t number = negative ? UINT64_MAX : 0;

        for (size_t i = 0; i < size; i++) {
                unsigned char c = field[i];

                if (i == 0)
                        c = negative ? (unsigned char)(c | 0x80) : (unsigned char)(c & 0x7f);
                if ((number >> 55) != (negative ? 0x1ff : 0))
                        return -ERANGE;
                number = (number << 8) | c;
        }
        *ret_number = (int64_t)number;
        return 0;
}

int tar_number(const unsigned char *field, size_t size, const char *what, int64_t *ret_number,
               struct coffer_error *err)
{
        uint64_t number = 0;
        size_t i = 0;

        if (field[0] & 0x80)
                return base256(field, size, ret_number) < 0
                               ? tar_bad(err, "the %s does not fit 64 bits", what)
                               : 0;

        while (i < size && field[i] == ' ')
                i++;
        for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
                number = number * 8 + (uint64_t)(field[i] - '0');
        for (; i < size; i++)
                if (field[i] != ' ' && field[i] != '\0')
                        return tar_bad(err, "the %s is not a number", what);
        *ret_number = (int64_t)number; /* 12 octal digits are 36 bits */
        return 0;
}

ssize_t tar_keep(struct tar *t, const char *s, size_t size)
{
        size_t at = t->text.size;
        int r = buf_append(&t->text, s, size);

        if (r == 0)
                r = buf_append(&t->text, "", 1);
        return r < 0 ? r : (ssize_t)at;
}

/* The sum of all bytes with the field itself as spaces; old programs added signed bytes. */
static bool checksum_fits(const unsigned char *header)
{
        struct coffer_error ignored;
        uint32_t sum = 0;
        int32_t signed_sum = 0;
        int64_t want;

        for (size_t i = 0; i < TAR_BLOCK; i++) {
                unsigned char c = i >= CHECKSUM_AT && i < CHECKSUM_AT + 8 ? ' ' : header[i];

                sum += c;
                signed_sum += (signed char)c;
        }
        if (tar_number(header + CHECKSUM_AT, SHORT_SIZE, "checksum", &want, &ignored) < 0)
                return false;
        return want == (int64_t)sum || want == (int64_t)signed_sum;
}

static bool is_zero(const unsigned char *block)
{
        return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

static int read_extended(struct tar *t, uint64_t size, struct buf *ret_text,
                         struct coffer_error *err)
{
        uint64_t left = size;
        int r;

        if (size > TAR_EXTENDED_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "an extended tar header has more than %zu bytes",
                                 TAR_EXTENDED_MAX);
        while (left > 0) {
                size_t have = 0;

                r = available(t, &have, err);
                if (r == 0)
                        return tar_bad(err, "it ends inside an extended header");
                if (r < 0)
                        return r;
                if (have > left)
                        have = (size_t)left;
                r = buf_append(ret_text, t->buffer + t->position, have);
                if (r < 0)
                        return error_set(err, r, "read an extended tar header");
                consume(t, have);
                left -= have;
        }
        return skip(t, -size % TAR_BLOCK, err);
}

static int long_name(struct tar *t, const struct buf *text, char type, struct coffer_error *err)
{
        size_t size = text->size > 0 ? strnlen(text->data, text->size) : 0;
        ssize_t at;

        if (size > TAR_PATH_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "a name in the tar stream has more than %d bytes", TAR_PATH_MAX);
        at = tar_keep(t, text->data ? text->data : "", size);
        if (at < 0)
                return error_set(err, (int)at, "keep a tar name");
        if (type == 'L') {
                t->path_at = (size_t)at;
                t->overrides |= TAR_HAS_PATH;
        } else {
                t->link_at = (size_t)at;
                t->overrides |= TAR_HAS_LINK;
        }
        return 0;
}

/* A header that is about the next entry, or about nothing: 1 when it was one. */
static int extended_header(struct tar *t, const unsigned char *header, struct coffer_error *err)
{
        char type = (char)header[TYPE_AT];
        struct buf text = BUF_INIT(TAR_EXTENDED_MAX);
        int64_t size;
        int r;

        if (!strchr("xgLKV", type) || type == '\0')
                return 0;
        r = tar_number(header + SIZE_AT, LONG_SIZE, "size", &size, err);
        if (r == 0 && size < 0)
                r = tar_bad(err, "a size is negative");
        if (r == 0)
                r = read_extended(t, (uint64_t)size, &text, err);
        if (r == 0 && (type == 'x' || type == 'g'))
                r = tar_pax_records(t, text.data ? text.data : "", text.size, type == 'g', err);
        if (r == 0 && (type == 'L' || type == 'K'))
                r = long_name(t, &text, type, err);
        buf_release(&text);
        return r < 0 ? r : 1;
}

static int header_names(struct tar *t, const unsigned char *header, struct coffer_error *err)
{
        const char *h = (const char *)header;
        ssize_t at = 0;

        if (!(t->overrides & TAR_HAS_PATH)) {
                char path[PREFIX_SIZE + 1 + NAME_SIZE + 1];
                bool posix = memcmp(h + MAGIC_AT, "ustar", 6) == 0; /* with its NUL */
                int n;

                if (posix && h[PREFIX_AT] != '\0')
                        n = snprintf(path, sizeof(path), "%.*s/%.*s", PREFIX_SIZE, h + PREFIX_AT,
                                     NAME_SIZE, h + NAME_AT);
                else
                        n = snprintf(path, sizeof(path), "%.*s", NAME_SIZE, h + NAME_AT);
                at = tar_keep(t, path, (size_t)n);
                t->path_at = (size_t)at;
        }
        if (at >= 0 && !(t->overrides & TAR_HAS_LINK)) {
                at = tar_keep(t, h + LINK_AT, strnlen(h + LINK_AT, NAME_SIZE));
                t->link_at = (size_t)at;
        }
        return at < 0 ? error_set(err, (int)at, "keep a tar name") : 0;
}

static int header_numbers(struct tar *t, const unsigned char *h, struct coffer_error *err)
{
        const struct {
                size_t at;
                size_t size;
                const char *what;
                unsigned flag;
                uint64_t *to;
        } fields[] = {
                {SIZE_AT,  LONG_SIZE,  "size",         TAR_HAS_SIZE, &t->size              },
                {UID_AT,   SHORT_SIZE, "user id",      TAR_HAS_UID,  &t->uid               },
                {GID_AT,   SHORT_SIZE, "group id",     TAR_HAS_GID,  &t->gid               },
                {MAJOR_AT, SHORT_SIZE, "device major", 0,            &t->entry.device_major},
                {MINOR_AT, SHORT_SIZE, "device minor", 0,            &t->entry.device_minor},
        };
        bool ustar = memcmp(h + MAGIC_AT, "ustar", 5) == 0;
        int64_t number;
        int r;

        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                if (t->overrides & fields[i].flag)
                        continue;
                if (fields[i].at >= MAGIC_AT && !ustar)
                        continue;
                r = tar_number(h + fields[i].at, fields[i].size, fields[i].what, &number, err);
                if (r < 0)
                        return r;
                if (number < 0)
                        return tar_bad(err, "the %s is negative", fields[i].what);
                *fields[i].to = (uint64_t)number;
        }
        r = tar_number(h + MODE_AT, SHORT_SIZE, "mode", &number, err);
        if (r < 0)
                return r;
        t->entry.mode = (uint32_t)number & 07777;
        if (t->overrides & TAR_HAS_MTIME)
                return 0;
        t->mtime_nsec = 0;
        return tar_number(h + MTIME_AT, LONG_SIZE, "time", &t->mtime_sec, err);
}

static int header_type(struct tar *t, char flag, struct coffer_error *err)
{
        static const struct {
                char flag;
                enum tar_type type;
        } types[] = {
                {'\0', TAR_FILE        },
                {'0',  TAR_FILE        },
                {'7',  TAR_FILE        },
                {'S',  TAR_FILE        },
                {'1',  TAR_HARDLINK    },
                {'2',  TAR_SYMLINK     },
                {'3',  TAR_CHAR        },
                {'4',  TAR_BLOCK_DEVICE},
                {'5',  TAR_DIR         },
                {'6',  TAR_FIFO        },
        };

        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (types[i].flag == flag) {
                        t->entry.type = types[i].type;
                        return 0;
                }
        return tar_bad(err, "an entry is of unknown type 0x%02x", (unsigned char)flag);
}

static int start_content(struct tar *t, const unsigned char *header, struct coffer_error *err)
{
        bool file = t->entry.type == TAR_FILE;
        int r = 0;

        /* Only files have content, whatever the size field of the others says. */
        t->stored_left = file ? t->size : 0;
        t->padding_left = (unsigned)(-t->stored_left % TAR_BLOCK);
        t->entry.size = t->stored_left;

        if (file && header[TYPE_AT] == 'S')
                r = tar_sparse_gnu_header(t, header, err);
        else if (file && (t->overrides & TAR_SPARSE_MAP_IN_DATA))
                r = tar_sparse_from_data(t, err);
        if (r == 0 && file && (t->overrides & TAR_SPARSE)) {
                r = tar_sparse_check(t, err);
                t->entry.sparse = true;
                t->entry.size = t->real_size;
        }
        t->content_at = t->consumed;
        return r;
}

static int build_entry(struct tar *t, const unsigned char *in_buffer, struct coffer_error *err)
{
        unsigned char header[TAR_BLOCK]; /* as reading on overwrites the buffer */
        struct tar_entry *e = &t->entry;
        int r;

        memcpy(header, in_buffer, sizeof(header));
        r = header_type(t, (char)header[TYPE_AT], err);
        if (r == 0)
                r = header_numbers(t, header, err);
        if (r == 0)
                r = header_names(t, header, err);
        if (r == 0)
                r = start_content(t, header, err);
        if (r < 0)
                return r;

        e->path = t->text.data + t->path_at;
        e->link = t->text.data + t->link_at;
        e->uid = t->uid;
        e->gid = t->gid;
        e->mtime_sec = t->mtime_sec;
        e->mtime_nsec = t->mtime_nsec;
        e->xattr_count = t->xattr_count;
        for (size_t i = 0; i < t->xattr_count; i++)
                e->xattrs[i] = (struct tar_xattr){
                        .name = t->text.data + t->xattrs[i].name,
                        .value = t->text.data + t->xattrs[i].value,
                        .size = t->xattrs[i].size,
                };
        if (e->path[0] == '\0')
                return tar_bad(err, "an entry has no name");
        /* Before POSIX had a type for it, a directory was a file with a slash at its end. */
        if (e->type == TAR_FILE && e->path[strlen(e->path) - 1] == '/')
                e->type = TAR_DIR;
        return 1;
}

static void forget_entry(struct tar *t)
{
        memset(&t->entry, 0, offsetof(struct tar_entry, xattrs));
        t->entry.xattr_count = 0;
        t->entry.sparse = false;
        t->overrides = 0;
        t->text.size = 0;
        t->xattr_count = 0;
        t->segment_count = 0;
        t->segment = 0;
        t->segment_done = 0;
        t->stored_left = 0;
        t->padding_left = 0;
}

static int at_end(struct tar *t, bool marked, struct coffer_error *err)
{
        t->ended = true;
        if (t->text.size > 0)
                return tar_bad(err, "it ends after an extended header");
        if (!marked && t->require_end)
                return tar_bad(err, "it is cut short");
        return 0;
}

int tar_next(struct tar *t, const struct tar_entry **ret_entry, struct coffer_error *err)
{
        const unsigned char *block;
        int r;

        if (t->ended)
                return 0;
        r = skip(t, t->stored_left, err);
        if (r == 0)
                r = skip(t, t->padding_left, err);
        forget_entry(t);

        while (r >= 0) {
                r = tar_block(t, &block, err);
                if (r < 0)
                        return r;
                if (r == 0)
                        return at_end(t, false, err);
                if (is_zero(block)) {
                        r = tar_block(t, &block, err);
                        if (r > 0 && !is_zero(block))
                                return tar_bad(err, "a zero block stands between entries");
                        return r < 0 ? r : at_end(t, r > 0, err);
                }
                if (!checksum_fits(block))
                        return tar_bad(err, "a header has a wrong checksum");

                r = extended_header(t, block, err);
                if (r == 0) {
                        *ret_entry = &t->entry;
                        return build_entry(t, block, err);
                }
        }
        return r;
}

int tar_content(struct tar *t, const void **ret_data, size_t *ret_size, uint64_t *ret_offset,
                struct coffer_error *err)
{
        uint64_t left = t->stored_left;
        size_t have = 0;
        int r;

        if (t->entry.sparse) {
                while (t->segment < t->segment_count &&
                       t->segment_done == t->segments[t->segment].size) {
                        t->segment++;
                        t->segment_done = 0;
                }
                /* The sum of the pieces is stored_left: tar_sparse_check(). */
                left = t->segment < t->segment_count
                               ? t->segments[t->segment].size - t->segment_done
                               : 0;
        }
        *ret_size = 0;
        if (left == 0)
                return 0;

        r = available(t, &have, err);
        if (r == 0)
                return tar_bad(err, "it ends inside an entry");
        if (r < 0)
                return r;
        if (have > left)
                have = (size_t)left;

        *ret_data = t->buffer + t->position;
        *ret_size = have;
        *ret_offset = t->entry.sparse ? t->segments[t->segment].offset + t->segment_done
                                      : t->entry.size - t->stored_left;
        t->segment_done += have;
        t->stored_left -= have;
        consume(t, have);
        return 0;
}

uint64_t tar_position(const struct tar *t)
{
        return t->content_at;
}
