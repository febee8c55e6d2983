/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "sandbox/userns.h"
#include "shim/shim.h"
#include "spec/control.h"
#include "store/events.h"
#include "store/remove.h"

#define DEATH_SOON_MS 500  /* until a killed process is gone, while nobody else is served */
#define DEATH_MS      8000 /* before it is said that it is not */
#define ERROR_CHARS   (COFFER_ERROR_MSG_MAX - 32) /* of a message, where a step is named too */

static bool is_helper(const struct shim *s)
{
        return (s->start.flags & START_HELPER) != 0;
}

void life_move(struct shim *s, enum box_event on)
{
        enum box_state next;

        if (box_state_next(s->state, on, &next) < 0)
                return; /* not listed: refused */
        s->state = next;
        (void)str_copy(s->record.state, sizeof(s->record.state), box_state_name(next));
}

int life_save(struct shim *s, bool last)
{
        bool removed = (s->start.flags & START_REMOVE) != 0;
        int r;

        if (is_helper(s) || (last && removed))
                return 0;
        r = state_write(s->dir_fd, &s->record, last);
        if (r < 0 && !s->record.error[0])
                (void)str_copy(s->record.error, sizeof(s->record.error),
                               "state.json was not written");
        return r;
}

void life_event(struct shim *s, const char *action, const char *const *extra)
{
        struct event e = {
                .type = "container",
                .action = action,
                .id = s->id,
                .name = s->start.name,
                .image = s->start.image,
                .labels = &s->start.labels,
                .extra = extra,
                .posture = str_eq(action, "start") ? &s->record.posture : NULL,
        };

        if (!is_helper(s))
                (void)event_append(s->home->fd, &e);
}

void life_change(struct shim *s, enum box_event on)
{
        if (on < BOX_EVENT_COUNT)
                life_move(s, on);
        (void)life_save(s, false);
}

int life_let_go(struct shim *s, struct coffer_error *err)
{
        bool launcher = s->restarts.fd >= 0 && s->start.idmap.kind == IDMAP_USER;
        int r;

        (void)strv_addf(&s->box.posture,
                        "shim\toff\tno_new_privs, not dumpable; keeps the caller's other rights%s",
                        launcher ? "; its launcher may run newuidmap" : "");
        note_posture(s);
        r = control_check(&s->box.posture, &s->start.may_lack, err);
        if (r < 0 || !(s->start.flags & START_HELD))
                return r;
        r = trail_degraded(s, err);
        return r < 0 ? r : s->engine->go(&s->box, &s->start, err);
}

void life_say_not_running(const struct shim *s, struct coffer_error *err)
{
        if (s->state == BOX_RESTARTING || (s->between && s->state == BOX_STARTING)) {
                (void)error_say(err, -ESRCH, COFFER_ERROR_STATE, "box %s is restarting", s->id);
                error_hint(err, "wait until it is running");
                return;
        }
        (void)error_say(err, -ESRCH, COFFER_ERROR_STATE, "box %s is not running", s->id);
        error_hint(err, "`coffer start %s` starts it", s->id);
}

int life_signal(struct shim *s, int signal)
{
        if (s->main_exited || s->box.main_pidfd < 0)
                return -ESRCH;
        return sys_pidfd_send_signal(s->box.main_pidfd, signal);
}

/* --------------------------------------------------------------------------------- stop */

/*
 * PID 1 of a namespace never sees a signal it has no handler for (pid_namespaces(7)): waiting out
 * the grace would be waiting for nothing.  A blocked one may yet be taken by sigwait(3).
 */
static bool main_minds(struct shim *s, int signal)
{
        char path[64], text[4096];
        uint64_t caught = 0, blocked = 0;
        cleanup_close int fd = -EBADF;
        const char *line;
        pid_t pid;
        ssize_t n;

        if (sys_pidfd_pid(s->box.main_pidfd, &pid) < 0)
                return false;
        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        fd = sys_open(AT_FDCWD, path, O_RDONLY);
        n = fd < 0 ? fd : sys_read_full(fd, text, sizeof(text) - 1);
        if (n < 0)
                return true;
        text[n] = '\0';
        line = strstr(text, "\nSigBlk:");
        blocked = line ? strtoull(line + 8, NULL, 16) : 0;
        line = strstr(text, "\nSigCgt:");
        caught = line ? strtoull(line + 8, NULL, 16) : 0;
        return ((caught | blocked) >> (signal - 1) & 1) != 0;
}

