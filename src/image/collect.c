/* SPDX-License-Identifier: Apache-2.0 */
#include "image/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/measure.h"
#include "base/sys.h"
#include "image/blobstore.h"
#include "image/layers.h"
#include "image/stored.h"

struct collection {
        const struct image_store *store;
        const struct strv *only;
        const struct strv *ids;      /* images that are kept; NULL: all that are there */
        struct collect_usage *usage; /* only look */
        struct strv kept;            /* sorted before it is searched */
        struct blobstore blobs;
        struct layers layers;
        uint64_t bytes;
};

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_kept(const struct collection *c, const char *hex)
{
        return c->kept.count > 0 &&
               bsearch(&hex, c->kept.items, c->kept.count, sizeof(char *), compare);
}

static bool is_candidate(const struct collection *c, const char *hex)
{
        for (size_t i = 0; c->only && i < c->only->count; i++)
                if (str_eq(c->only->items[i], hex))
                        return true;
        return !c->only;
}

static bool is_wanted(const struct collection *c, const char *id)
{
        for (size_t i = 0; c->ids && i < c->ids->count; i++) {
                const char *hex = str_after(c->ids->items[i], "sha256:");

                if (str_eq(hex ? hex : c->ids->items[i], id))
                        return true;
        }
        return !c->ids;
}

/* @top: what a name leads to, or NULL. */
static int keep_image(struct collection *c, const char *digest, const char *top,
                      struct coffer_error *err)
{
        cleanup_with(image_record_release) struct image_record record = {.size = 0};
        int r = stored_record(c->store, digest, &record, err);

        if (r < 0)
                return error_wrap(err, r, "image with manifest %.12s", digest);
        if (!is_wanted(c, record.manifest.id))
                return 0;
        r = strv_add(&c->kept, digest);
        if (r == 0 && top)
                r = strv_add(&c->kept, top);
        if (r == 0)
                r = strv_add(&c->kept, record.manifest.id);
        for (size_t i = 0; r == 0 && i < record.manifest.layer_count; i++) {
                r = strv_add(&c->kept, record.manifest.layers[i].blob);
                if (r == 0)
                        r = strv_add(&c->kept, record.manifest.layers[i].diff_id);
        }
        return r < 0 ? error_set(err, r, "look at the images") : 0;
}

static int find_kept(struct collection *c, const struct strv *used, struct coffer_error *err)
{
        cleanup_with(strv_release) struct strv digests = {.items = NULL};
        cleanup_free struct image_ref *refs = NULL;
        size_t count = 0;
        int r = record_list(c->store->home_fd, &digests);

        if (r == 0)
                r = refs_list(c->store->home_fd, &refs, &count);
        if (r == 0)
                r = strv_copy(&c->kept, used);
        if (r < 0)
                return error_set(err, r, "look at the images");
        for (size_t i = 0; r == 0 && i < digests.count; i++)
                r = keep_image(c, digests.items[i], NULL, err);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = keep_image(c, refs[i].manifest, refs[i].top, err);
        if (r == 0 && c->kept.count > 0)
                qsort(c->kept.items, c->kept.count, sizeof(char *), compare);
        return r;
}

static uint64_t size_of(int dir_fd, const char *name)
{
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        return S_ISDIR(st.st_mode) ? measure_below(dir_fd, name) : (uint64_t)st.st_blocks * 512;
}

static int drop_file(struct collection *c, int dir_fd, const char *name)
{
        uint64_t bytes = size_of(dir_fd, name);

        if (unlinkat(dir_fd, name, 0) < 0)
                return errno == ENOENT ? 0 : -errno;
        c->bytes += bytes;
        return 0;
}

static int drop_blob(struct collection *c, const char *name)
{
        return drop_file(c, c->blobs.blobs_fd, name);
}

/* Out of the way now, removed when nobody waits for us. */
static int drop_layer(struct collection *c, const char *name)
{
        char away[40];
        uint64_t number;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                return -EIO;
        (void)snprintf(away, sizeof(away), "gone-%016llx", (unsigned long long)number);
        c->bytes += size_of(c->layers.layers_fd, name);
        return renameat(c->layers.layers_fd, name, c->layers.tmp_fd, away) < 0 && errno != ENOENT
                       ? -errno
                       : 0;
}

/* Whoever fetches holds the lock; but then he shares images/lock too, and we were not here. */
static int drop_partial(struct collection *c, const char *name)
{
        cleanup_close int fd = sys_open(c->blobs.partial_fd, name, O_RDONLY | O_NOFOLLOW);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return 0;
        return drop_file(c, c->blobs.partial_fd, name);
}

static void look(struct collection *c, int dir_fd, const char *name)
{
        uint64_t bytes = size_of(dir_fd, name);

        c->usage->bytes += bytes;
        if (!is_kept(c, name))
                c->usage->reclaimable += bytes;
}

static int each(struct collection *c, int dir_fd, int (*drop)(struct collection *, const char *))
{
        int fd = sys_open(dir_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                close_fd(&fd);
                return r;
        }
        while (r == 0 && (entry = readdir(dir))) {
                if (!image_is_digest(entry->d_name) || !is_candidate(c, entry->d_name))
                        continue;
                if (c->usage)
                        look(c, dir_fd, entry->d_name);
                else if (!is_kept(c, entry->d_name))
                        r = drop(c, entry->d_name);
        }
        (void)closedir(dir);
        return r;
}

static int collect(struct collection *c, const struct strv *used, struct coffer_error *err)
{
        int r = blobstore_open(c->store->home_fd, &c->blobs, err);

        if (r < 0)
                return r;
        r = layers_open(c->store, &c->layers, err);
        if (r == 0) {
                r = find_kept(c, used, err);
                if (r == 0) {
                        r = each(c, c->blobs.blobs_fd, drop_blob);
                        if (r == 0)
                                r = each(c, c->layers.layers_fd, drop_layer);
                        if (r == 0 && !c->only)
                                r = each(c, c->blobs.partial_fd, drop_partial);
                        if (r < 0)
                                (void)error_set(err, r, "remove what no image has");
                }
                layers_close(&c->layers);
        }
        blobstore_close(&c->blobs);
        strv_release(&c->kept);
        return r;
}

int collect_garbage(const struct image_store *store, const struct strv *used,
                    const struct strv *only, uint64_t *ret_bytes, struct coffer_error *err)
{
        struct collection c = {.store = store, .only = only};
        int r = collect(&c, used, err);

        if (ret_bytes)
                *ret_bytes = c.bytes;
        return r;
}

int collect_measure(const struct image_store *store, const struct strv *used,
                    const struct strv *ids, struct collect_usage *ret, struct coffer_error *err)
{
        struct collection c = {.store = store, .ids = ids, .usage = ret};

        *ret = (struct collect_usage){.bytes = 0};
        return collect(&c, used, err);
}
