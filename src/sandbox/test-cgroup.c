/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs wherever it is: v2, hybrid, v1 or nothing at all.  What a host cannot do is skipped and
 * said; the forms without a v2 tree and without anything are made by hiding mounts.
 */

#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "fault.h"
#include "sandbox/test-child.h"

#define WAIT_MS 10000
#define MIB     (UINT64_C(1) << 20)

static char box_id[32];

static void remove_box(void)
{
        struct cgroup cg;

        if (box_id[0] == '\0' || cgroup_open(box_id, &cg, NULL) < 0)
                return;
        (void)cgroup_kill(&cg, WAIT_MS, NULL);
        (void)cgroup_remove(&cg, NULL);
}

/* An id that no other test run has; what a failed test leaves goes at exit, or with the next one.
 */
static const char *id(void)
{
        static pid_t owner;

        if (owner == 0)
                (void)atexit(remove_box);
        owner = getpid();
        remove_box();
        (void)snprintf(box_id, sizeof(box_id), "test%d", (int)owner);
        return box_id;
}

static bool is_in(const char *dir_path, const char *name)
{
        DIR *dir = opendir(dir_path);
        struct dirent *entry;
        bool found = false;

        while (dir && (entry = readdir(dir))) {
                char path[512];

                if (strcmp(entry->d_name, name) == 0)
                        found = true;
                if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || found)
                        continue;
                (void)snprintf(path, sizeof(path), "%s/%.200s", dir_path, entry->d_name);
                found = is_in(path, name);
        }
        if (dir)
                (void)closedir(dir);
        return found;
}

static bool anything_left(void)
{
        char name[64];

        (void)snprintf(name, sizeof(name), "coffer-%s", box_id);
        return is_in("/sys/fs/cgroup", name);
}

static struct cgroup_host host(void)
{
        struct cgroup_host h;

        cgroup_probe(&h);
        return h;
}

/*
 * A process of a box: waits until it is told what to do, so that it can be placed before.  Every
 * order is answered by one byte.
 */
struct worker {
        pid_t pid;
        int to, from;
};

static void obey(int from, int to)
{
        char order;

        while (read(from, &order, 1) == 1) {
                char answer = 'y';

                if (order == 'f') { /* as many children as it is let, to 50 */
                        answer = 0;
                        while (answer < 50) {
                                pid_t pid = fork();

                                if (pid == 0) {
                                        (void)pause();
                                        _exit(0);
                                }
                                if (pid < 0)
                                        break;
                                answer++;
                        }
                } else if (order == 'm') { /* 64 MiB */
                        void *p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

                        answer = p == MAP_FAILED ? 'n' : 'y';
                }
                (void)!write(to, &answer, 1);
        }
}

/* Into @cgroup_fd from birth where that is wanted (-EBADF: not). */
static struct worker worker_start(int cgroup_fd)
{
        struct clone_args args = {.exit_signal = SIGCHLD};
        struct worker w;
        int down[2], up[2];

        if (cgroup_fd >= 0) {
                args.flags = CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)cgroup_fd;
        }
        t_ok(pipe2(down, O_CLOEXEC));
        t_ok(pipe2(up, O_CLOEXEC));
        w.pid = sys_clone3(&args);
        if (w.pid == 0) {
                (void)close(down[1]);
                (void)close(up[0]);
                obey(down[0], up[1]);
                _exit(0);
        }
        t_ok(w.pid);
        (void)close(down[0]);
        (void)close(up[1]);
        w.to = down[1];
        w.from = up[0];
        return w;
}

static char worker_do(const struct worker *w, char order)
{
        char answer = 0;

        t_true(write(w->to, &order, 1) == 1);
        return read(w->from, &answer, 1) == 1 ? answer : 'x';
}

static int worker_end(const struct worker *w)
{
        int status;

        (void)close(w->to);
        (void)close(w->from);
        t_true(waitpid(w->pid, &status, 0) == w->pid);
        return status;
}

