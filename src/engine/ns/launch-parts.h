/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The shim side of the `ns` engine: launch.c starts a box, hold.c acts on one that runs. */

#include "engine/engine.h"
#include "sandbox/cgroup.h"

#define KILL_TIMEOUT_MS 10000

/**
 * struct ns_data - what the engine keeps of a box
 * @cgroup:        its directories
 * @processes_max: what its user namespace was made with, which nothing can raise; 0: no limit
 * @memory_bytes:  the limit in force; 0: none
 * @cpu_millis:    likewise
 * @events_fd:     cgroup.events of load/, once it was asked for; owned; -EBADF before
 */
struct ns_data {
        struct cgroup cgroup;
        uint32_t processes_max;
        uint64_t memory_bytes;
        uint64_t cpu_millis;
        int events_fd;
};

/** hold_remove_leftover() - end and remove the cgroup that a dead run of this box has left */
int hold_remove_leftover(const char *box_id, struct coffer_error *err);

/**
 * hold_tell_limit() - write the row of one limit, over the one that is there
 * @posture: where to
 * @cg:      what holds the limit
 * @what:    CGROUP_MEMORY, CGROUP_CPU or CGROUP_PIDS
 * @limit:   0: none
 * @remark:  put behind what a limit is
 */
void hold_tell_limit(struct strv *posture, const struct cgroup *cg, enum cgroup_controller what,
                     uint64_t limit, const char *remark);

/* For struct engine; see there. */
int hold_freeze(const char *box_id, struct engine_box *box, unsigned budget_ms,
                unsigned *ret_inside, struct coffer_error *err);
int hold_thaw(struct engine_box *box, struct coffer_error *err);
bool hold_is_frozen(const struct engine_box *box);
int hold_limit(const char *box_id, struct engine_box *box, const struct msg_update *m,
               unsigned budget_ms, unsigned *ret_inside, struct coffer_error *err);
