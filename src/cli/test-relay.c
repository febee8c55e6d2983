/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "cli/relay.h"

#define MUCH (4 * 1024 * 1024)

/* A relay between two descriptors, fed and emptied by the same loop. */
struct rig {
        struct loop *loop;
        struct relay *relay;
        int ends; /* how many times it was told */
        enum relay_end end;
        int code;
        int theirs; /* the caller's end, which he closes when it is over */
        int feed;   /* written to; or -1 */
        int taste;  /* read from; or -1 */
        size_t to_feed, fed, tasted;
        bool wrong; /* a byte was not what it had to be */
        struct loop_io *feed_io, *taste_io;
};

static char pattern(size_t i)
{
        return (char)(i * 31 + (i >> 8) * 7);
}

static void check_quit(struct rig *g)
{
        if (g->ends && !g->taste_io)
                loop_quit(g->loop);
}

static void on_end(void *data, enum relay_end end, int code)
{
        struct rig *g = data;

        g->ends++;
        g->end = end;
        g->code = code;
        close_fd(&g->theirs);
        check_quit(g);
}

static void on_feed(void *data, uint32_t events)
{
        struct rig *g = data;
        char bytes[3000];
        size_t n = g->to_feed - g->fed < sizeof(bytes) ? g->to_feed - g->fed : sizeof(bytes);
        ssize_t w;

        for (size_t i = 0; i < n; i++)
                bytes[i] = pattern(g->fed + i);
        w = n ? write(g->feed, bytes, n) : 0;
        if (w > 0)
                g->fed += (size_t)w;
        if (g->fed == g->to_feed || (w < 0 && errno != EAGAIN)) {
                g->feed_io = loop_remove(g->feed_io);
                close_fd(&g->feed);
        }
}

static void on_taste(void *data, uint32_t events)
{
        struct rig *g = data;
        char bytes[5000];
        ssize_t n = read(g->taste, bytes, sizeof(bytes));

        for (ssize_t i = 0; i < n; i++)
                g->wrong = g->wrong || bytes[i] != pattern(g->tasted + (size_t)i);
        if (n > 0)
                g->tasted += (size_t)n;
        if (n <= 0) { /* the master of a terminal that was closed says EIO */
                g->taste_io = loop_remove(g->taste_io);
                check_quit(g);
        }
}

static void rig_run(struct rig *g)
{
        (void)signal(SIGPIPE, SIG_IGN);
        t_ok(loop_run(g->loop));
        g->relay = relay_free(g->relay);
        close_fd(&g->feed);
        close_fd(&g->taste);
        close_fd(&g->theirs);
        g->loop = loop_free(g->loop);
        t_int(1, g->ends);
}

static void pair(int kind, int fds[2])
{
        if (kind == 0)
                t_ok(pipe2(fds, O_CLOEXEC));
        else
                t_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        if (kind != 0) { /* fds[0] is read, as of a pipe */
                (void)shutdown(fds[1], SHUT_RD);
                (void)shutdown(fds[0], SHUT_WR);
        }
}

/* Begins to relay; one of the two is ours and is closed by the relay. */
static void rig_relay(struct rig *g, int from, int to, bool ours_from, struct keys *keys)
{
        g->theirs = ours_from ? to : from;
        t_ok(relay_new(g->loop, from, to, ours_from, keys, on_end, g, &g->relay));
}

static void rig_feed(struct rig *g, int fd, size_t size)
{
        g->feed = fd;
        g->to_feed = size;
        t_ok(fcntl(fd, F_SETFL, O_NONBLOCK));
        t_ok(loop_add(g->loop, fd, EPOLLOUT, on_feed, g, &g->feed_io));
}

static void rig_taste(struct rig *g, int fd)
{
        g->taste = fd;
        t_ok(loop_add(g->loop, fd, EPOLLIN, on_taste, g, &g->taste_io));
}

static struct rig rig_new(void)
{
        struct rig g = {.feed = -1, .taste = -1, .theirs = -1};

        t_ok(loop_new(&g.loop));
        return g;
}

TEST(every_byte_arrives_in_order_both_ways_through_pipes_and_sockets)
{
        for (int kinds = 0; kinds < 8; kinds++) {
                int in[2], out[2], before = t_open_fds();
                struct rig g = rig_new();

                t_note("combination %d", kinds);
                pair(kinds & 2, in);
                pair(kinds & 4, out);
                rig_feed(&g, in[1], MUCH);
                rig_taste(&g, out[0]);
                rig_relay(&g, in[0], out[1], kinds & 1, NULL);
                t_int(0, fcntl(g.theirs, F_GETFL) & O_NONBLOCK);
                rig_run(&g);
                t_int(RELAY_EOF, g.end);
                t_int(MUCH, (int64_t)g.tasted);
                t_false(g.wrong);
                t_int(before, t_open_fds());
        }
}

/* An unnamed file with what on_feed() would write. */
static int file_of(size_t size, int flags)
{
        char path[] = "/tmp/test-relay-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC), other;
        char *bytes = malloc(size + 1);

        t_ok(fd);
        t_true(bytes != NULL);
        for (size_t i = 0; bytes && i < size; i++)
                bytes[i] = pattern(i);
        t_ok(sys_write_all(fd, bytes, size));
        free(bytes);
        other = sys_open(AT_FDCWD, path, O_RDWR | flags);
        t_ok(other);
        t_ok(unlink(path));
        (void)close(fd);
        return other;
}