static void remove_and_check(struct cgroup *cg)
{
        struct coffer_error err = {0};

        if (cgroup_remove(cg, &err) < 0)
                t_note("%s", err.msg);
        t_int(0, err.code);
        t_false(anything_left());
}

static void create(struct cgroup *cg, const struct cgroup_limits *limits)
{
        struct coffer_error err = {0};
        int r = cgroup_create(id(), limits, cg, &err);

        if (r == -EOPNOTSUPP)
                t_skip("%s", err.msg);
        if (r < 0)
                t_note("%s", err.msg);
        t_ok(r);
}

TEST(says_what_this_host_has)
{
        static const char *const modes[] = {"none", "v1", "v2"};
        struct cgroup_host h = host();

        t_note("mode %s, v2 tree %s (%s, parent '%s', controllers %#x), v1 controllers %#x",
               modes[h.mode], h.v2_root ? h.v2_root : "none", h.v2_usable ? "usable" : "not usable",
               h.v2_parent, h.v2_controllers, h.v1_controllers);
        t_true(h.v2_root || !h.v2_usable);
        t_true(h.mode != CGROUP_V2 || h.v2_controllers);
        t_true(h.mode != CGROUP_V1 || h.v1_controllers);
}

TEST(without_limits_never_v1)
{
        const struct cgroup_limits none = {0};
        struct timespec from, made, gone;
        struct cgroup cg;

        create(&cg, &none); /* the first one is slower */
        remove_and_check(&cg);
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        t_ok(cgroup_create(box_id, &none, &cg, NULL));
        (void)clock_gettime(CLOCK_MONOTONIC, &made);
        t_int(host().v2_usable ? CGROUP_V2 : CGROUP_NONE, cg.mode);
        t_true((cg.box_fd >= 0) == host().v2_usable);
        for (size_t c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
                t_true(cg.v1_fd[c] < 0);
        t_true(cg.leaf_fd[CGROUP_INIT] < 0);
        t_ok(cgroup_remove(&cg, NULL));
        (void)clock_gettime(CLOCK_MONOTONIC, &gone);
        t_note("made in %ld us",
               (made.tv_sec - from.tv_sec) * 1000000 + (made.tv_nsec - from.tv_nsec) / 1000);
        t_note("made and removed in %ld us",
               (gone.tv_sec - from.tv_sec) * 1000000 + (gone.tv_nsec - from.tv_nsec) / 1000);
        t_false(anything_left());
}

TEST(leaves_no_descriptor_open)
{
        const struct cgroup_limits limits = {.pids_max = 10};
        int before = t_open_fds();
        struct cgroup cg;

        create(&cg, &limits);
        t_true(t_open_fds() > before);
        remove_and_check(&cg);
        t_int(before, t_open_fds());
}

TEST(kill_ends_everything_that_was_born_there)
{
        const struct cgroup_limits none = {0};
        struct cgroup cg;
        struct worker w;
        bool empty;

        if (!host().v2_usable)
                t_skip("needs a v2 tree to make directories in");
        create(&cg, &none);
        w = worker_start(cgroup_birth_fd(&cg));
        t_int(50, worker_do(&w, 'f'));
        t_ok(cgroup_is_empty(&cg, &empty));
        t_false(empty);
        t_ok(cgroup_kill(&cg, WAIT_MS, NULL));
        t_ok(cgroup_is_empty(&cg, &empty));
        t_true(empty);
        t_int(SIGKILL, WTERMSIG(worker_end(&w)));
        remove_and_check(&cg);
}

TEST(removing_what_is_in_use_says_so)
{
        const struct cgroup_limits none = {0};
        struct coffer_error err = {0};
        struct cgroup cg;
        struct worker w;

        if (!host().v2_usable)
                t_skip("needs a v2 tree to make directories in");
        create(&cg, &none);
        w = worker_start(cgroup_birth_fd(&cg));
        t_errno(EBUSY, cgroup_remove(&cg, &err));
        t_has("/load", err.msg);
        t_true(anything_left());

        t_ok(cgroup_open(box_id, &cg, NULL)); /* by the id alone, as a cleaner does */
        t_int(CGROUP_V2, cg.mode);
        t_ok(cgroup_kill(&cg, WAIT_MS, NULL));
        (void)worker_end(&w);
        remove_and_check(&cg);
        t_ok(cgroup_open(box_id, &cg, NULL));
        t_int(CGROUP_NONE, cg.mode);
        t_ok(cgroup_kill(&cg, WAIT_MS, NULL));
        t_ok(cgroup_remove(&cg, NULL));
}

TEST(a_name_that_is_taken_is_left_alone)
{
        const struct cgroup_limits limits = {.pids_max = 10};
        struct cgroup first, second;

        create(&first, &limits);
        t_errno(EEXIST, cgroup_create(box_id, &limits, &second, NULL));
        t_true(anything_left());
        remove_and_check(&first);
}

TEST(the_pids_limit_holds)
{
        const struct cgroup_limits limits = {.pids_max = 10};
        struct cgroup_stats stats;
        struct cgroup cg;
        struct worker w;

        create(&cg, &limits);
        t_true(cg.limited);
        w = worker_start(-EBADF);
        t_ok(cgroup_place(&cg, CGROUP_LOAD, w.pid, NULL));
        t_int(9, worker_do(&w, 'f'));
        t_ok(cgroup_read_stats(&cg, &stats));
        t_int(10, (int64_t)stats.pids);
        t_ok(cgroup_kill(&cg, WAIT_MS, NULL));
        t_int(SIGKILL, WTERMSIG(worker_end(&w)));
        remove_and_check(&cg);
}

TEST(the_memory_limit_holds_and_is_told)
{
        const struct cgroup_limits limits = {.memory_bytes = 32 * MIB,
                                             .memory_swap_bytes = 32 * MIB};
        struct cgroup_stats stats;
        struct cgroup cg;
        struct worker w;
        bool killed;

        create(&cg, &limits);
        t_true(cg.swap_limited);
        w = worker_start(-EBADF);
        t_ok(cgroup_place(&cg, CGROUP_LOAD, w.pid, NULL));
        t_int('y', worker_do(&w, '.'));
        t_ok(cgroup_oom_killed(&cg, &killed));
        t_false(killed);
        t_int('x', worker_do(&w, 'm')); /* no answer any more */
        t_int(SIGKILL, WTERMSIG(worker_end(&w)));
        t_ok(cgroup_oom_killed(&cg, &killed));
        t_true(killed);
        t_ok(cgroup_read_stats(&cg, &stats));
        t_true(stats.memory_peak_bytes == CGROUP_UNLIMITED ||
               (stats.memory_peak_bytes > 30 * MIB && stats.memory_peak_bytes <= 32 * MIB));
        remove_and_check(&cg);
}

TEST(the_cpu_limit_is_set)
{
        const struct cgroup_limits limits = {.cpu_milli = 250};
        struct cgroup_stats stats;
        char quota[64];
        struct cgroup cg;
        int fd;

        create(&cg, &limits);
        fd = cg.v1_fd[CGROUP_CPU] >= 0
                     ? sys_open(cg.v1_fd[CGROUP_CPU], "cpu.cfs_quota_us", O_RDONLY)
                     : sys_open(cg.leaf_fd[CGROUP_LOAD], "cpu.max", O_RDONLY);
        t_ok(fd);
        memset(quota, 0, sizeof(quota));
        t_true(sys_read_full(fd, quota, sizeof(quota) - 1) > 0);
        (void)close(fd);
        t_str(cg.v1_fd[CGROUP_CPU] >= 0 ? "25000\n" : "25000 100000\n", quota);
        t_ok(cgroup_read_stats(&cg, &stats));
        t_int(0, (int64_t)stats.cpu_throttled_periods);
        remove_and_check(&cg);
}

TEST(limits_that_make_no_sense_are_refused)
{
        static const struct {
                struct cgroup_limits limits;
                const char *says;
        } cases[] = {
                {{.cpu_milli = 9},                                    "--cpus"       },
                {{.cpu_milli = UINT64_MAX},                           "--cpus"       },
                {{.memory_swap_bytes = MIB},                          "--memory-swap"},
                {{.memory_bytes = 2 * MIB, .memory_swap_bytes = MIB}, "--memory-swap"},
        };
        static const char *const ids[] = {"", "a/b", "..", "A", "a b", "a\n"};
        const struct cgroup_limits none = {0};
        struct coffer_error err;
        struct cgroup cg;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_errno(EINVAL, cgroup_create(id(), &cases[i].limits, &cg, &err));
                t_has(cases[i].says, err.msg);
                t_int(COFFER_ERROR_USAGE, err.kind);
        }
        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                t_errno(EINVAL, cgroup_create(ids[i], &none, &cg, &err));
                t_errno(EINVAL, cgroup_open(ids[i], &cg, &err));
        }
}

