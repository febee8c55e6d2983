/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/host.h"
#include "cli/print.h"
#include "cli/probe.h"

#define BOX_TIMEOUT_MS 30000

struct doctor_args {
        const char *format;
};

static const struct opt doctor_opts[] = {
        {"format",  'f', "FORMAT", opt_string, offsetof(struct doctor_args, format),
         "table, json, table TEMPLATE or TEMPLATE"},
        {0},
};

static int print_result(struct print *p, const char *name, bool required,
                        const struct probe_result *result, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf row = BUF_INIT(4096);
        struct jv v;
        int r;

        (void)buf_append(&row, "{", 1);
        (void)print_member(&row, "Control", name);
        (void)print_member(&row, "State", probe_state_name(result->state));
        (void)print_member(&row, "Needed", required ? "yes" : "no");
        (void)print_member(&row, "Detail", result->detail);
        (void)print_member(&row, "Fix", result->fix);
        r = buf_append(&row, "}", 1);
        if (r == 0)
                r = jv_read(row.data, row.size, &v);
        return r < 0 ? error_set(err, r, "show %s", name) : print_row(p, v, err);
}

static void take_error(struct probe_result *result, const struct coffer_error *err)
{
        result->state = PROBE_OFF;
        (void)snprintf(result->detail, sizeof(result->detail), "%.*s", PROBE_TEXT_MAX - 1,
                       err->msg);
        (void)snprintf(result->fix, sizeof(result->fix), "%s", err->hint);
}

static int run_box(struct coffer_box *box, char **ret_json, struct coffer_error *err)
{
        cleanup_with(coffer_process_freep) struct coffer_process *process = NULL;
        const struct coffer_start_options start = {.size = sizeof(start),
                                                   .flags = COFFER_START_FOREGROUND};
        struct coffer_exit end;
        int r = coffer_box_start(box, &start, BOX_TIMEOUT_MS, &process, err);

        if (r == 0)
                r = coffer_process_wait(process, BOX_TIMEOUT_MS, &end, err);
        if (r == 0 && end.status != 0)
                r = error_say(err, -EIO, COFFER_ERROR_OTHER, "/bin/true ended with status %d%s%s",
                              end.status, end.reason[0] ? ": " : "", end.reason);
        return r < 0 ? r : coffer_box_inspect(box, ret_json, err);
}

/*
 * A box over the host's own files that does nothing; what it says of itself is kept.  @limited:
 * with limits, which only a cgroup can hold.
 */
static int try_box(struct coffer_runtime *runtime, bool limited, char **ret_json,
                   struct coffer_error *err)
{
        static const char *const command[] = {"/bin/true", NULL};
        static const char *const limits[][2] = {
                {"memory", "64m"},
                {"cpus",   "1"  }
        };
        cleanup_with(coffer_spec_freep) struct coffer_spec *spec = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        struct coffer_error ignored = {0};
        int r = coffer_spec_new(&spec, err);
        int gone;

        if (r == 0)
                r = coffer_spec_set_image(spec, "host", err);
        for (size_t i = 0; r == 0 && limited && i < ELEMENTS(limits); i++)
                r = coffer_spec_set(spec, limits[i][0], limits[i][1], err);
        if (r == 0)
                r = coffer_spec_set_command(spec, command, err);
        if (r == 0)
                r = coffer_box_create(runtime, spec, &box, err);
        if (r < 0)
                return r;
        r = run_box(box, ret_json, err);
        gone = coffer_box_remove(box, COFFER_REMOVE_FORCE, BOX_TIMEOUT_MS, r < 0 ? &ignored : err);
        return r < 0 ? r : gone;
}

/* Limits as a box has them: the words, and what to do, are those of who sets them. */
static int print_cgroup(struct print *p, struct coffer_runtime *runtime, struct coffer_error *err)
{
        cleanup_with(coffer_release) char *json = NULL;
        struct probe_result result = {.state = PROBE_ENFORCED};
        struct coffer_error why = {0};

        if (try_box(runtime, true, &json, &why) < 0)
                take_error(&result, &why);
        else
                (void)snprintf(result.detail, sizeof(result.detail),
                               "cgroups %s: a box with limits has run", host_cgroup_mode());
        return print_result(p, "cgroup", false, &result, err);
}

/*
 * The home, and a default box in it: what all the rest is for.  @ret_json stays NULL when it did
 * not run.
 */
