/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <coffer/image.h>

#include "base/error.h"
#include "image/blobstore.h"
#include "image/collect.h"
#include "image/layers.h"
#include "image/stored.h"
#include "lib/emit.h"
#include "lib/images.h"
#include "lib/pack.h"
#include "lib/views.h"

#define INSPECT_MAX_BYTES ((size_t)8 * 1024 * 1024)

/* ---------------------------------------------------------------------------------- what is used
 */

/* What the boxes of a home were made from. */
struct users {
        struct strv layers; /* hex */
        struct strv images; /* of each box that has one, "sha256:…" */
        struct strv boxes;  /* the ids of these */
};

static void users_release(struct users *u)
{
        strv_release(&u->layers);
        strv_release(&u->images);
        strv_release(&u->boxes);
}

static int add_user(struct coffer_runtime *rt, const char *id, struct users *u,
                    struct coffer_error *err)
{
        cleanup_with(box_dropp) struct coffer_box *box = NULL;
        const struct spec *spec;
        int r = coffer_box_open(rt, id, &box, err);

        if (r == 0)
                r = box_spec(box, &spec, err);
        if (r == -ENOENT)
                return 0; /* it went just now */
        if (r < 0)
                return error_wrap(err, r, "look at what box %s uses", id);
        for (size_t i = 0; r == 0 && i < spec->layers.count; i++) {
                const char *hex = str_after(spec->layers.items[i], "sha256:");

                r = strv_add(&u->layers, hex ? hex : spec->layers.items[i]);
        }
        if (r == 0 && spec->image_id) {
                r = strv_add(&u->images, spec->image_id);
                if (r == 0)
                        r = strv_add(&u->boxes, id);
        }
        return r < 0 ? error_set(err, r, "look at what box %s uses", id) : 0;
}

static int users_read(struct coffer_runtime *rt, struct users *u, struct coffer_error *err)
{
        cleanup_with(views_release) struct views views = {.items = NULL};
        int r = views_read(rt, &views, err);

        for (size_t i = 0; r == 0 && i < views.count; i++)
                r = add_user(rt, views.items[i].entry->id, u, err);
        return r;
}

/* The box that was made from an image, or NULL; counts them. */
static const char *user_of(const struct users *u, const char *hex, uint32_t *ret_count)
{
        const char *box = NULL;

        for (size_t i = 0; i < u->images.count; i++) {
                const char *used = str_after(u->images.items[i], "sha256:");

                if (!used || !str_eq(used, hex))
                        continue;
                box = u->boxes.items[i];
                if (ret_count)
                        ++*ret_count;
        }
        return box;
}

/* ------------------------------------------------------------------------------------- the store
 */

/* All names and all images, each with its record. */
struct catalog {
        struct image_store store;
        struct image_ref *refs;       /* owned; a host of "" is an image without a name */
        struct image_record *records; /* owned; one for each */
        size_t count;
};

static void catalog_release(struct catalog *c)
{
        for (size_t i = 0; c->records && i < c->count; i++)
                image_record_release(&c->records[i]);
        free(c->records);
        free(c->refs);
        images_close(&c->store);
}

static int add_nameless(struct catalog *c)
{
        cleanup_with(strv_release) struct strv digests = {.items = NULL};
        int r = record_list(c->store.home_fd, &digests);
        struct image_ref *more;
        size_t named = c->count;

        if (r < 0 || digests.count == 0)
                return r;
        more = reallocarray(c->refs, c->count + digests.count, sizeof(*more));
        if (!more)
                return -ENOMEM;
        c->refs = more;
        for (size_t i = 0; i < digests.count; i++) {
                bool has_name = false;

                for (size_t k = 0; k < named && !has_name; k++)
                        has_name = str_eq(c->refs[k].manifest, digests.items[i]);
                if (has_name)
                        continue;
                c->refs[c->count] = (struct image_ref){.top = ""};
                (void)str_copy(c->refs[c->count].top, sizeof(c->refs->top), digests.items[i]);
                (void)str_copy(c->refs[c->count].manifest, sizeof(c->refs->manifest),
                               digests.items[i]);
                c->count++;
        }
        return 0;
}

