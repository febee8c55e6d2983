/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tests that give something up for good: they do it in a forked child. */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "t.h"

#define CHILD_CANNOT 77 /* the child could not set the scene: the test is skipped */

/* In a child: says what was not so and ends it. */
#define NEED(claim)                                                                         \
        do {                                                                                \
                if (!(claim)) {                                                             \
                        (void)fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #claim); \
                        return 1;                                                           \
                }                                                                           \
        } while (0)

/* Sets the scene: what cannot be had here skips the test. */
#define WANT(claim)                                                           \
        do {                                                                  \
                if (!(claim)) {                                               \
                        (void)fprintf(stderr, "# cannot have: %s\n", #claim); \
                        return CHILD_CANNOT;                                  \
                }                                                             \
        } while (0)

/*
 * A user namespace (and what else @flags name) in which 0 alone is mapped, to ourselves: as root
 * and as an ordinary user.
 */
static inline int single_id_namespace(int flags)
{
        char uid_map[64], gid_map[64];
        const char *const files[] = {"/proc/self/setgroups", "/proc/self/uid_map",
                                     "/proc/self/gid_map"};
        const char *texts[] = {"deny", uid_map, gid_map};

        (void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
        (void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
        if (unshare(CLONE_NEWUSER | flags) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                int fd = sys_open(AT_FDCWD, files[i], O_WRONLY);

                if (fd < 0 || sys_write_all(fd, texts[i], strlen(texts[i])) < 0)
                        return -1;
                (void)close(fd);
        }
        return 0;
}

/* The wait status of a child that has run this. */
static inline int child_status(int (*run)(void))
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0)
                _exit(run());
        t_true(pid > 0);
        t_true(waitpid(pid, &status, 0) == pid);
        return status;
}

/* Every claim of the child held. */
static inline void t_child(int (*run)(void))
{
        int status = child_status(run);

        if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_CANNOT)
                t_skip("this caller may not set the scene");
        t_int(0, status);
}
