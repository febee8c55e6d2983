/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

#include "image/image.h"
#include "base/tar.h"

/*
 * From tar entries to files beneath one directory.  Every parent is resolved by the kernel with
 * that directory as the root, the last component is never followed, and what stands there is
 * removed first: so nothing outside changes, whatever the names and links are.
 */

#define EXTRACT_ENTRIES_MAX   ((uint64_t)2 * 1024 * 1024)
#define EXTRACT_BYTES_MAX     ((uint64_t)64 * 1024 * 1024 * 1024)
#define EXTRACT_DEPTH_MAX     256
#define EXTRACT_NAME_MAX      255
#define EXTRACT_DIRS_MAX      262144                     /* directories of one stream ... */
#define EXTRACT_DIR_BYTES_MAX ((size_t)24 * 1024 * 1024) /* ... and the bytes of their names */
#define EXTRACT_ID_MAX        65535

/**
 * struct extract_spec - how to unpack
 * @root_fd:       beneath which; borrowed
 * @layer:         a layer of an image: .wh. names become overlayfs whiteouts, entries replace
 *                 whatever an earlier entry made, and a symlink in a name leads on inside @root_fd.
 *                 Otherwise a copy to the user's files: a symlink in a name is refused, and a
 *                 directory never takes the place of something else, nor the other way round
 * @overwrite:     a copy may replace files
 * @ownership:     whose the files become
 * @rename_first:  instead of the first component of each name; NULL keeps it
 * @max_entries:   more is -E2BIG
 * @max_bytes:     of file content, holes included; more is -E2BIG
 */
struct extract_spec {
        int root_fd;
        bool layer;
        bool overwrite;
        enum image_ownership ownership;
        const char *rename_first;
        uint64_t max_entries;
        uint64_t max_bytes;
};

/**
 * struct extract_stats - what was done
 * @entries: made
 * @bytes:   of content
 * @skipped: device nodes
 * @dropped: extended attributes that may not come from an image
 */
struct extract_stats {
        uint64_t entries;
        uint64_t bytes;
        uint64_t skipped;
        uint64_t dropped;
};

/** extract_tar() - unpack a whole stream
 * @tar:       at its start
 * @spec:      how; borrowed
 * @ret_stats: what was done, also after a failure
 * @err:       names the entry
 *
 * Context: the umask must be 0.
 *
 * Return: 0 or a negative errno.
 */
int extract_tar(struct tar *tar, const struct extract_spec *spec, struct extract_stats *ret_stats,
                struct coffer_error *err);
