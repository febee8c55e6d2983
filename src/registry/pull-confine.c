/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "registry/pull.h"
#include "sandbox/caps.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

/* Sanitizers need shadow memory, and for their reports calls that the program never makes. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NOBODY    65534
#define FILES_MAX 64
#define DATA_MAX  ((rlim_t)192 * 1024 * 1024)
#define ALWAYS    SECCOMP_ALWAYS
#define WHOLE     UINT32_MAX

/* Families that reach no registry are answered as if the kernel had not been built with them. */
static const struct seccomp_test inet_tests[] = {
        {0, WHOLE, AF_INET,  false},
        {0, WHOLE, AF_INET6, false},
};
static const struct seccomp_check inet_only = {
        .tests = inet_tests,
        .count = ELEMENTS(inet_tests),
        .deny_errno = EAFNOSUPPORT,
};

/* curl looks names up in threads; a process of its own nobody may make. */
static const struct seccomp_test thread_tests[] = {
        {0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM, false},
};
static const struct seccomp_check threads_only = {
        .tests = thread_tests,
        .count = ELEMENTS(thread_tests),
        .deny_errno = EPERM,
};

static const struct seccomp_test name_tests[] = {
        {0, WHOLE, PR_SET_NAME, false},
};
static const struct seccomp_check name_a_thread = {
        .tests = name_tests,
        .count = ELEMENTS(name_tests),
        .deny_errno = EPERM,
};

static const struct seccomp_test ioctl_tests[] = {
        {1, WHOLE, FIONBIO,  false},
        {1, WHOLE, FIONREAD, false},
};
static const struct seccomp_check of_sockets = {
        .tests = ioctl_tests,
        .count = ELEMENTS(ioctl_tests),
        .deny_errno = ENOTTY,
};

static const struct seccomp_test exec_tests[] = {
        {2, PROT_EXEC, PROT_EXEC, false},
};
static const struct seccomp_check not_executable = {
        .tests = exec_tests,
        .count = ELEMENTS(exec_tests),
        .deny_match = true,
        .deny_errno = EACCES,
};

/*
 * What coffer-pull may call once it speaks to the world; what has no row fails with EPERM.  Left
 * out on purpose:
 *   execve, fork, ptrace    it is one process and stays this program
 *   bind, listen, accept    nobody calls it
 *   sendmsg with others     AF_UNIX sockets cannot be made; the one it has goes to the client
 *   setuid, unshare, mount  it has become what it stays
 *   kill, tkill             abort() raises its signal by tgkill
 *   mkdir, unlink, rename   it has no files; openat() reads the resolver's three
 */
static const struct seccomp_rule rules[] = {
        {"socket",            ALWAYS, &inet_only,      0     },
        {"socketpair",        ALWAYS, NULL,            0     }, /* how a thread wakes curl */
        {"connect",           ALWAYS, NULL,            0     },
        {"getsockname",       ALWAYS, NULL,            0     },
        {"getpeername",       ALWAYS, NULL,            0     },
        {"getsockopt",        ALWAYS, NULL,            0     },
        {"setsockopt",        ALWAYS, NULL,            0     },
        {"shutdown",          ALWAYS, NULL,            0     },
        {"sendto",            ALWAYS, NULL,            0     },
        {"recvfrom",          ALWAYS, NULL,            0     },
        {"sendmsg",           ALWAYS, NULL,            0     },
        {"sendmmsg",          ALWAYS, NULL,            0     },
        {"recvmsg",           ALWAYS, NULL,            0     },
        {"read",              ALWAYS, NULL,            0     },
        {"write",             ALWAYS, NULL,            0     },
        {"readv",             ALWAYS, NULL,            0     },
        {"writev",            ALWAYS, NULL,            0     },
        {"pread64",           ALWAYS, NULL,            0     },
        {"lseek",             ALWAYS, NULL,            0     },
        {"close",             ALWAYS, NULL,            0     },
        {"fcntl",             ALWAYS, NULL,            0     },
        {"ioctl",             ALWAYS, &of_sockets,     0     },
        {"poll",              ALWAYS, NULL,            0     },
        {"ppoll",             ALWAYS, NULL,            0     },
        {"pipe2",             ALWAYS, NULL,            0     },
        {"eventfd2",          ALWAYS, NULL,            0     },
        {"openat",            ALWAYS, NULL,            0     },
        {"fstat",             ALWAYS, NULL,            0     },
        {"newfstatat",        ALWAYS, NULL,            0     },
        {"statx",             ALWAYS, NULL,            0     },
        {"uname",             ALWAYS, NULL,            0     },
        {"clone",             ALWAYS, &threads_only,   0     },
        {"clone3",            ALWAYS, NULL,            ENOSYS}, /* its flags cannot be seen */
        {"set_robust_list",   ALWAYS, NULL,            0     },
        {"rseq",              ALWAYS, NULL,            0     },
        {"prctl",             ALWAYS, &name_a_thread,  0     },
        {"brk",               ALWAYS, NULL,            0     },
        {"mmap",              ALWAYS, &not_executable, 0     },
        {"mprotect",          ALWAYS, &not_executable, 0     },
        {"munmap",            ALWAYS, NULL,            0     },
        {"mremap",            ALWAYS, NULL,            0     },
        {"madvise",           ALWAYS, NULL,            0     },
        {"futex",             ALWAYS, NULL,            0     },
        {"sched_yield",       ALWAYS, NULL,            0     },
        {"sched_getaffinity", ALWAYS, NULL,            0     },
        {"sysinfo",           ALWAYS, NULL,            0     },
        {"getrandom",         ALWAYS, NULL,            0     },
        {"clock_gettime",     ALWAYS, NULL,            0     },
        {"clock_nanosleep",   ALWAYS, NULL,            0     },
        {"gettimeofday",      ALWAYS, NULL,            0     },
        {"time",              ALWAYS, NULL,            0     },
        {"getpid",            ALWAYS, NULL,            0     },
        {"gettid",            ALWAYS, NULL,            0     },
        {"getuid",            ALWAYS, NULL,            0     },
        {"geteuid",           ALWAYS, NULL,            0     },
        {"getgid",            ALWAYS, NULL,            0     },
        {"getegid",           ALWAYS, NULL,            0     },
        {"tgkill",            ALWAYS, NULL,            0     },
        {"rt_sigprocmask",    ALWAYS, NULL,            0     },
        {"rt_sigaction",      ALWAYS, NULL,            0     },
        {"rt_sigreturn",      ALWAYS, NULL,            0     },
        {"restart_syscall",   ALWAYS, NULL,            0     },
        {"exit",              ALWAYS, NULL,            0     },
        {"exit_group",        ALWAYS, NULL,            0     },
};
static const struct seccomp_profile profile = {.rules = rules, .count = ELEMENTS(rules)};

