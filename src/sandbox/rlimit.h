/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Resource limits by Docker's names.  rlimit_apply() runs in a forked child: no allocation. */

#include <coffer/error.h>
#include <stddef.h>
#include <stdint.h>

#define RLIMIT_UNLIMITED UINT64_MAX /* the kernel's RLIM64_INFINITY */

/**
 * struct rlimit_setting - one limit
 * @resource: RLIMIT_NOFILE, …
 * @soft:     RLIMIT_UNLIMITED or a number in the resource's own unit
 * @hard:     likewise, not below @soft
 */
struct rlimit_setting {
        uint32_t resource;
        uint64_t soft;
        uint64_t hard;
};

/** rlimit_name() - "nofile" for RLIMIT_NOFILE; NULL for a number without a name */
const char *rlimit_name(uint32_t resource);

/** rlimit_by_name() - from "nofile" or "RLIMIT_NOFILE"; 0 or -EINVAL */
int rlimit_by_name(const char *name, uint32_t *ret_resource);

/**
 * rlimit_parse() - read "nofile=1024:2048", "nofile=1024" or "memlock=-1"
 * @text:        -1 and "unlimited" mean no limit; one number is both soft and hard
 * @ret_setting: what was read
 * @err:         kind COFFER_ERROR_USAGE with a hint; may be NULL
 *
 * Return: 0 or -EINVAL.
 */
int rlimit_parse(const char *text, struct rlimit_setting *ret_setting, struct coffer_error *err);

/**
 * rlimit_apply() - set limits, never above the hard limit that the process has
 * @list:       may be NULL when @count is 0; the last one of a resource wins
 * @count:      how many
 * @ret_capped: bit 1 << resource for each limit that had to be lower than asked; may be NULL
 * @err:        words for a failure; may be NULL
 *
 * RLIMIT_CORE becomes 0 unless the list names it.
 *
 * Return: 0, or a negative errno.
 */
int rlimit_apply(const struct rlimit_setting *list, size_t count, uint32_t *ret_capped,
                 struct coffer_error *err);
