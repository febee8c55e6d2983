/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"

/* From a box to the messages that start it, or one more process in it. */

/**
 * plan_start() - everything that the shim has to know
 * @box:       with its spec
 * @main:      in place of the box's own main, for a helper run; NULL: the box's own
 * @flags:     enum proto_start_flags to add to those of the spec
 * @call:      what the client wants: streams, size of the terminal
 * @ret_start: release with wire_release(&msg_start_table, …)
 * @err:       words
 */
int plan_start(struct coffer_box *box, const struct msg_process *main, uint32_t flags,
               const struct coffer_call *call, struct msg_start *ret_start,
               struct coffer_error *err);

/**
 * plan_exec() - one more process
 * @box:         with its spec
 * @spec:        what was asked for
 * @ret_process: release with wire_release(&msg_process_table, …)
 * @err:         words
 */
int plan_exec(struct coffer_box *box, const struct coffer_spec *spec,
              struct msg_process *ret_process, struct coffer_error *err);

/**
 * plan_builtin() - a program of coffer-init's own as a process of the box, as its root
 * @box:         with its spec
 * @argv:        NULL-terminated
 * @ret_process: release with wire_release(&msg_process_table, …)
 * @err:         words
 */
int plan_builtin(struct coffer_box *box, const char *const *argv, struct msg_process *ret_process,
                 struct coffer_error *err);
