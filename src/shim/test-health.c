/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "shim/shim.h"
#include "t.h"

/* health.c alone: the test is the supervisor, at the other end of a socket, and the rest. */
static struct shim shim;
static int supervisor_fd;
static unsigned saves;
static char events[256];
static char dir[64];

int life_save(struct shim *s, bool last)
{
        t_true(s == &shim && !last);
        saves++;
        return 0;
}

void execs_signal_group(struct shim *s, uint32_t stream, int pidfd, int signal)
{
        (void)s;
        (void)stream;
        (void)sys_pidfd_send_signal_group(pidfd, signal);
}

void life_event(struct shim *s, const char *action, const char *const *extra)
{
        t_true(s == &shim && !extra);
        (void)snprintf(events + strlen(events), sizeof(events) - strlen(events), "%s;", action);
}

static const char *audit_refuses; /* with these words */
static unsigned audited;          /* launches of which the end was not told yet */

int trail_launch(struct shim *s, const char *role, const struct msg_process *p,
                 uint64_t *ret_launch, struct coffer_error *err)
{
        t_str("health", role);
        if (audit_refuses)
                return error_say(err, -ENOSPC, COFFER_ERROR_HOST, "%s", audit_refuses);
        audited++;
        *ret_launch = 7;
        return 0;
}

void trail_failed(struct shim *s, const char *role, uint64_t launch, const char *why)
{
        t_true(launch == 7 && audited-- > 0);
}

void trail_exited(struct shim *s, const char *role, uint64_t launch, uint32_t pid, uint32_t status)
{
        t_true(launch == 7 && audited-- > 0);
}

TEST(the_verdict_is_what_docker_would_say)
{
        enum { S = HEALTH_STARTING, H = HEALTH_HEALTHY, U = HEALTH_UNHEALTHY };
        static const struct {
                enum health_status before;
                uint32_t streak;
                bool passed;
                bool in_start_period;
                uint32_t retries;
                enum health_status after;
                uint32_t streak_after;
        } rows[] = {
                {S, 0,          true,  false, 3, H, 0         },
                {S, 0,          true,  true,  3, H, 0         },
                {S, 2,          true,  false, 3, H, 0         },
                {S, 0,          false, false, 3, S, 1         },
                {S, 1,          false, false, 3, S, 2         },
                {S, 2,          false, false, 3, U, 3         },
                {S, 0,          false, false, 1, U, 1         },
                {S, 0,          false, true,  1, S, 0         },
                {S, 0,          false, true,  3, S, 0         },
                {H, 0,          true,  false, 3, H, 0         },
                {H, 0,          false, false, 3, H, 1         },
                {H, 1,          true,  false, 3, H, 0         },
                {H, 2,          false, false, 3, U, 3         },
                {H, 0,          false, true,  1, U, 1         }, /* it was well already: its start is over */
                {U, 3,          false, false, 3, U, 4         },
                {U, 3,          false, true,  3, U, 4         },
                {U, 9,          true,  false, 3, H, 0         },
                {U, UINT32_MAX, false, false, 3, U, UINT32_MAX},
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct health_verdict v = {rows[i].before, rows[i].streak};

                t_note("row %zu", i);
                v = health_decide(v, rows[i].passed, rows[i].in_start_period, rows[i].retries);
                t_int(rows[i].after, v.status);
                t_true(rows[i].streak_after == v.failing_streak);
        }
}

TEST(only_a_box_that_is_starting_is_probed_at_the_interval_of_the_start)
{
        static const struct msg_health m = {
                .interval_ms = 100,
                .start_period_ms = 1000,
                .start_interval_ms = 7,
        };
        static const struct msg_health without = {.interval_ms = 100, .start_interval_ms = 7};

        t_int(7, health_delay_ms(HEALTH_STARTING, 0, &m));
        t_int(7, health_delay_ms(HEALTH_STARTING, 999, &m));
        t_int(100, health_delay_ms(HEALTH_STARTING, 1000, &m));
        t_int(100, health_delay_ms(HEALTH_HEALTHY, 0, &m));
        t_int(100, health_delay_ms(HEALTH_UNHEALTHY, 0, &m));
        t_int(100, health_delay_ms(HEALTH_STARTING, 0, &without));
}

/* ------------------------------------------------------------------ with a supervisor */

