/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

int output_open(struct output *o, const char *name, struct coffer_error *err)
{
        int r;

        *o = (struct output){.name = name, .fd = STDOUT_FILENO};
        if (!name)
                return 0;
        if (is_foreign(name))
                o->fd = sys_open_mode(AT_FDCWD, name, O_WRONLY | O_TRUNC, 0666);
        else if (asprintf(&o->temporary, "%s.%d.partial", name, (int)getpid()) < 0)
                return error_set(err, -ENOMEM, "open '%s'", name);
        else
                o->fd = sys_open_mode(AT_FDCWD, o->temporary,
                                      O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666);
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
        if (close(o->fd) < 0 && code == 0)
                code = error_set(err, -errno, "write '%s'", o->name);
        if (o->temporary && code == 0 && rename(o->temporary, o->name) < 0)
                code = error_set(err, -errno, "write '%s'", o->name);
        if (o->temporary && code < 0)
                (void)unlink(o->temporary);
        free(o->temporary);
        return code;
}
