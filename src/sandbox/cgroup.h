/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control groups of one box, for coffer-shim and for whoever cleans up.  The name is always
 * "coffer-<id>", so that it is found without any record: in the root of each hierarchy for root;
 * for a user below user@UID.service or his own cgroup, where that is delegated to him.
 *
 * v2: box/ with two leaves: init/ for the supervisor, load/ for all else (limits, freeze,
 * oom.group).  v1: one directory per hierarchy that a limit needs, for the load only; never
 * without a limit.  Both at once on a hybrid host: placing, killing and freezing by v2, limits by
 * v1.
 *
 * A write to a cgroup.procs waits 7 to 12 ms for an RCU grace period, so it is to be rare:
 *
 *   start, no limit   the supervisor is cloned into birth_fd, which is load/, and all else with it
 *   start, limited    birth_fd is init/; one cgroup_place(CGROUP_LOAD) of the stem, from which main
 *                     and every exec are forked: they are born in load/ and cost nothing more
 *   pause, update     what is missing is made, and cgroup_gather() moves whoever is not in it
 */

#include <coffer/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_UNLIMITED UINT64_MAX
#define CGROUP_PATH_MAX  512
#define CGROUP_NAME_MAX  80

/**
 * enum cgroup_mode - what holds the limits of a box
 * @CGROUP_NONE: nothing: no directory was made
 * @CGROUP_V1:   at least one limit is a v1 controller's
 * @CGROUP_V2:   a v2 directory, with the controllers that were asked for
 */
enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

enum cgroup_controller {
        CGROUP_MEMORY,
        CGROUP_PIDS,
        CGROUP_CPU,
        CGROUP_FREEZER, /* v1 only; v2 has it in every directory */
        CGROUP_CONTROLLER_COUNT
};

/**
 * struct cgroup_limits - what a box may use; zero-initialised means no limit at all
 * @memory_bytes:      0: no limit
 * @memory_swap_bytes: memory and swap together, as docker's --memory-swap; 0: twice the memory;
 *                     CGROUP_UNLIMITED: as much swap as there is
 * @cpu_milli:         thousandths of a CPU, 10 or more; 0: no limit
 * @pids_max:          0: no limit
 */
struct cgroup_limits {
        uint64_t memory_bytes;
        uint64_t memory_swap_bytes;
        uint64_t cpu_milli;
        uint64_t pids_max;
};

/**
 * struct cgroup_host - what there is on this host for this caller, before anything is made
 * @mode:           what limits can be set with; CGROUP_NONE: with nothing
 * @v2_root:        mount point of the v2 tree; NULL when there is none
 * @v2_usable:      directories can be made in @v2_parent and processes put into them
 * @v2_parent:      where box directories go, below @v2_root; "" is @v2_root itself
 * @v2_busy:        @v2_parent holds processes itself, so it can hand down no more controllers
 * @v2_controllers: bit 1 << enum cgroup_controller, as can be handed down from @v2_parent
 * @v1_controllers: likewise, as v1 hierarchies that the caller may write to
 */
struct cgroup_host {
        enum cgroup_mode mode;
        const char *v2_root;
        bool v2_usable;
        bool v2_busy;
        char v2_parent[CGROUP_PATH_MAX];
        uint32_t v2_controllers;
        uint32_t v1_controllers;
};

enum cgroup_leaf { CGROUP_INIT, CGROUP_LOAD, CGROUP_LEAF_COUNT };

/**
 * struct cgroup - the directories of one box, as descriptors
 * @mode:         what was made
 * @limited:      a limit is set: the stem must be placed in CGROUP_LOAD before it starts main
 * @swap_limited: memory and swap are bounded together
 * @name:         "coffer-<id>"
 * @parent_fd:    v2: the directory that holds @box_fd, else -EBADF; owned, as all below
 * @box_fd:       v2: the box's directory
 * @leaf_fd:      v2: by enum cgroup_leaf; init/ is made when it is first needed
 * @procs_fd:     v2: cgroup.procs of the leaves, open for writing
 * @v1_fd:        v1: the box's directory in each hierarchy in use, by enum cgroup_controller
 * @v1_procs_fd:  v1: its cgroup.procs, open for writing
 */
