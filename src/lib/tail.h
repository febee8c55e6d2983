/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * struct tail - waiting for more in files of a directory, as one descriptor
 * @fd:       owned; epoll: polls readable when there may be more
 * @watch_fd: owned; inotify
 * @timer_fd: owned; the end of the time that is of interest; -1: none
 */
struct tail {
        int fd;
        int watch_fd;
        int timer_fd;
};

void tail_init(struct tail *t);
void tail_release(struct tail *t);
/**
 * tail_watch() - begin
 * @t:        initialised
 * @dir_fd:   the directory
 * @until_ns: CLOCK_REALTIME at which it is over; 0: never
 */
int tail_watch(struct tail *t, int dir_fd, uint64_t until_ns);
/** tail_add() - one more descriptor that tells; it leaves by being closed */
int tail_add(struct tail *t, int fd);
/** tail_is_over() - the time is up */
bool tail_is_over(const struct tail *t);
/**
 * tail_wait() - wait until there may be more, and forget what was told
 * @t:           watching
 * @timeout_ms:  as in the public headers
 * @deadline_ms: loop_now_ms() at which @timeout_ms, when positive, is over
 *
 * Return: 0, -EAGAIN when the time is over, or a negative errno.
 */
int tail_wait(struct tail *t, int timeout_ms, uint64_t deadline_ms);
