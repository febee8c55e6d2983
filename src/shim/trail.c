/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the shim writes to the audit log (audit/log.h).  A record of something that is to be is
 * written before it is done: then a log that cannot be written refuses it.  What has happened
 * already is told when it can be, and counted when not.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "shim/shim.h"

static bool is_helper(const struct shim *s)
{
        return (s->start.flags & START_HELPER) != 0;
}

static const char *main_role(const struct shim *s)
{
        return is_helper(s) ? "helper" : "main";
}

/*
 * Pages of a program cost most when they are first touched.  While the client still plans we have
 * nothing to do: a record for nobody touches them now, and not when main waits for it.
 */
static void touch_pages(const struct shim *s)
{
        const struct audit_subject who = {
                .id = s->id, .name = "", .image = "", .app = "coffer-shim", .host = s->trail.host};
        const struct audit_place place = {.sequence = 1, .prev = AUDIT_NO_HASH};
        const struct audit_record record = {
                .event = AUDIT_LAUNCH, .process = {.role = "main", .path = "/", .argc = 1}
        };
        struct audit_head head = {.hash = AUDIT_NO_HASH, .base = AUDIT_NO_HASH};
        struct buf line = BUF_INIT(AUDIT_LINE_MAX);
        char text[AUDIT_HEAD_BYTES + 1];

        if (audit_format(&line, &who, &record, &place) == 0)
                sha256_hex(line.data, line.size, head.hash);
        audit_head_format(&head, text);
        buf_release(&line);
}

void trail_init(struct shim *s)
{
        s->trail.log = AUDIT_LOG_INIT;
        if (gethostname(s->trail.host, sizeof(s->trail.host) - 1) < 0)
                (void)str_copy(s->trail.host, sizeof(s->trail.host), "localhost");
        touch_pages(s);
}

/* Opened again after an error: there may be room meanwhile. */
static int make_ready(struct shim *s)
{
        const struct audit_subject who = {
                .id = s->id,
                .name = s->start.name ? s->start.name : "",
                .image = s->start.image ? s->start.image : "",
                .app = "coffer-shim",
                .boot_id = s->identity.boot_id,
                .host = s->trail.host,
                .uid = geteuid(),
        };
        int r;

        if (audit_is_open(&s->trail.log))
                return 0;
        if (!s->home)
                return -EBADF;
        r = audit_open(&s->trail.log, s->home->fd, &who);
        if (r < 0)
                audit_missed(&s->trail.log);
        return r;
}

/* What may not be done unless it is written down. */
static int judge(const struct shim *s, int r, struct coffer_error *err)
{
        if (r >= 0 || s->start.flags & START_AUDIT_BEST_EFFORT)
                return 0;
        (void)error_set(err, r, "write the audit log of box %s", s->id);
        error_kind(err, COFFER_ERROR_HOST);
        error_hint(err, "free space in '%s/" AUDIT_DIR "', or use --audit best-effort",
                   s->home ? s->home->path : "");
        return r;
}

/* One record; how it went is for judge() to weigh. */
static int tell(struct shim *s, const struct audit_record *record, bool sync)
{
        int r = make_ready(s);

        if (r < 0)
                return r;
        audit_add(&s->trail.log, record);
        return audit_write(&s->trail.log, sync);
}

static struct audit_record launch_record(const char *role, const struct msg_process *p)
{
        return (struct audit_record){
                .event = AUDIT_LAUNCH,
                .process =
                        {
                                  .role = role,
                                  .path = p->argv.count > 0 ? p->argv.items[0] : NULL,
                                  .argc = (uint32_t)p->argv.count,
                                  .user = p->user,
                                  },
        };
}

/* ------------------------------------------------------------------------------------- main */

static int begin(struct shim *s, enum audit_event event)
{
        const struct audit_record start = {.event = event};
        const struct audit_record launch = launch_record(main_role(s), &s->process);
        int r = make_ready(s);

        s->trail.begun = true;
        if (r < 0)
                return r;
        if (!is_helper(s))
                audit_add(&s->trail.log, &start);
        audit_add(&s->trail.log, &launch);
        s->trail.main_launch = s->trail.log.next.count;
        return 0;
}

static int begin_now(struct shim *s, enum audit_event event, struct coffer_error *err)
{
        int r = begin(s, event);

        if (r == 0)
                r = audit_write(&s->trail.log, false);
        return judge(s, r, err);
}

int trail_begin(void *shim, struct coffer_error *err)
{
        return begin_now(shim, AUDIT_START, err);
}

