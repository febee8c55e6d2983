/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Main's output: read once, to the log, and to a pipe for each attached client.  The pipes are the
 * back-pressure: while one is full, main is not read.  Bytes that a slow reader has not taken when
 * main ends go into its pipe, made larger, so that the box need not wait for a pager.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "shim/shim.h"

#define READ_BYTES    (64 * 1024)
#define PENDING_MAX   (4 * READ_BYTES)
#define PIPE_LAST_MAX (1024 * 1024) /* /proc/sys/fs/pipe-max-size unless changed */
#define LINGER_MS     10000         /* for a reader whose pipe cannot be made large enough */

/* One direction of a pump: what was read and has not been written. */
struct flow {
        struct output *output;
        int fd; /* our end of the client's pipe; -1: closed */
        struct loop_io *io;
        struct buf pending;
};

struct attachment {
        struct output *output;
        const struct client *client;
        struct flow to[2]; /* its stdout, stderr */
        struct flow in;    /* its stdin, for a terminal */
        bool lasts;        /* it sees what main writes after a restart, too */
        struct attachment *next;
};

static struct output *output_of(struct shim *s)
{
        return &s->output;
}

static bool is_blocked(const struct output *o)
{
        for (const struct attachment *a = o->attachments; a; a = a->next)
                if (a->to[0].pending.size > 0 || a->to[1].pending.size > 0)
                        return true;
        return false;
}

static void on_stdout(void *data, uint32_t events);
static void on_stderr(void *data, uint32_t events);

/*
 * A source that must wait is taken out of the loop, since epoll tells of a hang-up whatever it is
 * asked for.  A terminal is edge-triggered: it hangs up whenever nobody has it open, and comes
 * back when somebody opens it again.
 */
static void watch_sources(struct output *o)
{
        static const loop_io_fn callbacks[2] = {on_stdout, on_stderr};
        bool blocked = is_blocked(o);

        for (int i = 0; i < 2; i++) {
                if (o->from[i] < 0)
                        continue;
                if (blocked)
                        o->io[i] = loop_remove(o->io[i]);
                else if (!o->io[i])
                        (void)loop_add(o->shim->loop, o->from[i], EPOLLIN | (o->tty ? EPOLLET : 0),
                                       callbacks[i], o, &o->io[i]);
        }
}

static void flow_close(struct flow *f)
{
        f->io = loop_remove(f->io);
        close_fd(&f->fd);
        buf_release(&f->pending);
}

static void attachment_free(struct attachment *a)
{
        struct attachment **at = &a->output->attachments;

        while (*at != a)
                at = &(*at)->next;
        *at = a->next;
        flow_close(&a->to[0]);
        flow_close(&a->to[1]);
        flow_close(&a->in);
        free(a);
}

/* ------------------------------------------------------------------- towards the client */

static void flow_write(struct flow *f)
{
        while (f->fd >= 0 && f->pending.size > 0) {
                ssize_t n = sys_write(f->fd, f->pending.data, f->pending.size);

                if (n == -EAGAIN)
                        break;
                if (n < 0) { /* its reader is gone; the others and the log are not */
                        flow_close(f);
                        return;
                }
                buf_consume(&f->pending, (size_t)n);
        }
        if (f->io)
                (void)loop_mod(f->io, f->pending.size > 0 ? EPOLLOUT : 0);
}

static void on_writable(void *data, uint32_t events)
{
        struct flow *f = data;
        struct output *o = f->output;

        if (events & EPOLLERR)
                flow_close(f);
        else
                flow_write(f);
        watch_sources(o);
        life_check_end(o->shim);
}

static void hand_out(struct output *o, int stream, const char *data, size_t size)
{
        for (struct attachment *a = o->attachments; a; a = a->next) {
                struct flow *f = &a->to[stream];

                if (f->fd < 0)
                        continue;
                if (buf_append(&f->pending, data, size) < 0)
                        flow_close(f);
                else
                        flow_write(f);
        }
}

/* ---------------------------------------------------------------------------- from main */

/* The log of a box that is going to be removed comes into being with its first byte. */
static void log_append(struct output *o, enum log_stream stream, const char *data, size_t size)
{
        struct shim *s = o->shim;
        int r = 0;

        if (!o->logging)
                return;
        if (o->log.fd < 0)
                r = box_log_open(&o->log, s->dir_fd, s->start.log_max_bytes, s->start.log_files);
        if (r == 0)
                r = box_log_append(&o->log, stream, now_ns(), data, size);
        if (r < 0 && !s->record.error[0])
                (void)str_copy(s->record.error, sizeof(s->record.error),
                               "output was lost: the log could not be written");
}

static void source_close(struct output *o, int i)
{
        o->io[i] = loop_remove(o->io[i]);
        close_fd(&o->from[i]);
        for (struct attachment *a = o->attachments; a; a = a->next) {
                if (a->to[i].pending.size == 0 && !a->lasts)
                        flow_close(&a->to[i]);
        }
}