static void begin(uint32_t timeout_ms, uint32_t retries)
{
        int ends[2];

        t_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
        supervisor_fd = ends[1];
        events[0] = '\0';
        saves = 0;
        shim = (struct shim){.state = BOX_RUNNING, .next_stream = 5};
        shim.box.socket_fd = ends[0];
        t_ok(loop_new(&shim.loop));
        (void)snprintf(dir, sizeof(dir), "/tmp/coffer-test-health-XXXXXX");
        t_true(mkdtemp(dir) != NULL);
        shim.dir_fd = t_ok(sys_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY));

        t_ok(strv_add(&shim.process.argv, "main"));
        t_ok(strv_add(&shim.process.env, "A=1"));
        shim.process.cwd = strdup("/srv");
        shim.process.user = strdup("1000:5");
        shim.process.flags = PROCESS_TTY | PROCESS_STDIN | PROCESS_REAPER;
        shim.process.timeout_ms = 99;
        shim.process.caps_root = 0x123;
        t_ok(strv_add(&shim.start.health.argv, "probe"));
        shim.start.health.interval_ms = 1;
        shim.start.health.timeout_ms = timeout_ms;
        shim.start.health.retries = retries;
        health_begin(&shim);
        t_str("starting", shim.record.health);
}

static void end(void)
{
        health_end(&shim);
        t_str("unhealthy", shim.record.health);
        shim.loop = loop_free(shim.loop);
        wire_release(&msg_process_table, &shim.process);
        strv_release(&shim.start.health.argv);
        (void)unlinkat(shim.dir_fd, "health.json", 0);
        close_fd(&shim.dir_fd);
        (void)rmdir(dir);
        close_fd(&shim.box.socket_fd);
        close_fd(&supervisor_fd);
}

static void on_quit(void *data)
{
        *(struct loop_timer **)data = NULL;
        loop_quit(shim.loop);
}

static void serve_ms(uint64_t ms)
{
        struct loop_timer *timer = NULL;

        t_ok(loop_after(shim.loop, ms, on_quit, &timer, &timer));
        t_ok(loop_run(shim.loop));
}

/* The next probe's number; the shim is served until it asks for one. */
static uint32_t next_probe(struct msg_process *ret_process)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        int r = -ETIMEDOUT;

        for (int i = 0; i < 1000 && r == -ETIMEDOUT; i++) {
                serve_ms(1);
                r = channel_recv(supervisor_fd, &f, 0);
        }
        t_ok(r);
        t_int(PROTO_SPAWN, f.header.type);
        if (ret_process)
                t_ok(frame_decode(&f, ret_process));
        return f.header.stream;
}

static bool is_asked(void)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;

        return channel_recv(supervisor_fd, &f, 0) == 0;
}

static struct frame frame_of(enum proto_type type, uint32_t stream, const void *message)
{
        struct frame f = FRAME_INIT;

        f.header.type = (uint16_t)type;
        f.header.stream = stream;
        t_ok(wire_encode(&f.payload, proto_table((uint16_t)type), message));
        return f;
}

/* @ret_near: where the probe writes */
static void say_started(uint32_t stream, int pidfd, int ret_near[2])
{
        struct msg_started m = {.pid = 1, .stdio = PROTO_STDOUT | PROTO_STDERR};
        struct frame f = frame_of(PROTO_STARTED, stream, &m);

        f.fds[f.fd_count++] = pidfd;
        for (int i = 0; i < 2; i++) {
                int ends[2];

                t_ok(pipe2(ends, O_CLOEXEC));
                ret_near[i] = ends[1];
                f.fds[f.fd_count++] = ends[0];
        }
        t_true(health_frame(&shim, &f));
        frame_release(&f);
}

static void say_exited(uint32_t stream, uint32_t status)
{
        struct msg_exited m = {.status = status};
        struct frame f = frame_of(PROTO_EXITED, stream, &m);

        t_true(health_frame(&shim, &f));
        frame_release(&f);
}

static int any_pidfd(void)
{
        return t_ok(sys_pidfd_open(getpid()));
}

static void probe_ends_with(uint32_t status)
{
        int near[2];
        uint32_t stream = next_probe(NULL);

        say_started(stream, any_pidfd(), near);
        say_exited(stream, status);
        close_fd(&near[0]);
        close_fd(&near[1]);
}

