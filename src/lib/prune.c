/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Removing what is dead.  Each box is judged by its files first and again under its lock, which
 * nobody holds then: the lock, not the look, decides.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/measure.h"
#include "lib/pack.h"
#include "lib/settle.h"
#include "lib/view.h"
#include "spec/id.h"
#include "store/lock.h"
#include "store/remove.h"
#include "store/volume.h"

#define TRASH    ".trash-"
#define YOUNG_NS UINT64_C(10000000000) /* made and perhaps about to be started */

struct item {
        const char *kind; /* static */
        char id[BOX_ID_CHARS + 1];
        char name[BOX_NAME_MAX + 1];
        uint64_t bytes;
};

struct pruning {
        struct coffer_runtime *rt;
        struct coffer_prune_options options;
        struct item *items; /* owned */
        size_t count;
        size_t capacity;
};

static void pruning_release(struct pruning *p)
{
        free(p->items);
        p->items = NULL;
}

static bool is_dry(const struct pruning *p)
{
        return (p->options.flags & COFFER_PRUNE_DRY_RUN) != 0;
}

static int note(struct pruning *p, const char *kind, const char *id, const char *name,
                uint64_t bytes)
{
        struct item *item;

        if (p->count == p->capacity) {
                size_t capacity = p->capacity ? 2 * p->capacity : 32;
                void *items = reallocarray(p->items, capacity, sizeof(*p->items));

                if (!items)
                        return -ENOMEM;
                p->items = items;
                p->capacity = capacity;
        }
        item = &p->items[p->count++];
        *item = (struct item){.kind = kind, .bytes = bytes};
        (void)str_copy(item->id, sizeof(item->id), id);
        (void)str_copy(item->name, sizeof(item->name), name);
        return 0;
}

/* ------------------------------------------------------------------------------------ boxes */

static bool has_label(const struct strv *labels, const char *wanted)
{
        size_t size = strlen(wanted);

        for (size_t i = 0; i < labels->count; i++) {
                const char *l = labels->items[i];

                if (strncmp(l, wanted, size) == 0 &&
                    (l[size] == '\0' || (l[size] == '=' && !strchr(wanted, '='))))
                        return true;
        }
        return false;
}

static bool is_meant(const struct pruning *p, const struct view *v)
{
        if (p->options.before_ns != 0 && v->meta.created_ns >= p->options.before_ns)
                return false;
        for (const char *const *l = p->options.labels; l && *l; l++) {
                bool without = **l == '!';

                if (has_label(&v->meta.labels, *l + without) == without)
                        return false;
        }
        return true;
}

/* The other way round a clock that was set back would let a young box go. */
static bool is_young(const struct box_meta *meta)
{
        uint64_t now = now_ns();

        return meta->created_ns > now || now - meta->created_ns < YOUNG_NS;
}

static bool is_dead(const struct view *v)
{
        if (v->held)
                return false;
        if (v->state == COFFER_STATE_CREATED)
                return !is_young(&v->meta);
        return v->state == COFFER_STATE_STOPPED || v->state == COFFER_STATE_FAILED;
}

/* Nobody holds it and nobody can while we do: it is as dead as it looked, or was started and has
 * ended since. */
static int remove_box(struct pruning *p, struct coffer_box *box)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_close int lock_fd = -EBADF;
        int r = box_lock_take(box->dir_fd, box->id, &lock_fd);

        if (r == 0)
                r = settle(box, &record, NULL);
        return r < 0 ? r : box_remove_now(box, false, NULL);
}

static int prune_box(struct pruning *p, const char *id, int taken_dir_fd)
{
        cleanup_with(view_release) struct view v = {.held = false};
        cleanup_with(box_dropp) struct coffer_box *box = NULL;
        cleanup_close int dir_fd = taken_dir_fd;
        uint64_t bytes;
        int r = view_read(p->rt, NULL, id, dir_fd, &v, NULL);

        if (r < 0 || !is_dead(&v) || !is_meant(p, &v))
                return r == -ENOMEM ? r : 0;
        bytes = measure_below(p->rt->home->boxes_fd, id);
        if (!is_dry(p)) {
                r = box_handle_new(p->rt, id, v.claims.name, take_fd(&dir_fd), &box, NULL);
                if (r == 0)
                        r = remove_box(p, box);
                if (r < 0)
                        return r == -ENOMEM ? r : 0;
        }
        return note(p, "box", id, v.claims.name, bytes);
}

