/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "audit/log.h"

/* Whether a log is as it was written, and if not, where not. */

enum audit_problem {
        AUDIT_INTACT,
        AUDIT_IS_GONE,      /* there was a log, and there is none */
        AUDIT_IS_EDITED,    /* a record is not what it was */
        AUDIT_IS_REORDERED, /* records have changed places, or one is there twice */
        AUDIT_IS_REMOVED,   /* records in the middle are missing */
        AUDIT_IS_BEHEADED,  /* the oldest are missing, and rotation did not take them */
        AUDIT_IS_TRUNCATED, /* the newest are missing */
        AUDIT_HAS_NO_HEAD,
        AUDIT_HEAD_DIFFERS, /* the head is of another log, or an older one */
        AUDIT_HEAD_UNKNOWN, /* the one that was kept elsewhere is of no record */
        AUDIT_HAS_LOST,     /* a record says that records were missing when a box was started */
        AUDIT_PROBLEM_COUNT
};

/**
 * struct audit_report - what was found
 * @problem: the first one
 * @file:    in which file of the log, as for audit_file()
 * @line:    in which line of it; 0: none
 * @from:    numbers of the records that are meant
 * @to:      the last of them
 * @records: how many lines there are
 * @first:   number of the oldest
 * @last:    of the newest
 * @hash:    of the newest: the head to keep elsewhere
 * @dropped: how many could not be written
 * @torn:    bytes at the end that a writer has left who was killed, or is just writing
 * @after:   how many records are newer than the head that was given
 */
struct audit_report {
        enum audit_problem problem;
        unsigned file;
        uint64_t line;
        uint64_t from;
        uint64_t to;
        uint64_t records;
        uint64_t first;
        uint64_t last;
        char hash[AUDIT_HASH_CHARS + 1];
        uint64_t dropped;
        uint64_t torn;
        uint64_t after;
};

/**
 * audit_verify() - read a whole log
 * @dir_fd: audit/
 * @id:     of the box
 * @given:  a head that was kept elsewhere; NULL: none
 *
 * The box may run and write meanwhile.
 *
 * Return: 0 with the report, -ENOENT when there is neither log nor head, or a negative errno.
 */
int audit_verify(int dir_fd, const char *id, const char *given, struct audit_report *ret);

/** audit_problem_format() - what is wrong, for people, in at most @size bytes */
void audit_problem_format(const char *id, const struct audit_report *report, char *to, size_t size);
