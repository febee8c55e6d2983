/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Killing, freezing and asking a box's control groups.  v2 says when a box is empty or frozen
 * (cgroup.events can be polled); v1 has to be asked again, except that its dying processes can be
 * waited for by pidfd.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "sandbox/cgroup-host.h"
#include "sandbox/cgroup.h"

#define PROCS_MAX_BYTES (4U << 20)
#define V1_ASK_MS       1

static uint64_t now_ms(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int left_ms(uint64_t deadline_ms)
{
        uint64_t now = now_ms();

        return now >= deadline_ms ? 0 : (int)(deadline_ms - now);
}

/* Until cgroup.events of a directory says "key value". */
static int wait_event(int dir_fd, const char *key, uint64_t value, uint64_t deadline_ms)
{
        cleanup_close int fd = sys_open(dir_fd, "cgroup.events", O_RDONLY);
        struct pollfd wait = {.fd = fd, .events = POLLPRI};

        if (fd < 0)
                return fd;
        for (;;) {
                char text[256];
                uint64_t found;
                int left, r;
                ssize_t n = pread(fd, text, sizeof(text) - 1, 0); /* reading arms the poll */

                if (n < 0)
                        return -errno;
                text[n] = '\0';
                r = cgroup_find_key(text, key, &found);
                if (r < 0)
                        return r;
                if (found == value)
                        return 0;
                left = left_ms(deadline_ms);
                if (left == 0)
                        return -ETIMEDOUT;
                if (poll(&wait, 1, left) < 0 && errno != EINTR)
                        return -errno;
        }
}

static bool is_member(const struct cgroup *cg, pid_t pid)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(65536);
        char path[64];
        const char *at;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        if (buf_read_file(&text, AT_FDCWD, path) < 0 || !text.data)
                return false;
        for (at = strstr(text.data, cg->name); at; at = strstr(at + 1, cg->name)) {
                char after = at[strlen(cg->name)];

                if (at > text.data && at[-1] == '/' && (after == '\n' || after == '/'))
                        return true;
        }
        return false;
}

/* The pidfd first, then the question: so a number that was given to another never counts. */
static int kill_member(const struct cgroup *cg, pid_t pid, int *ret_pidfd)
{
        cleanup_close int pidfd = sys_pidfd_open(pid);
        int r;

        if (pidfd < 0)
                return pidfd == -ESRCH ? 0 : pidfd;
        if (!is_member(cg, pid))
                return 0;
        r = sys_pidfd_send_signal(pidfd, SIGKILL);
        if (r < 0)
                return r == -ESRCH ? 0 : r;
        if (*ret_pidfd < 0)
                *ret_pidfd = take_fd(&pidfd);
        return 0;
}

/*
 * SIGKILL for each process listed, and how many there are; *ret_pidfd becomes one that is dying,
 * -EBADF when there is none to wait for.
 */
