/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "t.h"

/* What callbacks share: a loop, pipes, and a record of who was called. */
struct scene {
        struct loop *loop;
        struct loop_io *ios[2];
        struct loop_timer *timers[3];
        int pipes[2][2];
        char called[32];
};

static void scene_init(struct scene *s)
{
        *s = (struct scene){0};
        t_ok(loop_new(&s->loop));
        for (size_t i = 0; i < ELEMENTS(s->pipes); i++)
                t_ok(pipe2(s->pipes[i], O_CLOEXEC | O_NONBLOCK));
}

static void scene_release(struct scene *s)
{
        s->loop = loop_free(s->loop);
        for (size_t i = 0; i < ELEMENTS(s->pipes); i++) {
                close_fd(&s->pipes[i][0]);
                close_fd(&s->pipes[i][1]);
        }
}

static void record(struct scene *s, char who)
{
        size_t n = strlen(s->called);

        t_true(n + 1 < sizeof(s->called));
        s->called[n] = who;
}

static void quit(void *data)
{
        struct scene *s = data;

        record(s, 'q');
        loop_quit(s->loop);
}

static void on_timer(void *data)
{
        record(data, 't');
}

static void on_readable(void *data, uint32_t events)
{
        struct scene *s = data;
        char c;

        t_true((events & EPOLLIN) != 0);
        t_int(1, sys_read(s->pipes[0][0], &c, 1));
        record(s, c);
        if (c == 'q')
                loop_quit(s->loop);
}

TEST(calls_back_when_a_descriptor_is_ready)
{
        struct scene s;

        scene_init(&s);
        t_ok(loop_add(s.loop, s.pipes[0][0], EPOLLIN, on_readable, &s, &s.ios[0]));
        t_ok(sys_write_all(s.pipes[0][1], "abq", 3));
        t_ok(loop_run(s.loop));
        t_str("abq", s.called);
        scene_release(&s);
}

static void remove_both(void *data, uint32_t events)
{
        struct scene *s = data;

        record(s, 'r');
        s->ios[0] = loop_remove(s->ios[0]);
        s->ios[1] = loop_remove(s->ios[1]);
}

TEST(a_removed_source_is_never_called_again_even_in_the_same_batch)
{
        struct loop_timer *t;
        struct scene s;

        scene_init(&s);
        for (size_t i = 0; i < 2; i++) {
                t_ok(loop_add(s.loop, s.pipes[i][0], EPOLLIN, remove_both, &s, &s.ios[i]));
                t_ok(sys_write_all(s.pipes[i][1], "x", 1));
        }
        t_ok(loop_after(s.loop, 5, quit, &s, &t));
        t_ok(loop_run(s.loop));
        t_str("rq", s.called);
        scene_release(&s);
}

static void add_another(void *data, uint32_t events)
{
        struct scene *s = data;

        record(s, 'a');
        s->ios[1] = loop_remove(s->ios[1]);
        t_ok(loop_add(s->loop, s->pipes[0][0], EPOLLIN, on_readable, s, &s->ios[0]));
}

TEST(a_callback_may_replace_its_own_source)
{
        struct scene s;

        scene_init(&s);
        t_ok(loop_add(s.loop, s.pipes[1][0], EPOLLIN, add_another, &s, &s.ios[1]));
        t_ok(sys_write_all(s.pipes[1][1], "x", 1));
        t_ok(sys_write_all(s.pipes[0][1], "q", 1));
        t_ok(loop_run(s.loop));
        t_str("aq", s.called);
        scene_release(&s);
}

TEST(a_source_without_events_is_silent_until_modified)
{
        struct loop_timer *t;
        struct scene s;

        scene_init(&s);
        t_ok(loop_add(s.loop, s.pipes[0][0], 0, on_readable, &s, &s.ios[0]));
        t_ok(sys_write_all(s.pipes[0][1], "xq", 2));
        t_ok(loop_after(s.loop, 5, quit, &s, &t));
        t_ok(loop_run(s.loop));
        t_str("q", s.called);

        t_ok(loop_mod(s.ios[0], EPOLLIN));
        t_ok(loop_mod(s.ios[0], EPOLLIN));
        t_ok(loop_run(s.loop));
        t_str("qxq", s.called);
        scene_release(&s);
}

