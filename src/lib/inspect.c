/* SPDX-License-Identifier: Apache-2.0 */

/* inspect and info: what is known, with Docker's names. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "lib/audit.h"
#include "lib/emit.h"
#include "lib/view.h"
#include "lib/views.h"
#include "sandbox/posture.h"
#include "spec/caps.h"
#include "spec/value.h"
#include "store/health.h"

#define INSPECT_MAX_BYTES (32 * 1024 * 1024)

/* The status of a box that has a check is there from its first start on; so in Docker. */
static void emit_health(struct buf *b, const struct view *v, const struct health_log *log)
{
        if (v->record.health[0] == '\0')
                return;
        emit_open(b, "Health", '{');
        emit_str(b, "Status", v->record.health);
        emit_u64(b, "FailingStreak", log->failing_streak);
        emit_open(b, "Log", '[');
        for (size_t i = 0; i < log->count; i++) {
                const struct health_probe *p = &log->probes[i];

                emit_open(b, NULL, '{');
                emit_time(b, "Start", p->start_ns);
                emit_time(b, "End", p->end_ns);
                emit_i64(b, "ExitCode", p->exit_code);
                emit_str(b, "Output", p->output);
                emit_close(b, '}');
        }
        emit_close(b, ']');
        emit_close(b, '}');
}

static void emit_state(struct buf *b, const struct view *v, const struct health_log *log)
{
        static const struct {
                enum coffer_state state;
                const char *docker;
        } words[] = {
                {COFFER_STATE_STARTING, "created"},
                {COFFER_STATE_STOPPING, "running"},
                {COFFER_STATE_STOPPED,  "exited" },
                {COFFER_STATE_FAILED,   "exited" },
        };
        const char *status = coffer_state_name(v->state);
        bool running = v->state == COFFER_STATE_RUNNING || v->state == COFFER_STATE_PAUSED ||
                       v->state == COFFER_STATE_STOPPING || v->state == COFFER_STATE_RESTARTING;

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (words[i].state == v->state)
                        status = words[i].docker;
        emit_open(b, "State", '{');
        emit_str(b, "Status", status);
        emit_bool(b, "Running", running);
        emit_bool(b, "Paused", v->state == COFFER_STATE_PAUSED);
        emit_bool(b, "Restarting", v->state == COFFER_STATE_RESTARTING);
        emit_bool(b, "OOMKilled", v->record.oom_killed);
        emit_bool(b, "Dead", false);
        emit_u64(b, "Pid", v->held ? v->record.pid : 0);
        emit_u64(b, "ExitCode", v->record.exit_code);
        emit_str(b, "Error", v->record.error);
        emit_time(b, "StartedAt", v->record.started_ns);
        emit_time(b, "FinishedAt", v->record.finished_ns);
        emit_str(b, "Reason", v->record.reason);
        emit_bool(b, "TimedOut", v->record.timed_out);
        emit_health(b, v, log);
        emit_close(b, '}');
}

static void emit_ulimits(struct buf *b, const struct spec_ulimits *limits)
{
        emit_open(b, "Ulimits", '[');
        for (size_t i = 0; i < limits->count; i++) {
                emit_open(b, NULL, '{');
                emit_str(b, "Name", value_ulimit_name(limits->items[i].resource));
                emit_u64(b, "Soft", limits->items[i].soft);
                emit_u64(b, "Hard", limits->items[i].hard);
                emit_close(b, '}');
        }
        emit_close(b, ']');
}

