/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/cmd.h"
#include "cli/output.h"

/* Files and file systems: cp, diff, export. */

struct cp_args {
        bool archive;
        bool follow;
};

static const struct opt cp_opts[] = {
        {"archive",                'a', NULL, opt_flag, offsetof(struct cp_args, archive),
         "keep owners, as far as you may set them"},
        {"follow-link",                    'L', NULL, opt_flag, offsetof(struct cp_args, follow),
         "copy what a symbolic link as SRC points to"},
        {0},
};

/* One side of a copy. */
struct side {
        char *box;        /* owned; NULL: on the host */
        const char *path; /* borrowed */
};

/* "BOX:PATH", unless it begins like a path, as in Docker. */
static int split(const char *word, struct side *ret_side)
{
        const char *colon = strchr(word, ':');

        *ret_side = (struct side){.path = word};
        if (!colon || word[0] == '/' || word[0] == '.' || colon == word ||
            memchr(word, '/', (size_t)(colon - word)))
                return 0;
        ret_side->box = strndup(word, (size_t)(colon - word));
        ret_side->path = colon + 1;
        return ret_side->box ? 0 : -ENOMEM;
}

static int copy(struct coffer_box *box, const struct cp_args *a, const struct side *from,
                const struct side *to, struct coffer_error *err)
{
        uint32_t flags =
                (a->archive ? COFFER_COPY_ARCHIVE : 0) | (a->follow ? COFFER_COPY_FOLLOW : 0);

        if (from->box && str_eq(to->path, "-"))
                return coffer_copy_out_tar(box, from->path, STDOUT_FILENO,
                                           flags & COFFER_COPY_FOLLOW, COFFER_FOREVER, err);
        if (from->box)
                return coffer_copy_out(box, from->path, to->path, flags, COFFER_FOREVER, err);
        if (str_eq(from->path, "-"))
                return coffer_copy_in_tar(box, to->path, STDIN_FILENO, flags & COFFER_COPY_ARCHIVE,
                                          COFFER_FOREVER, err);
        return coffer_copy_in(box, from->path, to->path, flags, COFFER_FOREVER, err);
}

static int cp_sides(struct invocation *in, const struct cp_args *a, const struct side *from,
                    const struct side *to)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        struct coffer_error err = {0};
        int status;

        if (!from->box == !to->box)
                return command_usage(in,
                                     "write BOX:PATH for the side in the box, ./x:y for a file "
                                     "with a colon",
                                     from->box ? "cannot copy from box to box"
                                               : "neither side is in a box");
        if (from->box && str_eq(to->path, "-") && isatty(STDOUT_FILENO))
                return command_usage(in, "redirect the output, or name a file",
                                     "will not write an archive to a terminal");
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_box_open(runtime, from->box ? from->box : to->box, &box, &err) < 0 ||
            copy(box, a, from, to, &err) < 0)
                return command_fail(in, &err);
        return 0;
}

static int cmd_cp(struct invocation *in)
{
        struct side from = {0}, to = {0};
        struct cp_args a = {0};
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        r = split(in->argv[0], &from);
        if (r == 0)
                r = split(in->argv[1], &to);
        if (r < 0)
                (void)error_set(&err, r, "read the arguments");
        status = r < 0 ? command_fail(in, &err) : cp_sides(in, &a, &from, &to);
        free(from.box);
        free(to.box);
        return status;
}

static int cmd_diff(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        cleanup_with(coffer_release) struct coffer_change **changes = NULL;
        struct coffer_error err = {0};
        size_t count = 0;
        int status;

        if (!command_begin(in, NULL))
                return in->status;
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_box_open(runtime, in->argv[0], &box, &err) < 0 ||
            coffer_box_diff(box, &changes, &count, &err) < 0)
                return command_fail(in, &err);
        for (size_t i = 0; i < count; i++)
                (void)printf("%c %s\n", changes[i]->kind, changes[i]->path);
        return 0;
}

struct export_args {
        const char *output;
};

static const struct opt export_opts[] = {
        {"output", 'o', "FILE", opt_string, offsetof(struct export_args, output),
         "write to a file instead of standard output"},
        {0 },
};

static int cmd_export(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        struct output output;
        struct export_args a = {0};
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        if (output_check(a.output, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = coffer_box_open(runtime, in->argv[0], &box, &err);
        if (r == 0)
                r = output_open(&output, a.output, &err);
        if (r == 0) {
                r = coffer_box_export(box, output.fd, COFFER_FOREVER, &err);
                r = output_close(&output, r, &err);
        }
        return r < 0 ? command_fail(in, &err) : 0;
}

const struct command command_cp = {
        .name = "cp",
        .args = "BOX:SRC DST|- or SRC|- BOX:DST",
        .summary = "Copy files between a box and the host; - is a tar archive",
        .opts = cp_opts,
        .min_args = 2,
        .max_args = 2,
        .words = WORDS_COPY,
        .run = cmd_cp,
};

const struct command command_diff = {
        .name = "diff",
        .args = "BOX",
        .summary = "List the files that differ from the image",
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_BOX,
        .run = cmd_diff,
};

const struct command command_export = {
        .name = "export",
        .args = "BOX",
        .summary = "Write the files of a box as a tar archive",
        .opts = export_opts,
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_BOX,
        .run = cmd_export,
};
