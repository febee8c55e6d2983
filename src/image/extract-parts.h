/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the parts of extract.c share; nobody else includes this. */

#include <limits.h>

#include "base/buf.h"
#include "image/extract.h"

/* A name, cut into components and put together again without "." and doubled slashes. */
struct entry_path {
        char whole[TAR_PATH_MAX + EXTRACT_NAME_MAX + 2];
        size_t parent_size; /* of whole; 0: the last component lies in the root */
        const char *last;   /* in whole; "" for the root itself */
};

/* What a directory gets at the end, when nothing below it changes any more. */
struct dir_attrs {
        size_t path; /* in extract.dir_paths */
        uint32_t mode;
        uint32_t uid;
        uint32_t gid;
        uint32_t mtime_nsec;
        int64_t mtime_sec;
};

struct extract {
        const struct extract_spec *spec;
        struct extract_stats stats;
        uint64_t entries; /* seen */
        int parent_fd;    /* owned: O_PATH of the parent used last */
        char parent[TAR_PATH_MAX + EXTRACT_NAME_MAX + 2];
        bool parent_stale;      /* something was removed: look it up again */
        struct dir_attrs *dirs; /* owned */
        size_t dir_count, dir_capacity;
        struct buf dir_paths;
};

/* extract-path.c */
int extract_parse(const struct extract *x, const char *name, struct entry_path *ret_path,
                  struct coffer_error *err);
int extract_open_parent(struct extract *x, const struct entry_path *path, bool make, int *ret_fd);

/* extract-attrs.c */
int extract_owner(const struct extract *x, const struct tar_entry *e, uint32_t *ret_uid,
                  uint32_t *ret_gid, struct coffer_error *err);
uint32_t extract_mode(const struct extract *x, const struct tar_entry *e);
int extract_xattrs(struct extract *x, int fd, const struct tar_entry *e, struct coffer_error *err);
int extract_remember_dir(struct extract *x, const struct entry_path *path,
                         const struct tar_entry *e, struct coffer_error *err);
int extract_finish_dirs(struct extract *x, struct coffer_error *err);

/* extract-whiteout.c: 1 when the entry was a whiteout and is done with */
int extract_whiteout(struct extract *x, const struct entry_path *path, struct coffer_error *err);
int extract_set_opaque(int dir_fd, const char *name);
bool extract_is_whiteout(int dir_fd, const char *name);
