/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/link.h"
#include "lib/process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/error.h"
#include "base/loop.h"
#include "lib/settle.h"

#define SEND_TIMEOUT_MS 5000
#define SIGNAL_MAX      64

static int stream_index(enum coffer_stream stream)
{
        switch (stream) {
        case COFFER_STDIN:
                return 0;
        case COFFER_STDOUT:
                return 1;
        case COFFER_STDERR:
                return 2;
        case COFFER_TTY:
                return 3;
        }
        return -1;
}

int exit_from_frame(const struct frame *f, struct coffer_exit *ret_exit)
{
        struct coffer_exit e = {0};
        struct msg_exited m;
        int r = frame_decode(f, &m);

        if (r < 0)
                return r;
        e.status = (int32_t)(m.status & 0xff);
        e.oom_killed = m.oom_killed;
        e.timed_out = m.timed_out;
        (void)str_copy(e.reason, sizeof(e.reason), m.reason);
        wire_release(&msg_exited_table, &m);
        *ret_exit = e;
        return 0;
}

int process_new(const struct coffer_box *box, int fd, struct frame *started, bool is_main,
                struct coffer_process **ret_process, struct coffer_error *err)
{
        cleanup_close int socket_fd = fd;
        struct coffer_process *p;
        struct msg_started m;
        size_t next = 0;
        int r = frame_decode(started, &m);

        if (r < 0)
                return error_set(err, r, "read the answer of box %s", box->id);
        p = calloc(1, sizeof(*p));
        if (!p)
                return error_set(err, -ENOMEM, "connect to box %s", box->id);
        p->runtime = box->runtime;
        memcpy(p->id, box->id, sizeof(p->id));
        p->fd = take_fd(&socket_fd);
        p->reader = FRAME_READER_INIT;
        p->pid = (pid_t)m.pid;
        p->is_main = is_main;
        p->tty = is_main && box->spec && box->spec->tty;
        for (int i = 0; i < STREAM_COUNT; i++) {
                p->streams[i] = -EBADF;
                if (m.stdio & 1U << i)
                        p->streams[i] = frame_take_fd(started, next++);
        }
        *ret_process = p;
        return 0;
}

struct coffer_process *coffer_process_free(struct coffer_process *process)
{
        int saved_errno = errno;

        if (!process)
                return NULL;
        close_fd(&process->fd);
        frame_release(&process->reader.frame);
        for (int i = 0; i < STREAM_COUNT; i++)
                close_fd(&process->streams[i]);
        free(process);
        errno = saved_errno;
        return NULL;
}

pid_t coffer_process_pid(const struct coffer_process *process)
{
        return process ? process->pid : 0;
}

int coffer_process_stream(const struct coffer_process *process, enum coffer_stream stream)
{
        int i = stream_index(stream);

        return !process || i < 0 || process->streams[i] < 0 ? -EBADF : process->streams[i];
}

int coffer_process_take_stream(struct coffer_process *process, enum coffer_stream stream)
{
        int i = stream_index(stream);

        return !process || i < 0 || process->streams[i] < 0 ? -EBADF
                                                            : take_fd(&process->streams[i]);
}

int coffer_process_fd(const struct coffer_process *process)
{
        return process ? process->fd : -EINVAL;
}

/* ----------------------------------------------------------------------------------- frames */

static int end_with(struct coffer_process *p, const struct coffer_exit *e)
{
        p->exit = *e;
        p->ended = true;
        return 1;
}

/* The shim is gone without a word: then so is the box, and the files say what there is to say. */
static int end_without_word(struct coffer_process *p, struct coffer_error *err)
{
        struct coffer_exit e = {.status = 128 + 9, .reason = "shim died"};
        int r = 0;

        if (p->is_main)
                r = settle_by_id(p->runtime, p->id, &e, err);
        return r < 0 ? r : end_with(p, &e);
}

/* 1: ended; 0: a frame was taken in; -EAGAIN: none there. */
static int take_frame(struct coffer_process *p, struct coffer_error *err)
{
        struct coffer_error theirs;
        struct coffer_exit e;
        int r;

        if (p->ended)
                return 1;
        r = channel_recv_step(p->fd, &p->reader);
        if (r == -EAGAIN)
                return r;
        if (r < 0) {
                /* Where it is we who cannot read, the shim has to know that we do not any more. */
                (void)shutdown(p->fd, SHUT_RDWR);
                return end_without_word(p, err);
        }

        switch (p->reader.frame.header.type) {
        case PROTO_EXITED:
                r = exit_from_frame(&p->reader.frame, &e);
                r = r < 0 ? error_set(err, r, "read the end of a process") : end_with(p, &e);
                break;
        case PROTO_ERROR: /* mostly of a signal to a process that has just ended */
                p->refused = frame_error(&p->reader.frame, &theirs) == -EOPNOTSUPP &&
                             theirs.kind == COFFER_ERROR_VERSION;
                p->asked -= p->asked > 0;
                break;
        case PROTO_OK:
                p->asked -= p->asked > 0;
                break;
        default:
                break;
        }
        frame_release(&p->reader.frame);
        p->reader = FRAME_READER_INIT;
        return r;
}

