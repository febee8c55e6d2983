/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_CALL_H
#define COFFER_CALL_H

#include <coffer/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A call that waits for another process, in the form for an event loop:
 *
 *     coffer_box_stop_begin(box, 0, COFFER_FOREVER, &call, &err);
 *     … poll coffer_call_fd(call) for POLLIN …
 *     r = coffer_call_finish(call, &err);      -EAGAIN: not yet, poll again
 *     coffer_call_free(call);
 *
 * The object that a call was begun on must outlive it, and no second call may be begun on the
 * same object meanwhile.
 */
struct coffer_call;
struct coffer_process;

/**
 * struct coffer_exit - how a process ended
 * @status:     0 to 255 as the process gave it, or 128 + the signal that ended it
 * @oom_killed: not 0: the memory limit of the box ended it
 * @timed_out:  not 0: the time limit it was started with ended it
 * @reason:     empty, or why the box failed ("shim died"); NUL-terminated
 */
struct coffer_exit {
        int32_t status;
        uint32_t oom_killed;
        uint32_t timed_out;
        char reason[116];
};

/**
 * coffer_call_fd() - a descriptor that polls readable when coffer_call_finish() has work to do
 * @call: the call; owns the descriptor
 *
 * The descriptor stays the same for the life of @call.  Only poll it: never read it.
 *
 * Context: one thread at a time per @call.
 *
 * Return: the descriptor, or a negative errno.
 */
COFFER_API int coffer_call_fd(struct coffer_call *call);

/**
 * coffer_call_finish() - go on with a call as far as is possible without waiting
 * @call: the call
 * @err:  why not; may be NULL
 *
 * Context: one thread at a time per @call.  Does not block.
 *
 * Return: 0 when the call has succeeded, -EAGAIN while it has not ended, or what the blocking
 * form of the call answers.  Once it has ended it keeps answering the same.
 */
COFFER_API int coffer_call_finish(struct coffer_call *call, struct coffer_error *err);

/**
 * coffer_call_wait() - wait until the call has ended, or for a time
 * @call:       the call
 * @timeout_ms: how long; the call can be waited for again after -ETIMEDOUT
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @call.  Blocks.
 *
 * Return: as coffer_call_finish(), with -ETIMEDOUT in place of -EAGAIN.
 */
COFFER_API int coffer_call_wait(struct coffer_call *call, int timeout_ms, struct coffer_error *err);

/**
 * coffer_call_exit() - the exit status that a finished wait or stop has brought
 * @call:     a call that has ended with 0
 * @ret_exit: copied
 *
 * Context: any thread.
 *
 * Return: 0, or -EINVAL when this kind of call brings none.
 */
COFFER_API int coffer_call_exit(const struct coffer_call *call, struct coffer_exit *ret_exit);

/**
 * coffer_call_take_process() - the process that a finished start, exec or attach has brought
 * @call:        a call that has ended with 0
 * @ret_process: free with coffer_process_free()
 *
 * Context: any thread.
 *
 * Return: 0, or -EINVAL when there is none or it has been taken.
 */
COFFER_API int coffer_call_take_process(struct coffer_call *call,
                                        struct coffer_process **ret_process);

/**
 * coffer_call_free() - forget a call; what it asked for may still happen
 * @call: may be NULL
 *
 * Context: any thread.  errno is unchanged.
 *
 * Return: NULL.
 */
COFFER_API struct coffer_call *coffer_call_free(struct coffer_call *call);

#ifdef __cplusplus
}
#endif
#endif