static int catalog_read(struct coffer_runtime *rt, struct catalog *c, struct coffer_error *err)
{
        int r;

        *c = (struct catalog){.store = {.userns_fd = -1}};
        r = images_open(rt, &c->store, err);
        if (r < 0)
                return r;
        r = refs_list(c->store.home_fd, &c->refs, &c->count);
        if (r == 0)
                r = add_nameless(c);
        if (r == 0) {
                c->records = calloc(c->count + 1, sizeof(*c->records));
                r = c->records ? 0 : -ENOMEM;
        }
        if (r < 0)
                return error_set(err, r, "list the images");
        for (size_t i = 0; r == 0 && i < c->count; i++)
                r = stored_record(&c->store, c->refs[i].manifest, &c->records[i], err);
        return r;
}

/* "2024-01-31T12:00:00.123456789Z"; anything else is never. */
static uint64_t read_time(const char *text)
{
        struct tm tm = {.tm_year = 0};
        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        time_t seconds = rest ? timegm(&tm) : 0;

        return seconds > 0 ? (uint64_t)seconds * 1000000000U : 0;
}

static struct coffer_image_info *pack_info(struct pack *p, const struct catalog *c, size_t index,
                                           const struct users *users)
{
        struct coffer_image_info *to = pack_space(p, sizeof(*to));
        const struct image_ref *ref = &c->refs[index];
        const struct image_record *record = &c->records[index];
        struct coffer_image_info info = {.size = record->size};
        char text[NAME_TEXT_MAX] = "";

        (void)snprintf(text, sizeof(text), "sha256:%s", record->manifest.id);
        info.id = pack_str(p, text);
        (void)snprintf(text, sizeof(text), "sha256:%s", ref->top);
        info.digest = pack_str(p, text);
        text[0] = '\0';
        if (ref->name.host[0] != '\0')
                name_repository(&ref->name, text);
        info.repository = pack_str(p, text);
        info.tag = pack_str(p, ref->name.tag);
        info.created_ns = read_time(record->manifest.config.created);
        info.architecture = pack_str(p, record->manifest.config.architecture);
        info.os = pack_str(p, record->manifest.config.os);
        (void)user_of(users, record->manifest.id, &info.boxes);
        if (to)
                *to = info;
        return to;
}

static struct coffer_image_info **pack_list(struct pack *p, const struct catalog *c,
                                            const struct users *users)
{
        struct coffer_image_info **to = pack_space(p, (c->count + 1) * sizeof(*to));

        for (size_t i = 0; i < c->count; i++) {
                struct coffer_image_info *info = pack_info(p, c, i, users);

                if (to)
                        to[i] = info;
        }
        if (to)
                to[c->count] = NULL;
        return to;
}

int coffer_image_list(struct coffer_runtime *runtime, struct coffer_image_info ***ret_infos,
                      size_t *ret_count, struct coffer_error *err)
{
        cleanup_with(users_release) struct users users = {.layers = {.items = NULL}};
        cleanup_with(catalog_release) struct catalog c = {.store = {.userns_fd = -1}};
        struct pack p = {.base = NULL};
        int r;

        REQUIRE(runtime && ret_infos && ret_count, err);
        r = catalog_read(runtime, &c, err);
        if (r == 0)
                r = users_read(runtime, &users, err);
        if (r < 0)
                return r;
        (void)pack_list(&p, &c, &users);
        p.base = malloc(p.used);
        if (!p.base)
                return error_set(err, -ENOMEM, "list the images");
        p.used = 0;
        *ret_infos = pack_list(&p, &c, &users);
        *ret_count = c.count;
        return 0;
}

/* --------------------------------------------------------------------------------------- inspect
 */

/* With @digests the digests of its names, else the names with tags. */
static void emit_names(struct buf *b, const char *key, const struct catalog *c,
                       const char *manifest, bool digests)
{
        char text[NAME_TEXT_MAX], last[NAME_TEXT_MAX + 80] = "", full[NAME_TEXT_MAX + 80];

        emit_open(b, key, '[');
        for (size_t i = 0; i < c->count; i++) {
                const struct image_ref *ref = &c->refs[i];

                if (!str_eq(ref->manifest, manifest) || ref->name.host[0] == '\0')
                        continue;
                if (digests) {
                        name_repository(&ref->name, text);
                        (void)snprintf(full, sizeof(full), "%s@sha256:%s", text, ref->top);
                } else if (ref->name.tag[0] != '\0')
                        name_format(&ref->name, full);
                else
                        continue;
                if (!str_eq(full, last))
                        emit_str(b, NULL, full);
                (void)str_copy(last, sizeof(last), full);
        }
        emit_close(b, ']');
}

