/* SPDX-License-Identifier: Apache-2.0 */
/* OCI image layouts, with OCI or Docker schema 2 manifests. */
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

static const struct {
        const char *type;
        enum media media;
} media_types[] = {
        {"application/vnd.oci.image.index.v1+json",                      MEDIA_INDEX   },
        {"application/vnd.docker.distribution.manifest.list.v2+json",    MEDIA_INDEX   },
        {"application/vnd.oci.image.manifest.v1+json",                   MEDIA_MANIFEST},
        {"application/vnd.docker.distribution.manifest.v2+json",         MEDIA_MANIFEST},
        {"application/vnd.oci.image.config.v1+json",                     MEDIA_CONFIG  },
        {"application/vnd.docker.container.image.v1+json",               MEDIA_CONFIG  },
        {"application/vnd.oci.image.layer.v1.tar",                       MEDIA_LAYER   },
        {"application/vnd.oci.image.layer.v1.tar+gzip",                  MEDIA_LAYER   },
        {"application/vnd.oci.image.layer.v1.tar+zstd",                  MEDIA_LAYER   },
        {"application/vnd.docker.image.rootfs.diff.tar",                 MEDIA_LAYER   },
        {"application/vnd.docker.image.rootfs.diff.tar.gzip",            MEDIA_LAYER   },
        {"application/vnd.docker.image.rootfs.diff.tar.zstd",            MEDIA_LAYER   },
        {"application/vnd.oci.image.layer.nondistributable.v1.tar",      MEDIA_FOREIGN },
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_FOREIGN },
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_FOREIGN },
        {"application/vnd.docker.image.rootfs.foreign.diff.tar",         MEDIA_FOREIGN },
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",    MEDIA_FOREIGN },
};

int inspect_descriptor(const struct json_value *value, struct descriptor *ret,
                       struct coffer_error *err)
{
        const char *digest = NULL;
        int r;

        r = json_get_string(value, "mediaType", JSON_REQUIRED, &ret->type, err);
        if (r == 0)
                r = json_get_string(value, "digest", JSON_REQUIRED, &digest, err);
        if (r == 0)
                r = json_get_u64(value, "size", JSON_REQUIRED, INT64_MAX, &ret->size, err);
        if (r < 0)
                return r;
        ret->digest = inspect_digest(digest);
        if (!ret->digest)
                return json_say(value, err, "has a digest that is not sha256 in hex");
        for (size_t i = 0; i < ELEMENTS(media_types); i++)
                if (str_eq(media_types[i].type, ret->type)) {
                        ret->media = media_types[i].media;
                        return 0;
                }
        return error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE, "media type '%.100s' is not known",
                         ret->type);
}

int inspect_want(const struct descriptor *d, enum media media, const char *what,
                 struct coffer_error *err)
{
        if (d->media == media)
                return 0;
        if (d->media == MEDIA_FOREIGN)
                return error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE,
                                 "the image has a foreign layer, which is not in the image");
        return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE, "media type '%.100s' is not that of %s",
                         d->type, what);
}

int inspect_blob(const struct blobs *blobs, const struct descriptor *d, struct buf *to,
                 struct coffer_error *err)
{
        char name[sizeof("blobs/sha256/") + IMAGE_DIGEST_HEX];
        char got[IMAGE_DIGEST_HEX + 1];
        int r;

        (void)snprintf(name, sizeof(name), "blobs/sha256/%s", d->digest);
        r = blobs_read(blobs, name, to, err);
        if (r < 0)
                return r;
        r = stream_digest(to->data, to->size, got);
        if (r < 0)
                return error_set(err, r, "hash '%s'", name);
        if (!str_eq(got, d->digest))
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "the digest of a blob is sha256:%s, but should be sha256:%s", got,
                                 d->digest);
        if (to->size != d->size)
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "blob %s has %zu bytes, but should have %llu", d->digest, to->size,
                                 (unsigned long long)d->size);
        return 0;
}

/* Whether the platform is the one or not said; attestations say "unknown". */
bool inspect_fits(const struct json_value *value, const struct platform *want)
{
        struct json_value platform = json_member(value, "platform");
        const char *os = "", *architecture = "", *variant = "";

        if (json_get_string(&platform, "os", JSON_OPTIONAL, &os, NULL) < 0 ||
            json_get_string(&platform, "architecture", JSON_OPTIONAL, &architecture, NULL) < 0 ||
            json_get_string(&platform, "variant", JSON_OPTIONAL, &variant, NULL) < 0)
                return false;
        return platform_fits(want, os, architecture, variant);
}

const char *inspect_annotation(const struct json_value *entry, const char *key)
{
        struct json_value annotations = json_member(entry, "annotations");
        const char *text = "";

        (void)json_get_string(&annotations, key, JSON_OPTIONAL, &text, NULL);
        return text;
}

static const char *ref_name(const struct json_value *entry)
{
        return inspect_annotation(entry, INSPECT_REF_NAME);
}

