/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "shim/shim.h"
#include "t.h"

/*
 * output.c alone: the test is main (it holds the near ends of its streams), the clients, and the
 * rest of the shim.
 */
static struct shim shim;
static unsigned end_checks;

void life_check_end(struct shim *s)
{
        t_true(s == &shim);
        end_checks++;
}

struct box {
        int in;  /* main reads */
        int out; /* main writes */
        int err;
        int tty;
        char dir[64];
        int before; /* descriptors before there was a box */
};

static int nonblocking(int fd)
{
        t_ok(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
        return fd;
}

static void encode_started(struct frame *f, uint32_t stdio)
{
        struct msg_started m = {.pid = 1, .stdio = stdio};

        *f = FRAME_INIT;
        f->header.type = PROTO_STARTED;
        t_ok(wire_encode(&f->payload, &msg_started_table, &m));
        f->fds[f->fd_count++] = t_ok(sys_open(AT_FDCWD, "/dev/null", O_RDONLY)); /* the pidfd */
}

/* Main's end; the shim's goes into the frame, as the supervisor would send it. */
static int add_pipe(struct frame *f, bool shim_writes)
{
        int ends[2];

        t_ok(pipe2(ends, O_CLOEXEC));
        f->fds[f->fd_count++] = ends[shim_writes ? 1 : 0];
        return nonblocking(ends[shim_writes ? 0 : 1]);
}

static void open_log(struct box *b)
{
        (void)snprintf(b->dir, sizeof(b->dir), "/tmp/coffer-test-output-XXXXXX");
        t_true(mkdtemp(b->dir) != NULL);
        shim.dir_fd = t_ok(sys_open(AT_FDCWD, b->dir, O_RDONLY | O_DIRECTORY));
        t_ok(box_log_open(&shim.output.log, shim.dir_fd, 64 * 1024 * 1024, 2));
        shim.output.logging = true;
}

static struct box box_new(uint32_t stdio)
{
        struct box b = {-1, -1, -1, -1, "", t_open_fds()};
        struct frame f;

        (void)signal(SIGPIPE, SIG_IGN); /* as in main.c */
        shim = (struct shim){.dir_fd = -1};
        shim.output = (struct output){
                .shim = &shim, .from = {-1, -1},
                     .stdin_fd = -1
        };
        t_ok(loop_new(&shim.loop));
        open_log(&b);
        end_checks = 0;

        encode_started(&f, stdio);
        if (stdio & PROTO_TTY) {
                b.tty = t_ok(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
                t_ok(unlockpt(b.tty));
                f.fds[f.fd_count++] = b.tty;
                b.tty = nonblocking(t_ok(sys_open(AT_FDCWD, ptsname(b.tty), O_RDWR | O_NOCTTY)));
        }
        if (stdio & PROTO_STDIN)
                b.in = add_pipe(&f, true);
        if (stdio & PROTO_STDOUT)
                b.out = add_pipe(&f, false);
        if (stdio & PROTO_STDERR)
                b.err = add_pipe(&f, false);
        t_ok(output_begin(&shim, &f));
        frame_release(&f);
        return b;
}

/* The box is gone: what is left open is a leak. */
static void box_free(struct box *b)
{
        output_end(&shim);
        shim.loop = loop_free(shim.loop);
        close_fd(&b->in);
        close_fd(&b->out);
        close_fd(&b->err);
        close_fd(&b->tty);
        (void)unlinkat(shim.dir_fd, "log", 0);
        close_fd(&shim.dir_fd);
        (void)rmdir(b->dir);
        t_int(b->before, t_open_fds());
}

static void on_quit(void *data)
{
        (void)data;
        loop_quit(shim.loop);
}

/* Everything that is ready now, and what becomes ready by that. */
static void serve(void)
{
        for (int i = 0; i < 8; i++) {
                struct loop_timer *timer = NULL;

                t_ok(loop_after(shim.loop, 0, on_quit, NULL, &timer));
                t_ok(loop_run(shim.loop));
        }
}

static void put(int fd, const char *text)
{
        t_int((int64_t)strlen(text), write(fd, text, strlen(text)));
}

/* What is written to a terminal comes out of it a little later (flush_to_ldisc() in the kernel). */
static void await(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        t_int(1, poll(&p, 1, 10000));
}

/* What lies in a pipe now. */
static const char *take(int fd)
{
        static char text[4096];
        ssize_t n = sys_read(nonblocking(fd), text, sizeof(text) - 1);

        if (n == -EAGAIN)
                return "(nothing)";
        if (n <= 0)
                return "(end)";
        text[n] = '\0';
        return text;
}

/* The log as text: the stream, a colon, the bytes. */
static const char *log_text(void)
{
        static char text[4096];
        struct buf b = BUF_INIT(16 * 1024 * 1024);
        size_t at = 0, used = 0;

        t_ok(buf_read_file(&b, shim.dir_fd, "log"));
        text[0] = '\0';
        while (at + sizeof(struct log_header) <= b.size) {
                struct log_header h;

                memcpy(&h, b.data + at, sizeof(h));
                at += sizeof(h);
                t_true(at + h.bytes <= b.size);
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%u:%.*s;", h.stream,
                                         (int)h.bytes, b.data + at);
                at += h.bytes;
        }
        buf_release(&b);
        return text;
}

/* Clients are told apart by their address only. */
static struct client *client(int number)
{
        static char places[8];

        return (struct client *)(void *)&places[number];
}

#define BOTH (PROTO_STDOUT | PROTO_STDERR)

TEST(what_main_writes_goes_to_the_log_and_to_every_reader)
{
        struct box b = box_new(BOTH);
        int one[3], two[3];
        uint32_t mask;

        t_ok(output_attach(&shim, client(1), BOTH, one, &mask));
        t_int(BOTH, mask);
        t_ok(output_attach(&shim, client(2), BOTH, two, &mask));
        put(b.out, "to stdout");
        serve();
        put(b.err, "to stderr");
        serve();
        t_str("to stdout", take(one[0]));
        t_str("to stderr", take(one[1]));
        t_str("to stdout", take(two[0]));
        t_str("to stderr", take(two[1]));
        t_str("1:to stdout;2:to stderr;", log_text());
        for (int i = 0; i < 2; i++) {
                close_fd(&one[i]);
                close_fd(&two[i]);
        }
        box_free(&b);
}

TEST(a_client_gets_the_streams_that_it_asked_for_and_that_there_are)
{
        static const struct {
                uint32_t there, wanted, got;
        } cases[] = {
                {BOTH,               PROTO_STDERR,       PROTO_STDERR              },
                {BOTH,               PROTO_STDOUT,       PROTO_STDOUT              },
                {BOTH,               0,                  0                         },
                {BOTH,               PROTO_STDIN,        0                         },
                {BOTH,               PROTO_STDIN | BOTH, BOTH                      },
                {PROTO_STDIN | BOTH, PROTO_STDIN | BOTH, PROTO_STDIN | BOTH        },
                {PROTO_STDOUT,       BOTH,               PROTO_STDOUT              },
                {PROTO_TTY,          PROTO_STDIN | BOTH, PROTO_STDIN | PROTO_STDOUT},
                {BOTH,               UINT32_MAX,         BOTH                      },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct box b = box_new(cases[i].there);
                int fds[3] = {-1, -1, -1}, here = t_open_fds();
                uint32_t mask = 99;

                t_ok(output_attach(&shim, client(1), cases[i].wanted, fds, &mask));
                t_int(cases[i].got, mask);
                for (int n = 0; n < 3; n++) {
                        t_int(n < __builtin_popcount(mask), fds[n] >= 0);
                        close_fd(&fds[n]);
                }
                output_detach(&shim, client(1));
                t_int(here, t_open_fds());
                box_free(&b);
        }
}

TEST(a_reader_that_is_gone_disturbs_nobody)
{
        struct box b = box_new(BOTH);
        int gone[3], stays[3];
        uint32_t mask;

        t_ok(output_attach(&shim, client(1), BOTH, gone, &mask));
        t_ok(output_attach(&shim, client(2), PROTO_STDOUT, stays, &mask));
        close_fd(&gone[0]);
        put(b.out, "one");
        serve();
        put(b.out, "two");
        serve();
        t_str("onetwo", take(stays[0]));
        t_str("1:one;1:two;", log_text());
        put(b.err, "still");
        serve();
        t_str("still", take(gone[1])); /* only that stream of it */
        output_detach(&shim, client(1));
        t_str("(end)", take(gone[1]));
        put(b.out, "three");
        serve();
        t_str("three", take(stays[0]));
        close_fd(&gone[1]);
        close_fd(&stays[0]);
        box_free(&b);
}

TEST(a_helper_run_is_not_logged)
{
        struct box b = box_new(BOTH);
        int fds[3];
        uint32_t mask;

        shim.output.logging = false;
        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
        put(b.out, "an archive");
        serve();
        output_note(&shim, "a note");
        t_str("an archive", take(fds[0]));
        t_str("", log_text());
        shim.output.logging = true; /* so that it is closed */
        close_fd(&fds[0]);
        box_free(&b);
}

TEST(a_log_that_cannot_be_written_is_told_of_and_readers_are_served)
{
        struct box b = box_new(BOTH);
        int fds[3];
        uint32_t mask;

        (void)close(shim.output.log.fd);
        shim.output.log.fd = t_ok(sys_open(AT_FDCWD, "/dev/full", O_WRONLY));
        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
        put(b.out, "text");
        serve();
        t_str("text", take(fds[0]));
        t_has("output was lost", shim.record.error);
        close_fd(&fds[0]);
        box_free(&b);
}

/* --------------------------------------------------------------------------- back-pressure */

#define FLOOD (4 * 1024 * 1024)

/* As much as main can write before it would block; byte number i is i % 251. */
static size_t flood(int fd, size_t from)
{
        char block[4096];

        while (from < FLOOD) {
                size_t size = sizeof(block);
                ssize_t n;

                for (size_t i = 0; i < size; i++)
                        block[i] = (char)((from + i) % 251);
                n = sys_write(fd, block, size);
                if (n <= 0)
                        break;
                from += (size_t)n;
        }
        return from;
}

static size_t drink(int fd, size_t from)
{
        char block[4096];
        ssize_t n;

        while ((n = sys_read(nonblocking(fd), block, sizeof(block))) > 0)
                for (ssize_t i = 0; i < n; i++)
                        t_int((char)(from++ % 251), block[i]);
        return from;
}

TEST(a_reader_that_does_not_read_stops_main_and_loses_nothing)
{
        struct box b = box_new(BOTH);
        size_t written = 0, last, read_slow = 0, read_fast = 0;
        int slow[3], fast[3];
        uint32_t mask;

        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, slow, &mask));
        t_ok(output_attach(&shim, client(2), PROTO_STDOUT, fast, &mask));
        do {
                last = written;
                written = flood(b.out, written);
                serve();
                read_fast = drink(fast[0], read_fast);
        } while (written > last);
        t_true(written < 1024 * 1024); /* two pipes and what is pending */
        t_true(read_fast <= written);
        t_null(shim.output.io[0]); /* main's stdout is not even watched, nor its stderr */
        t_null(shim.output.io[1]);
        while (read_slow < FLOOD) {
                last = read_slow;
                read_slow = drink(slow[0], read_slow);
                serve();
                written = flood(b.out, written);
                serve();
                read_fast = drink(fast[0], read_fast);
                t_true(read_slow > last || written < FLOOD);
        }
        t_int(FLOOD, (int64_t)read_slow);
        t_int(FLOOD, (int64_t)drink(fast[0], read_fast));
        close_fd(&slow[0]);
        close_fd(&fast[0]);
        box_free(&b);
}

