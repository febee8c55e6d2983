/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "image/unpack.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

/*
 * What coffer-unpack may call once it reads foreign bytes.  What has no row kills the process: a
 * program that asks for more has been taken over.  Left out on purpose:
 *   execve, clone, fork, ptrace   it is one process and stays this program
 *   socket, connect               it answers over one socket that it was born with
 *   setuid, setns, unshare, …     it has become what it stays
 *   kill                          abort() raises its signal by tgkill
 *   open, creat, mkdir, …         the forms without a directory descriptor
 *   mount, ioctl, prctl           nothing to ask of the kernel but files
 * mmap and mprotect may not make memory executable.
 */
static const uint16_t allowed[] = {
        /* the source and the files */
        SYS_read,
        SYS_write,
        SYS_pread64,
        SYS_pwrite64,
        SYS_lseek,
        SYS_ftruncate,
        SYS_close,
        SYS_fcntl,
        SYS_getdents64,
        SYS_syncfs,
        SYS_fstat,
        SYS_newfstatat,
        SYS_statx,
        /* names beneath a directory descriptor */
        SYS_openat,
        SYS_openat2,
        SYS_mkdirat,
        SYS_mknodat,
        SYS_symlinkat,
        SYS_linkat,
        SYS_unlinkat,
        SYS_renameat2,
        /* attributes */
        SYS_fchown,
        SYS_fchownat,
        SYS_fchmod,
        SYS_fchmodat,
        SYS_utimensat,
        SYS_fsetxattr,
        /* the answer, and whether somebody still waits for it */
        SYS_sendto,
#ifdef SYS_poll
        SYS_poll,
#endif
        SYS_ppoll,
        /* memory and the end */
        SYS_brk,
        SYS_munmap,
        SYS_mremap,
        SYS_madvise,
        SYS_futex,
        SYS_sysinfo, /* qsort(3) asks how much memory it may take */
        SYS_getrandom,
        SYS_clock_gettime,
        SYS_gettid,
        SYS_getpid,
        SYS_tgkill,
        SYS_rt_sigprocmask,
        SYS_rt_sigaction,
        SYS_rt_sigreturn,
        SYS_restart_syscall,
        SYS_exit,
        SYS_exit_group,
};

/* Allowed when the third argument does not ask for executable memory. */
static const uint16_t not_executable[] = {SYS_mmap, SYS_mprotect};

#define PROLOGUE    4
#define PROGRAM_MAX (PROLOGUE + 2 * ELEMENTS(allowed) + 5 * ELEMENTS(not_executable) + 1)

static size_t add(struct sock_filter *program, size_t at, uint16_t code, uint32_t k, uint8_t jt,
                  uint8_t jf)
{
        program[at] = (struct sock_filter){.code = code, .k = k, .jt = jt, .jf = jf};
        return at + 1;
}

static size_t compile(struct sock_filter *p)
{
        const uint16_t load = BPF_LD | BPF_W | BPF_ABS, ret = BPF_RET | BPF_K;
        const uint16_t equal = BPF_JMP | BPF_JEQ | BPF_K;
        size_t n = 0;

        n = add(p, n, load, offsetof(struct seccomp_data, arch), 0, 0);
        n = add(p, n, equal, OUR_ARCH, 1, 0);
        n = add(p, n, ret, SECCOMP_RET_KILL_PROCESS, 0, 0);
        n = add(p, n, load, offsetof(struct seccomp_data, nr), 0, 0);
        for (size_t i = 0; i < ELEMENTS(allowed); i++) {
                n = add(p, n, equal, allowed[i], 0, 1);
                n = add(p, n, ret, SECCOMP_RET_ALLOW, 0, 0);
        }
        for (size_t i = 0; i < ELEMENTS(not_executable); i++) {
                n = add(p, n, equal, not_executable[i], 0, 4);
                n = add(p, n, load, offsetof(struct seccomp_data, args[2]), 0, 0);
                n = add(p, n, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
                n = add(p, n, ret, SECCOMP_RET_ALLOW, 0, 0);
                n = add(p, n, ret, SECCOMP_RET_KILL_PROCESS, 0, 0);
        }
        return add(p, n, ret, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

int unpack_seccomp(void)
{
        struct sock_filter program[PROGRAM_MAX];
        struct sock_fprog prog = {.filter = program};

        prog.len = (unsigned short)compile(program);
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