static void emit_host_config(struct buf *b, const struct spec *s,
                             const struct restart_policy *restart)
{
        emit_open(b, "HostConfig", '{');
        emit_str(b, "NetworkMode", "none");
        emit_bool(b, "AutoRemove", s->remove);
        emit_bool(b, "ReadonlyRootfs", s->read_only);
        emit_bool(b, "Init", s->init);
        emit_bool(b, "Privileged", false);
        emit_u64(b, "Memory", s->memory_bytes);
        emit_u64(b, "NanoCpus", s->cpu_millis * 1000000);
        if (s->pids_max == 0 || s->pids_max == SPEC_UNLIMITED)
                emit_null(b, "PidsLimit");
        else
                emit_u64(b, "PidsLimit", s->pids_max);
        emit_u64(b, "ShmSize", s->shm_bytes);
        emit_strv(b, "CapAdd", &s->cap_add);
        emit_strv(b, "CapDrop", &s->cap_drop);
        emit_strv(b, "GroupAdd", &s->group_add);
        emit_strv(b, "ExtraHosts", &s->add_host);
        emit_strv(b, "AllowDegraded", &s->allow_degraded);
        emit_strv(b, "Require", &s->require);
        emit_ulimits(b, &s->ulimits);
        emit_open(b, "RestartPolicy", '{');
        emit_str(b, "Name", restart_name(restart->kind));
        emit_u64(b, "MaximumRetryCount", restart->max_retries);
        emit_close(b, '}');
        emit_close(b, '}');
}

/* As it was given, like Docker: what was not is left out, though it has a default. */
static void emit_healthcheck(struct buf *b, const struct spec_health *h)
{
        const struct {
                const char *key;
                uint32_t ms;
        } times[] = {
                {"Interval",      h->interval_ms      },
                {"Timeout",       h->timeout_ms       },
                {"StartPeriod",   h->start_period_ms  },
                {"StartInterval", h->start_interval_ms},
        };

        if (!h->off && h->test.count == 0)
                return;
        emit_open(b, "Healthcheck", '{');
        if (h->off) {
                emit_open(b, "Test", '[');
                emit_str(b, NULL, "NONE");
                emit_close(b, ']');
        } else {
                emit_strv(b, "Test", &h->test);
        }
        for (size_t i = 0; i < ELEMENTS(times); i++)
                if (times[i].ms > 0)
                        emit_u64(b, times[i].key, times[i].ms * UINT64_C(1000000));
        if (h->retries > 0)
                emit_u64(b, "Retries", h->retries);
        emit_close(b, '}');
}

static void emit_config(struct buf *b, const struct spec *s)
{
        char number[16];

        (void)snprintf(number, sizeof(number), "%u", s->stop_signal);
        emit_open(b, "Config", '{');
        emit_str(b, "Hostname", s->hostname);
        emit_str(b, "User", s->user);
        emit_bool(b, "Tty", s->tty);
        emit_bool(b, "OpenStdin", s->open_stdin);
        emit_strv(b, "Env", &s->env);
        emit_strv(b, "Cmd", &s->args);
        emit_str(b, "Image", s->image);
        emit_str(b, "WorkingDir", s->workdir);
        emit_strv(b, "Entrypoint", &s->entrypoint.argv);
        emit_pairs(b, "Labels", &s->labels);
        emit_str(b, "StopSignal", number);
        emit_u64(b, "StopTimeout", s->stop_grace_ms / 1000);
        emit_healthcheck(b, &s->health);
        emit_close(b, '}');
}

static void emit_mounts(struct buf *b, const struct coffer_box *box)
{
        static const char *const kinds[] = {
                [SPEC_BIND] = "bind",
                [SPEC_VOLUME] = "volume",
                [SPEC_TMPFS] = "tmpfs",
        };
        const struct spec_mounts *mounts = &box->spec->mounts;

        emit_open(b, "Mounts", '[');
        for (size_t i = 0; i < mounts->count; i++) {
                const struct spec_mount *m = &mounts->items[i];
                char path[PATH_MAX] = "";

                emit_open(b, NULL, '{');
                emit_str(b, "Type", kinds[m->kind]);
                if (m->kind == SPEC_VOLUME) {
                        emit_str(b, "Name", m->source);
                        (void)snprintf(path, sizeof(path), "%s/volumes/%s/_data",
                                       box->runtime->home->path, m->source);
                }
                emit_str(b, "Source", path[0] != '\0' ? path : m->source);
                emit_str(b, "Destination", m->target);
                emit_bool(b, "RW", !m->read_only);
                emit_close(b, '}');
        }
        emit_close(b, ']');
}

