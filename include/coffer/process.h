/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_PROCESS_H
#define COFFER_PROCESS_H

#include <coffer/api.h>
#include <coffer/call.h>
#include <coffer/spec.h>

#ifdef __cplusplus
extern "C" {
#endif

struct coffer_box;

/*
 * One process of a box that we are connected to: main (by coffer_box_start() or
 * coffer_box_attach()) or an exec.
 */
struct coffer_process;

/*
 * Which streams.  The terminal of an exec is COFFER_TTY, in place of the other three.  Main's
 * output also goes to its log, so main always has pipes, and with a terminal COFFER_STDOUT carries
 * all.
 */
enum coffer_stream { COFFER_STDIN = 1, COFFER_STDOUT = 2, COFFER_STDERR = 4, COFFER_TTY = 8 };

/**
 * coffer_exec_start() - start one more process in a running box
 * @box:         the box; borrowed, must outlive the call only
 * @spec:        its command and the fields with COFFER_FIELD_PROCESS that were set; others are
 *               refused; borrowed
 * @timeout_ms:  how long to wait for the box to answer
 * @ret_process: free with coffer_process_free(), which ends the process unless it was detached
 * @err:         why not; may be NULL
 *
 * Environment, working directory, user and capabilities come from the box where @spec says
 * nothing.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -EBUSY      the box is not running (COFFER_ERROR_STATE)
 *   -EPERM      the box is paused (COFFER_ERROR_STATE)
 *   -ENOENT     the command is not in the box (COFFER_ERROR_NOT_FOUND), or its directory or user
 *   -EACCES, -ENOEXEC  it cannot be executed (COFFER_ERROR_NOT_EXECUTABLE)
 *   -EINVAL     a field of a box was set, or the command is empty
 *   -ETIMEDOUT  no answer in time; the process may or may not have started
 */
COFFER_API int coffer_exec_start(struct coffer_box *box, const struct coffer_spec *spec,
                                 int timeout_ms, struct coffer_process **ret_process,
                                 struct coffer_error *err);

/**
 * coffer_exec_start_begin() - coffer_exec_start() for an event loop
 * @box:      the box; must outlive the call
 * @spec:     borrowed, for this function only
 * @ret_call: take the process out with coffer_call_take_process()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_exec_start().
 */
COFFER_API int coffer_exec_start_begin(struct coffer_box *box, const struct coffer_spec *spec,
                                       struct coffer_call **ret_call, struct coffer_error *err);

/** coffer_process_pid() - its number in the host's PID namespace; 0 when that is not known */
COFFER_API pid_t coffer_process_pid(const struct coffer_process *process);

/**
 * coffer_process_stream() - our end of one of its streams
 * @process: owns the descriptor
 * @stream:  COFFER_STDIN, COFFER_STDOUT, COFFER_STDERR, or COFFER_TTY
 *
 * Pipes, or the master of a terminal that lives in the box; blocking until you change that.  A
 * terminal that nobody has open any more reads as -EIO: its end.
 *
 * Context: any thread.
 *
 * Return: the descriptor, or -EBADF when there is no such stream (any more).
 */
COFFER_API int coffer_process_stream(const struct coffer_process *process,
                                     enum coffer_stream stream);

/**
 * coffer_process_take_stream() - as coffer_process_stream(), and the descriptor is yours to close
 * @process: the process
 * @stream:  which one
 *
 * Closing COFFER_STDIN is how a process sees the end of its input.
 *
 * Context: one thread at a time per @process.
 *
 * Return: the descriptor, or -EBADF.
 */
COFFER_API int coffer_process_take_stream(struct coffer_process *process,
                                          enum coffer_stream stream);

/**
 * coffer_process_resize() - tell its terminal a new size
 * @process: the process
 * @rows:    lines
 * @columns: characters a line
 * @err:     why not; may be NULL
 *
 * Context: one thread at a time per @process.  Does not wait.
 *
 * Return: 0, -ENOTTY when it has no terminal, or -EPIPE when it is gone.
 */
COFFER_API int coffer_process_resize(struct coffer_process *process, uint32_t rows,
                                     uint32_t columns, struct coffer_error *err);

/**
 * coffer_process_signal() - send it a signal
 * @process: the process
 * @signal:  1 to 64
 * @err:     why not; may be NULL
 *
 * The answer is not waited for: a process that has just ended is no error.
 *
 * Context: one thread at a time per @process.  Does not wait.
 *
 * Return: 0, -EINVAL for a number that is no signal, or -EPIPE when it is gone.
 */
COFFER_API int coffer_process_signal(struct coffer_process *process, int signal,
                                     struct coffer_error *err);

/**
 * coffer_process_detach() - let it go on without us
 * @process:    the process
 * @timeout_ms: how long to wait for the box's word that it will
 * @err:        why not; may be NULL
 *
 * After it coffer_process_free() does not end the process, nor the box that was started in the
 * foreground.  Our ends of its streams are closed.
 *
 * Context: one thread at a time per @process.  Blocks.
 *
 * Return: 0, -EPIPE when it is gone, or -ETIMEDOUT.
 */
COFFER_API int coffer_process_detach(struct coffer_process *process, int timeout_ms,
                                     struct coffer_error *err);

/**
 * coffer_process_fd() - a descriptor that polls readable when coffer_process_dispatch() has work
 * @process: owns the descriptor
 *
 * Context: any thread.
 *
 * Return: the descriptor.
 */
COFFER_API int coffer_process_fd(const struct coffer_process *process);

/**
 * coffer_process_dispatch() - take in what the box has said, without waiting
 * @process:  the process
 * @ret_exit: how it ended; written when 1 is returned
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @process.  Does not block.
 *
 * Return: 1 when the process has ended, 0 when it has not, or a negative errno when the box can
 * no longer be asked and left no exit status.
 */
COFFER_API int coffer_process_dispatch(struct coffer_process *process, struct coffer_exit *ret_exit,
                                       struct coffer_error *err);

/**
 * coffer_process_wait() - wait until it has ended
 * @process:    the process
 * @timeout_ms: how long
 * @ret_exit:   how it ended
 * @err:        why not; may be NULL
 *
 * A process that writes more than a pipe holds ends only when somebody reads its streams.
 *
 * Context: one thread at a time per @process.  Blocks.
 *
 * Return: 0, -ETIMEDOUT, or as coffer_process_dispatch().
 */
COFFER_API int coffer_process_wait(struct coffer_process *process, int timeout_ms,
                                   struct coffer_exit *ret_exit, struct coffer_error *err);

/**
 * coffer_process_free() - hang up
 * @process: may be NULL
 *
 * An exec that was not detached ends.  A box that was started in the foreground and is still
 * running is stopped.  Main of any other box goes on.
 *
 * Context: any thread.  errno is unchanged.
 *
 * Return: NULL.
 */
COFFER_API struct coffer_process *coffer_process_free(struct coffer_process *process);

#ifdef __cplusplus
}
#endif
#endif
