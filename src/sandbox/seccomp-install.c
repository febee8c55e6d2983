/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "sandbox/seccomp.h"

int seccomp_install(const void *bpf, size_t bytes, struct coffer_error *err)
{
        struct sock_fprog program = {
                .len = (unsigned short)(bytes / sizeof(struct sock_filter)),
                .filter = (struct sock_filter *)(uintptr_t)bpf, /* the kernel only reads it */
        };
        int r;

        if (bytes == 0 || bytes % sizeof(struct sock_filter) != 0 || bytes > SECCOMP_BPF_BYTES)
                return error_say(err, -EINVAL, COFFER_ERROR_CONTROL,
                                 "seccomp: %zu bytes are not a filter", bytes);

        /* Without SPEC_ALLOW: on kernels before 5.16 the process also gets SSB mitigated. */
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
                r = error_set(err, -errno, "seccomp: install the filter");
                error_kind(err, COFFER_ERROR_CONTROL);
                if (r == -EINVAL || r == -ENOSYS)
                        error_hint(err, "the kernel needs CONFIG_SECCOMP_FILTER");
                return r;
        }
        return 0;
}
