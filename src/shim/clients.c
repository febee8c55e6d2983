/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/str.h"
#include "shim/shim.h"

struct client {
        struct shim *shim;
        int fd;
        struct loop_io *io;
        struct frame_reader reader;
        bool greeted;
        bool owes_hello; /* before anything else that it is sent */
        bool starter;    /* it sent START and awaits its answer */
        bool owner;      /* a foreground box ends with this connection */
        bool waits;      /* EXITED goes here when the box has ended */
        bool stops;      /* it asked for the end, and is told when that does not come */
        bool dropped;    /* freed when the callback returns */
        struct client *next;
};

static void client_free(struct client *c)
{
        struct shim *s = c->shim;
        struct client **at = &s->clients;

        while (*at != c)
                at = &(*at)->next;
        *at = c->next;
        s->client_count--;

        c->io = loop_remove(c->io);
        output_detach(s, c);
        execs_leave(s, c, false);
        hold_forget(s, c);
        if (c->owner && !s->finished)
                life_stop(s, 0, UINT32_MAX);
        frame_release(&c->reader.frame);
        close_fd(&c->fd);
        free(c);
        life_check_end(s);
}

/* Freed by its callback, which the hang-up calls; whoever waits at the other end learns of it. */
static void drop(struct client *c)
{
        c->dropped = true;
        (void)shutdown(c->fd, SHUT_RDWR);
}

static void say_hello(struct client *c)
{
        const struct shim *s = c->shim;
        struct msg_hello m = {
                .major = SHIM_MAJOR,
                .minor = SHIM_MINOR,
                .version = (char *)(uintptr_t)s->identity.coffer,
                .box_id = (char *)(uintptr_t)s->id,
                .nonce = {.data = (char *)(uintptr_t)s->identity.nonce,
                          .size = sizeof(s->identity.nonce)},
        };

        if (!c->owes_hello)
                return;
        c->owes_hello = false;
        client_send(c, PROTO_HELLO, &m, NULL, 0);
}

void client_send(struct client *c, enum proto_type type, const void *message, const int *fds,
                 size_t fd_count)
{
        say_hello(c);
        if (!c->dropped &&
            channel_send(c->fd, type, 0, message, fds, fd_count, SEND_TIMEOUT_MS) < 0)
                drop(c);
}

void client_send_error(struct client *c, const struct coffer_error *err)
{
        say_hello(c);
        if (!c->dropped && channel_send_error(c->fd, 0, err, SEND_TIMEOUT_MS) < 0)
                drop(c);
}

static void answer(struct client *c, int r, const char *what)
{
        struct coffer_error err = {0};

        if (r >= 0) {
                client_send(c, PROTO_OK, NULL, NULL, 0);
                return;
        }
        (void)error_set(&err, r, "%s box %s", what, c->shim->id);
        if (r == -ESRCH)
                life_say_not_running(c->shim, &err);
        client_send_error(c, &err);
}

/* -------------------------------------------------------------------------- the requests */

/* A client that asks at once says which instance of us it means. */
static bool means_us(const struct shim *s, const struct msg_hello *m)
{
        /* A socket that was linked to another box's place leads to the wrong shim. */
        return str_eq(m->box_id, s->id) &&
               (m->nonce.size == 0 ||
                (m->nonce.size == PROTO_NONCE_ASKED_BYTES &&
                 memcmp(m->nonce.data, s->identity.nonce, PROTO_NONCE_ASKED_BYTES) == 0));
}

/* What was asked along with it goes on its way first: the client waits for that. */
static void on_hello(struct client *c, struct frame *f)
{
        struct msg_hello m;

        if (frame_decode(f, &m) < 0) {
                c->dropped = true;
                return;
        }
        c->greeted = c->owes_hello = means_us(c->shim, &m);
        wire_release(&msg_hello_table, &m);
        if (!c->greeted)
                c->dropped = true;
}

static void on_info(struct client *c, struct frame *f)
{
        const struct shim *s = c->shim;
        struct msg_info m = {
                .state = (char *)(uintptr_t)box_state_name(s->state),
                .main_pid = s->record.pid,
                .exec_count = execs_count(s),
                .posture = s->box.posture,
        };

        (void)f;
        client_send(c, PROTO_INFO, &m, NULL, 0);
}

/*
 * Which signals mean that the box is to end, so that no policy may undo it: Docker's, and what a
 * terminal or a supervisor of processes sends to a foreground client, with which the box ends.
 */
static bool means_end(const struct client *c, uint32_t signal)
{
        uint32_t stop_signal = c->shim->start.stop_signal;

        return signal == SIGKILL || signal == (stop_signal ? stop_signal : SIGTERM) ||
               (c->owner && (signal == SIGINT || signal == SIGTERM));
}

static int signal_main(const struct client *c, uint32_t signal)
{
        struct shim *s = c->shim;

        if (s->restarts.policy.kind != RESTART_NO && means_end(c, signal)) {
                s->record.stop_asked = true;
                if (restarts_cancel(s) || s->main_exited)
                        return 0;
                (void)life_save(s, false);
        }
        return life_signal(s, (int)signal);
}