TEST(a_limit_the_kernel_refuses_leaves_nothing)
{
        const struct cgroup_limits limits = {.memory_bytes = 64 * MIB,
                                             .pids_max = UINT64_C(1) << 60};
        struct coffer_error err;
        struct cgroup cg;

        if (host().mode == CGROUP_NONE)
                t_skip("no controller can be used here");
        t_errno(EINVAL, cgroup_create(id(), &limits, &cg, &err));
        t_has("--pids-limit", err.msg);
        t_int(COFFER_ERROR_CONTROL, err.kind);
        t_false(anything_left());
}

TEST(whatever_breaks_while_making_it_leaves_nothing)
{
        const struct cgroup_limits limits = {.memory_bytes = 64 * MIB, .pids_max = 20};
        int before = t_open_fds();
        struct cgroup cg;

        if (host().mode == CGROUP_NONE)
                t_skip("no controller can be used here");
        for (unsigned n = 1;; n++) {
                int r;

                (void)id();
                fault_arm_sys(n, EMFILE);
                r = cgroup_create(box_id, &limits, &cg, NULL);
                if (r == 0)
                        r = cgroup_remove(&cg, NULL);
                if (!fault_disarm()) {
                        t_ok(r);
                        break;
                }
                if (r < 0) /* a probe that found less is an answer */
                        remove_box();
                t_false(anything_left());
                t_int(before, t_open_fds());
        }
}