static void emit_image(struct buf *b, const struct catalog *c, const struct image_record *record)
{
        const struct image_config *config = &record->manifest.config;
        char text[80];

        (void)snprintf(text, sizeof(text), "sha256:%s", record->manifest.id);
        emit_open(b, NULL, '{');
        emit_str(b, "Id", text);
        emit_names(b, "RepoTags", c, record->digest, false);
        emit_names(b, "RepoDigests", c, record->digest, true);
        emit_str(b, "Created", config->created);
        emit_str(b, "Author", config->author);
        images_emit_config(b, "Config", config);
        emit_str(b, "Architecture", config->architecture);
        emit_str(b, "Variant", config->variant);
        emit_str(b, "Os", config->os);
        emit_u64(b, "Size", record->size);
        emit_open(b, "RootFS", '{');
        emit_str(b, "Type", "layers");
        emit_open(b, "Layers", '[');
        for (size_t i = 0; i < record->manifest.layer_count; i++) {
                (void)snprintf(text, sizeof(text), "sha256:%s", record->manifest.layers[i].diff_id);
                emit_str(b, NULL, text);
        }
        emit_close(b, ']');
        emit_close(b, '}');
        (void)snprintf(text, sizeof(text), "sha256:%s", record->digest);
        emit_str(b, "Manifest", text);
        emit_str(b, "Ownership",
                 c->store.ownership == IMAGE_OWN_RANGE ? "as the image says" : "one id");
        emit_close(b, '}');
}

int coffer_image_inspect(struct coffer_runtime *runtime, const char *reference, char **ret_json,
                         struct coffer_error *err)
{
        cleanup_with(catalog_release) struct catalog c = {.store = {.userns_fd = -1}};
        cleanup_with(image_record_release) struct image_record record = {.size = 0};
        struct buf b = BUF_INIT(INSPECT_MAX_BYTES);
        struct image_ref ref;
        int r;

        REQUIRE(runtime && reference && ret_json, err);
        r = catalog_read(runtime, &c, err);
        if (r == 0)
                r = stored_find(&c.store, reference, &ref, err);
        if (r == 0)
                r = stored_record(&c.store, ref.manifest, &record, err);
        if (r < 0)
                return r;
        emit_image(&b, &c, &record);
        if (b.failed < 0) {
                r = b.failed;
                buf_release(&b);
                return error_set(err, r, "inspect the image '%.120s'", reference);
        }
        *ret_json = b.data;
        return 0;
}

/* ------------------------------------------------------------------------------------------- tag
 */

int coffer_image_tag(struct coffer_runtime *runtime, const char *source, const char *target,
                     struct coffer_error *err)
{
        struct image_store store = {.userns_fd = -1};
        cleanup_close int lock_fd = -EBADF;
        struct image_name name;
        struct image_ref ref;
        int r;

        REQUIRE(runtime && source && target, err);
        r = name_parse(target, &name, err);
        if (r == 0 && name.digest[0] != '\0')
                r = error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                              "'%.160s' has a digest, and a digest is nothing to choose", target);
        if (r == 0)
                r = images_open(runtime, &store, err);
        if (r == 0)
                r = images_hold(&store, &lock_fd, err);
        if (r == 0)
                r = stored_find(&store, source, &ref, err);
        if (r == 0) {
                ref.name = name;
                r = refs_set(store.home_fd, &ref);
                if (r < 0)
                        (void)error_set(err, r, "note the name '%.160s'", target);
        }
        images_close(&store);
        return r;
}

/* ---------------------------------------------------------------------------------------- remove
 */

/* What is taken away, and what is told of it. */
struct removal {
        struct catalog *c;
        const struct users *users;
        struct strv lines;
        struct strv loose; /* blobs and layers of images that went, hex */
        int lock_fd;       /* images/lock, exclusively; -1: somebody pulls */
        uint64_t bytes;
};

static void removal_release(struct removal *m)
{
        strv_release(&m->lines);
        strv_release(&m->loose);
        close_fd(&m->lock_fd);
}

static int removal_begin(struct removal *m, struct coffer_error *err)
{
        struct blobstore blobs;
        int r = blobstore_open(m->c->store.home_fd, &blobs, err);

        if (r < 0)
                return r;
        r = blobstore_lock(&blobs, true, &m->lock_fd);
        blobstore_close(&blobs);
        return r < 0 && r != -EAGAIN ? error_set(err, r, "lock the images of the home") : 0;
}

