/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One Landlock domain for a box: nothing outside the box's root can be opened, not even through a
 * directory descriptor that leaked in; no signal and no abstract socket reaches a process outside
 * (ABI 6).  Descriptors that are open already keep working.  Raw system calls, no allocation.
 *
 * A process of the domain cannot mount(2) or move_mount(2) (EPERM); it can make a detached mount
 * by fsopen(2), but not open files in it before somebody outside has attached it beneath the root.
 */

#include <coffer/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * enum landlock_access - what a path rule allows beneath its path
 * @LANDLOCK_READ:  open for reading, list, execute
 * @LANDLOCK_WRITE: everything
 */
enum landlock_access { LANDLOCK_READ, LANDLOCK_WRITE };

struct landlock_rule {
        int fd; /* borrowed: O_PATH of a file or directory */
        enum landlock_access access;
};

struct landlock_rules {
        const struct landlock_rule *items;
        size_t count;
};

/**
 * landlock_abi() - what the kernel offers
 *
 * Return: 1 or more; -ENOSYS when not built in, -EOPNOTSUPP when turned off at boot.
 */
int landlock_abi(void);

/**
 * landlock_box_domain() - make the rule set of a box, handling all that the kernel knows
 * @root_fd:        the box's root directory; O_PATH will do; borrowed
 * @rules:          only these paths instead of everything beneath @root_fd; may be NULL
 * @ret_ruleset_fd: close-on-exec; for landlock_enforce()
 * @err:            kind COFFER_ERROR_CONTROL, "landlock: …"
 *
 * With ABI 1 (before 5.19) a rename or link between directories gives EXDEV in the box.
 *
 * Return: 0, or a negative errno.
 */
int landlock_box_domain(int root_fd, const struct landlock_rules *rules, int *ret_ruleset_fd,
                        struct coffer_error *err);

/**
 * landlock_enforce() - put the calling process and all its children into the domain
 * @ruleset_fd: from landlock_box_domain(); borrowed; close it afterwards
 * @err:        kind COFFER_ERROR_CONTROL
 *
 * The caller has set no_new_privs (-EPERM otherwise).
 *
 * Return: 0, or a negative errno.
 */
int landlock_enforce(int ruleset_fd, struct coffer_error *err);
