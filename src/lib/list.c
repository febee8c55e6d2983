/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/pack.h"
#include "lib/settle.h"
#include "lib/view.h"
#include "lib/views.h"
#include "spec/id.h"
#include "store/remove.h"

void views_release(struct views *views)
{
        for (size_t i = 0; i < views->count; i++)
                view_release(&views->items[i]);
        free(views->items);
        *views = (struct views){.items = NULL};
}

static struct view *next_view(struct views *views)
{
        if (views->count == views->capacity) {
                size_t capacity = views->capacity ? 2 * views->capacity : 16;
                struct view *items = reallocarray(views->items, capacity, sizeof(*items));

                if (!items)
                        return NULL;
                views->items = items;
                views->capacity = capacity;
        }
        return &views->items[views->count];
}

static int add_view(struct coffer_runtime *rt, const char *id, struct views *views,
                    struct coffer_error *err)
{
        cleanup_close int fd =
                sys_open(rt->home->boxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct view *v = next_view(views);
        int r;

        if (!v)
                return error_set(err, -ENOMEM, "list the boxes");
        /* Removed since its name was read, or unreadable: the others are listed all the same. */
        if (fd < 0)
                return 0;
        r = view_read(rt, id, fd, v, err);
        if (r == 0)
                views->count++;
        return r == -ENOMEM ? r : 0;
}

static int newest_first(const void *a, const void *b)
{
        const struct view *x = a, *y = b;

        if (x->meta.created_ns != y->meta.created_ns)
                return x->meta.created_ns < y->meta.created_ns ? 1 : -1;
        return strcmp(x->id, y->id);
}

int views_read(struct coffer_runtime *rt, struct views *ret_views, struct coffer_error *err)
{
        struct views views = {.items = NULL};
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
        while (r == 0 && (entry = readdir(dir))) {
                if (spec_is_id(entry->d_name))
                        r = add_view(rt, entry->d_name, &views, err);
                else if (str_after(entry->d_name, ".trash-"))
                        trash = true;
        }
        (void)closedir(dir);
        if (trash)
                (void)box_sweep(rt->home, runtime_remove_as, rt);
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
