/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/rlimit.h"

#include <errno.h>
#include <sys/resource.h>

#include "sandbox/test-child.h"

#define BIT(resource) (1U << (resource))

static int has(int resource, uint64_t soft, uint64_t hard)
{
        struct rlimit have;

        return getrlimit((__rlimit_resource_t)resource, &have) == 0 && have.rlim_cur == soft &&
               have.rlim_max == hard;
}

static int lowers(void)
{
        static const struct msg_rlimit list[] = {
                {RLIMIT_NOFILE, 50, 60},
                {RLIMIT_NPROC,  70, 80},
                {RLIMIT_NOFILE, 30, 40}, /* wins */
        };
        uint32_t capped = ~0U;

        NEED(rlimit_apply(list, ELEMENTS(list), &capped, NULL) == 0);
        NEED(capped == 0);
        NEED(has(RLIMIT_NOFILE, 30, 40) && has(RLIMIT_NPROC, 70, 80));
        NEED(has(RLIMIT_CORE, 0, 0));
        return 0;
}

TEST(lowers_what_is_asked_and_core)
{
        t_child(lowers);
}

static int never_raises(void)
{
        static const struct msg_rlimit low[] = {
                {RLIMIT_NOFILE, 20, 30}
        };
        static const struct msg_rlimit high[] = {
                {RLIMIT_NOFILE, 25, UINT64_MAX}
        };
        static const struct msg_rlimit higher[] = {
                {RLIMIT_NOFILE, 500, 500}
        };
        uint32_t capped = 0;

        NEED(rlimit_apply(low, 1, &capped, NULL) == 0 && capped == 0);
        NEED(rlimit_apply(high, 1, &capped, NULL) == 0);
        NEED(capped == BIT(RLIMIT_NOFILE) && has(RLIMIT_NOFILE, 25, 30));
        NEED(rlimit_apply(higher, 1, &capped, NULL) == 0);
        NEED(capped == BIT(RLIMIT_NOFILE) && has(RLIMIT_NOFILE, 30, 30));
        return 0;
}

TEST(never_raises_a_hard_limit)
{
        t_child(never_raises);
}

static int core_when_asked(void)
{
        static const struct msg_rlimit list[] = {
                {RLIMIT_CORE, 4096, 4096}
        };

        WANT(has(RLIMIT_CORE, 0, 0) == 0);
        NEED(rlimit_apply(list, 1, NULL, NULL) == 0);
        NEED(has(RLIMIT_CORE, 4096, 4096));
        return 0;
}

TEST(core_files_only_when_asked_for)
{
        t_child(core_when_asked);
}

TEST(an_unknown_resource_is_refused)
{
        static const struct msg_rlimit list[] = {
                {16, 1, 1}
        };
        static const struct msg_rlimit huge[] = {
                {UINT32_MAX, 1, 1}
        };
        struct coffer_error err = {0};

        t_errno(EINVAL, rlimit_apply(list, 1, NULL, &err));
        t_has("resource limit 16", err.msg);
        t_errno(EINVAL, rlimit_apply(huge, 1, NULL, NULL));
}
