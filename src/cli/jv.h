/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON to show, not to understand: a value is the piece of text that it is written as.  What
 * `inspect` prints is then exactly what the library said, in its order and with its numbers, and
 * `ps` needs neither a tree nor a library for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define JV_DEPTH_MAX 64

/**
 * struct jv - one value in a text that somebody else keeps
 * @text: its first byte; NULL: no value
 * @size: its bytes, blanks around it not counted
 */
struct jv {
        const char *text;
        size_t size;
};

/** jv_read() - check a whole text; 0 or -EINVAL.  All other calls want values that come from here
 */
int jv_read(const char *text, size_t size, struct jv *ret_value);

/** jv_type() - '{', '[', '"', '0' for a number, 't', 'f', 'n', or 0 for no value */
char jv_type(struct jv v);

/** jv_member() - the member @key of @object; no value when there is none */
struct jv jv_member(struct jv object, const char *key);

/**
 * jv_next() - walk an object or an array
 * @v:         what to walk; anything else has no items
 * @at:        0 before the first call; ours between calls
 * @ret_key:   the name, a string; untouched for arrays; may be NULL
 * @ret_value: the item
 *
 * Return: false after the last item.
 */
bool jv_next(struct jv v, size_t *at, struct jv *ret_key, struct jv *ret_value);

/** jv_count() - items of an object or array, else 0 */
size_t jv_count(struct jv v);

/** jv_plain() - append a string without its quotes and escapes, anything else as written */
int jv_plain(struct jv v, struct buf *to);

/** jv_pretty() - append over several lines, each indented by @indent and 4 more per level */
int jv_pretty(struct jv v, unsigned indent, struct buf *to);

/** jv_compact() - append on one line */
int jv_compact(struct jv v, struct buf *to);

/** jv_is() - a string that reads @s */
bool jv_is(struct jv v, const char *s);

/** jv_dup() - jv_plain() of a member into memory of its own, "" when absent; NULL: no memory */
char *jv_dup(struct jv object, const char *key);

/** jv_int() - a whole number, or @otherwise */
int64_t jv_int(struct jv object, const char *key, int64_t otherwise);

/** jv_true() - the member is there and is true */
bool jv_true(struct jv object, const char *key);
