/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"

/*
 * The files of an image by name, whether they lie in a directory or in a tar archive.  An archive
 * is gone through once, header by header; its files are then ranges of the same descriptor.
 */

#define BLOBS_MAX            65536
#define BLOBS_NAME_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define BLOBS_LINKS_MAX      8 /* symlinks on the way to a file */

struct blob; /* a row of the table */

struct blobs {
        int fd; /* borrowed */
        bool archive;
        bool incomplete;   /* of the caller's: layers may be missing */
        struct blob *rows; /* owned */
        size_t count, capacity;
        struct buf names;
};

/** blobs_open() - get ready to find files
 * @fd:      a directory, or a seekable archive; borrowed until blobs_close()
 * @archive: which of the two
 * @ret:     close with blobs_close()
 * @err:     words for a failure
 *
 * Return: 0 or a negative errno.
 */
int blobs_open(int fd, bool archive, struct blobs *ret, struct coffer_error *err);
void blobs_close(struct blobs *b);

/** blobs_find() - where a regular file is
 * @b:          where to look
 * @name:       "blobs/sha256/…"; the last of equal names in an archive
 * @ret_offset: 0 in a directory
 * @ret_size:   its bytes
 *
 * Return: 1 when it is there, 0 when not, or a negative errno.
 */
int blobs_find(const struct blobs *b, const char *name, uint64_t *ret_offset, uint64_t *ret_size);

/** blobs_name() - the name of the file at @index of an archive; NULL past the last */
const char *blobs_name(const struct blobs *b, size_t index);

/** blobs_read() - append a whole file
 * @b:    where to look
 * @name: as in blobs_find()
 * @to:   its max_bytes bounds the file
 * @err:  names it
 *
 * Return: 0, -ENOENT, -E2BIG, or another negative errno.
 */
int blobs_read(const struct blobs *b, const char *name, struct buf *to, struct coffer_error *err);
