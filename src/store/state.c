/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/faultpoint.h"
#include "store/file.h"

static void release_buf(struct buf *b)
{
        buf_release(b);
}

void box_record_release(struct box_record *record)
{
        strv_release(&record->posture);
        *record = (struct box_record){0};
}

uint64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A row is "control\twanted\tstate\tdetail". */
static void append_row(struct buf *to, const char *row, bool whole)
{
        static const char *const keys[] = {"control", "wanted", "state", "detail"};

        for (size_t i = 0; i + !whole < ELEMENTS(keys); i++) {
                size_t n = i + 1 < ELEMENTS(keys) ? strcspn(row, "\t") : strlen(row);
                char *part = strndup(row, n);

                if (!part) {
                        to->failed = -ENOMEM;
                        return;
                }
                (void)buf_printf(to, "%s\"%s\":", i == 0 ? "{" : ",", keys[i]);
                (void)buf_append_json(to, part);
                free(part);
                row += row[n] == '\t' ? n + 1 : n;
        }
        (void)buf_append_str(to, "}");
}

void posture_append_json(struct buf *to, const struct strv *rows, bool whole)
{
        (void)buf_append_str(to, "[");
        for (size_t i = 0; i < rows->count; i++) {
                if (i > 0)
                        (void)buf_append_str(to, ",");
                append_row(to, rows->items[i], whole);
        }
        (void)buf_append_str(to, "]");
}

int state_write(int box_dir_fd, const struct box_record *r, bool sync)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(STATE_BYTES_MAX);
        int fault = FAULT("state.write");

        if (fault < 0)
                return fault;
        if (r->posture.count > STATE_POSTURE_MAX)
                return -E2BIG;

        (void)buf_append_str(&text, "{\"version\":1,\"state\":");
        (void)buf_append_json(&text, r->state);
        (void)buf_append_str(&text, ",\"reason\":");
        (void)buf_append_json(&text, r->reason);
        (void)buf_append_str(&text, ",\"error\":");
        (void)buf_append_json(&text, r->error);
        (void)buf_printf(
                &text,
                ",\"pid\":%" PRIu32 ",\"pid_inode\":%" PRIu64 ",\"pid_start\":%" PRIu64
                ",\"created_ns\":%" PRIu64 ",\"started_ns\":%" PRIu64 ",\"finished_ns\":%" PRIu64
                ",\"exit_code\":%" PRIu32
                ",\"oom_killed\":%s,\"timed_out\":%s,\"stop_asked\":%s,\"restart_count\":%" PRIu32
                ",\"posture\":",
                r->pid, r->pid_inode, r->pid_start, r->created_ns, r->started_ns, r->finished_ns,
                r->exit_code, r->oom_killed ? "true" : "false", r->timed_out ? "true" : "false",
                r->stop_asked ? "true" : "false", r->restart_count);
        posture_append_json(&text, &r->posture, true);
        if (r->health[0] != '\0') {
                (void)buf_append_str(&text, ",\"health\":");
                (void)buf_append_json(&text, r->health);
        }
        (void)buf_append_str(&text, "}\n");
        if (text.failed < 0)
                return text.failed;
        return file_replace(box_dir_fd, "state.json", text.data, text.size, sync ? FILE_SYNC : 0);
}
