/* SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "t.h"

/* A shell that runs the script with nothing on its input; one at a time. */
static struct child_spec sh(const char *script)
{
        static const char *argv[] = {"sh", "-c", NULL, NULL};
        static const char *envp[] = {"PATH=/usr/bin:/bin", NULL};

        argv[2] = script;
        return (struct child_spec){
                .path = "/bin/sh",
                .argv = (char *const *)argv,
                .envp = (char *const *)envp,
                .stdio = {-1, -1, 2},
        };
}

/* Runs it to its end; its output, if wanted, goes to b. */
static int run(const struct child_spec *spec, struct buf *b)
{
        struct child_spec with_output = *spec;
        int fds[2], pidfd, status;

        t_ok(pipe2(fds, O_CLOEXEC));
        with_output.stdio[1] = fds[1];
        t_ok(child_spawn(&with_output, &pidfd));
        t_ok(close(fds[1]));
        if (b)
                t_ok(buf_read_fd(b, fds[0]));
        t_ok(close(fds[0]));
        status = child_wait(pidfd);
        t_ok(close(pidfd));
        return status;
}

static int run_script(const char *script, struct buf *b)
{
        struct child_spec spec = sh(script);

        return run(&spec, b);
}

static int spawn_script(const char *script, int *ret_pidfd)
{
        struct child_spec spec = sh(script);

        return child_spawn(&spec, ret_pidfd);
}

TEST(reports_the_exit_status_as_a_shell_does)
{
        static const struct {
                const char *script;
                int status;
        } cases[] = {
                {"exit 0",     0  },
                {"exit 1",     1  },
                {"exit 255",   255},
                {"kill -9 $$", 137},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("%s", cases[i].script);
                t_int(cases[i].status, run_script(cases[i].script, NULL));
        }
}

TEST(arguments_arrive_unchanged)
{
        static const char expected[] = "[a b]\n[]\n[\"'$x]\n[\xff\x80]\n";
        const char *argv[] = {"printf", "[%s]\\n", "a b", "", "\"'$x", "\xff\x80", NULL};
        struct child_spec spec = sh(NULL);
        struct buf b = BUF_INIT(4096);

        spec.path = "/usr/bin/printf";
        spec.argv = (char *const *)argv;
        t_int(0, run(&spec, &b));
        t_str(expected, b.data);
        buf_release(&b);
}

TEST(a_program_that_cannot_be_executed_is_an_error_here)
{
        static const struct {
                const char *path;
                int code;
        } cases[] = {
                {"/nonexistent", ENOENT },
                {"/etc/passwd",  EACCES },
                {"/etc",         EACCES },
                {"/bin/sh/x",    ENOTDIR},
        };
        int before = t_ok(t_open_fds());

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct child_spec spec = sh("exit 0");
                int pidfd = -1;

                spec.path = cases[i].path;
                t_note("%s", cases[i].path);
                t_errno(cases[i].code, child_spawn(&spec, &pidfd));
                t_int(-1, pidfd);
                t_errno(cases[i].code, child_spawn_orphan(&spec));
        }
        t_int(before, t_open_fds());
        /* Nothing is left to wait for either. */
        t_int(-1, waitpid(-1, NULL, __WALL | WNOHANG));
        t_int(ECHILD, errno);
}

TEST(the_program_has_its_descriptors_and_no_others)
{
        struct buf b = BUF_INIT(4096);
        struct child_spec spec =
                sh("for i in $(seq 0 64); do [ -e /proc/self/fd/$i ] && printf '%s ' $i; done; "
                   "cat <&4; cat <&3");
        int one[2], two[2], fds[2];
        int stray = t_ok(fcntl(2, F_DUPFD, 20)); /* not close-on-exec on purpose */

        t_ok(pipe2(one, O_CLOEXEC));
        t_ok(pipe2(two, O_CLOEXEC));
        t_ok(sys_write_all(one[1], "one ", 4));
        t_ok(sys_write_all(two[1], "two ", 4));
        close_fd(&one[1]);
        close_fd(&two[1]);
        fds[0] = one[0];
        fds[1] = two[0];
        spec.fds = fds;
        spec.fd_count = 2;

        t_int(0, run(&spec, &b));
        t_str("0 1 2 3 4 two one ", b.data);
        buf_release(&b);
        t_ok(close(one[0]));
        t_ok(close(two[0]));
        t_ok(close(stray));
}

