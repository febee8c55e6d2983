/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/str.h"
#include "spec/spec.h"

/*
 * What coffer.conf says of boxes that are made: its section [run], what the caller does not say
 * himself, and [locked], which binds him.
 */

/**
 * defaults_apply() - fill in what was not given, and refuse what is locked
 * @s:     with what the caller gave
 * @given: the keys that he gave
 * @err:   names file and line
 *
 * Return: 0 or a negative errno; after a failure @s is good for spec_release() only.
 */
int defaults_apply(struct spec *s, const struct strv *given, struct coffer_error *err);

/**
 * defaults_check() - may a box that is there be changed so?
 * @s:     what it would become
 * @given: the keys that are changed; what the box had before is let be
 * @err:   names file and line
 *
 * Return: 0 or a negative errno.
 */
int defaults_check(const struct spec *s, const struct strv *given, struct coffer_error *err);
