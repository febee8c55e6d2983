/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A box's processes and what they use, without asking its shim.  Pids are read, none is acted on:
 * that a number means ours is proven by descent, main < supervisor < the shim of the record.
 */

#include <coffer/stats.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sys.h"
#include "lib/pack.h"
#include "lib/view.h"
#include "sandbox/cgroup.h"
#include "sandbox/procs.h"
#include "store/identity.h"

#define NS_PER_SEC       UINT64_C(1000000000)
#define COMMAND_MAX      4096 /* bytes shown of a command line */
#define STATUS_BYTES_MAX 8192

/**
 * struct crew - who is in a box
 * @main:       its main process
 * @supervisor: its parent
 * @stem:       the supervisor's helper, which is no process of the box; 0: not found
 * @procs:      everybody below the supervisor; owned
 */
struct crew {
        pid_t main;
        pid_t supervisor;
        pid_t stem;
        struct procs procs;
};

static void crew_release(struct crew *c)
{
        procs_release(&c->procs);
}

static int not_running(const struct coffer_box *box, struct coffer_error *err)
{
        (void)error_say(err, -ESRCH, COFFER_ERROR_STATE, "box %s is not running", box->id);
        error_hint(err, "`coffer start %s` starts it", box->id);
        return -ESRCH;
}

/* The record's numbers, if they are ours to read and prove to be what it says. */
static int find_supervisor(const struct coffer_box *box, const struct view *v, struct crew *c,
                           struct coffer_error *err)
{
        struct proc_entry main, supervisor;
        uint64_t pid_ns = 0;

        if (!v->held || v->record.pid == 0 || v->identity.pid == 0)
                return not_running(box, err);
        if (pid_ns_read(&pid_ns) < 0 || pid_ns != v->identity.pid_ns)
                return error_say(err, -EOPNOTSUPP, COFFER_ERROR_HOST,
                                 "box %s runs in another PID namespace: its processes cannot be "
                                 "told from here",
                                 box->id);
        if (procs_read_stat((pid_t)v->record.pid, &main) < 0 ||
            procs_read_stat(main.ppid, &supervisor) < 0 ||
            supervisor.ppid != (pid_t)v->identity.pid)
                return not_running(box, err);
        c->main = main.pid;
        c->supervisor = supervisor.pid;
        return 0;
}

static int find_crew(struct coffer_box *box, struct crew *ret_crew, struct coffer_error *err)
{
        cleanup_with(view_release) struct view v = {.held = false};
        struct crew c = {.stem = 0};
        int depth;
        int r = view_read(box->runtime, NULL, box->id, box->dir_fd, &v, err);

        if (r == -ENOENT)
                return error_say(err, r, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed", box->id);
        if (r == 0)
                r = find_supervisor(box, &v, &c, err);
        if (r < 0)
                return r;
        r = procs_below(c.supervisor, &c.procs);
        if (r < 0)
                return error_set(err, r, "look at the processes of box %s", box->id);
        /* All of the supervisor's children are in a namespace below its own, but for the stem. */
        depth = procs_depth(c.supervisor);
        for (size_t i = 0; i < c.procs.count; i++) {
                const struct proc_entry *e = &c.procs.items[i];

                if (e->ppid == c.supervisor && procs_depth(e->pid) == depth)
                        c.stem = e->pid;
        }
        *ret_crew = c;
        return 0;
}

/* ---------------------------------------------------------------------------- one process */

/* proc(5), /proc/PID/stat; the fields from the third on. */
enum {
        STAT_PPID = 4,
        STAT_PGRP = 5,
        STAT_SESSION = 6,
        STAT_TTY = 7,
        STAT_UTIME = 14,
        STAT_STIME = 15,
        STAT_CUTIME = 16,
        STAT_CSTIME = 17,
        STAT_NICE = 19,
        STAT_THREADS = 20,
        STAT_START = 22,
        STAT_VSIZE = 23,
        STAT_RSS = 24,
        STAT_COUNT
};

struct stat_line {
        char name[64];
        char state;
        int64_t fields[STAT_COUNT];
};

static int read_proc(pid_t pid, const char *name, struct buf *text)
{
        char path[48];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        r = buf_read_file(text, AT_FDCWD, path);
        return r == -ENOENT ? -ESRCH : r;
}

static int read_stat(pid_t pid, struct stat_line *to)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(4096);
        struct stat_line s = {.state = '?'};
        char *open, *close, *at;
        int r = read_proc(pid, "stat", &text);

        if (r < 0)
                return r;
        open = text.data ? strchr(text.data, '(') : NULL;
        close = text.data ? strrchr(text.data, ')') : NULL;
        if (!open || !close || close < open || close[1] != ' ')
                return -EBADMSG;
        *close = '\0';
        (void)snprintf(s.name, sizeof(s.name), "%s", open + 1);
        s.state = close[2];
        at = close + 3;
        for (int field = 4; field < STAT_COUNT; field++)
                s.fields[field] = strtoll(at, &at, 10);
        *to = s;
        return 0;
}

