/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>

#include "base/str.h"
#include "sandbox/seccomp.h"

#define ALWAYS SECCOMP_ALWAYS
#define WHOLE  UINT32_MAX

/* Numbers of the kernel's interface; not every C library's headers have all of them. */
#define NEW_USER             0x10000000U
#define NEW_ANY              0x7e020000U /* mount, cgroup, uts, ipc, user, pid, net; time is not clone(2)'s */
#define TTY_PUSH_INPUT       0x5412U /* TIOCSTI */
#define TTY_CONSOLE          0x541cU /* TIOCLINUX */
#define TTY_LINE_DISCIPLINE  0x5423U /* TIOCSETD */
#define PERSONALITY_QUERY    UINT32_MAX
#define PERSONALITY_HARMLESS 0x00060008U /* PER_LINUX32, UNAME26, ADDR_NO_RANDOMIZE */
#define PRCTL_MEMORY_MAP     35U         /* PR_SET_MM */
#define PRCTL_CORE           62U         /* PR_SCHED_CORE */

/*
 * Families that stay within the box's own namespaces.  Others are answered as if the kernel had
 * not been built with them, since programs cope with that: useradd gives up on any other answer
 * for NETLINK_AUDIT.  Left out on purpose:
 *   AF_VSOCK       is not bound to a network namespace and reaches the hypervisor
 *   AF_PACKET      reads and forges frames, past the door
 *   AF_ALG and the rest, netlink but for routes: code that no box needs, with a history of escapes
 */
static const struct seccomp_test socket_tests[] = {
        {0, WHOLE, AF_UNIX,    false},
        {0, WHOLE, AF_INET,    false},
        {0, WHOLE, AF_INET6,   false},
        {0, WHOLE, AF_NETLINK, true },
        {2, WHOLE, 0,          false}, /* NETLINK_ROUTE */
};
static const struct seccomp_check own_sockets = {
        .tests = socket_tests,
        .count = ELEMENTS(socket_tests),
        .deny_errno = EAFNOSUPPORT,
};

/* Namespaces are made by who may; user namespaces by nobody: each opens new kernel code to root. */
static const struct seccomp_test no_namespace_tests[] = {
        {0, NEW_ANY, 0, false}
};
static const struct seccomp_check no_namespace = {
        .tests = no_namespace_tests,
        .count = ELEMENTS(no_namespace_tests),
        .deny_errno = EPERM,
};
static const struct seccomp_test no_userns_tests[] = {
        {0, NEW_USER, 0, false}
};
static const struct seccomp_check no_userns = {
        .tests = no_userns_tests,
        .count = ELEMENTS(no_userns_tests),
        .deny_errno = EPERM,
};

/* Typing on the terminal for who reads it next; line disciplines are drivers nobody looks after. */
static const struct seccomp_test tty_tests[] = {
        {1, WHOLE, TTY_PUSH_INPUT,      false},
        {1, WHOLE, TTY_CONSOLE,         false},
        {1, WHOLE, TTY_LINE_DISCIPLINE, false},
};
static const struct seccomp_check no_tty_tricks = {
        .tests = tty_tests,
        .count = ELEMENTS(tty_tests),
        .deny_match = true,
        .deny_errno = EPERM,
};

/* gdb turns address randomisation off; READ_IMPLIES_EXEC and foreign ABIs stay out. */
static const struct seccomp_test personality_tests[] = {
        {0, WHOLE,                 PERSONALITY_QUERY, false},
        {0, ~PERSONALITY_HARMLESS, 0,                 false},
};
static const struct seccomp_check harmless_personality = {
        .tests = personality_tests,
        .count = ELEMENTS(personality_tests),
        .deny_errno = EPERM,
};

/*
 * Moving the marks of its own memory map is for checkpoints, and hides what the host reads in
 * /proc/PID; core scheduling keeps the other threads of a processor idle, the neighbours' too.
 */
static const struct seccomp_test prctl_tests[] = {
        {0, WHOLE, PRCTL_MEMORY_MAP, false},
        {0, WHOLE, PRCTL_CORE,       false},
};
static const struct seccomp_check no_map_or_core = {
        .tests = prctl_tests,
        .count = ELEMENTS(prctl_tests),
        .deny_match = true,
        .deny_errno = EPERM,
};

