/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_EVENT_H
#define COFFER_EVENT_H

#include <coffer/api.h>
#include <coffer/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A walk over what happened to the boxes of a home, in the order of time. */
struct coffer_events;

/**
 * struct coffer_events_options - which events; zero means the default for each member
 * @size:     sizeof(struct coffer_events_options), so that members can be added later
 * @follow:   not 0: go on with what happens from now on
 * @since_ns: also events of the past, from this time on; 0 with @follow: only new ones;
 *            0 without: all there are
 * @until_ns: end at this time; 0: no end
 */
struct coffer_events_options {
        uint32_t size;
        uint32_t follow;
        uint64_t since_ns;
        uint64_t until_ns;
};

/**
 * coffer_events_open() - begin a walk
 * @runtime:    the home; must outlive the walk
 * @options:    NULL: all there are, without following
 * @ret_events: free with coffer_events_free()
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_events_open(struct coffer_runtime *runtime,
                                  const struct coffer_events_options *options,
                                  struct coffer_events **ret_events, struct coffer_error *err);

/**
 * coffer_events_next() - the next event
 * @events:     the walk
 * @timeout_ms: how long to wait for one when following
 * @ret_line:   a JSON object without a newline, with Docker's keys: status, id, from, Type,
 *              Action, Actor{ID, Attributes}, scope, time, timeNano; valid until the next call
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @events.  Blocks up to @timeout_ms when following.
 *
 * Return: 1 with an event; 0 at the end; -EAGAIN when following and there is none in time; or
 * another negative errno.
 */
COFFER_API int coffer_events_next(struct coffer_events *events, int timeout_ms,
                                  const char **ret_line, struct coffer_error *err);

/**
 * coffer_events_fd() - a descriptor that polls readable when coffer_events_next() may have more
 * @events: a walk that follows; owns the descriptor
 *
 * Poll only after coffer_events_next() has answered -EAGAIN.
 *
 * Context: any thread.
 *
 * Return: the descriptor, or -EINVAL for a walk that does not follow.
 */
COFFER_API int coffer_events_fd(const struct coffer_events *events);

/** coffer_events_free() - end a walk; NULL is fine; returns NULL; errno is unchanged */
COFFER_API struct coffer_events *coffer_events_free(struct coffer_events *events);

#ifdef __cplusplus
}
#endif
#endif
