/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Putting a box that runs into a cgroup, process by process, while it forks.  Whoever was moved has
 * its children inside; whoever was not is found by the next look at /proc.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
#include "sandbox/procs.h"

#define CLEAN_LOOKS    2
#define LIST_BYTES_MAX (1U << 20)

static uint64_t now_ms(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A line of /proc/PID/cgroup, "4:memory:/coffer-id" or "0::/…/coffer-id/load": where it leads. */
static bool line_is_in(const char *line, size_t size, const char *controller, const char *end)
{
        const char *list = memchr(line, ':', size);
        const char *path = list ? memchr(list + 1, ':', size - (size_t)(list + 1 - line)) : NULL;
        char words[128];
        size_t length = strlen(end), path_size;

        if (!path || (size_t)(path - list - 1) >= sizeof(words))
                return false;
        memcpy(words, list + 1, (size_t)(path - list - 1));
        words[path - list - 1] = '\0';
        for (char *s = words; *s; s++)
                if (*s == ',')
                        *s = ' ';
        if (*controller == '\0' ? words[0] != '\0' : !cgroup_has_word(words, controller))
                return false;
        path_size = size - (size_t)(path + 1 - line);
        return path_size >= length && memcmp(line + size - length, end, length) == 0;
}

static bool is_in(const char *text, const char *controller, const char *end)
{
        for (const char *line = text; *line;) {
                size_t size = strcspn(line, "\n");

                if (line_is_in(line, size, controller, end))
                        return true;
                line += size + (line[size] == '\n');
        }
        return false;
}

static bool is_dead(const struct proc_entry *e)
{
        return (e->state == 'Z' || e->state == 'X') && e->threads <= 1;
}

/* Of a process whose first thread has ended the others tell: that one stays where it was. */
static int read_membership(const struct proc_entry *e, struct buf *text)
{
        char path[64];
        DIR *dir;
        struct dirent *entry;
        int r = -ESRCH;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)e->pid);
        if (e->state != 'Z')
                return buf_read_file(text, AT_FDCWD, path);
        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)e->pid);
        dir = opendir(path);
        if (!dir)
                return -errno;
        while (r == -ESRCH && (entry = readdir(dir))) {
                uint64_t tid;

                if (str_to_u64(entry->d_name, INT32_MAX, &tid) < 0 || (pid_t)tid == e->pid)
                        continue;
                (void)snprintf(path, sizeof(path), "/proc/%d/task/%u/cgroup", (int)e->pid,
                               (unsigned)tid);
                r = buf_read_file(text, AT_FDCWD, path);
                if (r == -ENOENT)
                        r = -ESRCH;
        }
        (void)closedir(dir);
        return r;
}

static int move_to(int procs_fd, pid_t pid)
{
        char text[16];
        int r;

        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        r = sys_write_all(procs_fd, text, strlen(text));
        return r == -ESRCH ? 0 : r; /* it has ended */
}

static void end_of_path(const struct cgroup *cg, const char *leaf, char *to, size_t size)
{
        (void)snprintf(to, size, "/%s%s", cg->name, leaf);
}

/* 1 when it had to be moved, 0 when it is inside, or dead, or a negative errno. */
static int bring_in(struct cgroup *cg, const struct proc_entry *e)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(65536);
        char end[CGROUP_NAME_MAX + 8];
        int moved = 0;
        int r = is_dead(e) ? 0 : read_membership(e, &text);

        if (r == -ENOENT || r == -ESRCH || (r == 0 && !text.data))
                return 0;
        if (r < 0)
                return r;
        end_of_path(cg, "/load", end, sizeof(end));
        if (cg->box_fd >= 0 && !is_in(text.data, "", end)) {
                r = move_to(cg->procs_fd[CGROUP_LOAD], e->pid);
                moved = 1;
        }
        end_of_path(cg, "", end, sizeof(end));
        for (unsigned c = 0; c < CGROUP_CONTROLLER_COUNT && r == 0; c++) {
                enum cgroup_controller which = (enum cgroup_controller)c;

                if (cg->v1_fd[c] < 0 || is_in(text.data, cgroup_controller_name(which), end))
                        continue;
                r = move_to(cg->v1_procs_fd[c], e->pid);
                moved = 1;
        }
        return r < 0 ? r : moved;
}

/* Where v2 is all there is a box without limits was born in load/, its supervisor with it. */
static int take_out(struct cgroup *cg, pid_t supervisor, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(65536);
        char path[64], end[CGROUP_NAME_MAX + 8];

        if (cg->box_fd < 0)
                return 0;
        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)supervisor);
        end_of_path(cg, "/load", end, sizeof(end));
        if (buf_read_file(&text, AT_FDCWD, path) < 0 || !text.data || !is_in(text.data, "", end))
                return 0;
        return cgroup_place(cg, CGROUP_INIT, supervisor, err);
}

/* How many were outside; -EAGAIN when the time is over before all were asked. */
static int look(struct cgroup *cg, pid_t above, uint64_t deadline_ms)
{
        cleanup_with(procs_release) struct procs procs = {.items = NULL};
        int moved = 0;
        int r = procs_below(above, &procs);

        for (size_t i = 0; r == 0 && i < procs.count; i++) {
                r = bring_in(cg, &procs.items[i]);
                if (r > 0) {
                        moved++;
                        r = now_ms() >= deadline_ms ? -EAGAIN : 0;
                }
        }
        return r < 0 ? r : moved;
}

static void count_lines(int dir_fd, unsigned *count)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(LIST_BYTES_MAX);

        if (dir_fd < 0 || buf_read_file(&text, dir_fd, "cgroup.procs") < 0)
                return;
        for (size_t i = 0; i < text.size; i++)
                *count += text.data[i] == '\n';
}

/* Once for each directory that somebody is in. */
static unsigned count_inside(const struct cgroup *cg)
{
        unsigned count = 0;

        count_lines(cg->leaf_fd[CGROUP_LOAD], &count);
        for (size_t c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
                count_lines(cg->v1_fd[c], &count);
        return count;
}

int cgroup_gather(struct cgroup *cg, pid_t above, unsigned budget_ms, unsigned *ret_inside,
                  struct coffer_error *err)
{
        uint64_t deadline_ms = now_ms() + budget_ms;
        unsigned clean = 0;
        int r;

        if (cg->mode == CGROUP_NONE)
                return 0;
        r = take_out(cg, above, err);
        if (r < 0)
                return r;
        while (clean < CLEAN_LOOKS) {
                r = look(cg, above, deadline_ms);
                if (r < 0 && r != -EAGAIN)
                        return error_set(err, r, "put the box's processes into the cgroup %s",
                                         cg->name);
                if (r < 0 || (r > 0 && now_ms() >= deadline_ms)) {
                        if (ret_inside)
                                *ret_inside = count_inside(cg);
                        return -EAGAIN;
                }
                clean = r == 0 ? clean + 1 : 0;
        }
        return 0;
}
