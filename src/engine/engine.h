/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "proto/messages.h"

struct coffer_error;

/*
 * How a box is isolated.  The shim knows a box only through this table; `ns` fills it with Linux
 * namespaces, a microVM fills it with a virtual machine.
 */

/* Namespaces, and last the mount of coffer-init. */
enum { ENGINE_PINNED_EXE = 3, ENGINE_PINNED_MAX };

/**
 * struct engine_box - a launched box; STARTED or ERROR of its main process will come
 * @socket_fd:    to coffer-init; owned
 * @pidfd:        whose death is the death of the box; owned
 * @main_pidfd:   main; owned
 * @posture:      owned; rows "control\tstate\tdetail" of what was enforced
 * @userns_fd:    in which the box's files can be removed; -1 when the caller needs none; owned
 * @pinned_fds:   kept until the end has been told: taking namespaces apart takes longer than all
 * the rest of the end, closing a mount that is nowhere attached waits for an RCU grace period (3
 * ms), and neither concerns anybody then; -1 for none; owned
 * @step:         of a launch that failed: which one of its steps did; NULL otherwise
 * @data:         the engine's own
 */
struct engine_box {
        int socket_fd;
        int pidfd;
        int main_pidfd;
        struct strv posture;
        int userns_fd;
        int pinned_fds[ENGINE_PINNED_MAX];
        const char *step; /* static */
        void *data;       /* owned by the engine */
};

#define ENGINE_BOX_INIT                                                 \
        ((struct engine_box){                                           \
                .socket_fd = -EBADF,                                    \
                .pidfd = -EBADF,                                        \
                .main_pidfd = -EBADF,                                   \
                .userns_fd = -EBADF,                                    \
                .pinned_fds = {[0 ... ENGINE_PINNED_MAX - 1] = -EBADF}, \
        })

/* Lets go of what was kept beyond the death of the box. */
static inline void engine_box_unpin(struct engine_box *box)
{
        close_fd(&box->userns_fd);
        for (size_t i = 0; i < ENGINE_PINNED_MAX; i++)
                close_fd(&box->pinned_fds[i]);
}

/**
 * struct engine_gate - asked once before main may go on, while the box is being built
 * @open: 0, or a negative errno with @err: then the launch fails
 * @data: its
 */
struct engine_gate {
        int (*open)(void *data, struct coffer_error *err);
        void *data;
};

/**
 * struct engine - one way of isolating
 * @name:    the posture's `engine` row
 * @launch:  build everything and hand main over; on failure nothing is left.  @sibling: for our
 *           parent, whose child the box becomes; it takes over with @adopt what we send it;
 *           a gate may be NULL; with START_HELD it is not asked, and main waits for @go
 * @go:      hand main over that was held
 * @adopt:   complete a box that another process launched: the descriptors are in @box
 * @forget:  close what we hold of a box that our parent has taken over
 * @kill:    end whatever is left of the box and wait until it is gone, or too long for that
 * @release: after @kill: remove what the engine made outside the box's directory; names what is
 * left
 * @oom:     did the memory limit end something?
 * @freeze:  stop every process of the box but the supervisor; -EAGAIN when @budget_ms was not
 *           enough: to be called again, while @ret_inside rises; -EOPNOTSUPP where nothing can;
 * after an error nothing is frozen
 * @thaw:    let them go on, also when somebody else froze them
 * @is_frozen: whoever did it
 * @limit:   change limits of the box; -EAGAIN as for @freeze; writes the posture anew
 * @left:    words for the processes that are still there: "process 12 (sh)"
 */
struct engine {
        const char *name;
        int (*launch)(const char *box_id, int box_dir_fd, int init_exe_fd,
                      const struct msg_start *start, bool sibling, const struct engine_gate *gate,
                      struct engine_box *ret_box, struct coffer_error *err);
        int (*go)(const struct engine_box *box, const struct msg_start *start,
                  struct coffer_error *err);
        int (*adopt)(const char *box_id, struct engine_box *box, struct coffer_error *err);
        void (*forget)(struct engine_box *box);
        int (*kill)(struct engine_box *box, struct coffer_error *err);
        int (*release)(struct engine_box *box, struct coffer_error *err);
        bool (*oom)(const struct engine_box *box);
        int (*freeze)(const char *box_id, struct engine_box *box, unsigned budget_ms,
                      unsigned *ret_inside, struct coffer_error *err);
        int (*thaw)(struct engine_box *box, struct coffer_error *err);
        bool (*is_frozen)(const struct engine_box *box);
        int (*limit)(const char *box_id, struct engine_box *box, const struct msg_update *m,
                     unsigned budget_ms, unsigned *ret_inside, struct coffer_error *err);
        void (*left)(const struct engine_box *box, char *to, size_t size);
};

extern const struct engine engine_ns;