/* Killed, and its end is not told: the supervisor cannot reap it.  What is left is named then. */
static void give_up_main(void *data)
{
        struct shim *s = data;

        s->grace_timer = NULL;
        s->gave_up = true;
        (void)sys_pidfd_send_signal(s->box.pidfd, SIGKILL);
}

static void kill_main(void *data)
{
        struct shim *s = data;

        s->grace_timer = NULL;
        if (life_signal(s, SIGKILL) == 0)
                (void)loop_after(s->loop, DEATH_MS, give_up_main, s, &s->grace_timer);
        hold_lift(s);
}

/* Once for each time that somebody asks: the box is not gone, and these are left. */
static void tell_left(void *data)
{
        struct shim *s = data;
        struct coffer_error err = {0};
        char names[128];

        s->gone_timer = NULL;
        s->engine->left(&s->box, names, sizeof(names));
        (void)error_say(&err, -EBUSY, COFFER_ERROR_STATE, "box %s is not gone: left is %s", s->id,
                        names);
        error_hint(&err, "the box ends when that does; its monitor waits for it");
        (void)snprintf(s->record.error, sizeof(s->record.error), "%s", err.msg);
        life_move(s, BOX_EV_STOP);
        (void)life_save(s, false);
        clients_tell_left(s, &err);
}

uint32_t life_stop_signal(const struct shim *s)
{
        return s->start.stop_signal ? s->start.stop_signal : SIGTERM;
}

static void stop_main(struct shim *s, uint32_t signal, uint32_t grace_ms)
{
        int number = (int)(signal ? signal : life_stop_signal(s));

        if (s->gone_io && !s->gone_timer)
                (void)loop_after(s->loop, DEATH_MS, tell_left, s, &s->gone_timer);
        if (s->main_exited)
                return;
        if (grace_ms == UINT32_MAX)
                grace_ms = s->start.stop_grace_ms;
        (void)FAULT("stop.signal");
        life_move(s, BOX_EV_STOP);
        (void)life_save(s, false);
        s->grace_timer = loop_cancel(s->grace_timer);
        if (number == SIGKILL || !main_minds(s, number)) {
                kill_main(s);
                return;
        }
        (void)life_signal(s, number);
        hold_lift(s);
        if (loop_after(s->loop, grace_ms, kill_main, s, &s->grace_timer) < 0)
                kill_main(s);
}

void life_stop(struct shim *s, uint32_t signal, uint32_t grace_ms)
{
        s->record.stop_asked = true;
        if (!restarts_cancel(s))
                stop_main(s, signal, grace_ms);
}

static void on_timeout(void *data)
{
        struct shim *s = data;

        s->timeout_timer = NULL;
        s->record.timed_out = true;
        stop_main(s, 0, UINT32_MAX);
}

/* ------------------------------------------------------------------------------ removal */

static int remove_as(void *as_data, int (*fn)(void *data), void *data)
{
        const struct shim *s = as_data;

        return userns_run(s->box.userns_fd, fn, data);
}

static int sweep(struct shim *s)
{
        return box_sweep_one(s->home, s->id, s->start.idmap.kind == IDMAP_USER ? remove_as : NULL,
                             s);
}

int life_remove(struct shim *s)
{
        int r = box_bury(s->home, s->id);

        return r < 0 ? r : sweep(s);
}

/* ------------------------------------------------------------------ from the supervisor */

static void fail_start(struct shim *s, const struct coffer_error *err)
{
        s->main_exited = true;
        trail_main_failed(s, err->msg);
        /* Whoever is told may look at once: it is written down before. */
        life_failed(s, err);
        clients_start_failed(s, err);
}

/* Main runs, and nobody would be told so: it must not.  A box that is started again was told of. */
static void take_back(struct shim *s, int code)
{
        struct coffer_error err = {0};

        (void)error_set(&err, code, "write the state of box %s", s->id);
        error_hint(&err, "is there room below '%s'?", s->home->path);
        health_end(s);
        (void)sys_pidfd_send_signal(s->box.main_pidfd, SIGKILL);
        s->started = false;
        fail_start(s, &err);
}

