/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "store/home.h"

/*
 * What happened to boxes and volumes: one JSON object a line, with Docker's keys, in the file
 * `events` of the home.  Everybody appends with one write(2), which O_APPEND makes whole; lines
 * are in the order of writing, which is that of time but for a few microseconds.  A file that is
 * full becomes events.1, that one events.2.
 */

#define EVENT_LINE_MAX  (64 * 1024)
#define EVENTS_FILE_MAX (4 * 1024 * 1024)
#define EVENTS_FILES    3

/**
 * struct event - one line
 * @type:    "container" or "volume"
 * @action:  "create", "start", "die", "exec_start: /bin/sh", …
 * @id:      of the box, or the name of the volume
 * @name:    of the box; NULL for a volume
 * @image:   reference of the box; NULL for a volume
 * @labels:  "key=value"; NULL for none
 * @extra:   pairs of attribute and value, ended by NULL, like {"exitCode", "0", NULL}; may be NULL
 * @time_ns: 0: now
 * @posture: rows as in struct box_record, told without their details; NULL for none
 */
struct event {
        const char *type;
        const char *action;
        const char *id;
        const char *name;
        const char *image;
        const struct strv *labels;
        const char *const *extra;
        uint64_t time_ns;
        const struct strv *posture;
};

/**
 * event_append() - write a line
 * @home_fd: the home, or from a box directory what "../.." of it opens
 * @event:   what
 *
 * An event that cannot be written (a full disk) is lost; callers go on.
 *
 * Return: 0 or a negative errno.
 */
int event_append(int home_fd, const struct event *event);

/** event_format() - the line with its newline; 0, -E2BIG or -ENOMEM */
int event_format(const struct event *event, struct buf *to);

/**
 * event_time() - when a line was written
 * @line:  without its newline
 * @bytes: its length
 *
 * Return: the time in nanoseconds, or 0 when it is torn or no line of ours.
 */
uint64_t event_time(const char *line, size_t bytes);

/**
 * struct event_reader - a walk over the files, oldest first
 * @home_fd: borrowed
 * @fd:      owned; the file being read
 * @inode:   of it
 * @text:    owned; read but not handed out
 * @used:    how much of @text has been handed out
 */
struct event_reader {
        int home_fd;
        int fd;
        uint64_t inode;
        struct buf text;
        size_t used;
};

/**
 * event_reader_open() - begin a walk
 * @reader:   overwritten; close with event_reader_close()
 * @home_fd:  borrowed
 * @from_end: skip what is there already
 */
int event_reader_open(struct event_reader *reader, int home_fd, bool from_end);

/**
 * event_reader_next() - the next whole line; lines that are not ours are left out
 * @reader:   the walk
 * @ret_line: NUL-terminated, no newline; borrowed until the next call
 * @ret_ns:   its time
 *
 * At the end it may be called again, as log_reader_next().
 *
 * Return: 1 with a line, 0 at the end, or a negative errno.
 */
int event_reader_next(struct event_reader *reader, char **ret_line, uint64_t *ret_ns);
void event_reader_close(struct event_reader *reader);