static int untag(struct removal *m, const struct image_ref *ref, struct coffer_error *err)
{
        char text[NAME_TEXT_MAX];
        int r = refs_remove(m->c->store.home_fd, &ref->name);

        name_format(&ref->name, text);
        if (r < 0 && r != -ENOENT)
                return error_set(err, r, "remove the name '%.160s'", text);
        r = strv_addf(&m->lines, "Untagged: %s", text);
        if (r == 0)
                r = strv_add(&m->loose, ref->top);
        return r < 0 ? error_set(err, r, "remove the name '%.160s'", text) : 0;
}

/* Its last name is gone.  While somebody pulls, its bytes wait for prune. */
static int forget(struct removal *m, const struct image_record *record, struct coffer_error *err)
{
        const struct image_manifest *manifest = &record->manifest;
        int r;

        if (m->lock_fd < 0)
                return 0;
        r = record_remove(m->c->store.home_fd, record->digest);
        if (r == 0 || r == -ENOENT)
                r = strv_addf(&m->lines, "Deleted: sha256:%s", manifest->id);
        if (r == 0)
                r = strv_add(&m->loose, record->digest);
        if (r == 0)
                r = strv_add(&m->loose, manifest->id);
        for (size_t i = 0; r == 0 && i < manifest->layer_count; i++) {
                r = strv_add(&m->loose, manifest->layers[i].blob);
                if (r == 0)
                        r = strv_add(&m->loose, manifest->layers[i].diff_id);
        }
        return r < 0 ? error_set(err, r, "remove image %.12s", manifest->id) : 0;
}

static int removal_end(struct removal *m, bool everything, char ***ret_lines,
                       struct coffer_error *err)
{
        struct layers layers;
        int r = 0;

        if (m->lock_fd >= 0 && (everything || m->loose.count > 0))
                r = collect_garbage(&m->c->store, &m->users->layers, everything ? NULL : &m->loose,
                                    &m->bytes, err);
        close_fd(&m->lock_fd);
        if (r < 0)
                return r;
        if (layers_open(&m->c->store, &layers, NULL) == 0) {
                layers_sweep(&layers);
                layers_close(&layers);
        }
        if (ret_lines && pack_lines(&m->lines, ret_lines) < 0)
                return error_set(err, -ENOMEM, "tell what was removed");
        return (int)m->lines.count;
}

static size_t names_of(const struct catalog *c, const char *manifest)
{
        size_t count = 0;

        for (size_t i = 0; i < c->count; i++)
                count += c->refs[i].name.host[0] != '\0' && str_eq(c->refs[i].manifest, manifest);
        return count;
}

static int check_unused(const struct users *users, const char *reference, const char *id,
                        struct coffer_error *err)
{
        const char *box = user_of(users, id, NULL);

        if (!box)
                return 0;
        (void)error_say(err, -EBUSY, COFFER_ERROR_STATE, "box %s was made from image '%.120s'", box,
                        reference);
        error_hint(err, "remove the box first, or use --force");
        return -EBUSY;
}

static bool same_name(const struct image_name *a, const struct image_name *b)
{
        return str_eq(a->host, b->host) && str_eq(a->repository, b->repository) &&
               str_eq(a->tag, b->tag) && str_eq(a->digest, b->digest);
}

/* By a name that one name goes, by an id all of them. */
static int remove_image(struct removal *m, const char *reference, uint32_t flags,
                        struct coffer_error *err)
{
        cleanup_with(image_record_release) struct image_record record = {.size = 0};
        struct catalog *c = m->c;
        struct image_ref found;
        bool by_id, last, any = false;
        int r = stored_find(&c->store, reference, &found, err);

        if (r == 0)
                r = stored_record(&c->store, found.manifest, &record, err);
        if (r < 0)
                return r;
        by_id = found.name.host[0] == '\0';
        last = by_id || names_of(c, found.manifest) <= 1;
        if (last && !(flags & COFFER_IMAGE_FORCE))
                r = check_unused(m->users, reference, record.manifest.id, err);
        for (size_t i = 0; r == 0 && i < c->count; i++) {
                const struct image_ref *ref = &c->refs[i];

                if (ref->name.host[0] == '\0' || !str_eq(ref->manifest, found.manifest) ||
                    !(by_id || same_name(&ref->name, &found.name)))
                        continue;
                r = untag(m, ref, err);
                any = true;
        }
        /* name@digest, where only a tag has that digest */
        if (r == 0 && !any && !by_id)
                return error_say(err, -ENOENT, COFFER_ERROR_USAGE,
                                 "'%.160s' is known by a tag only", reference);
        return r == 0 && last ? forget(m, &record, err) : r;
}

