/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sys.h"
#include "lib/handle.h"
#include "sandbox/userns.h"
#include "spec/id.h"
#include "store/claim.h"
#include "store/events.h"
#include "store/meta.h"

#define MATCHES_SHOWN 8

static void release_buf(struct buf *b)
{
        buf_release(b);
}

int box_handle_new(struct coffer_runtime *runtime, const char *id, const char *name, int dir_fd,
                   struct coffer_box **ret_box, struct coffer_error *err)
{
        struct coffer_box *box = calloc(1, sizeof(*box));

        if (!box) {
                (void)close(dir_fd);
                return error_set(err, -ENOMEM, "open the box");
        }
        box->runtime = runtime;
        box->dir_fd = dir_fd;
        box->shim_fd = -EBADF;
        (void)str_copy(box->id, sizeof(box->id), id);
        (void)str_copy(box->name, sizeof(box->name), name);
        *ret_box = box;
        return 0;
}

struct coffer_box *coffer_box_free(struct coffer_box *box)
{
        if (!box)
                return NULL;
        close_fd(&box->dir_fd);
        close_fd(&box->shim_fd);
        box->spec = spec_free(box->spec);
        free(box);
        return NULL;
}

const char *coffer_box_id(const struct coffer_box *box)
{
        return box ? box->id : NULL;
}

const char *coffer_box_name(const struct coffer_box *box)
{
        return box ? box->name : NULL;
}

/* ------------------------------------------------------------------------------ references */

static int open_by_id(struct coffer_runtime *rt, const char *id, struct coffer_box **ret_box,
                      struct coffer_error *err)
{
        struct claims claims = {.index = CLAIM_NO_INDEX};
        int fd = sys_open(rt->home->boxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (fd < 0)
                return fd == -ENOENT ? fd : error_set(err, fd, "open box %s", id);
        /* A box that lost this link is a damaged one that must still be removable. */
        if (claims_read(fd, &claims) < 0)
                claims.name[0] = '\0';
        return box_handle_new(rt, id, claims.name, fd, ret_box, err);
}

struct matches {
        char first[BOX_ID_CHARS + 1];
        size_t count;
        char list[(BOX_ID_CHARS + 1) * MATCHES_SHOWN + 8];
};

static int find_prefix(struct coffer_runtime *rt, const char *prefix, struct matches *m,
                       struct coffer_error *err)
{
        int fd = sys_open(rt->home->boxes_fd, ".", O_RDONLY | O_DIRECTORY);
        struct dirent *entry;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir) {
                (void)error_set(err, fd < 0 ? fd : -errno, "list the boxes");
                if (fd >= 0)
                        (void)close(fd);
                return -EIO;
        }
        while ((entry = readdir(dir))) {
                if (!str_after(entry->d_name, prefix) || !spec_is_id(entry->d_name))
                        continue;
                if (m->count++ == 0)
                        (void)str_copy(m->first, sizeof(m->first), entry->d_name);
                if (m->count <= MATCHES_SHOWN)
                        (void)snprintf(m->list + strlen(m->list), BOX_ID_CHARS + 2, " %.12s",
                                       entry->d_name);
                else if (m->count == MATCHES_SHOWN + 1)
                        (void)strncat(m->list, " …", 5);
        }
        (void)closedir(dir);
        return 0;
}

/* Its link in names/ is gone or garbage; the box itself knows its name. */
static int open_by_claim(struct coffer_runtime *rt, const char *name, struct coffer_box **ret_box,
                         struct coffer_error *err)
{
        int fd = sys_open(rt->home->boxes_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = -ENOENT;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while (r == -ENOENT && (entry = readdir(dir))) {
                struct claims claims;

                if (!spec_is_id(entry->d_name) || claims_read_at(fd, entry->d_name, &claims) < 0 ||
                    !str_eq(claims.name, name))
                        continue;
                (void)claims_restore(rt->home, &claims, entry->d_name);
                r = open_by_id(rt, entry->d_name, ret_box, err);
        }
        (void)closedir(dir);
        return r;
}

static int open_by_prefix(struct coffer_runtime *rt, const char *prefix,
                          struct coffer_box **ret_box, struct coffer_error *err)
{
        struct matches m = {.count = 0};
        int r;

        if (!spec_is_id_prefix(prefix))
                return -ENOENT;
        r = find_prefix(rt, prefix, &m, err);
        if (r < 0)
                return r;
        if (m.count == 0)
                return -ENOENT;
        if (m.count > 1) {
                (void)error_say(err, -ENOTUNIQ, COFFER_ERROR_AMBIGUOUS,
                                "'%s' is the beginning of %zu ids:%s", prefix, m.count, m.list);
                error_hint(err, "give more of the id, or the name of the box");
                return -ENOTUNIQ;
        }
        return open_by_id(rt, m.first, ret_box, err);
}

int coffer_box_open(struct coffer_runtime *runtime, const char *reference,
                    struct coffer_box **ret_box, struct coffer_error *err)
{
        char id[BOX_ID_CHARS + 1];
        int r = -ENOENT;

