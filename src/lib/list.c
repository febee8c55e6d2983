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
#include "store/remove.h"
#include "store/volume.h"

#define FRESH_MAX 16 /* boxes read from their own files, before the listing is written anew */

void views_release(struct views *views)
{
        for (size_t i = 0; i < views->capacity && views->items[i]; i++) {
                if (i < views->count)
                        view_release(views->items[i]);
                free(views->items[i]);
        }
        free(views->items);
        *views = (struct views){.items = NULL};
}

static struct view *next_view(struct views *views)
{
        if (views->count == views->capacity) {
                size_t capacity = views->capacity ? 2 * views->capacity : 16;
                struct view **items = reallocarray(views->items, capacity, sizeof(*items));

                if (!items)
                        return NULL;
                memset(items + views->capacity, 0, (capacity - views->capacity) * sizeof(*items));
                views->items = items;
                views->capacity = capacity;
        }
        if (!views->items[views->count])
                views->items[views->count] = malloc(sizeof(struct view));
        return views->items[views->count];
}

/* ------------------------------------------------------------------------------ the listing */

/* What the walk over boxes/ has at hand. */
struct walk {
        struct coffer_runtime *rt;
        struct views *views;
        struct listing known;
        size_t fresh; /* calm boxes that the listing did not have */
};

static int view_from_entry(struct listing_entry *e, struct view *v)
{
        enum box_state state;

        if (box_state_parse(e->state, &state) < 0 || box_state_is_live(state))
                return -EBADMSG;
        *v = (struct view){.claims = {.index = e->index}, .calm = true};
        (void)str_copy(v->id, sizeof(v->id), e->id);
        (void)str_copy(v->claims.name, sizeof(v->claims.name), e->name);
        v->meta = (struct box_meta){
                .image = take_ptr(e->image),
                .command = take_ptr(e->command),
                .created_ns = e->created_ns,
                .tty = e->tty != 0,
                .remove = e->remove != 0,
                .labels = e->labels,
                .volumes = e->volumes,
        };
        e->labels = e->volumes = (struct strv){.items = NULL};
        (void)str_copy(v->record.state, sizeof(v->record.state), e->state);
        (void)str_copy(v->record.reason, sizeof(v->record.reason), e->reason);
        v->record.started_ns = e->started_ns;
        v->record.finished_ns = e->finished_ns;
        v->record.exit_code = e->exit_code;
        v->state = view_state(state);
        return 0;
}

/* Borrows what the view has. */
static void entry_from_view(struct view *v, struct listing_entry *e)
{
        *e = (struct listing_entry){
                .id = v->id,
                .name = v->claims.name,
                .index = v->claims.index,
                .image = v->meta.image,
                .command = v->meta.command,
                .labels = v->meta.labels,
                .volumes = v->meta.volumes,
                .state = v->record.state[0] != '\0'
                                 ? v->record.state
                                 : (char *)(uintptr_t)box_state_name(BOX_CREATED),
                .reason = v->record.reason,
                .created_ns = v->meta.created_ns,
                .started_ns = v->record.started_ns,
                .finished_ns = v->record.finished_ns,
                .exit_code = v->record.exit_code,
                .tty = v->meta.tty,
                .remove = v->meta.remove,
        };
        listing_stamp(e, &v->dir);
}

/* What an entry cannot say is not in it: a restart policy, how healthy it was. */
static bool is_calm(const struct view *v, const struct stat *after, uint64_t began_ns)
{
        return !v->held && v->meta.restart.kind == RESTART_NO && v->record.health[0] == '\0' &&
               v->meta.image && v->meta.command &&
               (v->state == COFFER_STATE_CREATED || v->state == COFFER_STATE_STOPPED ||
                v->state == COFFER_STATE_FAILED) &&
               strlen(v->meta.image) < WIRE_STR_MAX && strlen(v->meta.command) < WIRE_STR_MAX &&
               listing_can_hold(&v->dir, after, began_ns);
}

/* Of no consequence when it fails: the next list is as slow as this one was. */
static void remember(const struct walk *w)
{
        struct listing_entry *entries = calloc(w->views->count, sizeof(*entries));
        size_t count = 0;

        if (!entries)
                return;
        for (size_t i = 0; i < w->views->count && count < LISTING_MAX; i++)
                if (w->views->items[i]->calm)
                        entry_from_view(w->views->items[i], &entries[count++]);
        (void)listing_write(w->rt->home, entries, count);
        free(entries);
}

/* ---------------------------------------------------------------------------------- the list */

