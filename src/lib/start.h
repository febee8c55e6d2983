/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"

/**
 * shim_spawn() - start the monitor of a box; it waits for HELLO and START on @ret_fd
 * @rt:     where the program lies
 * @id:     of the box
 * @ret_fd: its socket; when that is closed instead it ends, having done nothing
 * @err:    words
 */
int shim_spawn(const struct coffer_runtime *rt, const char *id, int *ret_fd,
               struct coffer_error *err);

/**
 * start_helper() - bring a box that does not run up around a process of coffer's own
 * @box:         the box; its state stays as it is
 * @process:     in place of main
 * @streams:     enum proto_stdio
 * @timeout_ms:  until it runs
 * @ret_process: when it is freed the box ends
 * @err:         words
 *
 * Return: 0, -EALREADY when the box runs, or as coffer_box_start().
 */
int start_helper(struct coffer_box *box, const struct msg_process *process, uint32_t streams,
                 int timeout_ms, struct coffer_process **ret_process, struct coffer_error *err);

/** start_helper_end() - wait until the shim of a helper that has ended has ended, too */
int start_helper_end(struct coffer_box *box, struct coffer_error *err);
