/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"

#define BUFFER_BYTES 65536
#define SPLICE_BYTES (1024 * 1024)
#define ROUNDS       16            /* of one turn, so that other sources get theirs */
#define GROW_AFTER   (1024 * 1024) /* bytes; before that a larger pipe is not worth its making */

struct relay {
        struct loop *loop;
        int from, to; /* one is ours and owned; ours_from says which */
        int opened; /* owned; our own opening of the caller's terminal, which @to then is; or -1 */
        bool ours_from;
        bool splice;
        bool from_tty, to_tty, to_socket;
        bool finish;
        bool detach; /* the sequence was typed; what came before it is in the buffer */
        bool ended;
        size_t write_max; /* bytes of one write(2); PIPE_BUF: @to may block */
        uint64_t moved;
        struct keys *keys;
        char *buffer; /* owned; twice BUFFER_BYTES, and KEYS_MAX */
        size_t start, end;
        struct loop_io *in;  /* waits for something to read */
        struct loop_io *out; /* waits for room to write, or only for the reader to go away */
        relay_fn fn;
        void *data;
};

static void on_in(void *data, uint32_t events);
static void on_out(void *data, uint32_t events);

static void close_all(struct relay *r)
{
        r->in = loop_remove(r->in);
        r->out = loop_remove(r->out);
        close_fd(r->ours_from ? &r->from : &r->to);
        close_fd(&r->opened);
}

static void end_relay(struct relay *r, enum relay_end end, int code)
{
        if (r->ended)
                return;
        r->ended = true;
        close_all(r);
        r->fn(r->data, end, code);
}

/* -EPERM: what cannot be polled, a regular file or /dev/null, is always ready. */
static int watch_in(struct relay *r)
{
        return r->in ? 0 : loop_add(r->loop, r->from, EPOLLIN, on_in, r, &r->in);
}

static int watch_out(struct relay *r, uint32_t events)
{
        return r->out ? loop_mod(r->out, events)
                      : loop_add(r->loop, r->to, events, on_out, r, &r->out);
}

/*
 * The end that is not waited for is not watched for data: a hang-up cannot be masked out and would
 * turn the loop without a pause.  Only a reader that goes away is of interest at any time.
 */
static int wait_in(struct relay *r)
{
        int ret = watch_in(r);

        if (ret == -EPERM)
                return watch_out(r, EPOLLOUT);
        if (ret < 0)
                return ret;
        ret = watch_out(r, 0);
        return ret == -EPERM ? 0 : ret;
}

static int wait_out(struct relay *r)
{
        int ret = watch_out(r, EPOLLOUT);

        if (ret == -EPERM)
                return watch_in(r);
        if (ret == 0)
                r->in = loop_remove(r->in);
        return ret;
}

static bool is_ready(int fd, short events)
{
        struct pollfd p = {.fd = fd, .events = events};

        return poll(&p, 1, 0) > 0;
}

/* A pipe of our own that has proved busy is made as large as an ordinary user may. */
static void count(struct relay *r, size_t bytes)
{
        uint64_t before = r->moved;

        r->moved += bytes;
        if (before < GROW_AFTER && r->moved >= GROW_AFTER)
                (void)fcntl(r->ours_from ? r->from : r->to, F_SETPIPE_SZ, SPLICE_BYTES);
}

/* Each of the three: more than 0 bytes went on, 0 end of file, else a negative errno. */

