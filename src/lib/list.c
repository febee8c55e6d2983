/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/pack.h"
#include "lib/settle.h"
#include "lib/view.h"
#include "lib/views.h"
#include "spec/id.h"
#include "spec/state.h"
#include "store/listing.h"
#include "store/lock.h"
#include "store/remove.h"
#include "store/volume.h"

#define FRESH_MAX 16 /* boxes read from their own files, before the listing is written anew */

void views_release(struct views *views)
{
        for (size_t i = 0; i < views->count; i++)
                free(views->items[i].made);
        free(views->items);
        listing_release(&views->known);
        *views = (struct views){.items = NULL};
}

static struct listed *next_item(struct views *views)
{
        if (views->count == views->capacity) {
                size_t capacity = 2 * views->capacity + views->known.count + FRESH_MAX;
                struct listed *items = reallocarray(views->items, capacity, sizeof(*items));

                if (!items)
                        return NULL;
                views->items = items;
                views->capacity = capacity;
        }
        views->items[views->count] = (struct listed){.entry = NULL};
        return &views->items[views->count];
}

/* ---------------------------------------------------------------------- from their own files */

/* What the walk over boxes/ has at hand. */
struct walk {
        struct coffer_runtime *rt;
        struct views *views;
        struct here here;
        size_t fresh; /* calm boxes that the listing did not have */
};

static struct listing_strv pack_behind(struct pack *p, const struct strv *list)
{
        struct listing_strv to = {.first = "", .count = list->count};

        for (size_t i = 0; i < list->count; i++) {
                const char *s = pack_text(p, list->items[i]);

                if (i == 0)
                        to.first = s;
        }
        return to;
}

static struct listing_entry *pack_entry(struct pack *p, const struct view *v)
{
        const struct box_record *r = &v->record;
        char restart[RESTART_TEXT_MAX];
        struct listing_entry *to = pack_space(p, sizeof(*to));
        struct listing_entry e = {
                .created_ns = v->meta.created_ns,
                .started_ns = r->started_ns,
                .finished_ns = r->finished_ns,
                .shim_pid = v->held ? v->identity.pid : 0,
                .shim_inode = v->held ? v->identity.pid_inode : 0,
                .index = v->claims.index,
                .pid = r->pid,
                .exit_code = r->exit_code,
                .tty = v->meta.tty,
                .due = box_is_due(&v->meta, r),
                .name = pack_str(p, v->claims.name),
                .image = pack_str(p, v->meta.image),
                .command = pack_str(p, v->meta.command),
                .state = pack_str(p, r->state[0] != '\0' ? r->state : box_state_name(BOX_CREATED)),
                .reason = pack_str(p, r->reason),
                .health = pack_str(p, r->health),
                .labels = pack_behind(p, &v->meta.labels),
                .volumes = pack_behind(p, &v->meta.volumes),
        };

        restart_format(&v->meta.restart, restart);
        e.restart = pack_str(p, restart);
        (void)str_copy(e.id, sizeof(e.id), v->id);
        if (to)
                *to = e;
        return to;
}

static int list_view(const struct view *v, struct listed *to)
{
        struct pack p = {.base = NULL};

        (void)pack_entry(&p, v);
        p.base = malloc(p.used);
        if (!p.base)
                return -ENOMEM;
        p.used = 0;
        *to = (struct listed){.made = pack_entry(&p, v), .state = v->state, .held = v->held};
        to->entry = to->made;
        return 0;
}

/*
 * Nothing in the directory changes when a shim dies: a box that runs is in the listing only with
 * a process that can be asked for.  A health check writes often: such a box is not calm.
 */
static bool is_calm(const struct view *v)
{
        enum box_state state = BOX_CREATED;

        if (v->record.health[0] != '\0' || !v->meta.image || !v->meta.command ||
            (v->record.state[0] != '\0' && box_state_parse(v->record.state, &state) < 0) ||
            v->state != view_state(state))
                return false;
        return v->held ? box_state_is_live(state) && v->proved && v->identity.pid_inode != 0
                       : !box_state_is_live(state);
}

