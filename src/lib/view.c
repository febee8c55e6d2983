/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/view.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "lib/link.h"
#include "lib/settle.h"
#include "spec/state.h"
#include "store/lock.h"
#include "store/remove.h"
#include "store/volume.h"

#define NOT_THE_MONITOR "held by a process that is not its monitor"

static const struct {
        enum box_state inside;
        enum coffer_state outside;
} states[] = {
        {BOX_CREATED,    COFFER_STATE_CREATED   },
        {BOX_STARTING,   COFFER_STATE_STARTING  },
        {BOX_RUNNING,    COFFER_STATE_RUNNING   },
        {BOX_PAUSED,     COFFER_STATE_PAUSED    },
        {BOX_STOPPING,   COFFER_STATE_STOPPING  },
        {BOX_RESTARTING, COFFER_STATE_RESTARTING},
        {BOX_STOPPED,    COFFER_STATE_STOPPED   },
        {BOX_FAILED,     COFFER_STATE_FAILED    },
};

const char *coffer_state_name(enum coffer_state state)
{
        for (size_t i = 0; i < ELEMENTS(states); i++)
                if (states[i].outside == state)
                        return box_state_name(states[i].inside);
        return "unknown";
}

void view_release(struct view *view)
{
        box_meta_release(&view->meta);
        box_record_release(&view->record);
        *view = (struct view){.held = false};
}

enum coffer_state view_state(enum box_state state)
{
        for (size_t i = 0; i < ELEMENTS(states); i++)
                if (states[i].inside == state)
                        return states[i].outside;
        return COFFER_STATE_UNKNOWN;
}

static enum coffer_state state_of(const struct box_record *record)
{
        enum box_state state;

        if (record->state[0] == '\0')
                return COFFER_STATE_CREATED;
        return box_state_parse(record->state, &state) < 0 ? COFFER_STATE_UNKNOWN
                                                          : view_state(state);
}

static bool says_live(const struct box_record *record)
{
        enum box_state state;

        return box_state_parse(record->state, &state) == 0 && box_state_is_live(state);
}

/* No meta.json and never run: a creation that was cut short, unless somebody is at it. */
static void sweep_unfinished(struct coffer_runtime *rt, const char *id, int dir_fd)
{
        cleanup_close int lock_fd = -EBADF;

        if (faccessat(dir_fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
            faccessat(dir_fd, "identity", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return;
        if (box_lock_take(dir_fd, id, &lock_fd) < 0 ||
            faccessat(dir_fd, "meta.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return;
        box_doom_volumes(dir_fd);
        (void)box_remove_files(rt->home, id, runtime_remove_as, rt);
        volume_sweep(rt->home, runtime_remove_as, rt);
}

/* The lock is asked for again: a shim that ended meanwhile is no stranger. */
static bool held_by_a_stranger(int dir_fd, const struct here *here, struct view *v)
{
        struct box_facts facts = {.lock_held = true, .waited = true};
        enum verdict verdict = link_look(dir_fd, v->id, here, &v->identity, &facts);

        v->proved = verdict == VERDICT_HUNG; /* nobody has asked it */
        if (verdict != VERDICT_FOREIGN || facts.identity == IDENTITY_ABSENT)
                return false;
        v->held = box_lock_is_held(dir_fd) != 0;
        return v->held;
}

static void read_held(bool stranger, struct view *v)
{
        if (stranger) {
                v->state = COFFER_STATE_UNKNOWN;
                (void)str_copy(v->record.reason, sizeof(v->record.reason), NOT_THE_MONITOR);
        } else {
                v->state =
                        v->record.state[0] != '\0' ? state_of(&v->record) : COFFER_STATE_STARTING;
        }
}

/* Free lock: what the record says, if it can be true; a shim that died is written down first. */
static int read_free(struct coffer_runtime *rt, int dir_fd, int read_result, struct view *v,
                     struct coffer_error *err)
{
        struct coffer_exit ignored;
        bool began = faccessat(dir_fd, "control.sock", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        int r;

        if (read_result == 0 && !says_live(&v->record)) {
                v->state = state_of(&v->record);
                return 0;
        }
        if (read_result == -ENOENT && !began) {
                v->state = COFFER_STATE_CREATED;
                return 0;
        }
        box_record_release(&v->record);
        r = settle_by_id(rt, v->id, &ignored, err);
        if (r == 0)
                r = state_read(dir_fd, &v->record, err);
        /* Gone, if it was to go; else it was not a run of its own. */
        if (r == -ENOENT && faccessat(dir_fd, "meta.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                r = 0;
        if (r == 0)
                v->state = state_of(&v->record);
        return r;
}

static int read_view(struct coffer_runtime *rt, const struct here *here, int dir_fd, struct view *v,
                     struct coffer_error *err)
{
        bool stranger;
        int state_result;
        int r = meta_read(dir_fd, &v->meta, err);

        if (r == -ENOENT) {
                sweep_unfinished(rt, v->id, dir_fd);
                return r;
        }
        if (r < 0 && r != -EBADMSG)
                return r;
        if (claims_read(dir_fd, &v->claims) < 0)
                v->claims = (struct claims){.index = CLAIM_NO_INDEX};

        /* The lock first: whoever lets go of it has written the state before. */
        r = box_lock_is_held(dir_fd);
        if (r < 0)
                return error_set(err, r, "look at box %s", v->id);
        v->held = r == 1;
        stranger = v->held && held_by_a_stranger(dir_fd, here, v);
        state_result = state_read(dir_fd, &v->record, err);
        if (!v->held)
                return read_free(rt, dir_fd, state_result, v, err);
        read_held(stranger, v);
        return 0;
}

int view_read(struct coffer_runtime *runtime, const struct here *here, const char *id,
              int box_dir_fd, struct view *ret_view, struct coffer_error *err)
{
        struct view v = {.held = false};
        int r;

        (void)str_copy(v.id, sizeof(v.id), id);
        r = read_view(runtime, here, box_dir_fd, &v, err);
        if (r < 0) {
                view_release(&v);
                return r;
        }
        *ret_view = v;
        return 0;
}