TEST(timers_fire_in_order_of_time_and_of_birth)
{
        static const char order[] = "tttq";
        struct loop_timer *t;
        struct scene s;
        uint64_t start = loop_now_ms();

        scene_init(&s);
        t_ok(loop_after(s.loop, 20, quit, &s, &t));
        t_ok(loop_after(s.loop, 10, on_timer, &s, &t));
        t_ok(loop_after(s.loop, 0, on_timer, &s, &t));
        t_ok(loop_after(s.loop, 20 + 60000, on_timer, &s, &s.timers[0]));
        t_ok(loop_after(s.loop, 1, on_timer, &s, &t));
        t_ok(loop_run(s.loop));
        t_str(order, s.called);
        t_true(loop_now_ms() - start >= 20);
        scene_release(&s);
}

static void cancel_the_next(void *data)
{
        struct scene *s = data;

        record(s, 'c');
        s->timers[1] = loop_cancel(s->timers[1]);
}

TEST(a_cancelled_timer_does_not_fire_even_when_due)
{
        struct scene s;

        scene_init(&s);
        t_ok(loop_after(s.loop, 0, cancel_the_next, &s, &s.timers[0]));
        t_ok(loop_after(s.loop, 0, on_timer, &s, &s.timers[1]));
        t_ok(loop_after(s.loop, 1, quit, &s, &s.timers[2]));
        t_ok(loop_run(s.loop));
        t_str("cq", s.called);
        scene_release(&s);
}

static void again(void *data)
{
        struct scene *s = data;

        record(s, '.');
        if (strlen(s->called) == 5)
                loop_quit(s->loop);
        else
                t_ok(loop_after(s->loop, 0, again, s, &s->timers[0]));
}

TEST(a_timer_may_set_the_next_one)
{
        struct scene s;

        scene_init(&s);
        t_ok(loop_after(s.loop, 0, again, &s, &s.timers[0]));
        t_ok(loop_run(s.loop));
        t_str(".....", s.called);
        scene_release(&s);
}

static void hung_up(void *data, uint32_t events)
{
        struct scene *s = data;

        t_true((events & EPOLLHUP) != 0);
        record(s, 'h');
        loop_quit(s->loop);
}

TEST(tells_of_a_hang_up_without_being_asked)
{
        struct scene s;

        scene_init(&s);
        t_ok(loop_add(s.loop, s.pipes[0][0], 0, hung_up, &s, &s.ios[0]));
        close_fd(&s.pipes[0][1]);
        t_ok(loop_run(s.loop));
        t_str("h", s.called);
        scene_release(&s);
}

TEST(refuses_what_epoll_refuses)
{
        struct loop_io *io = NULL;
        struct loop *l;
        int fd = t_ok(sys_open(AT_FDCWD, "/proc/self/stat", O_RDONLY));

        t_ok(loop_new(&l));
        t_errno(EPERM, loop_add(l, fd, EPOLLIN, hung_up, NULL, &io));
        t_errno(EBADF, loop_add(l, -1, EPOLLIN, hung_up, NULL, &io));
        t_null(io);
        (void)loop_free(l);
        t_ok(close(fd));
}

TEST(freeing_nothing_is_fine)
{
        t_null(loop_free(NULL));
        t_null(loop_remove(NULL));
        t_null(loop_cancel(NULL));
}

TEST(freeing_leaves_no_descriptor)
{
        int before = t_ok(t_open_fds());
        struct loop_timer *t;
        struct scene s;

        scene_init(&s);
        t_ok(loop_add(s.loop, s.pipes[0][0], EPOLLIN, on_readable, &s, &s.ios[0]));
        t_ok(loop_after(s.loop, 1000, quit, &s, &t));
        scene_release(&s);
        t_int(before, t_open_fds());
}

static int build(struct loop **l, int fd)
{
        struct loop_timer *t;
        struct loop_io *io;
        int r = loop_new(l);

        if (r == 0)
                r = loop_add(*l, fd, EPOLLIN, hung_up, NULL, &io);
        if (r == 0)
                r = loop_after(*l, 1, on_timer, NULL, &t);
        return r;
}

TEST(survives_every_failed_allocation)
{
        int fds[2];
        unsigned n;

        t_ok(pipe2(fds, O_CLOEXEC));
        for (n = 1;; n++) {
                struct loop *l = NULL;
                bool struck;
                int r;

                fault_arm(n);
                r = build(&l, fds[0]);
                struck = fault_disarm();
                t_int(struck ? -ENOMEM : 0, r);
                (void)loop_free(l);
                if (!struck)
                        break;
        }
        t_int(4, n);
        t_ok(close(fds[0]));
        t_ok(close(fds[1]));
}
