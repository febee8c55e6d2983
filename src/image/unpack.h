/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

#include "image/message.h"

/*
 * The inside of coffer-unpack.  Its order is: read the request, load what needs files, give up all
 * rights but the job's, and only then look at the first foreign byte.
 */

/** unpack_confine() - give up everything that the job does not need
 * @req: the request
 * @err: names the step
 *
 * Return: 0, or a negative errno: then the process must not go on.
 */
int unpack_confine(const struct unpack_request *req, struct coffer_error *err);

/** unpack_seccomp() - the last step of it; 0 or a negative errno */
int unpack_seccomp(void);
