/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/emit.h"
#include "base/measure.h"
#include "lib/handle.h"
#include "lib/pack.h"
#include "lib/views.h"
#include "spec/id.h"
#include "store/events.h"
#include "store/volume.h"

#define INSPECT_MAX_BYTES (1024 * 1024)

static void tell(const struct coffer_runtime *rt, const char *action, const char *name)
{
        static const char *const extra[] = {"driver", "local", NULL};
        struct event event = {.type = "volume", .action = action, .id = name, .extra = extra};

        (void)event_append(rt->home->fd, &event);
}

int coffer_volume_create(struct coffer_runtime *runtime, const char *name,
                         const char *const *labels, char **ret_name, struct coffer_error *err)
{
        cleanup_with(volume_release) struct volume volume = {.anonymous = name == NULL};
        cleanup_free char *made_up = NULL;
        char id[SPEC_ID_LENGTH + 1];
        int r = 0;

        REQUIRE(runtime, err);
        if (!name) {
                r = spec_new_id(id);
                if (r == 0 && asprintf(&made_up, ANONYMOUS_VOLUMES "%s", id) < 0)
                        r = -ENOMEM;
                if (r < 0)
                        return error_set(err, r, "make up a name for a volume");
                name = made_up;
        }
        r = name_check("volume", name, err);
        for (; r == 0 && labels && *labels; labels++)
                r = strv_add(&volume.labels, *labels);
        if (r == -ENOMEM || r == -E2BIG)
                return error_set(err, r, "label a volume");
        if (r < 0)
                return r;
        r = volume_create(runtime->home, name, &volume, (uint32_t)-1, (uint32_t)-1, err);
        if (r < 0)
                return r;
        if (r > 0)
                tell(runtime, "create", name);
        if (!ret_name)
                return 0;
        *ret_name = strdup(name);
        return *ret_name ? 0 : error_set(err, -ENOMEM, "make a volume");
}

static uint32_t count_users(const struct views *views, const char *name)
{
        uint32_t users = 0;

        for (size_t i = 0; i < views->count; i++)
                users += listing_has(&views->items[i].entry->volumes, name);
        return users;
}

static void data_path(const struct coffer_runtime *rt, const char *name, char path[PATH_MAX])
{
        (void)snprintf(path, PATH_MAX, "%s/volumes/%s/_data", rt->home->path, name);
}

static struct coffer_volume_info *pack_info(struct pack *p, const struct coffer_runtime *rt,
                                            const char *name, const struct volume *volume,
                                            const struct views *views)
{
        struct coffer_volume_info *to = pack_space(p, sizeof(*to));
        struct coffer_volume_info info;
        char path[PATH_MAX];

        data_path(rt, name, path);
        info = (struct coffer_volume_info){
                .name = pack_str(p, name),
                .path = pack_str(p, path),
                .created_ns = volume->created_ns,
                .labels = pack_strv(p, &volume->labels),
                .users = count_users(views, name),
                .anonymous = volume->anonymous,
        };
        if (to)
                *to = info;
        return to;
}

/**
 * struct shelf - all volumes, with what each says
 */
struct shelf {
        struct strv names;
        struct volume *volumes; /* one for each name */
};

static void shelf_release(struct shelf *shelf)
{
        for (size_t i = 0; shelf->volumes && i < shelf->names.count; i++)
                volume_release(&shelf->volumes[i]);
        free(shelf->volumes);
        strv_release(&shelf->names);
}

/* One that cannot be read, or goes away meanwhile, is listed with what is known: its name. */
static int shelf_read(struct coffer_runtime *rt, struct shelf *shelf, struct coffer_error *err)
{
        int r;

        volume_sweep(rt->home, runtime_remove_as, rt);
        r = volume_list(rt->home, &shelf->names, err);
        if (r < 0)
                return r;
        shelf->volumes = calloc(shelf->names.count + 1, sizeof(*shelf->volumes));
        if (!shelf->volumes)
                return error_set(err, -ENOMEM, "list the volumes");
        for (size_t i = 0; i < shelf->names.count; i++)
                (void)volume_read(rt->home, shelf->names.items[i], &shelf->volumes[i], NULL);
        return 0;
}

static struct coffer_volume_info **pack_list(struct pack *p, const struct coffer_runtime *rt,
                                             const struct shelf *shelf, const struct views *views)
{
        size_t count = shelf->names.count;
        struct coffer_volume_info **to = pack_space(p, (count + 1) * sizeof(*to));

        for (size_t i = 0; i < count; i++) {
                struct coffer_volume_info *info =
                        pack_info(p, rt, shelf->names.items[i], &shelf->volumes[i], views);

                if (to)
                        to[i] = info;
        }
        if (to)
                to[count] = NULL;
        return to;
}

