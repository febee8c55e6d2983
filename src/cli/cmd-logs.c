/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/audit-print.h"
#include "cli/cmd.h"
#include "cli/human.h"

struct logs_args {
        int64_t since_ns;
        int64_t until_ns;
        uint64_t tail;
        bool follow;
        bool timestamps;
        bool audit;
};

#define LOGS(field) offsetof(struct logs_args, field)

static int opt_time(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        if (human_read_time(value, human_now(), where) == 0)
                return 0;
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "no point in time");
        error_hint(err,
                   "write 2026-01-31T12:00:00Z, seconds since 1970, or 10m for ten minutes ago");
        return -EINVAL;
}

/* Docker takes what is no number for all; we do not. */
static int opt_tail(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        if (str_eq(value, "all") || str_eq(value, "-1")) {
                *(uint64_t *)where = COFFER_LOGS_ALL;
                return 0;
        }
        if (str_to_u64(value, UINT32_MAX, where) < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "neither a number nor all");
        return 0;
}

static const struct opt logs_opts[] = {
        {"audit",                     0, NULL, opt_flag, LOGS(audit),
         "what was done to the box instead, out of its audit log"},
        {"follow",                       'f', NULL, opt_flag, LOGS(follow), "go on while the box runs"},
        {"since",                0, "TIME", opt_time, LOGS(since_ns),
         "from this time on, such as 2026-01-31T12:00:00Z, or 10m for ten minutes ago"},
        {"tail",                           'n', "N", opt_tail, LOGS(tail), "the last N lines only (default all)"},
        {"timestamps",  't', NULL, opt_flag, LOGS(timestamps), "the time before each line"},
        {"until",                   0, "TIME", opt_time, LOGS(until_ns), "up to this time"},
        {0},
};

/* The middle of a line, per stream: a record is not a line. */
struct lines {
        bool open_stdout;
        bool open_stderr;
};

static int write_stamped(int fd, const struct coffer_log_record *rec, bool *open)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(64 * 1024 * 1024);
        const char *s = rec->data, *end = rec->data + rec->bytes;

        while (s < end) {
                const char *line_end = memchr(s, '\n', (size_t)(end - s));
                const char *next = line_end ? line_end + 1 : end;

                if (!*open) {
                        (void)human_time((int64_t)rec->time_ns, &b);
                        (void)buf_append(&b, " ", 1);
                }
                (void)buf_append(&b, s, (size_t)(next - s));
                *open = !line_end;
                s = next;
        }
        if (b.failed < 0)
                return b.failed;
        return b.size > 0 ? sys_write_all(fd, b.data, b.size) : 0;
}

static int write_record(const struct logs_args *a, const struct coffer_log_record *rec,
                        struct lines *lines)
{
        bool is_stdout = rec->stream == COFFER_STDOUT;
        int fd = is_stdout ? STDOUT_FILENO : STDERR_FILENO;

        if (rec->stream == 0) {
                command_warn("%.*s", (int)rec->bytes, rec->data);
                return 0;
        }
        if (a->timestamps)
                return write_stamped(fd, rec,
                                     is_stdout ? &lines->open_stdout : &lines->open_stderr);
        return sys_write_all(fd, rec->data, rec->bytes);
}

static int print_logs(const struct logs_args *a, struct coffer_logs *logs, struct coffer_error *err)
{
        struct lines lines = {0};

        for (;;) {
                struct coffer_log_record rec;
                int r = coffer_logs_next(logs, COFFER_FOREVER, &rec, err);

                if (r <= 0)
                        return r;
                r = write_record(a, &rec, &lines);
                if (r < 0)
                        return error_set(err, r, "write the log");
        }
}

static int cmd_logs(struct invocation *in)
{
        struct logs_args a = {.tail = COFFER_LOGS_ALL};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        struct coffer_logs_options o = {.size = sizeof(o)};
        struct coffer_logs *logs = NULL;
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        o.follow = a.follow;
        o.tail = a.tail;
        o.since_ns = a.since_ns > 0 ? (uint64_t)a.since_ns : 0;
        o.until_ns = a.until_ns > 0 ? (uint64_t)a.until_ns : 0;

        if (a.audit && (a.follow || a.timestamps))
                return command_usage(in, NULL,
                                     "--audit goes with neither --follow nor --timestamps");
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (a.audit) {
                const struct audit_range range = {o.since_ns, o.until_ns, o.tail};

                r = audit_print(runtime, in->argv[0], &range, audit_put_short, &err);
                return r < 0 ? command_fail(in, &err) : 0;
        }
        r = coffer_box_open(runtime, in->argv[0], &box, &err);
        if (r == 0)
                r = coffer_logs_open(box, &o, &logs, &err);
        if (r == 0)
                r = print_logs(&a, logs, &err);
        logs = coffer_logs_free(logs);
        return r < 0 ? command_fail(in, &err) : 0;
}

const struct command command_logs = {
        .name = "logs",
        .args = "BOX",
        .summary = "Show what the main process of a box has written",
        .opts = logs_opts,
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_BOX,
        .run = cmd_logs,
};