/* Frozen, a worker does not answer; then it does. */
static void freeze_and_thaw(struct cgroup *cg, const struct worker *w)
{
        struct pollfd wait = {.fd = w->from, .events = POLLIN};
        bool frozen;
        char answer;

        t_int('y', worker_do(w, '.'));
        t_ok(cgroup_freeze(cg, WAIT_MS, NULL));
        t_ok(cgroup_is_frozen(cg, &frozen));
        t_true(frozen);
        t_true(write(w->to, ".", 1) == 1);
        t_int(0, poll(&wait, 1, 50));
        t_ok(cgroup_thaw(cg, NULL));
        t_true(read(w->from, &answer, 1) == 1 && answer == 'y');
        t_ok(cgroup_is_frozen(cg, &frozen));
        t_false(frozen);

        t_ok(cgroup_freeze(cg, WAIT_MS, NULL));
        t_ok(cgroup_kill(cg, WAIT_MS, NULL)); /* a frozen box dies too */
        t_int(SIGKILL, WTERMSIG(worker_end(w)));
}

TEST(freezes_the_load_and_not_the_supervisor)
{
        const struct cgroup_limits none = {0};
        struct worker supervisor, load;
        struct cgroup cg;
        bool empty;

        if (!host().v2_usable)
                t_skip("needs a v2 tree to make directories in");
        create(&cg, &none);
        supervisor = worker_start(cgroup_birth_fd(&cg));
        load = worker_start(cgroup_birth_fd(&cg));
        t_ok(cgroup_place(&cg, CGROUP_INIT, supervisor.pid, NULL));
        t_ok(cgroup_freeze(&cg, WAIT_MS, NULL));
        t_int('y', worker_do(&supervisor, '.'));
        t_ok(cgroup_thaw(&cg, NULL));
        freeze_and_thaw(&cg, &load);
        t_int(SIGKILL, WTERMSIG(worker_end(&supervisor)));
        t_ok(cgroup_is_empty(&cg, &empty));
        t_true(empty);
        remove_and_check(&cg);
}

