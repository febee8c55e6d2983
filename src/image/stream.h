/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "image/message.h"

/*
 * A layer as it is stored, turned into its tar while both are hashed: a range of a file or a pipe,
 * plain, gzip (any number of members) or zstd (any number of frames).  Memory is bounded by two
 * buffers and, for zstd, by STREAM_WINDOW_LOG.
 */

#define STREAM_WINDOW_LOG 27 /* 128 MiB, what the zstd program takes by default */
#define STREAM_TO_END     UINT64_MAX

/**
 * struct stream_spec - what to read and what it must be
 * @fd:        a file, pipe or socket; borrowed
 * @offset:    where to start; only with a size other than STREAM_TO_END
 * @size:      bytes; STREAM_TO_END reads on from where @fd stands until its end
 * @blob:      SHA-256 of the stored bytes in hex, or "" when it is not known
 * @sums:      compute both digests, for stream_sums(), whatever is known
 * @diff_id:   SHA-256 of the tar in hex, or ""
 * @max_bytes: of the tar; more is -E2BIG
 * @hangup_fd: when its other end is closed, reading ends with -EPIPE; -1 for none; borrowed
 */
struct stream_spec {
        int fd;
        uint64_t offset;
        uint64_t size;
        const char *blob;
        bool sums;
        const char *diff_id;
        uint64_t max_bytes;
        int hangup_fd;
};

struct stream;

/** stream_new() - begin
 * @spec:       copied, its strings too
 * @ret_stream: free with stream_free()
 * @err:        words for a failure
 *
 * Return: 0 or a negative errno.
 */
int stream_new(const struct stream_spec *spec, struct stream **ret_stream,
               struct coffer_error *err);
struct stream *stream_free(struct stream *s);
DEFINE_FREEP(struct stream, stream_free)

/** stream_read() - up to @size bytes of the tar; 0 at the end; @stream is a struct stream */
ssize_t stream_read(void *stream, void *to, size_t size, struct coffer_error *err);

/** stream_finish() - read what is left and compare the digests
 * @s:   the stream
 * @err: says what was expected and what was got
 *
 * Return: 0, -EBADMSG for a wrong digest, or what stream_read() answers.
 */
int stream_finish(struct stream *s, struct coffer_error *err);

/** stream_form() - how the stored bytes are compressed */
enum image_form stream_form(const struct stream *s);

/** stream_sums() - what there was, after stream_finish() of a stream with sums
 * @s:    the stream
 * @ret:  filled
 */
void stream_sums(const struct stream *s, struct unpack_sums *ret);

/** stream_prepare() - load the digest code, for a process about to lose its rights; 0 or -ENOMEM */
int stream_prepare(void);

/** stream_digest() - SHA-256 of @data in hex
 * @data:    bytes
 * @size:    how many
 * @ret_hex: IMAGE_DIGEST_HEX characters and NUL
 *
 * Return: 0 or -ENOMEM.
 */
int stream_digest(const void *data, size_t size, char *ret_hex);
