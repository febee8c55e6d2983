/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>
#include <stddef.h>

/*
 * What Docker has and Coffer has not, on purpose: each is named, with what to do instead.  (Values
 * that are refused, such as --network host, are the library's to refuse.)
 */

/** foreign_option() - an option we do not have: 0 when nothing is known about it, else -EINVAL
 * with @err set.  @name has @size bytes; @value is the word behind it, or NULL. */
int foreign_option(const char *name, size_t size, const char *value, struct coffer_error *err);
