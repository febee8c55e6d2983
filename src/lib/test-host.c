/* SPDX-License-Identifier: Apache-2.0 */

/* Programs that use the library and are unusual: as a parent, and in what they have open. */

#include "lib/test-lib.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/identity.h"

static void end_with(struct lab *lab, struct coffer_box *box, int status)
{
        struct coffer_exit end;

        lab_ok(lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab->err));
        lab_ok(lab, coffer_box_wait(box, LONG_MS, &end, &lab->err));
        t_int(status, end.status);
}

static void exec_true(struct lab *lab, struct coffer_box *box)
{
        const char *argv[] = {"/bin/true", NULL};
        struct coffer_process *p;
        struct coffer_spec *spec;
        struct coffer_exit end;

        lab_ok(lab, coffer_spec_new(&spec, &lab->err));
        lab_ok(lab, coffer_spec_set_command(spec, argv, &lab->err));
        lab_ok(lab, coffer_exec_start(box, spec, LONG_MS, &p, &lab->err));
        lab_ok(lab, coffer_process_wait(p, LONG_MS, &end, &lab->err));
        t_int(0, end.status);
        (void)coffer_process_free(p);
        (void)coffer_spec_free(spec);
}

/* Whatever starts a process of ours, in this one. */
static void use_boxes(struct lab *lab)
{
        struct coffer_box *box = lab_box(lab, "exit 3", NULL);
        char path[128];

        end_with(lab, box, 3);
        lab_remove(lab, box);
        box = lab_running(lab, "exec sleep 1000");
        exec_true(lab, box);
        (void)snprintf(path, sizeof(path), "%s/copy", lab->home);
        lab_ok(lab, coffer_copy_in(box, "/etc/passwd", "/tmp/", 0, LONG_MS, &lab->err));
        lab_ok(lab, coffer_copy_out(box, "/tmp/passwd", path, 0, LONG_MS, &lab->err));
        t_ok(unlink(path));
        lab_ok(lab, coffer_box_stop(box, SIGKILL, 0, LONG_MS, &lab->err));
        lab_remove(lab, box);
}

static uint32_t shim_of(struct lab *lab, const struct coffer_box *box)
{
        struct identity identity;
        char path[256];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/boxes/%s", lab->home, coffer_box_id(box));
        fd = t_ok(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        t_ok(identity_read(fd, &identity));
        (void)close(fd);
        return identity.pid;
}

/* The kernel forgets its children by itself, and wait answers ECHILD. */
TEST(a_host_that_ignores_sigchld_can_use_everything)
{
        static const unsigned long flags[] = {0, SA_NOCLDWAIT};
        struct lab lab = lab_begin();

        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                struct sigaction action = {.sa_handler = flags[i] ? SIG_DFL : SIG_IGN,
                                           .sa_flags = (int)flags[i]};
                struct sigaction now;

                t_note("flags %lx", flags[i]);
                t_ok(sigaction(SIGCHLD, &action, NULL));
                use_boxes(&lab);
                t_ok(sigaction(SIGCHLD, NULL, &now));
                t_true(now.sa_handler == action.sa_handler);
        }
        (void)signal(SIGCHLD, SIG_DFL);
        lab_end(&lab);
}

static size_t count_children(uint32_t parent)
{
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        size_t count = 0;

        t_true(proc != NULL);
        while ((entry = readdir(proc))) {
                char path[64], text[1024];
                const char *end;
                ssize_t n;
                int fd;

                (void)snprintf(path, sizeof(path), "/proc/%.16s/stat", entry->d_name);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
                if (fd >= 0)
                        (void)close(fd);
                text[n > 0 ? n : 0] = '\0';
                end = strrchr(text, ')');
                count += end && strtoul(end + 3, NULL, 10) == parent;
        }
        (void)closedir(proc);
        return count;
}

/*
 * A subreaper inherits the shims, as box.h says, and nothing else; it sees them end, so it can be
 * asked what was left then: when the end of a box is told its supervisor has been reaped.
 */
TEST(a_subreaper_inherits_shims_and_no_zombie_of_a_supervisor)
{
        struct lab lab = lab_begin();

        t_ok(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
        for (int i = 0; i < 5; i++) {
                struct coffer_box *box = lab_running(&lab, "exec sleep 1000");
                uint32_t shim = shim_of(&lab, box);
                struct coffer_exit end;
                int status;

                exec_true(&lab, box);
                t_int(0, waitpid(-1, &status, WNOHANG)); /* the shim, which lives */
                lab_ok(&lab, coffer_box_stop(box, SIGKILL, 0, LONG_MS, &lab.err));
                t_int(0, (int)count_children(shim));
                lab_ok(&lab, coffer_box_wait(box, LONG_MS, &end, &lab.err));
                t_int((int)shim, waitpid(-1, &status, 0));
                t_int(0, WEXITSTATUS(status));
                lab_remove(&lab, box);
        }
        t_int(-1, waitpid(-1, NULL, WNOHANG | __WALL));
        t_int(ECHILD, errno);
        t_ok(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));
        lab_end(&lab);
}

/* As in a container without an init: every orphan becomes its child. */
TEST(a_host_that_is_pid_1_can_use_everything)
{
        int status;
        pid_t middle = fork();

        if (middle == 0) {
                pid_t first;

                if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
                        _exit(77);
                first = fork();
                if (first == 0) {
                        struct lab lab;

                        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                            mount("proc", "/proc", "proc", 0, NULL) < 0)
                                _exit(77);
                        lab = lab_begin();
                        use_boxes(&lab);
                        while (waitpid(-1, NULL, WNOHANG) > 0)
                                ;
                        lab_end(&lab);
                        _exit(0);
                }
                if (waitpid(first, &status, 0) != first)
                        _exit(1);
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
        }
        t_ok(middle);
        t_int(middle, waitpid(middle, &status, 0));
        if (WEXITSTATUS(status) == 77)
                t_skip("needs to make a PID namespace");
        t_int(0, status);
}

/* Descriptors beyond FD_SETSIZE, and none of them in a shim. */
TEST(a_host_with_thousands_of_open_files_lends_none)
{
        struct lab lab = lab_begin();
        struct coffer_box *box;
        struct rlimit limit;
        char path[64];
        DIR *dir;
        int first = -1, last = -1, count = 0;

        t_ok(getrlimit(RLIMIT_NOFILE, &limit));
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        t_ok(setrlimit(RLIMIT_NOFILE, &limit));
        for (rlim_t i = 0; i + 256 < limit.rlim_cur; i++)
                first = i == 0 ? t_ok(dup(0)) : first, last = t_ok(dup(0));
        use_boxes(&lab);
        box = lab_running(&lab, "exec sleep 1000");
        (void)snprintf(path, sizeof(path), "/proc/%u/fd", shim_of(&lab, box));
        dir = opendir(path); /* only root may look */
        if (dir) {
                while (readdir(dir))
                        count++;
                (void)closedir(dir);
                t_true(count < 64);
        }
        lab_remove(&lab, box);
        (void)close_range((unsigned)first, (unsigned)last, 0);
        lab_end(&lab);
}
