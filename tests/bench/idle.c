/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle box keeps in memory: the PSS of its payload and of every helper process.
 *
 * The timer is the subreaper of all that it starts, so all the boxes' processes, detached ones
 * too, are its descendants: nothing has to be known about how a competitor builds its process tree.
 * After the last count the boxes stay until standard input ends, so that the caller can remove
 * them in the competitor's own way; what is left then is killed.
 */

#include "modes.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCS_MAX     32768
#define APPEAR_MAX_MS 60000 /* until a box's payload runs */
#define POLL_MS       5
#define STABLE_MS     300 /* nothing came or went for so long: the boxes are idle */

static const unsigned counts[] = {1, 10, 50};

struct proc {
        pid_t pid;
        pid_t parent;
        bool ours; /* a descendant of the timer */
        char comm[16];
};

/* Every process of the machine, by rising pid, as /proc lists them. */
struct procs {
        struct proc items[PROCS_MAX];
        unsigned count;
};

/* The name may hold blanks and parentheses: it ends at the last one. */
static bool parse_stat(const char *text, struct proc *p)
{
        const char *open = strchr(text, '('), *close = strrchr(text, ')');
        size_t size;

        if (!open || !close || close < open || sscanf(close, ") %*c %d", &p->parent) != 1)
                return false;
        size = (size_t)(close - open - 1);
        if (size >= sizeof(p->comm))
                return false;
        memcpy(p->comm, open + 1, size);
        p->comm[size] = '\0';
        return true;
}

static bool read_proc(int proc_fd, const char *name, struct proc *p)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(4096);
        char path[32];
        uint64_t pid;

        if (str_to_u64(name, INT32_MAX, &pid) < 0)
                return false;
        (void)snprintf(path, sizeof(path), "%d/stat", (int)pid);
        if (buf_read_file(&text, proc_fd, path) < 0 || !text.data)
                return false;
        *p = (struct proc){.pid = (pid_t)pid};
        return parse_stat(text.data, p);
}

static bool is_ours(const struct procs *all, pid_t pid)
{
        if (pid == getpid())
                return true;
        for (unsigned i = 0; i < all->count; i++)
                if (all->items[i].pid == pid)
                        return all->items[i].ours;
        return false;
}

/* A parent may have a higher pid than its child, so go round until nothing changes. */
static void mark_ours(struct procs *all)
{
        bool changed = true;

        while (changed) {
                changed = false;
                for (unsigned i = 0; i < all->count; i++) {
                        struct proc *p = &all->items[i];

                        if (!p->ours && is_ours(all, p->parent))
                                p->ours = changed = true;
                }
        }
}

static int read_procs(struct procs *all)
{
        DIR *dir = opendir("/proc");
        const struct dirent *entry;

        if (!dir)
                return -errno;
        all->count = 0;
        while ((entry = readdir(dir)) && all->count < PROCS_MAX)
                all->count += read_proc(dirfd(dir), entry->d_name, &all->items[all->count]);
        (void)closedir(dir);
        mark_ours(all);
        return 0;
}

static unsigned count_ours(const struct procs *all, const char *comm)
{
        unsigned found = 0;

        for (unsigned i = 0; i < all->count; i++)
                found += all->items[i].ours && (!comm || str_eq(all->items[i].comm, comm));
        return found;
}

/* One that has just ended has no map and counts nothing; one that we may not read is an error. */
static int read_pss(pid_t pid, uint64_t *kib)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(8192);
        unsigned long value;
        const char *line;
        char path[64];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
        r = buf_read_file(&text, AT_FDCWD, path);
        if (r == -ESRCH || r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        line = text.data ? strstr(text.data, "\nPss:") : NULL;
        if (line && sscanf(line, " Pss: %lu", &value) == 1)
                *kib += value;
        return 0;
}

static int sum_pss(const struct procs *all, uint64_t *ret_kib)
{
        uint64_t kib = 0;
        int r;

        for (unsigned i = 0; i < all->count; i++) {
                if (!all->items[i].ours)
                        continue;
                r = read_pss(all->items[i].pid, &kib);
                if (r < 0)
                        return r;
        }
        *ret_kib = kib;
        return 0;
}

/* Starts one box more and waits until its payload runs; the command itself may end or stay. */
static int add_box(const struct plan *plan, struct row *row, struct procs *all, unsigned wanted)
{
        static const int no_stdio[2] = {-1, -1};
        double begin, deadline = now_ms() + APPEAR_MAX_MS;
        struct started run;
        int status = 0, r;

        r = row_start(row, no_stdio, &begin, &run);
        if (r < 0)
                return r;
        close_fd(&run.pidfd);
        for (;;) {
                r = read_procs(all);
                if (r < 0 || count_ours(all, plan->payload) >= wanted)
                        return r;
                if (waitpid(run.pid, &status, WNOHANG) == run.pid && status != 0)
                        return -ECHILD;
                if (now_ms() > deadline)
                        return -ETIMEDOUT;
                rest(POLL_MS);
        }
}

/* Waits until starters and helpers that only work at the start have gone, then measures. */
static int report(struct row *row, struct procs *all, unsigned boxes)
{
        double deadline = now_ms() + APPEAR_MAX_MS;
        unsigned before;
        uint64_t kib;
        int r;

        do {
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
                r = read_procs(all);
                if (r < 0)
                        return r;
                before = count_ours(all, NULL);
                rest(STABLE_MS);
                r = read_procs(all);
                if (r < 0)
                        return r;
        } while (count_ours(all, NULL) != before && now_ms() < deadline);
        r = sum_pss(all, &kib);
        if (r < 0)
                return r;
        print_row(row);
        (void)printf(", \"boxes\": %u, \"processes\": %.2f, \"pss_kib\": %.1f}\n", boxes,
                     (double)count_ours(all, NULL) / boxes, (double)kib / boxes);
        (void)fflush(stdout);
        return 0;
}

/*
 * Only our own children are killed: until we reap one, its pid cannot come to mean another
 * process.  Theirs become ours when they die.
 */
static void kill_all(struct procs *all)
{
        unsigned killed;

        do {
                killed = 0;
                if (read_procs(all) < 0)
                        return;
                for (unsigned i = 0; i < all->count; i++)
                        if (all->items[i].parent == getpid())
                                killed += kill(all->items[i].pid, SIGKILL) == 0;
                while (killed > 0 && waitpid(-1, NULL, 0) > 0)
                        killed--;
        } while (waitpid(-1, NULL, WNOHANG) >= 0);
}

int measure_idle(const struct plan *plan, struct rows *rows)
{
        cleanup_free struct procs *all = calloc(1, sizeof(*all));
        struct row *row = &rows->items[0];
        unsigned boxes = 0;
        char byte;
        int r = 0;

        if (!all)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < ELEMENTS(counts) && counts[i] <= plan->number; i++) {
                while (r == 0 && boxes < counts[i])
                        r = add_box(plan, row, all, ++boxes);
                if (r == 0)
                        r = report(row, all, counts[i]);
        }
        if (r < 0) {
                row_fail(row);
                print_row(row);
                (void)printf(", \"boxes\": %u, \"reason\": \"%s\"}\n", boxes, strerror(-r));
        }
        (void)fclose(stdout); /* tells the caller that there is no more to come */
        while (sys_read(STDIN_FILENO, &byte, 1) > 0)
                ;
        kill_all(all);
        return r;
}