static void on_signal(struct client *c, struct frame *f)
{
        struct msg_signal m;
        char number[16];
        const char *extra[] = {"signal", number, NULL};
        int r = frame_decode(f, &m);

        if (r < 0 || m.signal < 1 || m.signal > 64) {
                answer(c, -EINVAL, "signal");
                return;
        }
        (void)snprintf(number, sizeof(number), "%u", m.signal);
        if (execs_has(c->shim, c)) {
                answer(c, execs_signal(c->shim, c, (int)m.signal), "signal a process of");
                return;
        }
        r = signal_main(c, m.signal);
        if (r == 0)
                life_event(c->shim, "kill", extra);
        /* As Docker: what is to end a box does so also while it is paused. */
        if (r == 0 && (m.signal == SIGKILL || m.signal == life_stop_signal(c->shim)))
                hold_lift(c->shim);
        answer(c, r, "signal");
}

static void on_stop(struct client *c, struct frame *f)
{
        struct msg_stop m;

        if (frame_decode(f, &m) < 0) {
                answer(c, -EBADMSG, "stop");
                return;
        }
        c->waits = c->stops = true;
        life_stop(c->shim, m.signal, m.grace_ms);
}

static void on_wait(struct client *c, struct frame *f)
{
        (void)f;
        c->waits = true;
}

static void on_exec(struct client *c, struct frame *f)
{
        execs_start(c->shim, c, f);
}

static void send_started(struct client *c, uint32_t wanted)
{
        struct shim *s = c->shim;
        struct msg_started m = {.pid = s->record.pid};
        struct coffer_error err = {0};
        int fds[3] = {-1, -1, -1};
        size_t count;
        int r = 0;

        if (wanted != 0)
                r = output_attach(s, c, wanted, fds, &m.stdio);
        if (r < 0) {
                (void)error_set(&err, r, "attach to box %s", s->id);
                client_send_error(c, &err);
                return;
        }
        count = (size_t)__builtin_popcount(m.stdio);
        if (c->owner && s->restarts.policy.kind != RESTART_NO)
                output_keep(s, c);
        client_send(c, PROTO_STARTED, &m, fds, count);
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
}

static void on_attach(struct client *c, struct frame *f)
{
        struct coffer_error err = {0};
        struct msg_attach m;

        if (hold_refuses(c->shim, &err)) {
                client_send_error(c, &err);
                return;
        }
        if (frame_decode(f, &m) < 0 || c->shim->main_exited || !c->shim->started) {
                answer(c, -ESRCH, "attach to");
                return;
        }
        c->waits = true;
        life_event(c->shim, "attach", NULL);
        send_started(c, m.stdio);
}

static void on_resize(struct client *c, struct frame *f)
{
        struct msg_resize m;
        int r = frame_decode(f, &m);

        if (r == 0)
                r = output_resize(c->shim, m.rows, m.cols);
        answer(c, r, "resize the terminal of");
}

static void on_detach(struct client *c, struct frame *f)
{
        (void)f;
        if (c->owner)
                life_event(c->shim, "detach", NULL);
        c->owner = false;
        c->waits = false;
        execs_leave(c->shim, c, true);
        output_detach(c->shim, c);
        answer(c, 0, "detach from");
}

static void on_pause(struct client *c, struct frame *f)
{
        (void)f;
        hold_pause(c->shim, c);
}

static void on_unpause(struct client *c, struct frame *f)
{
        (void)f;
        hold_unpause(c->shim, c);
}

static void on_update(struct client *c, struct frame *f)
{
        struct msg_update m;

        if (frame_decode(f, &m) < 0)
                answer(c, -EBADMSG, "update");
        else
                hold_update(c->shim, c, &m);
}

static const struct {
        enum proto_type type;
        void (*run)(struct client *c, struct frame *f);
} requests[] = {
        {PROTO_INFO,    on_info   },
        {PROTO_SIGNAL,  on_signal },
        {PROTO_STOP,    on_stop   },
        {PROTO_WAIT,    on_wait   },
        {PROTO_EXEC,    on_exec   },
        {PROTO_ATTACH,  on_attach },
        {PROTO_RESIZE,  on_resize },
        {PROTO_DETACH,  on_detach },
        {PROTO_PAUSE,   on_pause  },
        {PROTO_UNPAUSE, on_unpause},
        {PROTO_UPDATE,  on_update },
};

static void serve(struct client *c, struct frame *f)
{
        struct coffer_error err;

        if (!c->greeted) {
                if (f->header.type == PROTO_HELLO)
                        on_hello(c, f);
                else
                        c->dropped = true;
                return;
        }
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
                if ((uint16_t)requests[i].type == f->header.type &&
                    f->header.type <= SHIM_LAST_REQUEST) {
                        requests[i].run(c, f);
                        return;
                }
        }
        (void)error_say(&err, -EOPNOTSUPP, COFFER_ERROR_VERSION,
                        "this box's coffer %s does not know request %u", c->shim->identity.coffer,
                        f->header.type);
        client_send_error(c, &err);
}

