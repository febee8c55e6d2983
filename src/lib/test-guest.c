/* SPDX-License-Identifier: Apache-2.0 */

/* A library is a guest: a host program that waits for any child, and looks at everything it owns.
 */

#include "lib/test-lib.h"

#include <signal.h>
#include <sys/wait.h>

extern char **environ;

static volatile sig_atomic_t signals_seen;

static void on_signal(int signal)
{
        (void)signal;
        signals_seen++;
}

/* What belongs to the host and must be afterwards what it was before. */
struct belongings {
        char cwd[PATH_MAX];
        mode_t mask;
        sigset_t blocked;
        struct sigaction actions[65];
        char *first_variable;
        int fds;
};

static struct belongings look(void)
{
        struct belongings b = {.first_variable = environ[0], .fds = t_open_fds()};

        t_true(getcwd(b.cwd, sizeof(b.cwd)) != NULL);
        b.mask = umask(0);
        (void)umask(b.mask);
        (void)sigprocmask(SIG_BLOCK, NULL, &b.blocked);
        for (int i = 1; i < 65; i++)
                (void)sigaction(i, NULL, &b.actions[i]);
        return b;
}

static void compare(const struct belongings *a, const struct belongings *b)
{
        t_str(a->cwd, b->cwd);
        t_int(a->mask, b->mask);
        t_mem(&a->blocked, &b->blocked, sizeof(a->blocked));
        for (int i = 1; i < 65; i++)
                t_true(a->actions[i].sa_handler == b->actions[i].sa_handler);
        t_true(a->first_variable == b->first_variable);
        t_int(a->fds, b->fds);
}

static void use_everything(struct lab *lab)
{
        const char *argv[] = {"/bin/true", NULL};
        struct coffer_box *box = lab_running(lab, "exec sleep 1000");
        struct coffer_process *p;
        struct coffer_spec *spec;
        struct coffer_exit end;
        char path[128], *json;

        lab_ok(lab, coffer_spec_new(&spec, &lab->err));
        lab_ok(lab, coffer_spec_set_command(spec, argv, &lab->err));
        lab_ok(lab, coffer_exec_start(box, spec, LONG_MS, &p, &lab->err));
        lab_ok(lab, coffer_process_wait(p, LONG_MS, &end, &lab->err));
        t_int(0, end.status);
        (void)coffer_process_free(p);
        (void)coffer_spec_free(spec);
        lab_ok(lab, coffer_box_inspect(box, &json, &lab->err));
        coffer_free(json);
        (void)snprintf(path, sizeof(path), "%s/copy", lab->home);
        lab_ok(lab, coffer_copy_in(box, "/etc/passwd", "/tmp/", 0, LONG_MS, &lab->err));
        lab_ok(lab, coffer_copy_out(box, "/tmp/passwd", path, 0, LONG_MS, &lab->err));
        /* The box's side ends before ours has written all. */
        t_true(coffer_copy_in(box, "/proc/self/exe", "/no/such/dir/x", COFFER_COPY_FOLLOW, LONG_MS,
                              &lab->err) < 0);
        t_ok(unlink(path));
        lab_ok(lab, coffer_box_restart(box, SIGKILL, 0, LONG_MS, &lab->err));
        lab_remove(lab, box);
}

TEST(a_host_that_waits_for_any_child_sees_only_its_own)
{
        struct lab lab = lab_begin();
        struct sigaction action = {.sa_handler = on_signal};
        struct belongings before, after;
        int status, ours[2];
        pid_t child;

        t_ok(sigaction(SIGCHLD, &action, NULL));
        t_ok(sigaction(SIGPIPE, &action, NULL));
        t_ok(pipe(ours));
        use_everything(&lab); /* once, so that what is opened for ever is open */

        child = fork();
        if (child == 0) {
                char byte;

                (void)close(ours[1]);
                (void)!read(ours[0], &byte, 1);
                _exit(42);
        }
        t_ok(child);
        (void)close(ours[0]);
        signals_seen = 0;
        before = look();
        use_everything(&lab);
        after = look();
        compare(&before, &after);

        t_int(0, waitpid(-1, &status, WNOHANG | __WALL)); /* one child, which lives: ours */
        t_int(0, signals_seen);
        (void)close(ours[1]);
        t_int(child, waitpid(-1, &status, 0));
        t_int(42, WEXITSTATUS(status));
        t_int(-1, waitpid(-1, &status, WNOHANG | __WALL));
        t_int(ECHILD, errno);
        t_int(1, signals_seen);
        lab_end(&lab);
}

/* While calls are under way: a thief in a loop steals nothing, and nothing waits for ever. */
TEST(a_loop_of_waits_beside_it_changes_nothing)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "exit 3", NULL);
        struct coffer_call *call;
        struct coffer_exit end;
        int r;

        for (int i = 0; i < 5; i++) {
                lab_ok(&lab, coffer_box_start_begin(box, NULL, &call, &lab.err));
                while ((r = coffer_call_finish(call, &lab.err)) == -EAGAIN)
                        t_int(-1, waitpid(-1, NULL, WNOHANG | __WALL));
                lab_ok(&lab, r);
                (void)coffer_call_free(call);
                lab_ok(&lab, coffer_box_wait_begin(box, &call, &lab.err));
                while ((r = coffer_call_finish(call, &lab.err)) == -EAGAIN)
                        t_int(-1, waitpid(-1, NULL, WNOHANG | __WALL));
                lab_ok(&lab, r);
                t_ok(coffer_call_exit(call, &end));
                t_int(3, end.status);
                (void)coffer_call_free(call);
        }
        lab_remove(&lab, box);
        lab_end(&lab);
}
