/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"

/*
 * A program of coffer-init's own run in a box for the library: in a running one beside main, else
 * in one that is brought up for it.
 */

#define BUILTIN_WORDS_MAX 4096

/**
 * struct builtin - one that runs
 * @box:        borrowed
 * @helper:     the box was brought up for it
 * @process:    owned
 * @stdin_fd:   owned; ours
 * @stdout_fd:  owned; ours
 * @stderr_fd:  owned; ours
 * @words:      what it has said on stderr
 * @word_bytes: how much
 */
struct builtin {
        struct coffer_box *box;
        bool helper;
        struct coffer_process *process;
        int stdin_fd;
        int stdout_fd;
        int stderr_fd;
        char words[BUILTIN_WORDS_MAX];
        size_t word_bytes;
};

/**
 * builtin_start() - start one
 * @box:         running or not
 * @argv:        NULL-terminated
 * @timeout_ms:  it is ended after this time; COFFER_FOREVER: never
 * @ret_builtin: release with builtin_release()
 * @err:         words
 */
int builtin_start(struct coffer_box *box, const char *const *argv, int timeout_ms,
                  struct builtin *ret_builtin, struct coffer_error *err);
void builtin_release(struct builtin *b);

/** builtin_hear() - take in what is on its stderr now; 1 at its end, else 0 */
int builtin_hear(struct builtin *b);

/**
 * builtin_pump() - move bytes from one descriptor to the other up to the end of the first
 * @b:        its stderr is heard meanwhile
 * @from_fd:  from
 * @to_fd:    to; one of the two is a pipe of @b
 *
 * Return: 0, -EPIPE when nobody reads any more, or what read(2) and write(2) answer.
 */
int builtin_pump(struct builtin *b, int from_fd, int to_fd);

/**
 * builtin_finish() - close what is open and learn how it ended
 * @b:    the streams are closed
 * @what: for the message: "copy '/x' from box y"
 * @err:  its own words
 *
 * Return: 0; -ENOENT for BUILTIN_NO_PLACE; -ETIMEDOUT; or -EIO.
 */
int builtin_finish(struct builtin *b, const char *what, struct coffer_error *err);

/*
 * SIGPIPE of a write within the two is not delivered: the calling program may not know that we
 * write to pipes.  @old comes from the first.
 */
struct held_signal {
        bool was_blocked;
        bool was_pending;
};

void hold_sigpipe(struct held_signal *old);
void let_sigpipe(const struct held_signal *old);
