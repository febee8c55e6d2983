/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All images of an archive into the store, by the way of a pull whose registry is the archive.
 * First all of their blobs and layers, then what is noted of them, and last their names: a hostile
 * image at the end of an archive leaves nothing of those before it but blobs, for prune.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "lib/images.h"
#include "lib/pack.h"
#include "lib/pull.h"

/* An image that is here, but for its record and its names. */
struct loaded {
        char top[IMAGE_DIGEST_HEX + 1];
        char digest[IMAGE_DIGEST_HEX + 1];
        struct image_manifest manifest;
};

struct loading {
        struct pulling pulling;
        struct contents contents;
        struct image_name *names; /* owned; one for each of the contents; a host of "" for none */
        struct loaded *images;    /* owned */
        size_t count;
        struct strv lines;
        int spool_fd; /* owned */
};

static void loading_free(struct loading *l)
{
        for (size_t i = 0; l->images && i < l->count; i++)
                image_manifest_release(&l->images[i].manifest);
        free(l->images);
        free(l->names);
        strv_release(&l->lines);
        contents_release(&l->contents);
        close_fd(&l->spool_fd);
        pull_close(&l->pulling);
        free(l);
}

/* Whether it can be read in any order as it is; coffer-unpack has words for what it cannot. */
static bool is_plain_file(int fd)
{
        static const char *const compressed[] = {"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd\x37zX",
                                                 "BZh"};
        char magic[4] = "";
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0 ||
            pread(fd, magic, sizeof(magic), 0) != sizeof(magic))
                return false;
        for (size_t i = 0; i < ELEMENTS(compressed); i++)
                if (memcmp(magic, compressed[i], strlen(compressed[i])) == 0)
                        return false;
        return true;
}

static int open_archive(struct loading *l, int fd)
{
        struct pulling *p = &l->pulling;
        struct unpack_sums sums;
        int r;

        p->archive_fd = fd;
        if (!is_plain_file(fd)) {
                r = images_spool(p->blobs.images_fd, &l->spool_fd);
                if (r < 0)
                        return error_set(p->err, r, "make a file in 'images' of the home");
                r = contents_spool(&p->store, fd, l->spool_fd, &sums, p->err);
                if (r < 0)
                        return error_wrap(p->err, r, "read the archive");
                p->archive_fd = l->spool_fd;
        }
        r = contents_read(&p->store, p->archive_fd, &l->contents, p->err);
        p->archive = &l->contents;
        return r;
}

/* Before anything is unpacked. */
static int read_names(struct loading *l)
{
        l->names = calloc(l->contents.header.images + 1, sizeof(*l->names));
        l->images = calloc(l->contents.header.images + 1, sizeof(*l->images));
        if (!l->names || !l->images)
                return error_set(l->pulling.err, -ENOMEM, "load the images");
        for (uint32_t i = 0; i < l->contents.header.images; i++) {
                const char *text = l->contents.images[i].name;
                int r = text[0] == '\0' ? 0 : name_parse(text, &l->names[i], l->pulling.err);

                if (r < 0)
                        error_kind(l->pulling.err, COFFER_ERROR_IMAGE);
                else if (l->names[i].digest[0] != '\0')
                        r = error_say(l->pulling.err, -EINVAL, COFFER_ERROR_IMAGE,
                                      "'%.160s' has a digest, and is no name for what is in an "
                                      "archive",
                                      text);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const struct loaded *image_of(const struct loading *l, const char *top)
{
        for (size_t i = 0; i < l->count; i++)
                if (str_eq(l->images[i].top, top))
                        return &l->images[i];
        return NULL;
}

static int take_image(struct loading *l, const char *top)
{
        struct pulling *p = &l->pulling;
        struct loaded *to = &l->images[l->count];
        int r = pull_image(p, "", top);

        if (r < 0)
                return r;
        (void)str_copy(to->top, sizeof(to->top), p->top);
        (void)str_copy(to->digest, sizeof(to->digest), p->listing.digest);
        to->manifest = p->manifest;
        p->manifest = (struct image_manifest){.layers = NULL};
        l->count++;
        return 0;
}

static int note_name(struct loading *l, uint32_t index)
{
        const struct loaded *image = image_of(l, l->contents.images[index].top);
        struct image_ref ref = {.name = l->names[index]};
        char text[NAME_TEXT_MAX];
        int r = 0;

        (void)str_copy(ref.top, sizeof(ref.top), image->top);
        (void)str_copy(ref.manifest, sizeof(ref.manifest), image->digest);
        if (ref.name.host[0] == '\0')
                return strv_addf(&l->lines, "Loaded image ID: sha256:%s", image->manifest.id);
        name_format(&ref.name, text);
        r = refs_set(l->pulling.store.home_fd, &ref);
        return r < 0 ? error_set(l->pulling.err, r, "note the name '%.160s'", text)
                     : strv_addf(&l->lines, "Loaded image: %s", text);
}

static int load(struct loading *l, int fd)
{
        const struct contents *c = &l->contents;
        int r = open_archive(l, fd);

        if (r == 0)
                r = read_names(l);
        for (uint32_t i = 0; r == 0 && i < c->header.images; i++)
                if (!image_of(l, c->images[i].top))
                        r = take_image(l, c->images[i].top);
        for (size_t i = 0; r == 0 && i < l->count; i++)
                r = pull_record(&l->pulling, l->images[i].digest, &l->images[i].manifest);
        for (uint32_t i = 0; r == 0 && i < c->header.images; i++)
                r = note_name(l, i);
        return r < 0 ? error_wrap(l->pulling.err, r, "load images") : 0;
}

int coffer_image_load(struct coffer_runtime *runtime, int fd,
                      const struct coffer_load_options *options, char ***ret_lines,
                      struct coffer_error *err)
{
        struct coffer_pull_options pull = {.size = sizeof(pull)};
        struct coffer_error own = {0};
        struct loading *l;
        int r;

        REQUIRE(runtime && fd >= 0, err);
        REQUIRE(!options || options->size >= sizeof(*options), err);
        l = calloc(1, sizeof(*l));
        if (!l)
                return error_set(err, -ENOMEM, "load images");
        if (options) {
                pull.progress = options->progress;
                pull.data = options->data;
        }
        l->spool_fd = -EBADF;
        l->pulling = PULLING_INIT;
        l->pulling.options = &pull;
        l->pulling.err = &own;
        r = pull_open(runtime, &l->pulling);
        if (r == 0)
                r = load(l, fd);
        if (r == 0 && ret_lines && pack_lines(&l->lines, ret_lines) < 0)
                r = error_set(&own, -ENOMEM, "tell what was loaded");
        if (r == 0)
                r = (int)l->lines.count;
        loading_free(l);
        if (r < 0 && err)
                *err = own;
        return r;
}