TEST(a_full_reader_that_leaves_lets_main_go_on)
{
        struct box b = box_new(BOTH);
        size_t written = 0, last;
        uint32_t mask;
        int fds[3];

        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
        do {
                last = written;
                written = flood(b.out, written);
                serve();
        } while (written > last);
        t_true(written < FLOOD);
        close_fd(&fds[0]);
        do {
                last = written;
                serve();
                written = flood(b.out, written);
        } while (written > last);
        t_int(FLOOD, (int64_t)written);
        box_free(&b);
}

TEST(a_full_reader_that_is_detached_lets_main_go_on)
{
        struct box b = box_new(BOTH);
        size_t written = 0, last;
        uint32_t mask;
        int fds[3];

        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
        do {
                last = written;
                written = flood(b.out, written);
                serve();
        } while (written > last);
        output_detach(&shim, client(1));
        do {
                last = written;
                serve();
                written = flood(b.out, written);
        } while (written > last);
        t_int(FLOOD, (int64_t)written);
        close_fd(&fds[0]);
        box_free(&b);
}

/* --------------------------------------------------------------------------------- the end */

TEST(what_main_wrote_last_reaches_the_log_and_the_readers)
{
        struct box b = box_new(BOTH);
        int fds[3];
        uint32_t mask;

        t_ok(output_attach(&shim, client(1), BOTH, fds, &mask));
        put(b.out, "last words");
        put(b.err, "last complaint");
        close_fd(&b.out);
        close_fd(&b.err);
        shim.main_exited = true;
        t_true(output_is_drained(&shim));
        t_str("last words", take(fds[0]));
        t_str("(end)", take(fds[0]));
        t_str("last complaint", take(fds[1]));
        t_str("(end)", take(fds[1]));
        t_str("1:last words;2:last complaint;", log_text());
        close_fd(&fds[0]);
        close_fd(&fds[1]);
        box_free(&b);
}

