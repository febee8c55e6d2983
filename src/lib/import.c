/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A root's tar archive becomes an image of one layer.  Config and manifest are made up; from then
 * on the three are an archive of images that is loaded.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "image/document.h"
#include "image/platform.h"
#include "lib/change.h"
#include "lib/emit.h"
#include "lib/images.h"
#include "lib/pull.h"

#define COPY_BYTES ((size_t)256 * 1024)

enum { ROW_LAYER, ROW_CONFIG, ROW_MANIFEST, ROWS };

struct importing {
        struct pulling pulling;
        struct image_config config;
        struct unpack_sums sums; /* of the layer */
        struct buf texts;        /* config and manifest */
        struct contents_blob rows[ROWS];
        struct contents contents;
        int layer_fd; /* owned; without a name */
};

static void importing_free(struct importing *i)
{
        image_config_release(&i->config);
        buf_release(&i->texts);
        close_fd(&i->layer_fd);
        pull_close(&i->pulling);
        free(i);
}

/* As it is: it is the layer's blob. */
static int copy_in(struct importing *i, int fd)
{
        cleanup_free char *bytes = malloc(COPY_BYTES);
        struct coffer_error *err = i->pulling.err;
        int r = bytes ? images_spool(i->pulling.blobs.images_fd, &i->layer_fd) : -ENOMEM;

        if (r < 0)
                return error_set(err, r, "make a file in 'images' of the home");
        while (r == 0) {
                ssize_t n = sys_read(fd, bytes, COPY_BYTES);

                if (n <= 0) {
                        r = n < 0 ? error_set(err, (int)n, "read the archive") : 0;
                        break;
                }
                r = sys_write_all(i->layer_fd, bytes, (size_t)n);
                if (r < 0)
                        return error_set(err, r, "keep the archive");
        }
        if (r == 0 && lseek(i->layer_fd, 0, SEEK_SET) < 0)
                r = error_set(err, -errno, "read the archive");
        if (r == 0)
                r = contents_spool(&i->pulling.store, i->layer_fd, -1, &i->sums, err);
        if (r == 0 && i->sums.bytes == 0)
                r = error_say(err, -EBADMSG, COFFER_ERROR_IMAGE, "the archive is empty");
        return r;
}

static void emit_config(const struct importing *i, const char *message, struct buf *to)
{
        const struct platform here = platform_host();
        struct timespec now;
        uint64_t now_ns;
        char text[16 + IMAGE_DIGEST_HEX];

        (void)clock_gettime(CLOCK_REALTIME, &now);
        now_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
        (void)snprintf(text, sizeof(text), "sha256:%s", i->sums.diff_id);
        emit_open(to, NULL, '{');
        emit_str(to, "architecture", here.architecture);
        emit_str(to, "os", here.os);
        emit_time(to, "created", now_ns);
        images_emit_config(to, "config", &i->config);
        emit_open(to, "rootfs", '{');
        emit_str(to, "type", "layers");
        emit_open(to, "diff_ids", '[');
        emit_str(to, NULL, text);
        emit_close(to, ']');
        emit_close(to, '}');
        emit_open(to, "history", '[');
        emit_open(to, NULL, '{');
        emit_time(to, "created", now_ns);
        emit_str(to, "comment", message ? message : "Imported from -");
        emit_close(to, '}');
        emit_close(to, ']');
        emit_close(to, '}');
}

static int add_text(struct importing *i, int row, const struct buf *text)
{
        int r = text->failed < 0 ? error_set(i->pulling.err, text->failed, "describe the image")
                                 : document_digest(&i->pulling.store, text, i->rows[row].digest,
                                                   i->pulling.err);

        if (r < 0)
                return r;
        i->rows[row].made = 1;
        i->rows[row].offset = i->texts.size;
        i->rows[row].size = text->size;
        r = buf_append(&i->texts, text->data, text->size);
        return r < 0 ? error_set(i->pulling.err, r, "describe the image") : 0;
}