TEST(a_probe_is_main_with_another_command)
{
        int before = t_open_fds(), near[2];
        struct msg_process p;
        uint32_t stream;

        begin(10000, 3);
        stream = next_probe(&p);
        t_int(5, stream);
        t_int(6, shim.next_stream);
        t_int(1, p.argv.count);
        t_str("probe", p.argv.items[0]);
        t_str("A=1", p.env.items[0]);
        t_str("/srv", p.cwd);
        t_str("1000:5", p.user);
        t_int(0x123, p.caps_root);
        t_int(0, p.flags);
        t_int(0, p.timeout_ms);
        wire_release(&msg_process_table, &p);

        say_started(stream, any_pidfd(), near);
        t_ok(sys_write_all(near[0], "out", 3));
        serve_ms(2);
        t_ok(sys_write_all(near[1], "err\0more", 8));
        t_false(is_asked()); /* one at a time */
        say_exited(stream, 0);
        t_str("healthy", shim.record.health);
        t_int(1, saves);
        t_str("health_status: healthy;", events);
        t_int(1, shim.health.log.count);
        t_str("outerr\xffmore", shim.health.log.probes[0].output);
        (void)close(near[0]);
        (void)close(near[1]);
        end();
        t_int(before, t_open_fds());
}

TEST(the_state_is_written_when_the_status_changes_and_only_then)
{
        static const struct {
                uint32_t status;
                const char *health;
                const char *events;
                unsigned saves;
        } rows[] = {
                {1, "starting",  "",                                                        0},
                {0, "healthy",   "health_status: healthy;",                                 1},
                {0, "healthy",   "health_status: healthy;",                                 1},
                {7, "healthy",   "health_status: healthy;",                                 1},
                {1, "unhealthy", "health_status: healthy;health_status: unhealthy;",        2},
                {1, "unhealthy", "health_status: healthy;health_status: unhealthy;",        2},
                {0, "healthy",
                 "health_status: healthy;health_status: unhealthy;health_status: healthy;", 3},
        };

        begin(10000, 2);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                cleanup_with(health_log_release) struct health_log log = {.count = 0};

                t_note("row %zu", i);
                probe_ends_with(rows[i].status);
                t_str(rows[i].health, shim.record.health);
                t_str(rows[i].events, events);
                t_int(rows[i].saves, saves);
                t_ok(health_log_read(shim.dir_fd, &log, NULL));
                t_int(i < HEALTH_LOG_MAX ? i + 1 : HEALTH_LOG_MAX, log.count);
                t_int(rows[i].status, log.probes[log.count - 1].exit_code);
        }
        end();
}

TEST(a_probe_that_cannot_be_run_has_failed)
{
        struct msg_error m = {.code = ENOENT, .msg = (char *)(uintptr_t) "run 'probe': not there"};
        struct frame f;

        begin(10000, 1);
        f = frame_of(PROTO_ERROR, next_probe(NULL), &m);
        t_true(health_frame(&shim, &f));
        frame_release(&f);
        t_str("unhealthy", shim.record.health);
        t_int(-1, shim.health.log.probes[0].exit_code);
        t_str("run 'probe': not there", shim.health.log.probes[0].output);
        (void)next_probe(NULL); /* and it is tried again */
        end();
}

static pid_t sleeper(void)
{
        int ready[2];
        pid_t pid;
        char byte;

        t_ok(pipe(ready));
        pid = t_ok(fork());
        if (pid == 0) {
                (void)setsid();
                (void)close(ready[1]);
                for (;;)
                        (void)pause();
        }
        (void)close(ready[1]);
        t_int(0, read(ready[0], &byte, 1)); /* it leads a group */
        (void)close(ready[0]);
        return pid;
}

