/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "proto/messages.h"

#define LOST_PREFIX "\"finding_info\":{\"uid\":\"audit-log-"

enum audit_class {
        CLASS_PROCESS,
        CLASS_FINDING,
        CLASS_ENTITY,
        CLASS_LIFECYCLE,
};

static const struct {
        unsigned uid;
        const char *name;
        unsigned category_uid;
        const char *category;
} classes[] = {
        [CLASS_PROCESS] = {1007, "Process Activity",      1, "System Activity"             },
        [CLASS_FINDING] = {2004, "Detection Finding",     2, "Findings"                    },
        [CLASS_ENTITY] = {3004, "Entity Management",     3, "Identity & Access Management"},
        [CLASS_LIFECYCLE] = {6002, "Application Lifecycle", 6, "Application Activity"        },
};

enum { INFORMATIONAL = 1, LOW, MEDIUM, HIGH };

static const char *const severities[] = {
        [INFORMATIONAL] = "Informational",
        [LOW] = "Low",
        [MEDIUM] = "Medium",
        [HIGH] = "High",
};

/* @severity is that of a success; a failure is at least medium. */
static const struct {
        enum audit_class class;
        unsigned activity_id;
        const char *activity;
        int severity;
        const char *message;
} events[AUDIT_EVENT_COUNT] = {
        [AUDIT_START] = {CLASS_LIFECYCLE, 3,  "Start",     INFORMATIONAL, "start of the box"     },
        [AUDIT_RESTART] = {CLASS_LIFECYCLE, 5,  "Restart",   INFORMATIONAL, "restart by its policy"},
        [AUDIT_STOP] = {CLASS_LIFECYCLE, 4,  "Stop",      INFORMATIONAL, "end of the box"       },
        [AUDIT_PAUSE] = {CLASS_LIFECYCLE, 99, "Pause",     INFORMATIONAL, "the box is paused"    },
        [AUDIT_UNPAUSE] = {CLASS_LIFECYCLE, 99, "Unpause",   INFORMATIONAL, "the box goes on"      },
        [AUDIT_REMOVE] = {CLASS_LIFECYCLE, 2,  "Remove",    INFORMATIONAL, "removal of the box"   },
        [AUDIT_UPDATE] = {CLASS_ENTITY,    3,  "Update",    INFORMATIONAL, "change of limits"     },
        [AUDIT_LAUNCH] = {CLASS_PROCESS,   1,  "Launch",    INFORMATIONAL, "start of a process"   },
        [AUDIT_TERMINATE] = {CLASS_PROCESS,   2,  "Terminate", INFORMATIONAL, "end of a process"     },
        [AUDIT_DEGRADED] = {CLASS_FINDING,   1,  "Create",    HIGH,          "a control is missing" },
        [AUDIT_LOST] = {CLASS_FINDING,   1,  "Create",    HIGH,          "the audit log was cut"},
        [AUDIT_REPAIR] = {CLASS_LIFECYCLE, 99, "Repair",    LOW,           "the audit log goes on"},
};

/* ------------------------------------------------------------------------------- the writer */

/* A text that somebody chose, not longer than it may be; what is cut in the middle becomes U+FFFD.
 */
static void put_text(struct buf *to, const char *text)
{
        char shown[AUDIT_TEXT_MAX + sizeof("...")];

        if (strlen(text) > AUDIT_TEXT_MAX) {
                (void)snprintf(shown, sizeof(shown), "%.*s...", AUDIT_TEXT_MAX, text);
                text = shown;
        }
        (void)buf_append_json(to, text);
}

/* @key with what stands before it: ",\"name\":" */
static void put(struct buf *to, const char *key, const char *text)
{
        (void)buf_append_str(to, key);
        put_text(to, text);
}

static void put_metadata(struct buf *to, const struct audit_subject *who,
                         const struct audit_place *place)
{
        (void)buf_printf(
                to,
                "{\"metadata\":{\"sequence\":%" PRIu64 ",\"version\":\"" AUDIT_OCSF_VERSION
                "\",\"product\":{\"name\":\"Coffer\",\"vendor_name\":\"Coffer\","
                "\"version\":\"" COFFER_VERSION "\"},\"uid\":\"%s-%" PRIu64
                "\",\"correlation_uid\":\"%s\",\"log_name\":\"audit\",\"profiles\":[\"host\"]}",
                place->sequence, who->id, place->sequence, who->id);
}

