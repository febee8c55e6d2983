/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

#define ASK_AGAIN 8 /* about a process whose parent ended while we looked */

enum { UNKNOWN, NOT_BELOW, BELOW, ON_PATH };

void procs_release(struct procs *procs)
{
        free(procs->items);
        *procs = (struct procs){.items = NULL};
}

static ssize_t read_file(pid_t pid, const char *name, char *to, size_t size)
{
        char path[48];
        cleanup_close int fd = -EBADF;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        fd = sys_open(AT_FDCWD, path, O_RDONLY);
        n = fd < 0 ? fd : sys_read_full(fd, to, size - 1);
        if (n < 0)
                return n == -ENOENT ? -ESRCH : n;
        to[n] = '\0';
        return n;
}

/* proc(5): pid (comm) state ppid …; comm may hold anything, brackets too. */
int procs_read_stat(pid_t pid, struct proc_entry *ret_entry)
{
        char text[1024];
        ssize_t n = read_file(pid, "stat", text, sizeof(text));
        const char *at = n < 0 ? NULL : strrchr(text, ')');
        struct proc_entry e = {.pid = pid};
        int ppid = 0;

        if (n < 0)
                return (int)n;
        if (!at || sscanf(at, ") %c %d", &e.state, &ppid) != 2)
                return -EBADMSG;
        for (int field = 2; field < 20 && at; field++) /* num_threads is field 20 */
                at = strchr(at + 1, ' ');
        if (at)
                e.threads = (uint32_t)strtoul(at + 1, NULL, 10);
        e.ppid = ppid;
        *ret_entry = e;
        return 0;
}

int procs_depth(pid_t pid)
{
        char text[4096];
        ssize_t n = read_file(pid, "status", text, sizeof(text));
        const char *line = n < 0 ? NULL : strstr(text, "\nNSpid:");
        int depth = 0;

        if (n < 0)
                return (int)n;
        if (!line)
                return -ENODATA;
        for (line += strlen("\nNSpid:"); *line != '\n' && *line != '\0'; line++)
                depth += *line == '\t';
        return depth;
}

static int add(struct procs *procs, pid_t pid)
{
        struct proc_entry e;
        int r = procs_read_stat(pid, &e);

        if (r == -ESRCH)
                return 0;
        if (r < 0)
                return r;
        if (procs->count == procs->capacity) {
                size_t capacity = procs->capacity ? 2 * procs->capacity : 256;
                void *items = reallocarray(procs->items, capacity, sizeof(*procs->items));

                if (!items)
                        return -ENOMEM;
                procs->items = items;
                procs->capacity = capacity;
        }
        procs->items[procs->count++] = e;
        return 0;
}

static int read_all(struct procs *procs)
{
        DIR *dir = opendir("/proc");
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return -errno;
        while (r == 0 && (entry = readdir(dir))) {
                uint64_t pid;

                if (str_to_u64(entry->d_name, INT32_MAX, &pid) == 0)
                        r = add(procs, (pid_t)pid);
        }
        (void)closedir(dir);
        return r;
}

static int by_pid(const void *a, const void *b)
{
        const struct proc_entry *x = a, *y = b;

        return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct proc_entry *find(const struct procs *procs, pid_t pid)
{
        struct proc_entry key = {.pid = pid};

        return procs->items ? bsearch(&key, procs->items, procs->count, sizeof(key), by_pid) : NULL;
}

/* Its parent ended while we looked: it has another one by now, or has ended too. */
static struct proc_entry *ask_for_parent(const struct procs *procs, struct proc_entry *e)
{
        for (int i = 0; i < ASK_AGAIN; i++) {
                struct proc_entry now, *parent;

                if (procs_read_stat(e->pid, &now) < 0)
                        return NULL;
                e->ppid = now.ppid;
                parent = find(procs, e->ppid);
                if (parent || e->ppid == 0)
                        return parent;
        }
        return NULL;
}

/* Up to somebody about whom it is known, then down the same way; the way is kept in @ppid. */
static uint8_t judge(const struct procs *procs, struct proc_entry *e, pid_t above)
{
        uint8_t answer = UNKNOWN;
        struct proc_entry *at = e;

        while (answer == UNKNOWN) {
                struct proc_entry *parent;

                at->below = ON_PATH;
                if (at->ppid == above) {
                        answer = BELOW;
                        break;
                }
                parent = find(procs, at->ppid);
                if (!parent && at->ppid != 0)
                        parent = ask_for_parent(procs, at);
                if (at->ppid == above)
                        answer = BELOW;
                else if (!parent || parent->below == ON_PATH || parent->pid == above)
                        answer = parent && parent->pid == above ? BELOW : NOT_BELOW;
                else if (parent->below != UNKNOWN)
                        answer = parent->below;
                else
                        at = parent;
        }
        for (at = e; at && at->below == ON_PATH; at = find(procs, at->ppid))
                at->below = answer;
        return answer;
}

int procs_below(pid_t above, struct procs *ret_procs)
{
        struct procs procs = {.items = NULL};
        size_t kept = 0;
        int r = read_all(&procs);

        if (r < 0) {
                procs_release(&procs);
                return r;
        }
        if (procs.count > 1)
                qsort(procs.items, procs.count, sizeof(*procs.items), by_pid);
        for (size_t i = 0; i < procs.count; i++) {
                struct proc_entry *e = &procs.items[i];

                if (e->pid == above)
                        e->below = NOT_BELOW;
                else if (e->below == UNKNOWN)
                        (void)judge(&procs, e, above);
        }
        for (size_t i = 0; i < procs.count; i++)
                if (procs.items[i].below == BELOW)
                        procs.items[kept++] = procs.items[i];
        procs.count = kept;
        *ret_procs = procs;
        return 0;
}
