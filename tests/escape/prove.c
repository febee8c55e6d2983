/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The place where an attempt succeeds: namespaces of its own with every capability in them, no
 * filter, no masks.  Root needs no user namespace for that and so reaches the host's devices and
 * sysctls too; anyone else is root of a user namespace.
 */

#include "attack.h"

#include <base/cleanup.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

static int write_file(const char *path, const char *text)
{
        cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return -errno;
        return 0;
}

static int become_root_of_userns(void)
{
        char map[64];
        uid_t uid = geteuid();
        gid_t gid = getegid();
        int r;

        if (uid == 0)
                return 0;
        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;

        (void)write_file("/proc/self/setgroups", "deny");
        (void)snprintf(map, sizeof(map), "0 %u 1", uid);
        r = write_file("/proc/self/uid_map", map);
        if (r < 0)
                return r;
        (void)snprintf(map, sizeof(map), "0 %u 1", gid);
        return write_file("/proc/self/gid_map", map);
}

static int enter_fresh(void)
{
        int r = become_root_of_userns();

        if (r < 0)
                return r;
        if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                    CLONE_NEWCGROUP) < 0)
                return -errno;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        return 0;
}

/* The first process of the new PID namespace: whatever the attempt leaves behind dies with it. */
static void fresh_main(struct attempt *a, int out_fd)
{
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
                a->code = attempt_say(a, NOTHING, "mounting /proc: %s", ending_name(-errno));
        else if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") < 0)
                a->code = attempt_say(a, NOTHING, "mounting /tmp: %s", ending_name(-errno));
        else
                attempt_make(a, true);

        _exit(write(out_fd, a, sizeof(*a)) == (ssize_t)sizeof(*a) ? 0 : 1);
}

static void fresh_parent(struct attempt *a, int out_fd)
{
        int status = 0;
        int r = enter_fresh();
        pid_t pid = -1;

        if (r == 0)
                pid = fork();
        if (pid == 0)
                fresh_main(a, out_fd);
        if (pid > 0) {
                (void)waitpid(pid, &status, 0);
                _exit(0);
        }

        a->code = attempt_say(a, NOTHING, "namespaces: %s", ending_name(r < 0 ? r : -errno));
        _exit(write(out_fd, a, sizeof(*a)) == (ssize_t)sizeof(*a) ? 0 : 1);
}

static void prove_fresh(struct attempt *a)
{
        cleanup_close int in_fd = -EBADF;
        struct attempt got;
        int status = 0;
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return;
        in_fd = fds[0];

        (void)fflush(NULL);
        pid = fork();
        if (pid == 0)
                fresh_parent(a, fds[1]);
        (void)close(fds[1]);
        if (pid < 0)
                return;

        if (read(in_fd, &got, sizeof(got)) == (ssize_t)sizeof(got))
                *a = got;
        else
                a->code = attempt_say(a, DIED, "the throw-away namespaces said nothing");
        (void)waitpid(pid, &status, 0);
}

void attempt_prove(struct attempt *a)
{
        a->code = attempt_say(a, NOTHING, "no process could be made");
        switch (a->attack->setting) {
        case PLAIN:
                attempt_make(a, true);
                break;
        case FRESH:
                prove_fresh(a);
                break;
        case BY_THE_HOST:
                (void)attempt_say(a, NOTHING, "tests/escape/run tries it from outside");
                break;
        }
}

int copy_self(const char *path, mode_t mode)
{
        cleanup_close int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        cleanup_close int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        char block[65536];
        ssize_t n = -1;

        if (from < 0 || to < 0)
                return -errno;
        while ((n = read(from, block, sizeof(block))) > 0)
                if (write(to, block, (size_t)n) != n)
                        return -EIO;
        if (n < 0 || fchmod(to, mode) < 0)
                return -errno;
        return 0;
}

/* Waits until the child has either become what it should be or failed: the pipe's end closes. */
static pid_t hold_ready(pid_t pid, int fds[2])
{
        char failed;
        ssize_t n;

        (void)close(fds[1]);
        n = read(fds[0], &failed, 1);
        (void)close(fds[0]);
        return n == 0 ? pid : -ECHILD;
}

pid_t hold_start(const char *path, const char *argv0)
{
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                char *argv[] = {(char *)argv0, (char *)"hold", NULL};
                char *envp[] = {NULL};

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)execve(path, argv, envp);
                (void)!write(fds[1], "x", 1);
                _exit(127);
        }
        return hold_ready(pid, fds);
}

pid_t hold_fork(const char *comm)
{
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)prctl(PR_SET_NAME, comm);
                (void)close(fds[1]);
                for (;;)
                        (void)pause();
        }
        return hold_ready(pid, fds);
}