struct cgroup {
        enum cgroup_mode mode;
        bool limited;
        bool swap_limited;
        char name[CGROUP_NAME_MAX];
        int parent_fd;
        int box_fd;
        int leaf_fd[CGROUP_LEAF_COUNT];
        int procs_fd[CGROUP_LEAF_COUNT];
        int v1_fd[CGROUP_CONTROLLER_COUNT];
        int v1_procs_fd[CGROUP_CONTROLLER_COUNT];
};

/**
 * struct cgroup_stats - use so far; CGROUP_UNLIMITED where the kernel does not say
 */
struct cgroup_stats {
        uint64_t memory_bytes;
        uint64_t memory_peak_bytes;
        uint64_t memory_cached_bytes; /* of it, what can be dropped: inactive files */
        uint64_t cpu_usec;
        uint64_t cpu_throttled_periods;
        uint64_t pids;
};

/** cgroup_init() - mode CGROUP_NONE: a box that has none */
void cgroup_init(struct cgroup *cg);

/**
 * cgroup_is_unified() - is v2 all there is on this host?
 *
 * Elsewhere its tree has no controllers that a box without limits could use later.
 */
bool cgroup_is_unified(void);

/** cgroup_probe() - look, touch nothing; finding nothing is an answer */
void cgroup_probe(struct cgroup_host *ret_host);

/**
 * cgroup_create() - make the directories of a box and set its limits
 * @box_id: of a-z, 0-9 and '-'
 * @limits: borrowed
 * @ret_cg: for cgroup_release(); mode CGROUP_NONE when there is nothing to hold and no v2 tree
 * @err:    for a limit that cannot be set: kind COFFER_ERROR_CONTROL, the limit's option, a hint
 *
 * On failure nothing is left behind.  A directory that is there already (a dead box of that id)
 * gives -EEXIST: cgroup_open(), cgroup_kill(), cgroup_remove() first.
 *
 * Return: 0, or a negative errno.
 */
int cgroup_create(const char *box_id, const struct cgroup_limits *limits, struct cgroup *ret_cg,
                  struct coffer_error *err);

/**
 * cgroup_change() - set limits of a box that runs
 * @cg:     of the box; directories that are missing are made, and hold nobody yet
 * @box_id: as cgroup_create()
 * @limits: of which only those in @which count; there 0 takes the limit away
 * @which:  bits 1 << enum cgroup_controller
 * @err:    as cgroup_create()
 *
 * cgroup_gather() has to follow.  What was used before a process came in counts for nothing.
 *
 * Return: 0; -EEXIST when a dead run of the box has left directories; or a negative errno.
 */
int cgroup_change(struct cgroup *cg, const char *box_id, const struct cgroup_limits *limits,
                  uint32_t which, struct coffer_error *err);

/** cgroup_want_freezer() - the same for something that can freeze; refused where nothing can */
int cgroup_want_freezer(struct cgroup *cg, const char *box_id, struct coffer_error *err);

/**
 * cgroup_gather() - put a supervisor's processes into load/ and every v1 directory
 * @cg:        as cgroup_change() left it
 * @above:     the supervisor, in the PID namespace of /proc; moved to init/ when it is in load/
 * @budget_ms: how long this call may take: moving one takes 7 to 12 ms
 * @ret_inside: with -EAGAIN: how many are inside by now, which tells whether it gets on; may be
 * NULL
 * @err:       words for a failure; may be NULL
 *
 * Who forks and exits faster than that is never moved: he is dead when his turn comes, and his
 * child was born outside.  It ends when two looks in a row have found nobody outside: what forks
 * meanwhile is found by the next look, or was born inside.
 *
 * Return: 0 when all are inside; -EAGAIN when the time was over: call it again; or a negative
 * errno.
 */
