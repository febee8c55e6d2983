/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BATCH 16

struct loop_io {
        struct loop *loop;
        loop_io_fn fn; /* NULL: removed, freed after the batch */
        void *data;
        int fd;
        uint32_t events;
        struct loop_io *next;
};

struct loop_timer {
        struct loop *loop;
        uint64_t at_ms;
        loop_timer_fn fn;
        void *data;
        struct loop_timer *next;
};

struct loop {
        int epoll_fd;
        bool quit;
        struct loop_io *ios;
        struct loop_io *removed; /* an event of this batch may still point at them */
        struct loop_timer *timers;
};

uint64_t loop_now_ms(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_new(struct loop **ret_loop)
{
        struct loop *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (l->epoll_fd < 0) {
                int r = -errno;

                free(l);
                return r;
        }
        *ret_loop = l;
        return 0;
}

static void free_ios(struct loop_io **list)
{
        while (*list) {
                struct loop_io *io = *list;

                *list = io->next;
                free(io);
        }
}

struct loop *loop_free(struct loop *l)
{
        if (!l)
                return NULL;
        free_ios(&l->ios);
        free_ios(&l->removed);
        while (l->timers)
                (void)loop_cancel(l->timers);
        close_fd(&l->epoll_fd);
        free(l);
        return NULL;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *data,
             struct loop_io **ret_io)
{
        struct epoll_event ev = {.events = events};
        struct loop_io *io = calloc(1, sizeof(*io));

        if (!io)
                return -ENOMEM;
        *io = (struct loop_io){
                .loop = l, .fn = fn, .data = data, .fd = fd, .events = events, .next = l->ios};
        ev.data.ptr = io;
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
                int r = -errno;

                free(io);
                return r;
        }
        l->ios = io;
        *ret_io = io;
        return 0;
}

int loop_mod(struct loop_io *io, uint32_t events)
{
        struct epoll_event ev = {.events = events, .data.ptr = io};

        if (io->events == events)
                return 0;
        if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
                return -errno;
        io->events = events;
        return 0;
}

struct loop_io *loop_remove(struct loop_io *io)
{
        struct loop_io **at;

        if (!io)
                return NULL;
        for (at = &io->loop->ios; *at != io; at = &(*at)->next)
                assert(*at);
        *at = io->next;

        (void)epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
        io->fn = NULL;
        io->next = io->loop->removed;
        io->loop->removed = io;
        return NULL;
}

int loop_after(struct loop *l, uint64_t delay_ms, loop_timer_fn fn, void *data,
               struct loop_timer **ret_timer)
{
        struct loop_timer *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        *t = (struct loop_timer){.loop = l,
                                 .at_ms = loop_now_ms() + delay_ms,
                                 .fn = fn,
                                 .data = data,
                                 .next = l->timers};
        l->timers = t;
        *ret_timer = t;
        return 0;
}

struct loop_timer *loop_cancel(struct loop_timer *t)
{
        struct loop_timer **at;

        if (!t)
                return NULL;
        for (at = &t->loop->timers; *at != t; at = &(*at)->next)
                assert(*at);
        *at = t->next;
        free(t);
        return NULL;
}

static struct loop_timer *first_timer(struct loop *l)
{
        struct loop_timer *first = l->timers;

        for (struct loop_timer *t = l->timers; t; t = t->next)
                if (t->at_ms <= first->at_ms)
                        first = t;
        return first;
}

static int timeout_ms(struct loop *l)
{
        struct loop_timer *t = first_timer(l);
        uint64_t now = loop_now_ms();

        if (!t)
                return -1;
        if (t->at_ms <= now)
                return 0;
        return t->at_ms - now > INT_MAX ? INT_MAX : (int)(t->at_ms - now);
}

static void fire_timers(struct loop *l)
{
        struct loop_timer *t;

        while (!l->quit && (t = first_timer(l)) && t->at_ms <= loop_now_ms()) {
                loop_timer_fn fn = t->fn;
                void *data = t->data;

                (void)loop_cancel(t);
                fn(data);
        }
}

int loop_run(struct loop *l)
{
        struct epoll_event events[BATCH];

        l->quit = false;
        while (!l->quit) {
                int n = epoll_wait(l->epoll_fd, events, BATCH, timeout_ms(l));

                if (n < 0 && errno != EINTR)
                        return -errno;
                for (int i = 0; i < n && !l->quit; i++) {
                        struct loop_io *io = events[i].data.ptr;

                        if (io->fn)
                                io->fn(io->data, events[i].events);
                }
                free_ios(&l->removed);
                fire_timers(l);
        }
        return 0;
}

void loop_quit(struct loop *l)
{
        l->quit = true;
}
