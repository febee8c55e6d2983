/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * boxes/<id>/log: what main wrote, as records of a header and the bytes.  When the file has its
 * size it becomes log.1, that one log.2, and so on; the oldest is dropped.  The last record of a
 * file may be torn by a death in mid-write: readers stop before it, the next writer cuts it off.
 */

#define LOG_RECORD_MAX (64 * 1024) /* bytes of one record */
#define LOG_FILES_MAX  100

/* Little-endian on disk. */
struct log_header {
        uint32_t bytes;
        uint8_t stream; /* enum log_stream */
        uint8_t zero[3];
        uint64_t time_ns; /* since 1970 */
};

enum log_stream {
        LOG_NOTE = 0, /* coffer's own: text without a newline */
        LOG_STDOUT = 1,
        LOG_STDERR = 2,
};

#define LOG_NOTE_CUT "output may be cut here"

/**
 * struct box_log - a log that is being written
 * @fd:        owned; log
 * @dir_fd:    borrowed; the directory of the box
 * @bytes:     of the file
 * @max_bytes: of one file
 * @files:     how many there may be, the current one included
 */
struct box_log {
        int fd;
        int dir_fd;
        uint64_t bytes;
        uint64_t max_bytes;
        uint32_t files;
};

/**
 * box_log_open() - begin to write, after what is there
 * @log:        overwritten; close with box_log_close()
 * @box_dir_fd: borrowed for as long as the log is open
 * @max_bytes:  of one file; at least one record fits whatever it is
 * @files:      1 to LOG_FILES_MAX
 *
 * Return: 0 or a negative errno.
 */
int box_log_open(struct box_log *log, int box_dir_fd, uint64_t max_bytes, uint32_t files);

/**
 * box_log_append() - add one record, or several when there are more than LOG_RECORD_MAX bytes
 * @log:     open
 * @stream:  enum log_stream
 * @time_ns: when the bytes were read
 * @data:    the bytes
 * @bytes:   how many; 0 adds nothing
 *
 * Rotates before a record that would make the file too large.
 *
 * Return: 0 or a negative errno (-ENOSPC); a record that did not fit on the disk is taken back.
 */
int box_log_append(struct box_log *log, enum log_stream stream, uint64_t time_ns, const void *data,
                   size_t bytes);

/** box_log_rotate() - begin a new file now */
int box_log_rotate(struct box_log *log);
/** box_log_close() - may be called twice */
void box_log_close(struct box_log *log);

/**
 * struct log_record - one record that was read
 * @stream:  enum log_stream
 * @time_ns: as written
 * @data:    borrowed from the reader, until its next call
 * @bytes:   how many
 */
struct log_record {
        enum log_stream stream;
        uint64_t time_ns;
        const char *data;
        size_t bytes;
};

/**
 * struct log_reader - a walk over the files of a log, oldest first
 * @dir_fd: borrowed
 * @fd:     owned; the file being read; negative when there was none yet
 * @inode:  of @fd
 * @block:  owned; read but not yet handed out
 * @used:   how much of @block has been handed out
 */
struct log_reader {
        int dir_fd;
        int fd;
        uint64_t inode;
        struct buf block;
        size_t used;
};

/** log_reader_open() - begin at the oldest record; a log that does not exist yet is empty */
int log_reader_open(struct log_reader *reader, int box_dir_fd);

/**
 * log_reader_next() - the next record
 * @reader:     the walk
 * @ret_record: the record
 *
 * At the end it may be called again: it goes on with what was written meanwhile, through
 * rotations too.
 *
 * Return: 1 with a record, 0 at the end, -EBADMSG when the file is damaged, or a negative errno.
 */
int log_reader_next(struct log_reader *reader, struct log_record *ret_record);
void log_reader_close(struct log_reader *reader);
