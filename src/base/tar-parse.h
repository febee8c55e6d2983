/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the parts of the tar reader share; nobody else includes this. */

#include "base/buf.h"
#include "base/tar.h"

#define TAR_BUFFER_BYTES ((size_t)128 * 1024)

enum tar_override {
        TAR_HAS_PATH = 1 << 0,
        TAR_HAS_LINK = 1 << 1,
        TAR_HAS_SIZE = 1 << 2,
        TAR_HAS_UID = 1 << 3,
        TAR_HAS_GID = 1 << 4,
        TAR_HAS_MTIME = 1 << 5,
        TAR_HAS_REAL_SIZE = 1 << 6,
        TAR_SPARSE_MAP_IN_DATA = 1 << 7,
        TAR_SPARSE = 1 << 8,
        TAR_HAS_SPARSE_NAME = 1 << 9,
        TAR_HALF_SEGMENT = 1 << 10, /* pax sparse 0.0: an offset whose size is yet to come */
};

/* An attribute whose name and value lie at offsets of tar.text, which may still move. */
struct tar_xattr_at {
        size_t name;
        size_t value;
        size_t size;
};

struct tar {
        struct tar_source source;
        bool require_end;
        bool ended;
        unsigned char *buffer; /* owned */
        size_t position;       /* next byte to hand out */
        size_t filled;
        uint64_t consumed; /* stream offset of buffer[position] */

        struct tar_entry entry;
        unsigned overrides; /* of extended headers before the entry */
        struct buf text;    /* names, links, attributes of the entry */
        size_t path_at, link_at;
        uint64_t size, uid, gid, real_size;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        struct tar_xattr_at xattrs[TAR_XATTRS_MAX];
        size_t xattr_count;
        struct tar_segment *segments; /* owned */
        size_t segment_count, segment_capacity;

        uint64_t content_at;   /* stream offset of the content */
        uint64_t stored_left;  /* bytes of content not yet handed out */
        unsigned padding_left; /* to the next block */
        size_t segment;        /* being handed out */
        uint64_t segment_done; /* bytes of it */
};

/* The next block, borrowed until the next call: 1, 0 at the end of the stream, negative. */
int tar_block(struct tar *t, const unsigned char **ret_block, struct coffer_error *err);
/* A text of an extended header: -EBADMSG with the reason. */
int tar_bad(struct coffer_error *err, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* An octal or base-256 field; "what" for the error. */
int tar_number(const unsigned char *field, size_t size, const char *what, int64_t *ret_number,
               struct coffer_error *err);
/* A number in decimal at *p, before end; moves *p past it. */
int tar_decimal(const char **p, const char *end, uint64_t *ret_number);
/* Copies bytes and a NUL into t->text; returns their offset, or a negative errno. */
ssize_t tar_keep(struct tar *t, const char *s, size_t size);

/* tar-pax.c */
int tar_pax_records(struct tar *t, const char *text, size_t size, bool global,
                    struct coffer_error *err);

/* tar-sparse.c */
int tar_sparse_add(struct tar *t, uint64_t offset, uint64_t size, struct coffer_error *err);
int tar_sparse_list(struct tar *t, const char *text, size_t size, struct coffer_error *err);
int tar_sparse_gnu_header(struct tar *t, const unsigned char *header, struct coffer_error *err);
int tar_sparse_from_data(struct tar *t, struct coffer_error *err);
int tar_sparse_check(const struct tar *t, struct coffer_error *err);