static void main_started(struct shim *s, struct frame *f)
{
        pid_t pid = 0;
        int r = output_begin(s, f);

        if (r < 0)
                output_note(s, "output was lost: no memory");
        if (sys_pidfd_pid(s->box.main_pidfd, &pid) == 0)
                s->record.pid = (uint32_t)pid;
        (void)FAULT("started.state");
        process_mark(s->box.main_pidfd, s->record.pid, &s->record.pid_inode, &s->record.pid_start);
        s->record.started_ns = now_ns();
        s->restarts.since_ms = loop_now_ms();
        s->started = true;
        life_move(s, BOX_EV_STARTED);
        health_begin(s);
        r = life_save(s, false);
        if (r < 0 && s->record.restart_count == 0) {
                take_back(s, r);
                return;
        }
        life_event(s, "start", NULL);
        if (s->process.timeout_ms > 0)
                (void)loop_after(s->loop, s->process.timeout_ms, on_timeout, s, &s->timeout_timer);
        clients_main_started(s);
}

static void main_exited(struct shim *s, const struct frame *f)
{
        struct msg_exited m;

        (void)FAULT("exited.bury");
        if (s->main_exited || frame_decode(f, &m) < 0)
                return; /* its start was taken back */
        s->record.exit_code = m.status;
        wire_release(&msg_exited_table, &m);
        s->record.finished_ns = now_ns();
        s->main_exited = true;
        trail_main_exited(s);
        health_end(s);
        s->timeout_timer = loop_cancel(s->timeout_timer);
        s->grace_timer = loop_cancel(s->grace_timer);
        /* What was heard is not lost when we are killed before the end is written down. */
        if (!(s->start.flags & START_REMOVE))
                (void)life_save(s, false);
        /* Every process of the box is dead; nobody finds it any more. */
        if (s->start.flags & START_REMOVE) {
                s->output.logging = false;
                s->buried = box_bury(s->home, s->id) == 0;
        }
}

/* It never ran: a wrong command, a missing directory, a control that could not be had. */
static void main_failed(struct shim *s, const struct frame *f)
{
        struct coffer_error err;

        (void)frame_error(f, &err);
        fail_start(s, &err);
}

void life_failed(struct shim *s, const struct coffer_error *err)
{
        s->record.exit_code = err->kind == COFFER_ERROR_NOT_FOUND        ? 127
                              : err->kind == COFFER_ERROR_NOT_EXECUTABLE ? 126
                                                                         : 125;
        s->record.finished_ns = now_ns();
        (void)snprintf(s->record.reason, sizeof(s->record.reason), "start failed");
        if (s->box.step)
                (void)snprintf(s->record.error, sizeof(s->record.error), "%.*s (launch: %.16s)",
                               ERROR_CHARS, err->msg, s->box.step);
        else
                (void)str_copy(s->record.error, sizeof(s->record.error), err->msg);
        life_move(s, BOX_EV_FAIL);
        (void)life_save(s, true);
}

static void supervisor_died(struct shim *s)
{
        (void)FAULT("supervisor.gone");
        s->supervisor_io = loop_remove(s->supervisor_io);
        frame_release(&s->supervisor_reader.frame);
        s->supervisor_gone = true;
        health_end(s);
        if (!s->main_exited) {
                s->main_exited = true;
                s->record.exit_code = 137;
                s->record.finished_ns = now_ns();
                (void)str_copy(s->record.reason, sizeof(s->record.reason),
                               s->gave_up ? "main did not die" : "supervisor died");
                output_note(s, LOG_NOTE_CUT);
                if (!s->gave_up)
                        life_move(s, BOX_EV_FAIL);
        }
        s->timeout_timer = loop_cancel(s->timeout_timer);
        s->grace_timer = loop_cancel(s->grace_timer);
        life_check_end(s);
}

static void on_supervisor(void *data, uint32_t events)
{
        struct shim *s = data;
        struct frame *f = &s->supervisor_reader.frame;
        int r = channel_recv_step(s->box.socket_fd, &s->supervisor_reader);

        (void)events;
        if (r == -EAGAIN)
                return;
        if (r < 0) {
                supervisor_died(s);
                return;
        }
        if (f->header.stream != 0 && health_frame(s, f))
                ; /* of a probe */
        else if (f->header.stream != 0)
                execs_frame(s, f);
        else if (f->header.type == PROTO_STARTED)
                main_started(s, f);
        else if (f->header.type == PROTO_EXITED)
                main_exited(s, f);
        else if (f->header.type == PROTO_ERROR)
                main_failed(s, f);
        frame_release(f);
        s->supervisor_reader = FRAME_READER_INIT;
}

int life_begin(struct shim *s, struct coffer_error *err)
{
        int r;

        s->supervisor_reader = FRAME_READER_INIT;
        r = loop_add(s->loop, s->box.socket_fd, EPOLLIN, on_supervisor, s, &s->supervisor_io);
        if (r < 0)
                return error_set(err, r, "watch the supervisor");
        life_move(s, BOX_EV_START);
        return 0;
}

