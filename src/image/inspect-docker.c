/* SPDX-License-Identifier: Apache-2.0 */
/* What docker save writes: manifest.json, a config per image, and layers as plain tars. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "image/inspect-parts.h"
#include "image/inspect.h"
#include "image/stream.h"

/* People leave out what Docker adds: "alpine" is "docker.io/library/alpine:latest". */
static bool same_name(const char *have, const char *want)
{
        static const char *const added[] = {"docker.io/library/", "docker.io/", ""};
        size_t n = strlen(want);

        for (size_t i = 0; i < ELEMENTS(added); i++) {
                const char *short_have = str_after(have, added[i]);
                const char *short_want = str_after(want, added[i]);

                if (short_have && str_eq(short_have, want))
                        return true;
                if (short_want && str_eq(have, short_want))
                        return true;
                if (short_have && strncmp(short_have, want, n) == 0 &&
                    str_eq(short_have + n, ":latest"))
                        return true;
        }
        return false;
}

static int has_tag(const struct json_value *image, const char *tag, size_t index,
                   struct coffer_error *err)
{
        struct json_value tags = json_member(image, "RepoTags");
        const char *number = str_after(tag, "@");
        uint64_t wanted;
        int r = json_want_array(&tags, JSON_OPTIONAL, err);

        if (r < 0)
                return r;
        if (number && str_to_u64(number, UINT32_MAX, &wanted) == 0)
                return wanted == index;
        for (size_t i = 0; i < json_count(&tags); i++) {
                struct json_value item = json_item(&tags, i);
                const char *name = NULL;

                r = json_to_string(&item, JSON_REQUIRED, &name, err);
                if (r < 0)
                        return r;
                if (same_name(name, tag))
                        return 1;
        }
        return 0;
}

static void hint_tags(const struct json_value *images, struct coffer_error *err)
{
        char names[120] = "";
        size_t used = 0;

        for (size_t i = 0; i < json_count(images) && used < sizeof(names); i++) {
                struct json_value image = json_item(images, i);
                struct json_value tags = json_member(&image, "RepoTags");
                struct json_value first = json_item(&tags, 0);
                const char *name = NULL;

                if (json_to_string(&first, JSON_REQUIRED, &name, NULL) < 0)
                        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s@%zu",
                                                 used ? ", " : "", i);
                else
                        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.60s",
                                                 used ? ", " : "", name);
        }
        if (names[0] != '\0')
                error_hint(err, "add a colon and one of: %s", names);
}

static int choose(const struct json_value *images, const char *tag, struct json_value *ret_image,
                  struct coffer_error *err)
{
        size_t count = json_count(images);
        int r = json_want_array(images, JSON_REQUIRED, err);

        if (r < 0)
                return r;
        if (count == 0)
                return error_say(err, -ENOENT, COFFER_ERROR_IMAGE, "there is no image in it");
        if (tag[0] == '\0' && count == 1) {
                *ret_image = json_item(images, 0);
                return json_want_object(ret_image, JSON_REQUIRED, err);
        }
        for (size_t i = 0; tag[0] != '\0' && i < count; i++) {
                *ret_image = json_item(images, i);
                r = has_tag(ret_image, tag, i, err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        r = tag[0] == '\0' ? error_say(err, -ENOTUNIQ, COFFER_ERROR_USAGE,
                                       "there is more than one image in it")
                           : error_say(err, -ENOENT, COFFER_ERROR_USAGE,
                                       "there is no image '%.100s' in it", tag);
        hint_tags(images, err);
        return r;
}

static int find_layers(const struct blobs *blobs, const struct json_value *image,
                       struct image_manifest *m, struct coffer_error *err)
{
        struct json_value layers = json_member(image, "Layers");
        size_t count = json_count(&layers);
        int r = json_want_array(&layers, JSON_OPTIONAL, err);

        if (r < 0 || count == 0)
                return r;
        if (count > IMAGE_LAYERS_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "the image has %zu layers (at most %d)", count, IMAGE_LAYERS_MAX);
        m->layers = calloc(count, sizeof(*m->layers));
        if (!m->layers)
                return error_set(err, -ENOMEM, "read the layers");
        m->layer_count = count;
        for (size_t i = 0; i < count; i++) {
                struct json_value item = json_item(&layers, i);
                const char *name = NULL;

                r = json_to_string(&item, JSON_REQUIRED, &name, err);
                if (r < 0)
                        return r;
                r = blobs_find(blobs, name, &m->layers[i].offset, &m->layers[i].size);
                if (r == 0)
                        return error_say(err, -ENOENT, COFFER_ERROR_IMAGE,
                                         "layer '%.120s' is missing", name);
                if (r < 0)
                        return error_set(err, r, "find layer '%.120s'", name);
        }
        return 0;
}

int inspect_docker_image(const struct blobs *blobs, const struct json_value *image,
                         bool any_platform, struct image_manifest *m, struct coffer_error *err)
{
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        struct strv diff_ids = {0};
        const char *config = NULL;
        int r;

        r = json_get_string(image, "Config", JSON_REQUIRED, &config, err);
        if (r == 0)
                r = find_layers(blobs, image, m, err);
        if (r == 0)
                r = blobs_read(blobs, config, &text, err);
        if (r == 0) {
                r = inspect_config(text.data, text.size, &m->config, &diff_ids, err);
                if (r < 0)
                        (void)error_wrap(err, r, "config of the image");
        }
        if (r == 0)
                r = inspect_set_diff_ids(m, &diff_ids, err);
        if (r == 0 && !any_platform)
                r = inspect_check_platform(&m->config, err);
        if (r == 0) {
                r = stream_digest(text.data, text.size, m->id);
                if (r < 0)
                        (void)error_set(err, r, "hash the config");
        }
        strv_release(&diff_ids);
        buf_release(&text);
        return r;
}

int inspect_docker_list(const struct blobs *blobs, struct json_t **ret_doc,
                        struct coffer_error *err)
{
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        int r = blobs_read(blobs, "manifest.json", &text, NULL);

        if (r == -ENOENT)
                (void)error_say(err, r, COFFER_ERROR_IMAGE,
                                "it has no file 'manifest.json', so docker save did not write it");
        else if (r < 0)
                (void)error_set(err, r, "read 'manifest.json'");
        else
                r = json_parse(text.data, text.size, NULL, ret_doc, err);
        buf_release(&text);
        return r;
}

int inspect_docker(const struct blobs *blobs, const char *tag, struct image_manifest *ret_m,
                   struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct image_manifest m = {0};
        struct json_value root, image;
        int r = inspect_docker_list(blobs, &doc, err);

        if (r < 0)
                return r;

        root = json_root(doc);
        r = choose(&root, tag, &image, err);
        if (r == 0)
                r = inspect_docker_image(blobs, &image, false, &m, err);
        if (r < 0) {
                image_manifest_release(&m);
                return r;
        }
        *ret_m = m;
        return 0;
}