TEST(placing_a_dead_process_is_told)
{
        const struct cgroup_limits limits = {.pids_max = 10};
        struct coffer_error err;
        struct cgroup cg;
        struct worker w;

        create(&cg, &limits);
        w = worker_start(-EBADF);
        (void)worker_end(&w);
        t_errno(ESRCH, cgroup_place(&cg, CGROUP_LOAD, w.pid, &err));
        remove_and_check(&cg);
}

/* The same on a host that has no v2 tree. */
static int v1_alone(void)
{
        const struct cgroup_limits limits = {.pids_max = 10, .memory_bytes = 64 * MIB};
        const struct cgroup_limits none = {0};
        struct worker w, other;
        struct cgroup cg;
        bool empty;

        WANT(geteuid() == 0 && host().v1_controllers == 0xf);
        WANT(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        WANT(mount("tmpfs", "/sys/fs/cgroup/unified", "tmpfs", 0, NULL) == 0);
        NEED(host().mode == CGROUP_V1 && !host().v2_root);

        NEED(cgroup_create(id(), &none, &cg, NULL) == 0);
        NEED(cg.mode == CGROUP_NONE && !anything_left());
        NEED(cgroup_freeze(&cg, WAIT_MS, NULL) == -EOPNOTSUPP);
        NEED(cgroup_remove(&cg, NULL) == 0);

        NEED(cgroup_create(id(), &limits, &cg, NULL) == 0);
        NEED(cg.mode == CGROUP_V1 && cg.box_fd < 0 && cg.v1_fd[CGROUP_FREEZER] >= 0);
        NEED(cgroup_birth_fd(&cg) < 0);
        other = worker_start(-EBADF); /* must live on */
        w = worker_start(-EBADF);
        NEED(cgroup_place(&cg, CGROUP_LOAD, w.pid, NULL) == 0);
        NEED(cgroup_is_empty(&cg, &empty) == 0 && !empty);
        NEED(worker_do(&w, 'f') == 9);
        freeze_and_thaw(&cg, &w);
        NEED(cgroup_is_empty(&cg, &empty) == 0 && empty);
        NEED(worker_do(&other, '.') == 'y');
        cgroup_release(&cg);
        NEED(cgroup_open(box_id, &cg, NULL) == 0 && cg.mode == CGROUP_V1);
        NEED(cgroup_remove(&cg, NULL) == 0);
        NEED(!anything_left());
        NEED(worker_end(&other) == 0);
        return 0;
}

TEST(v1_alone_limits_freezes_and_kills)
{
        t_child(v1_alone);
}

/* And on one that has nothing at all. */
static int nothing_at_all(void)
{
        const struct cgroup_limits none = {0};
        const struct cgroup_limits limits[] = {
                {.pids_max = 10}, {.memory_bytes = MIB}, {.cpu_milli = 500}};
        static const char *const options[] = {"--pids-limit", "--memory", "--cpus"};
        struct coffer_error err;
        struct cgroup_stats stats;
        struct cgroup cg;
        bool answer;

        WANT(single_id_namespace(CLONE_NEWNS) == 0);
        WANT(mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL) == 0);
        NEED(host().mode == CGROUP_NONE);
        NEED(cgroup_create("x", &none, &cg, &err) == 0);
        NEED(cg.mode == CGROUP_NONE && !cg.limited && cgroup_birth_fd(&cg) < 0);
        NEED(cgroup_place(&cg, CGROUP_LOAD, getpid(), &err) == 0);
        NEED(cgroup_kill(&cg, 0, &err) == 0 && cgroup_thaw(&cg, &err) == 0);
        NEED(cgroup_is_empty(&cg, &answer) == 0 && answer);
        NEED(cgroup_is_frozen(&cg, &answer) == 0 && !answer);
        NEED(cgroup_oom_killed(&cg, &answer) == 0 && !answer);
        NEED(cgroup_read_stats(&cg, &stats) == 0 && stats.pids == CGROUP_UNLIMITED);
        NEED(cgroup_freeze(&cg, 0, &err) == -EOPNOTSUPP && err.hint[0] != '\0');
        NEED(cgroup_remove(&cg, &err) == 0);
        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                NEED(cgroup_create("x", &limits[i], &cg, &err) == -EOPNOTSUPP);
                NEED(err.kind == COFFER_ERROR_CONTROL && strstr(err.msg, options[i]));
                NEED(err.hint[0] != '\0');
        }
        return 0;
}