/* ------------------------------------------------------------------------------- leftovers */

static bool is_there(int dir_fd, const char *name)
{
        return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A creation that was cut short: whoever is at one holds the lock. */
static int prune_unfinished(struct pruning *p, const char *id, int dir_fd)
{
        cleanup_close int lock_fd = -EBADF;
        uint64_t bytes;

        if (is_there(dir_fd, "state.json") || is_there(dir_fd, "identity"))
                return 0;
        if (is_dry(p) ? box_lock_is_held(dir_fd) != 0
                      : box_lock_take(dir_fd, id, &lock_fd) < 0 || is_there(dir_fd, "meta.json"))
                return 0;
        bytes = measure_below(p->rt->home->boxes_fd, id);
        if (!is_dry(p)) {
                if (box_remove_files(p->rt->home, id, runtime_remove_as, p->rt) < 0)
                        return 0;
                volume_sweep(p->rt->home, runtime_remove_as, p->rt);
        }
        return note(p, "unfinished", id, "", bytes);
}

static int prune_trash(struct pruning *p, const char *name)
{
        uint64_t bytes = measure_below(p->rt->home->boxes_fd, name);

        if (!is_dry(p) &&
            box_sweep_one(p->rt->home, name + strlen(TRASH), runtime_remove_as, p->rt) < 0)
                return 0;
        return note(p, "trash", name + strlen(TRASH), "", bytes);
}

static int prune_entry(struct pruning *p, const char *name, bool only_boxes)
{
        int fd;

        if (str_after(name, TRASH))
                return only_boxes ? 0 : prune_trash(p, name);
        if (!spec_is_id(name))
                return 0;
        fd = sys_open(p->rt->home->boxes_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd < 0)
                return 0;
        if (!is_there(fd, "meta.json")) {
                int r = only_boxes ? 0 : prune_unfinished(p, name, fd);

                (void)close(fd);
                return r;
        }
        return prune_box(p, name, fd);
}

/* A claim is made after the directory of its box and given up before: without one it is stale. */
static int prune_claim(struct pruning *p, int dir_fd, const char *entry)
{
        const struct home *home = p->rt->home;
        struct claims claims = {.index = CLAIM_NO_INDEX};
        char owner[BOX_ID_CHARS + 1];
        ssize_t n = readlinkat(dir_fd, entry, owner, sizeof(owner));
        uint64_t index;

        if (n != BOX_ID_CHARS)
                return 0;
        owner[n] = '\0';
        if (!spec_is_id(owner) || is_there(home->boxes_fd, owner) || errno != ENOENT)
                return 0;
        if (dir_fd == home->names_fd)
                (void)str_copy(claims.name, sizeof(claims.name), entry);
        else if (str_to_u64(entry, CLAIM_NO_INDEX - 1, &index) == 0)
                claims.index = (uint32_t)index;
        else
                return 0;
        if (!is_dry(p))
                claims_release(home, &claims, owner);
        return note(p, dir_fd == home->names_fd ? "name" : "range", owner, entry, 0);
}

/* --------------------------------------------------------------------------------- the walk */

static int list(int dir_fd, struct strv *ret_names)
{
        int fd = sys_open(dir_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while (r == 0 && (entry = readdir(dir)))
                if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
                        r = strv_add(ret_names, entry->d_name);
        (void)closedir(dir);
        return r;
}

static int walk(struct pruning *p)
{
        bool only_boxes = p->options.before_ns != 0 || p->options.labels;
        const struct home *home = p->rt->home;
        const int claim_fds[] = {home->names_fd, home->ids_fd};
        cleanup_with(strv_release) struct strv names = {.items = NULL};
        int r = list(home->boxes_fd, &names);

        for (size_t i = 0; r == 0 && i < names.count; i++)
                r = prune_entry(p, names.items[i], only_boxes);
        for (size_t k = 0; r == 0 && !only_boxes && k < ELEMENTS(claim_fds); k++) {
                strv_release(&names);
                r = list(claim_fds[k], &names);
                for (size_t i = 0; r == 0 && i < names.count; i++)
                        r = prune_claim(p, claim_fds[k], names.items[i]);
        }
        return r;
}

static struct coffer_pruned **pack_items(struct pack *to, const struct pruning *p)
{
        struct coffer_pruned **list = pack_space(to, (p->count + 1) * sizeof(*list));

        for (size_t i = 0; i < p->count; i++) {
                const struct item *item = &p->items[i];
                struct coffer_pruned *at = pack_space(to, sizeof(*at));
                struct coffer_pruned pruned = {
                        .kind = pack_str(to, item->kind),
                        .id = pack_str(to, item->id),
                        .name = pack_str(to, item->name),
                        .bytes = item->bytes,
                };

                if (at) {
                        *at = pruned;
                        list[i] = at;
                }
        }
        if (list)
                list[p->count] = NULL;
        return list;
}

/* ------------------------------------------------------------------------------- audit logs */

static uint64_t audit_bytes(int dir_fd, const char *id)
{
        uint64_t bytes = 0;
        struct stat st;

        for (unsigned n = 0; n < AUDIT_FILES; n++)
                if (fstatat(dir_fd, audit_file(id, n).text, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        bytes += (uint64_t)st.st_blocks * 512;
        return bytes;
}

static bool has_box(const struct pruning *p, const char *id)
{
        char trash[sizeof(TRASH) + BOX_ID_CHARS];

        (void)snprintf(trash, sizeof(trash), TRASH "%s", id);
        return is_there(p->rt->home->boxes_fd, id) || is_there(p->rt->home->boxes_fd, trash);
}

/* The head last: what it belongs to is found by it when we are killed in between. */
static int prune_audit(struct pruning *p, int dir_fd, const char *entry)
{
        char id[BOX_ID_CHARS + 1] = "";
        uint64_t bytes;
        struct stat st;

        if (strcspn(entry, ".") != BOX_ID_CHARS)
                return 0;
        memcpy(id, entry, BOX_ID_CHARS);
        if (!str_eq(entry, audit_head_file(id).text) &&
            (!str_eq(entry, audit_file(id, 0).text) || is_there(dir_fd, audit_head_file(id).text)))
                return 0;
        if (!spec_is_id(id) || has_box(p, id) ||
            fstatat(dir_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        if (p->options.before_ns != 0 &&
            (uint64_t)st.st_mtim.tv_sec * UINT64_C(1000000000) >= p->options.before_ns)
                return 0;
        bytes = audit_bytes(dir_fd, id) + (uint64_t)st.st_blocks * 512;
        for (unsigned n = AUDIT_FILES; !is_dry(p) && n-- > 0;)
                (void)unlinkat(dir_fd, audit_file(id, n).text, 0);
        if (!is_dry(p) && unlinkat(dir_fd, entry, 0) < 0 && errno != ENOENT)
                return 0;
        return note(p, "audit", id, "", bytes);
}

static int walk_audit(struct pruning *p)
{
        cleanup_with(strv_release) struct strv names = {.items = NULL};
        cleanup_close int fd = -EBADF;
        int r;

        fd = sys_open(p->rt->home->fd, AUDIT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        r = fd == -ENOENT ? 0 : fd < 0 ? fd : list(fd, &names);
        for (size_t i = 0; r == 0 && i < names.count; i++)
                r = prune_audit(p, fd, names.items[i]);
        return r;
}

int coffer_prune(struct coffer_runtime *runtime, const struct coffer_prune_options *options,
                 struct coffer_pruned ***ret_items, size_t *ret_count, struct coffer_error *err)
{
        cleanup_with(pruning_release) struct pruning p = {.rt = runtime};
        struct pack pack = {.base = NULL};
        int r;

        REQUIRE(runtime, err);
        REQUIRE(!options || options->size >= sizeof(*options), err);
        REQUIRE(!options || !(options->flags & ~(COFFER_PRUNE_DRY_RUN | COFFER_PRUNE_AUDIT)), err);
        REQUIRE(!options || !(options->flags & COFFER_PRUNE_AUDIT) || !options->labels, err);
        if (options)
                p.options = *options;
        r = p.options.flags & COFFER_PRUNE_AUDIT ? walk_audit(&p) : walk(&p);
        if (r == 0 && ret_items) {
                (void)pack_items(&pack, &p);
                pack.base = malloc(pack.used);
                pack.used = 0;
                r = pack.base ? 0 : -ENOMEM;
        }
        if (r < 0)
                return error_set(err, r, "remove what is dead");
        if (ret_items)
                *ret_items = pack_items(&pack, &p);
        if (ret_count)
                *ret_count = p.count;
        return 0;
}
