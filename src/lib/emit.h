/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Writing JSON, member after member; commas come by themselves.  A @key of NULL writes an item of
 * an array.  Failures stay in the buffer: look at it once, at the end.
 */

void emit_open(struct buf *to, const char *key, char bracket); /* '{' or '[' */
void emit_close(struct buf *to, char bracket);                 /* '}' or ']' */
/** emit_str() - @value may be NULL, which is "" */
void emit_str(struct buf *to, const char *key, const char *value);
void emit_bool(struct buf *to, const char *key, bool value);
void emit_u64(struct buf *to, const char *key, uint64_t value);
void emit_i64(struct buf *to, const char *key, int64_t value);
void emit_null(struct buf *to, const char *key);
/** emit_time() - nanoseconds since 1970 as RFC 3339; 0 is Docker's "never", 0001-01-01T00:00:00Z */
void emit_time(struct buf *to, const char *key, uint64_t time_ns);
/** emit_strv() - an array of strings */
void emit_strv(struct buf *to, const char *key, const struct strv *list);
/** emit_pairs() - "NAME=value" strings as an object */
void emit_pairs(struct buf *to, const char *key, const struct strv *list);