static uint64_t ticks_ns(int64_t ticks)
{
        return (uint64_t)ticks * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* "Name:  12 kB": the number behind the first word of a line. */
static bool find_number(const struct buf *text, const char *line_start, unsigned nth,
                        uint64_t *ret_value)
{
        const char *line = text->data ? strstr(text->data, line_start) : NULL;
        char *at;

        if (!line)
                return false;
        at = (char *)(uintptr_t)line + strlen(line_start);
        for (; nth > 0; nth--)
                *ret_value = strtoull(at, &at, 10);
        return true;
}

/* ---------------------------------------------------------------------------------- tasks */

static void read_command(pid_t pid, const char *name, char to[COMMAND_MAX])
{
        char path[48];
        cleanup_close int fd = -EBADF;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        fd = sys_open(AT_FDCWD, path, O_RDONLY);
        n = fd < 0 ? fd : sys_read_full(fd, to, COMMAND_MAX - 1);
        while (n > 0 && to[n - 1] == '\0')
                n--;
        for (ssize_t i = 0; i < n; i++)
                if (to[i] == '\0')
                        to[i] = ' ';
        if (n > 0)
                to[n] = '\0';
        else
                (void)snprintf(to, COMMAND_MAX, "[%s]", name);
}

static uint64_t boot_ns(void)
{
        struct timespec now, up;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)clock_gettime(CLOCK_BOOTTIME, &up);
        return (uint64_t)(now.tv_sec - up.tv_sec) * NS_PER_SEC +
               (uint64_t)(now.tv_nsec - up.tv_nsec);
}

struct task {
        struct coffer_task task;
        char name[64];
        char command[COMMAND_MAX];
};

static int read_task(pid_t pid, struct task *to)
{
        cleanup_with(buf_release) struct buf status = BUF_INIT(STATUS_BYTES_MAX);
        struct stat_line s;
        uint64_t uid = 0;
        int r = read_stat(pid, &s);

        if (r == 0)
                r = read_proc(pid, "status", &status);
        if (r < 0)
                return r;
        (void)find_number(&status, "\nUid:", 2, &uid);
        to->task = (struct coffer_task){
                .pid = pid,
                .ppid = (pid_t)s.fields[STAT_PPID],
                .pgid = (pid_t)s.fields[STAT_PGRP],
                .sid = (pid_t)s.fields[STAT_SESSION],
                .uid = (uid_t)uid,
                .threads = (uint32_t)s.fields[STAT_THREADS],
                .nice = (int32_t)s.fields[STAT_NICE],
                .tty = (uint32_t)s.fields[STAT_TTY],
                .state = s.state,
                .cpu_ns = ticks_ns(s.fields[STAT_UTIME] + s.fields[STAT_STIME]),
                .started_ns = boot_ns() + ticks_ns(s.fields[STAT_START]),
                .vsize = (uint64_t)s.fields[STAT_VSIZE],
                .rss = (uint64_t)s.fields[STAT_RSS] * (uint64_t)sysconf(_SC_PAGESIZE),
        };
        (void)str_copy(to->name, sizeof(to->name), s.name);
        read_command(pid, s.name, to->command);
        return 0;
}

