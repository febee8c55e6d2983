/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pause, unpause and update.  What update changes is asked of the box that runs first; then it is
 * kept in meta.json, over what config.json says, for every later start.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "lib/audit.h"
#include "lib/defaults.h"
#include "lib/request.h"
#include "lib/settle.h"
#include "spec/spec.h"
#include "store/events.h"
#include "store/file.h"
#include "store/meta.h"

static int not_running(struct coffer_call *c)
{
        (void)error_say(&c->error, -ESRCH, COFFER_ERROR_STATE, "box %s is not running", c->box->id);
        error_hint(&c->error, "`coffer start %s` starts it", c->box->id);
        return -ESRCH;
}

/* The answer to a request that is OK or ERROR; -ESRCH without words when nobody runs the box. */
static int await_answer(struct coffer_call *c)
{
        struct frame f = FRAME_INIT;
        int r = request_frame(c, &f);

        if (r == -EPIPE) { /* it ended over it */
                c->cut = true;
                r = -ESRCH;
        }
        if (r < 0)
                return r;
        if (f.header.type == PROTO_ERROR)
                r = frame_error(&f, &c->error);
        else if (f.header.type != PROTO_OK)
                r = error_say(&c->error, -EBADMSG, COFFER_ERROR_OTHER,
                              "box %s answered something else than was asked", c->box->id);
        frame_release(&f);
        return r;
}

static int step_simple(struct coffer_call *c)
{
        int r = await_answer(c);

        return r == -ESRCH ? not_running(c) : r;
}

static int simple_begin(struct coffer_box *box, enum proto_type what, struct coffer_call **ret_call,
                        struct coffer_error *err)
{
        struct coffer_call *c;
        int r = call_new(box, step_simple, &c, err);

        if (r < 0)
                return r;
        (void)request_encode(c, what, NULL);
        return call_begin(c, ret_call, err);
}

int coffer_box_pause_begin(struct coffer_box *box, struct coffer_call **ret_call,
                           struct coffer_error *err)
{
        REQUIRE(box && ret_call, err);
        return simple_begin(box, PROTO_PAUSE, ret_call, err);
}

int coffer_box_pause(struct coffer_box *box, int timeout_ms, struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_pause_begin(box, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}

int coffer_box_unpause_begin(struct coffer_box *box, struct coffer_call **ret_call,
                             struct coffer_error *err)
{
        REQUIRE(box && ret_call, err);
        return simple_begin(box, PROTO_UNPAUSE, ret_call, err);
}

int coffer_box_unpause(struct coffer_box *box, int timeout_ms, struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_unpause_begin(box, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}

/* --------------------------------------------------------------------------------- update */

/* What a running box is told at once. */
static const struct {
        const char *key;
        uint32_t bit;
} told[] = {
        {"memory",     UPDATE_MEMORY },
        {"cpus",       UPDATE_CPU    },
        {"pids-limit", UPDATE_PIDS   },
        {"restart",    UPDATE_RESTART},
};

static void tell_updated(const struct coffer_box *box, const struct box_meta *meta)
{
        struct event event = {
                .type = "container",
                .action = "update",
                .id = box->id,
                .name = box->name,
                .image = meta->image,
                .labels = &meta->labels,
        };

        (void)event_append(box->runtime->home->fd, &event);
}

/* A restart policy has a place of its own, where a list of boxes finds it. */
static int merge(struct box_meta *meta, const struct strv *changes)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < changes->count; i++) {
                char *text = strdup(changes->items[i]);
                char *equals = text ? strchr(text, '=') : NULL;

                if (!equals) {
                        free(text);
                        return -ENOMEM;
                }
                *equals = '\0';
                r = str_eq(text, "restart") ? restart_parse(equals + 1, &meta->restart)
                                            : strv_set(&meta->updates, text, equals + 1);
                free(text);
        }
        return r;
}

/* One at a time: a lock on the directory, which the box's own is not in the way of. */
static int keep(struct coffer_call *c)
{
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        cleanup_close int dir_fd = sys_open(c->box->dir_fd, ".", O_RDONLY | O_DIRECTORY);
        int r = dir_fd < 0 ? dir_fd : FAULT("update.meta");

        if (r == 0)
                r = flock(dir_fd, LOCK_EX) < 0 ? -errno : 0;
        if (r == 0)
                r = meta_read(dir_fd, &meta, NULL);
        if (r == 0)
                r = merge(&meta, &c->updates);
        if (r == 0)
                r = meta_write(dir_fd, &meta, FILE_SYNC);
        if (r < 0)
                return error_set(&c->error, r, "keep what was changed of box %s", c->box->id);
        c->box->fresh = false;
        c->box->restart = meta.restart;
        (void)FAULT("update.event");
        tell_updated(c->box, &meta);
        if (!c->later && !c->cut)
                return 0;
        (void)error_say(&c->error, -EUNATCH, COFFER_ERROR_STATE,
                        c->cut ? "box %s ended before it had answered: the change counts from its "
                                 "next start"
                               : "box %s was started without a restart policy: until its next "
                                 "start nothing but a boot brings it back",
                        c->box->id);
        return 1;
}

/* It died over the request: that is written down first.  -ENOENT: and it was to go. */
static int settle_cut(struct coffer_call *c)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        int r = settle(c->box, &record, &c->error);

        if (r == 0)
                r = meta_read(c->box->dir_fd, &meta, &c->error);
        if (r < 0 || !meta.remove)
                return r;
        r = box_remove_now(c->box, true, &c->error);
        return r < 0 ? r : -ENOENT;
}

