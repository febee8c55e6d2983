/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where control groups are on this host, and reading and writing their files; for cgroup*.c. */

#include <stddef.h>
#include <stdint.h>

#include "sandbox/cgroup.h"

#define CGROUP_V1_ROOT     "/sys/fs/cgroup"
#define CGROUP_PARENTS_MAX 2

/** cgroup_find_v2() - the v2 part of cgroup_probe() without the controllers, which a box without
 * limits needs to know nothing of */
void cgroup_find_v2(struct cgroup_host *ret_host);

/** cgroup_controller_name() - "memory" */
const char *cgroup_controller_name(enum cgroup_controller controller);

/**
 * cgroup_parents() - directories of the v2 tree that box directories may be in, best first
 * @to: below the tree's root
 *
 * Return: how many, or a negative errno.
 */
int cgroup_parents(char (*to)[CGROUP_PATH_MAX]);

/** cgroup_open_v2_dir() - a directory of the v2 tree, by its path below the root */
int cgroup_open_v2_dir(const char *root, const char *path);

/** cgroup_open_v1_root() - the root of a controller's v1 hierarchy; -ENOENT when it has none */
int cgroup_open_v1_root(enum cgroup_controller controller);

/** cgroup_write() - a file of a directory; one write(2), as the kernel wants it */
int cgroup_write(int dir_fd, const char *name, const char *value);
/** cgroup_read() - the first bytes of a file, terminated, without the last newline */
int cgroup_read(int dir_fd, const char *name, char *to, size_t size);
/** cgroup_read_number() - a file's number, or that of the line "key number" when @key is given */
int cgroup_read_number(int dir_fd, const char *name, const char *key, uint64_t *ret_value);
/** cgroup_find_key() - the number in the line "key number" of @text; -ENODATA when absent */
int cgroup_find_key(const char *text, const char *key, uint64_t *ret_value);
/** cgroup_has_word() - @word is one of @text's words */
bool cgroup_has_word(const char *text, const char *word);

/** cgroup_refuse_freeze() - the words for a box that nothing can freeze; -EOPNOTSUPP */
int cgroup_refuse_freeze(struct coffer_error *err);
