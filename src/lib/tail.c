/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tail.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "base/sys.h"

void tail_init(struct tail *t)
{
        *t = (struct tail){-EBADF, -EBADF, -EBADF};
}

void tail_release(struct tail *t)
{
        close_fd(&t->fd);
        close_fd(&t->watch_fd);
        close_fd(&t->timer_fd);
}

int tail_add(struct tail *t, int fd)
{
        struct epoll_event event = {.events = EPOLLIN};

        return epoll_ctl(t->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_end(struct tail *t, uint64_t until_ns)
{
        struct itimerspec at = {
                .it_value =
                        {
                                   .tv_sec = (time_t)(until_ns / 1000000000U),
                                   .tv_nsec = (long)(until_ns % 1000000000U),
                                   },
        };

        t->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (t->timer_fd < 0 || timerfd_settime(t->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
                return -errno;
        return tail_add(t, t->timer_fd);
}

int tail_watch(struct tail *t, int dir_fd, uint64_t until_ns)
{
        char path[32];

        t->fd = epoll_create1(EPOLL_CLOEXEC);
        t->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (t->fd < 0 || t->watch_fd < 0)
                return -errno;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
        if (inotify_add_watch(t->watch_fd, path,
                              IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE |
                                      IN_DELETE_SELF | IN_MOVE_SELF) < 0)
                return -errno;
        if (until_ns > 0) {
                int r = set_end(t, until_ns);

                if (r < 0)
                        return r;
        }
        return tail_add(t, t->watch_fd);
}

bool tail_is_over(const struct tail *t)
{
        struct pollfd p = {.fd = t->timer_fd, .events = POLLIN};

        return t->timer_fd >= 0 && poll(&p, 1, 0) > 0;
}

int tail_wait(struct tail *t, int timeout_ms, uint64_t deadline_ms)
{
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        char events[4096];
        int left = timeout_ms;
        int r;

        if (timeout_ms > 0) {
                uint64_t now_ms = loop_now_ms();

                left = now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
        }
        r = poll(&p, 1, left);
        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (r == 0)
                return -EAGAIN;
        while (sys_read(t->watch_fd, events, sizeof(events)) > 0)
                ;
        return 0;
}