/* A process that main left behind holds its stdout: main's end is the end all the same. */
TEST(a_stream_that_somebody_still_holds_does_not_hold_the_end)
{
        struct box b = box_new(BOTH);

        put(b.out, "before");
        shim.main_exited = true;
        t_true(output_is_drained(&shim));
        t_str("1:before;", log_text());
        box_free(&b);
}

TEST(a_reader_that_is_slow_at_the_end_gets_everything_and_holds_nobody)
{
        struct box b = box_new(BOTH);
        size_t written = 0, last;
        uint32_t mask;
        int fds[3];

        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
        do {
                last = written;
                written = flood(b.out, written);
                serve();
        } while (written > last);
        shim.main_exited = true;
        if (!output_is_drained(&shim)) {
                /* The pipe could not be made large enough for this caller: then it waits. */
                t_true(shim.output.lingering);
                last = drink(fds[0], 0);
                t_true(output_is_drained(&shim));
                t_int((int64_t)written, (int64_t)drink(fds[0], last));
        } else {
                output_end(&shim); /* the shim may end before it is read */
                t_int((int64_t)written, (int64_t)drink(fds[0], 0));
        }
        t_str("(end)", take(fds[0]));
        close_fd(&fds[0]);
        box_free(&b);
}

TEST(a_note_is_a_record_of_its_own)
{
        struct box b = box_new(BOTH);

        put(b.out, "half a li");
        serve();
        output_note(&shim, LOG_NOTE_CUT);
        t_str("1:half a li;0:" LOG_NOTE_CUT ";", log_text());
        box_free(&b);
}

