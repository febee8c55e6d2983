/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Becoming somebody else, in a forked child: raw system calls, no allocation, no NSS; everything
 * set is read back.
 */

#include <coffer/error.h>
#include <stddef.h>
#include <sys/types.h>

#define IDS_GROUPS_MAX 256 /* supplementary groups of one process */

/**
 * enum ids_groups - what became of the supplementary groups
 * @IDS_GROUPS_SET:    exactly what was asked for
 * @IDS_GROUPS_DENIED: the user namespace forbids setgroups(2): the caller's groups are still there
 *                     and still open files; only right under a single-id map, and the posture must
 *                     say so
 */
enum ids_groups { IDS_GROUPS_SET, IDS_GROUPS_DENIED };

/**
 * ids_set_groups() - have exactly these supplementary groups
 * @groups:     in any order, as seen in the current user namespace
 * @count:      0 to IDS_GROUPS_MAX
 * @ret_answer: an answer, not a failure; must be looked at
 * @err:        words for a failure; may be NULL
 *
 * Return: 0, or a negative errno (-EPERM without CAP_SETGID, -EINVAL for an id that is not mapped,
 * -E2BIG above IDS_GROUPS_MAX).
 */
int ids_set_groups(const gid_t *groups, size_t count, enum ids_groups *ret_answer,
                   struct coffer_error *err);

/**
 * ids_become() - set real, effective, saved and file system ids; read all of them back
 * @uid: must be mapped
 * @gid: must be mapped
 * @err: words for a failure; may be NULL
 *
 * Return: 0, or a negative errno.
 */
int ids_become(uid_t uid, gid_t gid, struct coffer_error *err);

/**
 * ids_verify_no_return() - try to become 0 again, and insist on failing
 * @uid: what ids_become() was given; for 0 there is nothing to try
 * @gid: likewise
 * @err: kind COFFER_ERROR_CONTROL
 *
 * Called after caps_set().
 *
 * Return: 0, or -EPERM when the way back is open; the process must not go on.
 */
int ids_verify_no_return(uid_t uid, gid_t gid, struct coffer_error *err);
