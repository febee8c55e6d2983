/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pause, unpause and update.  To move a box's processes into a cgroup takes 10 ms each, so it is
 * done in steps between which the loop serves everybody else.
 */

#include <errno.h>
#include <signal.h>

#include "base/error.h"
#include "base/faultpoint.h"
#include "shim/shim.h"

#define STEP_MS     100
#define GIVE_UP_MS  60000 /* 4,096 processes take 40 s */
#define STUCK_MS    3000  /* without one more inside */
#define LIMIT_BITS  (UPDATE_MEMORY | UPDATE_CPU | UPDATE_PIDS)
#define UPDATE_BITS (LIMIT_BITS | UPDATE_RESTART)

static void step(void *data);

static void answer(struct client *c, int r, const struct coffer_error *err)
{
        if (!c)
                return;
        if (r < 0)
                client_send_error(c, err);
        else
                client_send(c, PROTO_OK, NULL, NULL, 0);
}

static int not_running(const struct shim *s, struct coffer_error *err)
{
        (void)error_say(err, -ESRCH, COFFER_ERROR_STATE, "box %s is not running", s->id);
        error_hint(err, "`coffer start %s` starts it", s->id);
        return -ESRCH;
}

static void end(struct shim *s, int r, const struct coffer_error *err)
{
        struct client *c = s->hold.client;

        s->hold.timer = loop_cancel(s->hold.timer);
        s->hold.what = 0;
        s->hold.client = NULL;
        answer(c, r, err);
}

static void done(struct shim *s)
{
        const struct coffer_error none = {0};

        (void)FAULT("hold.state");
        if (s->hold.what == PROTO_PAUSE) {
                s->hold.paused = true;
                trail_note(s, AUDIT_PAUSE);
                life_change(s, BOX_EV_PAUSE);
                life_event(s, "pause", NULL);
        } else {
                note_posture(s);
                trail_update(s, &s->hold.update);
                life_change(s, BOX_EVENT_COUNT);
                if (s->hold.update.which & UPDATE_RESTART)
                        restarts_follow(s, &s->hold.policy);
        }
        end(s, 0, &none);
}

/* Some of them die before they can be moved: is there any hope? */
static bool gets_on(struct hold *h, unsigned inside)
{
        uint64_t now_ms = loop_now_ms();

        if (inside > h->inside) {
                h->inside = inside;
                h->stuck_ms = now_ms + STUCK_MS;
        }
        return now_ms < h->stuck_ms && now_ms < h->until_ms;
}

static int say_evasive(const struct shim *s, struct coffer_error *err)
{
        (void)error_say(err, -ETIMEDOUT, COFFER_ERROR_STATE,
                        "processes of box %s fork and exit faster than they can be moved to its "
                        "cgroup",
                        s->id);
        error_hint(err,
                   "a box that is started with a limit, such as --memory, is born in its cgroup");
        return -ETIMEDOUT;
}

static void step(void *data)
{
        struct shim *s = data;
        struct hold *h = &s->hold;
        struct coffer_error err = {0};
        unsigned inside = 0;
        int r;

        h->timer = NULL;
        r = FAULT("hold.step");
        if (r < 0)
                (void)error_set(&err, r, "change box %s", s->id);
        else if (h->what == PROTO_PAUSE)
                r = s->engine->freeze(s->id, &s->box, STEP_MS, &inside, &err);
        else
                r = s->engine->limit(s->id, &s->box, &h->update, STEP_MS, &inside, &err);
        if (r == -EAGAIN && gets_on(h, inside)) {
                r = loop_after(s->loop, 0, step, s, &h->timer);
                if (r == 0)
                        return;
                (void)error_set(&err, r, "go on");
        } else if (r == -EAGAIN) {
                r = say_evasive(s, &err);
        }
        if (r < 0 && h->what == PROTO_PAUSE)
                (void)s->engine->thaw(&s->box, NULL);
        if (r < 0)
                end(s, r, &err);
        else
                done(s);
}

static int begin(struct shim *s, struct client *c, enum proto_type what, struct coffer_error *err)
{
        if (s->between && !s->finished) {
                (void)error_say(err, -EBUSY, COFFER_ERROR_STATE, "box %s is restarting", s->id);
                error_hint(err, "wait until it is running");
                return -EBUSY;
        }
        if (s->main_exited || s->record.started_ns == 0)
                return not_running(s, err);
        if (s->hold.what != 0) {
                (void)error_say(err, -EBUSY, COFFER_ERROR_STATE,
                                "box %s is being %s by somebody else", s->id,
                                s->hold.what == PROTO_PAUSE ? "paused" : "updated");
                error_hint(err, "try again");
                return -EBUSY;
        }
        s->hold.what = (uint16_t)what;
        s->hold.client = c;
        s->hold.until_ms = loop_now_ms() + GIVE_UP_MS;
        s->hold.stuck_ms = loop_now_ms() + STUCK_MS;
        s->hold.inside = 0;
        return 0;
}

