/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "fault.h"
#include "t.h"

#define HEADER_BYTES   16
#define SOME_TIME_MS   5000 /* never waited for when all is well */
#define SHORT_TIME_MS  20   /* always waited for */
#define LARGE_BYTES    (900 * 1024)
#define KERNEL_FDS_MAX 253 /* SCM_MAX_FD */

struct pair {
        int ours;
        int theirs;
};

static struct pair pair_new(int flags)
{
        int fds[2];

        t_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds));
        return (struct pair){fds[0], fds[1]};
}

static void pair_close(struct pair *p)
{
        close_fd(&p->ours);
        close_fd(&p->theirs);
}

static struct msg_process some_process(void)
{
        struct msg_process m = {.flags = PROCESS_STDIN, .umask = 0022};

        m.cwd = strdup("/work");
        m.user = strdup("1000:1000");
        t_ok(strv_add(&m.argv, "sh"));
        t_ok(strv_add(&m.argv, "-c"));
        t_ok(strv_add(&m.argv, ""));
        return m;
}

/* The bytes of a frame as channel_send() makes them. */
static size_t frame_bytes(char *to, size_t size)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct msg_process m = some_process();
        ssize_t n;

        t_ok(channel_send(p.ours, PROTO_EXEC, 7, &m, NULL, 0, SOME_TIME_MS));
        wire_release(&msg_process_table, &m);
        n = recv(p.theirs, to, size, MSG_DONTWAIT);
        t_true(n > HEADER_BYTES && (size_t)n < size);
        return (size_t)n;
}

static void check_frame(const struct frame *f)
{
        struct msg_process m;

        t_int(PROTO_EXEC, f->header.type);
        t_int(7, f->header.stream);
        t_int(0, f->header.flags);
        t_int((int64_t)f->payload.size, f->header.length);
        t_ok(frame_decode(f, &m));
        t_str("/work", m.cwd);
        t_str("1000:1000", m.user);
        t_int(3, (int64_t)m.argv.count);
        t_str("-c", m.argv.items[1]);
        wire_release(&msg_process_table, &m);
}

static void put(int fd, const void *data, size_t size)
{
        t_int((int64_t)size, send(fd, data, size, MSG_NOSIGNAL));
}

static void put_header(int fd, uint32_t length, uint16_t type)
{
        struct proto_header h = {.length = length, .type = type};

        put(fd, &h, sizeof(h));
}

/* --------------------------------------------------------------------------------- frames */

TEST(a_frame_arrives_in_pieces_of_one_byte)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct frame_reader reader = FRAME_READER_INIT;
        char bytes[512];
        size_t size = frame_bytes(bytes, sizeof(bytes));

        for (int round = 0; round < 3; round++) {
                for (size_t i = 0; i < size; i++) {
                        t_errno(EAGAIN, channel_recv_step(p.theirs, &reader));
                        put(p.ours, &bytes[i], 1);
                }
                t_ok(channel_recv_step(p.theirs, &reader));
                check_frame(&reader.frame);
                frame_release(&reader.frame);
                reader = FRAME_READER_INIT;
        }
}

TEST(frames_without_a_payload_follow_each_other)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct frame_reader reader = FRAME_READER_INIT;
        struct frame f;

        for (uint32_t i = 0; i < 4; i++)
                t_ok(channel_send(p.ours, PROTO_OK, i, NULL, NULL, 0, SOME_TIME_MS));
        for (uint32_t i = 0; i < 2; i++) {
                t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
                t_int(PROTO_OK, f.header.type);
                t_int(i, f.header.stream);
                t_int(0, (int64_t)f.payload.size);
                frame_release(&f);
        }
        for (uint32_t i = 2; i < 4; i++) {
                t_ok(channel_recv_step(p.theirs, &reader));
                t_int(i, reader.frame.header.stream);
                frame_release(&reader.frame);
                reader = FRAME_READER_INIT;
        }
        t_errno(EAGAIN, channel_recv_step(p.theirs, &reader));
        frame_release(&reader.frame);
}

TEST(a_frame_without_a_payload_or_of_an_unknown_type_decodes_to_nothing)
{
        static const uint16_t types[] = {0, PROTO_OK, PROTO_WAIT, PROTO_PLACE, 9, 15, UINT16_MAX};
        struct frame f = FRAME_INIT;
        struct msg_start m;

        for (size_t i = 0; i < ELEMENTS(types); i++) {
                f.header.type = types[i];
                t_errno(EBADMSG, frame_decode(&f, &m));
        }
}