static void expect_killed(pid_t pid)
{
        int status;

        t_int(pid, waitpid(pid, &status, 0));
        t_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(a_probe_that_may_not_be_written_down_is_not_run)
{
        audit_refuses = "no room";
        begin(10000, 1);
        for (int i = 0; i < 100 && shim.health.log.count == 0; i++)
                serve_ms(100);
        t_false(is_asked());
        t_str("unhealthy", shim.record.health);
        t_str("no room", shim.health.log.probes[0].output);
        audit_refuses = NULL;
        (void)next_probe(NULL);
        end();
        audited = 0;
}

TEST(a_probe_that_takes_too_long_is_killed)
{
        pid_t pid = sleeper();
        int near[2];
        uint32_t stream;

        begin(20, 1);
        stream = next_probe(NULL);
        say_started(stream, t_ok(sys_pidfd_open(pid)), near);
        t_ok(sys_write_all(near[0], "so far", 6));
        serve_ms(40);
        expect_killed(pid);
        t_str("starting", shim.record.health); /* until it is reaped */
        t_false(is_asked());
        say_exited(stream, 137);
        t_str("unhealthy", shim.record.health);
        t_int(-1, shim.health.log.probes[0].exit_code);
        t_str("Health check exceeded timeout (20ms): so far", shim.health.log.probes[0].output);
        (void)close(near[0]);
        (void)close(near[1]);
        end();
}

TEST(a_probe_that_cannot_be_killed_counts_again_and_again_and_is_the_only_one)
{
        int near[2];
        uint32_t stream;

        begin(1, 2);
        stream = next_probe(NULL);
        say_started(stream, t_ok(sys_open(AT_FDCWD, "/dev/null", O_RDONLY)), near);
        for (int i = 0; i < 100 && shim.health.log.count < 2; i++)
                serve_ms(100);
        t_str("unhealthy", shim.record.health);
        t_int(2, shim.health.verdict.failing_streak);
        t_false(is_asked());
        say_exited(stream, 137);
        t_int(3, shim.health.log.count);
        (void)next_probe(NULL);
        (void)close(near[0]);
        (void)close(near[1]);
        end();
}

TEST(a_probe_that_begins_after_its_time_is_killed_at_once)
{
        pid_t pid = sleeper();
        int near[2];
        uint32_t stream;

        begin(1, 1);
        stream = next_probe(NULL);
        serve_ms(20);
        say_started(stream, t_ok(sys_pidfd_open(pid)), near);
        expect_killed(pid);
        (void)close(near[0]);
        (void)close(near[1]);
        end();
}

TEST(no_probe_begins_in_a_box_that_is_paused_or_stopping)
{
        begin(10000, 1);
        shim.state = BOX_PAUSED;
        serve_ms(20);
        t_false(is_asked());
        shim.state = BOX_RUNNING;
        (void)next_probe(NULL);
        end();

        begin(10000, 1);
        shim.state = BOX_STOPPING;
        serve_ms(20);
        t_false(is_asked());
        end();
}

TEST(a_probe_that_the_stop_ended_says_nothing_about_the_box)
{
        int near[2];
        uint32_t stream;

        begin(10000, 1);
        stream = next_probe(NULL);
        say_started(stream, any_pidfd(), near);
        shim.state = BOX_STOPPING;
        say_exited(stream, 137);
        t_str("starting", shim.record.health);
        t_str("", events);
        t_int(0, shim.health.log.count);
        (void)close(near[0]);
        (void)close(near[1]);
        end();
}

TEST(what_a_probe_writes_is_bounded_and_it_never_waits_for_us)
{
        char block[8192];
        int near[2];
        uint32_t stream;

        memset(block, 'x', sizeof(block));
        begin(10000, 1);
        stream = next_probe(NULL);
        say_started(stream, any_pidfd(), near);
        for (int i = 0; i < 64; i++) { /* eight times what a pipe holds */
                t_ok(sys_write_all(near[i % 2], block, sizeof(block)));
                serve_ms(i % 8 == 7);
        }
        say_exited(stream, 0);
        t_int(HEALTH_OUTPUT_BYTES + 3, strlen(shim.health.log.probes[0].output));
        t_true(strstr(shim.health.log.probes[0].output, "xxx...") != NULL);
        (void)close(near[0]);
        (void)close(near[1]);
        end();
}

TEST(frames_of_others_are_left_to_others)
{
        struct msg_exited m = {.status = 0};
        struct frame f;
        uint32_t stream;

        begin(10000, 1);
        f = frame_of(PROTO_EXITED, 0, &m);
        t_false(health_frame(&shim, &f));
        stream = next_probe(NULL);
        f.header.stream = stream + 1;
        t_false(health_frame(&shim, &f));
        frame_release(&f);
        end();
}

TEST(a_box_without_a_check_has_nothing_of_it)
{
        shim = (struct shim){.state = BOX_RUNNING, .dir_fd = -EBADF};
        t_ok(loop_new(&shim.loop));
        health_begin(&shim);
        t_str("", shim.record.health);
        t_null(shim.health.timer);
        health_end(&shim);
        t_str("", shim.record.health);
        shim.loop = loop_free(shim.loop);
}