/* What the C library reads for each name it looks up; pull-main.c has it ask files and DNS only. */
static const char *const readable[] = {
        "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
};

static int close_files(struct coffer_error *err)
{
        int r = sys_close_range(PULL_FD_CA, ~0U, 0);

        return r < 0 ? error_set(err, r, "close files") : 0;
}

static int drop_ids_and_caps(struct coffer_error *err)
{
        uint64_t have = 0;
        int r = caps_effective(&have);

        if (r < 0)
                return error_set(err, r, "look at the capabilities");
        /* An ordinary user may not, and has nothing in it that no_new_privs would let through. */
        if (have & CAPS_BIT(CAP_SETPCAP))
                r = caps_clear_bounding(0, err);
        if (r == 0 && have & CAPS_BIT(CAP_SETGID) && setgroups(0, NULL) < 0 && errno != EPERM)
                r = error_set(err, -errno, "leave all groups");
        /* In a user namespace with one id nobody is not there: then it stays who it is. */
        if (r == 0 && geteuid() == 0 && have & CAPS_BIT(CAP_SETUID) &&
            have & CAPS_BIT(CAP_SETGID) && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
                r = error_set(err, -errno, "become nobody");
        return r < 0 ? r : caps_set(0, err);
}

static int no_new_privs(struct coffer_error *err)
{
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(err, -errno, "set no_new_privs");
        return 0;
}

static int lower(int resource, rlim_t max)
{
        struct rlimit old, limit = {.rlim_cur = max, .rlim_max = max};

        if (getrlimit((__rlimit_resource_t)resource, &old) < 0)
                return -errno;
        if (old.rlim_max < max)
                limit.rlim_cur = limit.rlim_max = old.rlim_max;
        return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int limit(struct coffer_error *err)
{
        int r = lower(RLIMIT_CORE, 0);

        if (r == 0)
                r = lower(RLIMIT_FSIZE, 0);
        if (r == 0)
                r = lower(RLIMIT_NOFILE, FILES_MAX);
        if (r == 0 && !SANITIZED)
                r = lower(RLIMIT_DATA, DATA_MAX);
        return r < 0 ? error_set(err, r, "lower resource limits") : 0;
}

static int enter_landlock(struct coffer_error *err)
{
        struct landlock_rule items[ELEMENTS(readable)];
        struct landlock_rules list = {.items = items};
        cleanup_close int ruleset_fd = -EBADF;
        cleanup_close int root_fd = sys_open(AT_FDCWD, "/", O_PATH);
        int r = 0;

        if (root_fd < 0)
                return error_set(err, root_fd, "open '/'");
        for (size_t i = 0; i < ELEMENTS(readable); i++) {
                int fd = sys_open(AT_FDCWD, readable[i], O_PATH);

                if (fd >= 0)
                        items[list.count++] =
                                (struct landlock_rule){.fd = fd, .access = LANDLOCK_READ};
        }
        r = landlock_box_domain(root_fd, &list, &ruleset_fd, err);
        for (size_t i = 0; i < list.count; i++)
                (void)close(items[i].fd);
        return r < 0 ? r : landlock_enforce(ruleset_fd, err);
}

static int not_dumpable(struct coffer_error *err)
{
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? error_set(err, -errno, "become undumpable")
                                                      : 0;
}

static int filter_calls(struct coffer_error *err)
{
        struct buf bpf = BUF_INIT(SECCOMP_BPF_BYTES);
        int r = 0;

        if (!SANITIZED)
                r = seccomp_compile(&profile, 0, SECCOMP_NATIVE, &bpf, err);
        if (r == 0 && !SANITIZED)
                r = seccomp_install(bpf.data, bpf.size, err);
        buf_release(&bpf);
        return r;
}

/* In this order: each needs a right that a later one takes away. */
static int (*const steps[])(struct coffer_error *err) = {
        close_files,    drop_ids_and_caps, no_new_privs, limit,
        enter_landlock, not_dumpable,      filter_calls,
};

int pull_confine(struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                int r = steps[i](err);

                if (r < 0) {
                        (void)error_wrap(err, r, "confine coffer-pull");
                        error_kind(err, COFFER_ERROR_CONTROL);
                        return r;
                }
        }
        return 0;
}