/* Reads what is there; false at the end of the stream. */
static bool pump(struct output *o, int i)
{
        static char block[READ_BYTES];
        ssize_t n = sys_read(o->from[i], block, sizeof(block));

        if (n == -EAGAIN)
                return true;
        if (n <= 0) /* EIO: the last slave of a terminal was closed */
                return false;
        if (o->logging &&
            box_log_append(&o->log, i == 0 ? LOG_STDOUT : LOG_STDERR, now_ns(), block, (size_t)n) <
                    0 &&
            !o->shim->record.error[0])
                (void)str_copy(o->shim->record.error, sizeof(o->shim->record.error),
                               "output was lost: the log could not be written");
        hand_out(o, i, block, (size_t)n);
        return true;
}

static void on_source(struct output *o, int i)
{
        bool open = pump(o, i);

        /* Edge-triggered: to the end of what is there, or until a reader is full. */
        while (open && o->tty && !is_blocked(o)) {
                int waiting = 0;

                if (ioctl(o->from[i], FIONREAD, &waiting) < 0 || waiting == 0)
                        break;
                open = pump(o, i);
        }
        if (!open && (!o->tty || o->shim->main_exited))
                source_close(o, i);
        watch_sources(o);
        life_check_end(o->shim);
}

static void on_stdout(void *data, uint32_t events)
{
        (void)events;
        on_source(data, 0);
}

static void on_stderr(void *data, uint32_t events)
{
        (void)events;
        on_source(data, 1);
}

static int set_nonblocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int output_begin(struct shim *s, struct frame *started)
{
        struct output *o = output_of(s);
        struct msg_started m;
        size_t next = 1; /* descriptor 0 is the pidfd */
        int r = frame_decode(started, &m);

        if (r < 0)
                return r;
        o->tty = (m.stdio & PROTO_TTY) != 0;
        if (o->tty)
                o->from[0] = frame_take_fd(started, next++);
        if (m.stdio & PROTO_STDIN)
                o->stdin_fd = frame_take_fd(started, next++);
        if (m.stdio & PROTO_STDOUT)
                o->from[0] = frame_take_fd(started, next++);
        if (m.stdio & PROTO_STDERR)
                o->from[1] = frame_take_fd(started, next++);

        for (int i = 0; r == 0 && i < 2; i++) {
                if (o->from[i] < 0)
                        continue;
                r = set_nonblocking(o->from[i]);
        }
        if (o->tty && o->rows > 0)
                (void)output_resize(s, o->rows, o->cols);
        /* Who had it was with the run before. */
        if (s->record.restart_count > 0 && s->start.flags & START_STDIN_ONCE)
                close_fd(&o->stdin_fd);
        watch_sources(o);
        return r;
}

/* ------------------------------------------------------------------------------ attaching */

/* Keys typed by an attached client, to the terminal; what does not fit waits in the pipe. */
static void on_input(void *data, uint32_t events)
{
        struct attachment *a = data;
        struct output *o = a->output;
        char keys[1024];
        ssize_t n;

        (void)events;
        n = sys_read(a->in.fd, keys, sizeof(keys));
        if (n == -EAGAIN)
                return;
        if (n <= 0 || (o->from[0] < 0 && !a->lasts)) {
                flow_close(&a->in);
                return;
        }
        /* The line discipline takes 4 KiB; more than that unread is dropped, as by a terminal. */
        if (o->from[0] >= 0)
                (void)sys_write(o->from[0], keys, (size_t)n);
}

static int make_flow(struct shim *s, struct flow *f, bool to_client, loop_io_fn fn, void *data,
                     int *ret_theirs)
{
        int ends[2];
        int r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        f->output = output_of(s);
        f->fd = ends[to_client ? 1 : 0];
        f->pending = BUF_INIT(PENDING_MAX);
        r = set_nonblocking(f->fd);
        if (r == 0)
                r = loop_add(s->loop, f->fd, to_client ? 0 : EPOLLIN, fn, data, &f->io);
        if (r < 0) {
                flow_close(f);
                (void)close(ends[to_client ? 0 : 1]);
                return r;
        }
        *ret_theirs = ends[to_client ? 0 : 1];
        return 0;
}

static int attach_stdin(struct shim *s, struct attachment *a, int *ret_fd)
{
        struct output *o = output_of(s);

        if (o->tty)
                return make_flow(s, &a->in, false, on_input, a, ret_fd);
        *ret_fd = fcntl(o->stdin_fd, F_DUPFD_CLOEXEC, 0);
        if (*ret_fd < 0)
                return -errno;
        if (s->start.flags & START_STDIN_ONCE)
                close_fd(&o->stdin_fd);
        return 0;
}

