/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sparse files: GNU's old format has the map in the header and in blocks after it; pax 0.0 and 0.1
 * have it in records, pax 1.0 has it as text at the start of the content.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/tar-parse.h"

#define GNU_MAP_AT       386
#define GNU_MAP_COUNT    4
#define GNU_EXTENDED_AT  482
#define GNU_REAL_SIZE_AT 483
#define GNU_EXT_COUNT    21
#define GNU_EXT_MORE_AT  504
#define GNU_FIELD        12

int tar_sparse_add(struct tar *t, uint64_t offset, uint64_t size, struct coffer_error *err)
{
        if (t->segment_count == TAR_SEGMENTS_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "a sparse file has more than %d pieces", TAR_SEGMENTS_MAX);
        if (t->segment_count == t->segment_capacity) {
                size_t capacity = t->segment_capacity ? 2 * t->segment_capacity : 64;
                struct tar_segment *grown = realloc(t->segments, capacity * sizeof(*t->segments));

                if (!grown)
                        return error_set(err, -ENOMEM, "read a sparse map");
                t->segments = grown;
                t->segment_capacity = capacity;
        }
        t->segments[t->segment_count++] = (struct tar_segment){.offset = offset, .size = size};
        return 0;
}

/* pax 0.1: "offset,size,offset,size" */
int tar_sparse_list(struct tar *t, const char *text, size_t size, struct coffer_error *err)
{
        const char *p = text, *end = text + size;

        while (p < end) {
                uint64_t offset, bytes;
                int r;

                if (tar_decimal(&p, end, &offset) < 0 || p == end || *p++ != ',' ||
                    tar_decimal(&p, end, &bytes) < 0 || (p < end && *p++ != ','))
                        return tar_bad(err, "a sparse map is malformed");
                r = tar_sparse_add(t, offset, bytes, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_gnu_fields(struct tar *t, const unsigned char *at, size_t count,
                          struct coffer_error *err)
{
        for (size_t i = 0; i < count; i++, at += 2 * GNU_FIELD) {
                int64_t offset, size;
                int r;

                if (at[0] == '\0')
                        break;
                r = tar_number(at, GNU_FIELD, "sparse offset", &offset, err);
                if (r == 0)
                        r = tar_number(at + GNU_FIELD, GNU_FIELD, "sparse size", &size, err);
                if (r < 0)
                        return r;
                if (offset < 0 || size < 0)
                        return tar_bad(err, "a sparse map has a negative number");
                r = tar_sparse_add(t, (uint64_t)offset, (uint64_t)size, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int tar_sparse_gnu_header(struct tar *t, const unsigned char *header, struct coffer_error *err)
{
        bool more = header[GNU_EXTENDED_AT] != 0;
        int64_t real_size;
        int r;

        r = tar_number(header + GNU_REAL_SIZE_AT, GNU_FIELD, "sparse file size", &real_size, err);
        if (r == 0 && real_size < 0)
                r = tar_bad(err, "a sparse file has a negative size");
        if (r == 0)
                r = add_gnu_fields(t, header + GNU_MAP_AT, GNU_MAP_COUNT, err);
        if (r < 0)
                return r;
        t->real_size = (uint64_t)real_size;
        t->overrides |= TAR_SPARSE | TAR_HAS_REAL_SIZE;

        while (more) {
                const unsigned char *block;

                r = tar_block(t, &block, err);
                if (r == 0)
                        return tar_bad(err, "the stream ends inside a sparse map");
                if (r < 0)
                        return r;
                more = block[GNU_EXT_MORE_AT] != 0;
                r = add_gnu_fields(t, block, GNU_EXT_COUNT, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Reads one decimal line, which may go over the end of a block. */
static int read_line(struct tar *t, const unsigned char **block, size_t *at, uint64_t *ret_number,
                     struct coffer_error *err)
{
        uint64_t number = 0;
        unsigned digits = 0;

        for (;;) {
                unsigned char c;

                if (*at == TAR_BLOCK) {
                        int r;

                        if (t->stored_left < TAR_BLOCK)
                                return tar_bad(err, "a sparse map is cut short");
                        r = tar_block(t, block, err);
                        if (r <= 0)
                                return r < 0 ? r : tar_bad(err, "a sparse map is cut short");
                        t->stored_left -= TAR_BLOCK;
                        *at = 0;
                }
                c = (*block)[(*at)++];
                if (c == '\n' && digits > 0)
                        break;
                if (c < '0' || c > '9' || ++digits > 18)
                        return tar_bad(err, "a sparse map is malformed");
                number = number * 10 + (uint64_t)(c - '0');
        }
        *ret_number = number;
        return 0;
}

int tar_sparse_from_data(struct tar *t, struct coffer_error *err)
{
        const unsigned char *block = NULL;
        size_t at = TAR_BLOCK;
        uint64_t count, offset, size;
        int r;

        r = read_line(t, &block, &at, &count, err);
        for (uint64_t i = 0; r == 0 && i < count; i++) {
                r = read_line(t, &block, &at, &offset, err);
                if (r == 0)
                        r = read_line(t, &block, &at, &size, err);
                if (r == 0)
                        r = tar_sparse_add(t, offset, size, err);
        }
        return r;
}

int tar_sparse_check(const struct tar *t, struct coffer_error *err)
{
        uint64_t end = 0, sum = 0;

        if (!(t->overrides & TAR_HAS_REAL_SIZE) || (t->overrides & TAR_HALF_SEGMENT))
                return tar_bad(err, "a sparse file has no size");
        for (size_t i = 0; i < t->segment_count; i++) {
                const struct tar_segment *s = &t->segments[i];
                uint64_t segment_end;

                if (__builtin_add_overflow(s->offset, s->size, &segment_end) || s->offset < end ||
                    segment_end > t->real_size)
                        return tar_bad(err, "a sparse map is out of order or out of the file");
                end = segment_end;
                sum += s->size;
        }
        if (sum != t->stored_left)
                return tar_bad(err, "a sparse map does not fit the content");
        return 0;
}
