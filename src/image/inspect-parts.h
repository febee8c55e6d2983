/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the readers of OCI manifests share, whether these lie in a layout or in the store. */

#include <stdbool.h>

#include "base/json.h"
#include "image/blobs.h"
#include "image/message.h"
#include "image/platform.h"

#define INSPECT_REF_NAME "org.opencontainers.image.ref.name"

enum media { MEDIA_INDEX, MEDIA_MANIFEST, MEDIA_CONFIG, MEDIA_LAYER, MEDIA_FOREIGN };

/**
 * struct descriptor - a reference to a blob
 * @media:  what it is
 * @type:   the same in the document's words; borrowed from it
 * @digest: hex; likewise
 * @size:   in bytes
 */
struct descriptor {
        enum media media;
        const char *type;
        const char *digest;
        uint64_t size;
};

/** inspect_descriptor() - read one */
int inspect_descriptor(const struct json_value *value, struct descriptor *ret,
                       struct coffer_error *err);

/** inspect_want() - 0 when it is a @media, which errors call @what */
int inspect_want(const struct descriptor *d, enum media media, const char *what,
                 struct coffer_error *err);

/** inspect_blob() - append a whole blob, of the digest and size that it should have */
int inspect_blob(const struct blobs *blobs, const struct descriptor *d, struct buf *to,
                 struct coffer_error *err);

/** inspect_check_kind() - refuse a document that two readers could take for two things */
int inspect_check_kind(const struct json_value *doc, const struct descriptor *d,
                       struct coffer_error *err);

/** inspect_choose() - the one image of an index that has the tag, if one is wanted, and fits
 * @index:      the document
 * @tag:        "" for none
 * @first_fits: take the first of several, else they are an error
 * @want:       for which machine
 * @ret:        its strings are borrowed from the document
 * @err:        what there is instead
 */
int inspect_choose(const struct json_value *index, const char *tag, bool first_fits,
                   const struct platform *want, struct descriptor *ret, struct coffer_error *err);

/** inspect_layout() - whether it says that it is an OCI layout, of a version that we know */
int inspect_layout(const struct blobs *blobs, struct coffer_error *err);

/** inspect_fits() - whether an index's entry is for a machine, or does not say for which */
bool inspect_fits(const struct json_value *entry, const struct platform *want);

/** inspect_annotation() - of an index's entry; "" for none, borrowed from the document */
const char *inspect_annotation(const struct json_value *entry, const char *key);

/** inspect_docker_list() - the array of manifest.json
 * @blobs:   its files
 * @ret_doc: json_drop()
 * @err:     words
 */
int inspect_docker_list(const struct blobs *blobs, struct json_t **ret_doc,
                        struct coffer_error *err);

/** inspect_docker_image() - one of its items
 * @blobs:        its files
 * @image:        the item
 * @any_platform: what is for another machine is no error
 * @m:            filled; released by the caller, also after a failure
 * @err:          words
 */
int inspect_docker_image(const struct blobs *blobs, const struct json_value *image,
                         bool any_platform, struct image_manifest *m, struct coffer_error *err);

/** inspect_manifest() - config and layers
 * @blobs:        its files
 * @manifest:     the document
 * @any_platform: what is for another machine is no error
 * @m:            filled; released by the caller, also after a failure
 * @err:          words
 */
int inspect_manifest(const struct blobs *blobs, const struct json_value *manifest,
                     bool any_platform, struct image_manifest *m, struct coffer_error *err);

/** inspect_check_platform() - 0 when this machine can run it, else -ENOEXEC */
int inspect_check_platform(const struct image_config *config, struct coffer_error *err);
