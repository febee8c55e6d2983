/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/loop.h"
#include "lib/process.h"

int call_new(struct coffer_box *box, call_step_fn step, struct coffer_call **ret_call,
             struct coffer_error *err)
{
        struct coffer_call *c = calloc(1, sizeof(*c));

        if (!c)
                return error_set(err, -ENOMEM, "begin a call");
        c->box = box;
        c->step = step;
        c->result = -EAGAIN;
        c->wait_fd = -1;
        c->epoll_fd = c->timer_fd = c->polled_fd = -1;
        c->payload = BUF_INIT(PROTO_PAYLOAD_MAX);
        link_init(&c->link, box->dir_fd, box->id);
        lock_wait_init(&c->lock);
        *ret_call = c;
        return 0;
}

struct coffer_call *coffer_call_free(struct coffer_call *call)
{
        int saved_errno = errno;

        if (!call)
                return NULL;
        link_release(&call->link);
        lock_wait_release(&call->lock);
        (void)coffer_process_free(call->process);
        buf_release(&call->payload);
        strv_release(&call->updates);
        close_fd(&call->epoll_fd);
        close_fd(&call->timer_fd);
        free(call);
        errno = saved_errno;
        return NULL;
}

static int go_on(struct coffer_call *c)
{
        if (c->result != -EAGAIN)
                return c->result;
        c->wait_fd = -1;
        c->limit_ms = 0;
        c->result = c->step(c);
        return c->result;
}

/* ------------------------------------------------------------------------------- event loops */

static int arm_timer(struct coffer_call *c)
{
        struct itimerspec at = {
                .it_value =
                        {
                                   .tv_sec = (time_t)(c->limit_ms / 1000),
                                   .tv_nsec = (long)(c->limit_ms % 1000) * 1000000,
                                   },
        };

        return timerfd_settime(c->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}

/* Make the one descriptor that the caller polls follow what we wait for now. */
static int follow(struct coffer_call *c)
{
        struct epoll_event event = {.events = EPOLLIN};
        struct coffer_call *done = c->result != -EAGAIN ? c : NULL;

        if (c->epoll_fd < 0)
                return 0;
        if (done) {
                /* Ready for ever: whoever polls learns that it has ended. */
                c->limit_ms = 1;
                return arm_timer(c);
        }
        if (c->polled_fd >= 0)
                (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->polled_fd, NULL);
        c->polled_fd = -1;
        if (c->wait_fd >= 0) {
                if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wait_fd, &event) < 0)
                        return -errno;
                c->polled_fd = c->wait_fd;
        }
        return arm_timer(c);
}

int coffer_call_fd(struct coffer_call *call)
{
        struct epoll_event event = {.events = EPOLLIN};
        int r;

        if (!call)
                return -EINVAL;
        if (call->epoll_fd >= 0)
                return call->epoll_fd;
        call->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        call->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        r = call->epoll_fd < 0 || call->timer_fd < 0 ? -errno : 0;
        if (r == 0 && epoll_ctl(call->epoll_fd, EPOLL_CTL_ADD, call->timer_fd, &event) < 0)
                r = -errno;
        if (r == 0)
                r = follow(call);
        if (r < 0) {
                close_fd(&call->epoll_fd);
                close_fd(&call->timer_fd);
                return r;
        }
        return call->epoll_fd;
}

int coffer_call_finish(struct coffer_call *call, struct coffer_error *err)
{
        int r;

        REQUIRE(call, err);
        r = go_on(call);
        if (r != 0 && r != -EAGAIN && err)
                *err = call->error;
        /* Without it nobody would be woken: better to say so than to hang. */
        if (follow(call) < 0 && r == -EAGAIN)
                return error_set(err, -ENOMEM, "wait for the box");
        return r;
}

/* ----------------------------------------------------------------------------------- waiting */

static int poll_until(const struct coffer_call *c, uint64_t deadline_ms)
{
        struct pollfd p = {.fd = c->wait_fd, .events = POLLIN};
        uint64_t until = deadline_ms;
        int64_t left = -1;

        if (c->limit_ms > 0 && (until == 0 || c->limit_ms < until))
                until = c->limit_ms;
        if (until > 0) {
                left = (int64_t)until - (int64_t)loop_now_ms();
                left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
        }
        /* A signal of the calling program's is none of our business. */
        return poll(&p, 1, (int)left) < 0 && errno != EINTR ? -errno : 0;
}

int coffer_call_wait(struct coffer_call *call, int timeout_ms, struct coffer_error *err)
{
        uint64_t deadline_ms = 0;
        int r;

        REQUIRE(call, err);
        if (timeout_ms >= 0)
                deadline_ms = loop_now_ms() + (uint64_t)timeout_ms;
        while ((r = go_on(call)) == -EAGAIN) {
                if (deadline_ms > 0 && loop_now_ms() >= deadline_ms)
                        return error_say(err, -ETIMEDOUT, COFFER_ERROR_OTHER,
                                         "box %s did not answer in %d ms", call->box->id,
                                         timeout_ms);
                r = poll_until(call, deadline_ms);
                if (r < 0)
                        return error_set(err, r, "wait for box %s", call->box->id);
        }
        if (r != 0 && err)
                *err = call->error;
        return r;
}

int coffer_call_exit(const struct coffer_call *call, struct coffer_exit *ret_exit)
{
        if (!call || !ret_exit || call->result != 0 || !call->has_exit)
                return -EINVAL;
        *ret_exit = call->exit;
        return 0;
}

int coffer_call_take_process(struct coffer_call *call, struct coffer_process **ret_process)
{
        if (!call || !ret_process || call->result != 0 || !call->process)
                return -EINVAL;
        *ret_process = take_ptr(call->process);
        return 0;
}

int call_begin(struct coffer_call *call, struct coffer_call **ret_call, struct coffer_error *err)
{
        int r = go_on(call);

        if (r < 0 && r != -EAGAIN) {
                if (err)
                        *err = call->error;
                (void)coffer_call_free(call);
                return r;
        }
        *ret_call = call;
        return 0;
}

int call_run(struct coffer_call *call, int begun, int timeout_ms, struct coffer_exit *ret_exit,
             struct coffer_process **ret_process, struct coffer_error *err)
{
        int r = begun;

        if (r < 0)
                return r;
        r = coffer_call_wait(call, timeout_ms, err);
        if (r == 0 && ret_exit)
                r = coffer_call_exit(call, ret_exit);
        if (r == 0 && ret_process)
                r = coffer_call_take_process(call, ret_process);
        (void)coffer_call_free(call);
        return r;
}
