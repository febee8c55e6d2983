/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp-numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct seccomp_call calls[] = {
#include "syscalls.inc" /* gen-syscalls.c */
};

const struct seccomp_call *seccomp_calls(size_t *ret_count)
{
        *ret_count = ELEMENTS(calls);
        return calls;
}

static int by_name(const void *name, const void *call)
{
        return strcmp(name, ((const struct seccomp_call *)call)->name);
}

int seccomp_number(enum seccomp_arch arch, const char *name)
{
        const struct seccomp_call *call =
                bsearch(name, calls, ELEMENTS(calls), sizeof(calls[0]), by_name);

        if (!call)
                return -EINVAL;
        return call->number[arch] < 0 ? -ENOENT : call->number[arch];
}

int seccomp_highest(enum seccomp_arch arch)
{
        int highest = -1;

        for (size_t i = 0; i < ELEMENTS(calls); i++)
                if (calls[i].number[arch] > highest)
                        highest = calls[i].number[arch];
        return highest;
}
