/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "lib/audit.h"
#include "sandbox/cgroup.h"
#include "spec/state.h"
#include "store/events.h"
#include "store/identity.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/meta.h"
#include "store/remove.h"
#include "store/volume.h"

#define KILL_TIMEOUT_MS 10000
#define DYING_MS        1000
#define STATUS_KILLED   (128 + 9)

static int kill_rest(const struct coffer_box *box, struct coffer_error *err)
{
        struct cgroup cg;
        int r = FAULT("settle.kill");

        if (r < 0)
                return error_set(err, r, "end what is left of box %s", box->id);
        r = cgroup_open(box->id, &cg, err);
        if (r < 0)
                return r;
        r = cgroup_kill(&cg, KILL_TIMEOUT_MS, err);
        if (r < 0) {
                cgroup_release(&cg);
                return r;
        }
        return cgroup_remove(&cg, err);
}

/* Of this boot and this PID namespace, where the numbers of its record mean what they meant. */
static bool is_from_here(const struct coffer_box *box)
{
        char boot_id[BOOT_ID_CHARS + 1] = "";
        struct identity identity;
        uint64_t pid_ns = 0;

        return identity_read(box->dir_fd, &identity) == 0 && boot_id_read(boot_id) == 0 &&
               str_eq(boot_id, identity.boot_id) && pid_ns_read(&pid_ns) == 0 &&
               pid_ns == identity.pid_ns;
}

/*
 * The supervisor dies with its shim, and all others with it; that has begun, and may not be over.
 * Main is PID 1 of the inner namespace: when it is gone, so is everything in it.
 */
static int end_main(const struct coffer_box *box, const struct box_record *record,
                    struct coffer_error *err)
{
        struct pollfd p = {.events = POLLIN};
        cleanup_close int pidfd = -EBADF;

        (void)FAULT("settle.main");
        if (record->pid == 0 || !is_from_here(box))
                return 0;
        pidfd = sys_pidfd_open((pid_t)record->pid);
        if (pidfd < 0 ||
            !process_has_mark(pidfd, record->pid, record->pid_inode, record->pid_start))
                return 0;
        (void)sys_pidfd_send_signal(pidfd, SIGKILL);
        p.fd = pidfd;
        if (poll(&p, 1, KILL_TIMEOUT_MS) > 0)
                return 0;
        (void)error_say(err, -EBUSY, COFFER_ERROR_STATE,
                        "main, process %u, or one below it is left and does not die", record->pid);
        error_hint(err, "a debugger may hold it, or a device: ps -o pid,stat,wchan,args -p %u",
                   record->pid);
        return -EBUSY;
}

static void tell(const struct coffer_box *box, const char *action, const char *const *extra)
{
        struct box_meta meta = {0};
        struct event event = {
                .type = "container",
                .action = action,
                .id = box->id,
                .name = box->name,
                .extra = extra,
        };

        if (meta_read(box->dir_fd, &meta, NULL) == 0) {
                event.image = meta.image;
                event.labels = &meta.labels;
        }
        (void)event_append(box->runtime->home->fd, &event);
        box_meta_release(&meta);
}

static const char *why_dead(const struct coffer_box *box)
{
        char boot_id[BOOT_ID_CHARS + 1] = "";
        struct identity identity;

        if (identity_read(box->dir_fd, &identity) < 0 || boot_id_read(boot_id) < 0 ||
            str_eq(boot_id, identity.boot_id))
                return "shim died";
        return "host restarted";
}