TEST(without_any_cgroup_limits_are_refused_by_name)
{
        t_child(nothing_at_all);
}

TEST(a_struct_that_was_never_filled_is_harmless)
{
        struct cgroup cg = {0};
        int before = t_open_fds();

        cgroup_release(&cg);
        t_ok(cgroup_remove(&cg, NULL));
        t_ok(cgroup_kill(&cg, 0, NULL));
        t_int(before, t_open_fds());
}

/* ------------------------------------------------------------ into a cgroup while it runs */

static _Atomic uint64_t *heartbeat; /* of all processes of a crowd together */

/* A mother lives and has children all the time, whose own children outlive them. */
static _Noreturn void mother(void)
{
        for (;;) {
                pid_t pid = fork();

                if (pid == 0) {
                        if (fork() == 0)
                                (*heartbeat)++;
                        _exit(0);
                }
                (*heartbeat)++;
        }
}

static void *beat(void *data)
{
        for (;;)
                (*heartbeat)++;
        return data;
}

/* A process whose first thread has ended: /proc calls it a zombie. */
static _Noreturn void headless(void)
{
        pthread_t thread;

        if (pthread_create(&thread, NULL, beat, NULL) != 0)
                _exit(1);
        pthread_exit(NULL);
}

/* As a supervisor: PID 1 of a namespace, to whom orphans come, and no part of the load. */
static struct worker crowd_start(void)
{
        struct clone_args args = {
                .flags = CLONE_NEWPID | (geteuid() == 0 ? 0 : CLONE_NEWUSER),
                .exit_signal = SIGCHLD,
        };
        struct worker w = {.to = -1, .from = -1};
        int ready[2];
        char go;

        heartbeat = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        t_true(heartbeat != MAP_FAILED);
        t_ok(pipe2(ready, O_CLOEXEC));
        w.pid = sys_clone3(&args);
        if (w.pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)signal(SIGCHLD, SIG_IGN);
                for (int i = 0; i < 4; i++)
                        if (fork() == 0)
                                mother();
                if (fork() == 0)
                        headless();
                (void)!write(ready[1], "y", 1);
                for (;;)
                        (void)pause();
        }
        t_ok(w.pid);
        t_true(read(ready[0], &go, 1) == 1);
        (void)close(ready[0]);
        (void)close(ready[1]);
        return w;
}

static bool beats(void)
{
        uint64_t before = *heartbeat;

        for (int i = 0; i < 50 && *heartbeat == before; i++)
                (void)poll(NULL, 0, 2);
        return *heartbeat != before;
}

static int gather_all(struct cgroup *cg, pid_t above)
{
        int r, rounds = 0;

        do
                r = cgroup_gather(cg, above, 50, NULL, NULL);
        while (r == -EAGAIN && ++rounds < 400);
        return r;
}