/*
 * What a boxed process may call.  A row allows; what has no row fails with EPERM.  Rows with a
 * capability count only for boxes that keep it, over their own user namespace.
 *
 * uretprobe and uprobe are trampolines of the kernel's, which since 6.14 it shows to no filter.
 *
 * Left out on purpose:
 *   io_uring_*             opens and sends past this filter (its SOCKET operation, for one)
 *   add_key, request_key, keyctl
 *                          the keyring has no namespace
 *   bpf, perf_event_open   reach kernel code with a history of escapes
 *   userfaultfd            holds the kernel still in mid-copy: turns races into exploits
 *   open_by_handle_at      walks past the mount namespace
 *   unshare, setns, mount and its kin without CAP_SYS_ADMIN
 *                          new namespaces are new kernel surface
 *   pivot_root             the root is what confines
 *   clone3                 flags behind a pointer; ENOSYS, so that libc uses clone
 *   syslog                 the kernel's log has no namespace
 *   modify_ldt             16-bit segments, a source of escapes
 *   *_module, kexec_*, swap*, acct, quotactl*, settimeofday, clock_settime, iopl, ioperm,
 *   lookup_dcookie         belong to the host alone
 *   move_pages, migrate_pages
 *                          place another process' memory
 *   lsm_*                  names of the host's policy
 *   sysfs, ustat, uselib, _sysctl, nfsservctl and other relics
 */