/* ----------------------------------------------------------------------------------- stdin */

TEST(stdin_is_handed_to_every_client_and_stays_open)
{
        struct box b = box_new(PROTO_STDIN | BOTH);
        int one[3], two[3];
        uint32_t mask;

        t_ok(output_attach(&shim, client(1), PROTO_STDIN, one, &mask));
        t_ok(output_attach(&shim, client(2), PROTO_STDIN, two, &mask));
        put(one[0], "a");
        close_fd(&one[0]);
        put(two[0], "b");
        close_fd(&two[0]);
        t_str("ab", take(b.in));
        t_str("(nothing)", take(b.in)); /* the box holds it for the next one */
        box_free(&b);
}

TEST(stdin_that_is_given_once_ends_with_its_client)
{
        struct box b = box_new(PROTO_STDIN | BOTH);
        int one[3], two[3];
        uint32_t mask;

        shim.start.flags = START_STDIN_ONCE;
        t_ok(output_attach(&shim, client(1), PROTO_STDIN | BOTH, one, &mask));
        t_int(PROTO_STDIN | BOTH, mask);
        t_ok(output_attach(&shim, client(2), PROTO_STDIN | BOTH, two, &mask));
        t_int(BOTH, mask);
        put(one[0], "a");
        t_str("a", take(b.in));
        close_fd(&one[0]);
        t_str("(end)", take(b.in));
        for (int i = 0; i < 2; i++) {
                close_fd(&one[i + 1]);
                close_fd(&two[i]);
        }
        box_free(&b);
}

/* ------------------------------------------------------------------------------- terminals */

static void make_raw(int fd)
{
        struct termios t;

        t_ok(tcgetattr(fd, &t));
        cfmakeraw(&t);
        t_ok(tcsetattr(fd, TCSANOW, &t));
}

TEST(a_terminal_carries_both_ways_and_its_output_is_logged)
{
        struct box b = box_new(PROTO_TTY);
        int fds[3];
        uint32_t mask;

        make_raw(b.tty);
        t_ok(output_attach(&shim, client(1), PROTO_STDIN | BOTH, fds, &mask));
        put(fds[0], "keys");
        serve();
        await(b.tty);
        t_str("keys", take(b.tty));
        put(b.tty, "screen");
        await(shim.output.from[0]);
        serve();
        t_str("screen", take(fds[1]));
        t_str("1:screen;", log_text());
        close_fd(&fds[0]);
        close_fd(&fds[1]);
        box_free(&b);
}