TEST(descriptors_may_stand_where_others_shall_go)
{
        struct buf b = BUF_INIT(4096);
        struct child_spec spec = sh("cat <&3; cat <&4; cat <&5");
        int fds[3];

        /* Numbers 3, 4 and 5 in reverse: each target is another one's source. */
        for (size_t i = 0; i < ELEMENTS(fds); i++) {
                int p[2];
                char c = (char)('a' + i);

                t_ok(pipe2(p, O_CLOEXEC));
                t_ok(sys_write_all(p[1], &c, 1));
                t_ok(close(p[1]));
                fds[i] = p[0];
        }
        spec.fds = (const int[]){fds[2], fds[1], fds[0]};
        spec.fd_count = 3;
        t_int(0, run(&spec, &b));
        t_str("cba", b.data);
        buf_release(&b);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                t_ok(close(fds[i]));
}

TEST(a_stdio_of_minus_one_is_dev_null)
{
        struct buf b = BUF_INIT(64);

        t_int(0, run_script("read x && exit 1; readlink /proc/self/fd/0", &b));
        t_str("/dev/null\n", b.data);
        buf_release(&b);
}

TEST(the_program_starts_with_all_signals_blocked)
{
        const char *argv[] = {"sed", "-n", "s/^SigBlk:\t//p", "/proc/self/status", NULL};
        struct child_spec spec = sh(NULL);
        struct buf b = BUF_INIT(4096);

        /* What waits for a signal unblocks it itself, when it is ready to. */
        spec.path = "/usr/bin/sed";
        spec.argv = (char *const *)argv;
        t_int(0, run(&spec, &b));
        t_has("fffffffe7ff", b.data);
        buf_release(&b);
}

TEST(the_callers_signal_mask_comes_back)
{
        struct child_spec quick = sh("exit 0");
        sigset_t before, after;
        int pidfd;

        t_ok(sigemptyset(&before));
        t_ok(sigaddset(&before, SIGUSR2));
        t_ok(sigprocmask(SIG_SETMASK, &before, NULL));
        t_ok(spawn_script("exit 0", &pidfd));
        t_int(0, child_wait(pidfd));
        t_ok(close(pidfd));
        t_ok(child_spawn_orphan(&quick));
        t_ok(sigprocmask(SIG_BLOCK, NULL, &after));
        for (int sig = 1; sig < 32; sig++)
                t_int(sig == SIGUSR2, sigismember(&after, sig));
}

static volatile sig_atomic_t children_heard;

static void on_child(int sig)
{
        children_heard = 1;
}

TEST(an_orphan_is_nobodys_child)
{
        struct sigaction action = {.sa_handler = on_child}, old;
        struct child_spec spec = sh("exec 3>&-; true");
        struct pollfd end = {.events = POLLIN};
        int alive[2];

        t_ok(sigaction(SIGCHLD, &action, &old));
        t_ok(pipe2(alive, O_CLOEXEC));
        spec.fds = &alive[1];
        spec.fd_count = 1;
        t_ok(child_spawn_orphan(&spec));
        t_ok(close(alive[1]));

        t_int(-1, waitpid(-1, NULL, __WALL | WNOHANG));
        t_int(ECHILD, errno);
        end.fd = alive[0];
        t_int(1, poll(&end, 1, 10000));
        t_int(-1, waitpid(-1, NULL, __WALL | WNOHANG));
        t_int(ECHILD, errno);
        t_int(0, children_heard);

        t_ok(sigaction(SIGCHLD, &old, NULL));
        t_ok(close(alive[0]));
}

TEST(waiting_by_pidfd_leaves_other_children_alone)
{
        int first, second;

        t_ok(spawn_script("exit 1", &first));
        t_ok(spawn_script("exit 2", &second));
        t_int(2, child_wait(second));
        t_int(1, child_wait(first));
        t_errno(ECHILD, child_wait(first));
        t_ok(close(first));
        t_ok(close(second));
}

TEST(spawning_leaves_no_descriptor_when_a_call_fails)
{
        int before = t_ok(t_open_fds());
        unsigned n;

        for (n = 1;; n++) {
                int pidfd = -1;
                bool struck;
                int r;

                fault_arm_sys(n, EMFILE);
                r = spawn_script("exit 0", &pidfd);
                struck = fault_disarm();
                t_int(struck ? -EMFILE : 0, r);
                if (r == 0)
                        t_int(0, child_wait(pidfd));
                close_fd(&pidfd);
                t_int(before, t_open_fds());
                if (!struck)
                        break;
        }
        t_true(n > 1);
}