/* Of a box that runs its monitor does it. */
static void write_down(const struct coffer_call *c)
{
        struct buf text = BUF_INIT(4096);
        struct audit_record record = {.event = AUDIT_UPDATE};

        for (size_t i = 0; i < c->updates.count; i++)
                (void)buf_printf(&text, "%s%s", i > 0 ? ", " : "", c->updates.items[i]);
        record.detail = text.data;
        audit_tell(c->box, NULL, &record);
        buf_release(&text);
}

/* Nobody runs it: its lock keeps it so until the change is written down. */
static int keep_idle(struct coffer_call *c)
{
        cleanup_close int lock_fd = -EBADF;
        int r = request_lock(c, &lock_fd);

        if (r == -EAGAIN)
                return r;
        lock_wait_release(&c->lock);
        if (r == -EALREADY) {
                link_reset(&c->link);
                c->ending = c->cut = false; /* the talk was cut, not the run */
                return -ERESTART;
        }
        if (r == 0 && c->cut)
                r = settle_cut(c);
        if (r == -ENOENT)
                return error_say(&c->error, r, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed",
                                 c->box->id);
        if (r == 0)
                r = keep(c);
        if (r == 0)
                write_down(c);
        return r;
}

/* The shim cannot follow the policy in this run, and has done nothing: the rest alone. */
static int ask_for_the_rest(struct coffer_call *c)
{
        c->later = true;
        c->update.which &= ~(uint32_t)UPDATE_RESTART;
        link_reset(&c->link);
        c->link.request = 0;
        return c->update.which != 0 ? request_encode(c, PROTO_UPDATE, &c->update) : 0;
}

static int step_update(struct coffer_call *c)
{
        for (;;) {
                int r = c->ending || c->link.request == 0 ? -ESRCH : await_answer(c);

                if (r == -EUNATCH && !c->later) {
                        r = ask_for_the_rest(c);
                        if (r == 0)
                                continue;
                }
                if (r == 0)
                        return keep(c);
                if (r != -ESRCH)
                        return r;
                if (c->link.request == 0) /* nothing that concerns a run */
                        return keep(c);
                c->ending = true;
                r = keep_idle(c);
                if (r != -ERESTART)
                        return r;
        }
}

static int check_changes(const struct coffer_spec *changes, struct coffer_error *err)
{
        for (size_t i = 0; i < changes->keys.count; i++) {
                const char *key = changes->keys.items[i];

                if (!spec_field_find(key)->update)
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "--%s of a box that is there cannot be changed", key);
        }
        if (changes->keys.count > 0)
                return 0;
        return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "there is nothing to change");
}

/* Would the box as a whole still make sense?  The handle keeps what it has become. */
static int check_whole(struct coffer_box *box, const struct strv *updates, const struct strv *keys,
                       struct coffer_error *err)
{
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        const struct spec *spec;
        int r = box_spec(box, &spec, err);

        if (r == 0)
                r = meta_read(box->dir_fd, &meta, err);
        if (r == 0)
                r = box_apply_updates(box, &meta.updates, err);
        if (r == 0)
                r = box_apply_updates(box, updates, err);
        if (r == 0)
                r = defaults_check(spec, keys, err);
        return r < 0 ? r : spec_validate(spec, err);
}

static struct msg_update make_request(const struct coffer_spec *changes)
{
        const struct spec *s = &changes->spec;
        struct restart_policy policy = {.kind = RESTART_NO};
        struct msg_update m = {
                .memory_bytes = s->memory_bytes,
                .cpu_millis = s->cpu_millis,
                .pids_max = s->pids_max == SPEC_UNLIMITED ? 0 : s->pids_max,
        };

        (void)restart_parse(s->restart, &policy); /* as it was checked */
        m.restart = policy.kind;
        m.restart_max = policy.max_retries;
        for (size_t i = 0; i < changes->keys.count; i++)
                for (size_t k = 0; k < ELEMENTS(told); k++)
                        if (str_eq(changes->keys.items[i], told[k].key))
                                m.which |= told[k].bit;
        return m;
}

int coffer_box_update_begin(struct coffer_box *box, const struct coffer_spec *changes,
                            struct coffer_call **ret_call, struct coffer_error *err)
{
        struct coffer_call *c;
        int r;

        REQUIRE(box && changes && ret_call, err);
        r = check_changes(changes, err);
        if (r == 0)
                r = call_new(box, step_update, &c, err);
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < changes->keys.count; i++)
                r = strv_set(&c->updates, changes->keys.items[i], changes->values.items[i]);
        if (r < 0)
                (void)error_set(err, r, "change box %s", box->id);
        else
                r = check_whole(box, &c->updates, &changes->keys, err);
        if (r < 0) {
                /* What was tried on the handle's spec is no part of the box. */
                box->spec = spec_free(box->spec);
                (void)coffer_call_free(c);
                return r;
        }
        c->update = make_request(changes);
        if (c->update.which != 0)
                (void)request_encode(c, PROTO_UPDATE, &c->update);
        return call_begin(c, ret_call, err);
}

int coffer_box_update(struct coffer_box *box, const struct coffer_spec *changes, int timeout_ms,
                      struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_update_begin(box, changes, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}
