/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Removing trees whose names and depth somebody else chose: no symlink is followed, no mount point
 * entered, and the number of descriptors does not grow with the depth.
 */

/** purge_dir() - empty a directory
 * @dir_fd: stays itself; borrowed
 *
 * Return: 0 or a negative errno; the rest is tried all the same.
 */
int purge_dir(int dir_fd);

/** purge_at() - remove one name and all below it; a missing one is fine
 * @dir_fd: where; borrowed
 * @name:   one component
 *
 * Return: 0 or a negative errno.
 */
int purge_at(int dir_fd, const char *name);