TEST(a_payload_is_handed_on_unchanged)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct msg_process m = some_process();
        struct frame f, g;

        t_ok(channel_send(p.ours, PROTO_EXEC, 0, &m, NULL, 0, SOME_TIME_MS));
        wire_release(&msg_process_table, &m);
        t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
        t_ok(channel_forward(p.ours, PROTO_SPAWN, 41, &f.payload, SOME_TIME_MS));
        t_ok(channel_recv(p.theirs, &g, SOME_TIME_MS));
        t_int(PROTO_SPAWN, g.header.type);
        t_int(41, g.header.stream);
        t_int((int64_t)f.payload.size, (int64_t)g.payload.size);
        t_mem(f.payload.data, g.payload.data, f.payload.size);
        frame_release(&f);
        frame_release(&g);
}

TEST(a_header_over_a_mebibyte_is_refused_and_one_of_a_mebibyte_waits_for_it)
{
        static const uint32_t lengths[] = {PROTO_PAYLOAD_MAX + 1, 1U << 31, UINT32_MAX};
        struct frame_reader reader = FRAME_READER_INIT;
        struct frame f;

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                cleanup_with(pair_close) struct pair p = pair_new(0);

                put_header(p.ours, lengths[i], PROTO_START);
                put_header(p.ours, lengths[i], PROTO_START);
                t_errno(EBADMSG, channel_recv(p.theirs, &f, SOME_TIME_MS));
                reader = FRAME_READER_INIT;
                fault_arm(1);
                t_errno(EBADMSG, channel_recv_step(p.theirs, &reader));
                t_false(fault_disarm());
                frame_release(&reader.frame);
        }
        cleanup_with(pair_close) struct pair p = pair_new(0);

        put_header(p.ours, PROTO_PAYLOAD_MAX, PROTO_START);
        reader = FRAME_READER_INIT;
        t_errno(EAGAIN, channel_recv_step(p.theirs, &reader));
        frame_release(&reader.frame);
}

/* Sends the largest frame there is from a process of its own, since no socket holds it. */
TEST(a_payload_of_a_mebibyte_arrives)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct buf payload = BUF_INIT(PROTO_PAYLOAD_MAX);
        struct frame f;
        int status = -1;
        pid_t pid;

        t_true(buf_space(&payload, PROTO_PAYLOAD_MAX) != NULL);
        payload.size = PROTO_PAYLOAD_MAX;
        for (size_t i = 0; i < payload.size; i++)
                payload.data[i] = (char)(i * 7 + i / 251);
        pid = fork();
        if (pid == 0)
                _exit(channel_forward(p.ours, PROTO_START, 0, &payload, SOME_TIME_MS) == 0 ? 0 : 1);
        close_fd(&p.ours);
        t_true(pid > 0);
        t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
        t_int(PROTO_PAYLOAD_MAX, (int64_t)f.payload.size);
        t_mem(payload.data, f.payload.data, payload.size);
        t_true(waitpid(pid, &status, 0) == pid);
        t_int(0, status);
        frame_release(&f);
        buf_release(&payload);
}

TEST(a_message_over_a_mebibyte_is_not_sent)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct msg_process m = {0};
        struct frame f;
        char text[64 * 1024];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (int i = 0; i < 17; i++)
                t_ok(strv_add(&m.env, text));
        t_errno(E2BIG, channel_send(p.ours, PROTO_EXEC, 0, &m, NULL, 0, SOME_TIME_MS));
        wire_release(&msg_process_table, &m);
        t_errno(ETIMEDOUT, channel_recv(p.theirs, &f, 0)); /* not even a part of it */
}

TEST(the_end_between_two_frames_is_no_error_and_inside_one_it_is)
{
        char bytes[512];
        size_t size = frame_bytes(bytes, sizeof(bytes));

        for (size_t n = 0; n < size; n++) {
                struct frame_reader reader = FRAME_READER_INIT;
                struct frame f;

                for (int step = 0; step < 2; step++) {
                        cleanup_with(pair_close) struct pair p = pair_new(0);
                        int r;

                        if (n > 0)
                                put(p.ours, bytes, n);
                        close_fd(&p.ours);
                        r = step ? channel_recv_step(p.theirs, &reader)
                                 : channel_recv(p.theirs, &f, SOME_TIME_MS);
                        t_errno(n == 0 ? ENODATA : EBADMSG, r);
                }
                frame_release(&reader.frame);
        }
}

