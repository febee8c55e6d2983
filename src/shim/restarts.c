/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A box with a restart policy (spec/restart.h decides, here it is done).  Main has ended:
 *
 *      the run is cleaned up as at the end of the box, "die" is told      restarts_try()
 *      state restarting, for the back-off                                 the timer
 *      the launcher launches anew                                         on_launcher()
 *      STARTED, as at the first start: "start" is told                    life.c
 *
 * Lock, identity, log, control socket and a foreground client stay.  Whoever wants an end between
 * two runs gets it at once.
 */

#include <errno.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/faultpoint.h"
#include "shim/shim.h"

int restarts_init(struct shim *s)
{
        if (s->start.restart >= RESTART_KIND_COUNT)
                return -EBADMSG;
        s->restarts.policy = (struct restart_policy){
                .kind = (enum restart_kind)s->start.restart,
                .max_retries = s->start.restart_max,
        };
        s->restarts.reader = FRAME_READER_INIT;
        return 0;
}

static bool is_wanted(const struct shim *s)
{
        const struct restart_end end = {
                .exit_code = s->record.exit_code,
                .timed_out = s->record.timed_out,
                .stop_asked = s->record.stop_asked,
                .restarts = s->record.restart_count,
        };

        /* A start that failed is told and is not tried again. */
        return s->started && restart_after_end(&s->restarts.policy, &end);
}

/* A launcher that dies undoes nothing. */
static void drop_half(struct shim *s)
{
        struct engine_box box = ENGINE_BOX_INIT;

        if (!s->box.data && s->engine->adopt(s->id, &box, NULL) == 0) {
                (void)s->engine->kill(&box, NULL);
                (void)s->engine->release(&box, NULL);
        }
}

static void fail(struct shim *s, const struct coffer_error *err)
{
        /* Whoever has asked for the end meanwhile gets it, with the status of the last run. */
        if (s->state != BOX_STOPPING)
                life_failed(s, err);
        drop_half(s);
        life_finish(s);
}

/* ------------------------------------------------------------------------------- the start */

static int go_on(struct shim *s, struct coffer_error *err)
{
        struct box_record *record = &s->record;
        int r = FAULT("restart.again");

        if (r < 0)
                return error_set(err, r, "start box %s again", s->id);
        record->exit_code = 0;
        record->oom_killed = record->timed_out = false;
        record->reason[0] = record->error[0] = '\0';
        r = life_let_go(s, err);
        return r < 0 ? r : life_begin(s, err);
}

static void on_launcher(void *data, uint32_t events)
{
        struct shim *s = data;
        struct coffer_error err = {0};
        int r = launcher_hear(s, &err);

        (void)events;
        if (r == -EAGAIN)
                return;
        s->restarts.io = loop_remove(s->restarts.io);
        if (r == 0) {
                s->between = s->started = s->main_exited = s->supervisor_gone = s->gave_up = false;
                if (s->state != BOX_STARTING) {
                        life_finish(s);
                        return;
                }
                r = go_on(s, &err);
        }
        if (r < 0)
                fail(s, &err);
}

static void on_delay(void *data)
{
        struct shim *s = data;
        struct coffer_error err = {0};
        int r = FAULT("restart.ask");

        r = r < 0 ? error_set(&err, r, "start box %s again", s->id) : trail_restart(s, &err);
        if (r == 0)
                r = launcher_ask(s, &err);
        s->restarts.timer = NULL;
        /* Not written down: for others it is restarting until main runs. */
        life_move(s, BOX_EV_START);
        if (r == 0) {
                r = loop_add(s->loop, s->restarts.fd, EPOLLIN, on_launcher, s, &s->restarts.io);
                if (r < 0)
                        (void)error_set(&err, r, "watch the launcher");
        }
        if (r < 0)
                fail(s, &err);
}

/* --------------------------------------------------------------------------------- the end */

bool restarts_try(struct shim *s)
{
        struct restarts *again = &s->restarts;
        struct coffer_error err = {0};
        int r;

        if (!is_wanted(s) || life_end_run(s) < 0)
                return false;
        engine_box_unpin(&s->box);
        output_rest(s);
        again->delay_ms = restart_delay_ms(again->delay_ms, loop_now_ms() - again->since_ms);
        s->record.restart_count++;
        life_move(s, BOX_EV_RESTART);
        (void)FAULT("restart.state");
        (void)life_save(s, false);
        (void)FAULT("restart.event");
        life_tell_die(s);
        (void)FAULT("restart.clients");
        clients_tell_run_end(s);
        execs_free(s);
        r = FAULT("restart.timer");
        if (r == 0)
                r = loop_after(s->loop, again->delay_ms, on_delay, s, &again->timer);
        if (r < 0) {
                (void)error_set(&err, r, "start box %s again", s->id);
                fail(s, &err);
        }
        return true;
}

void restarts_follow(struct shim *s, const struct restart_policy *policy)
{
        s->restarts.policy = *policy;
        /* It waits to be started by what is not to start it any more. */
        if (policy->kind == RESTART_NO)
                (void)restarts_cancel(s);
}

static void on_cancelled(void *data)
{
        struct shim *s = data;

        s->restarts.timer = NULL;
        life_finish(s);
}

bool restarts_cancel(struct shim *s)
{
        struct restarts *again = &s->restarts;
        bool waiting = s->state == BOX_RESTARTING;

        if (!s->between || s->finished)
                return false;
        life_move(s, BOX_EV_STOP);
        (void)FAULT("restart.cancel");
        (void)life_save(s, false);
        if (!waiting)
                return true; /* asked twice, or launching: on_launcher() ends it */
        again->timer = loop_cancel(again->timer);
        /* Not from here: whoever asks is a client, and the end frees all of them. */
        if (loop_after(s->loop, 0, on_cancelled, s, &again->timer) < 0)
                loop_quit(s->loop);
        return true;
}