int coffer_volume_list(struct coffer_runtime *runtime, struct coffer_volume_info ***ret_infos,
                       size_t *ret_count, struct coffer_error *err)
{
        cleanup_with(views_release) struct views views = {.items = NULL};
        cleanup_with(shelf_release) struct shelf shelf = {.volumes = NULL};
        struct pack p = {.base = NULL};
        int r;

        REQUIRE(runtime && ret_infos && ret_count, err);
        r = views_read(runtime, &views, err);
        if (r == 0)
                r = shelf_read(runtime, &shelf, err);
        if (r < 0)
                return r;
        (void)pack_list(&p, runtime, &shelf, &views);
        p.base = malloc(p.used);
        if (!p.base)
                return error_set(err, -ENOMEM, "list the volumes");
        p.used = 0;
        *ret_infos = pack_list(&p, runtime, &shelf, &views);
        *ret_count = shelf.names.count;
        return 0;
}

int coffer_volume_inspect(struct coffer_runtime *runtime, const char *name, char **ret_json,
                          struct coffer_error *err)
{
        cleanup_with(volume_release) struct volume volume = {.anonymous = false};
        struct buf b = BUF_INIT(INSPECT_MAX_BYTES);
        char path[PATH_MAX];
        int r;

        REQUIRE(runtime && name && ret_json, err);
        r = name_check("volume", name, err);
        if (r == 0)
                r = volume_read(runtime->home, name, &volume, err);
        if (r < 0)
                return r;
        data_path(runtime, name, path);
        emit_open(&b, NULL, '{');
        emit_time(&b, "CreatedAt", volume.created_ns);
        emit_str(&b, "Driver", "local");
        emit_pairs(&b, "Labels", &volume.labels);
        emit_str(&b, "Mountpoint", path);
        emit_str(&b, "Name", name);
        emit_str(&b, "Scope", "local");
        emit_bool(&b, "Anonymous", volume.anonymous);
        emit_close(&b, '}');
        if (b.failed < 0) {
                r = b.failed;
                buf_release(&b);
                return error_set(err, r, "inspect the volume '%s'", name);
        }
        *ret_json = b.data;
        return 0;
}

static const char *find_user(const struct views *views, const char *name)
{
        for (size_t i = 0; i < views->count; i++)
                if (listing_has(&views->items[i].entry->volumes, name))
                        return views->items[i].entry->id;
        return NULL;
}

static int remove_one(struct coffer_runtime *rt, const struct views *views, const char *name,
                      struct coffer_error *err)
{
        const char *user = find_user(views, name);
        int r;

        if (user) {
                (void)error_say(err, -EBUSY, COFFER_ERROR_STATE,
                                "the volume '%s' is used by box %s", name, user);
                error_hint(err, "remove that box first");
                return -EBUSY;
        }
        r = volume_remove(rt->home, name, runtime_remove_as, rt, err);
        if (r == 0)
                tell(rt, "destroy", name);
        return r;
}

int coffer_volume_remove(struct coffer_runtime *runtime, const char *name, struct coffer_error *err)
{
        cleanup_with(views_release) struct views views = {.items = NULL};
        int r;

        REQUIRE(runtime && name, err);
        r = name_check("volume", name, err);
        if (r == 0)
                r = views_read(runtime, &views, err);
        return r < 0 ? r : remove_one(runtime, &views, name, err);
}

/* --------------------------------------------------------------------------------------- prune */

static int prune_one(struct coffer_runtime *rt, const struct views *views, const char *name,
                     uint32_t flags, struct strv *removed, uint64_t *bytes)
{
        cleanup_with(volume_release) struct volume volume = {.anonymous = false};
        char path[PATH_MAX];
        uint64_t size;
        int r = volume_read(rt->home, name, &volume, NULL);

        if (r < 0 || find_user(views, name) || !(volume.anonymous || flags & COFFER_PRUNE_ALL))
                return 0;
        data_path(rt, name, path);
        size = measure_below(AT_FDCWD, path);
        if (remove_one(rt, views, name, NULL) < 0)
                return 0; /* the others still can be */
        *bytes += size;
        return strv_add(removed, name);
}

int coffer_volume_prune(struct coffer_runtime *runtime, uint32_t flags, char ***ret_names,
                        uint64_t *ret_bytes, struct coffer_error *err)
{
        cleanup_with(views_release) struct views views = {.items = NULL};
        cleanup_with(strv_release) struct strv names = {.items = NULL};
        cleanup_with(strv_release) struct strv removed = {.items = NULL};
        struct pack p = {.base = NULL};
        uint64_t bytes = 0;
        int r;

        REQUIRE(runtime, err);
        REQUIRE(!(flags & ~COFFER_PRUNE_ALL), err);
        r = views_read(runtime, &views, err);
        if (r == 0)
                r = volume_list(runtime->home, &names, err);
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < names.count; i++)
                r = prune_one(runtime, &views, names.items[i], flags, &removed, &bytes);
        if (r == 0 && ret_names) {
                (void)pack_strv(&p, &removed);
                p.base = malloc(p.used);
                p.used = 0;
                r = p.base ? 0 : -ENOMEM;
        }
        if (r < 0)
                return error_set(err, r, "remove unused volumes");
        if (ret_names)
                *ret_names = (char **)(uintptr_t)pack_strv(&p, &removed);
        if (ret_bytes)
                *ret_bytes = bytes;
        return (int)removed.count;
}