/* ------------------------------------------------------------------------------------ time */

TEST(a_frame_that_does_not_come_times_out)
{
        static const int flags[] = {0, SOCK_NONBLOCK};
        char bytes[512];

        (void)frame_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                cleanup_with(pair_close) struct pair p = pair_new(flags[i]);
                struct frame f;

                t_errno(ETIMEDOUT, channel_recv(p.theirs, &f, 0));
                t_errno(ETIMEDOUT, channel_recv(p.theirs, &f, SHORT_TIME_MS));
                put(p.ours, bytes, 5);
                t_errno(ETIMEDOUT, channel_recv(p.theirs, &f, SHORT_TIME_MS));
                put(p.ours, bytes, HEADER_BYTES + 1);
                t_errno(ETIMEDOUT, channel_recv(p.theirs, &f, SHORT_TIME_MS));
        }
}

static void check_full(int flags)
{
        cleanup_with(pair_close) struct pair p = pair_new(flags);
        struct buf payload = BUF_INIT(PROTO_PAYLOAD_MAX);
        int r = 0;

        t_true(buf_space(&payload, PROTO_PAYLOAD_MAX) != NULL);
        payload.size = PROTO_PAYLOAD_MAX;
        memset(payload.data, 'x', payload.size);
        for (int i = 0; r == 0 && i < 64; i++)
                r = channel_forward(p.ours, PROTO_START, 0, &payload, SHORT_TIME_MS);
        t_errno(ETIMEDOUT, r);
        buf_release(&payload);
}

TEST(a_peer_that_does_not_read_does_not_hold_the_sender)
{
        check_full(SOCK_NONBLOCK);
        check_full(0); /* a blocking socket has a timeout too */
}

static volatile sig_atomic_t pipe_signals;

static void on_sigpipe(int signal)
{
        (void)signal;
        pipe_signals = pipe_signals + 1;
}

TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
        struct sigaction act = {.sa_handler = on_sigpipe}, old;
        struct msg_process m = some_process();

        t_ok(sigaction(SIGPIPE, &act, &old));
        for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
                cleanup_with(pair_close) struct pair p = pair_new(flags);

                close_fd(&p.theirs);
                t_errno(EPIPE, channel_send(p.ours, PROTO_OK, 0, NULL, NULL, 0, SOME_TIME_MS));
                t_errno(EPIPE, channel_send(p.ours, PROTO_EXEC, 0, &m, NULL, 0, -1));
        }
        t_ok(sigaction(SIGPIPE, &old, NULL));
        t_int(0, pipe_signals);
        wire_release(&msg_process_table, &m);
}

/* ----------------------------------------------------------------------------- descriptors */

static ino_t inode(int fd)
{
        struct stat st;

        t_ok(fstat(fd, &st));
        return st.st_ino;
}

/* Descriptors that can be told apart. */
static void make_fds(int *fds, size_t count)
{
        for (size_t i = 0; i < count; i++)
                fds[i] = t_ok(memfd_create("test", MFD_CLOEXEC));
}

static void close_fds(int *fds, size_t count)
{
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
}

static void check_fds(const struct frame *f, const int *sent, size_t count)
{
        t_int((int64_t)count, (int64_t)f->fd_count);
        for (size_t i = 0; i < count; i++) {
                t_true(inode(f->fds[i]) == inode(sent[i]));
                t_int(FD_CLOEXEC, fcntl(f->fds[i], F_GETFD));
        }
}

TEST(descriptors_arrive_in_order_and_are_closed_with_their_frame)
{
        static const size_t counts[] = {0, 1, 2, 17, PROTO_FDS_MAX};
        int before = t_open_fds();

        for (size_t i = 0; i < ELEMENTS(counts); i++) {
                cleanup_with(pair_close) struct pair p = pair_new(0);
                struct frame_reader reader = FRAME_READER_INIT;
                int fds[PROTO_FDS_MAX];
                struct frame f;
                int here;

                make_fds(fds, counts[i]);
                here = t_open_fds();
                for (int round = 0; round < 2; round++)
                        t_ok(channel_send(p.ours, PROTO_OK, 0, NULL, fds, counts[i], SOME_TIME_MS));
                t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
                check_fds(&f, fds, counts[i]);
                frame_release(&f);
                t_int(here, t_open_fds());
                t_ok(channel_recv_step(p.theirs, &reader));
                check_fds(&reader.frame, fds, counts[i]);
                frame_release(&reader.frame);
                t_int(here, t_open_fds());
                close_fds(fds, counts[i]);
        }
        t_int(before, t_open_fds());
}

