/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the commands that remove many things at once have in common. */

#include "cli/command.h"

/**
 * ask_first() - ask whether to go on; only a person at a terminal is asked
 * @in:   the invocation
 * @hint: for a script that did not say --force
 * @what: "This removes …", without a full stop
 *
 * Return: 0 for yes, or the exit status.
 */
int ask_first(const struct invocation *in, const char *hint, const char *what);

/**
 * ask_told() - say what went
 * @head:  the heading; not printed when nothing went
 * @lines: what went, a line each
 * @count: how many
 * @bytes: what they took
 */
void ask_told(const char *head, char *const *lines, int count, uint64_t bytes);

/** ask_reclaimed() - say how much room came free, or would */
void ask_reclaimed(const char *words, uint64_t bytes);
