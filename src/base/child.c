/* SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/faultpoint.h"
#include "base/sys.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define STACK_BYTES (16 * 1024)

/* AddressSanitizer takes a stack that it did not see being made for a wild one. */
#define ON_OWN_STACK __attribute__((no_sanitize("address"), noinline))

/*
 * Both processes below run in the caller's memory (CLONE_VM) while the caller is stopped
 * (CLONE_VFORK): a fork of a host program with 512 MB resident costs 12 ms, this costs 20 us.
 * They make system calls only, on stacks of their own within the caller's frame: pages that are
 * there, or are used next, where a mapping costs two faults and a flush.
 */
struct spawn {
        const struct child_spec *spec;
        char *inner_stack; /* top of the program's stack, for the intermediate process */
        int null_fd;
        int error; /* negative errno of whatever stopped execve() */
};

ON_OWN_STACK static int place_fds(const struct spawn *s)
{
        const struct child_spec *spec = s->spec;
        int moved[CHILD_FDS_MAX + 3];
        size_t count = spec->fd_count + 3;

        /* First out of the way of every target, then down to it; dup clears close-on-exec. */
        for (size_t i = 0; i < count; i++) {
                int fd = i < 3 ? spec->stdio[i] : spec->fds[i - 3];

                moved[i] = fcntl(fd < 0 ? s->null_fd : fd, F_DUPFD_CLOEXEC, (int)count);
                if (moved[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < count; i++)
                if (dup2(moved[i], (int)i) < 0)
                        return -errno;
        return sys_close_range((unsigned)count, ~0U, 0);
}

ON_OWN_STACK static int run_program(void *arg)
{
        struct spawn *s = arg;
        int r = FAULT("spawn.program");

        if (r == 0)
                r = place_fds(s);
        if (r == 0) {
                (void)execve(s->spec->path, s->spec->argv, s->spec->envp);
                r = -errno;
        }
        s->error = r;
        _exit(127);
}

ON_OWN_STACK static int run_intermediate(void *arg)
{
        struct spawn *s = arg;

        s->error = FAULT_OF("lib", "spawn.intermediate");
        if (s->error == 0 &&
            clone(run_program, s->inner_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, s) < 0)
                s->error = -errno;
        _exit(0);
}

static int wait_by_pidfd(int pidfd, siginfo_t *info)
{
        int r;

        do
                r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, info, WEXITED | __WALL);
        while (r < 0 && errno == EINTR);

        return r < 0 ? -errno : 0;
}

static int spawn(struct spawn *s, int (*entry)(void *), int flags, int *ret_pidfd)
{
        _Alignas(16) __attribute__((uninitialized)) char stacks[2 * STACK_BYTES];
        sigset_t all, old;
        int pidfd = -EBADF;
        int r = 0;

        s->inner_stack = stacks + sizeof(stacks);

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, &old);
        if (clone(entry, stacks + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | flags, s,
                  &pidfd) < 0)
                r = -errno;
        (void)sigprocmask(SIG_SETMASK, &old, NULL);

        if (r == 0)
                *ret_pidfd = pidfd;
        return r;
}

static int open_null(const struct child_spec *spec, int *ret_fd)
{
        assert(spec->fd_count <= CHILD_FDS_MAX);

        *ret_fd = sys_open(AT_FDCWD, "/dev/null", O_RDWR | O_NOCTTY);
        return *ret_fd < 0 ? *ret_fd : 0;
}

int child_spawn_orphan(const struct child_spec *spec)
{
        cleanup_close int null_fd = -EBADF;
        cleanup_close int pidfd = -EBADF;
        struct spawn s = {.spec = spec};
        siginfo_t info;
        int r;

        r = open_null(spec, &null_fd);
        if (r < 0)
                return r;
        s.null_fd = null_fd;

        r = spawn(&s, run_intermediate, 0, &pidfd);
        if (r < 0)
                return r;
        r = wait_by_pidfd(pidfd, &info);
        return s.error < 0 ? s.error : r;
}

int child_spawn(const struct child_spec *spec, int *ret_pidfd)
{
        cleanup_close int null_fd = -EBADF;
        cleanup_close int pidfd = -EBADF;
        struct spawn s = {.spec = spec};
        int r;

        r = open_null(spec, &null_fd);
        if (r < 0)
                return r;
        s.null_fd = null_fd;

        r = spawn(&s, run_program, SIGCHLD, &pidfd);
        if (r < 0)
                return r;
        if (s.error < 0) {
                (void)child_wait(pidfd);
                return s.error;
        }
        *ret_pidfd = take_fd(&pidfd);
        return 0;
}

int child_wait(int pidfd)
{
        siginfo_t info = {0};
        int r = wait_by_pidfd(pidfd, &info);

        if (r < 0)
                return r;
        return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
