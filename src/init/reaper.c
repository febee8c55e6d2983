/* SPDX-License-Identifier: Apache-2.0 */

/*
 * --init: a process with PID 1 that reaps strays and hands on signals, so that a program that
 * was not written to be PID 1 need not be.  It is a process of the box, confined like main.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/sys.h"
#include "init/init.h"

static _Noreturn void serve(pid_t child, const sigset_t *all)
{
        for (;;) {
                siginfo_t info;
                int status;
                pid_t pid;

                if (sigwaitinfo(all, &info) < 0)
                        continue;
                if (info.si_signo != SIGCHLD) {
                        (void)kill(child, info.si_signo);
                        continue;
                }
                while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                        if (pid != child)
                                continue;
                        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
                }
        }
}

int reaper_run(bool tty)
{
        sigset_t all, old;
        pid_t child;

        /* sigfillset(3) leaves out what the C library keeps for itself: in musl 32, 33 and 34. */
        memset(&all, 0xff, sizeof(all));
        (void)sigprocmask(SIG_BLOCK, &all, &old);
        child = fork();
        if (child < 0)
                return -errno;
        if (child > 0) {
                /*
                 * Nothing may stay open here: who reads main's streams waits for their end, and who
                 * waits for main's start waits for the end of the status socket.
                 */
                (void)sys_close_range(0, ~0U, 0);
                serve(child, &all);
        }
        (void)setpgid(0, 0);
        if (tty) {
                pid_t self = getpid();

                (void)ioctl(0, TIOCSPGRP, &self); /* SIGTTOU is blocked here */
        }
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
        return 0;
}
