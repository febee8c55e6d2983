/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/launch.h"
#include "cli/scope.h"
#include "cli/terminal.h"

static const struct opt start_opts[] = {
        {"attach",        'a', NULL, opt_flag, LAUNCH(attach), "be connected to the box's output"},
        LAUNCH_OPT_DETACH_KEYS,
        {"interactive",           'i', NULL, opt_flag, LAUNCH(interactive), "pass standard input on"},
        {"restart", 0, NULL, opt_flag, LAUNCH(restart),
         "start what is to run by its restart policy and does not"},
        LAUNCH_OPT_SIG_PROXY,
        {0              },
};

static const struct opt attach_opts[] = {
        LAUNCH_OPT_DETACH_KEYS,
        {"no-stdin", 0, NULL, opt_flag, LAUNCH(no_stdin), "leave standard input alone"},
        LAUNCH_OPT_SIG_PROXY,
        {0     },
};

/* Opens the box and learns whether it has a terminal; 0, or the exit status. */
static int find(struct invocation *in, const struct launch *l, bool read_stdin,
                struct coffer_runtime **ret_runtime, struct coffer_box **ret_box,
                struct session_options *ret_o)
{
        cleanup_with(coffer_release) struct coffer_box_info *info = NULL;
        struct coffer_error err = {0};
        int status = command_open_home(in, ret_runtime);

        if (status != 0)
                return status;
        if (coffer_box_open(*ret_runtime, in->argv[0], ret_box, &err) < 0 ||
            coffer_box_get_info(*ret_box, &info, &err) < 0 ||
            launch_session(l, info->tty, read_stdin, ret_o, &err) < 0)
                return command_fail(in, &err);
        ret_o->main = true;
        return 0;
}

static int start_attached(struct invocation *in, const struct launch *l)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        cleanup_close int signal_fd = -EBADF;
        struct coffer_start_options start = {.size = sizeof(start),
                                             .flags = COFFER_START_FOREGROUND,
                                             .streams = COFFER_STDOUT | COFFER_STDERR};
        struct coffer_call *call = NULL;
        struct session_options o = {0};
        struct coffer_error err = {0};
        int status;

        if (in->argc != 1)
                return command_usage(in, NULL, "only one box can be attached to");
        status = find(in, l, l->interactive, &runtime, &box, &o);
        if (status != 0)
                return status;
        if (l->interactive)
                start.streams |= COFFER_STDIN;
        if (o.tty)
                (void)terminal_size(&start.rows, &start.columns);

        signal_fd = session_catch(&o);
        if (signal_fd < 0)
                (void)error_set(&err, signal_fd, "catch signals");
        if (signal_fd < 0 || coffer_box_start_begin(box, &start, &call, &err) < 0)
                return command_fail(in, &err);
        return launch_follow(in, call, &o, signal_fd, coffer_box_name(box), NULL);
}

static int begin_start(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                       struct coffer_error *err)
{
        return coffer_box_start_begin(box, NULL, ret_call, err);
}

/* After a boot, or the death of a monitor: nobody has to know which boxes these are. */
static int begin_due(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                     struct coffer_error *err)
{
        const struct coffer_start_options start = {.size = sizeof(start),
                                                   .flags = COFFER_START_IF_DUE};

        return coffer_box_start_begin(box, &start, ret_call, err);
}

static bool is_due(const struct coffer_box_info *info, const void *data)
{
        (void)data;
        return info->due;
}

static int start_due(const struct invocation *in)
{
        static const struct each_way way = {
                .begin = begin_due, .may_be_done = true, .missing_is_fine = true};

        return each_listed(in, is_due, &way, NULL);
}

static int cmd_start(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_start};
        cleanup_with(launch_release) struct launch l = LAUNCH_INIT;
        int status;

        if (!command_begin(in, &l))
                return in->status;
        if (l.restart && (in->argc > 0 || l.attach || l.interactive))
                return command_usage(in, "it starts all boxes that are due, in the background",
                                     "--restart goes with neither boxes nor --attach");
        if (l.restart)
                return start_due(in);
        if (in->argc == 0)
                return command_usage(in, "name boxes, or give --restart", "no box was named");
        if (l.attach || l.interactive) {
                in->carries = true;
                return start_attached(in, &l);
        }
        status = each_box(in, &way, NULL);
        if (status == 0)
                scope_warn();
        return status;
}

static int cmd_attach(struct invocation *in)
{
        cleanup_with(launch_release) struct launch l = LAUNCH_INIT;
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        cleanup_close int signal_fd = -EBADF;
        struct coffer_call *call = NULL;
        struct session_options o = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &l))
                return in->status;
        status = find(in, &l, !l.no_stdin, &runtime, &box, &o);
        if (status != 0)
                return status;

        signal_fd = session_catch(&o);
        if (signal_fd < 0)
                (void)error_set(&err, signal_fd, "catch signals");
        if (signal_fd < 0 ||
            coffer_box_attach_begin(box, l.no_stdin ? COFFER_STDOUT | COFFER_STDERR : 0, &call,
                                    &err) < 0)
                return command_fail(in, &err);
        return launch_follow(in, call, &o, signal_fd, coffer_box_name(box), NULL);
}

const struct command command_start = {
        .name = "start",
        .args = "BOX [BOX...]",
        .summary = "Start boxes that do not run",
        .opts = start_opts,
        .min_args = 0,
        .max_args = INT_MAX,
        .words = WORDS_IDLE,
        .run = cmd_start,
};

const struct command command_attach = {
        .name = "attach",
        .args = "BOX",
        .summary = "Connect to the input and output of a running box",
        .opts = attach_opts,
        .min_args = 1,
        .max_args = 1,
        .carries = true,
        .words = WORDS_RUNNING,
        .run = cmd_attach,
};
