/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include <coffer/error.h>

/*
 * `coffer cp` out of a box: a tar stream that a box wrote is unpacked on the host, by
 * coffer-unpack, beneath one directory, as the caller.  Everything becomes the caller's; modes
 * keep their lower nine bits; device nodes are left out and counted.
 */

/**
 * enum image_copy_flags - what may happen to files that are there already
 * @IMAGE_COPY_OVERWRITE: a file or symlink is replaced by a new one of the same name; without it
 *                        that is -EEXIST.  A directory never takes the place of something else,
 *                        nor something else that of a directory
 */
enum image_copy_flags { IMAGE_COPY_OVERWRITE = 1 << 0 };

/**
 * struct image_copy_result - what was copied
 * @entries: files, directories, links
 * @bytes:   of file content
 * @skipped: device nodes, which were left out
 */
struct image_copy_result {
        uint64_t entries;
        uint64_t bytes;
        uint64_t skipped;
};

/**
 * image_extract_start() - begin to unpack a tar stream
 * @program_dir:  where coffer-unpack lies
 * @tar_fd:       the stream; plain, gzip or zstd; borrowed, and may be closed after the call
 * @dest_dir_fd:  nothing outside of it is touched, no symlink is followed; borrowed likewise
 * @rename_first: takes the place of the first component of every name (and of hard links'
 *                targets); NULL keeps it
 * @flags:        enum image_copy_flags
 * @ret_fd:       becomes readable when it is done; closing it ends the copy
 * @err:          words for a failure; may be NULL
 *
 * Return: 0 or a negative errno.
 */
int image_extract_start(const char *program_dir, int tar_fd, int dest_dir_fd,
                        const char *rename_first, unsigned flags, int *ret_fd,
                        struct coffer_error *err);

/**
 * image_extract_finish() - learn how it went
 * @fd:         from image_extract_start(); borrowed
 * @ret_result: what was copied; may be NULL
 * @err:        words for a failure; may be NULL
 *
 * Context: blocks until the copy has ended.
 *
 * Return: 0 or a negative errno; what was copied before a failure stays.
 */
int image_extract_finish(int fd, struct image_copy_result *ret_result, struct coffer_error *err);

/** image_extract_stream() - both in one call
 * @program_dir:  as image_extract_start()
 * @tar_fd:       likewise
 * @dest_dir_fd:  likewise
 * @rename_first: likewise
 * @flags:        likewise
 * @ret_result:   as image_extract_finish()
 * @err:          words for a failure; may be NULL
 */
int image_extract_stream(const char *program_dir, int tar_fd, int dest_dir_fd,
                         const char *rename_first, unsigned flags,
                         struct image_copy_result *ret_result, struct coffer_error *err);