        REQUIRE(runtime && reference && ret_box, err);
        if (spec_is_id(reference))
                r = open_by_id(runtime, reference, ret_box, err);
        if (r == -ENOENT && spec_is_name(reference)) {
                r = claim_lookup(runtime->home, reference, id);
                if (r == 0)
                        r = open_by_id(runtime, id, ret_box, err);
                else if (r != -ENOENT && r != -EBADMSG)
                        return error_set(err, r, "look up the box '%s'", reference);
        }
        if (r == -ENOENT || r == -EBADMSG)
                r = open_by_claim(runtime, reference, ret_box, err);
        if (r == -ENOENT)
                r = open_by_prefix(runtime, reference, ret_box, err);
        if (r == -ENOENT) {
                (void)error_say(err, r, COFFER_ERROR_NO_SUCH_BOX, "there is no box '%.200s'",
                                reference);
                error_hint(err, "`coffer ps -a` lists all boxes");
        }
        return r;
}

/* ---------------------------------------------------------------------- what a handle knows */

int box_spec(struct coffer_box *box, const struct spec **ret_spec, struct coffer_error *err)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct spec *spec;
        int r;

        if (box->spec) {
                *ret_spec = box->spec;
                return 0;
        }
        r = buf_read_file(&text, box->dir_fd, "config.json");
        if (r < 0)
                return error_set(err, r, "read the configuration of box %s", box->id);
        spec = malloc(sizeof(*spec));
        if (!spec)
                return error_set(err, -ENOMEM, "read the configuration of box %s", box->id);
        spec_init(spec);
        r = spec_from_json(text.data, text.size, spec, err);
        if (r < 0) {
                (void)spec_free(spec);
                return error_wrap(err, r, "read the configuration of box %s", box->id);
        }
        box->spec = spec;
        *ret_spec = spec;
        return 0;
}

int box_apply_updates(struct coffer_box *box, const struct strv *updates, struct coffer_error *err)
{
        for (size_t i = 0; i < updates->count; i++) {
                const char *equals = strchr(updates->items[i], '=');
                char key[64];
                int r = -EBADMSG;

                if (equals && (size_t)(equals - updates->items[i]) < sizeof(key)) {
                        (void)snprintf(key, sizeof(key), "%.*s", (int)(equals - updates->items[i]),
                                       updates->items[i]);
                        r = spec_set(box->spec, key, equals + 1, err);
                }
                if (r < 0)
                        return error_wrap(err, r, "read what was changed of box %s", box->id);
        }
        return 0;
}

int box_idmap(const struct coffer_box *box, struct msg_idmap *ret_map, struct coffer_error *err)
{
        struct claims claims;
        int r;

        if (!box->runtime->as_root)
                return idmap_for_caller(ret_map, err);
        r = claims_read(box->dir_fd, &claims);
        if (r == 0 && claims.index >= IDS_RANGES)
                r = -EBADMSG;
        if (r < 0)
                return error_set(err, r, "find the ids of box %s", box->id);
        *ret_map = idmap_for_range(IDS_BASE + claims.index * 65536U, IDS_SUPERVISOR + claims.index);
        return 0;
}

/* ----------------------------------------------------------------------------------- rename */

static void tell_renamed(const struct coffer_box *box, const char *old)
{
        const char *extra[] = {"oldName", old, NULL};
        struct box_meta meta = {0};
        struct event event = {
                .type = "container",
                .action = "rename",
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

int coffer_box_rename(struct coffer_box *box, const char *name, struct coffer_error *err)
{
        const struct home *home;
        struct claims claims;
        char old[BOX_NAME_MAX + 1];
        int r;

        REQUIRE(box && name, err);
        home = box->runtime->home;
        r = name_check("box", name, err);
        if (r < 0)
                return r;
        r = claims_read(box->dir_fd, &claims);
        if (r < 0)
                return error_set(err, r, "rename box %s", box->id);
        r = claim_name(home, name, box->id, err);
        if (r < 0)
                return r;

        memcpy(old, claims.name, sizeof(old));
        (void)str_copy(claims.name, sizeof(claims.name), name);
        r = claims_write(box->dir_fd, &claims);
        if (r < 0) {
                claim_release_name(home, name, box->id);
                return error_set(err, r, "rename box %s", box->id);
        }
        claim_release_name(home, old, box->id);
        (void)str_copy(box->name, sizeof(box->name), name);
        tell_renamed(box, old);
        return 0;
}
