/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_STATS_H
#define COFFER_STATS_H

#include <coffer/api.h>
#include <coffer/box.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A figure that nobody could tell. */
#define COFFER_UNKNOWN UINT64_MAX

/* Where a figure is from, in coffer_stats.sources */
#define COFFER_SOURCE_CGROUP_V1 1u /* memory, cpu or processes, of the box's cgroup */
#define COFFER_SOURCE_CGROUP_V2 2u
#define COFFER_SOURCE_PROC      4u /* summed up over the box's processes */

/**
 * struct coffer_stats - what a running box uses; COFFER_UNKNOWN where it cannot be told
 * @time_ns:      when this was, CLOCK_MONOTONIC in nanoseconds
 * @cpu_ns:       processor time so far; two looks give a rate
 * @memory_bytes: of its cgroup, without what is only cached; or, if that is more or
 *                there is none, the sum of each process's share (PSS)
 * @memory_limit: its limit, else all that the host has
 * @net_rx_bytes: received by its network interfaces but loopback
 * @net_tx_bytes: sent
 * @read_bytes:   from storage
 * @write_bytes:  to storage
 * @pids:         processes and threads
 * @sources:      COFFER_SOURCE_*
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_stats {
        uint64_t time_ns;
        uint64_t cpu_ns;
        uint64_t memory_bytes;
        uint64_t memory_limit;
        uint64_t net_rx_bytes;
        uint64_t net_tx_bytes;
        uint64_t read_bytes;
        uint64_t write_bytes;
        uint64_t pids;
        uint32_t sources;
};

/**
 * coffer_box_stats() - look at what a running box uses
 * @box:       the box
 * @ret_stats: free with coffer_free()
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not ask the box, which may be paused.
 *
 * Return: 0, or a negative errno:
 *   -ESRCH       the box is not running (COFFER_ERROR_STATE)
 *   -EOPNOTSUPP  it runs in another PID namespace (COFFER_ERROR_HOST)
 *   -ENOENT      it was removed
 */
COFFER_API int coffer_box_stats(struct coffer_box *box, struct coffer_stats **ret_stats,
                                struct coffer_error *err);

/**
 * struct coffer_task - one process of a box, as /proc tells
 * @pid:        in the host's PID namespace, as all numbers here
 * @ppid:       its parent
 * @pgid:       its process group
 * @sid:        its session
 * @uid:        its effective user on the host
 * @threads:    how many it has
 * @nice:       its nice value
 * @tty:        device number of its terminal; 0: none
 * @state:      'R', 'S', 'D', 'T', 'Z', …
 * @cpu_ns:     processor time so far
 * @started_ns: nanoseconds since 1970
 * @vsize:      bytes of address space
 * @rss:        bytes in memory
 * @name:       of the program, as the kernel has it
 * @command:    the arguments joined by blanks; @name in brackets when there are none
 *
 * Name and command are the box's own words: they may hold any bytes.
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_task {
        pid_t pid;
        pid_t ppid;
        pid_t pgid;
        pid_t sid;
        uid_t uid;
        uint32_t threads;
        int32_t nice;
        uint32_t tty;
        char state;
        uint64_t cpu_ns;
        uint64_t started_ns;
        uint64_t vsize;
        uint64_t rss;
        const char *name;
        const char *command;
};

/**
 * coffer_box_tasks() - the processes of a running box, by rising pid
 * @box:       the box
 * @ret_tasks: NULL-terminated array, one allocation; free with coffer_free()
 * @ret_count: how many
 * @err:       why not; may be NULL
 *
 * Those in the box's PID namespace: its supervisor is not among them.
 *
 * Context: one thread at a time per @box.  Does not ask the box, which may be paused.
 *
 * Return: as coffer_box_stats().
 */
COFFER_API int coffer_box_tasks(struct coffer_box *box, struct coffer_task ***ret_tasks,
                                size_t *ret_count, struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
