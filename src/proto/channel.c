/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "proto/faultframe.h"

#define HEADER_BYTES 16

_Static_assert(sizeof(struct proto_header) == HEADER_BYTES, "the header is the wire format");

/* SCM_MAX_FD of the kernel is 253. */
_Static_assert(PROTO_FDS_MAX <= 253, "more descriptors than one message carries");

struct deadline {
        uint64_t at_ms; /* 0: none */
};

static struct deadline deadline_after(int timeout_ms)
{
        return (struct deadline){timeout_ms < 0 ? 0 : loop_now_ms() + (uint64_t)timeout_ms};
}

static int wait_ready(int fd, short events, struct deadline until)
{
        struct pollfd p = {.fd = fd, .events = events};

        for (;;) {
                uint64_t now = until.at_ms ? loop_now_ms() : 0;
                int left = -1;
                int n;

                if (until.at_ms)
                        left = now >= until.at_ms ? 0 : (int)(until.at_ms - now);
                n = poll(&p, 1, left);
                if (n > 0)
                        return 0;
                if (n == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

void frame_release(struct frame *f)
{
        for (size_t i = 0; i < f->fd_count; i++)
                close_fd(&f->fds[i]);
        f->fd_count = 0;
        buf_release(&f->payload);
}

int frame_take_fd(struct frame *f, size_t i)
{
        return i < f->fd_count ? take_fd(&f->fds[i]) : -EBADF;
}

/* The kernel of both ends is the same and little-endian on every architecture we build for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are little-endian");

static int send_with_fds(int socket_fd, struct iovec *iov, const int *fds, size_t fd_count)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * PROTO_FDS_MAX)];
                struct cmsghdr align;
        } control;
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
        ssize_t n;

        if (fd_count > 0) {
                struct cmsghdr *c = &control.align;

                memset(&control, 0, sizeof(control));
                msg.msg_control = control.bytes;
                msg.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * fd_count);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * fd_count);
                memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
        }
        do
                n = sendmsg(socket_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);

        return n < 0 ? -errno : (int)n;
}

static void advance(struct iovec *iov, size_t n)
{
        for (int i = 0; i < 2; i++) {
                size_t step = n < iov[i].iov_len ? n : iov[i].iov_len;

                iov[i].iov_base = (char *)iov[i].iov_base + step;
                iov[i].iov_len -= step;
                n -= step;
        }
}

static int send_frame(int socket_fd, const struct proto_header *h, const struct buf *payload,
                      const int *fds, size_t fd_count, int timeout_ms)
{
        struct deadline until = deadline_after(timeout_ms);
        struct iovec iov[2] = {
                {(void *)(uintptr_t)h, HEADER_BYTES },
                {payload->data,        payload->size},
        };
        int r = fault_frame("send", h->type);

        if (r < 0)
                return r;
        while (iov[0].iov_len + iov[1].iov_len > 0) {
                int n = send_with_fds(socket_fd, iov, fds, fd_count);

                if (n == -EAGAIN) {
                        n = wait_ready(socket_fd, POLLOUT, until);
                        if (n < 0)
                                return n;
                        continue;
                }
                if (n < 0)
                        return n;
                advance(iov, (size_t)n);
                fd_count = 0; /* they went with the first byte */
        }
        return 0;
}

static void release_payload(struct buf *b)
{
        buf_release(b);
}

int channel_send(int socket_fd, enum proto_type type, uint32_t stream, const void *message,
                 const int *fds, size_t fd_count, int timeout_ms)
{
        cleanup_with(release_payload) struct buf payload = BUF_INIT(PROTO_PAYLOAD_MAX);
        struct proto_header h = {.type = (uint16_t)type, .stream = stream};
        int r;

        assert(fd_count <= PROTO_FDS_MAX);

        if (message) {
                assert(proto_table((uint16_t)type));
                r = wire_encode(&payload, proto_table((uint16_t)type), message);
                if (r < 0)
                        return r;
        }
        h.length = (uint32_t)payload.size;
        return send_frame(socket_fd, &h, &payload, fds, fd_count, timeout_ms);
}

int channel_forward(int socket_fd, enum proto_type type, uint32_t stream, const struct buf *payload,
                    int timeout_ms)
{
        struct proto_header h = {
                .length = (uint32_t)payload->size, .type = (uint16_t)type, .stream = stream};

        return send_frame(socket_fd, &h, payload, NULL, 0, timeout_ms);
}

int channel_send_error(int socket_fd, uint32_t stream, const struct coffer_error *err,
                       int timeout_ms)
{
        struct msg_error m = {
                .code = (uint32_t)-err->code,
                .kind = err->kind,
                .msg = (char *)(uintptr_t)err->msg,
                .hint = (char *)(uintptr_t)err->hint,
        };

        return channel_send(socket_fd, PROTO_ERROR, stream, &m, NULL, 0, timeout_ms);
}

static void keep_fds(struct frame *f, struct msghdr *msg)
{
        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                size_t count;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < count; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        if (f->fd_count < PROTO_FDS_MAX)
                                f->fds[f->fd_count++] = fd;
                        else
                                (void)close(fd);
                }
        }
}