static const struct seccomp_rule plain_rules[] = {
        {"read",                    ALWAYS            },
        {"write",                   ALWAYS            },
        {"readv",                   ALWAYS            },
        {"writev",                  ALWAYS            },
        {"pread64",                 ALWAYS            },
        {"pwrite64",                ALWAYS            },
        {"preadv",                  ALWAYS            },
        {"pwritev",                 ALWAYS            },
        {"preadv2",                 ALWAYS            },
        {"pwritev2",                ALWAYS            },
        {"open",                    ALWAYS            },
        {"openat",                  ALWAYS            },
        {"openat2",                 ALWAYS            },
        {"creat",                   ALWAYS            },
        {"close",                   ALWAYS            },
        {"close_range",             ALWAYS            },
        {"dup",                     ALWAYS            },
        {"dup2",                    ALWAYS            },
        {"dup3",                    ALWAYS            },
        {"lseek",                   ALWAYS            },
        {"stat",                    ALWAYS            },
        {"fstat",                   ALWAYS            },
        {"lstat",                   ALWAYS            },
        {"newfstatat",              ALWAYS            },
        {"statx",                   ALWAYS            },
        {"statfs",                  ALWAYS            },
        {"fstatfs",                 ALWAYS            },
        {"statmount",               ALWAYS            },
        {"listmount",               ALWAYS            },
        {"access",                  ALWAYS            },
        {"faccessat",               ALWAYS            },
        {"faccessat2",              ALWAYS            },
        {"readlink",                ALWAYS            },
        {"readlinkat",              ALWAYS            },
        {"getcwd",                  ALWAYS            },
        {"chdir",                   ALWAYS            },
        {"fchdir",                  ALWAYS            },
        {"getdents",                ALWAYS            },
        {"getdents64",              ALWAYS            },
        {"mkdir",                   ALWAYS            },
        {"mkdirat",                 ALWAYS            },
        {"rmdir",                   ALWAYS            },
        {"mknod",                   ALWAYS            },
        {"mknodat",                 ALWAYS            },
        {"link",                    ALWAYS            },
        {"linkat",                  ALWAYS            },
        {"symlink",                 ALWAYS            },
        {"symlinkat",               ALWAYS            },
        {"unlink",                  ALWAYS            },
        {"unlinkat",                ALWAYS            },
        {"rename",                  ALWAYS            },
        {"renameat",                ALWAYS            },
        {"renameat2",               ALWAYS            },
        {"chmod",                   ALWAYS            },
        {"fchmod",                  ALWAYS            },
        {"fchmodat",                ALWAYS            },
        {"fchmodat2",               ALWAYS            },
        {"chown",                   ALWAYS            },
        {"fchown",                  ALWAYS            },
        {"lchown",                  ALWAYS            },
        {"fchownat",                ALWAYS            },
        {"umask",                   ALWAYS            },
        {"utime",                   ALWAYS            },
        {"utimes",                  ALWAYS            },
        {"utimensat",               ALWAYS            },
        {"futimesat",               ALWAYS            },
        {"truncate",                ALWAYS            },
        {"ftruncate",               ALWAYS            },
        {"fallocate",               ALWAYS            },
        {"fcntl",                   ALWAYS            },
        {"flock",                   ALWAYS            },
        {"fsync",                   ALWAYS            },
        {"fdatasync",               ALWAYS            },
        {"sync",                    ALWAYS            },
        {"syncfs",                  ALWAYS            },
        {"sync_file_range",         ALWAYS            },
        {"fadvise64",               ALWAYS            },
        {"readahead",               ALWAYS            },
        {"cachestat",               ALWAYS            },
        {"copy_file_range",         ALWAYS            },
        {"sendfile",                ALWAYS            },
        {"splice",                  ALWAYS            },
        {"tee",                     ALWAYS            },
        {"vmsplice",                ALWAYS            },
        {"setxattr",                ALWAYS            },
        {"lsetxattr",               ALWAYS            },
        {"fsetxattr",               ALWAYS            },
        {"setxattrat",              ALWAYS            },
        {"getxattr",                ALWAYS            },
        {"lgetxattr",               ALWAYS            },
        {"fgetxattr",               ALWAYS            },
        {"getxattrat",              ALWAYS            },
        {"listxattr",               ALWAYS            },
        {"llistxattr",              ALWAYS            },
        {"flistxattr",              ALWAYS            },
        {"listxattrat",             ALWAYS            },
        {"removexattr",             ALWAYS            },
        {"lremovexattr",            ALWAYS            },
        {"fremovexattr",            ALWAYS            },
        {"removexattrat",           ALWAYS            },
        {"file_getattr",            ALWAYS            },
        {"file_setattr",            ALWAYS            },
        {"name_to_handle_at",       ALWAYS            },
        {"inotify_init",            ALWAYS            },
        {"inotify_init1",           ALWAYS            },
        {"inotify_add_watch",       ALWAYS            },
        {"inotify_rm_watch",        ALWAYS            },
        {"io_setup",                ALWAYS            },
        {"io_destroy",              ALWAYS            },
        {"io_submit",               ALWAYS            },
        {"io_cancel",               ALWAYS            },
        {"io_getevents",            ALWAYS            },
        {"io_pgetevents",           ALWAYS            },
        {"pipe",                    ALWAYS            },
        {"pipe2",                   ALWAYS            },
        {"poll",                    ALWAYS            },
        {"ppoll",                   ALWAYS            },
        {"select",                  ALWAYS            },
        {"pselect6",                ALWAYS            },
        {"epoll_create",            ALWAYS            },
        {"epoll_create1",           ALWAYS            },
        {"epoll_ctl",               ALWAYS            },
        {"epoll_ctl_old",           ALWAYS            },
        {"epoll_wait",              ALWAYS            },
        {"epoll_wait_old",          ALWAYS            },
        {"epoll_pwait",             ALWAYS            },
        {"epoll_pwait2",            ALWAYS            },
        {"eventfd",                 ALWAYS            },
        {"eventfd2",                ALWAYS            },
        {"signalfd",                ALWAYS            },
        {"signalfd4",               ALWAYS            },
        {"timerfd_create",          ALWAYS            },
        {"timerfd_settime",         ALWAYS            },
        {"timerfd_gettime",         ALWAYS            },
        {"futex",                   ALWAYS            },
        {"futex_wait",              ALWAYS            },
        {"futex_wake",              ALWAYS            },
        {"futex_waitv",             ALWAYS            },
        {"futex_requeue",           ALWAYS            },
        {"set_robust_list",         ALWAYS            },
        {"get_robust_list",         ALWAYS            },
        {"nanosleep",               ALWAYS            },
        {"clock_nanosleep",         ALWAYS            },
        {"pause",                   ALWAYS            },
        {"alarm",                   ALWAYS            },
        {"getitimer",               ALWAYS            },
        {"setitimer",               ALWAYS            },
        {"timer_create",            ALWAYS            },
        {"timer_settime",           ALWAYS            },
        {"timer_gettime",           ALWAYS            },
        {"timer_getoverrun",        ALWAYS            },
        {"timer_delete",            ALWAYS            },
        {"time",                    ALWAYS            },
        {"gettimeofday",            ALWAYS            },
        {"clock_gettime",           ALWAYS            },
        {"clock_getres",            ALWAYS            },
        {"clock_adjtime",           ALWAYS            },
        {"adjtimex",                ALWAYS            },
        {"times",                   ALWAYS            },
        {"brk",                     ALWAYS            },
        {"mmap",                    ALWAYS            },
        {"munmap",                  ALWAYS            },
        {"mremap",                  ALWAYS            },
        {"mprotect",                ALWAYS            },
        {"madvise",                 ALWAYS            },
        {"process_madvise",         ALWAYS            },
        {"mincore",                 ALWAYS            },
        {"msync",                   ALWAYS            },
        {"remap_file_pages",        ALWAYS            },
        {"mlock",                   ALWAYS            },
        {"mlock2",                  ALWAYS            },
        {"munlock",                 ALWAYS            },
        {"mlockall",                ALWAYS            },
        {"munlockall",              ALWAYS            },
        {"mseal",                   ALWAYS            },
        {"membarrier",              ALWAYS            },
        {"memfd_create",            ALWAYS            },
        {"memfd_secret",            ALWAYS            },
        {"pkey_alloc",              ALWAYS            },
        {"pkey_free",               ALWAYS            },
        {"pkey_mprotect",           ALWAYS            },
        {"map_shadow_stack",        ALWAYS            },
        {"shmget",                  ALWAYS            },
        {"shmat",                   ALWAYS            },
        {"shmctl",                  ALWAYS            },
        {"shmdt",                   ALWAYS            },
        {"semget",                  ALWAYS            },
        {"semop",                   ALWAYS            },
        {"semtimedop",              ALWAYS            },
        {"semctl",                  ALWAYS            },
        {"msgget",                  ALWAYS            },
        {"msgsnd",                  ALWAYS            },
        {"msgrcv",                  ALWAYS            },
        {"msgctl",                  ALWAYS            },
        {"mq_open",                 ALWAYS            },
        {"mq_unlink",               ALWAYS            },
        {"mq_timedsend",            ALWAYS            },
        {"mq_timedreceive",         ALWAYS            },
        {"mq_notify",               ALWAYS            },
        {"mq_getsetattr",           ALWAYS            },
        {"fork",                    ALWAYS            },
        {"vfork",                   ALWAYS            },
        {"execve",                  ALWAYS            },
        {"execveat",                ALWAYS            },
        {"exit",                    ALWAYS            },
        {"exit_group",              ALWAYS            },
        {"wait4",                   ALWAYS            },
        {"waitid",                  ALWAYS            },
        {"getpid",                  ALWAYS            },
        {"getppid",                 ALWAYS            },
        {"gettid",                  ALWAYS            },
        {"getpgid",                 ALWAYS            },
        {"getpgrp",                 ALWAYS            },
        {"getsid",                  ALWAYS            },
        {"setpgid",                 ALWAYS            },
        {"setsid",                  ALWAYS            },
        {"set_tid_address",         ALWAYS            },
        {"kill",                    ALWAYS            },
        {"tkill",                   ALWAYS            },
        {"tgkill",                  ALWAYS            },
        {"rt_sigaction",            ALWAYS            },
        {"rt_sigprocmask",          ALWAYS            },
        {"rt_sigpending",           ALWAYS            },
        {"rt_sigsuspend",           ALWAYS            },
        {"rt_sigtimedwait",         ALWAYS            },
        {"rt_sigqueueinfo",         ALWAYS            },
        {"rt_tgsigqueueinfo",       ALWAYS            },
        {"rt_sigreturn",            ALWAYS            },
        {"sigaltstack",             ALWAYS            },
        {"restart_syscall",         ALWAYS            },
        {"pidfd_open",              ALWAYS            },
        {"pidfd_send_signal",       ALWAYS            },
        {"pidfd_getfd",             ALWAYS            },
        {"process_mrelease",        ALWAYS            },
        {"ptrace",                  ALWAYS            },
        {"process_vm_readv",        ALWAYS            },
        {"process_vm_writev",       ALWAYS            },
        {"uretprobe",               ALWAYS            },
        {"uprobe",                  ALWAYS            },
        {"sched_yield",             ALWAYS            },
        {"sched_getaffinity",       ALWAYS            },
        {"sched_setaffinity",       ALWAYS            },
        {"sched_getparam",          ALWAYS            },
        {"sched_setparam",          ALWAYS            },
        {"sched_getscheduler",      ALWAYS            },
        {"sched_setscheduler",      ALWAYS            },
        {"sched_getattr",           ALWAYS            },
        {"sched_setattr",           ALWAYS            },
        {"sched_get_priority_max",  ALWAYS            },
        {"sched_get_priority_min",  ALWAYS            },
        {"sched_rr_get_interval",   ALWAYS            },
        {"getpriority",             ALWAYS            },
        {"setpriority",             ALWAYS            },
        {"ioprio_get",              ALWAYS            },
        {"ioprio_set",              ALWAYS            },
        {"getrlimit",               ALWAYS            },
        {"setrlimit",               ALWAYS            },
        {"prlimit64",               ALWAYS            },
        {"getrusage",               ALWAYS            },
        {"sysinfo",                 ALWAYS            },
        {"uname",                   ALWAYS            },
        {"getcpu",                  ALWAYS            },
        {"getrandom",               ALWAYS            },
        {"arch_prctl",              ALWAYS            },
        {"set_thread_area",         ALWAYS            },
        {"get_thread_area",         ALWAYS            },
        {"rseq",                    ALWAYS            },
        {"seccomp",                 ALWAYS            },
        {"landlock_create_ruleset", ALWAYS            },
        {"landlock_add_rule",       ALWAYS            },
        {"landlock_restrict_self",  ALWAYS            },
        {"getuid",                  ALWAYS            },
        {"geteuid",                 ALWAYS            },
        {"getgid",                  ALWAYS            },
        {"getegid",                 ALWAYS            },
        {"getresuid",               ALWAYS            },
        {"getresgid",               ALWAYS            },
        {"getgroups",               ALWAYS            },
        {"setuid",                  ALWAYS            },
        {"setgid",                  ALWAYS            },
        {"setreuid",                ALWAYS            },
        {"setregid",                ALWAYS            },
        {"setresuid",               ALWAYS            },
        {"setresgid",               ALWAYS            },
        {"setfsuid",                ALWAYS            },
        {"setfsgid",                ALWAYS            },
        {"setgroups",               ALWAYS            },
        {"capget",                  ALWAYS            },
        {"capset",                  ALWAYS            },
        {"bind",                    ALWAYS            },
        {"listen",                  ALWAYS            },
        {"accept",                  ALWAYS            },
        {"accept4",                 ALWAYS            },
        {"connect",                 ALWAYS            },
        {"getsockname",             ALWAYS            },
        {"getpeername",             ALWAYS            },
        {"getsockopt",              ALWAYS            },
        {"setsockopt",              ALWAYS            },
        {"shutdown",                ALWAYS            },
        {"sendto",                  ALWAYS            },
        {"sendmsg",                 ALWAYS            },
        {"sendmmsg",                ALWAYS            },
        {"recvfrom",                ALWAYS            },
        {"recvmsg",                 ALWAYS            },
        {"recvmmsg",                ALWAYS            },
        {"mount",                   CAP_SYS_ADMIN     },
        {"umount2",                 CAP_SYS_ADMIN     },
        {"fsopen",                  CAP_SYS_ADMIN     },
        {"fsconfig",                CAP_SYS_ADMIN     },
        {"fsmount",                 CAP_SYS_ADMIN     },
        {"fspick",                  CAP_SYS_ADMIN     },
        {"move_mount",              CAP_SYS_ADMIN     },
        {"open_tree",               CAP_SYS_ADMIN     },
        {"open_tree_attr",          CAP_SYS_ADMIN     },
        {"mount_setattr",           CAP_SYS_ADMIN     },
        {"setns",                   CAP_SYS_ADMIN     },
        {"sethostname",             CAP_SYS_ADMIN     },
        {"setdomainname",           CAP_SYS_ADMIN     },
        {"fanotify_init",           CAP_SYS_ADMIN     },
        {"fanotify_mark",           CAP_SYS_ADMIN     },
        {"chroot",                  CAP_SYS_CHROOT    },
        {"kcmp",                    CAP_SYS_PTRACE    },
        {"reboot",                  CAP_SYS_BOOT      },
        {"vhangup",                 CAP_SYS_TTY_CONFIG},
        {"get_mempolicy",           CAP_SYS_NICE      },
        {"set_mempolicy",           CAP_SYS_NICE      },
        {"set_mempolicy_home_node", CAP_SYS_NICE      },
        {"mbind",                   CAP_SYS_NICE      },
};

/* Judged by their arguments. */
static const struct seccomp_rule checked_rules[] = {
        {"socket",      ALWAYS,        &own_sockets,          0     },
        {"socketpair",  ALWAYS,        &own_sockets,          0     },
        {"clone",       ALWAYS,        &no_namespace,         0     },
        {"clone",       CAP_SYS_ADMIN, &no_userns,            0     },
        {"clone3",      ALWAYS,        NULL,                  ENOSYS},
        {"unshare",     CAP_SYS_ADMIN, &no_userns,            0     },
        {"ioctl",       ALWAYS,        &no_tty_tricks,        0     },
        {"personality", ALWAYS,        &harmless_personality, 0     },
        {"prctl",       ALWAYS,        &no_map_or_core,       0     },
};

static const struct seccomp_profile plain = {.rules = plain_rules, .count = ELEMENTS(plain_rules)};

const struct seccomp_profile seccomp_workload = {
        .base = &plain,
        .rules = checked_rules,
        .count = ELEMENTS(checked_rules),
};
