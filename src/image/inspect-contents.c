/* SPDX-License-Identifier: Apache-2.0 */
/* All images of an archive: an OCI layout's as they are, docker save's with manifests made up. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "image/contents.h"
#include "image/document.h"
#include "image/extract.h"
#include "image/inspect-parts.h"
#include "image/inspect.h"
#include "image/stream.h"
#include "image/unpack.h"

#define CONTAINERD_NAME "io.containerd.image.name" /* whole, where ref.name is a tag alone */
#define BLOB_DIR        "blobs/sha256/"

struct list {
        const struct blobs *files;
        struct buf images, blobs, made;
        struct contents_header header;
};

static int too_much(struct coffer_error *err)
{
        return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                         "the archive has more than %d images or %d blobs", CONTENTS_IMAGES_MAX,
                         CONTENTS_BLOBS_MAX);
}

static int add_image(struct list *l, const char *top, const char *name, struct coffer_error *err)
{
        struct contents_image row = {.top = ""};

        if (l->header.images == CONTENTS_IMAGES_MAX)
                return too_much(err);
        if (str_copy(row.name, sizeof(row.name), name) < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_IMAGE,
                                 "'%.60s…' is too long for the name of an image", name);
        (void)str_copy(row.top, sizeof(row.top), top);
        l->header.images++;
        return buf_append(&l->images, &row, sizeof(row));
}

static int add_blob(struct list *l, const char *digest, uint8_t made, uint64_t offset,
                    uint64_t size, struct coffer_error *err)
{
        struct contents_blob row = {.made = made, .offset = offset, .size = size};

        if (l->header.blobs == CONTENTS_BLOBS_MAX)
                return too_much(err);
        (void)str_copy(row.digest, sizeof(row.digest), digest);
        l->header.blobs++;
        return buf_append(&l->blobs, &row, sizeof(row));
}

/* ----------------------------------------------------------------------------------------- oci */

/* Who writes a tag alone means one of the layout; a name has a colon or a slash. */
static const char *name_of(const struct json_value *entry)
{
        const char *name = inspect_annotation(entry, CONTAINERD_NAME);

        if (name[0] != '\0')
                return name;
        name = inspect_annotation(entry, INSPECT_REF_NAME);
        return strpbrk(name, ":/") ? name : "";
}

static int list_blobs(struct list *l, struct coffer_error *err)
{
        const char *name;
        int r = 0;

        for (size_t i = 0; r == 0 && (name = blobs_name(l->files, i)); i++) {
                const char *hex = str_after(name, BLOB_DIR);
                uint64_t offset, size;

                if (hex && image_is_digest(hex) && blobs_find(l->files, name, &offset, &size) > 0)
                        r = add_blob(l, hex, 0, offset, size, err);
        }
        return r;
}

static int list_oci(struct list *l, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        const struct platform here = platform_host();
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        struct json_value root, manifests;
        struct descriptor d = {0};
        int r = inspect_layout(l->files, err);

        if (r == 0)
                r = blobs_read(l->files, "index.json", &text, err);
        if (r == 0)
                r = json_parse(text.data, text.size, NULL, &doc, err);
        buf_release(&text);
        if (r < 0)
                return r;
        root = json_root(doc);
        manifests = json_member(&root, "manifests");
        r = json_want_array(&manifests, JSON_REQUIRED, err);
        for (size_t i = 0; r == 0 && i < json_count(&manifests); i++) {
                struct json_value entry = json_item(&manifests, i);

                if (!inspect_fits(&entry, &here))
                        continue;
                r = inspect_descriptor(&entry, &d, err);
                if (r == 0 && d.media != MEDIA_INDEX)
                        r = inspect_want(&d, MEDIA_MANIFEST, "a manifest", err);
                if (r == 0)
                        r = add_image(l, d.digest, name_of(&entry), err);
        }
        /* Says what there is instead, when nothing is. */
        if (r == 0 && l->header.images == 0)
                r = inspect_choose(&root, "", true, &here, &d, err);
        return r < 0 ? r : list_blobs(l, err);
}

/* -------------------------------------------------------------------------------------- docker */

/* Plain bytes are called by their diff id; of others the digest has to be found out. */
static int name_layer(const struct list *l, struct image_layer *layer, enum image_form *ret_form,
                      struct coffer_error *err)
{
        cleanup_with(stream_freep) struct stream *stream = NULL;
        const struct stream_spec spec = {
                .fd = l->files->fd,
                .offset = layer->offset,
                .size = layer->size,
                .blob = "",
                .sums = true,
                .diff_id = layer->diff_id,
                .max_bytes = EXTRACT_BYTES_MAX,
                .hangup_fd = UNPACK_FD_SOCKET,
        };
        struct unpack_sums sums;
        int r = stream_new(&spec, &stream, err);

        if (r < 0)
                return r;
        *ret_form = stream_form(stream);
        if (*ret_form == IMAGE_FORM_PLAIN)
                return str_copy(layer->blob, sizeof(layer->blob), layer->diff_id);
        r = stream_finish(stream, err);
        if (r < 0)
                return r;
        stream_sums(stream, &sums);
        return str_copy(layer->blob, sizeof(layer->blob), sums.blob);
}