/* "'a', 'b'" for errors. */
static void list_tags(const struct json_value *manifests, char *to, size_t size)
{
        size_t used = 0;

        to[0] = '\0';
        for (size_t i = 0; i < json_count(manifests) && used < size; i++) {
                struct json_value item = json_item(manifests, i);
                const char *name = ref_name(&item);

                if (name[0] != '\0')
                        used += (size_t)snprintf(to + used, size - used, "%s%.60s",
                                                 used ? ", " : "", name);
        }
}

static int no_such(const struct json_value *manifests, const char *tag, bool found_tag,
                   const struct platform *want, struct coffer_error *err)
{
        char tags[120], platform[PLATFORM_MAX];
        int r;

        if (json_count(manifests) == 0)
                return error_say(err, -ENOENT, COFFER_ERROR_IMAGE, "there is no image in it");
        if (found_tag) {
                platform_format(want, platform);
                return error_say(err, -ENOEXEC, COFFER_ERROR_IMAGE,
                                 "there is no image for %s in it", platform);
        }
        list_tags(manifests, tags, sizeof(tags));
        r = error_say(err, -ENOENT, COFFER_ERROR_USAGE, "there is no image '%.100s' in it", tag);
        if (tags[0] != '\0')
                error_hint(err, "it has: %s", tags);
        return r;
}

/* The one image of an index that has the tag, if one is wanted, and fits this machine. */
int inspect_choose(const struct json_value *index, const char *tag, bool first_fits,
                   const struct platform *want, struct descriptor *ret, struct coffer_error *err)
{
        struct json_value manifests = json_member(index, "manifests");
        bool found = false, found_tag = tag[0] == '\0';
        char tags[120];
        int r = json_want_array(&manifests, JSON_REQUIRED, err);

        for (size_t i = 0; r == 0 && i < json_count(&manifests); i++) {
                struct json_value item = json_item(&manifests, i);
                struct descriptor d = {0};

                if (tag[0] != '\0' && !str_eq(ref_name(&item), tag))
                        continue;
                found_tag = true;
                if (!inspect_fits(&item, want))
                        continue;
                r = inspect_descriptor(&item, &d, err);
                if (r < 0)
                        return r;
                if (found && !str_eq(d.digest, ret->digest)) {
                        list_tags(&manifests, tags, sizeof(tags));
                        r = error_say(err, -ENOTUNIQ, COFFER_ERROR_USAGE,
                                      "there is more than one image in it");
                        error_hint(err, "add a colon and one of: %s", tags);
                        return r;
                }
                *ret = d;
                found = true;
                if (first_fits)
                        break;
        }
        if (r < 0)
                return r;
        return found ? 0 : no_such(&manifests, tag, found_tag, want, err);
}

/* CVE-2021-41190: a document that two readers could take for two different things. */
int inspect_check_kind(const struct json_value *doc, const struct descriptor *d,
                       struct coffer_error *err)
{
        const char *other[] = {d->media == MEDIA_INDEX ? "layers" : "manifests",
                               d->media == MEDIA_INDEX ? "config" : "fsLayers"};
        const char *type = d->type;
        uint64_t version = 2;
        int r = json_get_string(doc, "mediaType", JSON_OPTIONAL, &type, err);

        if (r == 0)
                r = json_get_u64(doc, "schemaVersion", JSON_OPTIONAL, 2, &version, err);
        if (r < 0)
                return r;
        if (version != 2)
                return error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE,
                                 "schema version %llu is not supported",
                                 (unsigned long long)version);
        if (!str_eq(type, d->type))
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "a manifest calls itself '%.100s', its index '%.100s'", type,
                                 d->type);
        for (size_t i = 0; i < ELEMENTS(other); i++) {
                struct json_value value = json_member(doc, other[i]);

                if (json_has(&value))
                        return json_say(&value, err, "has no place in such a manifest");
        }
        return 0;
}

static int read_layer(const struct blobs *blobs, const struct json_value *value,
                      struct image_layer *ret, struct coffer_error *err)
{
        char name[sizeof("blobs/sha256/") + IMAGE_DIGEST_HEX];
        struct descriptor d = {0};
        int r;

        r = inspect_descriptor(value, &d, err);
        if (r == 0)
                r = inspect_want(&d, MEDIA_LAYER, "a layer", err);
        if (r < 0)
                return r;
        (void)str_copy(ret->blob, sizeof(ret->blob), d.digest);
        if (blobs->incomplete) {
                ret->size = d.size;
                return 0;
        }
        (void)snprintf(name, sizeof(name), "blobs/sha256/%s", d.digest);
        r = blobs_find(blobs, name, &ret->offset, &ret->size);
        if (r == 0)
                return error_say(err, -ENOENT, COFFER_ERROR_IMAGE, "layer sha256:%s is missing",
                                 d.digest);
        if (r < 0)
                return error_set(err, r, "find layer sha256:%s", d.digest);
        if (ret->size != d.size)
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "layer sha256:%s has %llu bytes, but should have %llu", d.digest,
                                 (unsigned long long)ret->size, (unsigned long long)d.size);
        return 0;
}

