/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Every system call that has a name, for the compiler and its tests. */

#include <stddef.h>

#include "sandbox/seccomp.h"

#define SECCOMP_NUMBERS_MAX 1024 /* no architecture of ours counts as far */

/**
 * struct seccomp_call - one system call
 * @name:   the kernel's name
 * @number: by enum seccomp_arch; -1 where there is no such call
 */
struct seccomp_call {
        const char *name;
        int number[SECCOMP_ARCH_COUNT];
};

/** seccomp_calls() - all of them, sorted by name */
const struct seccomp_call *seccomp_calls(size_t *ret_count);

/** seccomp_highest() - the highest number with a name */
int seccomp_highest(enum seccomp_arch arch);
