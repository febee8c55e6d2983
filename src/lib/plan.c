/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/plan.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/ns/plan.h"
#include "lib/call.h"
#include "store/meta.h"
#include "store/state.h"

#define PASSWD_BYTES 16384
#define FRESH_NS     UINT64_C(1000000000) /* too short for anybody to update it */

/**
 * struct place - where everything of a box lies, with what ns_root points to
 */
struct place {
        struct ns_root root;
        struct strv layer_dirs;
        struct strv mount_sources;
        char *box_dir;
        char *caller_name;
        char *caller_home;
};

static void place_release(struct place *p)
{
        strv_release(&p->layer_dirs);
        strv_release(&p->mount_sources);
        free(p->box_dir);
        free(p->caller_name);
        free(p->caller_home);
        *p = (struct place){.box_dir = NULL};
}

static int find_root(const struct coffer_box *box, struct place *p)
{
        const struct spec *spec = box->spec;
        int r = 0;

        if (str_eq(spec->image, "host")) {
                p->root.kind = NS_ROOT_HOST;
                return 0;
        }
        p->root.dir = str_after(spec->image, "dir:");
        if (p->root.dir) {
                p->root.kind = NS_ROOT_DIR;
                return 0;
        }
        p->root.kind = NS_ROOT_LAYERS;
        p->root.layer_dirs = &p->layer_dirs;
        for (size_t i = 0; r == 0 && i < spec->layers.count; i++) {
                const char *hex = str_after(spec->layers.items[i], "sha256:");

                r = strv_addf(&p->layer_dirs, "%s/images/layers/%s", box->runtime->home->path,
                              hex ? hex : spec->layers.items[i]);
        }
        return r;
}

static int find_sources(const struct coffer_box *box, struct place *p)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < box->spec->mounts.count; i++) {
                const struct spec_mount *m = &box->spec->mounts.items[i];

                if (m->kind == SPEC_VOLUME)
                        r = strv_addf(&p->mount_sources, "%s/volumes/%s/_data",
                                      box->runtime->home->path, m->source);
                else
                        r = strv_add(&p->mount_sources, m->kind == SPEC_BIND ? m->source : "");
        }
        return r;
}

/* What may stand in a line of passwd(5). */
static const char *from_env(const char *name, char first)
{
        const char *value = getenv(name);

        if (!value || value[0] == '\0' || (first && value[0] != first))
                return NULL;
        return strpbrk(value, ":\n") ? NULL : value;
}

/* Somebody whom /etc/passwd does not know, since a directory service does, knows himself. */
static int find_caller(struct place *p)
{
        char text[PASSWD_BYTES];
        struct passwd entry, *found = NULL;
        const char *name, *home;

        p->root.caller_uid = getuid();
        p->root.caller_gid = getgid();
        p->root.caller_name = "user";
        p->root.caller_home = "/";
        if (p->root.kind != NS_ROOT_HOST)
                return 0;
        (void)getpwuid_r(getuid(), &entry, text, sizeof(text), &found);
        name = found ? found->pw_name : from_env("LOGNAME", 0);
        home = found ? found->pw_dir : from_env("HOME", '/');
        if (name)
                p->root.caller_name = p->caller_name = strdup(name);
        if (home)
                p->root.caller_home = p->caller_home = strdup(home);
        return p->root.caller_name && p->root.caller_home ? 0 : -ENOMEM;
}

static int find_place(struct coffer_box *box, struct place *p, struct coffer_error *err)
{
        const struct spec *spec;
        int r = box_spec(box, &spec, err);

        if (r < 0)
                return r;
        *p = (struct place){
                .root =
                        {
                               .store_base = IDS_STORE,
                               .mount_sources = &p->mount_sources,
                               .as_root = box->runtime->as_root,
                               },
        };
        r = find_root(box, p);
        if (r == 0)
                r = find_sources(box, p);
        if (r == 0)
                r = find_caller(p);
        if (r == 0 && asprintf(&p->box_dir, "%s/boxes/%s", box->runtime->home->path, box->id) < 0) {
                p->box_dir = NULL;
                r = -ENOMEM;
        }
        p->root.box_dir = p->box_dir;
        if (r < 0) {
                place_release(p);
                return error_set(err, r, "plan box %s", box->id);
        }
        return 0;
}

