/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

#include "image/image.h"

/** change_apply() - change what an image asks for, as a line of a Dockerfile does
 * @config: changed
 * @text:   "CMD …", "ENTRYPOINT …", "ENV …", "EXPOSE …", "LABEL …", "STOPSIGNAL …", "USER …",
 *          "VOLUME …" or "WORKDIR …"; the user's own
 * @err:    one line and a hint
 *
 * Variables are not replaced: nothing has set any.
 *
 * Return: 0, or -EINVAL with the kind COFFER_ERROR_USAGE, or -ENOMEM.
 */
int change_apply(struct image_config *config, const char *text, struct coffer_error *err);