static int read_from_files(struct walk *w, const char *id, const struct stat *before,
                           struct listed *to, struct coffer_error *err)
{
        cleanup_with(view_release) struct view v = {.held = false};
        uint64_t began_ns = now_ns();
        cleanup_close int fd =
                sys_open(w->rt->home->boxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct stat after;
        int r;

        /* Removed since its name was read, or unreadable: the others are listed all the same. */
        if (fd < 0)
                return fd;
        r = view_read(w->rt, &w->here, id, fd, &v, err);
        if (r == 0)
                r = list_view(&v, to);
        if (r < 0)
                return r;
        to->calm =
                is_calm(&v) && fstat(fd, &after) == 0 && listing_can_hold(before, &after, began_ns);
        listing_stamp(to->made, before);
        w->fresh += to->calm;
        return 0;
}

/* ------------------------------------------------------------------------------ the listing */

/* The lock, and the process that had it when the entry was made: no other has its number. */
static bool lives_on(const struct walk *w, const struct listing_entry *e)
{
        cleanup_close int pidfd = -EBADF;
        uint64_t inode;

        if (box_lock_is_held_at(w->rt->home->boxes_fd, e->id) != 1)
                return false;
        pidfd = sys_pidfd_open((pid_t)e->shim_pid);
        return pidfd >= 0 && process_inode(pidfd, &inode) == 0 && inode == e->shim_inode;
}

static bool list_entry(const struct walk *w, const struct listing_entry *e, struct listed *to)
{
        bool runs = e->shim_inode != 0;
        enum box_state state;

        if (box_state_parse(e->state, &state) < 0 || box_state_is_live(state) != runs ||
            (runs && !lives_on(w, e)))
                return false;
        *to = (struct listed){.entry = e, .state = view_state(state), .held = runs, .calm = true};
        return true;
}

/* Of no consequence when it fails: the next list is as slow as this one was. */
static void remember(const struct walk *w)
{
        struct listing_entry *entries = malloc(w->views->count * sizeof(*entries));
        size_t count = 0;

        if (!entries)
                return;
        for (size_t i = 0; i < w->views->count && count < LISTING_MAX; i++)
                if (w->views->items[i].calm)
                        entries[count++] = *w->views->items[i].entry;
        (void)listing_write(w->rt->home, &w->here, entries, count);
        free(entries);
}

/* ---------------------------------------------------------------------------------- the list */

static int add_box(struct walk *w, const char *id, struct coffer_error *err)
{
        struct listed *to = next_item(w->views);
        const struct listing_entry *entry;
        struct stat dir;
        int r = 0;

        if (!to)
                return error_set(err, -ENOMEM, "list the boxes");
        if (fstatat(w->rt->home->boxes_fd, id, &dir, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(dir.st_mode))
                return 0;
        entry = listing_find(&w->views->known, id, &dir);
        if (!entry || !list_entry(w, entry, to))
                r = read_from_files(w, id, &dir, to, err);
        if (r == 0)
                w->views->count++;
        return r == -ENOMEM ? r : 0;
}

/* -1 when it cannot be read. */
static long count_entries(int dir_fd)
{
        int fd = sys_open(dir_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        long count = 0;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return -1;
        }
        while ((entry = readdir(dir)))
                count += entry->d_name[0] != '.';
        (void)closedir(dir);
        return count;
}

/* Fewer links than there are names or ranges: some were deleted, and the boxes still have them. */
static void restore_claims(const struct walk *w)
{
        const struct home *home = w->rt->home;
        const struct listed *items = w->views->items;
        long names = 0, ranges = 0;

        for (size_t i = 0; i < w->views->count; i++) {
                names += items[i].entry->name[0] != '\0';
                ranges += items[i].entry->index != CLAIM_NO_INDEX;
        }
        if (count_entries(home->names_fd) >= names &&
            (ranges == 0 || count_entries(home->ids_fd) >= ranges))
                return;
        (void)claims_restore_all(home);
}

static int newest_first(const void *a, const void *b)
{
        const struct listing_entry *x = ((const struct listed *)a)->entry;
        const struct listing_entry *y = ((const struct listed *)b)->entry;

        if (x->created_ns != y->created_ns)
                return x->created_ns < y->created_ns ? 1 : -1;
        return strcmp(x->id, y->id);
}

int views_read(struct coffer_runtime *rt, struct views *ret_views, struct coffer_error *err)
{
        struct views views = {.items = NULL};
        struct walk walk = {.rt = rt, .views = &views};
        int fd = sys_open(rt->home->boxes_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        bool trash = false;
        int r = 0;

        if (!dir) {
                r = error_set(err, fd < 0 ? fd : -errno, "list the boxes");
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        here_read(&walk.here);
        listing_read(rt->home, &walk.here, &views.known);
        while (r == 0 && (entry = readdir(dir))) {
                if (spec_is_id(entry->d_name))
                        r = add_box(&walk, entry->d_name, err);
                else if (str_after(entry->d_name, ".trash-"))
                        trash = true;
        }
        (void)closedir(dir);
        if (r == 0 && walk.fresh >= FRESH_MAX)
                remember(&walk);
        if (r == 0)
                restore_claims(&walk);
        if (trash) {
                (void)box_sweep(rt->home, runtime_remove_as, rt);
                volume_sweep(rt->home, runtime_remove_as, rt);
        }
        if (r < 0) {
                views_release(&views);
                return r;
        }
        if (views.count > 1)
                qsort(views.items, views.count, sizeof(*views.items), newest_first);
        *ret_views = views;
        return 0;
}

static const char *const *pack_labels(struct pack *p, const struct listing_strv *list)
{
        const char **to = pack_space(p, (list->count + 1) * sizeof(*to));
        const char *from = list->first;

        for (uint64_t i = 0; i < list->count; i++, from += strlen(from) + 1) {
                const char *s = pack_str(p, from);

                if (to)
                        to[i] = s;
        }
        if (to)
                to[list->count] = NULL;
        return to;
}

static struct coffer_box_info *pack_info(struct pack *p, const struct listed *l)
{
        /* The monitor may hold the lock a moment longer: who starts it waits for that. */
        bool has_ended = l->state == COFFER_STATE_STOPPED || l->state == COFFER_STATE_FAILED;
        struct coffer_box_info *to = pack_space(p, sizeof(*to));
        const struct listing_entry *e = l->entry;
        struct coffer_box_info info = {
                .id = pack_str(p, e->id),
                .name = pack_str(p, e->name),
                .image = pack_str(p, e->image),
                .command = pack_str(p, e->command),
                .created_ns = e->created_ns,
                .started_ns = e->started_ns,
                .finished_ns = e->finished_ns,
                .state = l->state,
                .exit_code = (int32_t)e->exit_code,
                .reason = pack_str(p, e->reason),
                .labels = pack_labels(p, &e->labels),
                .pid = l->held ? (pid_t)e->pid : 0,
                .tty = e->tty,
                .health = pack_str(p, e->health),
                .restart = pack_str(p, e->restart),
                .due = has_ended && e->due,
        };

        if (to)
                *to = info;
        return to;
}

static struct coffer_box_info **pack_list(struct pack *p, const struct views *views)
{
        struct coffer_box_info **to = pack_space(p, (views->count + 1) * sizeof(*to));

        for (size_t i = 0; i < views->count; i++) {
                struct coffer_box_info *info = pack_info(p, &views->items[i]);

                if (to)
                        to[i] = info;
        }
        if (to)
                to[views->count] = NULL;
        return to;
}

int coffer_box_list(struct coffer_runtime *runtime, struct coffer_box_info ***ret_infos,
                    size_t *ret_count, struct coffer_error *err)
{
        cleanup_with(views_release) struct views views = {.items = NULL};
        struct pack p = {.base = NULL};
        int r;

        REQUIRE(runtime && ret_infos && ret_count, err);
        r = views_read(runtime, &views, err);
        if (r < 0)
                return r;
        (void)pack_list(&p, &views);
        p.base = malloc(p.used);
        if (!p.base)
                return error_set(err, -ENOMEM, "list the boxes");
        p.used = 0;
        *ret_infos = pack_list(&p, &views);
        *ret_count = views.count;
        return 0;
}

int coffer_box_get_info(struct coffer_box *box, struct coffer_box_info **ret_info,
                        struct coffer_error *err)
{
        cleanup_with(view_release) struct view v = {.held = false};
        struct listed l = {.made = NULL};
        struct pack p = {.base = NULL};
        int r;

        REQUIRE(box && ret_info, err);
        r = view_read(box->runtime, NULL, box->id, box->dir_fd, &v, err);
        if (r == -ENOENT)
                return error_say(err, r, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed", box->id);
        if (r < 0)
                return r;
        r = list_view(&v, &l);
        if (r == 0) {
                (void)pack_info(&p, &l);
                p.base = malloc(p.used);
                p.used = 0;
                r = p.base ? 0 : -ENOMEM;
        }
        if (r == 0)
                *ret_info = pack_info(&p, &l);
        free(l.made);
        return r < 0 ? error_set(err, r, "look at box %s", box->id) : 0;
}