/* -------------------------------------------------------------------------------------- start */

static uint32_t start_flags(const struct spec *spec, uint32_t flags, uint32_t streams)
{
        if (spec->remove && !(flags & START_HELPER))
                flags |= START_REMOVE;
        if (spec->allow_degraded.count > 0)
                flags |= START_HELD;
        if (spec->audit)
                flags |= START_AUDIT_BEST_EFFORT;
        /* A helper's input ends with ours. */
        if ((spec->open_stdin || flags & START_HELPER) && streams & PROTO_STDIN)
                flags |= START_STDIN_ONCE;
        return flags;
}

static uint32_t given_or(uint32_t given, uint32_t otherwise)
{
        return given > 0 ? given : otherwise;
}

static int fill_health(const struct spec *spec, struct msg_health *m)
{
        const struct spec_health *h = &spec->health;

        m->interval_ms = given_or(h->interval_ms, SPEC_HEALTH_INTERVAL_MS);
        m->timeout_ms = given_or(h->timeout_ms, SPEC_HEALTH_TIMEOUT_MS);
        m->start_period_ms = given_or(h->start_period_ms, SPEC_HEALTH_START_MS);
        m->start_interval_ms = given_or(h->start_interval_ms, SPEC_HEALTH_STEP_MS);
        m->retries = given_or(h->retries, SPEC_HEALTH_RETRIES);
        return spec_health_argv(spec, &m->argv);
}

static int fill_start(struct coffer_box *box, uint32_t flags, uint32_t streams, struct msg_start *m)
{
        const struct spec *spec = box->spec;
        uint64_t pids = spec->pids_max == SPEC_UNLIMITED ? 0 : spec->pids_max;

        m->flags = start_flags(spec, flags, streams);
        m->limits = (struct msg_limits){
                .memory_bytes = spec->memory_bytes,
                .cpu_millis = spec->cpu_millis,
                .pids_max = pids,
        };
        m->stop_signal = spec->stop_signal;
        m->stop_grace_ms = spec->stop_grace_ms;
        m->log_max_bytes = spec->log_max_bytes;
        m->log_files = spec->log_files;
        m->attach = streams;
        m->created_by = strdup(COFFER_VERSION);
        m->name = strdup(box->name);
        m->image = strdup(spec->image);
        if (!m->created_by || !m->name || !m->image)
                return -ENOMEM;
        m->created_ns = box->created_ns;
        if (spec->health.test.count > 0 && !(flags & START_HELPER) &&
            fill_health(spec, &m->health) < 0)
                return -ENOMEM;
        if (!(flags & START_HELPER)) {
                m->restart = box->restart.kind;
                m->restart_max = box->restart.max_retries;
        }
        if (strv_copy(&m->may_lack, &spec->allow_degraded) < 0)
                return -ENOMEM;
        return strv_copy(&m->labels, &spec->labels);
}

/* What may have changed since it was made; the handle that made it knows. */
static int recall(struct coffer_box *box, struct coffer_error *err)
{
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        int r;

        if (box->fresh && now_ns() - box->created_ns < FRESH_NS)
                return 0;
        r = meta_read(box->dir_fd, &meta, err);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        box->created_ns = meta.created_ns;
        box->restart = meta.restart;
        return box_apply_updates(box, &meta.updates, err);
}

static int encode_setup(const struct coffer_box *box, const struct place *p, uint32_t flags,
                        struct msg_start *m, struct coffer_error *err)
{
        struct msg_setup setup = {.id_count = 0};
        int r = ns_plan_setup(box->spec, &p->root, &m->idmap, &setup, err);

