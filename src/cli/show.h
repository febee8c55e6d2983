/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `inspect` and `volume inspect` have in common: objects of the library, shown as asked. */

#include "cli/command.h"

/** typedef show_fn - get the JSON object of one reference; freed with coffer_free() */
typedef int (*show_fn)(struct coffer_runtime *runtime, const char *reference, char **ret_json,
                       struct coffer_error *err);

/** show_check() - before anything is asked for: is @format one? 0 or -EINVAL */
int show_check(const char *format, struct coffer_error *err);

/**
 * show_objects() - show what @in->argv names
 * @in:      the invocation
 * @runtime: the home
 * @format:  NULL: an array over many lines; "json": an array on one; else a template
 * @get:     asks the library
 *
 * What is not there is reported, and the rest is shown all the same.
 *
 * Return: the exit status.
 */
int show_objects(const struct invocation *in, struct coffer_runtime *runtime, const char *format,
                 show_fn get);

/** show_posture() - a table of the controls of each box that @in->argv names */
int show_posture(const struct invocation *in, struct coffer_runtime *runtime, show_fn get);

/** show_object() - one object: NULL or "": over many lines; "json"; or a template; 0 or -errno */
int show_object(const char *json, const char *format, struct coffer_error *err);
