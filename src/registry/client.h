/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

#include "registry/message.h"

/* The client's side of coffer-pull: start it, ask it, and doubt its answers. */

#define CLIENT_GETS_MAX 8 /* under way at once */

/**
 * client_start() - start coffer-pull for one registry
 * @program_dir: where it lies
 * @open:        the registry and the credential; magic is filled in
 * @ca_fd:       certificates, PEM, read from its beginning; -1 for none; borrowed
 * @ret_fd:      packets go over it; closing it ends the program
 * @err:         words for a failure
 *
 * Return: 0 or a negative errno.
 */
int client_start(const char *program_dir, struct pull_open *open, int ca_fd, int *ret_fd,
                 struct coffer_error *err);

/** client_get() - ask for something
 * @fd:          from client_start(); borrowed
 * @get:         what; magic is filled in
 * @ret_pipe_fd: where the bytes come; does not block
 * @err:         words for a failure
 *
 * Return: 0 or a negative errno.
 */
int client_get(int fd, struct pull_get *get, int *ret_pipe_fd, struct coffer_error *err);

/** client_event() - take an answer in
 * @fd:        from client_start(); borrowed; waited for
 * @ret_event: one that makes sense: its words are printable and end
 * @err:       that the program died, or what kept it from beginning
 *
 * Return: 0 or a negative errno.
 */
int client_event(int fd, struct pull_event *ret_event, struct coffer_error *err);
