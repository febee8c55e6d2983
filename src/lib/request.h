/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/call.h"

/** step_start() - get the lock, settle, launch; see start.c */
int step_start(struct coffer_call *c);

/** request_encode() - the frame that the conversation of @c sends; 0 or -errno with words */
int request_encode(struct coffer_call *c, enum proto_type type, const void *message);
/** request_frame() - link_step() for a call */
int request_frame(struct coffer_call *c, struct frame *ret_frame);
/** request_lock() - lock_wait_step() for a call */
int request_lock(struct coffer_call *c, int *ret_lock_fd);

/** exec_begin() - start one more process, whatever it is */
int exec_begin(struct coffer_box *box, const struct msg_process *process,
               struct coffer_call **ret_call, struct coffer_error *err);
