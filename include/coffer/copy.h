/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_COPY_H
#define COFFER_COPY_H

#include <coffer/api.h>
#include <coffer/box.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Files in and out of a box, with Docker's rules:
 *
 *   SRC a file       DST absent: made, with that name; a file: replaced; a directory: into it
 *   SRC a directory  DST absent: made, with the contents; a directory: into it; a file: an error
 *   SRC ending /.    the contents of the directory, not the directory itself
 *   DST ending /     must be a directory
 *
 * Paths in the box are resolved by a program inside the box; nothing of the box's is executed.
 * A box that does not run is brought up for it with nothing of its own in it.
 */

#define COFFER_COPY_FOLLOW  1u /* a symbolic link as SRC: copy what it points to */
#define COFFER_COPY_ARCHIVE 2u /* keep owners, as far as the caller may set them */

/**
 * coffer_copy_out() - copy from a box to the host
 * @box:        the box
 * @box_path:   SRC, in the box; "" and relative paths begin at "/"
 * @host_path:  DST, on the host
 * @flags:      COFFER_COPY_*
 * @timeout_ms: for all of it
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -ENOENT      SRC does not exist, or the directory of DST
 *   -ENOTDIR     DST should be a directory and is not
 *   -EISDIR      DST is a directory and SRC cannot go there
 *   -ETIMEDOUT
 */
COFFER_API int coffer_copy_out(struct coffer_box *box, const char *box_path, const char *host_path,
                               uint32_t flags, int timeout_ms, struct coffer_error *err);

/**
 * coffer_copy_in() - copy from the host to a box
 * @box:        the box
 * @host_path:  SRC, on the host
 * @box_path:   DST, in the box
 * @flags:      COFFER_COPY_*
 * @timeout_ms: for all of it
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: as coffer_copy_out().
 */
COFFER_API int coffer_copy_in(struct coffer_box *box, const char *host_path, const char *box_path,
                              uint32_t flags, int timeout_ms, struct coffer_error *err);

/**
 * coffer_copy_out_tar() - write a tar archive of a path in a box
 * @box:        the box
 * @box_path:   what; its last component is the name in the archive
 * @fd:         where to; blocking; borrowed
 * @flags:      COFFER_COPY_FOLLOW
 * @timeout_ms: for all of it
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or as coffer_copy_out(), or what write(2) answers for @fd.
 */
COFFER_API int coffer_copy_out_tar(struct coffer_box *box, const char *box_path, int fd,
                                   uint32_t flags, int timeout_ms, struct coffer_error *err);

/**
 * coffer_copy_in_tar() - unpack a tar archive into a directory of a box
 * @box:        the box
 * @box_path:   an existing directory
 * @fd:         where from, up to its end; borrowed
 * @flags:      COFFER_COPY_ARCHIVE
 * @timeout_ms: for all of it
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or as coffer_copy_out(), or -EBADMSG when it is no tar archive.
 */
COFFER_API int coffer_copy_in_tar(struct coffer_box *box, const char *box_path, int fd,
                                  uint32_t flags, int timeout_ms, struct coffer_error *err);

/**
 * coffer_box_export() - write a tar archive of the whole root of a box, volumes left out
 * @box:        the box
 * @fd:         where to; blocking; borrowed
 * @timeout_ms: for all of it
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or as coffer_copy_out_tar().
 */
COFFER_API int coffer_box_export(struct coffer_box *box, int fd, int timeout_ms,
                                 struct coffer_error *err);

/**
 * struct coffer_change - one path that differs from the image
 * @kind: 'A' added, 'C' changed, 'D' deleted
 * @path: absolute, in the box
 */
struct coffer_change {
        char kind;
        const char *path;
};

/**
 * coffer_box_diff() - what was changed in the root of a box
 * @box:         the box; running or not
 * @ret_changes: NULL-terminated array, sorted by path, one allocation; free with coffer_free()
 * @ret_count:   how many
 * @err:         why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks for the file system.
 *
 * Return: 0, or a negative errno; -E2BIG when there are more than a million.
 */
COFFER_API int coffer_box_diff(struct coffer_box *box, struct coffer_change ***ret_changes,
                               size_t *ret_count, struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
