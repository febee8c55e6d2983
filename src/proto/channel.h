/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "proto/messages.h"

struct coffer_error;

/**
 * struct frame - one received frame
 * @header:   as received
 * @payload:  owned
 * @fds:      owned; closed by frame_release() unless taken (set to -1)
 * @fd_count: how many came
 */
struct frame {
        struct proto_header header;
        struct buf payload;
        int fds[PROTO_FDS_MAX];
        size_t fd_count;
};

#define FRAME_INIT ((struct frame){.payload = {.max_bytes = PROTO_PAYLOAD_MAX}})

void frame_release(struct frame *f);
/** frame_take_fd() - take descriptor @i out of the frame; -EBADF when it did not come */
int frame_take_fd(struct frame *f, size_t i);

/**
 * channel_send() - send one frame on a blocking or non-blocking stream socket
 * @socket_fd: SOCK_STREAM unix socket; written with MSG_NOSIGNAL
 * @stream:    process number, 0 for none
 * @message:   struct for @type's table; NULL for a frame without a payload
 * @fds:       borrowed; sent along with the first byte
 *
 * While the socket, blocking or not, is full, it waits in poll(2): frames are small and their
 * reader is one of our own programs; @timeout_ms bounds it, -1 waits for ever.
 *
 * Return: 0, -ETIMEDOUT, -EPIPE and others of sendmsg(2), or an encoder's error.
 */
int channel_send(int socket_fd, enum proto_type type, uint32_t stream, const void *message,
                 const int *fds, size_t fd_count, int timeout_ms);

/** channel_forward() - send the payload of a received frame on, under another type and number */
int channel_forward(int socket_fd, enum proto_type type, uint32_t stream, const struct buf *payload,
                    int timeout_ms);

/** channel_send_error() - send @err as an ERROR frame */
int channel_send_error(int socket_fd, uint32_t stream, const struct coffer_error *err,
                       int timeout_ms);

/**
 * channel_recv() - receive one whole frame
 * @f:          overwritten; release with frame_release()
 * @timeout_ms: for the whole frame; -1 for ever
 *
 * Return: 0; -ENODATA at the end of the stream between two frames; -ETIMEDOUT; -EBADMSG when the
 * header is over its bounds or the stream ends inside a frame; or what recvmsg(2) answers.
 */
int channel_recv(int socket_fd, struct frame *f, int timeout_ms);

/**
 * struct frame_reader - a frame that arrives in pieces on a non-blocking socket
 * @frame: what has come; release with frame_release()
 * @have:  bytes of header and payload so far
 */
struct frame_reader {
        struct frame frame;
        size_t have;
};

#define FRAME_READER_INIT ((struct frame_reader){.frame = FRAME_INIT})

/**
 * channel_recv_step() - take what is there, without waiting
 *
 * Return: 0 with a whole frame in @reader->frame (take it out, then set the reader to
 * FRAME_READER_INIT); -EAGAIN: not whole yet; -ENODATA at the end of the stream; -EBADMSG as
 * channel_recv().
 */
int channel_recv_step(int socket_fd, struct frame_reader *reader);

/** frame_decode() - decode the payload by the table of the frame's type; -EBADMSG, -ENOMEM */
int frame_decode(const struct frame *f, void *ret_message);
/** frame_error() - fill @err from an ERROR frame; returns the negative errno in it */
int frame_error(const struct frame *f, struct coffer_error *err);
