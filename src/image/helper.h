/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

#include "base/buf.h"
#include "image/message.h"

/* The client's side of coffer-unpack: start it, and doubt its answer. */

/**
 * helper_start() - start coffer-unpack on a job
 * @program_dir: where it lies
 * @req:         the job; magic is filled in
 * @source_fd:   UNPACK_FD_SOURCE, or -1; borrowed
 * @target_fd:   UNPACK_FD_TARGET, or -1; borrowed
 * @userns_fd:   UNPACK_FD_USERNS, or -1; borrowed
 * @ret_fd:      where the answer will come; half-closing it (SHUT_WR) asks for an early end
 * @err:         words for a failure
 *
 * Return: 0 or a negative errno.
 */
int helper_start(const char *program_dir, struct unpack_request *req, int source_fd, int target_fd,
                 int userns_fd, int *ret_fd, struct coffer_error *err);

/** helper_answer() - wait for the answer
 * @fd:     from helper_start(); borrowed
 * @answer: appended to on success
 * @err:    the program's own error, made printable, or that it died
 *
 * Return: 0 or a negative errno.
 */
int helper_answer(int fd, struct buf *answer, struct coffer_error *err);

/** helper_done() - wait for an answer that is a struct unpack_done
 * @fd:       from helper_start(); borrowed
 * @ret_done: may be NULL
 * @err:      as helper_answer()
 */
int helper_done(int fd, struct unpack_done *ret_done, struct coffer_error *err);
