/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/record.h"
#include "base/buf.h"

/*
 * The audit log of one box, in the home's directory audit/:
 *
 *      <id>.jsonl      what is written to; full, it becomes <id>.jsonl.1, that one .2, …
 *      <id>.head       how many records there are and the hash of the last one
 *
 * The head is rewritten in place after each record, so a log that was cut is shorter than it; both
 * are on disk when the box has ended.  One writer: who holds the box's lock.
 */

#define AUDIT_DIR        "audit"
#define AUDIT_ID_MAX     32
#define AUDIT_FILE_MAX   (4 * 1024 * 1024)
#define AUDIT_FILES      4
#define AUDIT_HEAD_BYTES 320
#define AUDIT_BATCH_MAX  8 /* records between two writings of the head */

/**
 * struct audit_head - what <id>.head says
 * @count:   how many records have been written, ever
 * @hash:    of the last
 * @first:   number of the oldest that rotation has left
 * @base:    its `prev`
 * @dropped: how many could not be written
 */
struct audit_head {
        uint64_t count;
        char hash[AUDIT_HASH_CHARS + 1];
        uint64_t first;
        char base[AUDIT_HASH_CHARS + 1];
        uint64_t dropped;
};

/** audit_head_format() - the file's bytes */
void audit_head_format(const struct audit_head *head, char ret_text[AUDIT_HEAD_BYTES + 1]);
/** audit_head_parse() - 0, -ENODATA for an empty file, or -EBADMSG */
int audit_head_parse(const char *text, size_t bytes, struct audit_head *ret);
/** audit_head_read() - of a box; 0, -ENOENT, -ENODATA, -EBADMSG or another negative errno */
int audit_head_read(int dir_fd, const char *id, struct audit_head *ret);

struct audit_name {
        char text[AUDIT_ID_MAX + 24];
};

/** audit_file() - the name of a log file; 0: the one that is written to */
struct audit_name audit_file(const char *id, unsigned number);
struct audit_name audit_head_file(const char *id);

/**
 * struct audit_log - an open log
 * @who:     copied, what it points to is borrowed
 * @dir_fd:  owned; audit/
 * @fd:      owned; the current file
 * @head_fd: owned
 * @head:    as on disk
 * @next:    as it will be when @pending is written
 * @bytes:   size of the current file
 * @max_bytes: before it is rotated
 * @files:   how many are kept
 * @pending: owned; lines that wait for audit_write()
 * @waiting: how many
 * @missed:  records that could not be written and that the head does not count yet; kept when the
 *           log is closed and opened again
 * @torn:    what a failed write has left could not be taken back yet
 * @differs: the log was not as its head said, and the record of that is not written yet
 * @is_new:  the directory has an entry that is not on disk
 */
struct audit_log {
        struct audit_subject who;
        int dir_fd;
        int fd;
        int head_fd;
        struct audit_head head;
        struct audit_head next;
        uint64_t bytes;
        uint64_t max_bytes;
        unsigned files;
        struct buf pending;
        unsigned waiting;
        uint64_t missed;
        bool torn;
        bool differs;
        bool is_new;
};

#define AUDIT_LOG_INIT ((struct audit_log){.dir_fd = -EBADF, .fd = -EBADF, .head_fd = -EBADF})

/**
 * audit_open() - open a log, or begin it
 * @log:     AUDIT_LOG_INIT, or as audit_close() has left it
 * @home_fd: the home
 * @who:     the box and the program
 *
 * A line that a killed writer left torn is cut off; that, and any difference from the head, waits
 * as a record to be written with the next.
 *
 * Context: under the box's lock.
 *
 * Return: 0; -EBADMSG when it does not end as any log of ours could; or another negative errno.
 */
int audit_open(struct audit_log *log, int home_fd, const struct audit_subject *who);

/** audit_add() - one more record to write; an error is that of the audit_write() to come */
void audit_add(struct audit_log *log, const struct audit_record *record);

/**
 * audit_write() - write what waits, with one write(2), and the head
 * @log:  the log
 * @sync: they are on disk when the call returns
 *
 * Return: 0; or a negative errno, with the log as it was and one drop counted for each record.  If
 * it differed from its head it is closed then.
 */
int audit_write(struct audit_log *log, bool sync);

/** audit_missed() - one record could not be written since the log cannot be opened */
void audit_missed(struct audit_log *log);

/** audit_is_open() - whether audit_open() has succeeded */
bool audit_is_open(const struct audit_log *log);

void audit_close(struct audit_log *log);