static int read_from_files(struct walk *w, const char *id, const struct stat *before,
                           struct view *v, struct coffer_error *err)
{
        uint64_t began_ns = now_ns();
        cleanup_close int fd =
                sys_open(w->rt->home->boxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct stat after;
        int r;

        /* Removed since its name was read, or unreadable: the others are listed all the same. */
        if (fd < 0)
                return fd;
        r = view_read(w->rt, id, fd, v, err);
        if (r < 0)
                return r;
        v->dir = *before;
        v->calm = fstat(fd, &after) == 0 && is_calm(v, &after, began_ns);
        if (v->calm)
                w->fresh++;
        return 0;
}

static int add_view(struct walk *w, const char *id, struct coffer_error *err)
{
        struct view *v = next_view(w->views);
        struct listing_entry *entry;
        struct stat dir;
        int r = -ENOENT;

        if (!v)
                return error_set(err, -ENOMEM, "list the boxes");
        if (fstatat(w->rt->home->boxes_fd, id, &dir, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(dir.st_mode))
                return 0;
        entry = listing_find(&w->known, id, &dir);
        if (entry)
                r = view_from_entry(entry, v);
        if (r == 0)
                v->dir = dir;
        else
                r = read_from_files(w, id, &dir, v, err);
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
        struct view *const *items = w->views->items;
        long names = 0, ranges = 0;

        for (size_t i = 0; i < w->views->count; i++) {
                names += items[i]->claims.name[0] != '\0';
                ranges += items[i]->claims.index != CLAIM_NO_INDEX;
        }
        if (count_entries(home->names_fd) >= names &&
            (ranges == 0 || count_entries(home->ids_fd) >= ranges))
                return;
        (void)claims_restore_all(home);
}

static int newest_first(const void *a, const void *b)
{
        const struct view *x = *(struct view *const *)a, *y = *(struct view *const *)b;

        if (x->meta.created_ns != y->meta.created_ns)
                return x->meta.created_ns < y->meta.created_ns ? 1 : -1;
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
        listing_read(rt->home, &walk.known);
        while (r == 0 && (entry = readdir(dir))) {
                if (spec_is_id(entry->d_name))
                        r = add_view(&walk, entry->d_name, err);
                else if (str_after(entry->d_name, ".trash-"))
                        trash = true;
        }
        (void)closedir(dir);
        if (r == 0 && walk.fresh >= FRESH_MAX)
                remember(&walk);
        if (r == 0)
                restore_claims(&walk);
        listing_release(&walk.known);
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

static struct coffer_box_info *pack_info(struct pack *p, const struct view *v)
{
        /* The monitor may hold the lock a moment longer: who starts it waits for that. */
        bool has_ended = v->state == COFFER_STATE_STOPPED || v->state == COFFER_STATE_FAILED;
        char restart[RESTART_TEXT_MAX];
        struct coffer_box_info *to = pack_space(p, sizeof(*to));
        struct coffer_box_info info = {
                .id = pack_str(p, v->id),
                .name = pack_str(p, v->claims.name),
                .image = pack_str(p, v->meta.image),
                .command = pack_str(p, v->meta.command),
                .created_ns = v->meta.created_ns,
                .started_ns = v->record.started_ns,
                .finished_ns = v->record.finished_ns,
                .state = v->state,
                .exit_code = (int32_t)v->record.exit_code,
                .reason = pack_str(p, v->record.reason),
                .labels = pack_strv(p, &v->meta.labels),
                .pid = v->held ? (pid_t)v->record.pid : 0,
                .tty = v->meta.tty,
                .health = pack_str(p, v->record.health),
                .due = has_ended && box_is_due(&v->meta, &v->record),
        };

        restart_format(&v->meta.restart, restart);
        info.restart = pack_str(p, restart);
        if (to)
                *to = info;
        return to;
}

static struct coffer_box_info **pack_list(struct pack *p, const struct views *views)
{
        struct coffer_box_info **to = pack_space(p, (views->count + 1) * sizeof(*to));

        for (size_t i = 0; i < views->count; i++) {
                struct coffer_box_info *info = pack_info(p, views->items[i]);

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
        struct pack p = {.base = NULL};
        int r;

        REQUIRE(box && ret_info, err);
        r = view_read(box->runtime, box->id, box->dir_fd, &v, err);
        if (r == -ENOENT)
                return error_say(err, r, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed", box->id);
        if (r < 0)
                return r;
        (void)pack_info(&p, &v);
        p.base = malloc(p.used);
        if (!p.base)
                return error_set(err, -ENOMEM, "look at box %s", box->id);
        p.used = 0;
        *ret_info = pack_info(&p, &v);
        return 0;
}
