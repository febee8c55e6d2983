/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <coffer/error.h>

/*
 * A tar reader for hostile streams: v7, ustar, pax and GNU, sparse files of all four kinds.  It
 * knows headers, not files: what a name may mean is decided by who extracts.
 *
 * Global pax headers are checked and then ignored, as every container tool does: a layer must mean
 * the same to all of them.
 */

#define TAR_PATH_MAX     4095 /* bytes of a name or link target */
#define TAR_EXTENDED_MAX ((size_t)1024 * 1024)
#define TAR_XATTRS_MAX   64
#define TAR_XATTR_MAX    ((size_t)64 * 1024) /* bytes of one value */
#define TAR_SEGMENTS_MAX 65536
#define TAR_BLOCK        512

enum tar_type {
        TAR_FILE,
        TAR_HARDLINK,
        TAR_SYMLINK,
        TAR_CHAR,
        TAR_BLOCK_DEVICE,
        TAR_DIR,
        TAR_FIFO
};

/* An extended attribute; both point into the entry's own memory. */
struct tar_xattr {
        const char *name;
        const char *value;
        size_t size;
};

/* Where a piece of a sparse file's content lies in the file. */
struct tar_segment {
        uint64_t offset;
        uint64_t size;
};

/**
 * struct tar_entry - one member, valid until the next tar_next()
 * @type:          what it is
 * @path:          its name as written; not empty, no NUL, at most TAR_PATH_MAX bytes
 * @link:          target of a hard or symbolic link, else ""
 * @mode:          permission bits, 07777
 * @uid:           owner; not negative, else anything
 * @gid:           group
 * @size:          bytes of the file, holes of a sparse one included
 * @mtime_sec:     seconds since 1970, may be negative
 * @mtime_nsec:    0 to 999,999,999
 * @device_major:  of a device
 * @device_minor:  of a device
 * @xattrs:        names without "SCHILY.xattr."
 * @xattr_count:   of @xattrs
 * @sparse:        content comes in pieces with holes between them
 */
struct tar_entry {
        enum tar_type type;
        const char *path;
        const char *link;
        uint32_t mode;
        uint64_t uid;
        uint64_t gid;
        uint64_t size;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        uint64_t device_major;
        uint64_t device_minor;
        struct tar_xattr xattrs[TAR_XATTRS_MAX];
        size_t xattr_count;
        bool sparse;
};

/**
 * struct tar_source - where the bytes come from
 * @read: as read(2): up to @size bytes, 0 at the end, or a negative errno with @err set
 * @skip: goes over @count bytes without reading them; NULL: they are read and dropped
 * @data: for both
 */
struct tar_source {
        ssize_t (*read)(void *data, void *to, size_t size, struct coffer_error *err);
        int (*skip)(void *data, uint64_t count, struct coffer_error *err);
        void *data;
};

struct tar;

/**
 * tar_new() - a reader at the start of a stream
 * @source:       copied
 * @require_end:  refuse a stream that stops without the two zero blocks
 * @ret_tar:      free with tar_free()
 *
 * Return: 0 or -ENOMEM.
 */
int tar_new(const struct tar_source *source, bool require_end, struct tar **ret_tar);
struct tar *tar_free(struct tar *t);

/**
 * tar_next() - go to the next entry, past what is left of this one's content
 * @t:         the reader
 * @ret_entry: the entry, borrowed until the next call
 * @err:       words for a failure; may be NULL
 *
 * Return: 1 with an entry, 0 at the end, or a negative errno: -EBADMSG for a malformed stream,
 * -E2BIG for a limit, else the source's.
 */
int tar_next(struct tar *t, const struct tar_entry **ret_entry, struct coffer_error *err);

/**
 * tar_content() - the next piece of this entry's content
 * @t:          the reader
 * @ret_data:   borrowed until the next call
 * @ret_size:   0 at the end
 * @ret_offset: where in the file the piece belongs
 * @err:        words for a failure; may be NULL
 *
 * Return: 0 or a negative errno.
 */
int tar_content(struct tar *t, const void **ret_data, size_t *ret_size, uint64_t *ret_offset,
                struct coffer_error *err);

/** tar_position() - where in the stream this entry's content starts */
uint64_t tar_position(const struct tar *t);
