/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where a command writes an archive: a file that is there whole or not at all, or standard output.
 */

#include <stdbool.h>

#include <coffer/error.h>

/**
 * struct output - one
 * @name:      of the file; NULL: standard output; borrowed
 * @temporary: what it is called until it is whole; owned; NULL: what is written to is no file of
 *             ours
 * @nameless:  the file has no name until then
 * @fd:        to write to
 */
struct output {
        const char *name;
        char *temporary;
        bool nameless;
        int fd;
};

/** output_check() - 0, or -EINVAL when it would be a terminal; @name is NULL for standard output */
int output_check(const char *name, struct coffer_error *err);

/** output_open() - begin
 * @o:    filled; output_close()
 * @name: borrowed until then; NULL: standard output
 * @err:  words
 *
 * Return: 0 or a negative errno.
 */
int output_open(struct output *o, const char *name, struct coffer_error *err);

/** output_close() - end
 * @o:    its file comes to its name
 * @code: below 0: nothing of it stays
 * @err:  words, where @code is 0
 *
 * Return: @code, or a negative errno.
 */
int output_close(struct output *o, int code, struct coffer_error *err);
