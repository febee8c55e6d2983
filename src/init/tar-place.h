/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "base/tar.h"

/*
 * Where the entries of an archive lie beneath the directory that it is extracted into.  The kernel
 * resolves every parent, and a symlink in one must not lead out of that directory: neither what
 * the archive brought nor what a process of the box put there can move a file elsewhere.
 */

#define TAR_PLACE_DIRS_MAX      262144                     /* directories of one archive ... */
#define TAR_PLACE_DIR_BYTES_MAX ((size_t)24 * 1024 * 1024) /* ... and the bytes of their names */

/**
 * struct tar_name - the name of an entry without ".", doubled and outer slashes
 * @whole:       relative; "" for the directory itself
 * @parent_size: bytes of @whole before the last component; 0 when it lies in the directory itself
 * @last:        in @whole
 */
struct tar_name {
        char whole[TAR_PATH_MAX + 1];
        size_t parent_size;
        const char *last;
};

/** tar_name_parse() - 0, or -EBADMSG for a name that contains ".." */
int tar_name_parse(const char *text, struct tar_name *ret_name);

/* What a directory gets at the end, when nothing below it changes any more. */
struct tar_late {
        size_t path; /* in tar_place.late_paths */
        uint32_t mode;
        uint32_t uid;
        uint32_t gid;
        uint32_t mtime_nsec;
        int64_t mtime_sec;
};

/**
 * struct tar_place - the directory, and the parent that was used last
 * @dir_fd:       beneath which; borrowed
 * @resolve:      RESOLVE_* of openat2(2)
 * @parent_fd:    owned
 * @parent:       its path
 * @parent_stale: something was removed: look it up again
 * @late:         owned; directories to be finished
 */
struct tar_place {
        int dir_fd;
        uint64_t resolve;
        int parent_fd;
        char parent[TAR_PATH_MAX + 1];
        bool parent_stale;
        struct tar_late *late;
        size_t late_count, late_capacity;
        struct buf late_paths;
};

/** tar_place_init() - begin; @is_root: @dir_fd is the root of the box, absolute symlinks are fine
 */
void tar_place_init(struct tar_place *p, int dir_fd, bool is_root);
void tar_place_release(struct tar_place *p);

/**
 * tar_place_parent() - the directory that an entry lies in
 * @p:      where
 * @name:   of the entry; not the directory itself
 * @make:   make what is missing, mode 0755
 * @ret_fd: O_PATH; borrowed until the next call
 *
 * Return: 0, or a negative errno: -EXDEV when a symlink leads out.
 */
int tar_place_parent(struct tar_place *p, const struct tar_name *name, bool make, int *ret_fd);

/** tar_place_late() - remember what a directory is to get, @late->path aside; 0, -E2BIG or -ENOMEM
 */
int tar_place_late(struct tar_place *p, const struct tar_name *name, const struct tar_late *late);

/**
 * tar_place_finish() - give it to them
 * @p:    where
 * @give: called for each, deepest first; @fd is the directory
 * @data: for @give
 * @err:  names the directory
 *
 * Return: 0, or the first answer of @give that is not.
 */
int tar_place_finish(struct tar_place *p,
                     int (*give)(void *data, int fd, const struct tar_late *late), void *data,
                     struct coffer_error *err);
