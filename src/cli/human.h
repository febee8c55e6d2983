/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Times and sizes as people read and write them; the words are Docker's (go-units).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HUMAN_NS_PER_SEC INT64_C(1000000000)

/** human_duration() - "About an hour", "3 days" */
int human_duration(int64_t seconds, struct buf *to);

/** human_size() - "1.23kB": powers of 1000, four figures */
int human_size(uint64_t bytes, struct buf *to);

/**
 * human_read_duration() - read a length of time
 * @s:      "90", "90s", "1h30m", "1.5h", "250ms"; a bare number counts seconds
 * @ret_ns: nanoseconds
 *
 * Return: 0, -EINVAL, or -ERANGE when it does not fit.
 */
int human_read_duration(const char *s, int64_t *ret_ns);

/**
 * human_read_time() - read a point in time
 * @s:      RFC 3339 or a shorter beginning of it (local time when it names no zone), seconds since
 *          1970 with or without a fraction, or a duration: so long before @now_ns
 * @now_ns: since 1970
 * @ret_ns: since 1970
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int human_read_time(const char *s, int64_t now_ns, int64_t *ret_ns);

/** human_time() - append RFC 3339 in UTC with nine digits behind the point */
int human_time(int64_t ns, struct buf *to);

/** human_local_time() - append "2026-01-31 12:00:00 +0100 CET", what Docker's CreatedAt says */
int human_local_time(int64_t ns, struct buf *to);

/** human_now() - nanoseconds since 1970 */
int64_t human_now(void);
