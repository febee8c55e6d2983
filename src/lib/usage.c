/* SPDX-License-Identifier: Apache-2.0 */

/* What a home takes on disk.  What could be freed is what the prunes say, not a second opinion. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <coffer/box.h>
#include <coffer/coffer.h>
#include <coffer/prune.h>
#include <coffer/usage.h>
#include <coffer/volume.h>

#include "base/error.h"
#include "base/measure.h"
#include "lib/handle.h"
#include "lib/images.h"
#include "lib/pack.h"

/* What the lists of the library say; each in one allocation. */
struct lists {
        struct coffer_pruned **dead;
        struct coffer_box_info **boxes;
        struct coffer_volume_info **volumes;
        size_t dead_count, box_count, volume_count;
};

static void lists_release(struct lists *l)
{
        coffer_free(l->dead);
        coffer_free(l->boxes);
        coffer_free(l->volumes);
}

static int read_lists(struct coffer_runtime *rt, struct lists *l, struct coffer_error *err)
{
        const struct coffer_prune_options dry = {
                .size = sizeof(dry),
                .flags = COFFER_PRUNE_DRY_RUN,
        };
        int r = coffer_box_list(rt, &l->boxes, &l->box_count, err);

        if (r == 0)
                r = coffer_prune(rt, &dry, &l->dead, &l->dead_count, err);
        if (r == 0)
                r = coffer_volume_list(rt, &l->volumes, &l->volume_count, err);
        return r;
}

static const struct coffer_pruned *find_dead(const struct lists *l, const char *id)
{
        for (size_t i = 0; i < l->dead_count; i++)
                if (str_eq(l->dead[i]->kind, "box") && str_eq(l->dead[i]->id, id))
                        return l->dead[i];
        return NULL;
}

static bool is_active(uint32_t state)
{
        return state != COFFER_STATE_CREATED && state != COFFER_STATE_STOPPED &&
               state != COFFER_STATE_FAILED;
}

static void count(struct coffer_usage *to, const struct coffer_usage_item *item)
{
        to->bytes += item->bytes;
        to->reclaimable += item->reclaimable;
}

/* All of them into @items, which has room. */
static size_t measure(struct coffer_runtime *rt, const struct lists *l,
                      struct coffer_usage_report *report, struct coffer_usage_item *items)
{
        size_t used = 0;

        for (size_t i = 0; i < l->box_count; i++) {
                const struct coffer_box_info *box = l->boxes[i];
                const struct coffer_pruned *dead = find_dead(l, box->id);
                struct coffer_usage_item *item = &items[used++];

                *item = (struct coffer_usage_item){
                        .kind = "box",
                        .id = box->id,
                        .name = box->name,
                        .image = box->image,
                        .bytes = dead ? dead->bytes : measure_below(rt->home->boxes_fd, box->id),
                        .reclaimable = dead ? dead->bytes : 0,
                };
                report->boxes.count++;
                report->boxes.active += is_active(box->state);
                count(&report->boxes, item);
        }
        for (size_t i = 0; i < l->dead_count; i++) {
                const struct coffer_pruned *dead = l->dead[i];

                if (!str_eq(dead->kind, "trash") && !str_eq(dead->kind, "unfinished"))
                        continue; /* a box was counted, a claim takes nothing */
                items[used] = (struct coffer_usage_item){
                        .kind = dead->kind,
                        .id = dead->id,
                        .name = dead->name,
                        .image = "",
                        .bytes = dead->bytes,
                        .reclaimable = dead->bytes,
                };
                count(&report->boxes, &items[used++]);
        }
        for (size_t i = 0; i < l->volume_count; i++) {
                const struct coffer_volume_info *volume = l->volumes[i];
                struct coffer_usage_item *item = &items[used++];
                uint64_t bytes = measure_below(AT_FDCWD, volume->path);

                *item = (struct coffer_usage_item){
                        .kind = "volume",
                        .id = "",
                        .name = volume->name,
                        .image = "",
                        .bytes = bytes,
                        .reclaimable = volume->users == 0 ? bytes : 0,
                        .users = volume->users,
                };
                report->volumes.count++;
                report->volumes.active += volume->users > 0;
                count(&report->volumes, item);
        }
        return used;
}

static struct coffer_usage_report *pack_report(struct pack *p,
                                               const struct coffer_usage_report *report,
                                               const struct coffer_usage_item *items, size_t count)
{
        struct coffer_usage_report *to = pack_space(p, sizeof(*to));
        struct coffer_usage_item **list = pack_space(p, (count + 1) * sizeof(*list));

        for (size_t i = 0; i < count; i++) {
                struct coffer_usage_item *at = pack_space(p, sizeof(*at)), item = items[i];

                item.kind = pack_str(p, items[i].kind);
                item.id = pack_str(p, items[i].id);
                item.name = pack_str(p, items[i].name);
                item.image = pack_str(p, items[i].image);
                if (at) {
                        *at = item;
                        list[i] = at;
                }
        }
        if (to) {
                list[count] = NULL;
                *to = *report;
                to->items = list;
        }
        return to;
}

static int measure_images(struct coffer_runtime *rt, struct coffer_usage *to,
                          struct coffer_error *err)
{
        struct collect_usage usage;
        int r = images_usage(rt, &to->count, &to->active, &usage, err);

        if (r == 0) {
                to->bytes = usage.bytes;
                to->reclaimable = usage.reclaimable;
        }
        return r;
}

int coffer_system_usage(struct coffer_runtime *runtime, struct coffer_usage_report **ret_report,
                        struct coffer_error *err)
{
        cleanup_with(lists_release) struct lists l = {.dead = NULL};
        cleanup_free struct coffer_usage_item *items = NULL;
        struct coffer_usage_report report = {.items = NULL};
        struct pack p = {.base = NULL};
        size_t used;
        int r;

        REQUIRE(runtime && ret_report, err);
        r = read_lists(runtime, &l, err);
        if (r == 0)
                r = measure_images(runtime, &report.images, err);
        if (r < 0)
                return error_wrap(err, r, "measure the home");
        items = calloc(l.box_count + l.dead_count + l.volume_count + 1, sizeof(*items));
        if (!items)
                return error_set(err, -ENOMEM, "measure the home");
        used = measure(runtime, &l, &report, items);
        (void)pack_report(&p, &report, items, used);
        p.base = malloc(p.used);
        p.used = 0;
        if (!p.base)
                return error_set(err, -ENOMEM, "measure the home");
        *ret_report = pack_report(&p, &report, items, used);
        return 0;
}
