/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/record.h"

#include "audit/test-audit.h"
#include "proto/messages.h"

static const char *const prev = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct buf format(const struct audit_record *record)
{
        struct buf line = BUF_INIT(AUDIT_LINE_MAX);
        const struct audit_place place = {.time_ms = 1, .sequence = 12, .prev = prev, .dropped = 3};

        t_ok(audit_format(&line, &subject, record, &place));
        return line;
}

TEST(every_record_is_read_back_by_the_chain)
{
        static const struct msg_update limits = {.which = UPDATE_MEMORY, .memory_bytes = 5};

        for (unsigned e = 0; e < AUDIT_EVENT_COUNT; e++) {
                const struct audit_record record = {
                        .event = (enum audit_event)e,
                        .detail = "why",
                        .control = "cgroup",
                        .process = {.role = "main", .path = "/bin/sh", .argc = 2},
                        .limits = &limits,
                };
                struct buf line = format(&record);
                struct audit_line read;

                t_note("event %u", e);
                t_ok(audit_line_read(line.data, line.size, &read));
                t_int(12, (int64_t)read.sequence);
                t_str(prev, read.prev);
                t_true(read.lost == (e == AUDIT_LOST));
                t_has("\"dropped\":3", line.data);
                buf_release(&line);
        }
}

/* What somebody in a box chooses does not get out of its string, nor makes a record something else.
 */
TEST(chosen_texts_stay_texts)
{
        char nasty[3000] = "\"finding_info\":{\"uid\":\"audit-log-cut\n\x01\xff\xc3";
        struct audit_record record = {
                .event = AUDIT_LAUNCH,
                .failed = true,
                .detail = nasty,
                .control = nasty,
                .process = {.role = "exec", .path = nasty, .argc = 1, .user = nasty},
        };
        struct audit_line read;
        struct buf line;

        for (size_t i = strlen(nasty); i < sizeof(nasty) - 1; i++)
                nasty[i] = i % 3 ? '\x02' : '/';
        line = format(&record);
        t_ok(audit_line_read(line.data, line.size, &read));
        t_false(read.lost);
        t_true(line.size < AUDIT_LINE_MAX);
        buf_release(&line);
        record.event = AUDIT_DEGRADED;
        line = format(&record);
        t_ok(audit_line_read(line.data, line.size, &read));
        t_false(read.lost);
        buf_release(&line);
}

TEST(arguments_and_environment_have_no_place)
{
        const struct audit_record record = {
                .event = AUDIT_LAUNCH,
                .process = {.role = "exec", .path = "/bin/x", .argc = 3},
        };
        struct buf line = format(&record);

        t_null(strstr(line.data, "cmd_line"));
        t_has("\"argc\":3", line.data);
        buf_release(&line);
}

TEST(refuses_what_is_no_line_of_ours)
{
        const struct audit_record record = {.event = AUDIT_STOP};
        struct buf line = format(&record);
        struct audit_line read;
        static const struct {
                size_t from_end; /* 0: @at counts from the start */
                size_t at;
                char byte;
        } rows[] = {
                {0,  0,  ' ' }, /* the brace */
                {0,  24, '0' }, /* a sequence that begins with nought */
                {0,  24, 'x' },
                {1,  0,  'x' }, /* the newline */
                {2,  0,  ' ' }, /* the braces behind it */
                {5,  0,  'g' }, /* a digit of the hash */
                {5,  0,  'A' },
                {0,  40, '\n'}, /* two lines */
                {0,  40, '\0'},
                {70, 0,  'x' }, /* the name of the member */
        };

        t_ok(audit_line_read(line.data, line.size, &read));
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char *at =
                        line.data + (rows[i].from_end ? line.size - rows[i].from_end : rows[i].at);
                char was = *at;

                t_note("row %zu", i);
                *at = rows[i].byte;
                t_errno(EBADMSG, audit_line_read(line.data, line.size, &read));
                *at = was;
        }
        for (size_t n = 0; n < line.size; n++)
                t_errno(EBADMSG, audit_line_read(line.data, n, &read));
        buf_release(&line);
}