static ssize_t move_by_splice(struct relay *r)
{
        ssize_t n;

        do
                n = splice(r->from, NULL, r->to, NULL, SPLICE_BYTES,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static ssize_t fill(struct relay *r)
{
        char *typed;
        ssize_t n;

        if (!r->buffer) {
                r->buffer = malloc(2 * BUFFER_BYTES + KEYS_MAX);
                if (!r->buffer)
                        return -ENOMEM;
        }
        /* The caller's descriptor blocks; ours does not. */
        if (!r->ours_from && !is_ready(r->from, POLLIN))
                return -EAGAIN;

        typed = r->keys ? r->buffer + BUFFER_BYTES + KEYS_MAX : r->buffer;
        n = sys_read(r->from, typed, BUFFER_BYTES);
        if (n <= 0)
                return n;
        r->start = 0;
        r->end = (size_t)n;
        if (r->keys)
                r->detach = keys_filter(r->keys, typed, (size_t)n, r->buffer, &r->end);
        return n;
}

static ssize_t drain(struct relay *r)
{
        size_t size = r->end - r->start;
        ssize_t n;

        if (size > r->write_max)
                size = r->write_max;
        if (r->write_max == PIPE_BUF && !is_ready(r->to, POLLOUT))
                return -EAGAIN;
        do
                n = r->to_socket
                            ? send(r->to, r->buffer + r->start, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                            : write(r->to, r->buffer + r->start, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        r->start += (size_t)n;
        return n;
}

static void end_by(struct relay *r, int code)
{
        bool reading = r->start == r->end;

        /* EIO is how a terminal ends whose other side is gone. */
        if (code == 0 || (code == -EIO && reading && r->from_tty))
                end_relay(r, RELAY_EOF, 0);
        else if (code == -EPIPE || code == -ECONNRESET || (code == -EIO && !reading && r->to_tty))
                end_relay(r, RELAY_NO_TAKER, 0);
        else
                end_relay(r, RELAY_FAILED, code);
}

/* One step; as the three. */
static ssize_t step(struct relay *r)
{
        ssize_t n;

        if (r->start < r->end)
                return drain(r);
        if (!r->splice)
                return fill(r);
        n = move_by_splice(r);
        if (n != -EINVAL)
                return n;
        r->splice = false; /* a file opened for appending, say */
        return fill(r);
}

/* As much as goes in one turn. */
static void turn(struct relay *r)
{
        bool full = false;
        int ret;

        for (int i = 0; i < ROUNDS || r->finish; i++) {
                ssize_t n;

                if (r->detach && r->start == r->end) {
                        end_relay(r, RELAY_DETACHED, 0);
                        return;
                }
                n = step(r);
                if (n > 0) {
                        count(r, (size_t)n);
                        continue;
                }
                if (n != -EAGAIN) {
                        end_by(r, (int)n);
                        return;
                }
                full = r->start < r->end || (r->splice && is_ready(r->from, POLLIN));
                if (r->finish && !full) {
                        end_relay(r, RELAY_EOF, 0);
                        return;
                }
                break;
        }
        ret = full || r->start < r->end || r->detach ? wait_out(r) : wait_in(r);
        if (ret < 0)
                end_relay(r, RELAY_FAILED, ret);
}

static void on_in(void *data, uint32_t events)
{
        struct relay *r = data;

        if (!r->ended)
                turn(r);
}

static void on_out(void *data, uint32_t events)
{
        struct relay *r = data;

        if (!r->ended && (events & (EPOLLERR | EPOLLHUP)))
                end_relay(r, RELAY_NO_TAKER, 0);
        else if (!r->ended)
                turn(r);
}

/* The same terminal, opened once more: only there can O_NONBLOCK be ours alone. */
static void open_again(struct relay *r)
{
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", r->to);
        r->opened = sys_open(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
        if (r->opened >= 0)
                r->to = r->opened;
        else
                r->write_max = PIPE_BUF;
}

/* What the two ends are, and so how bytes go between them. */
static int look_at_ends(struct relay *r)
{
        int ours = r->ours_from ? r->from : r->to;
        struct stat from, to;
        int flags;

        if (fstat(r->from, &from) < 0 || fstat(r->to, &to) < 0)
                return -errno;
        flags = fcntl(ours, F_GETFL);
        if (flags < 0 || fcntl(ours, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;

        r->splice = !r->keys &&
                    ((S_ISFIFO(from.st_mode) && (S_ISFIFO(to.st_mode) || S_ISREG(to.st_mode))) ||
                     (S_ISREG(from.st_mode) && S_ISFIFO(to.st_mode)));
        r->from_tty = S_ISCHR(from.st_mode);
        r->to_tty = S_ISCHR(to.st_mode);
        r->to_socket = S_ISSOCK(to.st_mode);
        r->write_max = r->ours_from && S_ISFIFO(to.st_mode) ? PIPE_BUF : SIZE_MAX;
        if (r->ours_from && S_ISCHR(to.st_mode) && isatty(r->to))
                open_again(r);
        return 0;
}

int relay_new(struct loop *loop, int from, int to, bool ours_from, struct keys *keys, relay_fn fn,
              void *data, struct relay **ret_relay)
{
        struct relay *r = calloc(1, sizeof(*r));
        int ret;

        if (!r) {
                (void)close(ours_from ? from : to);
                return -ENOMEM;
        }
        *r = (struct relay){.loop = loop,
                            .from = from,
                            .to = to,
                            .opened = -EBADF,
                            .ours_from = ours_from,
                            .keys = keys,
                            .fn = fn,
                            .data = data};
        ret = look_at_ends(r);
        if (ret == 0)
                ret = wait_in(r);
        if (ret < 0) {
                (void)relay_free(r);
                return ret;
        }
        *ret_relay = r;
        return 0;
}

void relay_finish(struct relay *r)
{
        if (!r || r->ended)
                return;
        r->finish = true;
        turn(r);
}

struct relay *relay_free(struct relay *r)
{
        if (!r)
                return NULL;
        if (!r->ended)
                close_all(r);
        free(r->buffer);
        free(r);
        return NULL;
}