static int print_home(struct print *p, char **ret_json, struct coffer_error *err)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct probe_result home = {.state = PROBE_ENFORCED}, box = {.state = PROBE_ENFORCED};
        struct probe_result boot = {0};
        struct coffer_error why = {0};
        int r;

        if (coffer_runtime_open(NULL, &runtime, &why) < 0) {
                take_error(&home, &why);
                return print_result(p, "home", true, &home, err);
        }
        (void)snprintf(home.detail, sizeof(home.detail), "%.*s", PROBE_TEXT_MAX - 1,
                       coffer_runtime_home(runtime));
        r = print_result(p, "home", true, &home, err);
        if (r < 0)
                return r;

        if (try_box(runtime, false, ret_json, &why) < 0) {
                take_error(&box, &why);
                coffer_free(*ret_json);
                *ret_json = NULL;
        } else {
                (void)snprintf(box.detail, sizeof(box.detail), "a default box has run");
        }
        r = print_result(p, "box", true, &box, err);
        if (r == 0 && *ret_json)
                r = print_cgroup(p, runtime, err);
        probe_boot(runtime, &boot);
        return r < 0 ? r : print_result(p, "restart-at-boot", false, &boot, err);
}

static enum probe_state state_of(struct jv row)
{
        struct jv state = jv_member(row, "state");

        return jv_is(state, "enforced")   ? PROBE_ENFORCED
               : jv_is(state, "degraded") ? PROBE_DEGRADED
                                          : PROBE_OFF;
}

/* What the box says of its controls. */
static int print_posture(struct print *p, struct jv posture, struct coffer_error *err)
{
        struct jv row;
        size_t at = 0;
        int r = 0;

        while (r == 0 && jv_next(posture, &at, NULL, &row)) {
                struct probe_result result = {.state = state_of(row)};
                cleanup_free char *control = jv_dup(row, "control");
                cleanup_free char *detail = jv_dup(row, "detail");

                if (!control || !detail)
                        return error_set(err, -ENOMEM, "read the posture");
                (void)snprintf(result.detail, sizeof(result.detail), "%s", detail);
                r = print_result(p, control, jv_is(jv_member(row, "wanted"), "required"), &result,
                                 err);
        }
        return r;
}

static bool is_control(struct jv posture, const char *name)
{
        struct jv row;
        size_t at = 0;

        while (jv_next(posture, &at, NULL, &row))
                if (jv_is(jv_member(row, "control"), name))
                        return true;
        return false;
}

/* The host's own answers, where no box has given a better one. */
static int print_probes(struct print *p, struct jv posture, bool *good, struct coffer_error *err)
{
        int r = 0;

        for (const struct probe *probe = probes; probe->name && r == 0; probe++) {
                struct probe_result result = {0};

                if (is_control(posture, probe->name))
                        continue;
                probe->run(&result);
                *good = *good && (!probe->required || result.state == PROBE_ENFORCED);
                r = print_result(p, probe->name, probe->required, &result, err);
        }
        return r;
}

static int examine(struct print *p, bool *ret_good, struct coffer_error *err)
{
        cleanup_with(coffer_release) char *json = NULL;
        struct jv box = {0}, posture;
        int r = print_home(p, &json, err);

        if (r == 0 && json && jv_read(json, strlen(json), &box) < 0)
                r = error_set(err, -EINVAL, "read what the library says");
        if (r < 0)
                return r;
        *ret_good = json != NULL;
        posture = jv_member(box, "Posture");
        r = print_posture(p, posture, err);
        return r < 0 ? r : print_probes(p, posture, ret_good, err);
}

static int cmd_doctor(struct invocation *in)
{
        static const struct template_header headers[] = {
                {NULL, NULL}
        };
        struct print p = {.table = "{{.Control}}\t{{.State}}\t{{.Detail}}\t{{.Fix}}",
                          .headers = headers};
        struct doctor_args a = {0};
        struct coffer_error err = {0};
        bool good = false;
        int r;

        if (!command_begin(in, &a))
                return in->status;
        p.format = a.format;
        if (print_begin(&p, &err) < 0)
                return command_fail(in, &err);
        r = examine(&p, &good, &err);
        print_end(&p);
        if (r < 0)
                return command_fail(in, &err);
        return good ? 0 : EXIT_FAILED;
}

const struct command command_doctor = {
        .name = "doctor",
        .args = "",
        .summary = "Find out, by trying, what a box can rely on here",
        .opts = doctor_opts,
        .max_args = 0,
        .run = cmd_doctor,
};
