/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

/**
 * error_set() - describe a failure
 * @err:    where to; may be NULL
 * @code:   negative errno
 * @format: a verb phrase, "open '%s'"; ": <strerror>" is appended
 *
 * A code that means the same whatever was being done, such as ENOSPC, brings its hint along; the
 * caller may replace it with error_hint().
 *
 * Return: @code, so that it can be returned at once.
 */
int error_set(struct coffer_error *err, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/**
 * error_say() - describe a failure whose reason is in the words, not in errno
 * @err:    where to; may be NULL
 * @code:   negative errno; not appended to the text
 * @kind:   an enum coffer_error_kind
 * @format: the whole line
 *
 * Return: @code.
 */
int error_say(struct coffer_error *err, int code, enum coffer_error_kind kind, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

/**
 * error_wrap() - put what the caller was doing before what went wrong
 * @err:    an error that is already set; may be NULL
 * @code:   negative errno; replaces err->code
 * @format: a verb phrase, "start box %s"
 *
 * Return: @code.
 */
int error_wrap(struct coffer_error *err, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/** error_kind() - set the kind of an error that is already set; @err may be NULL */
void error_kind(struct coffer_error *err, enum coffer_error_kind kind);

/** error_hint_path() - the usual hint about a path of the caller's, if @code has one */
void error_hint_path(struct coffer_error *err, int code);

/** error_hint() - say what the user can do; @err may be NULL */
void error_hint(struct coffer_error *err, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