/* Main as it runs now; false when it does not, or when its number is somebody else's by now. */
static bool gather(const struct coffer_box *box, const struct view *v, struct posture_facts *facts)
{
        cleanup_close int pidfd = -EBADF;

        if (!v->held || v->record.pid == 0)
                return false;
        pidfd = sys_pidfd_open((pid_t)v->record.pid);
        if (pidfd < 0 ||
            !process_has_mark(pidfd, v->record.pid, v->record.pid_inode, v->record.pid_start))
                return false;
        facts->caps_max = spec_caps_root(box->spec) | spec_caps_user(box->spec);
        facts->memory_asked = box->spec->memory_bytes;
        posture_gather((pid_t)v->record.pid, box->id, facts);
        return facts->main.known;
}

/* @facts: NULL: the box does not run, and nothing can be read back. */
static void emit_row(struct buf *b, char *row, const struct posture_facts *facts)
{
        const char *control = strsep(&row, "\t"), *wanted = strsep(&row, "\t");
        const char *state = strsep(&row, "\t");
        enum posture_answer answer = POSTURE_UNKNOWN;
        char seen[128] = "", contrary[192];

        if (facts && state && str_eq(state, "enforced"))
                answer = posture_verify(control, facts, seen, sizeof(seen));
        emit_open(b, NULL, '{');
        emit_str(b, "control", control);
        emit_str(b, "wanted", wanted);
        if (answer == POSTURE_NO) {
                (void)snprintf(contrary, sizeof(contrary), "was enforced, and does not hold: %s",
                               seen);
                emit_str(b, "state", "off");
                emit_str(b, "detail", contrary);
        } else {
                emit_str(b, "state", state);
                emit_str(b, "detail", row); /* may have tabs of its own */
        }
        emit_str(b, "verified", answer == POSTURE_YES ? seen : "");
        emit_close(b, '}');
}

static void emit_posture(struct buf *b, const struct coffer_box *box, const struct view *v)
{
        const struct strv *rows = &v->record.posture;
        struct posture_facts facts = {.memory_asked = 0};
        bool runs = rows->count > 0 && gather(box, v, &facts);

        emit_open(b, "Posture", '[');
        for (size_t i = 0; i < rows->count; i++) {
                char *row = strdup(rows->items[i]);

                if (!row) {
                        b->failed = -ENOMEM;
                        return;
                }
                emit_row(b, row, runs ? &facts : NULL);
                free(row);
        }
        emit_close(b, ']');
}

/* What its head says; nothing is verified here. */
static void emit_audit(struct buf *b, const struct coffer_box *box)
{
        struct audit_head head = {.count = 0};
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/" AUDIT_DIR "/%s", box->runtime->home->path,
                       audit_file(box->id, 0).text);
        emit_open(b, "Audit", '{');
        emit_str(b, "Mode", box->spec->audit ? box->spec->audit : "required");
        emit_str(b, "Path", path);
        if (audit_summary(box, &head)) {
                emit_u64(b, "Records", head.count);
                emit_u64(b, "Dropped", head.dropped);
                emit_str(b, "Head", head.hash);
        } else {
                emit_null(b, "Records");
                emit_null(b, "Dropped");
                emit_null(b, "Head");
        }
        emit_close(b, '}');
}

static void emit_identity(struct buf *b, const struct view *v)
{
        emit_open(b, "Identity", '{');
        emit_u64(b, "Pid", v->identity.pid);
        emit_u64(b, "StartTime", v->identity.start_time);
        emit_str(b, "BootId", v->identity.boot_id);
        emit_u64(b, "PidNamespace", v->identity.pid_ns);
        emit_str(b, "Version", v->identity.coffer);
        emit_close(b, '}');
}

static void emit_box(struct buf *b, const struct coffer_box *box, const struct view *v,
                     const struct health_log *log, const struct strv *argv)
{
        const struct spec *s = box->spec;
        struct strv args = {.items = argv->items + 1, .count = argv->count - 1};

        emit_open(b, NULL, '{');
        emit_str(b, "Id", box->id);
        emit_time(b, "Created", v->meta.created_ns);
        emit_str(b, "Path", argv->items[0]);
        emit_strv(b, "Args", &args);
        emit_state(b, v, log);
        emit_str(b, "Image", s->image_id ? s->image_id : s->image);
        emit_str(b, "Name", v->claims.name);
        emit_u64(b, "RestartCount", v->record.restart_count);
        emit_str(b, "Platform", "linux");
        emit_host_config(b, s, &v->meta.restart);
        emit_mounts(b, box);
        emit_config(b, s);
        emit_open(b, "NetworkSettings", '{');
        emit_open(b, "Ports", '{');
        emit_close(b, '}');
        emit_close(b, '}');
        emit_posture(b, box, v);
        emit_audit(b, box);
        if (v->identity.pid != 0)
                emit_identity(b, v);
        else
                emit_null(b, "Identity");
        emit_null(b, "Policy");
        emit_close(b, '}');
}