static int read_layers(const struct blobs *blobs, const struct json_value *manifest,
                       struct image_manifest *m, struct coffer_error *err)
{
        struct json_value layers = json_member(manifest, "layers");
        size_t count = json_count(&layers);
        int r = json_want_array(&layers, JSON_REQUIRED, err);

        if (r < 0 || count == 0)
                return r;
        if (count > IMAGE_LAYERS_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "the image has %zu layers (at most %d)", count, IMAGE_LAYERS_MAX);
        m->layers = calloc(count, sizeof(*m->layers));
        if (!m->layers)
                return error_set(err, -ENOMEM, "read the layers");
        m->layer_count = count;
        for (size_t i = 0; r == 0 && i < count; i++) {
                struct json_value value = json_item(&layers, i);

                r = read_layer(blobs, &value, &m->layers[i], err);
        }
        return r;
}

int inspect_manifest(const struct blobs *blobs, const struct json_value *manifest,
                     bool any_platform, struct image_manifest *m, struct coffer_error *err)
{
        struct json_value value = json_member(manifest, "config");
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        struct strv diff_ids = {0};
        struct descriptor config = {0};
        int r;

        r = read_layers(blobs, manifest, m, err);
        if (r == 0)
                r = inspect_descriptor(&value, &config, err);
        if (r == 0)
                r = inspect_want(&config, MEDIA_CONFIG, "a config", err);
        if (r == 0)
                r = inspect_blob(blobs, &config, &text, err);
        if (r == 0) {
                r = inspect_config(text.data, text.size, &m->config, &diff_ids, err);
                if (r < 0)
                        (void)error_wrap(err, r, "config of the image");
        }
        if (r == 0)
                r = inspect_set_diff_ids(m, &diff_ids, err);
        if (r == 0 && !any_platform)
                r = inspect_check_platform(&m->config, err);
        if (r == 0)
                r = str_copy(m->id, sizeof(m->id), config.digest);
        strv_release(&diff_ids);
        buf_release(&text);
        return r;
}

/* Follows an index, or reads a manifest; depth counts the indexes. */
static int follow(const struct blobs *blobs, const struct descriptor *d, unsigned depth,
                  struct image_manifest *m, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        const struct platform here = platform_host();
        struct descriptor next = {0};
        struct json_value root;
        int r;

        if (d->media != MEDIA_INDEX && d->media != MEDIA_MANIFEST)
                return inspect_want(d, MEDIA_MANIFEST, "a manifest", err);
        if (depth > INSPECT_INDEX_MAX)
                return error_say(err, -ELOOP, COFFER_ERROR_IMAGE,
                                 "more than %d indexes lie inside each other", INSPECT_INDEX_MAX);
        r = inspect_blob(blobs, d, &text, err);
        if (r == 0)
                r = json_parse(text.data, text.size, NULL, &doc, err);
        buf_release(&text);
        if (r < 0)
                return r;

        root = json_root(doc);
        r = inspect_check_kind(&root, d, err);
        if (r < 0)
                return r;
        if (d->media == MEDIA_MANIFEST)
                return inspect_manifest(blobs, &root, false, m, err);
        r = inspect_choose(&root, "", true, &here, &next, err);
        return r < 0 ? r : follow(blobs, &next, depth + 1, m, err);
}

int inspect_layout(const struct blobs *blobs, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct buf text = BUF_INIT(4096);
        const char *version = NULL;
        struct json_value root;
        int r;

        r = blobs_read(blobs, "oci-layout", &text, NULL);
        if (r == -ENOENT)
                (void)error_say(err, r, COFFER_ERROR_IMAGE,
                                "it has no file 'oci-layout', so it is no OCI image");
        else if (r < 0)
                (void)error_set(err, r, "read 'oci-layout'");
        else
                r = json_parse(text.data, text.size, NULL, &doc, err);
        buf_release(&text);
        if (r < 0)
                return r;
        root = json_root(doc);
        r = json_get_string(&root, "imageLayoutVersion", JSON_REQUIRED, &version, err);
        if (r == 0 && !str_after(version, "1."))
                r = error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE,
                              "layout version '%.20s' is not supported", version);
        return r;
}

int inspect_oci(const struct blobs *blobs, const char *tag, struct image_manifest *ret_m,
                struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        const struct platform here = platform_host();
        struct image_manifest m = {0};
        struct descriptor d = {0};
        struct json_value root;
        int r;

        r = inspect_layout(blobs, err);
        if (r == 0)
                r = blobs_read(blobs, "index.json", &text, err);
        if (r == 0) {
                r = json_parse(text.data, text.size, NULL, &doc, err);
                if (r < 0)
                        (void)error_wrap(err, r, "index.json");
        }
        buf_release(&text);
        if (r < 0)
                return r;

        root = json_root(doc);
        r = inspect_choose(&root, tag, false, &here, &d, err);
        if (r == 0)
                r = follow(blobs, &d, 1, &m, err);
        if (r < 0) {
                image_manifest_release(&m);
                return r;
        }
        *ret_m = m;
        return 0;
}
