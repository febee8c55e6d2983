/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"
#include "lib/link.h"
#include "store/state.h"

/*
 * A call that waits for another process, as a function that is called again and again: it goes on
 * as far as it can, and says what it waits for.  Blocking forms and event loops differ only in
 * who polls.
 */

struct coffer_call;

/* Goes on; -EAGAIN with wait_fd and limit_ms set, else the result, an error with c->error filled.
 */
typedef int (*call_step_fn)(struct coffer_call *c);

/**
 * struct coffer_call - the state
 * @box:      borrowed
 * @step:     what to do next; steps may replace it
 * @result:   -EAGAIN until it has ended
 * @error:    words for @result
 * @wait_fd:  borrowed; what to poll for POLLIN; -1: nothing
 * @limit_ms: loop_now_ms() at which @step is to be called in any case; 0: never
 * @epoll_fd: owned; made when an event loop wants a descriptor
 * @timer_fd: owned; in it, for @limit_ms
 * @polled_fd: what @epoll_fd has of @wait_fd
 * @link:     the conversation with the shim
 * @lock:     the wait for the lock
 * @exit:     what a wait or stop brings
 * @has_exit: there is one
 * @process:  owned; what a start, exec or attach brings
 * @request:  the frame to send
 * @payload:  owned; of it
 * @signal:   to send
 * @flags:    COFFER_START_* or COFFER_REMOVE_*
 * @streams:  that a start connects to
 * @ending:   nobody held the lock: the files tell how it ended
 * @stopped:  the first half of a restart is done
 * @forcing:  a removal is ending the box first
 * @forced:   it has done so
 * @launched: the shim has been told to start
 * @wanted:   the caller of a start wants the process
 * @start_result: why a start failed, while the shim of the attempt ends
 * @helper:   borrowed; in place of main
 * @updates:  owned; "option=value" that an update is to keep
 * @update:   what of that a running box is asked
 * @later:    it cannot follow the restart policy in this run
 * @cut:      it ended while it was asked
 */
struct coffer_call {
        struct coffer_box *box;
        call_step_fn step;
        int result;
        struct coffer_error error;
        int wait_fd;
        uint64_t limit_ms;
        int epoll_fd;
        int timer_fd;
        int polled_fd;
        struct link link;
        struct lock_wait lock;
        struct coffer_exit exit;
        bool has_exit;
        struct coffer_process *process;
        enum proto_type request;
        struct buf payload;
        uint32_t signal;
        uint32_t flags;
        uint32_t streams;
        uint32_t rows;
        uint32_t columns;
        bool ending;
        bool stopped;
        bool forcing;
        bool forced;
        bool launched;
        bool wanted;
        int start_result;
        const struct msg_process *helper;
        struct strv updates;
        struct msg_update update;
        bool later;
        bool cut;
};

/** call_new() - a call whose first step is @step; -ENOMEM */
int call_new(struct coffer_box *box, call_step_fn step, struct coffer_call **ret_call,
             struct coffer_error *err);

/** call_begin() - take the first step of @call, which is taken; on failure it is freed */
int call_begin(struct coffer_call *call, struct coffer_call **ret_call, struct coffer_error *err);

/**
 * call_run() - the blocking form: wait for @call, which is taken and freed
 * @call:        may be NULL when @begun < 0
 * @begun:       what its _begin() answered
 * @timeout_ms:  as in the public headers
 * @ret_exit:    may be NULL
 * @ret_process: may be NULL
 * @err:         words
 */
int call_run(struct coffer_call *call, int begun, int timeout_ms, struct coffer_exit *ret_exit,
             struct coffer_process **ret_process, struct coffer_error *err);

static inline struct coffer_call *call_drop(struct coffer_call *call)
{
        return coffer_call_free(call);
}
DEFINE_FREEP(struct coffer_call, call_drop)
