/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/show.h"

struct inspect_args {
        const char *format;
        bool posture;
};

static const struct opt inspect_opts[] = {
        {"format",                      'f', "FORMAT", opt_string, offsetof(struct inspect_args, format),
         "json, or a template such as {{.State.Status}}"},
        {"posture",                     0, NULL, opt_flag, offsetof(struct inspect_args, posture),
         "show the controls of each box as a table"},
        {0},
};

static int inspect_box(struct coffer_runtime *runtime, const char *reference, char **ret_json,
                       struct coffer_error *err)
{
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        int r = coffer_box_open(runtime, reference, &box, err);

        return r < 0 ? r : coffer_box_inspect(box, ret_json, err);
}

static int cmd_inspect(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct inspect_args a = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        if (a.posture && a.format)
                return command_usage(in, NULL, "--posture has a form of its own, without --format");
        if (show_check(a.format, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        return a.posture ? show_posture(in, runtime, inspect_box)
                         : show_objects(in, runtime, a.format, inspect_box);
}

const struct command command_inspect = {
        .name = "inspect",
        .args = "BOX [BOX...]",
        .summary = "Show all there is to know about boxes, as JSON",
        .opts = inspect_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_BOX,
        .run = cmd_inspect,
};