static void mark_log(const struct coffer_box *box)
{
        struct box_log log;

        if (faccessat(box->dir_fd, "log", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (box_log_open(&log, box->dir_fd, UINT64_MAX, 1) < 0)
                return;
        (void)box_log_append(&log, LOG_NOTE, now_ns(), LOG_NOTE_CUT, strlen(LOG_NOTE_CUT));
        box_log_close(&log);
}

static int write_dead(struct coffer_box *box, struct box_record *record, struct coffer_error *err)
{
        /* The shim has heard of main's end, and died before that of the box. */
        bool heard = record->started_ns != 0 && record->finished_ns >= record->started_ns;
        char code[16];
        const char *extra[] = {"exitCode", code, NULL};
        const struct audit_record stop = {
                .event = AUDIT_STOP,
                .failed = true,
                .detail = record->reason,
        };
        int r;

        (void)FAULT("settle.log");
        mark_log(box);
        (void)str_copy(record->state, sizeof(record->state), box_state_name(BOX_FAILED));
        (void)str_copy(record->reason, sizeof(record->reason), why_dead(box));
        record->pid = 0;
        if (record->health[0] != '\0')
                (void)str_copy(record->health, sizeof(record->health), HEALTH_OF_THE_DEAD);
        if (!heard) {
                record->exit_code = STATUS_KILLED;
                record->finished_ns = now_ns();
        }
        (void)snprintf(code, sizeof(code), "%" PRIu32, record->exit_code);
        r = state_write(box->dir_fd, record, true);
        if (r < 0)
                return error_set(err, r, "write the state of box %s", box->id);
        (void)FAULT("settle.files");
        (void)unlinkat(box->dir_fd, "control.sock", 0);
        (void)unlinkat(box->dir_fd, "identity", 0);
        (void)FAULT("settle.event");
        tell(box, "die", extra);
        audit_tell(box, NULL, &stop);
        return 0;
}

/* What the shim removes when it ends by itself. */
static bool has_socket(const struct coffer_box *box)
{
        return faccessat(box->dir_fd, "control.sock", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Before its first state was written.  A run of the box has its log before its socket; what is then
 * without one was a helper's run, which is none of the box's, or is of a --rm box, which goes.
 */
static bool has_never_run(const struct coffer_box *box, int read_result)
{
        return read_result == -ENOENT &&
               (!has_socket(box) || faccessat(box->dir_fd, "log", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

static bool is_settled(const struct box_record *record, int read_result)
{
        enum box_state state;

        return read_result == 0 && box_state_parse(record->state, &state) == 0 &&
               !box_state_is_live(state);
}

int settle(struct coffer_box *box, struct box_record *ret_record, struct coffer_error *err)
{
        struct box_record record = {0};
        int read_result = state_read(box->dir_fd, &record, err);
        int r = 0;

        if (read_result < 0 && read_result != -ENOENT && read_result != -EBADMSG)
                return read_result;
        if (!has_never_run(box, read_result) && !is_settled(&record, read_result)) {
                /* The cgroup first: what a v1 freezer holds does not die. */
                r = kill_rest(box, err);
                if (r == 0)
                        r = end_main(box, &record, err);
                if (r == 0)
                        r = write_dead(box, &record, err);
        } else if (has_socket(box)) {
                /* It died in a run that was none of the box's own, or before it had begun. */
                r = kill_rest(box, err);
                (void)unlinkat(box->dir_fd, "control.sock", 0);
        }
        if (r < 0) {
                box_record_release(&record);
                return error_wrap(err, r, "clean up box %s, whose monitor died", box->id);
        }
        *ret_record = record;
        return 0;
}

void exit_from_record(const struct box_record *record, struct coffer_exit *ret_exit)
{
        *ret_exit = (struct coffer_exit){
                .status = (int32_t)record->exit_code,
                .oom_killed = record->oom_killed,
                .timed_out = record->timed_out,
        };
        (void)str_copy(ret_exit->reason, sizeof(ret_exit->reason), record->reason);
}

static int settle_locked(struct coffer_box *box, struct coffer_exit *ret_exit,
                         struct coffer_error *err)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        int r = settle(box, &record, err);

        if (record.state[0] != '\0')
                exit_from_record(&record, ret_exit);
        if (meta_read(box->dir_fd, &meta, NULL) == 0 && meta.remove)
                r = box_remove_now(box, true, err);
        return r;
}

/* A shim that is just dying closes its connections a moment before it lets go of the lock. */
static int take_lock_of_dying(const struct coffer_box *box, int *ret_fd)
{
        struct identity identity;
        struct pollfd p = {.events = POLLIN};
        int r = box_lock_take(box->dir_fd, box->id, ret_fd);

        if (r != -EAGAIN || identity_read(box->dir_fd, &identity) < 0)
                return r;
        p.fd = sys_pidfd_open((pid_t)identity.pid);
        if (p.fd >= 0) {
                (void)poll(&p, 1, DYING_MS);
                (void)close(p.fd);
        }
        return box_lock_take(box->dir_fd, box->id, ret_fd);
}

int settle_by_id(struct coffer_runtime *runtime, const char *id, struct coffer_exit *ret_exit,
                 struct coffer_error *err)
{
        cleanup_with(box_dropp) struct coffer_box *box = NULL;
        cleanup_close int lock_fd = -EBADF;
        int r = coffer_box_open(runtime, id, &box, err);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        r = take_lock_of_dying(box, &lock_fd);
        if (r == -EAGAIN || r == -ENOENT)
                return 0;
        if (r < 0)
                return error_set(err, r, "lock box %s", id);
        return settle_locked(box, ret_exit, err);
}

bool box_is_due(const struct box_meta *meta, const struct box_record *record)
{
        const struct restart_end end = {
                .exit_code = record->exit_code,
                .timed_out = record->timed_out,
                .stop_asked = record->stop_asked,
                .restarts = record->restart_count,
        };

        return record->state[0] != '\0' && restart_at_boot(&meta->restart, &end);
}

int box_remove_now(struct coffer_box *box, bool with_volumes, struct coffer_error *err)
{
        struct coffer_runtime *rt = box->runtime;
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        struct event event = {
                .type = "container",
                .action = "destroy",
                .id = box->id,
                .name = box->name,
        };
        const struct audit_record removed = {.event = AUDIT_REMOVE};
        int r;

        /* What a shim that died in a helper run left; its own end leaves nothing there. */
        r = kill_rest(box, err);
        if (r < 0)
                return error_wrap(err, r, "remove box %s", box->id);
        if (meta_read(box->dir_fd, &meta, NULL) == 0) {
                event.image = meta.image;
                event.labels = &meta.labels;
        } else {
                /* Its creation was cut short, perhaps in the middle of a volume. */
                volume_sweep(rt->home, runtime_remove_as, rt);
        }
        if (with_volumes)
                box_doom_volumes(box->dir_fd);
        r = box_remove_files(rt->home, box->id, runtime_remove_as, rt);
        if (r < 0)
                return error_set(err, r, "remove box %s", box->id);
        (void)FAULT("remove.event");
        (void)event_append(rt->home->fd, &event);
        audit_tell(box, meta.image, &removed);
        for (size_t i = 0; with_volumes && i < meta.volumes.count; i++)
                if (str_after(meta.volumes.items[i], ANONYMOUS_VOLUMES))
                        (void)volume_remove(rt->home, meta.volumes.items[i], runtime_remove_as, rt,
                                            NULL);
        return 0;
}
