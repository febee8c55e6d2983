/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs a builtin as coffer-init does: in a process of its own, with a stdin and a stdout. */

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/test-tree.h"
#include "init/builtins.h"

enum builtin_where {
        BUILTIN_HERE = 0,
        BUILTIN_IN_TREE = 1,   /* the tree is its root */
        BUILTIN_WEAK = 2,      /* without capabilities */
        BUILTIN_SINGLE_ID = 4, /* nobody is mapped but the caller */
};

/**
 * struct builtin_run - what to run, and what came of it
 * @run:    the builtin
 * @argv:   its arguments, its name first
 * @where:  enum builtin_where
 * @in_fd:  its stdin, at its start; -1 for /dev/null
 * @out_fd: its stdout
 * @said:   what it wrote to stderr
 */
struct builtin_run {
        int (*run)(char *const *argv);
        const char *argv[8];
        unsigned where;
        int in_fd;
        int out_fd;
        char *said;
};

static inline int builtin_scene(const struct tree *t, const struct builtin_run *b)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {{0}, {0}};

        /* Who was root has no /proc/self/uid_map of his own until he may be dumped again. */
        if ((b->where & BUILTIN_SINGLE_ID) && tree_is_root() &&
            (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
             prctl(PR_SET_DUMPABLE, 1) < 0))
                return -1;
        if ((b->where & (BUILTIN_IN_TREE | BUILTIN_SINGLE_ID)) && geteuid() != 0 &&
            tree_unshare(0) < 0)
                return -1;
        if ((b->where & BUILTIN_IN_TREE) && (chroot(t->path) < 0 || chdir("/") < 0))
                return -1;
        return b->where & BUILTIN_WEAK ? (int)syscall(SYS_capset, &header, none) : 0;
}

/* Its exit status. */
static inline int builtin_test(const struct tree *t, struct builtin_run *b)
{
        int in_fd = b->in_fd >= 0 ? b->in_fd : sys_open(AT_FDCWD, "/dev/null", O_RDONLY);
        int err_fd = tree_file("", 0), status;
        char *argv[ELEMENTS(b->argv)] = {NULL};
        pid_t pid;

        (void)lseek(in_fd, 0, SEEK_SET);
        for (size_t i = 0; i < ELEMENTS(argv) && b->argv[i]; i++)
                argv[i] = strdup(b->argv[i]);
        pid = fork();
        if (pid == 0) {
                if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(b->out_fd, STDOUT_FILENO) < 0 ||
                    dup2(err_fd, STDERR_FILENO) < 0)
                        _exit(200);
                _exit(builtin_scene(t, b) < 0 ? 201 : b->run(argv));
        }
        status = tree_wait(pid);
        for (size_t i = 0; i < ELEMENTS(argv); i++)
                free(argv[i]);
        b->said = tree_text(err_fd);
        (void)close(err_fd);
        if (b->in_fd < 0)
                (void)close(in_fd);
        if (status == 201)
                t_skip("needs root or user namespaces");
        return status;
}
