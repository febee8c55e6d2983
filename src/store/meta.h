/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "spec/restart.h"

struct coffer_error;

/*
 * boxes/<id>/meta.json: what a list of boxes shows, so that listing does not read whole
 * configurations, and what may change after creation.  Replaced by rename.  The name is not here:
 * it is in `claims`.
 */

#define META_BYTES_MAX (1024 * 1024)

/**
 * struct box_meta - the fields
 * @image:      owned; the reference
 * @command:    owned; arguments joined by spaces, for people
 * @created_ns: when the box was made
 * @tty:        main has a terminal
 * @remove:     the box is removed when it has stopped
 * @restart:    the restart policy
 * @labels:     owned; "key=value"
 * @volumes:    owned; names that it mounts
 * @updates:    owned; "option=value" that count instead of what config.json says
 */
struct box_meta {
        char *image;
        char *command;
        uint64_t created_ns;
        bool tty;
        bool remove;
        struct restart_policy restart;
        struct strv labels;
        struct strv volumes;
        struct strv updates;
};

void box_meta_release(struct box_meta *meta);

/** meta_write() - replace the file; @flags: FILE_* of store/file.h */
int meta_write(int box_dir_fd, const struct box_meta *meta, unsigned flags);

/** meta_read() - 0, -ENOENT, -EBADMSG or another negative errno; release @ret_meta */
int meta_read(int box_dir_fd, struct box_meta *ret_meta, struct coffer_error *err);