static struct coffer_task **pack_tasks(struct pack *p, const struct task *tasks, size_t count)
{
        struct coffer_task **list = pack_space(p, (count + 1) * sizeof(*list));

        for (size_t i = 0; i < count; i++) {
                struct coffer_task *at = pack_space(p, sizeof(*at));
                const char *name = pack_str(p, tasks[i].name);
                const char *command = pack_str(p, tasks[i].command);

                if (!at)
                        continue;
                *at = tasks[i].task;
                at->name = name;
                at->command = command;
                list[i] = at;
        }
        if (list)
                list[count] = NULL;
        return list;
}

int coffer_box_tasks(struct coffer_box *box, struct coffer_task ***ret_tasks, size_t *ret_count,
                     struct coffer_error *err)
{
        cleanup_with(crew_release) struct crew c = {.stem = 0};
        cleanup_free struct task *tasks = NULL;
        struct pack p = {.base = NULL};
        size_t count = 0;
        int r;

        REQUIRE(box && ret_tasks, err);
        r = find_crew(box, &c, err);
        if (r < 0)
                return r;
        tasks = calloc(c.procs.count + 1, sizeof(*tasks));
        for (size_t i = 0; tasks && i < c.procs.count; i++)
                if (c.procs.items[i].pid != c.stem &&
                    read_task(c.procs.items[i].pid, &tasks[count]) == 0)
                        count++; /* else it has ended */
        if (tasks) {
                (void)pack_tasks(&p, tasks, count);
                p.base = malloc(p.used);
                p.used = 0;
        }
        if (!p.base)
                return error_set(err, -ENOMEM, "look at the processes of box %s", box->id);
        *ret_tasks = pack_tasks(&p, tasks, count);
        if (ret_count)
                *ret_count = count;
        return 0;
}

/* ---------------------------------------------------------------------------------- stats */

static void add_known(uint64_t *sum, uint64_t value)
{
        if (*sum != COFFER_UNKNOWN)
                *sum += value;
}

/* Its share of what it shares with others; where that may not be read, all that is in memory. */
static uint64_t memory_of(pid_t pid, const struct stat_line *s)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(4096);
        uint64_t kib;

        if (read_proc(pid, "smaps_rollup", &text) == 0 && find_number(&text, "\nPss:", 1, &kib))
                return kib * 1024;
        return (uint64_t)s->fields[STAT_RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_storage(pid_t pid, struct coffer_stats *to)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(4096);
        uint64_t bytes = 0;
        int r = read_proc(pid, "io", &text);

        if (r == -ESRCH)
                return;
        if (r < 0 || !find_number(&text, "\nread_bytes:", 1, &bytes)) {
                to->read_bytes = to->write_bytes = COFFER_UNKNOWN;
                return;
        }
        add_known(&to->read_bytes, bytes);
        if (find_number(&text, "\nwrite_bytes:", 1, &bytes))
                add_known(&to->write_bytes, bytes);
}

/* With the children that it has waited for: so nothing is lost when one ends. */
static void add_process(pid_t pid, bool of_box, struct coffer_stats *to)
{
        struct stat_line s;

        if (read_stat(pid, &s) < 0)
                return;
        to->cpu_ns += ticks_ns(s.fields[STAT_UTIME] + s.fields[STAT_STIME] + s.fields[STAT_CUTIME] +
                               s.fields[STAT_CSTIME]);
        add_storage(pid, to);
        if (!of_box)
                return;
        to->memory_bytes += memory_of(pid, &s);
        to->pids += (uint64_t)s.fields[STAT_THREADS];
}