/* A frame that takes many calls, since no socket holds it, brings its descriptors once. */
TEST(descriptors_of_a_large_frame_come_once)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct msg_start m = {0};
        int fds[2], status = -1;
        struct frame f;
        pid_t pid;

        make_fds(fds, 2);
        m.setup = BUF_INIT(PROTO_PAYLOAD_MAX);
        t_true(buf_space(&m.setup, LARGE_BYTES) != NULL);
        m.setup.size = LARGE_BYTES;
        memset(m.setup.data, 'x', m.setup.size);
        pid = fork();
        if (pid == 0)
                _exit(channel_send(p.ours, PROTO_START, 0, &m, fds, 2, SOME_TIME_MS) == 0 ? 0 : 1);
        close_fd(&p.ours);
        t_true(pid > 0);
        t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
        check_fds(&f, fds, 2);
        t_true(waitpid(pid, &status, 0) == pid);
        t_int(0, status);
        frame_release(&f);
        wire_release(&msg_start_table, &m);
        close_fds(fds, 2);
}

TEST(a_descriptor_is_taken_once)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        int fds[2], taken;
        struct frame f;

        make_fds(fds, 2);
        t_ok(channel_send(p.ours, PROTO_OK, 0, NULL, fds, 2, SOME_TIME_MS));
        t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
        taken = t_ok(frame_take_fd(&f, 1));
        t_errno(EBADF, frame_take_fd(&f, 1));
        t_errno(EBADF, frame_take_fd(&f, 2));
        t_errno(EBADF, frame_take_fd(&f, SIZE_MAX));
        frame_release(&f);
        t_errno(EBADF, frame_take_fd(&f, 0));
        t_true(inode(taken) == inode(fds[1])); /* survives its frame */
        (void)close(taken);
        close_fds(fds, 2);
}

/* @size bytes of @data and, whatever the protocol says, @count descriptors. */
static void put_with_fds(int fd, const void *data, size_t size, const int *fds, size_t count)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * KERNEL_FDS_MAX)];
                struct cmsghdr align;
        } control = {.bytes = {0}};
        struct iovec iov = {(void *)(uintptr_t)data, size};
        struct msghdr msg = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = CMSG_SPACE(sizeof(int) * count),
        };

        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * count);
        t_int((int64_t)size, sendmsg(fd, &msg, MSG_NOSIGNAL));
}

TEST(more_descriptors_than_a_frame_may_have_are_refused_and_closed)
{
        static const size_t counts[] = {PROTO_FDS_MAX + 1, KERNEL_FDS_MAX};
        int before = t_open_fds();

        for (size_t i = 0; i < 2 * ELEMENTS(counts); i++) {
                cleanup_with(pair_close) struct pair p = pair_new(0);
                struct proto_header h = {.type = PROTO_OK};
                struct frame_reader reader = FRAME_READER_INIT;
                int fds[KERNEL_FDS_MAX];
                size_t count = counts[i / 2];
                struct frame f;
                int here;

                make_fds(fds, count);
                here = t_open_fds();
                put_with_fds(p.ours, &h, sizeof(h), fds, count);
                t_errno(EBADMSG, i % 2 ? channel_recv_step(p.theirs, &reader)
                                       : channel_recv(p.theirs, &f, SOME_TIME_MS));
                frame_release(&reader.frame);
                t_int(here, t_open_fds());
                close_fds(fds, count);
        }
        t_int(before, t_open_fds());
}

TEST(descriptors_that_come_with_later_bytes_are_kept_up_to_the_maximum)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct frame_reader reader = FRAME_READER_INIT;
        int fds[100], here;
        char bytes[512];
        size_t size = frame_bytes(bytes, sizeof(bytes));

        make_fds(fds, ELEMENTS(fds));
        here = t_open_fds();
        put_with_fds(p.ours, bytes, 3, fds, ELEMENTS(fds));
        put_with_fds(p.ours, bytes + 3, 20, fds, ELEMENTS(fds));
        put_with_fds(p.ours, bytes + 23, size - 23, fds, ELEMENTS(fds));
        t_ok(channel_recv_step(p.theirs, &reader));
        check_frame(&reader.frame);
        t_int(PROTO_FDS_MAX, (int64_t)reader.frame.fd_count);
        t_true(inode(reader.frame.fds[0]) == inode(fds[0]));
        t_true(inode(reader.frame.fds[100]) == inode(fds[0]));
        t_int(here + PROTO_FDS_MAX, t_open_fds());
        frame_release(&reader.frame);
        t_int(here, t_open_fds());
        close_fds(fds, ELEMENTS(fds));
}

