/* SPDX-License-Identifier: Apache-2.0 */

/* What is asked of a running box: each a step function over the conversation with its shim. */

#include "lib/request.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/plan.h"
#include "lib/process.h"
#include "lib/settle.h"
#include "lib/spec.h"
#include "store/lock.h"

#define SIGNAL_MAX 64

int request_encode(struct coffer_call *c, enum proto_type type, const void *message)
{
        int r = 0;

        buf_release(&c->payload);
        if (message)
                r = wire_encode(&c->payload, proto_table((uint16_t)type), message);
        if (r < 0)
                return error_say(&c->error, r, COFFER_ERROR_USAGE,
                                 "what box %s is asked is too large", c->box->id);
        c->link.request = type;
        c->link.payload = &c->payload;
        return 0;
}

int request_frame(struct coffer_call *c, struct frame *ret_frame)
{
        return link_step(&c->link, ret_frame, &c->wait_fd, &c->limit_ms, &c->error);
}

int request_lock(struct coffer_call *c, int *ret_lock_fd)
{
        return lock_wait_step(&c->lock, c->box->dir_fd, c->box->id, ret_lock_fd, &c->wait_fd,
                              &c->limit_ms, &c->error);
}

static int gone(struct coffer_call *c)
{
        (void)error_say(&c->error, -ENOENT, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed",
                        c->box->id);
        error_hint(&c->error, "`coffer ps -a` lists all boxes");
        return -ENOENT;
}

static int not_running(struct coffer_call *c, int code)
{
        (void)error_say(&c->error, code, COFFER_ERROR_STATE, "box %s is not running", c->box->id);
        error_hint(&c->error, "`coffer start %s` starts it", c->box->id);
        return code;
}

/* ------------------------------------------------------------------------- waiting for the end */

/* Nobody holds the lock: what the files say is the truth, once we have made it so. */
static int read_end(struct coffer_call *c)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_close int lock_fd = -EBADF;
        int r = request_lock(c, &lock_fd);

        if (r == -EAGAIN)
                return r;
        lock_wait_release(&c->lock);
        if (r == -ENOENT)
                return gone(c);
        if (r == -EALREADY) { /* started again meanwhile */
                link_reset(&c->link);
                return -ERESTART;
        }
        if (r == 0)
                r = settle(c->box, &record, &c->error);
        if (r < 0)
                return r;
        if (record.started_ns == 0 && record.reason[0] == '\0')
                return -ENODATA;
        exit_from_record(&record, &c->exit);
        c->has_exit = true;
        return 0;
}

/* Until EXITED, or until the lock is free and the files tell. */
static int await_end(struct coffer_call *c)
{
        for (;;) {
                struct frame f = FRAME_INIT;
                int r = c->ending ? read_end(c) : request_frame(c, &f);

                if (c->ending && r != -ERESTART)
                        return r;
                if (c->ending || r == -EPIPE || r == -ESRCH) {
                        c->ending = r == -ESRCH;
                        link_reset(&c->link);
                        continue;
                }
                if (r < 0)
                        return r;
                if (f.header.type == PROTO_ERROR)
                        r = link_error(&c->link, &f, &c->error);
                if (f.header.type == PROTO_EXITED) {
                        r = exit_from_frame(&f, &c->exit);
                        c->has_exit = r == 0;
                        if (r < 0)
                                (void)error_set(&c->error, r, "read how box %s ended", c->box->id);
                }
                frame_release(&f);
                if (r < 0 || c->has_exit)
                        return r;
        }
}

static int step_wait(struct coffer_call *c)
{
        int r = await_end(c);

        if (r == -ENODATA) {
                (void)error_say(&c->error, r, COFFER_ERROR_STATE, "box %s has never run",
                                c->box->id);
                error_hint(&c->error, "`coffer start %s` starts it", c->box->id);
        }
        return r;
}

int coffer_box_wait_begin(struct coffer_box *box, struct coffer_call **ret_call,
                          struct coffer_error *err)
{
        struct coffer_call *c;
        int r;

        REQUIRE(box && ret_call, err);
        r = call_new(box, step_wait, &c, err);
        if (r < 0)
                return r;
        (void)request_encode(c, PROTO_WAIT, NULL);
        return call_begin(c, ret_call, err);
}

int coffer_box_wait(struct coffer_box *box, int timeout_ms, struct coffer_exit *ret_exit,
                    struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r;

        REQUIRE(ret_exit, err);
        r = coffer_box_wait_begin(box, &c, err);
        return call_run(c, r, timeout_ms, ret_exit, NULL, err);
}

/* --------------------------------------------------------------------------------------- stop */

/* Never started, or removed when it had stopped: there is nothing to stop, which was wanted. */
static int step_stop(struct coffer_call *c)
{
        int r = await_end(c);

        return r == -ENODATA || r == -ENOENT ? 0 : r;
}

static int stop_new(struct coffer_box *box, int signal, int grace_ms, struct coffer_call **ret_call,
                    struct coffer_error *err)
{
        struct msg_stop m = {
                .signal = (uint32_t)signal,
                .grace_ms = grace_ms < 0 ? UINT32_MAX : (uint32_t)grace_ms,
        };
        struct coffer_call *c;
        int r;

