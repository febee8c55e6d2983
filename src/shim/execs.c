/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "shim/shim.h"

#define EXECS_MAX 4096

/* A process that a client asked for; the bytes of its streams never come here. */
struct exec {
        struct shim *shim;
        struct client *client; /* NULL: it was left behind, or was detached from the start */
        uint32_t stream;
        uint32_t flags; /* enum proto_process_flags */
        uint32_t timeout_ms;
        uint64_t launch; /* as trail_launch() said */
        uint32_t pid;
        int pidfd;
        int tty_fd; /* kept so that detaching does not hang up the terminal */
        struct loop_io *tty_io;
        struct loop_timer *timer;
        bool timed_out;
        bool term_sent;
        struct exec *next;
};

static void exec_free(struct exec *e)
{
        struct exec **at = &e->shim->execs;

        while (*at != e)
                at = &(*at)->next;
        *at = e->next;
        e->tty_io = loop_remove(e->tty_io);
        e->timer = loop_cancel(e->timer);
        close_fd(&e->pidfd);
        close_fd(&e->tty_fd);
        free(e);
}

static struct exec *find(const struct shim *s, uint32_t stream)
{
        struct exec *e = s->execs;

        while (e && e->stream != stream)
                e = e->next;
        return e;
}

static struct exec *find_client(const struct shim *s, const struct client *c)
{
        struct exec *e = s->execs;

        while (e && e->client != c)
                e = e->next;
        return e;
}

bool execs_has(const struct shim *s, const struct client *c)
{
        return find_client(s, c) != NULL;
}

uint32_t execs_count(const struct shim *s)
{
        uint32_t n = 0;

        for (const struct exec *e = s->execs; e; e = e->next)
                n++;
        return n;
}

void execs_free(struct shim *s)
{
        while (s->execs)
                exec_free(s->execs);
}

void execs_start(struct shim *s, struct client *c, const struct frame *f)
{
        struct coffer_error err = {0};
        struct msg_process p;
        uint64_t launch = 0;
        bool refused = false;
        struct exec *e;
        int r = 0;

        if (!s->main_exited && hold_refuses(s, &err)) {
                client_send_error(c, &err);
                return;
        }
        if (s->state != BOX_RUNNING) {
                life_say_not_running(s, &err);
                client_send_error(c, &err);
                return;
        }
        if (find_client(s, c) || execs_count(s) >= EXECS_MAX)
                r = -EBUSY;
        if (r == 0)
                r = frame_decode(f, &p);
        if (r == 0) {
                r = FAULT("exec.spawn");
                if (r == 0)
                        refused = trail_launch(s, "exec", &p, &launch, &err) < 0;
                if (r < 0 || refused)
                        wire_release(&msg_process_table, &p);
        }
        if (refused) {
                client_send_error(c, &err);
                return;
        }
        e = r == 0 ? calloc(1, sizeof(*e)) : NULL;
        if (e) {
                *e = (struct exec){.shim = s,
                                   .client = c,
                                   .stream = s->next_stream++,
                                   .flags = p.flags,
                                   .timeout_ms = p.timeout_ms,
                                   .launch = launch,
                                   .pidfd = -EBADF,
                                   .tty_fd = -EBADF,
                                   .next = s->execs};
                s->execs = e;
                r = channel_forward(s->box.socket_fd, PROTO_SPAWN, e->stream, &f->payload,
                                    SEND_TIMEOUT_MS);
                wire_release(&msg_process_table, &p);
        } else if (r == 0) {
                r = -ENOMEM;
                wire_release(&msg_process_table, &p);
        }
        if (r == 0)
                return;
        if (e)
                exec_free(e);
        (void)error_set(&err, r, "start a process in box %s", s->id);
        if (launch > 0)
                trail_failed(s, "exec", launch, err.msg);
        client_send_error(c, &err);
}

/* ------------------------------------------------------------------------- its end of life */

void execs_signal_group(struct shim *s, uint32_t stream, int pidfd, int signal)
{
        struct msg_signal m = {.signal = (uint32_t)signal};

        if (sys_pidfd_send_signal_group(pidfd, signal) == -EINVAL)
                (void)channel_send(s->box.socket_fd, PROTO_SIGNAL, stream, &m, NULL, 0,
                                   SEND_TIMEOUT_MS);
}