int coffer_image_remove(struct coffer_runtime *runtime, const char *reference, uint32_t flags,
                        char ***ret_lines, struct coffer_error *err)
{
        cleanup_with(users_release) struct users users = {.layers = {.items = NULL}};
        cleanup_with(catalog_release) struct catalog c = {.store = {.userns_fd = -1}};
        cleanup_with(removal_release) struct removal m = {
                .c = &c, .users = &users, .lock_fd = -EBADF};
        int r;

        REQUIRE(runtime && reference, err);
        REQUIRE(!(flags & ~COFFER_IMAGE_FORCE), err);
        r = catalog_read(runtime, &c, err);
        if (r == 0)
                r = removal_begin(&m, err);
        if (r == 0)
                r = users_read(runtime, &users, err);
        if (r == 0)
                r = remove_image(&m, reference, flags, err);
        return r < 0 ? r : removal_end(&m, false, ret_lines, err);
}

static int prune_image(struct removal *m, size_t index, struct coffer_error *err)
{
        struct catalog *c = m->c;
        int r = 0;

        if (user_of(m->users, c->records[index].manifest.id, NULL))
                return 0;
        if (c->refs[index].name.host[0] != '\0')
                r = untag(m, &c->refs[index], err);
        /* Once for all of its names. */
        for (size_t i = index + 1; r == 0 && i < c->count; i++)
                if (str_eq(c->refs[i].manifest, c->refs[index].manifest))
                        return 0;
        return r < 0 ? r : forget(m, &c->records[index], err);
}

int coffer_image_prune(struct coffer_runtime *runtime, uint32_t flags, char ***ret_lines,
                       uint64_t *ret_bytes, struct coffer_error *err)
{
        cleanup_with(users_release) struct users users = {.layers = {.items = NULL}};
        cleanup_with(catalog_release) struct catalog c = {.store = {.userns_fd = -1}};
        cleanup_with(removal_release) struct removal m = {
                .c = &c, .users = &users, .lock_fd = -EBADF};
        int r;

        REQUIRE(runtime, err);
        REQUIRE(!(flags & ~COFFER_PRUNE_ALL), err);
        c.store.home_fd = runtime->home->fd;
        r = removal_begin(&m, err);
        if (r == 0 && m.lock_fd < 0) {
                r = error_say(err, -EBUSY, COFFER_ERROR_STATE, "somebody pulls an image right now");
                error_hint(err, "try again when that is done");
        }
        if (r == 0)
                r = catalog_read(runtime, &c, err);
        if (r == 0)
                r = users_read(runtime, &users, err);
        for (size_t i = 0; r == 0 && i < c.count; i++)
                if (flags & COFFER_PRUNE_ALL || c.refs[i].name.host[0] == '\0')
                        r = prune_image(&m, i, err);
        if (r == 0)
                r = removal_end(&m, true, ret_lines, err);
        if (r >= 0 && ret_bytes)
                *ret_bytes = m.bytes;
        return r;
}

/* ----------------------------------------------------------------------------------------- usage
 */

int images_usage(struct coffer_runtime *rt, uint32_t *ret_count, uint32_t *ret_active,
                 struct collect_usage *ret, struct coffer_error *err)
{
        cleanup_with(users_release) struct users users = {.layers = {.items = NULL}};
        cleanup_with(catalog_release) struct catalog c = {.store = {.userns_fd = -1}};
        int r = catalog_read(rt, &c, err);

        *ret_count = *ret_active = 0;
        if (r == 0)
                r = users_read(rt, &users, err);
        for (size_t i = 0; r == 0 && i < c.count; i++) {
                bool seen = false;

                for (size_t k = 0; k < i && !seen; k++)
                        seen = str_eq(c.records[k].manifest.id, c.records[i].manifest.id);
                *ret_count += !seen;
                *ret_active += !seen && user_of(&users, c.records[i].manifest.id, NULL);
        }
        return r < 0 ? r : collect_measure(&c.store, &users.layers, &users.images, ret, err);
}