static void put_class(struct buf *to, const struct audit_record *record,
                      const struct audit_place *place)
{
        unsigned activity = events[record->event].activity_id;
        enum audit_class class = events[record->event].class;
        int severity = events[record->event].severity;

        if (record->failed && severity < MEDIUM)
                severity = MEDIUM;
        (void)buf_printf(to,
                         ",\"time\":%" PRIu64 ",\"class_uid\":%u,\"class_name\":\"%s\","
                         "\"category_uid\":%u,\"category_name\":\"%s\",\"activity_id\":%u,"
                         "\"activity_name\":\"%s\",\"type_uid\":%u,\"type_name\":\"%s: %s\","
                         "\"severity_id\":%d,\"severity\":\"%s\",\"message\":\"%s\"",
                         place->time_ms, classes[class].uid, classes[class].name,
                         classes[class].category_uid, classes[class].category, activity,
                         events[record->event].activity, classes[class].uid * 100 + activity,
                         classes[class].name,
                         activity == 99 ? "Other" : events[record->event].activity, severity,
                         severities[severity], events[record->event].message);
}

/* A launch is told before it is done: whether it succeeds is not known then. */
static void put_status(struct buf *to, const struct audit_record *record)
{
        enum audit_class class = events[record->event].class;
        bool done = record->event != AUDIT_LAUNCH && record->event != AUDIT_START &&
                    record->event != AUDIT_RESTART;

        if (class == CLASS_FINDING)
                (void)buf_append_str(to, ",\"status_id\":1,\"status\":\"New\"");
        else if (record->failed)
                (void)buf_append_str(to, ",\"status_id\":2,\"status\":\"Failure\"");
        else if (done)
                (void)buf_append_str(to, ",\"status_id\":1,\"status\":\"Success\"");
        if (record->detail && class != CLASS_FINDING)
                put(to, ",\"status_detail\":", record->detail);
}

static void put_actor(struct buf *to, const struct audit_subject *who)
{
        (void)buf_printf(to, ",\"actor\":{\"app_name\":\"%s\",\"user\":{\"uid\":\"%u\"}}", who->app,
                         who->uid);
        put(to, ",\"device\":{\"type_id\":0,\"type\":\"Unknown\",\"hostname\":", who->host);
        if (who->boot_id)
                put(to, ",\"boot_uid\":", who->boot_id);
        (void)buf_append_str(to, "}");
}

static void put_process(struct buf *to, const struct audit_subject *who,
                        const struct audit_record *record, const struct audit_place *place)
{
        const struct audit_process *p = &record->process;
        uint64_t launch = p->launch ? p->launch : place->sequence;

        put_actor(to, who);
        (void)buf_printf(to, ",\"process\":{\"uid\":\"%s-%" PRIu64 "\"", who->id, launch);
        if (p->pid > 0)
                (void)buf_printf(to, ",\"pid\":%u", p->pid);
        if (p->path) {
                const char *slash = strrchr(p->path, '/');

                put(to, ",\"name\":", slash ? slash + 1 : p->path);
                put(to, ",\"file\":{\"name\":", slash ? slash + 1 : p->path);
                put(to, ",\"path\":", p->path);
                (void)buf_append_str(to, ",\"type_id\":1,\"type\":\"Regular File\"}");
        }
        if (p->user && p->user[0] != '\0') {
                put(to, ",\"user\":{\"name\":", p->user);
                (void)buf_append_str(to, "}");
        }
        (void)buf_append_str(to, "}");
        if (record->event == AUDIT_TERMINATE)
                (void)buf_printf(to, ",\"exit_code\":%u", p->status);
        else
                (void)buf_append_str(to, ",\"launch_type_id\":1,\"launch_type\":\"Spawn\"");
}

/* The uid of the one kind begins with what audit_line_read() looks for, of the other it cannot. */
static void put_finding(struct buf *to, const struct audit_subject *who,
                        const struct audit_record *record)
{
        bool lost = record->event == AUDIT_LOST;
        char text[AUDIT_TEXT_MAX];

        (void)snprintf(text, sizeof(text), "%s%s", lost ? "audit-log-" : "degraded-",
                       record->control);
        (void)buf_append_str(to, ",\"is_alert\":true,\"confidence_id\":3,\"confidence\":\"High\"");
        put(to, ",\"finding_info\":{\"uid\":", text);
        (void)snprintf(text, sizeof(text), "%s: %s", events[record->event].message,
                       record->control);
        put(to, ",\"title\":", text);
        (void)buf_append_str(to, ",\"desc\":");
        put_text(to, record->detail ? record->detail : "");
        put(to, "},\"resources\":[{\"type\":\"box\",\"uid\":", who->id);
        put(to, ",\"name\":", who->name);
        (void)buf_append_str(to, "}]");
}

static void put_entity(struct buf *to, const struct audit_subject *who)
{
        put_actor(to, who);
        put(to, ",\"entity\":{\"type\":\"box\",\"uid\":", who->id);
        put(to, ",\"name\":", who->name);
        (void)buf_append_str(to, "}");
}

