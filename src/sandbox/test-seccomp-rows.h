/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the rows of a profile say of a call, read without the compiler: for the test that runs the
 * compiled filter by hand (test-seccomp.c) and the one that makes the calls in a box
 * (tests/matrix/).
 */

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "base/str.h"
#include "sandbox/seccomp-numbers.h"

#define X32           0x40000000U
#define NUMBERS_TRIED 600

static const uint32_t audit_arch[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64};

/* The row that decides on a call, NULL when none does. */
static const struct seccomp_rule *row_of(const struct seccomp_profile *profile, uint64_t caps,
                                         enum seccomp_arch arch, uint32_t nr)
{
        for (size_t i = profile->count; i-- > 0;) {
                const struct seccomp_rule *rule = &profile->rules[i];

                if ((rule->needs_cap == SECCOMP_ALWAYS || (caps >> rule->needs_cap & 1)) &&
                    (uint32_t)seccomp_number(arch, rule->name) == nr)
                        return rule;
        }
        return profile->base ? row_of(profile->base, caps, arch, nr) : NULL;
}

static bool any_alternative(const struct seccomp_check *check, const struct seccomp_data *data)
{
        for (size_t i = 0; i < check->count; i++) {
                bool holds = true;

                for (;; i++) {
                        const struct seccomp_test *t = &check->tests[i];

                        holds &= ((uint32_t)data->args[t->arg] & t->mask) == t->value;
                        if (!t->also)
                                break;
                }
                if (holds)
                        return true;
        }
        return false;
}

static uint32_t expected(const struct seccomp_profile *profile, uint64_t caps,
                         enum seccomp_arch arch, const struct seccomp_data *data)
{
        uint32_t nr = (uint32_t)data->nr;
        const struct seccomp_rule *rule;

        if (data->arch != audit_arch[arch])
                return SECCOMP_RET_KILL_PROCESS;
        if (arch == SECCOMP_X86_64 && nr >= X32 && nr != UINT32_MAX)
                return SECCOMP_RET_KILL_PROCESS;
        if (nr > (uint32_t)seccomp_highest(arch))
                return SECCOMP_RET_ERRNO | ENOSYS;
        rule = row_of(profile, caps, arch, nr);
        if (!rule)
                return SECCOMP_RET_ERRNO | EPERM;
        if (rule->fail_errno)
                return SECCOMP_RET_ERRNO | rule->fail_errno;
        if (!rule->check || any_alternative(rule->check, data) != rule->check->deny_match)
                return SECCOMP_RET_ALLOW;
        return SECCOMP_RET_ERRNO | rule->check->deny_errno;
}

/* Values that some check looks for, and their neighbours. */
static const uint64_t argument_values[] = {
        0,           1,
        2,           3,
        8,           10,
        16,          17,
        40,          0x5412,
        0x5413,      0x541c,
        0x5423,      0x10000000,
        0x02000000,  0x7e020000,
        0x01200011,  0x00040000,
        0x00060008,  0x0400000,
        0x20000,     0x20008,
        0xffffffff,  0xfffffffff,
        0x100005412, 0x8000000000000001,
        UINT64_MAX,  35,
        62,          0x10000003e,
};

typedef void visit(const struct seccomp_data *data, void *arg);

/* Each number with arguments that matter; the high halves must make no difference. */
static void for_each_call(enum seccomp_arch arch, visit *fn, void *arg)
{
        static const uint32_t odd[] = {NUMBERS_TRIED, 1000,      X32 - 1,    X32,
                                       X32 + 39,      X32 + 521, 0x7fffffff, 0x80000000,
                                       0xfffffffe,    0xffffffff};

        for (uint32_t n = 0; n < NUMBERS_TRIED + ELEMENTS(odd); n++)
                for (size_t v = 0; v < ELEMENTS(argument_values); v++) {
                        uint64_t value = argument_values[v];
                        struct seccomp_data data = {
                                .nr = (int)(n < NUMBERS_TRIED ? n : odd[n - NUMBERS_TRIED]),
                                .arch = audit_arch[arch],
                                .args = {value, value,
                                         argument_values[(v * 7 + n) % ELEMENTS(argument_values)],
                                         value, value, value},
                        };

                        fn(&data, arg);
                }
}
