/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

int output_check(const char *name, struct coffer_error *err)
{
        int r;

        if (name || !isatty(STDOUT_FILENO))
                return 0;
        r = error_say(err, -EINVAL, COFFER_ERROR_USAGE, "will not write an archive to a terminal");
        error_hint(err, "redirect the output, or name a file with --output");
        return r;
}

/* A device, a pipe or what a symlink leads to is written to as it is, and is not ours to remove. */
static bool is_foreign(const char *name)
{
        struct stat st;

        return lstat(name, &st) == 0 && !S_ISREG(st.st_mode);
}

/* A file without a name, of which a death leaves nothing; not every file system has them. */
static int open_beside(const char *name)
{
        const char *slash = strrchr(name, '/');
        cleanup_free char *dir = slash ? strndup(name, (size_t)(slash - name) + 1) : strdup(".");

        return dir ? sys_open_mode(AT_FDCWD, dir, O_WRONLY | O_TMPFILE, 0666) : -ENOMEM;
}

static int give_name(const struct output *o)
{
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", o->fd);
        if (o->nameless && linkat(AT_FDCWD, path, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW) < 0)
                return -errno;
        return rename(o->temporary, o->name) < 0 ? -errno : 0;
}

int output_open(struct output *o, const char *name, struct coffer_error *err)
{
        int r;

        *o = (struct output){.name = name, .fd = STDOUT_FILENO};
        if (!name)
                return 0;
        if (is_foreign(name)) {
                o->fd = sys_open_mode(AT_FDCWD, name, O_WRONLY | O_TRUNC, 0666);
        } else {
                if (asprintf(&o->temporary, "%s.%d.partial", name, (int)getpid()) < 0)
                        return error_set(err, -ENOMEM, "open '%s'", name);
                o->fd = open_beside(name);
                o->nameless = o->fd >= 0;
                if (o->fd == -EOPNOTSUPP || o->fd == -EISDIR)
                        o->fd = sys_open_mode(AT_FDCWD, o->temporary,
                                              O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666);
        }
        if (o->fd >= 0)
                return 0;
        r = error_set(err, o->fd, "open '%s'", name);
        error_hint_path(err, r);
        free(o->temporary);
        return r;
}

int output_close(struct output *o, int code, struct coffer_error *err)
{
        if (!o->name)
                return code;
        if (code == 0 && o->temporary) {
                code = give_name(o);
                if (code < 0)
                        (void)error_set(err, code, "write '%s'", o->name);
        }
        if (close(o->fd) < 0 && code == 0)
                code = error_set(err, -errno, "write '%s'", o->name);
        if (o->temporary && code < 0)
                (void)unlink(o->temporary);
        free(o->temporary);
        return code;
}