int trail_restart(struct shim *s, struct coffer_error *err)
{
        return begin_now(s, AUDIT_RESTART, err);
}

/* A row is "control\tstate\tdetail". */
static int tell_degraded(struct shim *s, const char *row)
{
        struct audit_record finding = {.event = AUDIT_DEGRADED};
        const char *state = strchr(row, '\t');
        char control[64];

        if (!state || !str_after(state + 1, "degraded"))
                return 0;
        (void)snprintf(control, sizeof(control), "%.*s", (int)(state - row), row);
        finding.control = control;
        finding.detail = str_after(state + 1, "degraded\t");
        return tell(s, &finding, false);
}

int trail_degraded(struct shim *s, struct coffer_error *err)
{
        int r = 0;

        if (!s->trail.begun) {
                r = begin(s, AUDIT_START);
                if (r == 0)
                        r = audit_write(&s->trail.log, false);
        }
        for (size_t i = 0; r == 0 && i < s->box.posture.count; i++)
                r = tell_degraded(s, s->box.posture.items[i]);
        if (r == 0)
                r = audit_write(&s->trail.log, true);
        return judge(s, r, err);
}

void trail_main_failed(struct shim *s, const char *why)
{
        trail_failed(s, main_role(s), s->trail.main_launch, why);
        s->trail.begun = false;
}

void trail_main_exited(struct shim *s)
{
        const struct audit_record record = {
                .event = AUDIT_TERMINATE,
                .process = {.role = main_role(s),
                            .launch = s->trail.main_launch,
                            .pid = s->record.pid,
                            .status = s->record.exit_code},
        };

        s->trail.begun = false;
        /* What is removed with its end is told with its end. */
        if (s->start.flags & START_REMOVE && audit_is_open(&s->trail.log))
                audit_add(&s->trail.log, &record);
        else
                (void)tell(s, &record, false);
}

/* ----------------------------------------------------------------------------------- others */

int trail_launch(struct shim *s, const char *role, const struct msg_process *p,
                 uint64_t *ret_launch, struct coffer_error *err)
{
        const struct audit_record record = launch_record(role, p);
        int r = tell(s, &record, false);

        *ret_launch = r == 0 ? s->trail.log.head.count : 0;
        return judge(s, r, err);
}

void trail_failed(struct shim *s, const char *role, uint64_t launch, const char *why)
{
        const struct audit_record record = {
                .event = AUDIT_LAUNCH,
                .failed = true,
                .detail = why,
                .process = {.role = role, .launch = launch},
        };

        (void)tell(s, &record, false);
}

void trail_exited(struct shim *s, const char *role, uint64_t launch, uint32_t pid, uint32_t status)
{
        const struct audit_record record = {
                .event = AUDIT_TERMINATE,
                .process = {.role = role, .launch = launch, .pid = pid, .status = status},
        };

        (void)tell(s, &record, false);
}

/* -------------------------------------------------------------------------------------- box */

void trail_note(struct shim *s, enum audit_event event)
{
        const struct audit_record record = {.event = event};

        (void)tell(s, &record, false);
}

void trail_update(struct shim *s, const struct msg_update *m)
{
        const struct audit_record record = {
                .event = AUDIT_UPDATE,
                .limits = m,
        };

        (void)tell(s, &record, false);
}

void trail_start_failed(struct shim *s, const struct coffer_error *err)
{
        const struct audit_record record = {
                .event = AUDIT_START,
                .failed = true,
                .detail = err->msg,
        };

        if (is_helper(s))
                trail_failed(s, main_role(s), s->trail.main_launch, err->msg);
        else
                (void)tell(s, &record, false);
}

void trail_end(struct shim *s)
{
        char text[sizeof(s->record.reason) + 32];
        const struct audit_record stop = {
                .event = AUDIT_STOP,
                .failed = s->state == BOX_FAILED,
                .detail = text,
        };
        const struct audit_record removed = {.event = AUDIT_REMOVE};

        (void)snprintf(text, sizeof(text), "%s%sexit status %u", s->record.reason,
                       s->record.reason[0] ? ", " : "", s->record.exit_code);
        if (!is_helper(s) && make_ready(s) == 0) {
                audit_add(&s->trail.log, &stop);
                if (s->buried)
                        audit_add(&s->trail.log, &removed);
        }
        if (audit_is_open(&s->trail.log))
                (void)audit_write(&s->trail.log, !s->buried && !is_helper(s));
        audit_close(&s->trail.log);
}
