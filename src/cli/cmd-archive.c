/* SPDX-License-Identifier: Apache-2.0 */
/* Images that come from files and go into files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/cmd.h"
#include "cli/pulling.h"

/* ------------------------------------------------------------------------------------------ load
 */

struct load_args {
        const char *input;
        bool quiet;
};

static const struct opt load_opts[] = {
        {"input",                    'i', "FILE", opt_string, offsetof(struct load_args, input),
         "read a file instead of standard input; - is standard input"},
        {"quiet",                    'q', NULL, opt_flag, offsetof(struct load_args, quiet), "say nothing on the way"},
        {0},
};

/* A descriptor to read from: @name's, owned by *@owned_fd, or standard input for NULL and "-". */
static int open_input(const char *name, int *owned_fd, struct coffer_error *err)
{
        int r;

        if (!name || str_eq(name, "-")) {
                if (!isatty(STDIN_FILENO))
                        return STDIN_FILENO;
                r = error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                              "will not read an archive from a terminal");
                error_hint(err, "redirect the input, or name a file");
                return r;
        }
        *owned_fd = sys_open(AT_FDCWD, name, O_RDONLY | O_NOCTTY);
        if (*owned_fd >= 0)
                return *owned_fd;
        r = error_set(err, *owned_fd, "open '%.200s'", name);
        error_kind(err, COFFER_ERROR_USAGE);
        error_hint_path(err, r);
        return r;
}

static int cmd_load(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) char **lines = NULL;
        cleanup_close int owned_fd = -EBADF;
        struct load_args a = {0};
        struct coffer_error err = {0};
        int status, fd, count;

        if (!command_begin(in, &a))
                return in->status;
        fd = open_input(a.input, &owned_fd, &err);
        if (fd < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        count = pulling_load(runtime, fd, a.quiet, &lines, &err);
        if (count < 0)
                return command_fail(in, &err);
        for (int i = 0; i < count; i++)
                (void)puts(lines[i]);
        return 0;
}

const struct command command_image_load = {
        .name = "image load",
        .alias = "load",
        .args = "",
        .summary = "Take in the images of an archive",
        .opts = load_opts,
        .max_args = 0,
        .run = cmd_load,
};
