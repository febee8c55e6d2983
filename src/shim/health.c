/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The health check: at intervals one more process of the box, like any exec, whose exit status
 * says whether main does its work.  One probe at a time; there is one timer, for the next probe or
 * for the time limit of the one that runs.  A box without a check never comes past health_begin().
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "shim/shim.h"

#define NOT_RUN      (-1)
#define KILL_WAIT_MS 1000 /* at least, until a probe that was killed counts once more */

static const char *const words[] = {
        [HEALTH_STARTING] = "starting",
        [HEALTH_HEALTHY] = "healthy",
        [HEALTH_UNHEALTHY] = "unhealthy",
};

/* ---------------------------------------------------------------------------- the decisions */

struct health_verdict health_decide(struct health_verdict before, bool passed, bool in_start_period,
                                    uint32_t retries)
{
        struct health_verdict after = before;

        if (passed)
                return (struct health_verdict){HEALTH_HEALTHY, 0};
        if (before.status == HEALTH_STARTING && in_start_period)
                return before;
        if (after.failing_streak < UINT32_MAX)
                after.failing_streak++;
        if (after.failing_streak >= retries)
                after.status = HEALTH_UNHEALTHY;
        return after;
}

uint32_t health_delay_ms(enum health_status status, uint64_t since_start_ms,
                         const struct msg_health *m)
{
        return status == HEALTH_STARTING && since_start_ms < m->start_period_ms
                       ? m->start_interval_ms
                       : m->interval_ms;
}

/* -------------------------------------------------------------------------------- the status */

static void set_status(struct shim *s, enum health_status status)
{
        char action[32];

        s->health.verdict.status = status;
        if (str_eq(s->record.health, words[status]))
                return;
        (void)str_copy(s->record.health, sizeof(s->record.health), words[status]);
        (void)FAULT("health.state");
        (void)life_save(s, false);
        (void)FAULT("health.event");
        (void)snprintf(action, sizeof(action), "health_status: %s", words[status]);
        life_event(s, action, NULL);
}

static void on_next(void *data);

static void schedule(struct shim *s)
{
        struct health *h = &s->health;
        uint32_t delay_ms =
                health_delay_ms(h->verdict.status, loop_now_ms() - h->main_ms, &s->start.health);

        int r = FAULT("health.timer");

        if (r == 0)
                r = loop_after(s->loop, delay_ms, on_next, s, &h->timer);
        /* A check that cannot go on must not go on saying that all is well. */
        if (r < 0)
                set_status(s, HEALTH_UNHEALTHY);
}

/* --------------------------------------------------------------------------------- one probe */

static void close_end(struct health_end *e)
{
        e->io = loop_remove(e->io);
        close_fd(&e->fd);
}

static void forget_probe(struct health *h)
{
        h->timer = loop_cancel(h->timer);
        h->stream = 0;
        close_fd(&h->pidfd);
        for (size_t i = 0; i < ELEMENTS(h->ends); i++)
                close_end(&h->ends[i]);
        buf_release(&h->output);
}

/* What is above the maximum is read, too, and dropped: a probe must not block on us. */
static bool read_some(struct health_end *e)
{
        struct buf *to = e->output;
        char bytes[4096];
        ssize_t n = sys_read(e->fd, bytes, sizeof(bytes));
        size_t room = to->max_bytes - to->size;

        if (n <= 0)
                return n == -EAGAIN;
        (void)buf_append(to, bytes, (size_t)n < room ? (size_t)n : room);
        return true;
}

static void on_output(void *data, uint32_t events)
{
        struct health_end *e = data;

        (void)events;
        if (!read_some(e))
                close_end(e);
}

/* It has ended: what is in its pipes is all that counts, whoever else holds them. */
static void drain(struct health *h)
{
        for (size_t i = 0; i < ELEMENTS(h->ends); i++)
                while (h->ends[i].fd >= 0 && h->output.size < h->output.max_bytes) {
                        size_t before = h->output.size;

                        if (!read_some(&h->ends[i]) || h->output.size == before)
                                break;
                }
}

/* Of a box that is being stopped there is nothing to learn. */
static bool is_of_interest(const struct shim *s)
{
        return s->state == BOX_RUNNING || s->state == BOX_PAUSED;
}

static void note_result(struct shim *s, int exit_code, const char *said)
{
        struct health *h = &s->health;
        bool in_start_period = h->probe_ms - h->main_ms < s->start.health.start_period_ms;
        struct health_probe probe = {
                .start_ns = h->start_ns,
                .end_ns = now_ns(),
                .exit_code = exit_code,
                .output = health_output(said, h->output.data, h->output.size),
        };

        h->verdict =
                health_decide(h->verdict, exit_code == 0, in_start_period, s->start.health.retries);
        h->log.failing_streak = h->verdict.failing_streak;
        health_log_add(&h->log, &probe);
        (void)FAULT("health.log");
        (void)health_log_write(s->dir_fd, &h->log);
        set_status(s, h->verdict.status);
}

static void end_probe(struct shim *s, int exit_code, const char *said)
{
        if (is_of_interest(s))
                note_result(s, exit_code, said);
        forget_probe(&s->health);
        if (is_of_interest(s))
                schedule(s);
}

static const char *say_timeout(const struct shim *s, char said[80])
{
        uint32_t ms = s->start.health.timeout_ms;
        bool seconds = ms % 1000 == 0;

        (void)snprintf(said, 80, "Health check exceeded timeout (%u%s)%s", seconds ? ms / 1000 : ms,
                       seconds ? "s" : "ms", s->health.output.size > 0 ? ": " : "");
        return said;
}

