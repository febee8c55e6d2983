/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/verify.h"
#include "base/sys.h"
#include "base/test-tree.h"
#include "t.h"

#define ID "aaaaaaaaaaaa"

static const struct audit_subject subject = {
        .id = ID,
        .name = "web",
        .image = "host",
        .app = "test",
        .boot_id = "b",
        .host = "h",
        .uid = 7,
};

static const struct audit_record pause_record = {.event = AUDIT_PAUSE};

static inline struct tree scratch(void)
{
        struct tree t;

        tree_make(&t);
        return t;
}

/* One writer's life: so many records, each written at once. */
static inline void write_records(const struct tree *t, unsigned count, uint64_t max_bytes)
{
        struct audit_log log = AUDIT_LOG_INIT;

        t_ok(audit_open(&log, t->fd, &subject));
        log.max_bytes = max_bytes;
        for (unsigned i = 0; i < count; i++) {
                audit_add(&log, &pause_record);
                t_ok(audit_write(&log, false));
        }
        audit_close(&log);
}

static inline struct audit_report verify(const struct tree *t, const char *given)
{
        struct audit_report report;
        int fd = t_ok(sys_open(t->fd, AUDIT_DIR, O_RDONLY | O_DIRECTORY));

        t_ok(audit_verify(fd, ID, given, &report));
        (void)close(fd);
        return report;
}

/* The whole of a file of the log. */
static inline struct buf slurp(const struct tree *t, const char *name)
{
        struct buf text = BUF_INIT(AUDIT_FILE_MAX);
        char path[64];

        (void)snprintf(path, sizeof(path), AUDIT_DIR "/%s", name);
        t_ok(buf_read_file(&text, t->fd, path));
        return text;
}