int coffer_box_inspect(struct coffer_box *box, char **ret_json, struct coffer_error *err)
{
        cleanup_with(view_release) struct view v = {.held = false};
        cleanup_with(health_log_release) struct health_log log = {.count = 0};
        cleanup_with(strv_release) struct strv argv = {.items = NULL};
        struct buf b = BUF_INIT(INSPECT_MAX_BYTES);
        const struct spec *spec;
        int r;

        REQUIRE(box && ret_json, err);
        r = view_read(box->runtime, NULL, box->id, box->dir_fd, &v, err);
        if (r == -ENOENT)
                return error_say(err, r, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed", box->id);
        if (r == 0)
                r = box_spec(box, &spec, err);
        if (r == 0)
                r = box_apply_updates(box, &v.meta.updates, err);
        if (r < 0)
                return r;
        r = spec_argv(spec, &argv);
        if (r == 0 && argv.count == 0)
                r = -EBADMSG;
        /* Before the first probe there is none; a torn one is no reason to show nothing at all. */
        if (r == 0 && v.record.health[0] != '\0')
                (void)health_log_read(box->dir_fd, &log, NULL);
        if (r == 0) {
                emit_box(&b, box, &v, &log, &argv);
                r = b.failed;
        }
        if (r < 0) {
                buf_release(&b);
                return error_set(err, r, "inspect box %s", box->id);
        }
        *ret_json = b.data;
        return 0;
}

/* ---------------------------------------------------------------------------------------- info */

static void emit_info(struct buf *b, const struct coffer_runtime *rt, const struct views *views)
{
        uint64_t running = 0, paused = 0;
        struct utsname host;
        struct sysinfo memory;

        for (size_t i = 0; i < views->count; i++) {
                enum coffer_state state = views->items[i].state;

                running += state == COFFER_STATE_RUNNING || state == COFFER_STATE_STOPPING ||
                           state == COFFER_STATE_RESTARTING;
                paused += state == COFFER_STATE_PAUSED;
        }
        emit_open(b, NULL, '{');
        emit_str(b, "ServerVersion", COFFER_VERSION);
        emit_str(b, "CofferHome", rt->home->path);
        emit_str(b, "ProgramDir", rt->program_dir);
        emit_u64(b, "Containers", views->count);
        emit_u64(b, "ContainersRunning", running);
        emit_u64(b, "ContainersPaused", paused);
        emit_u64(b, "ContainersStopped", views->count - running - paused);
        if (uname(&host) == 0) {
                emit_str(b, "KernelVersion", host.release);
                emit_str(b, "Architecture", host.machine);
                emit_str(b, "Name", host.nodename);
        }
        emit_str(b, "OSType", "linux");
        emit_u64(b, "NCPU", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
        if (sysinfo(&memory) == 0)
                emit_u64(b, "MemTotal", (uint64_t)memory.totalram * memory.mem_unit);
        emit_bool(b, "Rootless", !rt->as_root);
        emit_close(b, '}');
}

int coffer_runtime_info(struct coffer_runtime *runtime, char **ret_json, struct coffer_error *err)
{
        cleanup_with(views_release) struct views views = {.items = NULL};
        struct buf b = BUF_INIT(INSPECT_MAX_BYTES);
        int r;

        REQUIRE(runtime && ret_json, err);
        r = views_read(runtime, &views, err);
        if (r < 0)
                return r;
        emit_info(&b, runtime, &views);
        if (b.failed < 0) {
                r = b.failed;
                buf_release(&b);
                return error_set(err, r, "describe the home");
        }
        *ret_json = b.data;
        return 0;
}
