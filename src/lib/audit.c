/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/verify.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/sys.h"
#include "spec/id.h"
#include "store/identity.h"
#include "store/meta.h"
#include "store/state.h"

/**
 * struct coffer_audit - a walk
 * @dir_fd: owned; audit/
 * @id:     of the box
 * @file:   the next one to read, plus one; 0: no more
 * @text:   owned; of the file that is read
 * @used:   how much of it was handed out
 */
struct coffer_audit {
        int dir_fd;
        char id[BOX_ID_CHARS + 1];
        unsigned file;
        struct buf text;
        size_t used;
};

static int open_dir(const struct coffer_runtime *rt)
{
        return sys_open(rt->home->fd, AUDIT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

static bool has_log(int dir_fd, const char *id)
{
        return faccessat(dir_fd, audit_head_file(id).text, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
               faccessat(dir_fd, audit_file(id, 0).text, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool was_started(const struct coffer_box *box)
{
        struct box_record record = {0};
        bool was = box && state_read(box->dir_fd, &record, NULL) == 0 && record.started_ns != 0;

        box_record_release(&record);
        return was;
}

/* Its log may be there when the box is not: then only its id leads there. */
static int find(struct coffer_runtime *rt, const char *reference, char id[BOX_ID_CHARS + 1],
                bool *ret_started, struct coffer_error *err)
{
        cleanup_with(box_dropp) struct coffer_box *box = NULL;
        int r = coffer_box_open(rt, reference, &box, err);

        if (r < 0 && (r != -ENOENT || !spec_is_id(reference)))
                return r;
        (void)str_copy(id, BOX_ID_CHARS + 1, box ? box->id : reference);
        *ret_started = was_started(box);
        return 0;
}

static int say_none(const char *id, int code, struct coffer_error *err)
{
        if (code != -ENOENT)
                return error_set(err, code, "read the audit log of box %s", id);
        (void)error_say(err, code, COFFER_ERROR_OTHER, "there is no audit log of box %s", id);
        error_hint(err, "it begins with the first start, and `coffer prune --audit` removes it");
        return code;
}

/* ------------------------------------------------------------------------------------ verify */

int coffer_audit_verify(struct coffer_runtime *runtime, const char *reference, const char *head,
                        struct coffer_audit_report *ret_report, struct coffer_error *err)
{
        struct coffer_audit_report out = {.size = sizeof(out)};
        cleanup_close int dir_fd = -EBADF;
        struct audit_report report = {0};
        bool started = false;
        int r;

        REQUIRE(runtime && reference && ret_report, err);
        REQUIRE(ret_report->size >= sizeof(*ret_report), err);
        r = find(runtime, reference, out.id, &started, err);
        if (r < 0)
                return r;
        dir_fd = open_dir(runtime);
        r = dir_fd < 0 ? dir_fd : audit_verify(dir_fd, out.id, head, &report);
        if (r == -ENOENT && started)
                report.problem = AUDIT_IS_GONE;
        else if (r < 0)
                return say_none(out.id, r, err);
        out.intact = report.problem == AUDIT_INTACT;
        out.records = report.records;
        out.first = report.first;
        out.last = report.last;
        out.dropped = report.dropped;
        out.after = report.after;
        out.torn = report.torn;
        (void)str_copy(out.head, sizeof(out.head), report.hash);
        if (!out.intact)
                audit_problem_format(out.id, &report, out.problem, sizeof(out.problem));
        *ret_report = out;
        return 0;
}

/* -------------------------------------------------------------------------------------- read */

int coffer_audit_open(struct coffer_runtime *runtime, const char *reference,
                      struct coffer_audit **ret_audit, struct coffer_error *err)
{
        struct coffer_audit *audit;
        bool started;
        int r;

        REQUIRE(runtime && reference && ret_audit, err);
        audit = calloc(1, sizeof(*audit));
        if (!audit)
                return error_set(err, -ENOMEM, "read an audit log");
        audit->file = AUDIT_FILES;
        audit->text = BUF_INIT((size_t)2 * AUDIT_FILE_MAX);
        audit->dir_fd = -EBADF;
        r = find(runtime, reference, audit->id, &started, err);
        if (r == 0) {
                r = audit->dir_fd = open_dir(runtime);
                if (r >= 0 && !has_log(audit->dir_fd, audit->id))
                        r = -ENOENT;
                if (r < 0)
                        (void)say_none(audit->id, r, err);
        }
        if (r < 0) {
                (void)coffer_audit_free(audit);
                return r;
        }
        *ret_audit = audit;
        return 0;
}

struct coffer_audit *coffer_audit_free(struct coffer_audit *audit)
{
        int saved_errno = errno;

        if (!audit)
                return NULL;
        close_fd(&audit->dir_fd);
        buf_release(&audit->text);
        free(audit);
        errno = saved_errno;
        return NULL;
}

int coffer_audit_next(struct coffer_audit *audit, const char **ret_line, struct coffer_error *err)
{
        REQUIRE(audit && ret_line, err);
        for (;;) {
                char *line = audit->text.data ? audit->text.data + audit->used : NULL;
                char *end = line ? memchr(line, '\n', audit->text.size - audit->used) : NULL;
                int r;

                if (end) {
                        *end = '\0';
                        audit->used += (size_t)(end + 1 - line);
                        *ret_line = line;
                        return 1;
                }
                if (audit->file == 0)
                        return 0;
                audit->used = audit->text.size = 0;
                r = buf_read_file(&audit->text, audit->dir_fd,
                                  audit_file(audit->id, --audit->file).text);
                if (r < 0 && r != -ENOENT)
                        return error_set(err, r, "read the audit log of box %s", audit->id);
        }
}

/* ------------------------------------------------------------------------------------- write */

void audit_tell(const struct coffer_box *box, const char *image, const struct audit_record *record)
{
        struct audit_log log = AUDIT_LOG_INIT;
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        char boot_id[BOOT_ID_CHARS + 1] = "", host[65] = "localhost";
        struct audit_subject who = {
                .id = box->id,
                .name = box->name,
                .image = image ? image : "",
                .app = "libcoffer",
                .boot_id = boot_id,
                .host = host,
                .uid = geteuid(),
        };
        cleanup_close int dir_fd = open_dir(box->runtime);

        if (dir_fd < 0 || !has_log(dir_fd, box->id))
                return;
        if (!image && meta_read(box->dir_fd, &meta, NULL) == 0)
                who.image = meta.image;
        (void)boot_id_read(boot_id);
        (void)gethostname(host, sizeof(host) - 1);
        if (audit_open(&log, box->runtime->home->fd, &who) < 0)
                return;
        audit_add(&log, record);
        (void)audit_write(&log, true);
        audit_close(&log);
}

bool audit_summary(const struct coffer_box *box, struct audit_head *ret)
{
        cleanup_close int dir_fd = open_dir(box->runtime);

        return dir_fd >= 0 && audit_head_read(dir_fd, box->id, ret) == 0;
}
