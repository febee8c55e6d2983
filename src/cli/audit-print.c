/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/audit-print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/human.h"

#define LINE_MAX_BYTES (256 * 1024)

static const struct {
        int64_t class_uid;
        const char *word;
} classes[] = {
        {1007, "PROCESS"  },
        {2004, "FINDING"  },
        {3004, "CONFIG"   },
        {6002, "LIFECYCLE"},
};

static const char *const severities[] = {"UNKNOWN", "INFO", "LOW", "MED", "HIGH", "CRIT", "FATAL"};

/* What somebody in a box chose stays on its line and sends a terminal nothing. */
static void put_plain(struct buf *to, struct jv value)
{
        size_t before = to->size;

        (void)jv_plain(value, to);
        for (size_t i = before; to->failed == 0 && i < to->size; i++)
                if ((unsigned char)to->data[i] < 0x20 || to->data[i] == 0x7f)
                        to->data[i] = '?';
}

static void put_member(struct buf *to, const char *before, struct jv object, const char *key,
                       const char *after)
{
        struct jv value = jv_member(object, key);

        if (!jv_type(value))
                return;
        (void)buf_append_str(to, before);
        put_plain(to, value);
        (void)buf_append_str(to, after);
}

static void put_details(struct buf *to, struct jv record)
{
        struct jv process = jv_member(record, "process"), unmapped = jv_member(record, "unmapped");
        struct jv finding = jv_member(record, "finding_info");

        put_member(to, " ", unmapped, "role", "");
        put_member(to, " ", jv_member(process, "file"), "path", "");
        put_member(to, " (argc ", unmapped, "argc", ")");
        put_member(to, " user=", jv_member(process, "user"), "name", "");
        put_member(to, " pid=", process, "pid", "");
        put_member(to, " exit=", record, "exit_code", "");
        put_member(to, " ", finding, "title", "");
        put_member(to, ": ", finding, "desc", "");
        if (!jv_type(process) && !jv_type(finding)) {
                put_member(to, " ", jv_member(record, "app"), "name", "");
                put_member(to, " ", jv_member(record, "entity"), "name", "");
                put_member(to, " ", unmapped, "image", "");
        }
        put_member(to, " memory=", unmapped, "memory_bytes", "");
        put_member(to, " cpu_millis=", unmapped, "cpu_millis", "");
        put_member(to, " pids=", unmapped, "pids_max", "");
        if (jv_int(record, "status_id", 0) == 2)
                (void)buf_append_str(to, " FAILED");
        put_member(to, " [", record, "status_detail", "]");
        put_member(to, " [dropped before: ", unmapped, "dropped", "]");
}

int audit_put_json(const char *line, struct jv record, struct buf *to)
{
        (void)buf_append_str(to, line);
        return buf_append(to, "\n", 1);
}

int audit_put_short(const char *line, struct jv record, struct buf *to)
{
        cleanup_free char *activity = jv_dup(record, "activity_name");
        int64_t class_uid = jv_int(record, "class_uid", 0);
        int64_t severity = jv_int(record, "severity_id", 0);
        const char *word = "OTHER";

        for (size_t i = 0; i < ELEMENTS(classes); i++)
                if (classes[i].class_uid == class_uid)
                        word = classes[i].word;
        if (severity < 0 || severity >= (int64_t)ELEMENTS(severities))
                severity = 0;
        for (char *c = activity; c && *c; c++)
                *c = (char)(*c >= 'a' && *c <= 'z'   ? *c - 'a' + 'A'
                            : *c >= 'A' && *c <= 'Z' ? *c
                                                     : '?');
        (void)human_time(jv_int(record, "time", 0) * INT64_C(1000000), to);
        (void)buf_printf(to, " %s:%s [%s]", word, activity ? activity : "", severities[severity]);
        put_details(to, record);
        return buf_append(to, "\n", 1);
}

static bool in_range(const struct audit_range *range, struct jv record)
{
        uint64_t ns = (uint64_t)jv_int(record, "time", 0) * UINT64_C(1000000);

        return ns >= range->since_ns && (range->until_ns == 0 || ns < range->until_ns);
}

/* One walk that shows what is beyond @skip, or with a NULL @put counts. */
static int walk(struct coffer_runtime *runtime, const char *reference,
                const struct audit_range *range, uint64_t skip, audit_put_fn put,
                uint64_t *ret_count, struct coffer_error *err)
{
        struct coffer_audit *audit = NULL;
        const char *line;
        int r = coffer_audit_open(runtime, reference, &audit, err);

        *ret_count = 0;
        while (r == 0 && (r = coffer_audit_next(audit, &line, err)) > 0) {
                cleanup_with(buf_release) struct buf out = BUF_INIT(LINE_MAX_BYTES);
                struct jv record = {0};

                r = 0;
                if (jv_read(line, strlen(line), &record) < 0) {
                        if (put)
                                command_warn("a line of the audit log is no record");
                        continue;
                }
                if (!in_range(range, record) || (*ret_count)++ < skip || !put)
                        continue;
                r = put(line, record, &out);
                if (r == 0 && fwrite(out.data, 1, out.size, stdout) != out.size)
                        r = -errno;
                if (r < 0)
                        (void)error_set(err, r, "print the audit log");
        }
        audit = coffer_audit_free(audit);
        return r;
}

int audit_print(struct coffer_runtime *runtime, const char *reference,
                const struct audit_range *range, audit_put_fn put, struct coffer_error *err)
{
        uint64_t count = 0;
        int r = 0;

        if (range->tail != COFFER_LOGS_ALL)
                r = walk(runtime, reference, range, 0, NULL, &count, err);
        if (r == 0)
                r = walk(runtime, reference, range, count > range->tail ? count - range->tail : 0,
                         put, &count, err);
        if (r == 0 && fflush(stdout) != 0)
                r = error_set(err, -errno, "write standard output");
        return r;
}