static ssize_t recv_some(int socket_fd, struct frame *f, void *data, size_t size, int flags)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * PROTO_FDS_MAX)];
                struct cmsghdr align;
        } control;
        struct iovec iov = {data, size};
        struct msghdr msg = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        ssize_t n;

        do
                n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC | flags);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;

        keep_fds(f, &msg);
        return msg.msg_flags & MSG_CTRUNC ? -EBADMSG : n;
}

static int recv_exactly(int socket_fd, struct frame *f, void *data, size_t size, bool may_end,
                        struct deadline until)
{
        size_t have = 0;

        while (have < size) {
                ssize_t n = 0;
                int r = until.at_ms ? wait_ready(socket_fd, POLLIN, until) : 0;

                if (r == 0)
                        n = recv_some(socket_fd, f, (char *)data + have, size - have, 0);
                if (n == -EAGAIN)
                        r = wait_ready(socket_fd, POLLIN, until);
                else if (n < 0)
                        r = (int)n;
                if (r < 0)
                        return r;
                if (n == 0)
                        return may_end && have == 0 ? -ENODATA : -EBADMSG;
                if (n > 0)
                        have += (size_t)n;
        }
        return 0;
}

int channel_recv(int socket_fd, struct frame *f, int timeout_ms)
{
        struct deadline until = deadline_after(timeout_ms);
        void *to;
        int r;

        *f = FRAME_INIT;
        r = recv_exactly(socket_fd, f, &f->header, HEADER_BYTES, true, until);
        if (r < 0)
                goto fail;
        r = -EBADMSG;
        if (f->header.length > PROTO_PAYLOAD_MAX)
                goto fail;
        to = buf_space(&f->payload, f->header.length);
        r = -ENOMEM;
        if (!to)
                goto fail;
        r = recv_exactly(socket_fd, f, to, f->header.length, false, until);
        if (r < 0)
                goto fail;
        f->payload.size = f->header.length;
        r = fault_frame("recv", f->header.type);
        if (r < 0)
                goto fail;
        return 0;
fail:
        frame_release(f);
        return r;
}

int channel_recv_step(int socket_fd, struct frame_reader *reader)
{
        struct frame *f = &reader->frame;

        for (;;) {
                bool in_header = reader->have < HEADER_BYTES;
                size_t at = in_header ? reader->have : reader->have - HEADER_BYTES;
                size_t end = in_header ? HEADER_BYTES : f->header.length;
                char *to = in_header ? (char *)&f->header : f->payload.data;
                ssize_t n;

                if (at == end)
                        break;
                n = recv_some(socket_fd, f, to + at, end - at, MSG_DONTWAIT);
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        return reader->have == 0 ? -ENODATA : -EBADMSG;
                reader->have += (size_t)n;
                if (reader->have != HEADER_BYTES)
                        continue;
                if (f->header.length > PROTO_PAYLOAD_MAX)
                        return -EBADMSG;
                if (!buf_space(&f->payload, f->header.length))
                        return -ENOMEM;
        }
        f->payload.size = f->header.length;
        return fault_frame("recv", f->header.type);
}

int frame_decode(const struct frame *f, void *ret_message)
{
        const struct wire_table *table = proto_table(f->header.type);

        if (!table)
                return -EBADMSG;
        return wire_decode(f->payload.data, f->payload.size, table, ret_message);
}

int frame_error(const struct frame *f, struct coffer_error *err)
{
        struct msg_error m;
        int code;
        int r = f->header.type == PROTO_ERROR ? frame_decode(f, &m) : -EBADMSG;

        if (r < 0)
                return error_set(err, r, "read an error message");

        code = m.code > 0 && m.code < 4096 ? -(int)m.code : -EBADMSG;
        (void)error_say(err, code, (enum coffer_error_kind)m.kind, "%s", m.msg);
        if (m.hint[0] != '\0')
                error_hint(err, "%s", m.hint);
        wire_release(&msg_error_table, &m);
        return code;
}