/* The interfaces of main's network namespace, but for loopback; a table with two lines of heads. */
static void read_net(pid_t main, struct coffer_stats *to)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(1024 * 1024);
        char *line, *rest;

        if (read_proc(main, "net/dev", &text) < 0 || !text.data)
                return;
        to->net_rx_bytes = to->net_tx_bytes = 0;
        for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                unsigned long long rx, tx;
                char name[32];

                if (sscanf(line, " %31[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &rx,
                           &tx) != 3 ||
                    str_eq(name, "lo"))
                        continue;
                to->net_rx_bytes += rx;
                to->net_tx_bytes += tx;
        }
}

/* What the box's cgroup counts is better than a sum. */
static void read_cgroup(struct coffer_box *box, struct coffer_stats *to)
{
        struct cgroup_stats stats;
        struct cgroup cg;
        uint32_t source;
        const struct spec *spec;

        if (cgroup_open(box->id, &cg, NULL) < 0)
                return;
        source = cg.mode == CGROUP_V1 ? COFFER_SOURCE_CGROUP_V1 : COFFER_SOURCE_CGROUP_V2;
        if (cg.mode == CGROUP_NONE || cgroup_read_stats(&cg, &stats) < 0) {
                cgroup_release(&cg);
                return;
        }
        if (stats.cpu_usec != CGROUP_UNLIMITED) {
                to->cpu_ns = stats.cpu_usec * 1000;
                to->sources = source;
        }
        if (stats.memory_bytes != CGROUP_UNLIMITED) {
                uint64_t cached = stats.memory_cached_bytes;
                uint64_t counted = cached < stats.memory_bytes ? stats.memory_bytes - cached
                                                               : stats.memory_bytes;

                /* One that came while the box ran counts only what came after it. */
                if (counted < to->memory_bytes)
                        to->sources |= COFFER_SOURCE_PROC;
                else
                        to->memory_bytes = counted;
                if (box_spec(box, &spec, NULL) == 0 && spec->memory_bytes > 0)
                        to->memory_limit = spec->memory_bytes;
                to->sources |= source;
        }
        if (stats.cpu_usec == CGROUP_UNLIMITED || stats.memory_bytes == CGROUP_UNLIMITED)
                to->sources |= COFFER_SOURCE_PROC;
        cgroup_release(&cg);
}

static uint64_t host_memory(void)
{
        struct sysinfo info;

        return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : COFFER_UNKNOWN;
}

static uint64_t monotonic_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* What `update` has changed counts; a handle that is kept may be older. */
static void recall_limits(struct coffer_box *box)
{
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        const struct spec *spec;

        if (box_spec(box, &spec, NULL) == 0 && meta_read(box->dir_fd, &meta, NULL) == 0)
                (void)box_apply_updates(box, &meta.updates, NULL);
}

int coffer_box_stats(struct coffer_box *box, struct coffer_stats **ret_stats,
                     struct coffer_error *err)
{
        cleanup_with(crew_release) struct crew c = {.stem = 0};
        struct coffer_stats *to;
        int r;

        REQUIRE(box && ret_stats, err);
        r = find_crew(box, &c, err);
        if (r < 0)
                return r;
        to = malloc(sizeof(*to));
        if (!to)
                return error_set(err, -ENOMEM, "look at box %s", box->id);
        *to = (struct coffer_stats){
                .time_ns = monotonic_ns(),
                .memory_limit = host_memory(),
                .net_rx_bytes = COFFER_UNKNOWN,
                .net_tx_bytes = COFFER_UNKNOWN,
                .sources = COFFER_SOURCE_PROC,
        };
        add_process(c.supervisor, false, to);
        for (size_t i = 0; i < c.procs.count; i++)
                add_process(c.procs.items[i].pid, c.procs.items[i].pid != c.stem, to);
        read_net(c.main, to);
        recall_limits(box);
        read_cgroup(box, to);
        *ret_stats = to;
        return 0;
}
