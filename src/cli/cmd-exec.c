/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/launch.h"
#include "cli/terminal.h"

static const struct opt exec_opts[] = {
        {"detach", 'd', NULL, opt_flag, LAUNCH(detach), "start it and return at once"},
        LAUNCH_OPT_DETACH_KEYS,
        LAUNCH_OPT_ENV_FILE,
        {0   },
};

static int exec_detached(struct invocation *in, struct coffer_box *box, struct coffer_spec *spec)
{
        cleanup_with(coffer_process_freep) struct coffer_process *process = NULL;
        struct coffer_error err = {0};

        if (coffer_spec_set(spec, "detach", "true", &err) < 0 ||
            coffer_exec_start(box, spec, COFFER_FOREVER, &process, &err) < 0)
                return command_fail(in, &err);
        return 0;
}

static int exec_attached(struct invocation *in, struct coffer_box *box, struct coffer_spec *spec,
                         const struct session_options *o)
{
        uint32_t rows, columns;
        cleanup_close int signal_fd = session_catch(o);
        struct coffer_call *call = NULL;
        struct coffer_error err = {0};

        if (o->tty && terminal_size(&rows, &columns))
                (void)coffer_spec_set_terminal_size(spec, rows, columns, NULL);
        if (signal_fd < 0)
                (void)error_set(&err, signal_fd, "catch signals");
        if (signal_fd < 0 || coffer_exec_start_begin(box, spec, &call, &err) < 0)
                return command_fail(in, &err);
        return launch_follow(in, call, o, signal_fd, coffer_box_name(box), NULL);
}

static int cmd_exec(struct invocation *in)
{
        cleanup_with(launch_release) struct launch l = LAUNCH_INIT;
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_spec_freep) struct coffer_spec *spec = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        struct session_options o = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &l))
                return in->status;
        if (launch_spec(&l, in->argv + 1, &spec, &err) < 0)
                return command_fail(in, &err);
        if (!l.detach && launch_session(&l, launch_flag(&l, "tty"), launch_flag(&l, "interactive"),
                                        &o, &err) < 0)
                return command_fail(in, &err);

        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_box_open(runtime, in->argv[0], &box, &err) < 0)
                return command_fail(in, &err);
        return l.detach ? exec_detached(in, box, spec) : exec_attached(in, box, spec, &o);
}

const struct command command_exec = {
        .name = "exec",
        .args = "BOX COMMAND [ARG...]",
        .summary = "Run one more command in a running box",
        .opts = exec_opts,
        .spec_fields = COFFER_FIELD_PROCESS,
        .spec_where = LAUNCH(spec),
        .min_args = 2,
        .max_args = INT_MAX,
        .options_first = true,
        .carries = true,
        .words = WORDS_RUNNING,
        .run = cmd_exec,
};
