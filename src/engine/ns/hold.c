/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Acting on a box that runs: freezing it, and changing its limits.  A box without limits may have
 * no cgroup: then one is made, and its processes are moved into it, which takes 10 ms each; so each
 * of these may have to be called again.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "engine/ns/launch-parts.h"

#define FREEZE_TIMEOUT_MS 1000

int hold_remove_leftover(const char *box_id, struct coffer_error *err)
{
        struct cgroup old;
        int r = cgroup_open(box_id, &old, err);

        if (r == 0)
                r = cgroup_kill(&old, KILL_TIMEOUT_MS, err);
        return r == 0 ? cgroup_remove(&old, err) : r;
}

static int gather(struct engine_box *box, unsigned budget_ms, unsigned *ret_inside,
                  struct coffer_error *err)
{
        struct ns_data *data = box->data;
        pid_t supervisor = 0;
        int r = sys_pidfd_pid(box->pidfd, &supervisor);

        if (r < 0)
                return error_set(err, r, "find the supervisor of the box");
        return cgroup_gather(&data->cgroup, supervisor, budget_ms, ret_inside, err);
}

/* ------------------------------------------------------------------------------ the freezer */

static int want_freezer(const char *box_id, struct ns_data *data, struct coffer_error *err)
{
        bool had_none = data->cgroup.mode == CGROUP_NONE;
        int r = cgroup_want_freezer(&data->cgroup, box_id, err);

        if (r != -EEXIST || !had_none)
                return r;
        (void)cgroup_remove(&data->cgroup, NULL);
        r = hold_remove_leftover(box_id, err);
        return r < 0 ? r : cgroup_want_freezer(&data->cgroup, box_id, err);
}

/* Frozen first, then filled: whoever comes in stops at once and forks no more. */
int hold_freeze(const char *box_id, struct engine_box *box, unsigned budget_ms,
                unsigned *ret_inside, struct coffer_error *err)
{
        struct ns_data *data = box->data;
        int r = want_freezer(box_id, data, err);

        if (r == 0)
                r = cgroup_set_frozen(&data->cgroup, err);
        if (r == 0)
                r = gather(box, budget_ms, ret_inside, err);
        if (r == 0)
                r = cgroup_freeze(&data->cgroup, FREEZE_TIMEOUT_MS, err);
        if (r < 0 && r != -EAGAIN)
                (void)cgroup_thaw(&data->cgroup, NULL);
        return r;
}

int hold_thaw(struct engine_box *box, struct coffer_error *err)
{
        struct ns_data *data = box->data;

        return data ? cgroup_thaw(&data->cgroup, err) : 0;
}

/* Asked before each exec, so with one system call: the kernel's own answer, whoever froze it. */
bool hold_is_frozen(const struct engine_box *box)
{
        struct ns_data *data = box->data;
        bool frozen = false;
        char text[256];
        ssize_t n;

        if (!data || data->cgroup.mode == CGROUP_NONE)
                return false;
        if (data->cgroup.leaf_fd[CGROUP_LOAD] < 0)
                return cgroup_is_frozen(&data->cgroup, &frozen) == 0 && frozen;
        if (data->events_fd < 0)
                data->events_fd =
                        sys_open(data->cgroup.leaf_fd[CGROUP_LOAD], "cgroup.events", O_RDONLY);
        n = pread(data->events_fd, text, sizeof(text) - 1, 0);
        text[n < 0 ? 0 : n] = '\0';
        return strstr(text, "frozen 1") != NULL;
}

/* --------------------------------------------------------------------------------- limits */

static const char *mode_word(const struct cgroup *cg)
{
        return cg->mode == CGROUP_V2 ? "v2" : cg->mode == CGROUP_V1 ? "v1" : "none";
}

/* The row of @control, whose name is all up to the first tab, is replaced. */
static void set_row(struct strv *posture, const char *control, const char *state,
                    const char *detail)
{
        struct strv rows = {.items = NULL};
        size_t length = strlen(control);
        int r = 0;

        for (size_t i = 0; r == 0 && i < posture->count; i++) {
                const char *row = posture->items[i];

                if (strncmp(row, control, length) != 0 || row[length] != '\t')
                        r = strv_add(&rows, row);
        }
        if (r == 0)
                r = strv_addf(&rows, "%s\t%s\t%s", control, state, detail);
        if (r < 0) {
                strv_release(&rows);
                return;
        }
        strv_release(posture);
        *posture = rows;
}

/*
 * The limit of the user namespace was fixed when that was made (user_namespaces(7)): a cgroup can
 * set a narrower one beside it, and nothing a wider one.
 */
