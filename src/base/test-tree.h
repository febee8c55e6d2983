/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A directory of a test's own, and other people's programs to compare with. */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/sys.h"
#include "t.h"

#define TREE_OUTPUT_MAX ((size_t)16 * 1024 * 1024)
#define TREE_TEXTS      8

struct tree {
        char path[32];
        int fd;
};

/* The status of a child as a shell counts. */
static inline int tree_wait(pid_t pid)
{
        int status;

        t_true(pid > 0);
        t_true(waitpid(pid, &status, 0) == pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs a script with the tree as its directory and "$1"; what it writes to stdout goes to @fd. */
static inline int tree_sh_to(const struct tree *t, const char *script, const char *arg, int fd)
{
        pid_t pid = fork();

        if (pid == 0) {
                if ((fd < 0 || dup2(fd, STDOUT_FILENO) >= 0) && chdir(t->path) == 0)
                        (void)execl("/bin/sh", "sh", "-euc", script, "sh", arg, (char *)NULL);
                _exit(126);
        }
        return tree_wait(pid);
}

static inline int tree_sh(const struct tree *t, const char *script)
{
        return tree_sh_to(t, script, "", STDERR_FILENO);
}

/* A file without a name, at its start. */
static inline int tree_file(const void *data, size_t size)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        t_ok(fd);
        t_ok(sys_write_all(fd, data, size));
        t_true(lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}

/* All of it, as text; stays until this was called TREE_TEXTS times more. */
static inline char *tree_text(int fd)
{
        static struct buf texts[TREE_TEXTS];
        static size_t next;
        struct buf *b = &texts[next++ % TREE_TEXTS];

        t_true(lseek(fd, 0, SEEK_SET) == 0);
        buf_release(b);
        *b = BUF_INIT(TREE_OUTPUT_MAX);
        t_ok(buf_read_fd(b, fd));
        t_ok(buf_append(b, "", 0));
        return b->data;
}

/* What a script says; it must succeed. */
static inline char *tree_ask(const struct tree *t, const char *script, const char *arg)
{
        int fd = tree_file("", 0);
        char *text;

        t_int(0, tree_sh_to(t, script, arg, fd));
        text = tree_text(fd);
        (void)close(fd);
        return text;
}

/* Names, types, modes, owners, sizes, times, links of everything below a directory of the tree. */
static inline char *tree_list(const struct tree *t, const char *dir)
{
        return tree_ask(t,
                        "cd \"$1\"; find . ! -name . "
                        "\\( -type d -printf '%P %y %m %U:%G %T@\\n' -o "
                        "-printf '%P %y %m %U:%G %s %T@ %n %l\\n' \\) | LC_ALL=C sort; "
                        "find . -type f -print0 | LC_ALL=C sort -z | xargs -r0 cksum",
                        dir);
}

static inline void tree_need(const char *program)
{
        struct tree here = {.path = "/"};

        if (tree_sh_to(&here, "command -v \"$1\" >/dev/null", program, -1) != 0)
                t_skip("needs %s", program);
}

/* Root of the machine, who may give files away and make devices; not that of a user namespace. */
static inline bool tree_is_root(void)
{
        struct buf map = BUF_INIT(4096);
        bool all;

        t_ok(buf_read_file(&map, AT_FDCWD, "/proc/self/uid_map"));
        all = map.size > 0 && strstr(map.data, "4294967295");
        buf_release(&map);
        return all && geteuid() == 0;
}

/* For a child: namespaces of its own; an ordinary user gets the right by being root of one. */
static inline int tree_unshare(int flags)
{
        char uid_map[32], gid_map[32];
        const char *const files[][2] = {
                {"/proc/self/setgroups", "deny" },
                {"/proc/self/uid_map",   uid_map},
                {"/proc/self/gid_map",   gid_map},
        };

        if (geteuid() == 0)
                return unshare(flags);
        (void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
        (void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
        if (unshare(flags | CLONE_NEWUSER) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                int fd = sys_open(AT_FDCWD, files[i][0], O_WRONLY);

                if (fd < 0 || sys_write_all(fd, files[i][1], strlen(files[i][1])) < 0)
                        return -1;
                (void)close(fd);
        }
        return 0;
}

static inline void tree_make(struct tree *t)
{
        (void)snprintf(t->path, sizeof(t->path), "/tmp/coffer-tree-XXXXXX");
        t_true(mkdtemp(t->path) != NULL);
        t->fd = sys_open(AT_FDCWD, t->path, O_RDONLY | O_DIRECTORY);
        t_ok(t->fd);
}

static inline void tree_remove(struct tree *t)
{
        (void)close(t->fd);
        t_int(0, tree_sh(t, "chmod -R u+rwx . && rm -rf \"$PWD\""));
}
