/* SPDX-License-Identifier: Apache-2.0 */

/*
 * First all lines become rows of number, prev and hash, then one function judges the rows: which
 * line is wrong can only be told by looking at those around it.  A line whose own hash is not what
 * the next one names was edited, unless the next one's hash is wrong in turn: then that was.
 */

#include "audit/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

#define TRIES 8 /* while a box writes */

struct row {
        struct audit_line line;
        char hash[AUDIT_HASH_CHARS + 1];
        bool bad;
        unsigned file;
        uint64_t number; /* of the line in it */
};

struct rows {
        struct row *items; /* owned */
        size_t count;
        size_t capacity;
        uint64_t torn;
};

static void rows_release(struct rows *rows)
{
        free(rows->items);
        *rows = (struct rows){.items = NULL};
}

/* ------------------------------------------------------------------------------- reading */

static int add_row(struct rows *rows, const struct row *row)
{
        if (rows->count == rows->capacity) {
                size_t capacity = rows->capacity ? 2 * rows->capacity : 256;
                struct row *items = reallocarray(rows->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                rows->items = items;
                rows->capacity = capacity;
        }
        rows->items[rows->count++] = *row;
        return 0;
}

static int add_lines(struct rows *rows, unsigned file, const char *text, size_t size)
{
        uint64_t number = 0;
        int r = 0;

        while (r == 0 && size > 0) {
                const char *end = memchr(text, '\n', size);
                size_t bytes = end ? (size_t)(end + 1 - text) : size;
                struct row row = {.file = file, .number = ++number};

                if (!end && file == 0) {
                        rows->torn = size;
                        return 0;
                }
                row.bad = audit_line_read(text, bytes, &row.line) < 0;
                sha256_hex(text, bytes, row.hash);
                r = add_row(rows, &row);
                text += bytes;
                size -= bytes;
        }
        return r;
}

static int read_file(struct rows *rows, int dir_fd, const char *id, unsigned number)
{
        struct buf text = BUF_INIT((size_t)2 * AUDIT_FILE_MAX);
        cleanup_close int fd = -EBADF;
        int r;

        fd = sys_open(dir_fd, audit_file(id, number).text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = buf_read_fd(&text, fd);
        if (r == 0)
                r = add_lines(rows, number, text.data ? text.data : "", text.size);
        buf_release(&text);
        return r;
}

/* -------------------------------------------------------------------------------- judging */

static bool follows(const struct row *a, const struct row *b)
{
        return str_eq(b->line.prev, a->hash);
}

static void say(struct audit_report *report, enum audit_problem problem, const struct row *row,
                uint64_t from, uint64_t to)
{
        report->problem = problem;
        report->file = row ? row->file : 0;
        report->line = row ? row->number : 0;
        report->from = from;
        report->to = to;
}

/* Rows i - 1 and i do not fit. */
static void judge_break(const struct rows *rows, size_t i, struct audit_report *report)
{
        const struct row *a = &rows->items[i - 1], *b = &rows->items[i];
        uint64_t wanted = a->line.sequence + 1;
        const struct row *edited = a;

        if (b->line.sequence == wanted || follows(a, b)) {
                bool b_is =
                        follows(a, b) || (i + 1 < rows->count && !follows(b, &rows->items[i + 1]));

                edited = b_is ? b : a;
                say(report, AUDIT_IS_EDITED, edited, edited->line.sequence, edited->line.sequence);
                return;
        }
        for (size_t k = i + 1; k < rows->count; k++)
                if (!rows->items[k].bad && rows->items[k].line.sequence == wanted) {
                        say(report, AUDIT_IS_REORDERED, b, b->line.sequence, b->line.sequence);
                        return;
                }
        if (b->line.sequence < wanted)
                say(report, AUDIT_IS_REORDERED, b, b->line.sequence, b->line.sequence);
        else
                say(report, AUDIT_IS_REMOVED, b, wanted, b->line.sequence - 1);
}

static void judge_chain(const struct rows *rows, struct audit_report *report)
{
        for (size_t i = 0; i < rows->count; i++) {
                const struct row *row = &rows->items[i];

                if (row->bad) {
                        uint64_t n = i > 0 ? row[-1].line.sequence + 1 : 0;

                        say(report, AUDIT_IS_EDITED, row, n, n);
                        return;
                }
                if (i > 0 &&
                    (row->line.sequence != row[-1].line.sequence + 1 || !follows(&row[-1], row))) {
                        judge_break(rows, i, report);
                        return;
                }
        }
}

static const struct row *find(const struct rows *rows, uint64_t sequence)
{
        uint64_t first = rows->items[0].line.sequence;

        return sequence < first || sequence - first >= rows->count ? NULL
                                                                   : &rows->items[sequence - first];
}

/* The chain holds: does it begin and end where the head says? */
static void judge_ends(const struct rows *rows, const struct audit_head *head,
                       struct audit_report *report)
{
        const struct row *first = &rows->items[0], *last = &rows->items[rows->count - 1];
        const struct row *base = find(rows, head->first), *named = find(rows, head->count);

        if (last->line.sequence < head->count)
                say(report, AUDIT_IS_TRUNCATED, NULL, last->line.sequence + 1, head->count);
        else if (first->line.sequence > head->first)
                say(report, AUDIT_IS_BEHEADED, first, head->first, first->line.sequence - 1);
        else if (head->count > 0 && (!named || !str_eq(named->hash, head->hash)))
                say(report, named == last ? AUDIT_IS_EDITED : AUDIT_HEAD_DIFFERS, named,
                    head->count, head->count);
        else if (base && !str_eq(base->line.prev, head->base))
                say(report, AUDIT_IS_EDITED, base, head->first, head->first);
        else if (last->line.sequence > head->count + AUDIT_BATCH_MAX)
                say(report, AUDIT_HEAD_DIFFERS, NULL, head->count + 1, last->line.sequence);
}

static void judge_content(const struct rows *rows, const char *given, struct audit_report *report)
{
        const struct row *last = &rows->items[rows->count - 1], *known = NULL;

        for (size_t i = 0; i < rows->count; i++) {
                const struct row *row = &rows->items[i];

                if (row->line.lost) {
                        say(report, AUDIT_HAS_LOST, row, row->line.sequence, row->line.sequence);
                        return;
                }
                if (given && str_eq(given, row->hash))
                        known = row;
        }
        if (given && !known)
                say(report, AUDIT_HEAD_UNKNOWN, NULL, 0, 0);
        else if (known)
                report->after = last->line.sequence - known->line.sequence;
}

static void judge(const struct rows *rows, const struct audit_head *head, int head_result,
                  const char *given, struct audit_report *report)
{
        *report = (struct audit_report){.torn = rows->torn};
        if (head_result == 0)
                report->dropped = head->dropped;
        if (rows->count == 0) {
                if (head->count > 0 || rows->torn > 0)
                        say(report, AUDIT_IS_GONE, NULL, head->first, head->count);
                else if (given)
                        say(report, AUDIT_HEAD_UNKNOWN, NULL, 0, 0);
                return;
        }
        report->records = rows->count;
        report->first = rows->items[0].line.sequence;
        report->last = rows->items[rows->count - 1].line.sequence;
        (void)str_copy(report->hash, sizeof(report->hash), rows->items[rows->count - 1].hash);
        judge_chain(rows, report);
        /* A head that is empty was made by a writer who was killed before his first record. */
        if (report->problem == AUDIT_INTACT && head_result < 0 && head_result != -ENODATA)
                say(report, AUDIT_HAS_NO_HEAD, NULL, 0, 0);
        if (report->problem == AUDIT_INTACT)
                judge_ends(rows, head, report);
        if (report->problem == AUDIT_INTACT)
                judge_content(rows, given, report);
}

static int verify_once(int dir_fd, const char *id, const char *given, struct audit_head *head,
                       struct audit_report *ret)
{
        struct rows rows = {.items = NULL};
        int head_result, r = 0;

        *head = (struct audit_head){.hash = AUDIT_NO_HASH, .first = 1, .base = AUDIT_NO_HASH};
        head_result = audit_head_read(dir_fd, id, head); /* before the log, which it follows */
        for (unsigned n = AUDIT_FILES; r == 0 && n-- > 0;)
                r = read_file(&rows, dir_fd, id, n);
        if (r == 0 && rows.count == 0 && rows.torn == 0 && head_result == -ENOENT)
                r = -ENOENT;
        if (r == 0)
                judge(&rows, head, head_result, given, ret);
        rows_release(&rows);
        return r;
}

int audit_verify(int dir_fd, const char *id, const char *given, struct audit_report *ret)
{
        struct audit_head before, after;
        int r = -EAGAIN;

        for (int i = 0; i < TRIES; i++) {
                r = verify_once(dir_fd, id, given, &before, ret);
                if (r < 0 || ret->problem == AUDIT_INTACT)
                        break;
                /* A writer may have rotated the files while they were read. */
                if (audit_head_read(dir_fd, id, &after) == 0 &&
                    memcmp(&before, &after, sizeof(before)) == 0)
                        break;
        }
        return r;
}

/* ---------------------------------------------------------------------------------- words */

void audit_problem_format(const char *id, const struct audit_report *report, char *to, size_t size)
{
        static const char *const words[AUDIT_PROBLEM_COUNT] = {
                [AUDIT_INTACT] = "nothing is wrong",
                [AUDIT_IS_GONE] = "the log is gone",
                [AUDIT_IS_EDITED] = "this record was changed",
                [AUDIT_IS_REORDERED] = "this record is not in its place",
                [AUDIT_IS_REMOVED] = "records before this one were removed",
                [AUDIT_IS_BEHEADED] = "the oldest records were removed",
                [AUDIT_IS_TRUNCATED] = "the newest records were removed",
                [AUDIT_HAS_NO_HEAD] = "the head is missing or was changed",
                [AUDIT_HEAD_DIFFERS] = "the head is not the head of this log",
                [AUDIT_HEAD_UNKNOWN] = "no record has the head that was given",
                [AUDIT_HAS_LOST] = "this record says that the log was changed before it",
        };
        char where[AUDIT_ID_MAX + 64] = "", which[64] = "";

        if (report->line > 0)
                (void)snprintf(where, sizeof(where), "%s line %" PRIu64 ": ",
                               audit_file(id, report->file).text, report->line);
        if (report->from > 0 && report->to > report->from)
                (void)snprintf(which, sizeof(which), " (records %" PRIu64 " to %" PRIu64 ")",
                               report->from, report->to);
        else if (report->from > 0)
                (void)snprintf(which, sizeof(which), " (record %" PRIu64 ")", report->from);
        (void)snprintf(to, size, "%s%s%s", where, words[report->problem], which);
}
