/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/rlimit.h"

#include <assert.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define RESOURCES 16 /* the kernel has these, and no new one since 2008 */

/* The kernel's struct rlimit64; glibc and musl name theirs differently. */
struct pair {
        uint64_t soft;
        uint64_t hard;
};

static int apply(const struct msg_rlimit *limit, uint32_t *capped)
{
        struct pair have, want = {.soft = limit->soft, .hard = limit->hard};

        if (syscall(SYS_prlimit64, 0, limit->resource, NULL, &have) < 0)
                return -errno;
        if (want.hard > have.hard) {
                want.hard = have.hard;
                *capped |= 1U << limit->resource;
        }
        if (want.soft > want.hard)
                want.soft = want.hard;
        if (syscall(SYS_prlimit64, 0, limit->resource, &want, NULL) < 0)
                return -errno;
        return 0;
}

int rlimit_apply(const struct msg_rlimit *list, size_t count, uint32_t *ret_capped,
                 struct coffer_error *err)
{
        static const struct msg_rlimit no_core = {.resource = RLIMIT_CORE};
        uint32_t capped = 0, seen = 0;
        int r;

        assert(list || count == 0);

        /* From the end: what an earlier row has lowered, a later one could not raise. */
        for (size_t i = count; i-- > 0;) {
                if (list[i].resource >= RESOURCES)
                        return error_set(err, -EINVAL, "set resource limit %u", list[i].resource);
                if (seen & (1U << list[i].resource))
                        continue;
                seen |= 1U << list[i].resource;
                r = apply(&list[i], &capped);
                if (r < 0)
                        return error_set(err, r, "set resource limit %u", list[i].resource);
        }
        if (!(seen & (1U << RLIMIT_CORE))) {
                r = apply(&no_core, &capped);
                if (r < 0)
                        return error_set(err, r, "turn core files off");
        }

        if (ret_capped)
                *ret_capped = capped;
        return 0;
}