static int say_paused(const struct shim *s, struct coffer_error *err)
{
        if (s->state == BOX_PAUSED || s->hold.what == PROTO_PAUSE)
                (void)error_say(err, -EPERM, COFFER_ERROR_STATE, "box %s is paused", s->id);
        else
                (void)error_say(err, -EPERM, COFFER_ERROR_STATE,
                                "the cgroup of box %s was frozen by somebody else", s->id);
        error_hint(err, "`coffer unpause %s` lets it go on", s->id);
        return -EPERM;
}

bool hold_refuses(struct shim *s, struct coffer_error *err)
{
        if (s->state != BOX_PAUSED && s->hold.what != PROTO_PAUSE && !s->engine->is_frozen(&s->box))
                return false;
        (void)say_paused(s, err);
        return true;
}

void hold_pause(struct shim *s, struct client *c)
{
        struct coffer_error err = {0};
        int r = 0;

        if (hold_refuses(s, &err))
                r = -EPERM;
        else if (s->state != BOX_RUNNING)
                r = not_running(s, &err);
        if (r == 0)
                r = begin(s, c, PROTO_PAUSE, &err);
        if (r < 0)
                answer(c, r, &err);
        else
                step(s);
}

static int thaw(struct shim *s, struct coffer_error *err)
{
        int r = FAULT("hold.thaw");

        r = r < 0 ? error_set(err, r, "let box %s go on", s->id) : s->engine->thaw(&s->box, err);
        if (r < 0)
                return r;
        s->hold.paused = false;
        trail_note(s, AUDIT_UNPAUSE);
        if (s->state == BOX_PAUSED)
                life_change(s, BOX_EV_UNPAUSE);
        life_event(s, "unpause", NULL);
        return 0;
}

void hold_unpause(struct shim *s, struct client *c)
{
        struct coffer_error err = {0};
        int r = 0;

        if (s->main_exited || s->record.started_ns == 0)
                r = not_running(s, &err);
        else if (s->hold.what == PROTO_PAUSE)
                r = error_say(&err, -EBUSY, COFFER_ERROR_STATE, "box %s is just being paused",
                              s->id);
        else if (!s->hold.paused && !s->engine->is_frozen(&s->box))
                r = error_say(&err, -EALREADY, COFFER_ERROR_STATE, "box %s is not paused", s->id);
        else
                r = thaw(s, &err);
        answer(c, r, &err);
}

/* 0: it can be done, but for what only trying tells. */
static int check_update(const struct shim *s, const struct msg_update *m, struct coffer_error *err)
{
        if (m->which == 0 || m->which & ~(uint32_t)UPDATE_BITS ||
            (m->which & UPDATE_RESTART && m->restart >= RESTART_KIND_COUNT))
                return error_say(err, -EINVAL, COFFER_ERROR_VERSION,
                                 "this box's coffer %s does not know all of this",
                                 s->identity.coffer);
        /* Who could start it again is there from the start on, or never: see launcher.c. */
        if (m->which & UPDATE_RESTART && m->restart != RESTART_NO && s->restarts.fd < 0)
                return error_say(err, -EUNATCH, COFFER_ERROR_STATE,
                                 "box %s was started without a restart policy", s->id);
        return 0;
}

void hold_update(struct shim *s, struct client *c, const struct msg_update *m)
{
        const struct restart_policy policy = {
                .kind = (enum restart_kind)m->restart,
                .max_retries = m->restart_max,
        };
        struct coffer_error err = {0};
        int r = check_update(s, m, &err);

        if (r == 0 && m->which & LIMIT_BITS)
                r = begin(s, c, PROTO_UPDATE, &err);
        if (r < 0 || !(m->which & LIMIT_BITS)) {
                if (r == 0)
                        restarts_follow(s, &policy);
                answer(c, r, &err);
                return;
        }
        s->hold.update = *m;
        s->hold.policy = policy;
        step(s);
}

void hold_lift(struct shim *s)
{
        struct coffer_error err = {0};

        if (s->hold.what != 0) {
                if (s->hold.what == PROTO_PAUSE)
                        (void)s->engine->thaw(&s->box, NULL);
                (void)error_say(&err, -ECANCELED, COFFER_ERROR_STATE,
                                "box %s was told to end meanwhile", s->id);
                end(s, -ECANCELED, &err);
        }
        if (s->hold.paused || s->engine->is_frozen(&s->box))
                (void)thaw(s, NULL);
}

void hold_forget(struct shim *s, const struct client *c)
{
        if (s->hold.client == c)
                s->hold.client = NULL;
}
