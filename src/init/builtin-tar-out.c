/* SPDX-License-Identifier: Apache-2.0 */
/* tar-out: from files of the box to an archive. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/tar-pack.h"
#include "init/builtins.h"

#define COMPLAINTS_MAX 100 /* lines; a box can have any number of files that nobody may read */

static void say(const struct coffer_error *err)
{
        (void)dprintf(STDERR_FILENO, "%s\n", err->msg);
}

static void complain(void *data, const struct coffer_error *err)
{
        uint64_t *count = data;

        if ((*count)++ < COMPLAINTS_MAX)
                say(err);
}

static bool names_root(const char *path)
{
        return path[strspn(path, "/.")] == '\0' && !strstr(path, "...");
}

/* The last component, where "." is one: "a/b/" is "b", "a/b/." is "." */
static int last_component(const char *path, char *to, size_t size)
{
        size_t end = strlen(path);
        size_t start;

        while (end > 0 && path[end - 1] == '/')
                end--;
        for (start = end; start > 0 && path[start - 1] != '/'; start--)
                ;
        if (end - start >= size)
                return -ENAMETOOLONG;
        memcpy(to, path + start, end - start);
        to[end - start] = '\0';
        if (end == start || str_eq(to, ".."))
                (void)str_copy(to, size, ".");
        return 0;
}

static int fail(const char *path, int code, struct coffer_error *err)
{
        if (code == -ENOENT || code == -ENOTDIR)
                (void)error_say(err, code, COFFER_ERROR_OTHER, "%.300s: %s", path,
                                code == -ENOENT ? "no such file or directory" : "not a directory");
        if (code != -EPIPE) /* whoever read it has gone, and knows that */
                say(err);
        return code == -ENOENT || code == -ENOTDIR ? BUILTIN_NO_PLACE : BUILTIN_FAILED;
}

static int pack(bool follow, const char *path, const char *name)
{
        cleanup_close int root_fd = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
        char last[256];
        struct coffer_error err;
        uint64_t complaints = 0;
        const struct tar_pack_spec spec = {
                .dir_fd = root_fd,
                .path = path,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
                .follow = follow,
                .name = name ? name : last,
                .one_mount = names_root(path),
                .out_fd = STDOUT_FILENO,
                .complain = complain,
                .data = &complaints,
        };
        int r = root_fd < 0 ? root_fd : last_component(path, last, sizeof(last));

        if (r < 0)
                return fail(path, error_set(&err, r, "open '%.200s'", path), &err);
        r = tar_pack(&spec, &err);
        if (complaints > COMPLAINTS_MAX)
                (void)dprintf(STDERR_FILENO, "and %llu more\n",
                              (unsigned long long)(complaints - COMPLAINTS_MAX));
        if (r < 0)
                return fail(path, r, &err);
        return r > 0 ? BUILTIN_FAILED : BUILTIN_DONE;
}

int builtin_tar_out(char *const *argv)
{
        bool follow = argv[1] && str_eq(argv[1], "--follow");
        char *const *args = argv + 1 + follow;

        if (!args[0] || (args[1] && args[2])) {
                (void)dprintf(STDERR_FILENO, "usage: tar-out [--follow] PATH [NAME]\n");
                return BUILTIN_MISUSED;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        return pack(follow, args[0][0] != '\0' ? args[0] : "/", args[1]);
}