static void on_client(void *data, uint32_t events)
{
        struct client *c = data;
        int r;

        (void)events;
        while (!c->dropped && (r = channel_recv_step(c->fd, &c->reader)) != -EAGAIN) {
                if (r < 0) {
                        c->dropped = true;
                        break;
                }
                serve(c, &c->reader.frame);
                frame_release(&c->reader.frame);
                c->reader = FRAME_READER_INIT;
        }
        if (!c->dropped)
                say_hello(c);
        if (c->dropped)
                client_free(c);
}

/* ------------------------------------------------------------------------------ the socket */

int clients_add(struct shim *s, int fd, bool is_starter, struct client **ret_client)
{
        struct client *c;
        int r;

        c = s->client_count < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
        if (!c) {
                (void)close(fd);
                return -ENOMEM;
        }
        *c = (struct client){.shim = s,
                             .fd = fd,
                             .reader = FRAME_READER_INIT,
                             .greeted = is_starter,
                             .starter = is_starter,
                             .owner = is_starter && s->start.flags & START_FOREGROUND,
                             .waits = is_starter && s->start.flags & START_FOREGROUND,
                             .next = s->clients};
        r = loop_add(s->loop, fd, EPOLLIN, on_client, c, &c->io);
        if (r < 0) {
                (void)close(fd);
                free(c);
                return r;
        }
        s->clients = c;
        s->client_count++;
        if (ret_client)
                *ret_client = c;
        return 0;
}

/* Only who could also signal us, or read our memory, may ask us for anything. */
static bool may_ask(int fd)
{
        struct ucred cred;
        socklen_t size = sizeof(cred);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
                return false;
        return cred.uid == 0 || cred.uid == geteuid();
}

static void on_listen(void *data, uint32_t events)
{
        struct shim *s = data;
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        (void)events;
        if (fd < 0)
                return;
        if (may_ask(fd))
                (void)clients_add(s, fd, false, NULL);
        else
                (void)close(fd);
}

int clients_listen(struct shim *s, struct coffer_error *err)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t mask;
        int r;

        if (fd < 0)
                return error_set(err, -errno, "create the control socket");
        /* By the directory's descriptor: a home may be longer than a socket's name. */
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock",
                       s->dir_fd);
        (void)unlinkat(s->dir_fd, "control.sock", 0);
        mask = umask(0177);
        r = FAULT("begin.socket");
        if (r == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                r = -errno;
        (void)umask(mask);
        if (r == 0 && listen(fd, 128) < 0)
                r = -errno;
        if (r == 0)
                r = loop_add(s->loop, fd, EPOLLIN, on_listen, s, &s->listen_io);
        if (r < 0)
                return error_set(err, r, "listen on the control socket");
        s->listen_fd = take_fd(&fd);
        return 0;
}

/* ----------------------------------------------------------------------------- main's life */

static struct client *find_starter(struct shim *s)
{
        struct client *c = s->clients;

        while (c && !c->starter)
                c = c->next;
        return c;
}

void clients_main_started(struct shim *s)
{
        struct client *c = find_starter(s);

        if (!c)
                return;
        c->starter = false;
        send_started(c, s->start.attach);
}

void clients_start_failed(struct shim *s, const struct coffer_error *err)
{
        struct client *c = find_starter(s);

        if (!c)
                return;
        c->starter = false;
        c->waits = false;
        c->owner = false;
        client_send_error(c, err);
}

void clients_tell_left(struct shim *s, const struct coffer_error *err)
{
        for (struct client *c = s->clients; c; c = c->next) {
                if (!c->stops)
                        continue;
                client_send_error(c, err);
                c->stops = c->waits = false;
        }
}

static struct msg_exited how_it_ended(struct shim *s)
{
        return (struct msg_exited){
                .status = s->record.exit_code,
                .oom_killed = s->record.oom_killed,
                .timed_out = s->record.timed_out,
                .reason = s->record.reason,
        };
}

void clients_tell_run_end(struct shim *s)
{
        struct msg_exited m = how_it_ended(s);
        struct client *c = s->clients;

        while (c) {
                struct client *next = c->next;

                if (c->waits && !c->owner)
                        client_send(c, PROTO_EXITED, &m, NULL, 0);
                if ((c->waits && !c->owner) || execs_has(s, c))
                        client_free(c);
                c = next;
        }
}

void clients_tell_end(struct shim *s)
{
        struct msg_exited m = how_it_ended(s);

        for (struct client *c = s->clients; c; c = c->next)
                if (c->waits)
                        client_send(c, PROTO_EXITED, &m, NULL, 0);
        while (s->clients) {
                s->clients->owner = false;
                client_free(s->clients);
        }
}