TEST(descriptors_of_a_frame_that_is_refused_are_closed)
{
        int fds[3], here;

        make_fds(fds, 3);
        here = t_open_fds();
        for (int way = 0; way < 3; way++) {
                cleanup_with(pair_close) struct pair p = pair_new(0);
                struct proto_header h = {.length = way == 0 ? UINT32_MAX : 8, .type = PROTO_EXEC};
                struct frame f;
                int r;

                put_with_fds(p.ours, &h, sizeof(h), fds, 3);
                if (way == 1)
                        close_fd(&p.ours);
                if (way == 2)
                        fault_arm(1);
                r = channel_recv(p.theirs, &f, SOME_TIME_MS);
                t_int(way == 2, fault_disarm());
                t_errno(way == 2 ? ENOMEM : EBADMSG, r);
                pair_close(&p);
                t_int(here, t_open_fds());
        }
        close_fds(fds, 3);
}

/* ---------------------------------------------------------------------------------- errors */

static int hear_error(struct coffer_error *err, const struct msg_error *sent)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct frame f;
        int r;

        t_ok(channel_send(p.ours, PROTO_ERROR, 0, sent, NULL, 0, SOME_TIME_MS));
        t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
        memset(err, 0xaa, sizeof(*err));
        r = frame_error(&f, err);
        frame_release(&f);
        return r;
}

TEST(an_error_arrives_as_it_was_sent)
{
        cleanup_with(pair_close) struct pair p = pair_new(0);
        struct coffer_error sent = {0}, got;
        struct frame f;

        (void)error_say(&sent, -ENOENT, COFFER_ERROR_NOT_FOUND, "no command '%s' in the box", "x");
        error_hint(&sent, "install it");
        t_ok(channel_send_error(p.ours, 5, &sent, SOME_TIME_MS));
        t_ok(channel_recv(p.theirs, &f, SOME_TIME_MS));
        t_int(PROTO_ERROR, f.header.type);
        t_int(5, f.header.stream);
        t_errno(ENOENT, frame_error(&f, &got));
        t_mem(&sent, &got, sizeof(sent));
        t_errno(ENOENT, frame_error(&f, NULL));
        frame_release(&f);
}

TEST(an_error_with_a_number_that_is_none_is_still_an_error)
{
        static const uint32_t codes[] = {0, 4096, 1U << 31, UINT32_MAX};
        struct coffer_error err;

        for (size_t i = 0; i < ELEMENTS(codes); i++) {
                struct msg_error m = {.code = codes[i]};

                t_errno(EBADMSG, hear_error(&err, &m));
                t_int(-EBADMSG, err.code);
                t_str("", err.hint);
        }
}

TEST(words_of_an_error_are_one_line_and_cut_to_size)
{
        char longer[1024];
        struct msg_error m = {
                .code = EIO, .msg = longer, .hint = (char *)(uintptr_t) "a\nb\033c%s"};
        struct coffer_error err;

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        longer[3] = '\n';
        t_errno(EIO, hear_error(&err, &m));
        t_int(COFFER_ERROR_MSG_MAX - 1, (int64_t)strlen(err.msg));
        t_null(strchr(err.msg, '\n'));
        t_str("a?b?c%s", err.hint);
}

TEST(an_error_frame_that_is_cut_short_or_no_error_frame_is_an_error)
{
        struct coffer_error err = {0};
        struct frame f = FRAME_INIT;

        f.header.type = PROTO_ERROR;
        t_ok(buf_append(&f.payload, "\1\0", 2));
        t_errno(EBADMSG, frame_error(&f, &err));
        t_has("error message", err.msg);
        frame_release(&f);

        /* A message larger than the one that frame_error() has room for. */
        f.header.type = PROTO_START;
        t_errno(EBADMSG, frame_error(&f, &err));
        frame_release(&f);
}
