/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The foreground of run, start -a, attach and exec: our stdin, stdout and stderr are the
 * process's, the terminal is its terminal, and signals that come to us go to it.
 */

#include <signal.h>
#include <stdbool.h>

#include <coffer/coffer.h>

#include "base/loop.h"
#include "cli/keys.h"

/**
 * struct session_options - how to be connected
 * @read_stdin:  pass our stdin on
 * @tty:         the process has a terminal
 * @main:        it is main: its streams end with the box, so all of them is read
 * @sig_proxy:   pass signals on
 * @detach_keys: none when @keys.count is 0; used with @tty and @read_stdin only
 */
struct session_options {
        bool read_stdin;
        bool tty;
        bool main;
        bool sig_proxy;
        struct keys detach_keys;
};

/* How it ended. */
enum session_how {
        SESSION_ENDED,    /* the process has */
        SESSION_DETACHED, /* the keys were typed */
        SESSION_HUNG_UP,  /* our terminal or the reader of our output is gone: see the signal */
};

/**
 * struct session_end - how a session ended
 * @how:    which of the three
 * @exit:   of the process, for SESSION_ENDED
 * @signal: that ended us, SIGHUP or SIGPIPE, for SESSION_HUNG_UP
 */
struct session_end {
        enum session_how how;
        struct coffer_exit exit;
        int signal;
};

/**
 * session_check() - before anything is started: can our stdin serve?
 * @o: options
 * @err: "the input device is not a TTY"
 *
 * Return: 0, or -ENOTTY.
 */
int session_check(const struct session_options *o, struct coffer_error *err);

/**
 * session_catch() - from here on signals wait until the session can pass them on
 * @o: options
 *
 * Call it before the process is started; what the session does not pass on is left as it was.
 *
 * Return: a descriptor that the caller closes, or a negative errno.
 */
int session_catch(const struct session_options *o);

/**
 * session_await() - wait for a call of the library, ready to be ended by a signal
 * @call:       what was begun; borrowed
 * @signal_fd:  of session_catch()
 * @ret_signal: which one came first: -EINTR is returned then
 * @err:        why not
 *
 * Return: 0, -EINTR, or as coffer_call_finish().
 */
int session_await(struct coffer_call *call, int signal_fd, int *ret_signal,
                  struct coffer_error *err);

/**
 * session_run() - be connected until it ends
 * @process:   the process; its streams are taken
 * @o:         options
 * @signal_fd: of session_catch()
 * @ret_end:   how it ended
 * @err:       why not
 *
 * The terminal is as before when it returns.
 *
 * Return: 0, or a negative errno: the connection is broken, or our output cannot be written.
 */
int session_run(struct coffer_process *process, const struct session_options *o, int signal_fd,
                struct session_end *ret_end, struct coffer_error *err);