static int make_manifest(struct list *l, struct image_manifest *m, uint64_t config_size,
                         struct buf *to, struct coffer_error *err)
{
        struct document_layer layers[IMAGE_LAYERS_MAX];
        struct image_blob config = {.size = config_size};
        int r = str_copy(config.digest, sizeof(config.digest), m->id);

        for (size_t i = 0; r == 0 && i < m->layer_count; i++) {
                struct image_layer *layer = &m->layers[i];
                enum image_form form = IMAGE_FORM_PLAIN;

                r = name_layer(l, layer, &form, err);
                if (r == 0)
                        r = add_blob(l, layer->blob, 0, layer->offset, layer->size, err);
                layers[i] = (struct document_layer){.blob = {.size = layer->size}, .form = form};
                (void)str_copy(layers[i].blob.digest, sizeof(layers[i].blob.digest), layer->blob);
        }
        return r < 0 ? r : document_manifest(to, &config, layers, m->layer_count);
}

static int list_names(struct list *l, const struct json_value *image, const char *top,
                      struct coffer_error *err)
{
        struct json_value tags = json_member(image, "RepoTags");
        int r = json_want_array(&tags, JSON_OPTIONAL, err);

        if (r == 0 && json_count(&tags) == 0)
                r = add_image(l, top, "", err);
        for (size_t i = 0; r == 0 && i < json_count(&tags); i++) {
                struct json_value item = json_item(&tags, i);
                const char *name = "";

                r = json_to_string(&item, JSON_REQUIRED, &name, err);
                if (r == 0)
                        r = add_image(l, top, name, err);
        }
        return r;
}

static int list_docker_image(struct list *l, const struct json_value *image,
                             struct coffer_error *err)
{
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        char top[IMAGE_DIGEST_HEX + 1];
        struct image_manifest m = {0};
        uint64_t offset = 0, size = 0;
        const char *config = "";
        int r = json_want_object(image, JSON_REQUIRED, err);

        if (r == 0)
                r = inspect_docker_image(l->files, image, true, &m, err);
        if (r == 0)
                r = json_get_string(image, "Config", JSON_REQUIRED, &config, err);
        if (r == 0 && blobs_find(l->files, config, &offset, &size) > 0)
                r = add_blob(l, m.id, 0, offset, size, err);
        if (r == 0)
                r = make_manifest(l, &m, size, &text, err);
        if (r == 0)
                r = stream_digest(text.data, text.size, top);
        if (r == 0)
                r = add_blob(l, top, 1, l->made.size, text.size, err);
        if (r == 0)
                r = buf_append(&l->made, text.data, text.size);
        if (r == 0)
                r = list_names(l, image, top, err);
        image_manifest_release(&m);
        buf_release(&text);
        return r;
}

static int list_docker(struct list *l, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;
        int r = inspect_docker_list(l->files, &doc, err);

        if (r < 0)
                return r;
        root = json_root(doc);
        r = json_want_array(&root, JSON_REQUIRED, err);
        if (r == 0 && json_count(&root) == 0)
                r = error_say(err, -ENOENT, COFFER_ERROR_IMAGE, "there is no image in it");
        for (size_t i = 0; r == 0 && i < json_count(&root); i++) {
                struct json_value image = json_item(&root, i);

                r = list_docker_image(l, &image, err);
        }
        return r;
}

/* ---------------------------------------------------------------------------------------- both */

static int answer_with(struct list *l, struct buf *answer)
{
        const struct buf *parts[] = {&l->blobs, &l->images, &l->made};
        int r;

        l->header.bytes = l->made.size;
        r = buf_append(answer, &l->header, sizeof(l->header));
        for (size_t i = 0; r == 0 && i < ELEMENTS(parts); i++)
                r = parts[i]->size > 0 ? buf_append(answer, parts[i]->data, parts[i]->size) : 0;
        return r;
}

int inspect_contents(const struct blobs *blobs, struct buf *answer, struct coffer_error *err)
{
        struct list l = {
                .files = blobs,
                .images = BUF_INIT(UNPACK_ANSWER_MAX),
                .blobs = BUF_INIT(UNPACK_ANSWER_MAX),
                .made = BUF_INIT(UNPACK_ANSWER_MAX),
        };
        uint64_t offset, size;
        bool oci = blobs_find(blobs, "oci-layout", &offset, &size) > 0;
        bool docker = blobs_find(blobs, "manifest.json", &offset, &size) > 0;
        int r;

        if (oci)
                r = list_oci(&l, err);
        else if (docker)
                r = list_docker(&l, err);
        else
                r = error_say(err, -ENOENT, COFFER_ERROR_IMAGE,
                              "it has neither a file 'oci-layout' nor 'manifest.json', so it is no "
                              "archive of images");
        if (r == 0)
                r = answer_with(&l, answer);
        if (r == -E2BIG && err->msg[0] == '\0')
                r = too_much(err);
        else if (r < 0 && err->msg[0] == '\0')
                (void)error_set(err, r, "list what is in the archive");
        buf_release(&l.images);
        buf_release(&l.blobs);
        buf_release(&l.made);
        return r;
}