int cgroup_gather(struct cgroup *cg, pid_t above, unsigned budget_ms, unsigned *ret_inside,
                  struct coffer_error *err);

/**
 * cgroup_open() - find what a box has left, by its id alone
 * @box_id: as above
 * @ret_cg: mode CGROUP_NONE when nothing is there
 * @err:    words for a failure; may be NULL
 *
 * Return: 0, or a negative errno.
 */
int cgroup_open(const char *box_id, struct cgroup *ret_cg, struct coffer_error *err);

/** cgroup_release() - close the descriptors; removes nothing; safe on a zero-mode struct */
void cgroup_release(struct cgroup *cg);

/** cgroup_birth_fd() - for CLONE_INTO_CGROUP of the supervisor; borrowed; -EBADF without a v2 tree
 */
int cgroup_birth_fd(const struct cgroup *cg);

/**
 * cgroup_place() - move a process: into load/ and every v1 directory, or into init/
 * @cg:   mode CGROUP_NONE: nothing happens
 * @leaf: CGROUP_INIT concerns v2 only: v1 directories hold nothing but the load
 * @pid:  as seen by the caller; what it has forked already stays where it is
 * @err:  words for a failure; may be NULL
 *
 * Return: 0, or a negative errno (-ESRCH: it has ended).
 */
int cgroup_place(struct cgroup *cg, enum cgroup_leaf leaf, pid_t pid, struct coffer_error *err);

/**
 * cgroup_kill() - SIGKILL for everything of the box, supervisor included, and wait till it is gone
 * @cg:         mode CGROUP_NONE: nothing happens
 * @timeout_ms: how long to wait for the last process to end
 * @err:        words for a failure; may be NULL
 *
 * A frozen box is thawed, since a frozen v1 process does not die.
 *
 * Return: 0 when empty, -ETIMEDOUT when not yet, or another negative errno.
 */
int cgroup_kill(struct cgroup *cg, unsigned timeout_ms, struct coffer_error *err);

/**
 * cgroup_freeze() - stop every process of load/
 * @cg:         -EOPNOTSUPP with a hint where nothing can freeze
 * @timeout_ms: how long to wait until all are frozen; thawed again when that is not enough
 * @err:        words for a failure; may be NULL
 *
 * Return: 0, -ETIMEDOUT, or another negative errno.
 */
int cgroup_freeze(struct cgroup *cg, unsigned timeout_ms, struct coffer_error *err);

/**
 * cgroup_set_frozen() - the same without waiting: whoever comes in is frozen, too
 * @cg:  as there
 * @err: words for a failure; may be NULL
 */
int cgroup_set_frozen(struct cgroup *cg, struct coffer_error *err);

/** cgroup_thaw() - let them go on, whoever froze them; 0 also when they were not frozen */
int cgroup_thaw(struct cgroup *cg, struct coffer_error *err);

/** cgroup_is_frozen() - true when load/ is frozen or freezing, by whom ever; 0 or a negative errno
 */
int cgroup_is_frozen(const struct cgroup *cg, bool *ret_frozen);

/** cgroup_is_empty() - true when no live process is in any of the directories */
int cgroup_is_empty(const struct cgroup *cg, bool *ret_empty);

/** cgroup_oom_killed() - true when the kernel killed something of the box for memory */
int cgroup_oom_killed(const struct cgroup *cg, bool *ret_killed);

/** cgroup_read_stats() - counters so far; 0 or a negative errno */
int cgroup_read_stats(const struct cgroup *cg, struct cgroup_stats *ret_stats);

/**
 * cgroup_remove() - remove the directories; what is gone already is fine
 * @cg:  released afterwards, also on failure
 * @err: names the directory that is still in use
 *
 * Return: 0, -EBUSY while a process is left, or another negative errno.
 */
int cgroup_remove(struct cgroup *cg, struct coffer_error *err);
