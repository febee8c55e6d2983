/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Resource limits, in a forked child: raw system calls, no allocation.  What people write is read
 * by value_ulimit() of spec/value.h, which also knows the names.
 */

#include <coffer/error.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"

/**
 * rlimit_apply() - set limits, never above the hard limit that the process has
 * @list:       RLIMIT_* with UINT64_MAX for no limit; may be NULL when @count is 0; the last one of
 *              a resource wins
 * @count:      how many
 * @ret_capped: bit 1 << resource for each limit that had to be lower than asked; may be NULL
 * @err:        words for a failure; may be NULL
 *
 * RLIMIT_CORE becomes 0 unless the list names it.
 *
 * Return: 0, or a negative errno.
 */
int rlimit_apply(const struct msg_rlimit *list, size_t count, uint32_t *ret_capped,
                 struct coffer_error *err);