/* ------------------------------------------------------------------------------- the end */

void life_tell_die(struct shim *s)
{
        uint64_t ran_ms = loop_now_ms() - s->restarts.since_ms;
        char code[16], seconds[24];
        const char *extra[] = {"execDuration", seconds, "exitCode", code, NULL};

        if (!s->started)
                return;
        s->started = false;
        (void)snprintf(code, sizeof(code), "%u", s->record.exit_code);
        (void)snprintf(seconds, sizeof(seconds), "%" PRIu64, ran_ms / 1000);
        if (s->record.oom_killed)
                life_event(s, "oom", NULL);
        life_event(s, "die", extra);
}

int life_end_run(struct shim *s)
{
        struct coffer_error err = {0};
        int r;

        (void)FAULT("finish.begin");
        hold_lift(s);
        s->between = true;
        s->record.pid = 0;
        if (s->state != BOX_FAILED || s->record.finished_ns == 0)
                s->record.finished_ns = now_ns();
        s->record.oom_killed = s->engine->oom(&s->box);
        r = s->engine->kill(&s->box, &err);
        if (r == 0)
                r = s->engine->release(&s->box, &err);
        if (r < 0) {
                (void)str_copy(s->record.reason, sizeof(s->record.reason),
                               "could not be cleaned up");
                (void)snprintf(s->record.error, sizeof(s->record.error), "%s", err.msg);
                life_move(s, BOX_EV_FAIL);
        }
        return r;
}

/* Nobody finds it any more; what is left of a --rm box is disk space. */
static void bury(struct shim *s)
{
        if (s->start.flags & START_REMOVE && !s->buried) {
                s->buried = box_bury(s->home, s->id) == 0;
                if (!s->buried)
                        (void)str_copy(s->record.reason, sizeof(s->record.reason),
                                       "could not be removed");
        }
        if (s->buried)
                life_event(s, "destroy", NULL);
}

void life_finish(struct shim *s)
{
        s->finished = true;
        if (!s->between)
                (void)life_end_run(s);
        output_end(s);
        life_move(s, BOX_EV_EXITED);
        (void)life_save(s, true);
        (void)FAULT("finish.events");
        life_tell_die(s);
        (void)FAULT("finish.socket");
        s->listen_io = loop_remove(s->listen_io);
        close_fd(&s->listen_fd);
        (void)unlinkat(s->dir_fd, "control.sock", 0);
        bury(s);
        launcher_end(s);
        trail_end(s);
        clients_tell_end(s);
        (void)FAULT("finish.files");
        /* The next caller would do it if we were killed now. */
        if (s->buried)
                (void)sweep(s);
        engine_box_unpin(&s->box);
        execs_free(s);
        (void)FAULT("finish.lock");
        loop_quit(s->loop);
}

/* Of the run, and of the box unless its policy starts it again. */
static void end(struct shim *s)
{
        if (!restarts_try(s))
                life_finish(s);
}

static void on_gone(void *data, uint32_t events)
{
        struct shim *s = data;

        (void)events;
        s->gone_io = loop_remove(s->gone_io);
        s->gone_timer = loop_cancel(s->gone_timer);
        s->record.error[0] = '\0';
        end(s);
}

/*
 * The supervisor is PID 1 of the outer namespace: the kernel lets it go when every other process
 * of the box is gone (pid_namespaces(7)).  That takes no time, unless one is held by a debugger
 * or waits for a device.
 */
static bool is_gone(struct shim *s)
{
        struct pollfd p = {.fd = s->box.pidfd, .events = POLLIN};

        (void)sys_pidfd_send_signal(s->box.pidfd, SIGKILL);
        if (poll(&p, 1, DEATH_SOON_MS) > 0)
                return true;
        if (loop_add(s->loop, s->box.pidfd, EPOLLIN, on_gone, s, &s->gone_io) < 0)
                return true; /* no memory: kill() waits, and says it */
        (void)loop_after(s->loop, DEATH_MS, tell_left, s, &s->gone_timer);
        return false;
}

/* The end comes when the supervisor is gone, and with it every process, and all output is read. */
void life_check_end(struct shim *s)
{
        if (s->finished || s->between || !s->main_exited || !s->supervisor_gone || s->gone_io)
                return;
        if (output_is_drained(s) && is_gone(s))
                end(s);
}
