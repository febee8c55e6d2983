/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Paths in a root that an image made: resolved as if that root were "/", so that no symlink leads
 * out of it; in /proc, /sys and /dev no symlink is followed at all.
 */

/** target_resolve() - an O_PATH descriptor of what is there, or a negative errno */
int target_resolve(int root_fd, const char *target);

/**
 * target_open() - the same, after making what is missing
 * @root_fd: the new root
 * @target:  absolute or not: both are beneath @root_fd
 * @is_dir:  what it has to be
 * @mode:    of what is made; missing parents are 0755
 * @ret_fd:  O_PATH
 *
 * Return: 0, -ENOTDIR or -EISDIR when something else is there, or what openat2(2) answers.
 */
int target_open(int root_fd, const char *target, bool is_dir, mode_t mode, int *ret_fd);
