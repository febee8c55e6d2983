/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes by themselves, as they come from a registry and as the store keeps them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "image/inspect-parts.h"
#include "image/inspect.h"
#include "image/stream.h"

/* Bare of an index that says it, a document tells its kind by itself, or by what is in it. */
static int kind_of(const struct json_value *doc, struct descriptor *ret, struct coffer_error *err)
{
        struct json_value manifests = json_member(doc, "manifests");
        struct json_value layers = json_member(doc, "layers");
        struct json_value old = json_member(doc, "fsLayers");
        int r = json_want_object(doc, JSON_REQUIRED, err);

        ret->type = json_has(&manifests) ? "application/vnd.oci.image.index.v1+json"
                                         : "application/vnd.oci.image.manifest.v1+json";
        ret->media = json_has(&manifests) ? MEDIA_INDEX : MEDIA_MANIFEST;
        if (r == 0)
                r = json_get_string(doc, "mediaType", JSON_OPTIONAL, &ret->type, err);
        if (r < 0)
                return r;
        if (json_has(&old))
                return error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE,
                                 "a manifest of schema version 1 is not supported");
        if (!json_has(&manifests) && !json_has(&layers))
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "this is neither a manifest nor an index");
        return inspect_check_kind(doc, ret, err);
}

static int take_blob(const struct descriptor *d, struct image_blob *ret)
{
        ret->size = d->size;
        return str_copy(ret->digest, sizeof(ret->digest), d->digest);
}

static int list_layers(const struct json_value *doc, struct image_listing *ret,
                       struct coffer_error *err)
{
        struct json_value layers = json_member(doc, "layers");
        size_t count = json_count(&layers);
        int r = json_want_array(&layers, JSON_REQUIRED, err);

        if (r == 0 && count > IMAGE_LAYERS_MAX)
                r = error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                              "the image has %zu layers (at most %d)", count, IMAGE_LAYERS_MAX);
        for (size_t i = 0; r == 0 && i < count; i++) {
                struct json_value item = json_item(&layers, i);
                struct descriptor d = {0};

                r = inspect_descriptor(&item, &d, err);
                if (r == 0)
                        r = inspect_want(&d, MEDIA_LAYER, "a layer", err);
                if (r == 0)
                        r = take_blob(&d, &ret->layers[ret->count++]);
        }
        return r;
}

static int list_manifest(const struct json_value *doc, struct image_listing *ret,
                         struct coffer_error *err)
{
        struct json_value config = json_member(doc, "config");
        struct descriptor d = {0};
        int r = inspect_descriptor(&config, &d, err);

        if (r == 0)
                r = inspect_want(&d, MEDIA_CONFIG, "a config", err);
        if (r == 0)
                r = take_blob(&d, &ret->first);
        return r < 0 ? r : list_layers(doc, ret, err);
}

int inspect_listing(const char *text, size_t size, const char *platform, struct image_listing *ret,
                    struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct descriptor kind = {0}, next = {0};
        struct platform want;
        struct json_value root;
        int r = platform_parse(platform, &want, err);

        memset(ret, 0, sizeof(*ret));
        if (r == 0)
                r = json_parse(text, size, NULL, &doc, err);
        if (r < 0)
                return r;
        root = json_root(doc);
        r = kind_of(&root, &kind, err);
        ret->docker = r == 0 && str_after(kind.type, "application/vnd.docker.");
        if (r == 0 && kind.media == MEDIA_INDEX) {
                ret->index = 1;
                r = inspect_choose(&root, "", true, &want, &next, err);
                if (r == 0 && next.media != MEDIA_INDEX && next.media != MEDIA_MANIFEST)
                        r = inspect_want(&next, MEDIA_MANIFEST, "a manifest", err);
                if (r == 0)
                        r = take_blob(&next, &ret->first);
        } else if (r == 0)
                r = list_manifest(&root, ret, err);
        if (r == 0) {
                r = stream_digest(text, size, ret->digest);
                if (r < 0)
                        (void)error_set(err, r, "hash the manifest");
        }
        return r;
}

static int read_stored(const struct blobs *blobs, const char *digest, struct buf *to,
                       struct coffer_error *err)
{
        char name[sizeof("blobs/sha256/") + IMAGE_DIGEST_HEX], got[IMAGE_DIGEST_HEX + 1];
        int r;

        (void)snprintf(name, sizeof(name), "blobs/sha256/%s", digest);
        r = blobs_read(blobs, name, to, err);
        if (r == 0)
                r = stream_digest(to->data ? to->data : "", to->size, got);
        if (r == 0 && !str_eq(got, digest))
                r = error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                              "the manifest's digest is sha256:%s, but should be sha256:%s", got,
                              digest);
        return r;
}

int inspect_stored(const struct blobs *blobs, const char *digest, bool any_platform,
                   struct image_manifest *ret_m, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        struct image_manifest m = {0};
        struct descriptor kind = {0};
        struct json_value root;
        int r = read_stored(blobs, digest, &text, err);

        if (r == 0)
                r = json_parse(text.data, text.size, NULL, &doc, err);
        buf_release(&text);
        if (r < 0)
                return r;
        root = json_root(doc);
        r = kind_of(&root, &kind, err);
        if (r == 0)
                r = inspect_want(&kind, MEDIA_MANIFEST, "a manifest", err);
        if (r == 0)
                r = inspect_manifest(blobs, &root, any_platform, &m, err);
        if (r < 0) {
                image_manifest_release(&m);
                return r;
        }
        *ret_m = m;
        return 0;
}
