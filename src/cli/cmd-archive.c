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
#include "cli/output.h"
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

/* ------------------------------------------------------------------------------------------ save
 */

struct save_args {
        const char *output;
};

static const struct opt save_opts[] = {
        {"output", 'o', "FILE", opt_string, offsetof(struct save_args, output),
         "write to a file instead of standard output"},
        {0 },
};

static int cmd_save(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct save_args a = {0};
        struct output output;
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        if (output_check(a.output, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = output_open(&output, a.output, &err);
        if (r == 0) {
                r = coffer_image_save(runtime, (const char *const *)in->argv, output.fd, &err);
                r = output_close(&output, r, &err);
        }
        return r < 0 ? command_fail(in, &err) : 0;
}

/* ---------------------------------------------------------------------------------------- import
 */

struct import_args {
        struct strv changes;
        const char *message;
};

static const struct opt import_opts[] = {
        {"change",                     'c', "INSTRUCTION", opt_list, offsetof(struct import_args, changes),
         "what the image asks for, as in a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
         "STOPSIGNAL, USER, VOLUME or WORKDIR"},
        {"message",               'm', "TEXT", opt_string, offsetof(struct import_args, message),
         "kept in the image's history"},
        {0},
};

static void import_release(struct import_args *a)
{
        strv_release(&a->changes);
}

static int cmd_import(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(import_release) struct import_args a = {.message = NULL};
        cleanup_close int owned_fd = -EBADF;
        struct coffer_import_options options = {.size = sizeof(options)};
        struct coffer_pull_result result;
        struct coffer_error err = {0};
        int status, fd;

        if (!command_begin(in, &a))
                return in->status;
        fd = open_input(in->argv[0], &owned_fd, &err);
        if (fd < 0)
                return command_fail(in, &err);
        options.changes = (const char *const *)a.changes.items;
        options.message = a.message;
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_image_import(runtime, fd, in->argc > 1 ? in->argv[1] : NULL, &options, &result,
                                &err) < 0)
                return command_fail(in, &err);
        (void)puts(result.id);
        return 0;
}

const struct command command_image_save = {
        .name = "image save",
        .alias = "save",
        .args = "IMAGE [IMAGE...]",
        .summary = "Write images as an OCI archive",
        .opts = save_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_STORED,
        .run = cmd_save,
};

const struct command command_image_import = {
        .name = "image import",
        .alias = "import",
        .args = "FILE|- [NAME[:TAG]]",
        .summary = "Make an image of a root's tar archive",
        .opts = import_opts,
        .min_args = 1,
        .max_args = 2,
        .words = WORDS_FILE,
        .run = cmd_import,
};
