/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Giving up capabilities for good; their names, and which a box keeps, are in spec/caps.h.  Raw
 * system calls, no allocation: all but caps_format() run in a forked child.  Order there:
 * ids_set_groups(), caps_clear_bounding(), caps_lock_securebits(), ids_become(), caps_set(),
 * ids_verify_no_return().
 */

#include <coffer/error.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/caps.h"

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/**
 * caps_format() - the capabilities of a mask for people: "none", "CAP_KILL 63", "all but CAP_CHOWN"
 * @to:   where to; always terminated; ends in "…" when the room does not suffice
 * @size: bytes at @to, at least 8
 * @mask: bits without a name appear as numbers, unless most named ones are set
 */
void caps_format(char *to, size_t size, uint64_t mask);

/** caps_effective() - the calling process' effective set; 0 or a negative errno */
int caps_effective(uint64_t *ret_mask);

/**
 * caps_clear_bounding() - take every capability out of the bounding set but those to keep
 * @keep: what may stay; a bit of it that is already gone is no failure
 * @err:  kind COFFER_ERROR_CONTROL, "bounding-set: …" with the names left and a hint with the cause
 *
 * For each number 0 to 63: dropped, then every one is read back.
 *
 * Return: 0, or -EPERM when a bit is left that should be gone; the process must not go on.
 */
int caps_clear_bounding(uint64_t keep, struct coffer_error *err);

/**
 * caps_lock_securebits() - no keepcaps, no ambient capabilities, and no way to change that
 * @non_root_user: true also takes away the meaning of uid 0 at execve (SECBIT_NOROOT)
 * @err:           kind COFFER_ERROR_CONTROL
 *
 * Needs CAP_SETPCAP, so it comes before ids_become().
 *
 * Return: 0, or a negative errno.
 */
int caps_lock_securebits(bool non_root_user, struct coffer_error *err);

/**
 * caps_set() - permitted and effective become @mask, inheritable and ambient empty; read back
 * @mask: what the process keeps
 * @err:  kind COFFER_ERROR_CONTROL, "capabilities: …" with what could not be had or lost
 *
 * Return: 0, or a negative errno.
 */
int caps_set(uint64_t mask, struct coffer_error *err);