static int describe(struct importing *i, const char *message)
{
        struct document_layer layer = {
                .blob = {.size = i->sums.stored_bytes},
                .form = (enum image_form)i->sums.form,
        };
        struct buf text = BUF_INIT(DOCUMENT_MAX);
        struct image_blob config;
        int r;

        i->texts = BUF_INIT(2 * DOCUMENT_MAX);
        (void)str_copy(layer.blob.digest, sizeof(layer.blob.digest), i->sums.blob);
        (void)str_copy(i->rows[ROW_LAYER].digest, sizeof(layer.blob.digest), i->sums.blob);
        i->rows[ROW_LAYER].size = i->sums.stored_bytes;

        emit_config(i, message, &text);
        r = add_text(i, ROW_CONFIG, &text);
        if (r == 0) {
                config.size = text.size;
                (void)str_copy(config.digest, sizeof(config.digest), i->rows[ROW_CONFIG].digest);
                buf_consume(&text, text.size);
                (void)document_manifest(&text, &config, &layer, 1);
                r = add_text(i, ROW_MANIFEST, &text);
        }
        buf_release(&text);
        i->contents = (struct contents){
                .blobs = i->rows,
                .made = i->texts.data,
                .header = {.blobs = ROWS, .bytes = i->texts.size},
        };
        i->pulling.archive = &i->contents;
        i->pulling.archive_fd = i->layer_fd;
        return r;
}

static int keep(struct importing *i, const struct image_name *name, struct coffer_pull_result *ret)
{
        struct pulling *p = &i->pulling;
        struct image_ref ref = {.name = *name};
        int r = pull_record(p, p->listing.digest, &p->manifest);

        if (r < 0)
                return r;
        *ret = (struct coffer_pull_result){.changed = 1};
        (void)snprintf(ret->id, sizeof(ret->id), "sha256:%s", p->manifest.id);
        (void)snprintf(ret->digest, sizeof(ret->digest), "sha256:%s", p->listing.digest);
        if (name->host[0] == '\0')
                return 0;
        (void)snprintf(ret->name, sizeof(ret->name), "%s/%s:%s", name->host, name->repository,
                       name->tag);
        (void)str_copy(ref.top, sizeof(ref.top), p->listing.digest);
        (void)str_copy(ref.manifest, sizeof(ref.manifest), p->listing.digest);
        r = refs_set(p->store.home_fd, &ref);
        return r < 0 ? error_set(p->err, r, "note the name '%.160s'", ret->name) : 0;
}

static int read_name(const char *reference, struct image_name *ret, struct coffer_error *err)
{
        int r = reference ? name_parse(reference, ret, err) : 0;

        if (r == 0 && reference && ret->digest[0] != '\0')
                r = error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                              "'%.160s' has a digest, and a digest is nothing to choose",
                              reference);
        return r;
}

static int import(struct importing *i, struct coffer_runtime *rt, int fd, const char *message)
{
        int r = pull_open(rt, &i->pulling);

        if (r == 0)
                r = copy_in(i, fd);
        if (r == 0)
                r = describe(i, message);
        if (r == 0)
                r = pull_image(&i->pulling, "", i->rows[ROW_MANIFEST].digest);
        return r;
}

int coffer_image_import(struct coffer_runtime *runtime, int fd, const char *reference,
                        const struct coffer_import_options *options,
                        struct coffer_pull_result *ret_result, struct coffer_error *err)
{
        static const struct coffer_pull_options pull = {.size = sizeof(pull)};
        struct coffer_pull_result result;
        struct image_name name = {.host = ""};
        struct coffer_error own = {0};
        struct importing *i;
        int r;

        REQUIRE(runtime && fd >= 0, err);
        REQUIRE(!options || options->size >= sizeof(*options), err);
        i = calloc(1, sizeof(*i));
        if (!i)
                return error_set(err, -ENOMEM, "import an image");
        i->pulling = PULLING_INIT;
        i->pulling.options = &pull;
        i->pulling.err = &own;
        i->layer_fd = -EBADF;
        r = read_name(reference, &name, &own);
        for (const char *const *c = options ? options->changes : NULL; r == 0 && c && *c; c++)
                r = change_apply(&i->config, *c, &own);
        if (r == 0) {
                r = import(i, runtime, fd, options ? options->message : NULL);
                if (r == 0)
                        r = keep(i, &name, &result);
                if (r < 0)
                        (void)error_wrap(&own, r, "import an image");
        }
        importing_free(i);
        if (r < 0 && err)
                *err = own;
        if (r == 0 && ret_result)
                *ret_result = result;
        return r;
}
