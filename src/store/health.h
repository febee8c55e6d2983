/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct coffer_error;

/*
 * boxes/<id>/health.json: the last probes of a box that has a health check.  Written by the shim
 * after each probe, without a sync; what became of them, the status, is in state.json.
 */

#define HEALTH_LOG_MAX      5    /* as Docker; so is what follows */
#define HEALTH_OUTPUT_BYTES 4096 /* of one probe; what is cut off shows as "..." behind it */

/**
 * struct health_probe - one probe
 * @start_ns:  nanoseconds since 1970
 * @end_ns:    likewise
 * @exit_code: of its process: 0 to 255, or 128 + signal; -1: it could not be run, or took too long
 * @output:    owned; what it wrote, or why it could not be run
 */
struct health_probe {
        uint64_t start_ns;
        uint64_t end_ns;
        int exit_code;
        char *output; /* owned */
};

/**
 * struct health_log - the last ones
 * @failing_streak: how many in a row have failed
 * @probes:         the oldest first
 * @count:          how many of them there are
 */
struct health_log {
        uint32_t failing_streak;
        struct health_probe probes[HEALTH_LOG_MAX];
        size_t count;
};

void health_log_release(struct health_log *log);

/** health_log_add() - append @probe, whose output is taken; the oldest one makes room */
void health_log_add(struct health_log *log, const struct health_probe *probe);

/**
 * health_output() - what a probe wrote as a string, for struct health_probe
 * @head:  what stands before it; may be ""
 * @bytes: anything
 * @size:  of it; what is above HEALTH_OUTPUT_BYTES is cut off
 *
 * A NUL becomes a byte that is not UTF-8, and so U+FFFD in the file, like all that is not text.
 *
 * Return: from malloc; NULL without memory.
 */
char *health_output(const char *head, const void *bytes, size_t size);

/** health_log_write() - replace health.json; 0 or a negative errno */
int health_log_write(int box_dir_fd, const struct health_log *log);

/**
 * health_log_read() - read health.json
 * @box_dir_fd: the directory of the box
 * @ret_log:    release with health_log_release()
 * @err:        why not; may be NULL
 *
 * In health-read.c, which needs a JSON parser; the shim only writes.
 *
 * Return: 0, -ENOENT when there was no probe yet, -EBADMSG when it is torn or not ours, or a
 * negative errno.
 */
int health_log_read(int box_dir_fd, struct health_log *ret_log, struct coffer_error *err);