static void put_app(struct buf *to, const struct audit_subject *who)
{
        put(to, ",\"app\":{\"vendor_name\":\"Coffer\",\"uid\":", who->id);
        put(to, ",\"name\":", who->name);
        (void)buf_append_str(to, "}");
        put_actor(to, who);
}

/* 0 is no limit. */
static void put_limits(struct buf *to, const struct msg_update *m)
{
        if (m->which & UPDATE_MEMORY)
                (void)buf_printf(to, ",\"memory_bytes\":%" PRIu64, m->memory_bytes);
        if (m->which & UPDATE_CPU)
                (void)buf_printf(to, ",\"cpu_millis\":%" PRIu64, m->cpu_millis);
        if (m->which & UPDATE_PIDS)
                (void)buf_printf(to, ",\"pids_max\":%" PRIu64, m->pids_max);
}

static void put_unmapped(struct buf *to, const struct audit_subject *who,
                         const struct audit_record *record, const struct audit_place *place)
{
        enum audit_class class = events[record->event].class;

        put(to, ",\"unmapped\":{\"box\":", who->id);
        put(to, ",\"image\":", who->image);
        if (class == CLASS_PROCESS) {
                put(to, ",\"role\":", record->process.role);
                if (record->process.path)
                        (void)buf_printf(to, ",\"argc\":%u", record->process.argc);
        }
        if (record->limits)
                put_limits(to, record->limits);
        if (place->dropped > 0)
                (void)buf_printf(to, ",\"dropped\":%" PRIu64, place->dropped);
        (void)buf_printf(to, ",\"prev\":\"%s\"}}\n", place->prev);
}

int audit_format(struct buf *to, const struct audit_subject *who, const struct audit_record *record,
                 const struct audit_place *place)
{
        size_t before = to->size;

        put_metadata(to, who, place);
        put_class(to, record, place);
        put_status(to, record);
        switch (events[record->event].class) {
        case CLASS_PROCESS:
                put_process(to, who, record, place);
                break;
        case CLASS_FINDING:
                put_finding(to, who, record);
                break;
        case CLASS_ENTITY:
                put_entity(to, who);
                break;
        case CLASS_LIFECYCLE:
                put_app(to, who);
                break;
        }
        put_unmapped(to, who, record, place);
        if (to->failed == 0 && to->size - before > AUDIT_LINE_MAX)
                to->failed = -E2BIG;
        return to->failed;
}

/* ------------------------------------------------------------------------------- the reader */

static const char *read_sequence(const char *line, size_t bytes, uint64_t *ret)
{
        static const char head[] = "{\"metadata\":{\"sequence\":";
        const char *digits = line + sizeof(head) - 1;
        char number[24] = "";
        size_t n = 0;

        if (bytes < sizeof(head) - 1 || memcmp(line, head, sizeof(head) - 1) != 0)
                return NULL;
        while (n < sizeof(number) - 1 && n < bytes - (sizeof(head) - 1) && digits[n] >= '0' &&
               digits[n] <= '9') {
                number[n] = digits[n];
                n++;
        }
        if (n == 0 || number[0] == '0' || str_to_u64(number, INT64_MAX, ret) < 0)
                return NULL;
        return digits + n;
}

static bool is_hash(const char *text)
{
        for (size_t i = 0; i < AUDIT_HASH_CHARS; i++)
                if (!strchr("0123456789abcdef", text[i]) || text[i] == '\0')
                        return false;
        return true;
}

int audit_line_read(const char *line, size_t bytes, struct audit_line *ret)
{
        static const char key[] = "\"prev\":\"";
        static const char tail[] = "\"}}\n";
        const size_t tail_bytes = sizeof(key) - 1 + AUDIT_HASH_CHARS + sizeof(tail) - 1;
        const char *rest, *prev;

        if (bytes > AUDIT_LINE_MAX || memchr(line, '\0', bytes))
                return -EBADMSG;
        rest = read_sequence(line, bytes, &ret->sequence);
        if (!rest || (size_t)(line + bytes - rest) < tail_bytes)
                return -EBADMSG;
        prev = line + bytes - tail_bytes;
        if (memcmp(prev, key, sizeof(key) - 1) != 0)
                return -EBADMSG;
        prev += sizeof(key) - 1;
        if (!is_hash(prev) || memcmp(prev + AUDIT_HASH_CHARS, tail, sizeof(tail) - 1) != 0 ||
            memchr(line, '\n', bytes) != line + bytes - 1)
                return -EBADMSG;
        memcpy(ret->prev, prev, AUDIT_HASH_CHARS);
        ret->prev[AUDIT_HASH_CHARS] = '\0';
        ret->lost = memmem(line, bytes, LOST_PREFIX, sizeof(LOST_PREFIX) - 1) != NULL;
        return 0;
}
