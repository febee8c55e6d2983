/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/human.h"
#include "cli/launch.h"
#include "cli/signals.h"

/* What is done to boxes that are there: stop, restart, kill, rm, wait, rename. */

struct stop_args {
        int signal;   /* 0: the box's own */
        int grace_ms; /* negative: the box's own */
};

static int opt_signal(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        int signal = signals_parse(value);

        if (signal < 0) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "no such signal");
                error_hint(err, "give a name such as TERM, or a number from 1 to 64");
                return -EINVAL;
        }
        *(int *)where = signal;
        return 0;
}

/* As Docker: -1 waits for ever. */
static int opt_grace(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        int64_t ns = 0;

        if (str_eq(value, "-1")) {
                *(int *)where = INT_MAX;
                return 0;
        }
        if (human_read_duration(value, &ns) < 0 || ns / 1000000 > INT_MAX) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "no length of time");
                error_hint(err, "give seconds, or a number with a unit: 10, 1m30s, 500ms");
                return -EINVAL;
        }
        *(int *)where = (int)(ns / 1000000);
        return 0;
}

static const struct opt stop_opts[] = {
        {"signal",                   's', "SIGNAL", opt_signal, offsetof(struct stop_args, signal),
         "ask with this signal instead of the box's stop signal"},
        {"timeout",                  't', "SECONDS", opt_grace, offsetof(struct stop_args, grace_ms),
         "how long to wait before the box is killed (default: the box's stop timeout)"},
        {0},
};

static int begin_stop(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                      struct coffer_error *err)
{
        const struct stop_args *a = data;

        return coffer_box_stop_begin(box, a->signal, a->grace_ms, ret_call, err);
}

static int begin_restart(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                         struct coffer_error *err)
{
        const struct stop_args *a = data;

        return coffer_box_restart_begin(box, a->signal, a->grace_ms, ret_call, err);
}

static int cmd_stop(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_stop};
        struct stop_args a = {.grace_ms = -1};

        return command_begin(in, &a) ? each_box(in, &way, &a) : in->status;
}

static int cmd_restart(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_restart};
        struct stop_args a = {.grace_ms = -1};

        return command_begin(in, &a) ? each_box(in, &way, &a) : in->status;
}

static const struct opt kill_opts[] = {
        {"signal",  's', "SIGNAL", opt_signal, 0, "the signal (default KILL)"},
        {0},
};

static int begin_kill(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                      struct coffer_error *err)
{
        return coffer_box_kill_begin(box, *(const int *)data, ret_call, err);
}

static int cmd_kill(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_kill};
        int signal = 9;

        return command_begin(in, &signal) ? each_box(in, &way, &signal) : in->status;
}

struct rm_args {
        bool all;
        bool force;
        bool volumes;
};

static const struct opt rm_opts[] = {
        {"all",                                                      'a', NULL, opt_flag, offsetof(struct rm_args, all),
         "remove all boxes that do not run; with --force all boxes"},
        {"force",                                                      'f', NULL, opt_flag, offsetof(struct rm_args, force),
         "kill running boxes first; a box that does not exist is no failure"},
        {"volumes",                                   'v', NULL, opt_flag, offsetof(struct rm_args, volumes),
         "with the unnamed volumes that were made for the box"},
        {0},
};

static int begin_remove(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                        struct coffer_error *err)
{
        const struct rm_args *a = data;

        return coffer_box_remove_begin(box,
                                       (a->force ? COFFER_REMOVE_FORCE : 0) |
                                               (a->volumes ? COFFER_REMOVE_VOLUMES : 0),
                                       ret_call, err);
}

static bool may_go(const struct coffer_box_info *info, const void *data)
{
        const struct rm_args *a = data;

        return a->force || info->state == COFFER_STATE_CREATED ||
               info->state == COFFER_STATE_STOPPED || info->state == COFFER_STATE_FAILED;
}

static int cmd_rm(struct invocation *in)
{
        struct rm_args a = {0};
        struct each_way way = {.begin = begin_remove};

        if (!command_begin(in, &a))
                return in->status;
        way.missing_is_fine = a.force;
        if (!a.all && in->argc == 0)
                return command_usage(in, "name boxes, or give --all", "no box was named");
        if (a.all && in->argc > 0)
                return command_usage(in, NULL, "--all leaves no box to be named");
        return a.all ? each_listed(in, may_go, &way, &a) : each_box(in, &way, &a);
}

static int begin_wait(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                      struct coffer_error *err)
{
        return coffer_box_wait_begin(box, ret_call, err);
}

static void print_exit(const char *reference, struct coffer_box *box,
                       const struct coffer_call *call)
{
        struct coffer_exit end;

        if (coffer_call_exit(call, &end) == 0) {
                (void)printf("%d\n", launch_status(&end, reference));
                (void)fflush(stdout);
        }
}

static int cmd_wait(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_wait, .print = print_exit};

        return command_begin(in, NULL) ? each_box(in, &way, NULL) : in->status;
}

static int cmd_rename(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, NULL))
                return in->status;
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_box_open(runtime, in->argv[0], &box, &err) < 0 ||
            coffer_box_rename(box, in->argv[1], &err) < 0)
                return command_fail(in, &err);
        return 0;
}

const struct command command_stop = {
        .name = "stop",
        .args = "BOX [BOX...]",
        .summary = "Stop running boxes: ask, wait, kill",
        .opts = stop_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_RUNNING,
        .run = cmd_stop,
};

const struct command command_restart = {
        .name = "restart",
        .args = "BOX [BOX...]",
        .summary = "Stop boxes and start them again",
        .opts = stop_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_BOX,
        .run = cmd_restart,
};

const struct command command_kill = {
        .name = "kill",
        .args = "BOX [BOX...]",
        .summary = "Send a signal to the main process of running boxes",
        .opts = kill_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_RUNNING,
        .run = cmd_kill,
};

const struct command command_rm = {
        .name = "rm",
        .args = "BOX [BOX...]",
        .summary = "Remove boxes with all their files",
        .opts = rm_opts,
        .min_args = 0,
        .max_args = INT_MAX,
        .words = WORDS_BOX,
        .run = cmd_rm,
};

const struct command command_wait = {
        .name = "wait",
        .args = "BOX [BOX...]",
        .summary = "Wait until boxes have ended and print their exit statuses",
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_BOX,
        .run = cmd_wait,
};

const struct command command_rename = {
        .name = "rename",
        .args = "BOX NAME",
        .summary = "Give a box another name",
        .min_args = 2,
        .max_args = 2,
        .words = WORDS_BOX,
        .run = cmd_rename,
};
