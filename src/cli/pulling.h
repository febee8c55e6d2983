/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Pulling an image for a person or a program that watches: pull, and run and create before a box.
 */

#include "cli/command.h"

/**
 * struct pull_args - its options
 * @policy:   --pull: always, missing, newer or never; NULL: missing
 * @platform: --platform, or NULL
 * @progress: --progress: auto, plain or json; NULL: auto
 * @quiet:    -q: nothing is said on the way
 */
struct pull_args {
        const char *policy;
        const char *platform;
        const char *progress;
        bool quiet;
};

/**
 * pulling_load() - take the images of an archive in, saying how it goes on a terminal
 * @runtime:   the home
 * @fd:        the archive; borrowed
 * @quiet:     nothing is said on the way
 * @ret_lines: what coffer_image_load() says
 * @err:       why not
 *
 * Return: how many lines there are, or a negative errno.
 */
int pulling_load(struct coffer_runtime *runtime, int fd, bool quiet, char ***ret_lines,
                 struct coffer_error *err);

/** pulling_check() - whether these can be options; 0 or -EINVAL */
int pulling_check(const struct pull_args *args, struct coffer_error *err);

/**
 * pulling_run() - have an image here, saying how it goes
 * @runtime:   the home
 * @reference: as the user wrote it
 * @args:      checked
 * @ret:       what coffer_image_pull() found
 * @err:       why not
 *
 * Return: 0 or a negative errno.
 */
int pulling_run(struct coffer_runtime *runtime, const char *reference, const struct pull_args *args,
                struct coffer_pull_result *ret, struct coffer_error *err);
