/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/cmd.h"
#include "cli/launch.h"
#include "cli/scope.h"
#include "cli/terminal.h"

#define REMOVE_TIMEOUT_MS 30000

static const struct opt run_opts[] = {
        {"cidfile",        0, "FILE", opt_string, LAUNCH(cidfile),
         "write the id of the box to a new file"},
        {"detach",          'd', NULL, opt_flag, LAUNCH(detach), "print the id and return at once"},
        LAUNCH_OPT_DETACH_KEYS,
        LAUNCH_OPT_ENV_FILE,
        LAUNCH_OPT_PLATFORM,
        LAUNCH_OPT_PULL,
        LAUNCH_OPT_QUIET,
        LAUNCH_OPT_SIG_PROXY,
        {0},
};

static const struct opt create_opts[] = {
        {"cidfile", 0, "FILE", opt_string, LAUNCH(cidfile),
         "write the id of the box to a new file"},
        LAUNCH_OPT_ENV_FILE,
        LAUNCH_OPT_PLATFORM,
        LAUNCH_OPT_PULL,
        LAUNCH_OPT_QUIET,
        {0  },
};

/* One box on its way. */
struct making {
        struct invocation *in;
        struct launch *l;
        struct coffer_runtime *runtime; /* owned */
        struct coffer_box *box;         /* owned */
        int cid_fd;                     /* owned; or negative */
};

static void making_release(struct making *m)
{
        m->box = coffer_box_free(m->box);
        m->runtime = coffer_runtime_free(m->runtime);
        close_fd(&m->cid_fd);
}

/* The file is made first: a box whose id could not be told would be lost. */
static int open_cidfile(struct making *m, struct coffer_error *err)
{
        if (!m->l->cidfile)
                return 0;
        m->cid_fd = sys_open_mode(AT_FDCWD, m->l->cidfile, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (m->cid_fd >= 0)
                return 0;
        (void)error_set(err, m->cid_fd, "make the file '%s'", m->l->cidfile);
        error_hint_path(err, m->cid_fd);
        if (m->cid_fd == -EEXIST)
                error_hint(err, "remove it when the box it names is of no use any more");
        return m->cid_fd;
}

static int write_cidfile(struct making *m, struct coffer_error *err)
{
        const char *id = coffer_box_id(m->box);
        int r;

        if (m->cid_fd < 0)
                return 0;
        r = sys_write_all(m->cid_fd, id, strlen(id));
        return r < 0 ? error_set(err, r, "write '%s'", m->l->cidfile) : 0;
}

static void take_back(struct making *m)
{
        struct coffer_error err = {0};

        if (m->box && coffer_box_remove(m->box, COFFER_REMOVE_FORCE | COFFER_REMOVE_VOLUMES,
                                        REMOVE_TIMEOUT_MS, &err) < 0)
                command_report(&err);
        if (m->cid_fd >= 0)
                (void)unlink(m->l->cidfile);
}

/* Up to a box that exists; 0, or the exit status with nothing left behind. */
static int make(struct making *m)
{
        cleanup_with(coffer_spec_freep) struct coffer_spec *spec = NULL;
        struct coffer_pull_result pulled;
        struct coffer_error err = {0};
        int r;

        r = launch_spec(m->l, m->in->argv + 1, &spec, &err);
        if (r == 0)
                r = pulling_check(&m->l->pull, &err);
        if (r == 0)
                r = coffer_spec_set_image(spec, m->in->argv[0], &err);
        if (r < 0)
                return command_fail(m->in, &err);

        r = command_open_home(m->in, &m->runtime);
        if (r != 0)
                return r;
        r = open_cidfile(m, &err);
        if (r < 0)
                return command_fail(m->in, &err);
        r = pulling_run(m->runtime, m->in->argv[0], &m->l->pull, &pulled, &err);
        if (r == 0)
                r = coffer_box_create(m->runtime, spec, &m->box, &err);
        if (r == 0)
                r = write_cidfile(m, &err);
        if (r == 0)
                return 0;
        take_back(m);
        return command_fail(m->in, &err);
}

static int run_detached(struct making *m)
{
        struct coffer_error err = {0};

        if (coffer_box_start(m->box, NULL, COFFER_FOREVER, NULL, &err) < 0) {
                take_back(m);
                return command_fail(m->in, &err);
        }
        (void)puts(coffer_box_id(m->box));
        scope_warn();
        return 0;
}

static int run_attached(struct making *m, struct session_options *o)
{
        struct coffer_start_options start = {
                .size = sizeof(start),
                .flags = COFFER_START_FOREGROUND,
                .streams = COFFER_STDOUT | COFFER_STDERR | (o->read_stdin ? COFFER_STDIN : 0),
        };
        cleanup_close int signal_fd = session_catch(o);
        struct coffer_call *call = NULL;
        struct coffer_error err = {0};
        bool started;
        int r = signal_fd;

        if (o->tty)
                (void)terminal_size(&start.rows, &start.columns);
        if (r < 0)
                (void)error_set(&err, r, "catch signals");
        else
                r = coffer_box_start_begin(m->box, &start, &call, &err);
        if (r < 0) {
                take_back(m);
                return command_fail(m->in, &err);
        }
        r = launch_follow(m->in, call, o, signal_fd, coffer_box_name(m->box), &started);
        if (!started)
                take_back(m);
        return r;
}

static int cmd_run(struct invocation *in)
{
        cleanup_with(launch_release) struct launch l = LAUNCH_INIT;
        cleanup_with(making_release) struct making m = {.in = in, .l = &l, .cid_fd = -EBADF};
        struct session_options o = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &l))
                return in->status;
        if (!l.detach && launch_session(&l, launch_flag(&l, "tty"), launch_flag(&l, "interactive"),
                                        &o, &err) < 0)
                return command_fail(in, &err);
        o.main = true;

        status = make(&m);
        if (status != 0)
                return status;
        return l.detach ? run_detached(&m) : run_attached(&m, &o);
}

static int cmd_create(struct invocation *in)
{
        cleanup_with(launch_release) struct launch l = LAUNCH_INIT;
        cleanup_with(making_release) struct making m = {.in = in, .l = &l, .cid_fd = -EBADF};
        int status;

        if (!command_begin(in, &l))
                return in->status;
        status = make(&m);
        if (status == 0)
                (void)puts(coffer_box_id(m.box));
        return status;
}

const struct command command_run = {
        .name = "run",
        .args = "IMAGE [COMMAND] [ARG...]",
        .summary = "Make a box from an image and run a command in it",
        .opts = run_opts,
        .spec_fields = COFFER_FIELD_BOX,
        .spec_where = LAUNCH(spec),
        .min_args = 1,
        .max_args = INT_MAX,
        .options_first = true,
        .carries = true,
        .words = WORDS_IMAGE,
        .run = cmd_run,
};

const struct command command_create = {
        .name = "create",
        .args = "IMAGE [COMMAND] [ARG...]",
        .summary = "Make a box without starting it",
        .opts = create_opts,
        .spec_fields = COFFER_FIELD_BOX,
        .spec_where = LAUNCH(spec),
        .min_args = 1,
        .max_args = INT_MAX,
        .options_first = true,
        .carries = true,
        .words = WORDS_IMAGE,
        .run = cmd_create,
};