TEST(a_regular_file_is_read_though_it_cannot_be_polled)
{
        struct rig g = rig_new();
        int out[2];

        pair(0, out);
        rig_taste(&g, out[0]);
        rig_relay(&g, file_of(MUCH, 0), out[1], false, NULL);
        rig_run(&g);
        t_int(RELAY_EOF, g.end);
        t_int(MUCH, (int64_t)g.tasted);
        t_false(g.wrong);
}

TEST(a_file_is_written_also_where_splice_cannot)
{
        for (int append = 0; append < 2; append++) {
                struct rig g = rig_new();
                struct stat st;
                int in[2], keep, file = file_of(0, append ? O_APPEND : 0);

                t_note("append %d", append);
                pair(0, in);
                keep = fcntl(file, F_DUPFD_CLOEXEC, 3);
                t_ok(keep);
                rig_feed(&g, in[1], MUCH);
                rig_relay(&g, in[0], file, true, NULL);
                rig_run(&g);
                t_int(RELAY_EOF, g.end);
                t_ok(fstat(keep, &st));
                t_int(MUCH, st.st_size);
                (void)close(keep);
        }
}

TEST(dev_null_is_empty_and_takes_everything)
{
        struct rig g = rig_new();
        int in[2], out[2];

        pair(0, out);
        rig_taste(&g, out[0]);
        rig_relay(&g, sys_open(AT_FDCWD, "/dev/null", O_RDONLY), out[1], false, NULL);
        rig_run(&g);
        t_int(RELAY_EOF, g.end);
        t_int(0, (int64_t)g.tasted);

        g = rig_new();
        pair(0, in);
        rig_feed(&g, in[1], MUCH);
        rig_relay(&g, in[0], sys_open(AT_FDCWD, "/dev/null", O_WRONLY), true, NULL);
        rig_run(&g);
        t_int(RELAY_EOF, g.end);
        t_int(MUCH, (int64_t)g.fed);
}

TEST(a_reader_that_goes_away_is_noticed_before_anything_is_written)
{
        for (int kinds = 0; kinds < 4; kinds++) {
                struct rig g = rig_new();
                int in[2], out[2];

                t_note("combination %d", kinds);
                pair(0, in);
                pair(kinds & 2, out);
                rig_relay(&g, in[0], out[1], kinds & 1, NULL);
                (void)close(out[0]);
                rig_run(&g);
                t_int(RELAY_NO_TAKER, g.end);
                (void)close(in[1]);
        }
}

TEST(finish_takes_what_is_there_and_waits_for_nothing)
{
        struct rig g = rig_new();
        int in[2], out[2];
        char bytes[8];

        pair(0, in);
        pair(0, out);
        rig_relay(&g, in[0], out[1], true, NULL);
        t_int(5, write(in[1], "there", 5));
        relay_finish(g.relay); /* in[1] is still open: a stray holds it */
        t_int(1, g.ends);
        t_int(RELAY_EOF, g.end);
        t_int(5, read(out[0], bytes, sizeof(bytes)));
        g.relay = relay_free(g.relay);
        g.loop = loop_free(g.loop);
        (void)close(in[1]);
        (void)close(out[0]);
}

TEST(the_detach_keys_end_it_after_what_was_typed_before)
{
        struct keys keys = {0};
        struct rig g = rig_new();
        int in[2], out[2];
        char bytes[8] = "";

        t_ok(keys_parse(KEYS_DEFAULT, &keys));
        pair(0, in);
        pair(0, out);
        t_int(5, write(in[1], "ab\x10\x11z", 5));
        rig_relay(&g, in[0], out[1], false, &keys);
        rig_run(&g);
        t_int(RELAY_DETACHED, g.end);
        t_int(2, read(out[0], bytes, sizeof(bytes)));
        t_str("ab", bytes);
        (void)close(in[1]);
        (void)close(out[0]);
}

TEST(a_terminal_of_the_callers_stays_blocking)
{
        struct rig g = rig_new();
        struct termios raw;
        int in[2], master, slave, keep;

        t_ok(openpty(&master, &slave, NULL, NULL, NULL));
        t_ok(tcgetattr(slave, &raw));
        cfmakeraw(&raw);
        t_ok(tcsetattr(slave, TCSANOW, &raw));
        keep = fcntl(slave, F_DUPFD_CLOEXEC, 3);
        t_ok(keep);
        pair(0, in);
        rig_feed(&g, in[1], 100000);
        g.taste = master;
        t_ok(loop_add(g.loop, master, EPOLLIN, on_taste, &g, &g.taste_io));
        rig_relay(&g, in[0], slave, true, NULL);
        t_int(0, fcntl(keep, F_GETFL) & O_NONBLOCK);
        (void)close(keep);
        rig_run(&g);
        t_int(RELAY_EOF, g.end);
        t_int(100000, (int64_t)g.tasted);
        t_false(g.wrong);
}