int output_attach(struct shim *s, struct client *c, uint32_t wanted, int ret_fds[3],
                  uint32_t *ret_mask)
{
        struct output *o = output_of(s);
        struct attachment *a = calloc(1, sizeof(*a));
        size_t count = 0;
        int r = 0;

        if (!a)
                return -ENOMEM;
        *a = (struct attachment){.output = o, .client = c, .next = o->attachments};
        a->to[0].fd = a->to[1].fd = a->in.fd = -1;
        o->attachments = a;
        *ret_mask = 0;

        if (wanted & PROTO_STDIN && (o->tty || o->stdin_fd >= 0)) {
                r = attach_stdin(s, a, &ret_fds[count]);
                if (r == 0) {
                        count++;
                        *ret_mask |= PROTO_STDIN;
                }
        }
        for (int i = 0; r == 0 && i < 2; i++) {
                uint32_t bit = i == 0 ? PROTO_STDOUT : PROTO_STDERR;

                if (!(wanted & bit) || o->from[i] < 0)
                        continue;
                r = make_flow(s, &a->to[i], true, on_writable, &a->to[i], &ret_fds[count]);
                if (r == 0) {
                        count++;
                        *ret_mask |= bit;
                }
        }
        if (r == 0)
                return 0;
        while (count > 0)
                close_fd(&ret_fds[--count]);
        attachment_free(a);
        return r;
}

void output_keep(struct shim *s, const struct client *c)
{
        for (struct attachment *a = output_of(s)->attachments; a; a = a->next)
                if (a->client == c)
                        a->lasts = true;
}

void output_detach(struct shim *s, const struct client *c)
{
        struct attachment *a = output_of(s)->attachments;

        while (a) {
                struct attachment *next = a->next;

                if (a->client == c)
                        attachment_free(a);
                a = next;
        }
        watch_sources(output_of(s));
}

int output_resize(struct shim *s, uint32_t rows, uint32_t cols)
{
        struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
        struct output *o = output_of(s);

        if (!o->tty)
                return -ENOTTY;
        o->rows = rows;
        o->cols = cols;
        if (o->from[0] < 0)
                return s->between ? 0 : -ENOTTY; /* the next run's terminal has it */
        return ioctl(o->from[0], TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* -------------------------------------------------------------------------------- the end */

static void on_linger(void *data)
{
        struct output *o = data;

        o->linger = NULL;
        while (o->attachments)
                attachment_free(o->attachments);
        output_note(o->shim, "a reader did not take the last of the output");
        life_check_end(o->shim);
}

/* Everything into the readers' pipes, which are made as large as they may be. */
static bool flush(struct output *o)
{
        bool done = true;

        for (struct attachment *a = o->attachments; a; a = a->next) {
                for (int i = 0; i < 2; i++) {
                        if (a->to[i].pending.size == 0)
                                continue;
                        (void)fcntl(a->to[i].fd, F_SETPIPE_SZ, PIPE_LAST_MAX);
                        flow_write(&a->to[i]);
                        if (a->to[i].pending.size > 0)
                                done = false;
                }
        }
        return done;
}

/*
 * Is there nothing to read?  What was written to a terminal is on its way for a while (the kernel
 * hands it over in a worker): poll(2) has it delivered, FIONREAD alone does not see it.
 */
static bool is_empty(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int waiting = 0;

        (void)poll(&p, 1, 0);
        return ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 0;
}

/* With main dead nothing in the box writes any more: what there is, is all. */
static void drain(struct output *o)
{
        for (int i = 0; i < 2; i++) {
                while (o->from[i] >= 0) {
                        if (is_empty(o->from[i])) {
                                source_close(o, i);
                                break;
                        }
                        if (!flush(o))
                                return;
                        if (!pump(o, i))
                                source_close(o, i);
                }
        }
}

bool output_is_drained(struct shim *s)
{
        struct output *o = output_of(s);

        drain(o);
        if (!flush(o)) {
                if (!o->lingering)
                        o->lingering =
                                loop_after(s->loop, LINGER_MS, on_linger, o, &o->linger) == 0;
                return false;
        }
        return o->from[0] < 0 && o->from[1] < 0;
}

void output_note(struct shim *s, const char *text)
{
        struct output *o = output_of(s);

        log_append(o, LOG_NOTE, text, strlen(text));
}

void output_rest(struct shim *s)
{
        struct output *o = output_of(s);

        for (int i = 0; i < 2; i++)
                if (o->from[i] >= 0)
                        source_close(o, i);
        o->linger = loop_cancel(o->linger);
        o->lingering = false;
        close_fd(&o->stdin_fd);
}

void output_end(struct shim *s)
{
        struct output *o = output_of(s);

        output_rest(s);
        while (o->attachments)
                attachment_free(o->attachments);
        if (o->log.fd >= 0)
                box_log_close(&o->log);
        o->logging = false;
}