TEST(a_terminal_that_nobody_has_open_comes_back)
{
        struct box b = box_new(PROTO_TTY);
        char name[64];
        int fds[3];
        uint32_t mask;

        t_int(0, ttyname_r(b.tty, name, sizeof(name)));
        t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
        close_fd(&b.tty);
        serve();
        b.tty = nonblocking(t_ok(sys_open(AT_FDCWD, name, O_RDWR | O_NOCTTY)));
        make_raw(b.tty);
        put(b.tty, "again");
        await(shim.output.from[0]);
        serve();
        t_str("again", take(fds[0]));
        close_fd(&fds[0]);
        box_free(&b);
}

/* The bytes are on their way when main is dead already; many rounds, since it is a race. */
TEST(what_was_written_to_a_terminal_last_is_not_lost)
{
        for (int round = 0; round < 300; round++) {
                struct box b = box_new(PROTO_TTY);
                int fds[3];
                uint32_t mask;

                make_raw(b.tty);
                t_ok(output_attach(&shim, client(1), PROTO_STDOUT, fds, &mask));
                put(b.tty, "and last");
                close_fd(&b.tty);
                shim.main_exited = true;
                t_true(output_is_drained(&shim));
                t_str("and last", take(fds[0]));
                t_str("(end)", take(fds[0]));
                t_str("1:and last;", log_text());
                close_fd(&fds[0]);
                box_free(&b);
        }
}

TEST(a_terminal_has_the_size_that_it_was_given_and_pipes_have_none)
{
        struct winsize size = {0};
        struct box b = box_new(PROTO_TTY);

        t_ok(output_resize(&shim, 33, 111));
        t_ok(ioctl(b.tty, TIOCGWINSZ, &size));
        t_int(33, size.ws_row);
        t_int(111, size.ws_col);
        output_end(&shim);
        t_errno(ENOTTY, output_resize(&shim, 1, 1));
        box_free(&b);

        b = box_new(BOTH);
        t_errno(ENOTTY, output_resize(&shim, 1, 1));
        box_free(&b);
}

/* ---------------------------------------------------------------------------------- errors */

TEST(a_started_frame_that_is_cut_short_begins_nothing)
{
        struct frame f;

        shim = (struct shim){.dir_fd = -1};
        shim.output = (struct output){
                .shim = &shim, .from = {-1, -1},
                     .stdin_fd = -1
        };
        t_ok(loop_new(&shim.loop));
        encode_started(&f, BOTH);
        f.payload.size = 6;
        t_errno(EBADMSG, output_begin(&shim, &f));
        frame_release(&f);

        /* Descriptors that were promised and did not come are streams that there are not. */
        encode_started(&f, PROTO_STDIN | BOTH);
        t_ok(output_begin(&shim, &f));
        t_true(shim.output.from[0] < 0 && shim.output.from[1] < 0 && shim.output.stdin_fd < 0);
        t_true(output_is_drained(&shim));
        frame_release(&f);
        output_end(&shim);
        shim.loop = loop_free(shim.loop);
}

TEST(without_memory_a_client_gets_nothing_and_nothing_is_left)
{
        struct box b = box_new(PROTO_STDIN | BOTH);
        int here = t_open_fds();

        for (unsigned n = 1;; n++) {
                int fds[3] = {-1, -1, -1}, r;
                uint32_t mask;

                fault_arm(n);
                r = output_attach(&shim, client(1), PROTO_STDIN | BOTH, fds, &mask);
                if (!fault_disarm()) {
                        t_ok(r);
                        for (int i = 0; i < 3; i++)
                                close_fd(&fds[i]);
                        break;
                }
                t_errno(ENOMEM, r);
                t_true(fds[0] < 0 && fds[1] < 0 && fds[2] < 0);
                t_null(shim.output.attachments);
                t_int(here, t_open_fds());
        }
        box_free(&b);
}

TEST(the_rest_of_the_shim_is_told_when_something_happened)
{
        struct box b = box_new(BOTH);
        unsigned before;

        put(b.out, "x");
        serve();
        before = end_checks;
        t_true(before > 0);
        close_fd(&b.out);
        serve();
        t_true(end_checks > before);
        t_true(shim.output.from[0] < 0 && shim.output.from[1] >= 0);
        box_free(&b);
}
