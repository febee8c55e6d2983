/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Starting programs.  Two forms: an orphan, for a library that must not leave a child in its host
 * program, and a child, for our own processes that wait for what they start.
 */

#define CHILD_FIRST_FD 3
#define CHILD_FDS_MAX  16

/**
 * struct child_spec - a program to start
 * @path:     absolute, or "/proc/self/fd/N"
 * @argv:     NULL-terminated
 * @envp:     NULL-terminated
 * @fds:      become descriptors 3, 4, … of the program; all others but 0 to 2 are closed
 * @fd_count: at most CHILD_FDS_MAX
 * @stdio:    become descriptors 0, 1 and 2; -1 means /dev/null
 */
struct child_spec {
        const char *path;
        char *const *argv;
        char *const *envp;
        const int *fds;
        size_t fd_count;
        int stdio[3];
};

/**
 * child_spawn_orphan() - start a program that is not our child
 * @spec: what to start; borrowed
 *
 * An intermediate process with exit signal 0, which never execs, starts the program and exits
 * (clone(2): such a child is invisible to wait without __WALL or __WCLONE).  It is waited for
 * here, so neither waitpid(-1) nor SIGCHLD of the calling program ever sees anything.  The
 * program becomes a child of the nearest subreaper or of init; it must tell its own end over one
 * of @spec->fds.
 *
 * Context: all signals are blocked meanwhile and are blocked at the start of the program.
 *
 * Return: 0 once execve() has succeeded, or a negative errno.
 */
int child_spawn_orphan(const struct child_spec *spec);

/**
 * child_spawn() - start a program as our child
 * @spec:      what to start; borrowed
 * @ret_pidfd: the process, close-on-exec; wait with child_wait()
 *
 * Return: 0 once execve() has succeeded, or a negative errno.
 */
int child_spawn(const struct child_spec *spec, int *ret_pidfd);

/**
 * child_wait() - reap one process by its pidfd
 * @pidfd: a child of ours; borrowed
 *
 * Return: its exit status as a shell counts (0 to 255, 128 + signal), or a negative errno.
 */
int child_wait(int pidfd);
