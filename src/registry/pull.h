/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>
#include <stdbool.h>

#include "base/buf.h"
#include "registry/message.h"

/*
 * The inside of coffer-pull.  Its order is: load what needs files (certificates, the C library's
 * and curl's tables), give up all rights, and only then open the first connection.
 */

/** pull_confine() - give up everything but sockets
 * @err: names the step
 *
 * Return: 0, or a negative errno: then the process must not go on.
 */
int pull_confine(struct coffer_error *err);

/**
 * struct pull_ca - certificates to trust, PEM
 * @text: the system's and those of PULL_FD_CA
 */
struct pull_ca {
        struct buf text;
};

/** pull_ca_load() - read them, while files can still be read */
int pull_ca_load(struct pull_ca *ca, struct coffer_error *err);

/** pull_run() - answer requests until the other end is closed; 0 or a negative errno */
int pull_run(const struct pull_open *open, const struct pull_ca *ca);
