/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * boxes/<id>/state.json: the last known state of a box.  Written by the shim, and by whoever
 * finds under the lock that the shim died; replaced by rename.  A missing file means "created".
 */

#define STATE_BYTES_MAX   (256 * 1024)
#define STATE_POSTURE_MAX 64

#define HEALTH_OF_THE_DEAD "unhealthy" /* of a box that does not run: so in Docker */

/**
 * struct box_record - the fields of state.json
 * @state:         a word of enum box_state
 * @reason:        why it is "failed": "shim died"
 * @error:         what went wrong in one line, for people
 * @pid:           of main in the host's PID namespace; 0 when it does not run
 * @pid_inode:     of its pidfd, which tells it from whoever gets @pid later; 0: not known
 * @pid_start:     before Linux 6.9, which has no such number: when it was started, as in
 *                 /proc/PID/stat; 0: not known
 * @created_ns:    when the box was made, in nanoseconds since 1970
 * @started_ns:    when main was last started; 0: never
 * @finished_ns:   when it last ended; 0: never
 * @exit_code:     of the last run: 0 to 255, or 128 + signal
 * @oom_killed:    the memory limit ended it
 * @timed_out:     --timeout ended it
 * @stop_asked:    a client asked for the end since it last started the box
 * @restart_count: by the restart policy, since then
 * @health:        "", or "starting", "healthy", "unhealthy" where there is a health check
 * @posture:       owned; "control\twanted\tstate\tdetail"
 */
struct box_record {
        char state[16];
        char reason[64];
        char error[COFFER_ERROR_MSG_MAX];
        uint32_t pid;
        uint64_t pid_inode;
        uint64_t pid_start;
        uint64_t created_ns;
        uint64_t started_ns;
        uint64_t finished_ns;
        uint32_t exit_code;
        bool oom_killed;
        bool timed_out;
        bool stop_asked;
        uint32_t restart_count;
        char health[12];
        struct strv posture; /* owned */
};

void box_record_release(struct box_record *record);

/**
 * state_write() - replace state.json
 * @box_dir_fd: the directory of the box
 * @record:     all of it
 * @sync:       on disk before the call returns
 *
 * Context: under the box's lock.
 *
 * Return: 0 or a negative errno, with the old file in place.
 */
int state_write(int box_dir_fd, const struct box_record *record, bool sync);

/**
 * state_read() - read state.json
 * @box_dir_fd: the directory of the box
 * @ret_record: release with box_record_release()
 * @err:        why not; may be NULL
 *
 * In state-read.c, which needs a JSON parser; the shim only writes.
 *
 * Return: 0, -ENOENT when the box has never been started, -EBADMSG when it is torn or not ours,
 * or a negative errno.
 */
int state_read(int box_dir_fd, struct box_record *ret_record, struct coffer_error *err);

/** state_parse() - the same from memory */
int state_parse(const char *text, size_t size, struct box_record *ret_record,
                struct coffer_error *err);

/** posture_append_json() - an array of {control, wanted, state}, and detail when @whole */
void posture_append_json(struct buf *to, const struct strv *rows, bool whole);

/** now_ns() - CLOCK_REALTIME in nanoseconds */
uint64_t now_ns(void);
