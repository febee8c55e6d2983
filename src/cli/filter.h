/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * --filter KEY=VALUE, as Docker reads it: of one key any value may match, of several keys all must.
 */

#include <coffer/error.h>
#include <stdbool.h>

#include "base/str.h"

/**
 * struct filter_key - a key that a command knows; a table ends with a row without a name
 * @name:  the key
 * @match: whether @item is meant by @value
 * @check: whether @value is one; NULL: all are; a negative errno with @err set
 */
struct filter_key {
        const char *name;
        bool (*match)(const void *item, const char *value);
        int (*check)(const char *value, struct coffer_error *err);
};

/** filter_check() - all @filters have a key of @keys and a value; 0 or -EINVAL */
int filter_check(const struct strv *filters, const struct filter_key *keys,
                 struct coffer_error *err);

/** filter_match() - whether @item passes @filters, which were checked */
bool filter_match(const struct strv *filters, const struct filter_key *keys, const void *item);

/** filter_label() - whether "KEY" or "KEY=value" is among NULL-terminated "KEY=value" @labels */
bool filter_label(const char *const *labels, const char *wanted);

/** filter_check_bool() - a check for keys whose value is true or false */
int filter_check_bool(const char *value, struct coffer_error *err);
/** filter_is_true() - a value that filter_check_bool() has seen */
bool filter_is_true(const char *value);
