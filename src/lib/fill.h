/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"

/**
 * fill_volumes() - give new volumes what the image has where they are mounted, as Docker does
 * @box:     was just made
 * @targets: where they are mounted
 * @err:     words
 *
 * Context: blocks; brings the box up twice for each target that the image has.
 *
 * Return: 0 or a negative errno.
 */
int fill_volumes(struct coffer_box *box, const struct strv *targets, struct coffer_error *err);
