/* SPDX-License-Identifier: Apache-2.0 */
#include "store/health.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/file.h"
#include "store/state.h"

#define CUT          "..."
#define NO_CHARACTER '\xff'

void health_log_release(struct health_log *log)
{
        for (size_t i = 0; i < log->count; i++)
                free(log->probes[i].output);
        *log = (struct health_log){0};
}

void health_log_add(struct health_log *log, const struct health_probe *probe)
{
        if (log->count == HEALTH_LOG_MAX) {
                free(log->probes[0].output);
                log->count--;
                memmove(log->probes, log->probes + 1, log->count * sizeof(*log->probes));
        }
        log->probes[log->count++] = *probe;
}

char *health_output(const char *head, const void *bytes, size_t size)
{
        size_t head_size = strlen(head);
        size_t kept = size > HEALTH_OUTPUT_BYTES ? HEALTH_OUTPUT_BYTES : size;
        const char *end = size > kept ? CUT : "";
        char *text = malloc(head_size + kept + sizeof(CUT));

        if (!text)
                return NULL;
        memcpy(text, head, head_size);
        if (kept > 0)
                memcpy(text + head_size, bytes, kept);
        for (size_t i = 0; i < kept; i++)
                if (text[head_size + i] == '\0')
                        text[head_size + i] = NO_CHARACTER;
        memcpy(text + head_size + kept, end, strlen(end) + 1);
        return text;
}

int health_log_write(int box_dir_fd, const struct health_log *log)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(STATE_BYTES_MAX);

        (void)buf_printf(&text, "{\"version\":1,\"failing_streak\":%" PRIu32 ",\"log\":[",
                         log->failing_streak);
        for (size_t i = 0; i < log->count; i++) {
                const struct health_probe *p = &log->probes[i];

                (void)buf_printf(&text,
                                 "%s{\"start_ns\":%" PRIu64 ",\"end_ns\":%" PRIu64
                                 ",\"exit_code\":%d,\"output\":",
                                 i > 0 ? "," : "", p->start_ns, p->end_ns, p->exit_code);
                (void)buf_append_json(&text, p->output ? p->output : "");
                (void)buf_append_str(&text, "}");
        }
        (void)buf_append_str(&text, "]}\n");
        if (text.failed < 0)
                return text.failed;
        return file_replace(box_dir_fd, "health.json", text.data, text.size, 0);
}