/*
 * There is no next probe until this one is dead, so that they do not pile up.  One that hangs in
 * the kernel, as on a dead file system, goes on counting: then the box is not well.  While a box is
 * paused a probe cannot use its time.
 */
static void on_timeout(void *data)
{
        struct shim *s = data;
        struct health *h = &s->health;
        uint32_t wait_ms = s->start.health.timeout_ms;
        char said[80];

        h->timer = NULL;
        if (s->state != BOX_PAUSED) {
                if (h->timed_out && is_of_interest(s))
                        note_result(s, NOT_RUN, say_timeout(s, said));
                h->timed_out = true;
                wait_ms = wait_ms > KILL_WAIT_MS ? wait_ms : KILL_WAIT_MS;
                if (h->pidfd >= 0)
                        execs_signal_group(s, h->stream, h->pidfd, SIGKILL);
        }
        (void)loop_after(s->loop, wait_ms, on_timeout, s, &h->timer);
}

/* Whatever an exec without options of its own would be: all but the command is main's. */
static int send_spawn(struct shim *s, struct coffer_error *err)
{
        struct msg_process p = s->process;
        int r;

        p.argv = s->start.health.argv;
        p.flags = 0;
        p.timeout_ms = 0;
        r = trail_launch(s, "health", &p, &s->health.launch, err);
        if (r < 0)
                return r;
        r = FAULT("health.spawn");
        if (r == 0)
                r = channel_send(s->box.socket_fd, PROTO_SPAWN, s->health.stream, &p, NULL, 0,
                                 SEND_TIMEOUT_MS);
        if (r < 0) {
                (void)error_say(err, r, COFFER_ERROR_OTHER, "the monitor could not start it");
                trail_failed(s, "health", s->health.launch, err->msg);
        }
        return r;
}

static void on_next(void *data)
{
        struct shim *s = data;
        struct health *h = &s->health;
        struct coffer_error err = {.msg = "the monitor could not start it"};
        int r;

        h->timer = NULL;
        if (s->state == BOX_PAUSED || s->hold.what == PROTO_PAUSE) {
                schedule(s);
                return;
        }
        if (s->state != BOX_RUNNING || s->main_exited)
                return;
        h->stream = s->next_stream++;
        h->timed_out = false;
        h->probe_ms = loop_now_ms();
        h->start_ns = now_ns();
        h->output = BUF_INIT(HEALTH_OUTPUT_BYTES + 1); /* one more tells that it was cut */
        r = send_spawn(s, &err);
        if (r == 0)
                r = loop_after(s->loop, s->start.health.timeout_ms, on_timeout, s, &h->timer);
        if (r < 0)
                end_probe(s, NOT_RUN, err.msg);
}

/* ---------------------------------------------------------------------- from the supervisor */

static void started(struct shim *s, struct frame *f)
{
        struct health *h = &s->health;

        if (h->pidfd >= 0)
                return; /* said twice */
        (void)FAULT("health.started");
        h->pidfd = frame_take_fd(f, 0);
        for (size_t i = 0; i < ELEMENTS(h->ends); i++) {
                struct health_end *e = &h->ends[i];

                e->output = &h->output;
                e->fd = frame_take_fd(f, i + 1);
                /* Ours alone: the flag is the open file description's, of which this is the end
                 * that reads. */
                if (e->fd >= 0 && (fcntl(e->fd, F_SETFL, O_NONBLOCK) < 0 ||
                                   loop_add(s->loop, e->fd, EPOLLIN, on_output, e, &e->io) < 0))
                        close_fd(&e->fd);
        }
        if (h->timed_out)
                execs_signal_group(s, h->stream, h->pidfd, SIGKILL);
}

static void exited(struct shim *s, const struct frame *f)
{
        struct msg_exited m;
        char said[80];
        int status;

        if (frame_decode(f, &m) < 0)
                return;
        status = (int)m.status;
        trail_exited(s, "health", s->health.launch, 0, m.status);
        wire_release(&msg_exited_table, &m);
        drain(&s->health);
        if (s->health.timed_out)
                end_probe(s, NOT_RUN, say_timeout(s, said));
        else
                end_probe(s, status, "");
}

static void failed(struct shim *s, const struct frame *f)
{
        struct coffer_error err;

        (void)frame_error(f, &err);
        trail_failed(s, "health", s->health.launch, err.msg);
        end_probe(s, NOT_RUN, err.msg);
}

bool health_frame(struct shim *s, struct frame *f)
{
        if (s->health.stream == 0 || f->header.stream != s->health.stream)
                return false;
        if (f->header.type == PROTO_STARTED)
                started(s, f);
        else if (f->header.type == PROTO_EXITED)
                exited(s, f);
        else if (f->header.type == PROTO_ERROR)
                failed(s, f);
        return true;
}

/* -------------------------------------------------------------------------- beginning and end */

void health_begin(struct shim *s)
{
        struct health *h = &s->health;

        if (s->start.health.argv.count == 0)
                return;
        (void)FAULT("health.begin");
        *h = (struct health){.pidfd = -EBADF, .main_ms = loop_now_ms()};
        for (size_t i = 0; i < ELEMENTS(h->ends); i++)
                h->ends[i].fd = -EBADF;
        (void)unlinkat(s->dir_fd, "health.json", 0); /* of the run before */
        (void)str_copy(s->record.health, sizeof(s->record.health), words[HEALTH_STARTING]);
        schedule(s);
}

void health_end(struct shim *s)
{
        if (s->record.health[0] == '\0')
                return;
        forget_probe(&s->health);
        health_log_release(&s->health.log);
        (void)str_copy(s->record.health, sizeof(s->record.health), HEALTH_OF_THE_DEAD);
}
