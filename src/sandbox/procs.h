/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which processes belong to a box, by descent: whoever loses its parent in a PID namespace is
 * given to that namespace's PID 1, so nobody leaves the tree below the supervisor.  Only what is
 * readable to everybody is read (/proc/PID/stat): a process that executes a file it may not read
 * shows its namespaces to nobody.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct proc_entry - one process, as /proc/PID/stat tells it
 * @pid:     in the PID namespace of /proc
 * @ppid:    its parent
 * @state:   'R', 'S', 'Z', …
 * @threads: how many it has
 * @below:   ours
 */
struct proc_entry {
        pid_t pid;
        pid_t ppid;
        char state;
        uint32_t threads;
        uint8_t below;
};

/**
 * struct procs - processes, by rising pid
 * @items:    owned
 * @count:    how many
 * @capacity: allocated
 */
struct procs {
        struct proc_entry *items;
        size_t count;
        size_t capacity;
};

void procs_release(struct procs *procs);

/**
 * procs_below() - who descends from a process
 * @above:     that process, which is not among them
 * @ret_procs: release with procs_release()
 *
 * A moment's picture, taken while others fork and end: who was there all the time is in it.
 *
 * Return: 0 or a negative errno.
 */
int procs_below(pid_t above, struct procs *ret_procs);

/** procs_read_stat() - the fields of one process; -ESRCH when it is gone */
int procs_read_stat(pid_t pid, struct proc_entry *ret_entry);

/**
 * procs_depth() - how many PID namespaces a process has a number in, from that of /proc on
 * @pid: the process
 *
 * Return: 1 or more, or a negative errno.
 */
int procs_depth(pid_t pid);