static int check_processes(const char *box_id, const struct ns_data *data,
                           const struct msg_update *m, struct coffer_error *err)
{
        uint32_t now = data->processes_max;
        uint64_t wanted = m->pids_max;

        if (!(m->which & UPDATE_PIDS) || now == 0 ||
            (wanted != 0 && wanted <= now - SETUP_OWN_PROCESSES))
                return 0;
        (void)error_say(
                err, -EOPNOTSUPP, COFFER_ERROR_CONTROL,
                "--pids-limit of a running box cannot rise above the %u it was started with",
                now - SETUP_OWN_PROCESSES);
        error_hint(err, "stop box %s first: it takes effect at the next start", box_id);
        return -EOPNOTSUPP;
}

/* What the user namespace does already needs no cgroup. */
static bool needs_no_cgroup(const struct ns_data *data, const struct msg_update *m)
{
        const struct cgroup *cg = &data->cgroup;
        bool has_pids = cg->mode != CGROUP_NONE && cg->limited;

        return m->which == UPDATE_PIDS && !has_pids &&
               (data->processes_max == 0
                        ? m->pids_max == 0
                        : m->pids_max == data->processes_max - SETUP_OWN_PROCESSES);
}

static int change(const char *box_id, struct ns_data *data, const struct msg_update *m,
                  struct coffer_error *err)
{
        struct cgroup_limits limits = {
                .memory_bytes = m->memory_bytes,
                .cpu_milli = m->cpu_millis,
                .pids_max = m->pids_max ? m->pids_max + 1 : 0, /* and the stem */
        };
        uint32_t which = (m->which & UPDATE_MEMORY ? 1U << CGROUP_MEMORY : 0) |
                         (m->which & UPDATE_CPU ? 1U << CGROUP_CPU : 0) |
                         (m->which & UPDATE_PIDS ? 1U << CGROUP_PIDS : 0);
        bool had_none = data->cgroup.mode == CGROUP_NONE;
        int r = cgroup_change(&data->cgroup, box_id, &limits, which, err);

        if (r != -EEXIST || !had_none)
                return r;
        (void)cgroup_remove(&data->cgroup, NULL);
        r = hold_remove_leftover(box_id, err);
        return r < 0 ? r : cgroup_change(&data->cgroup, box_id, &limits, which, err);
}

void hold_tell_limit(struct strv *posture, const struct cgroup *cg, enum cgroup_controller what,
                     uint64_t limit, const char *remark)
{
        static const struct {
                const char *control;
                const char *unit;
        } rows[] = {
                [CGROUP_MEMORY] = {"cgroup.memory", "bytes"                                     },
                [CGROUP_PIDS] = {"cgroup.pids",   "processes over all ids of the box together"},
                [CGROUP_CPU] = {"cgroup.cpu",    "thousandths of a processor"                },
        };
        char detail[160];

        (void)snprintf(detail, sizeof(detail), "%" PRIu64 " %s, cgroup %s%s", limit,
                       rows[what].unit, mode_word(cg), remark);
        set_row(posture, rows[what].control, limit ? "enforced" : "off",
                limit ? detail : "no limit asked for");
}

static void tell_posture(struct engine_box *box, const struct msg_update *m)
{
        static const char late[] = ", changed while it ran: memory from before may not count";
        struct ns_data *data = box->data;
        struct strv *to = &box->posture;

        if (m->which & UPDATE_MEMORY) {
                data->memory_bytes = m->memory_bytes;
                hold_tell_limit(to, &data->cgroup, CGROUP_MEMORY, m->memory_bytes, late);
        }
        if (m->which & UPDATE_CPU) {
                data->cpu_millis = m->cpu_millis;
                hold_tell_limit(to, &data->cgroup, CGROUP_CPU, m->cpu_millis, "");
        }
        if (m->which & UPDATE_PIDS)
                hold_tell_limit(to, &data->cgroup, CGROUP_PIDS, m->pids_max, "");
}

int hold_limit(const char *box_id, struct engine_box *box, const struct msg_update *m,
               unsigned budget_ms, unsigned *ret_inside, struct coffer_error *err)
{
        struct ns_data *data = box->data;
        int r = check_processes(box_id, data, m, err);

        if (r < 0 || needs_no_cgroup(data, m))
                return r;
        r = change(box_id, data, m, err);
        if (r == 0)
                r = gather(box, budget_ms, ret_inside, err);
        if (r == 0)
                tell_posture(box, m);
        return r;
}