static int freeze_a_crowd(void)
{
        struct cgroup cg;
        struct worker w;
        bool frozen;
        int r;

        cgroup_init(&cg);
        r = cgroup_want_freezer(&cg, id(), NULL);
        WANT(r != -EOPNOTSUPP && r != -EACCES);
        NEED(r == 0);
        w = crowd_start();
        NEED(beats());
        NEED(cgroup_set_frozen(&cg, NULL) == 0);
        NEED(gather_all(&cg, w.pid) == 0);
        NEED(cgroup_freeze(&cg, WAIT_MS, NULL) == 0);
        NEED(cgroup_is_frozen(&cg, &frozen) == 0 && frozen);
        NEED(!beats()); /* nobody is outside */
        NEED(cgroup_thaw(&cg, NULL) == 0);
        NEED(beats());
        NEED(cgroup_freeze(&cg, WAIT_MS, NULL) == 0);
        /* As when a shim dies: what a v1 freezer holds dies once it is let go. */
        NEED(kill(w.pid, SIGKILL) == 0);
        NEED(cgroup_kill(&cg, WAIT_MS, NULL) == 0);
        NEED(worker_end(&w) == SIGKILL);
        NEED(!beats());
        NEED(cgroup_remove(&cg, NULL) == 0);
        NEED(!anything_left());
        return 0;
}

TEST(a_crowd_that_forks_is_frozen_to_the_last)
{
        t_child(freeze_a_crowd);
}

static int freeze_a_crowd_by_v1(void)
{
        WANT(geteuid() == 0 && host().v1_controllers & (1U << CGROUP_FREEZER));
        WANT(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        WANT(mount("tmpfs", "/sys/fs/cgroup/unified", "tmpfs", 0, NULL) == 0);
        return freeze_a_crowd();
}

TEST(a_crowd_that_forks_is_frozen_by_v1_alone)
{
        t_child(freeze_a_crowd_by_v1);
}

TEST(limits_come_to_what_runs_already)
{
        struct cgroup_limits limits = {.pids_max = 10};
        const uint32_t all = 1U << CGROUP_MEMORY | 1U << CGROUP_CPU | 1U << CGROUP_PIDS;
        struct coffer_error err;
        struct worker top, w;
        struct cgroup cg;
        int r;

        cgroup_init(&cg);
        top = worker_start(-EBADF);
        r = cgroup_change(&cg, id(), &limits, 1U << CGROUP_PIDS, &err);
        if (r == -EOPNOTSUPP) {
                t_has("--pids-limit", err.msg);
                t_false(anything_left() && cg.mode == CGROUP_NONE);
                (void)cgroup_remove(&cg, NULL);
                (void)worker_end(&top);
                t_skip("no pids controller can be used here");
        }
        t_ok(r);
        /* The test itself is the supervisor: its workers are the load. */
        w = worker_start(-EBADF);
        t_ok(gather_all(&cg, getpid()));
        t_int(8, worker_do(&w, 'f')); /* and the two workers */
        limits = (struct cgroup_limits){.pids_max = 20, .memory_bytes = 64 * MIB, .cpu_milli = 500};
        t_ok(cgroup_change(&cg, box_id, &limits, all, &err));
        t_ok(gather_all(&cg, getpid()));
        t_int(10, worker_do(&w, 'f'));
        /* Up and down, and away. */
        for (uint64_t mib = 32; mib <= 256; mib *= 8) {
                limits.memory_bytes = mib * MIB;
                t_ok(cgroup_change(&cg, box_id, &limits, 1U << CGROUP_MEMORY, &err));
        }
        limits = (struct cgroup_limits){0};
        t_ok(cgroup_change(&cg, box_id, &limits, all, &err));
        t_int(50, worker_do(&w, 'f'));
        t_ok(cgroup_kill(&cg, WAIT_MS, NULL));
        t_int(SIGKILL, WTERMSIG(worker_end(&w)));
        t_int(SIGKILL, WTERMSIG(worker_end(&top)));
        remove_and_check(&cg);
}