int coffer_process_dispatch(struct coffer_process *process, struct coffer_exit *ret_exit,
                            struct coffer_error *err)
{
        int r;

        REQUIRE(process && ret_exit, err);
        do
                r = take_frame(process, err);
        while (r == 0);
        if (r == 1)
                *ret_exit = process->exit;
        return r == -EAGAIN ? 0 : r;
}

static int wait_readable(int fd, uint64_t deadline_ms)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = -1;

        if (deadline_ms > 0) {
                left = (int64_t)deadline_ms - (int64_t)loop_now_ms();
                if (left <= 0)
                        return -ETIMEDOUT;
                left = left > INT32_MAX ? INT32_MAX : left;
        }
        return poll(&p, 1, (int)left) < 0 && errno != EINTR ? -errno : 0;
}

static uint64_t deadline_after(int timeout_ms)
{
        /* Never 0, which means none. */
        return timeout_ms < 0 ? 0 : loop_now_ms() + (uint64_t)timeout_ms + (timeout_ms == 0);
}

int coffer_process_wait(struct coffer_process *process, int timeout_ms,
                        struct coffer_exit *ret_exit, struct coffer_error *err)
{
        uint64_t deadline_ms = deadline_after(timeout_ms);
        int r;

        REQUIRE(process && ret_exit, err);
        for (;;) {
                r = coffer_process_dispatch(process, ret_exit, err);
                if (r != 0)
                        return r < 0 ? r : 0;
                r = wait_readable(process->fd, deadline_ms);
                if (r == -ETIMEDOUT)
                        return error_say(err, r, COFFER_ERROR_OTHER,
                                         "the process has not ended in %d ms", timeout_ms);
                if (r < 0)
                        return error_set(err, r, "wait for a process");
        }
}

static int ask(struct coffer_process *p, enum proto_type type, const void *message,
               struct coffer_error *err)
{
        int r = p->ended ? -EPIPE : channel_send(p->fd, type, 0, message, NULL, 0, SEND_TIMEOUT_MS);

        if (r == -ECONNRESET)
                r = -EPIPE;
        if (r < 0)
                return error_set(err, r, "reach the process");
        p->asked++;
        return 0;
}

int coffer_process_signal(struct coffer_process *process, int signal, struct coffer_error *err)
{
        struct msg_signal m = {.signal = (uint32_t)signal};

        REQUIRE(process, err);
        REQUIRE(signal > 0 && signal <= SIGNAL_MAX, err);
        return ask(process, PROTO_SIGNAL, &m, err);
}

int coffer_process_resize(struct coffer_process *process, uint32_t rows, uint32_t columns,
                          struct coffer_error *err)
{
        struct msg_resize m = {.rows = rows, .cols = columns};
        struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

        REQUIRE(process, err);
        REQUIRE(rows <= UINT16_MAX && columns <= UINT16_MAX, err);
        if (process->streams[3] >= 0)
                return ioctl(process->streams[3], TIOCSWINSZ, &size) < 0
                               ? error_set(err, -errno, "resize the terminal")
                               : 0;
        if (!process->tty)
                return error_say(err, -ENOTTY, COFFER_ERROR_OTHER, "the process has no terminal");
        return ask(process, PROTO_RESIZE, &m, err);
}

int coffer_process_detach(struct coffer_process *process, int timeout_ms, struct coffer_error *err)
{
        uint64_t deadline_ms = deadline_after(timeout_ms);
        int r;

        REQUIRE(process, err);
        process->refused = false;
        r = ask(process, PROTO_DETACH, NULL, err);
        while (r == 0 && process->asked > 0) {
                r = take_frame(process, err);
                if (r == 1)
                        return error_set(err, -EPIPE, "detach from the process");
                if (r == -EAGAIN)
                        r = wait_readable(process->fd, deadline_ms);
        }
        if (r == -ETIMEDOUT)
                return error_say(err, r, COFFER_ERROR_OTHER, "the box did not answer in %d ms",
                                 timeout_ms);
        if (r == 0 && process->refused)
                r = link_say_unknown(process->id, process->peer, PROTO_DETACH, err);
        if (r < 0)
                return r;
        for (int i = 0; i < STREAM_COUNT; i++)
                close_fd(&process->streams[i]);
        return 0;
}