static void on_term_timeout(void *data)
{
        struct exec *e = data;

        e->timer = NULL;
        execs_signal_group(e->shim, e->stream, e->pidfd, SIGKILL);
}

/*
 * SIGTERM, and SIGKILL after the box's grace; to its process group, which is its own: a shell that
 * ends would leave behind what it waits for.
 */
static void end_gently(struct exec *e)
{
        if (e->term_sent || e->pidfd < 0)
                return;
        e->term_sent = true;
        execs_signal_group(e->shim, e->stream, e->pidfd, SIGTERM);
        e->timer = loop_cancel(e->timer);
        if (loop_after(e->shim->loop, e->shim->start.stop_grace_ms, on_term_timeout, e, &e->timer) <
            0)
                execs_signal_group(e->shim, e->stream, e->pidfd, SIGKILL);
}

static void on_exec_timeout(void *data)
{
        struct exec *e = data;

        e->timer = NULL;
        e->timed_out = true;
        end_gently(e);
}

/* Nobody looks at this terminal any more, but its program must not block on it. */
static void on_abandoned_tty(void *data, uint32_t events)
{
        struct exec *e = data;
        char drop[4096];

        (void)events;
        if (sys_read(e->tty_fd, drop, sizeof(drop)) <= 0)
                e->tty_io = loop_remove(e->tty_io);
}

static void leave(struct exec *e, bool detach)
{
        e->client = NULL;
        if (!detach && !(e->flags & PROCESS_DETACHED)) {
                close_fd(&e->tty_fd); /* a hang-up, if it has a terminal */
                end_gently(e);
        } else if (e->tty_fd >= 0) {
                (void)loop_add(e->shim->loop, e->tty_fd, EPOLLIN, on_abandoned_tty, e, &e->tty_io);
        }
}

void execs_leave(struct shim *s, const struct client *c, bool detach)
{
        struct exec *e = find_client(s, c);

        if (e)
                leave(e, detach);
}

int execs_signal(struct shim *s, const struct client *c, int signal)
{
        const struct exec *e = find_client(s, c);

        return e && e->pidfd >= 0 ? sys_pidfd_send_signal(e->pidfd, signal) : -ESRCH;
}

/* --------------------------------------------------------------------- from the supervisor */

static void started(struct exec *e, struct frame *f)
{
        struct msg_started m;
        pid_t pid = 0;

        if (e->pidfd >= 0 || frame_decode(f, &m) < 0)
                return;
        e->pidfd = frame_take_fd(f, 0);
        if (e->client)
                client_send(e->client, PROTO_STARTED, &m, f->fds + 1, f->fd_count - 1);
        if (sys_pidfd_pid(e->pidfd, &pid) == 0)
                e->pid = (uint32_t)pid;
        if (m.stdio & PROTO_TTY)
                e->tty_fd = frame_take_fd(f, 1);
        if (!e->client)
                leave(e, false); /* it left before its process began */
        if (e->timeout_ms > 0 && !e->timer)
                (void)loop_after(e->shim->loop, e->timeout_ms, on_exec_timeout, e, &e->timer);
}

static void exited(struct exec *e, const struct frame *f)
{
        struct msg_exited m;

        if (frame_decode(f, &m) < 0)
                return;
        m.timed_out = e->timed_out;
        if (e->term_sent)
                execs_signal_group(e->shim, e->stream, e->pidfd,
                                   SIGKILL); /* those who did not mind */
        if (e->client)
                client_send(e->client, PROTO_EXITED, &m, NULL, 0);
        trail_exited(e->shim, "exec", e->launch, e->pid, m.status);
        wire_release(&msg_exited_table, &m);
        exec_free(e);
}

static void failed(struct exec *e, const struct frame *f)
{
        struct coffer_error err;

        (void)frame_error(f, &err);
        if (e->client)
                client_send_error(e->client, &err);
        trail_failed(e->shim, "exec", e->launch, err.msg);
        exec_free(e);
}

void execs_frame(struct shim *s, struct frame *f)
{
        struct exec *e = find(s, f->header.stream);

        if (!e)
                return;
        if (f->header.type == PROTO_STARTED && f->fd_count >= 1)
                started(e, f);
        else if (f->header.type == PROTO_EXITED)
                exited(e, f);
        else if (f->header.type == PROTO_ERROR)
                failed(e, f);
}