        if (r < 0)
                return r;
        /* A volatile overlay cannot be mounted twice (overlayfs: work/incompat/volatile). */
        if (flags & START_HELPER)
                setup.overlay_volatile = 0;
        m->setup = BUF_INIT(PROTO_PAYLOAD_MAX);
        r = wire_encode(&m->setup, &msg_setup_table, &setup);
        wire_release(&msg_setup_table, &setup);
        return r < 0 ? error_set(err, r, "plan the root of box %s", box->id) : 0;
}

static int encode_process(const struct coffer_box *box, const struct place *p,
                          const struct msg_process *given, const struct coffer_call *call,
                          struct msg_start *m, struct coffer_error *err)
{
        struct msg_process process = {.flags = 0};
        int r;

        m->process = BUF_INIT(PROTO_PAYLOAD_MAX);
        if (given)
                return wire_encode(&m->process, &msg_process_table, given);
        r = ns_plan_process(box->spec, NULL, &p->root, &process, err);
        if (r < 0)
                return r;
        process.rows = call->rows;
        process.cols = call->columns;
        r = wire_encode(&m->process, &msg_process_table, &process);
        wire_release(&msg_process_table, &process);
        if (r < 0) {
                (void)error_say(err, r, COFFER_ERROR_USAGE,
                                "arguments and environment of the box are too large");
                error_hint(err, "pass what is large in a file: -v FILE:/mnt/file:ro");
        }
        return r;
}

int plan_start(struct coffer_box *box, const struct msg_process *main, uint32_t flags,
               const struct coffer_call *call, struct msg_start *ret_start,
               struct coffer_error *err)
{
        struct msg_start m = {.flags = 0};
        struct place p;
        int r = find_place(box, &p, err);

        if (r < 0)
                return r;
        r = box_idmap(box, &m.idmap, err);
        if (r == 0)
                r = recall(box, err);
        if (r == 0)
                r = encode_setup(box, &p, flags, &m, err);
        if (r == 0)
                r = encode_process(box, &p, main, call, &m, err);
        if (r == 0) {
                r = fill_start(box, flags, call->streams, &m);
                if (r < 0)
                        (void)error_set(err, r, "plan box %s", box->id);
        }
        place_release(&p);
        if (r < 0) {
                wire_release(&msg_start_table, &m);
                return r;
        }
        *ret_start = m;
        return 0;
}

/* --------------------------------------------------------------------------------------- exec */

int plan_exec(struct coffer_box *box, const struct coffer_spec *spec,
              struct msg_process *ret_process, struct coffer_error *err)
{
        struct msg_process m = {.flags = 0};
        struct place p;
        int r = find_place(box, &p, err);

        if (r < 0)
                return r;
        r = ns_plan_process(box->spec, &spec->spec, &p.root, &m, err);
        place_release(&p);
        if (r < 0)
                return r;
        if (spec->detached)
                m.flags |= PROCESS_DETACHED;
        m.rows = spec->rows;
        m.cols = spec->columns;
        *ret_process = m;
        return 0;
}

int plan_builtin(struct coffer_box *box, const char *const *argv, struct msg_process *ret_process,
                 struct coffer_error *err)
{
        struct coffer_spec *spec;
        struct msg_process m;
        int r = coffer_spec_new(&spec, err);

        if (r == 0)
                r = coffer_spec_set_command(spec, argv, err);
        /* As the box's root, and from "/": both exist in every box. */
        if (r == 0)
                r = coffer_spec_set(spec, "user", "0:0", err);
        if (r == 0)
                r = coffer_spec_set(spec, "workdir", "/", err);
        if (r == 0)
                r = coffer_spec_set(spec, "interactive", "true", err);
        if (r == 0)
                r = plan_exec(box, spec, &m, err);
        (void)coffer_spec_free(spec);
        if (r < 0)
                return r;
        m.flags = (m.flags & ~(uint32_t)PROCESS_TTY & ~(uint32_t)PROCESS_REAPER) | PROCESS_STDIN |
                  PROCESS_BUILTIN;
        *ret_process = m;
        return 0;
}
