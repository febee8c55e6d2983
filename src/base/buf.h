/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct buf - bytes that grow up to a maximum given at creation
 * @data:      owned; NULL until the first byte; always followed by a NUL that is not counted
 * @size:      bytes in use
 * @capacity:  bytes allocated
 * @max_bytes: never more than this; reaching it makes every append fail with -E2BIG
 * @failed:    the first error of an append, kept, so that a caller may check once at the end
 */
struct buf {
        char *data; /* owned */
        size_t size;
        size_t capacity;
        size_t max_bytes;
        int failed;
};

#define BUF_INIT(max) ((struct buf){.max_bytes = (max)})

/** buf_release() - free the bytes; the struct can be used again */
void buf_release(struct buf *b);
/** buf_append() - add @size bytes; 0, -E2BIG or -ENOMEM; after a failure every later one fails too
 */
int buf_append(struct buf *b, const void *data, size_t size);
int buf_append_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** buf_append_json() - add @s as a JSON string with its quotes; bytes that are not UTF-8 become
 * U+FFFD */
int buf_append_json(struct buf *b, const char *s);
/** buf_space() - make room for at least @size more bytes; returns where they go, or NULL */
void *buf_space(struct buf *b, size_t size);
/** buf_consume() - drop the first @size bytes */
void buf_consume(struct buf *b, size_t size);
/** buf_read_fd() - append what fd holds up to its end; 0 or a negative errno */
int buf_read_fd(struct buf *b, int fd);
/** buf_read_file() - append a whole file; 0 or a negative errno */
int buf_read_file(struct buf *b, int dir_fd, const char *path);