        REQUIRE(box && ret_call, err);
        REQUIRE(signal >= 0 && signal <= SIGNAL_MAX, err);
        r = call_new(box, step_stop, &c, err);
        if (r < 0)
                return r;
        (void)request_encode(c, PROTO_STOP, &m);
        *ret_call = c;
        return 0;
}

int coffer_box_stop_begin(struct coffer_box *box, int signal, int grace_ms,
                          struct coffer_call **ret_call, struct coffer_error *err)
{
        struct coffer_call *c;
        int r = stop_new(box, signal, grace_ms, &c, err);

        return r < 0 ? r : call_begin(c, ret_call, err);
}

int coffer_box_stop(struct coffer_box *box, int signal, int grace_ms, int timeout_ms,
                    struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_stop_begin(box, signal, grace_ms, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}

static int step_restart(struct coffer_call *c)
{
        int r = c->stopped ? 0 : step_stop(c);

        if (r < 0)
                return r;
        if (!c->stopped) {
                link_reset(&c->link);
                c->stopped = true;
                c->has_exit = false;
                c->box->fresh = false;
        }
        return step_start(c);
}

int coffer_box_restart_begin(struct coffer_box *box, int signal, int grace_ms,
                             struct coffer_call **ret_call, struct coffer_error *err)
{
        struct coffer_call *c;
        int r = stop_new(box, signal, grace_ms, &c, err);

        if (r < 0)
                return r;
        c->step = step_restart;
        return call_begin(c, ret_call, err);
}

int coffer_box_restart(struct coffer_box *box, int signal, int grace_ms, int timeout_ms,
                       struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_restart_begin(box, signal, grace_ms, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}

/* --------------------------------------------------------------------------------------- kill */

/* A shim that is proven to be it and does not answer is ended, and its box with it. */
static bool kill_hung(struct coffer_call *c)
{
        int pidfd = link_hung_pidfd(&c->link);

        if (pidfd < 0 || sys_pidfd_send_signal(pidfd, SIGKILL) < 0)
                return false;
        link_reset(&c->link);
        c->ending = true;
        return true;
}

static int step_kill(struct coffer_call *c)
{
        struct frame f = FRAME_INIT;
        int r;

        if (c->ending) {
                r = await_end(c);
                return r == -ENODATA || r == -ENOENT ? 0 : r;
        }
        r = request_frame(c, &f);
        if (r == -ESRCH)
                return not_running(c, r);
        if (r == -EPIPE)
                return 0; /* it ended over the signal */
        if (r == -EBUSY && c->signal == SIGKILL && kill_hung(c))
                return step_kill(c);
        if (r < 0)
                return r;
        if (f.header.type == PROTO_ERROR)
                r = link_error(&c->link, &f, &c->error);
        frame_release(&f);
        return r;
}

int coffer_box_kill_begin(struct coffer_box *box, int signal, struct coffer_call **ret_call,
                          struct coffer_error *err)
{
        struct msg_signal m = {.signal = (uint32_t)signal};
        struct coffer_call *c;
        int r;

        REQUIRE(box && ret_call, err);
        REQUIRE(signal > 0 && signal <= SIGNAL_MAX, err);
        r = call_new(box, step_kill, &c, err);
        if (r < 0)
                return r;
        c->signal = (uint32_t)signal;
        (void)request_encode(c, PROTO_SIGNAL, &m);
        return call_begin(c, ret_call, err);
}

int coffer_box_kill(struct coffer_box *box, int signal, int timeout_ms, struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_kill_begin(box, signal, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}

/* ------------------------------------------------------------------------------------- remove */

/* Kill it first: 0 when it is gone, by whatever way. */
static int force_end(struct coffer_call *c)
{
        int r = await_end(c);

        if (r == -EBUSY && kill_hung(c))
                r = await_end(c);
        if (r == -EAGAIN)
                return r;
        /* Nobody runs it any more: how it ended need not be found out, nor be written down. */
        return c->ending || r == -ENOENT ? 0 : r;
}

static int step_remove(struct coffer_call *c)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_close int lock_fd = -EBADF;
        int r = 0;

        if (c->forcing)
                r = force_end(c);
        if (r < 0)
                return r;
        c->forcing = false;

        r = request_lock(c, &lock_fd);
        if (r == -ENOENT)
                return 0;
        if (r == -EAGAIN && c->flags & COFFER_REMOVE_FORCE && !c->forced)
                r = -EALREADY; /* it is on its way, to wherever: nobody wants to wait for that */
        if ((r == -EALREADY || r == -EBUSY) && c->flags & COFFER_REMOVE_FORCE && !c->forced) {
                c->forced = c->forcing = true;
                c->ending = false;
                lock_wait_release(&c->lock);
                return step_remove(c);
        }
        if (r == -EALREADY) {
                (void)error_say(&c->error, -EBUSY, COFFER_ERROR_STATE, "box %s is running",
                                c->box->id);
                error_hint(&c->error, "stop it first, or use coffer rm -f");
                return -EBUSY;
        }
        if (r < 0)
                return r;
        /* For its last event; where there is no room for a state it must be removable all the same.
         */
        if (settle(c->box, &record, &c->error) == -EBUSY)
                return -EBUSY; /* a process of it is left */
        return box_remove_now(c->box, (c->flags & COFFER_REMOVE_VOLUMES) != 0, &c->error);
}

int coffer_box_remove_begin(struct coffer_box *box, uint32_t flags, struct coffer_call **ret_call,
                            struct coffer_error *err)
{
        struct msg_stop m = {.signal = SIGKILL};
        struct coffer_call *c;
        int r;

        REQUIRE(box && ret_call, err);
        REQUIRE(!(flags & ~(COFFER_REMOVE_FORCE | COFFER_REMOVE_VOLUMES)), err);
        r = call_new(box, step_remove, &c, err);
        if (r < 0)
                return r;
        c->flags = flags;
        (void)request_encode(c, PROTO_STOP, &m);
        return call_begin(c, ret_call, err);
}

int coffer_box_remove(struct coffer_box *box, uint32_t flags, int timeout_ms,
                      struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r = coffer_box_remove_begin(box, flags, &c, err);

        return call_run(c, r, timeout_ms, NULL, NULL, err);
}

/* ---------------------------------------------------------------------------- exec and attach */

static int take_process(struct coffer_call *c, struct frame *f, bool is_main)
{
        int r = process_new(c->box, take_fd(&c->link.fd), f, is_main, &c->process, &c->error);

        if (r == 0)
                (void)str_copy(c->process->peer, sizeof(c->process->peer), c->link.peer);
        return r;
}

static int step_connect(struct coffer_call *c)
{
        struct frame f = FRAME_INIT;
        int r = request_frame(c, &f);

        if (r == -ESRCH)
                return not_running(c, -EBUSY);
        if (r == -EPIPE) {
                (void)error_say(&c->error, -EBUSY, COFFER_ERROR_STATE,
                                "box %s ended before it answered", c->box->id);
                error_hint(&c->error, "`coffer inspect %s` tells how it ended", c->box->id);
                return -EBUSY;
        }
        if (r < 0)
                return r;
        if (f.header.type == PROTO_STARTED)
                r = take_process(c, &f, c->request == PROTO_ATTACH);
        else if (f.header.type == PROTO_ERROR)
                r = link_error(&c->link, &f, &c->error);
        else
                r = error_say(&c->error, -EBADMSG, COFFER_ERROR_OTHER,
                              "box %s answered something else than was asked", c->box->id);
        frame_release(&f);
        return r == -ESRCH ? -EBUSY : r;
}

int exec_begin(struct coffer_box *box, const struct msg_process *process,
               struct coffer_call **ret_call, struct coffer_error *err)
{
        struct coffer_call *c;
        int r = call_new(box, step_connect, &c, err);

        if (r < 0)
                return r;
        c->request = PROTO_EXEC;
        r = request_encode(c, PROTO_EXEC, process);
        if (r < 0) {
                if (err)
                        *err = c->error;
                (void)coffer_call_free(c);
                return r;
        }
        return call_begin(c, ret_call, err);
}

int coffer_exec_start_begin(struct coffer_box *box, const struct coffer_spec *spec,
                            struct coffer_call **ret_call, struct coffer_error *err)
{
        struct msg_process m;
        int r;

        REQUIRE(box && spec && ret_call, err);
        r = spec_check_process(spec, err);
        if (r == 0)
                r = plan_exec(box, spec, &m, err);
        if (r < 0)
                return r;
        r = exec_begin(box, &m, ret_call, err);
        wire_release(&msg_process_table, &m);
        return r;
}

int coffer_exec_start(struct coffer_box *box, const struct coffer_spec *spec, int timeout_ms,
                      struct coffer_process **ret_process, struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r;

        REQUIRE(ret_process, err);
        r = coffer_exec_start_begin(box, spec, &c, err);
        return call_run(c, r, timeout_ms, NULL, ret_process, err);
}

int coffer_box_attach_begin(struct coffer_box *box, uint32_t streams, struct coffer_call **ret_call,
                            struct coffer_error *err)
{
        const uint32_t all = COFFER_STDIN | COFFER_STDOUT | COFFER_STDERR;
        struct msg_attach m = {.stdio = streams ? streams : all};
        const struct spec *spec;
        struct coffer_call *c;
        int r;

        REQUIRE(box && ret_call, err);
        REQUIRE(!(streams & ~all), err);
        r = box_spec(box, &spec, err);
        if (r == 0)
                r = call_new(box, step_connect, &c, err);
        if (r < 0)
                return r;
        c->request = PROTO_ATTACH;
        (void)request_encode(c, PROTO_ATTACH, &m);
        return call_begin(c, ret_call, err);
}

int coffer_box_attach(struct coffer_box *box, uint32_t streams, int timeout_ms,
                      struct coffer_process **ret_process, struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r;

        REQUIRE(ret_process, err);
        r = coffer_box_attach_begin(box, streams, &c, err);
        return call_run(c, r, timeout_ms, NULL, ret_process, err);
}
