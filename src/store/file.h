/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Whole small files below a directory, the way the store writes and reads them. */

#define FILE_SYNC 1u /* on disk, the directory too, before the call returns */
#define FILE_NEW  2u /* nobody has one of this name yet: no detour by a temporary name */

/**
 * file_read() - read a whole small file
 * @dir_fd: the directory
 * @name:   not followed when it is a symlink
 * @data:   gets the bytes and a NUL
 * @size:   of @data
 *
 * Return: how many bytes without the NUL, -EFBIG when there are @size or more, or a negative errno.
 */
ssize_t file_read(int dir_fd, const char *name, char *data, size_t size);

/**
 * file_replace() - write a whole file, so that readers see the old one or the new one
 * @dir_fd: the directory
 * @name:   the file; ".NAME" is used on the way
 * @data:   the bytes
 * @size:   how many
 * @flags:  FILE_*
 *
 * Context: one writer at a time for each name.
 *
 * Return: 0, or a negative errno with the old file in place.
 */
int file_replace(int dir_fd, const char *name, const void *data, size_t size, unsigned flags);