static int kill_listed(const struct cgroup *cg, int dir_fd, int *ret_pidfd)
{
        int count = 0;
        cleanup_with(buf_release) struct buf list = BUF_INIT(PROCS_MAX_BYTES);
        cleanup_close int pidfd = -EBADF;
        char *line, *rest;
        int r = buf_read_file(&list, dir_fd, "cgroup.procs");

        if (r < 0)
                return r == -ENODEV ? 0 : r; /* the directory is gone */
        for (line = strtok_r(list.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                uint64_t pid;

                if (str_to_u64(line, INT32_MAX, &pid) < 0 || pid == 0) /* 0: not in our namespace */
                        continue;
                r = kill_member(cg, (pid_t)pid, &pidfd);
                if (r < 0)
                        return r;
                count++;
        }
        *ret_pidfd = take_fd(&pidfd);
        return count;
}

/*
 * Again and again, since a process may fork while the list is read.  One that is listed and yet no
 * member is on its way out: v1 says "/" of it before it leaves the list.
 */
static int kill_dir(const struct cgroup *cg, int dir_fd, uint64_t deadline_ms)
{
        for (;;) {
                cleanup_close int pidfd = -EBADF;
                struct pollfd wait = {.events = POLLIN};
                int left, r;

                r = kill_listed(cg, dir_fd, &pidfd);
                if (r <= 0)
                        return r;
                (void)cgroup_write(dir_fd, "freezer.state", "THAWED"); /* v1: frozen, none dies */
                left = left_ms(deadline_ms);
                wait.fd = pidfd; /* without one nothing tells */
                if (left == 0)
                        return -ETIMEDOUT;
                if (poll(&wait, 1, pidfd < 0 ? V1_ASK_MS : left) < 0 && errno != EINTR)
                        return -errno;
        }
}

static int kill_v2(const struct cgroup *cg, uint64_t deadline_ms)
{
        int r = cgroup_write(cg->box_fd, "cgroup.kill", "1"); /* 5.14 */

        if (r == -ENOENT) {
                r = 0;
                for (size_t leaf = 0; leaf < CGROUP_LEAF_COUNT && r == 0; leaf++)
                        if (cg->leaf_fd[leaf] >= 0)
                                r = kill_dir(cg, cg->leaf_fd[leaf], deadline_ms);
        }
        return r < 0 ? r : wait_event(cg->box_fd, "populated", 0, deadline_ms);
}

int cgroup_kill(struct cgroup *cg, unsigned timeout_ms, struct coffer_error *err)
{
        uint64_t deadline_ms = now_ms() + timeout_ms;
        int r = 0;

        if (cg->mode == CGROUP_NONE)
                return 0;

        /* A frozen v1 process takes no signal; it dies as soon as it is let go. */
        if (cg->v1_fd[CGROUP_FREEZER] >= 0) {
                r = kill_dir(cg, cg->v1_fd[CGROUP_FREEZER], deadline_ms);
                /* A process whose first thread ended before it was moved in is in no list. */
                (void)cgroup_write(cg->v1_fd[CGROUP_FREEZER], "freezer.state", "THAWED");
        }
        if (r == 0 && cg->box_fd >= 0)
                r = kill_v2(cg, deadline_ms);
        for (size_t c = 0; c < CGROUP_CONTROLLER_COUNT && r == 0; c++)
                if (cg->v1_fd[c] >= 0)
                        r = kill_dir(cg, cg->v1_fd[c], deadline_ms);

        return r < 0 ? error_set(err, r, "kill what is left in the cgroup %s", cg->name) : 0;
}

static int freeze_v1(int dir_fd, uint64_t deadline_ms)
{
        int r = cgroup_write(dir_fd, "freezer.state", "FROZEN");

        while (r == 0) {
                char state[16];

                r = cgroup_read(dir_fd, "freezer.state", state,
                                sizeof(state)); /* goes on with it */
                if (r < 0 || str_eq(state, "FROZEN"))
                        return r;
                if (left_ms(deadline_ms) == 0)
                        return -ETIMEDOUT;
                (void)poll(NULL, 0, V1_ASK_MS); /* nothing tells */
        }
        return r;
}

int cgroup_refuse_freeze(struct coffer_error *err)
{
        (void)error_say(err, -EOPNOTSUPP, COFFER_ERROR_HOST,
                        "cgroup: nothing here can freeze this box");
        error_hint(err, "boxes of root can be paused, and those of a user that were started by "
                        "systemd-run --user --scope");
        return -EOPNOTSUPP;
}

int cgroup_set_frozen(struct cgroup *cg, struct coffer_error *err)
{
        int r;

        if (cg->mode != CGROUP_NONE && cg->leaf_fd[CGROUP_LOAD] >= 0)
                r = cgroup_write(cg->leaf_fd[CGROUP_LOAD], "cgroup.freeze", "1");
        else if (cg->mode != CGROUP_NONE && cg->v1_fd[CGROUP_FREEZER] >= 0)
                r = cgroup_write(cg->v1_fd[CGROUP_FREEZER], "freezer.state", "FROZEN");
        else
                return cgroup_refuse_freeze(err);
        return r < 0 ? error_set(err, r, "freeze the cgroup %s", cg->name) : 0;
}

int cgroup_freeze(struct cgroup *cg, unsigned timeout_ms, struct coffer_error *err)
{
        uint64_t deadline_ms = now_ms() + timeout_ms;
        int load_fd = cg->leaf_fd[CGROUP_LOAD];
        int r;

        if (cg->mode != CGROUP_NONE && load_fd >= 0) {
                r = cgroup_write(load_fd, "cgroup.freeze", "1");
                if (r == 0)
                        r = wait_event(load_fd, "frozen", 1, deadline_ms);
        } else if (cg->mode != CGROUP_NONE && cg->v1_fd[CGROUP_FREEZER] >= 0) {
                r = freeze_v1(cg->v1_fd[CGROUP_FREEZER], deadline_ms);
        } else {
                return cgroup_refuse_freeze(err);
        }
        if (r < 0) {
                (void)error_set(err, r, "freeze the cgroup %s", cg->name);
                (void)cgroup_thaw(cg, NULL);
        }
        return r;
}

int cgroup_thaw(struct cgroup *cg, struct coffer_error *err)
{
        int r = 0;

        if (cg->mode == CGROUP_NONE)
                return 0;
        /* All that is ours: somebody else may have frozen more than load/. */
        if (cg->box_fd >= 0)
                r = cgroup_write(cg->box_fd, "cgroup.freeze", "0");
        for (size_t leaf = 0; leaf < CGROUP_LEAF_COUNT && r == 0; leaf++)
                if (cg->leaf_fd[leaf] >= 0)
                        r = cgroup_write(cg->leaf_fd[leaf], "cgroup.freeze", "0");
        if (r == 0 && cg->v1_fd[CGROUP_FREEZER] >= 0)
                r = cgroup_write(cg->v1_fd[CGROUP_FREEZER], "freezer.state", "THAWED");
        return r < 0 ? error_set(err, r, "thaw the cgroup %s", cg->name) : 0;
}

int cgroup_is_frozen(const struct cgroup *cg, bool *ret_frozen)
{
        bool frozen = false;
        char state[16];
        uint64_t value;
        int r;

        if (cg->mode != CGROUP_NONE && cg->leaf_fd[CGROUP_LOAD] >= 0) {
                r = cgroup_read_number(cg->leaf_fd[CGROUP_LOAD], "cgroup.freeze", NULL, &value);
                if (r < 0)
                        return r;
                frozen = value != 0;
                /* Or a directory above is, by somebody else's hand. */
                r = frozen ? 0
                           : cgroup_read_number(cg->leaf_fd[CGROUP_LOAD], "cgroup.events", "frozen",
                                                &value);
                if (r < 0)
                        return r;
                frozen |= value != 0;
        }
        if (cg->mode != CGROUP_NONE && cg->v1_fd[CGROUP_FREEZER] >= 0) {
                r = cgroup_read(cg->v1_fd[CGROUP_FREEZER], "freezer.state", state, sizeof(state));
                if (r < 0)
                        return r;
                frozen |= !str_eq(state, "THAWED");
        }
        *ret_frozen = frozen;
        return 0;
}

int cgroup_is_empty(const struct cgroup *cg, bool *ret_empty)
{
        bool empty = true;
        char list[16];
        uint64_t value;
        int r;

        if (cg->mode != CGROUP_NONE && cg->box_fd >= 0) {
                r = cgroup_read_number(cg->box_fd, "cgroup.events", "populated", &value);
                if (r < 0)
                        return r;
                empty = value == 0;
        }
        for (size_t c = 0; c < CGROUP_CONTROLLER_COUNT && cg->mode != CGROUP_NONE; c++) {
                if (cg->v1_fd[c] < 0)
                        continue;
                r = cgroup_read(cg->v1_fd[c], "cgroup.procs", list, sizeof(list));
                if (r < 0)
                        return r;
                empty &= list[0] == '\0';
        }
        *ret_empty = empty;
        return 0;
}

int cgroup_oom_killed(const struct cgroup *cg, bool *ret_killed)
{
        uint64_t count = 0;
        int r = 0;

        if (cg->mode == CGROUP_NONE)
                r = 0;
        else if (cg->v1_fd[CGROUP_MEMORY] >= 0)
                r = cgroup_read_number(cg->v1_fd[CGROUP_MEMORY], "memory.oom_control", "oom_kill",
                                       &count);
        else if (cg->leaf_fd[CGROUP_LOAD] >= 0)
                r = cgroup_read_number(cg->leaf_fd[CGROUP_LOAD], "memory.events", "oom_kill",
                                       &count);
        if (r < 0 && r != -ENOENT && r != -ENODATA)
                return r;
        *ret_killed = count > 0;
        return 0;
}

static const struct {
        enum cgroup_controller v1; /* CGROUP_CONTROLLER_COUNT: v2's load/ */
        const char *file;
        const char *key;
        uint64_t divisor;
        size_t field;
} stat_rows[] = {
        {CGROUP_CONTROLLER_COUNT, "memory.stat",               "inactive_file",       1,
         offsetof(struct cgroup_stats,                                                                                    memory_cached_bytes)  },
        {CGROUP_MEMORY,           "memory.stat",               "total_inactive_file", 1,
         offsetof(struct cgroup_stats,                                                                                    memory_cached_bytes)  },
        {CGROUP_CONTROLLER_COUNT, "memory.current",            NULL,                  1,
         offsetof(struct cgroup_stats,                                                                                    memory_bytes)         },
        {CGROUP_CONTROLLER_COUNT, "memory.peak",               NULL,                  1,
         offsetof(struct cgroup_stats,                                                                                    memory_peak_bytes)    },
        {CGROUP_CONTROLLER_COUNT, "cpu.stat",                  "usage_usec",          1,
         offsetof(struct cgroup_stats,                                                                                    cpu_usec)             },
        {CGROUP_CONTROLLER_COUNT, "cpu.stat",                  "nr_throttled",        1,
         offsetof(struct cgroup_stats,                                                                                    cpu_throttled_periods)},
        {CGROUP_CONTROLLER_COUNT, "pids.current",              NULL,                  1,    offsetof(struct cgroup_stats, pids)                 },
        {CGROUP_MEMORY,           "memory.usage_in_bytes",     NULL,                  1,
         offsetof(struct cgroup_stats,                                                                                    memory_bytes)         },
        {CGROUP_MEMORY,           "memory.max_usage_in_bytes", NULL,                  1,
         offsetof(struct cgroup_stats,                                                                                    memory_peak_bytes)    },
        {CGROUP_CPU,              "cpuacct.usage",             NULL,                  1000, offsetof(struct cgroup_stats, cpu_usec)             },
        {CGROUP_CPU,              "cpu.stat",                  "nr_throttled",        1,
         offsetof(struct cgroup_stats,                                                                                    cpu_throttled_periods)},
        {CGROUP_PIDS,             "pids.current",              NULL,                  1,    offsetof(struct cgroup_stats, pids)                 },
};

int cgroup_read_stats(const struct cgroup *cg, struct cgroup_stats *ret_stats)
{
        struct cgroup_stats stats = {
                .memory_bytes = CGROUP_UNLIMITED,
                .memory_peak_bytes = CGROUP_UNLIMITED,
                .memory_cached_bytes = CGROUP_UNLIMITED,
                .cpu_usec = CGROUP_UNLIMITED,
                .cpu_throttled_periods = CGROUP_UNLIMITED,
                .pids = CGROUP_UNLIMITED,
        };

        for (size_t i = 0; i < ELEMENTS(stat_rows) && cg->mode != CGROUP_NONE; i++) {
                int fd = stat_rows[i].v1 == CGROUP_CONTROLLER_COUNT ? cg->leaf_fd[CGROUP_LOAD]
                                                                    : cg->v1_fd[stat_rows[i].v1];
                void *field = (char *)&stats + stat_rows[i].field;
                uint64_t value;
                int r;

                if (fd < 0)
                        continue;
                r = cgroup_read_number(fd, stat_rows[i].file, stat_rows[i].key, &value);
                if (r == -ENOENT || r == -ENODATA)
                        continue;
                if (r < 0)
                        return r;
                *(uint64_t *)field = value / stat_rows[i].divisor;
        }
        *ret_stats = stats;
        return 0;
}
