/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_LOGS_H
#define COFFER_LOGS_H

#include <coffer/api.h>
#include <coffer/box.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A walk over what main of a box has written. */
struct coffer_logs;

/**
 * struct coffer_logs_options - which records; zero means the default for each member
 * @size:     sizeof(struct coffer_logs_options), so that members can be added later
 * @follow:   not 0: go on while the box runs
 * @since_ns: only records of this time or later, in nanoseconds since 1970
 * @until_ns: only records before this time; 0: no end
 * @tail:     only the last so many lines of those; 0: none before the ones to come;
 *            COFFER_LOGS_ALL: all
 */
struct coffer_logs_options {
        uint32_t size;
        uint32_t follow;
        uint64_t since_ns;
        uint64_t until_ns;
        uint64_t tail;
};

#define COFFER_LOGS_ALL UINT64_MAX

/**
 * struct coffer_log_record - some bytes that main wrote, in order
 * @stream:  COFFER_STDOUT or COFFER_STDERR; all of a terminal is COFFER_STDOUT; 0 for a note of
 *           coffer's own, such as that output may be cut here
 * @time_ns: when the monitor read them
 * @data:    the bytes, as they were; a record is not a line; valid until the next call
 * @bytes:   how many
 */
struct coffer_log_record {
        uint32_t stream;
        uint64_t time_ns;
        const char *data;
        size_t bytes;
};

/**
 * coffer_logs_open() - begin a walk
 * @box:      the box; must outlive the walk
 * @options:  NULL: all there is, without following
 * @ret_logs: free with coffer_logs_free()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_logs_open(struct coffer_box *box, const struct coffer_logs_options *options,
                                struct coffer_logs **ret_logs, struct coffer_error *err);

/**
 * coffer_logs_next() - the next record
 * @logs:       the walk
 * @timeout_ms: how long to wait for one when following
 * @ret_record: the record
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @logs.  Blocks up to @timeout_ms when following.
 *
 * Return: 1 with a record; 0 at the end; -EAGAIN when following and there is none in time; or
 * another negative errno.
 */
COFFER_API int coffer_logs_next(struct coffer_logs *logs, int timeout_ms,
                                struct coffer_log_record *ret_record, struct coffer_error *err);

/**
 * coffer_logs_fd() - a descriptor that polls readable when coffer_logs_next() may have more
 * @logs: a walk that follows; owns the descriptor
 *
 * Poll only after coffer_logs_next() has answered -EAGAIN.
 *
 * Context: any thread.
 *
 * Return: the descriptor, or -EINVAL for a walk that does not follow.
 */
COFFER_API int coffer_logs_fd(const struct coffer_logs *logs);

/** coffer_logs_free() - end a walk; NULL is fine; returns NULL; errno is unchanged */
COFFER_API struct coffer_logs *coffer_logs_free(struct coffer_logs *logs);

#ifdef __cplusplus
}
#endif
#endif
