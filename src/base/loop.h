/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * One epoll loop per process, callbacks per descriptor, timers by a min search over a short list.
 * No threads.  A callback may remove any source, its own included.
 */

struct loop;
struct loop_io;
struct loop_timer;

typedef void (*loop_io_fn)(void *data, uint32_t events);
typedef void (*loop_timer_fn)(void *data);

/** loop_new() - 0, or -ENOMEM, or what epoll_create1(2) answers; free with loop_free() */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *l);

/**
 * loop_add() - call @fn when @fd is ready
 * @l:      the loop
 * @fd:     borrowed; remove the source before closing it
 * @events: EPOLLIN, EPOLLOUT, 0; level-triggered
 * @fn:     called with @data and what epoll_wait(2) said, so EPOLLHUP and EPOLLERR too
 * @data:   handed to @fn; borrowed
 * @ret_io: the source; remove with loop_remove(), or leave it to loop_free()
 */
int loop_add(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *data,
             struct loop_io **ret_io);
/** loop_mod() - change the events of a source; does nothing when they are the same */
int loop_mod(struct loop_io *io, uint32_t events);
/** loop_remove() - forget a source; NULL is fine; returns NULL */
struct loop_io *loop_remove(struct loop_io *io);

/** loop_after() - call @fn once, @delay_ms from now (CLOCK_MONOTONIC) */
int loop_after(struct loop *l, uint64_t delay_ms, loop_timer_fn fn, void *data,
               struct loop_timer **ret_timer);
/** loop_cancel() - forget a timer; NULL is fine; returns NULL.  A timer that has fired is gone. */
struct loop_timer *loop_cancel(struct loop_timer *t);

/** loop_run() - serve until loop_quit(); 0 or a negative errno of epoll_wait(2) */
int loop_run(struct loop *l);
void loop_quit(struct loop *l);

/** loop_now_ms() - CLOCK_MONOTONIC in milliseconds */
uint64_t loop_now_ms(void);
