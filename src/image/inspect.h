/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

#include "image/blobs.h"
#include "image/message.h"

/*
 * What an image is: its config and where its layers lie.  Runs inside coffer-unpack, for all of the
 * JSON is foreign.
 */

#define INSPECT_JSON_MAX  ((size_t)4 * 1024 * 1024)
#define INSPECT_INDEX_MAX 4 /* indexes inside each other */

/** inspect_oci() - of an OCI layout
 * @blobs: its files
 * @tag:   org.opencontainers.image.ref.name to look for; "" when there must be only one image
 * @ret_m: release with image_manifest_release()
 * @err:   words for a failure
 *
 * Return: 0 or a negative errno.
 */
int inspect_oci(const struct blobs *blobs, const char *tag, struct image_manifest *ret_m,
                struct coffer_error *err);

/** inspect_docker() - of what docker save wrote; as inspect_oci()
 * @blobs: its files
 * @tag:   of RepoTags, "name:tag", or an at sign and the position; "" when there is only one
 * @ret_m: release with image_manifest_release()
 * @err:   words for a failure
 */
int inspect_docker(const struct blobs *blobs, const char *tag, struct image_manifest *ret_m,
                   struct coffer_error *err);

/** inspect_config() - read an image's config
 * @data:         JSON
 * @size:         its bytes
 * @ret_config:   release with image_config_release()
 * @ret_diff_ids: appended to: hex, lowest first
 * @err:          names the place
 *
 * Return: 0 or a negative errno.
 */
int inspect_config(const void *data, size_t size, struct image_config *ret_config,
                   struct strv *ret_diff_ids, struct coffer_error *err);

/** inspect_digest() - the hex of "sha256:…", borrowed from @digest; NULL for anything else */
const char *inspect_digest(const char *digest);

/** inspect_listing() - what a manifest or an index names
 * @text:     JSON
 * @size:     its bytes
 * @platform: which one of an index; "" for this machine's
 * @ret:      filled
 * @err:      words for a failure
 *
 * Return: 0 or a negative errno.
 */
int inspect_listing(const char *text, size_t size, const char *platform, struct image_listing *ret,
                    struct coffer_error *err);

/** inspect_stored() - of a manifest in the store; as inspect_oci()
 * @blobs:        its files; layers may be missing
 * @digest:       of the manifest, hex
 * @any_platform: what is for another machine is no error
 * @ret_m:        release with image_manifest_release()
 * @err:          words for a failure
 */
int inspect_stored(const struct blobs *blobs, const char *digest, bool any_platform,
                   struct image_manifest *ret_m, struct coffer_error *err);

/** inspect_contents() - all images of an archive, of either kind, and where its blobs lie
 * @blobs:  its files
 * @answer: appended to: see contents.h
 * @err:    words for a failure
 *
 * A docker-archive has no manifests: they are made up from what is in it.
 *
 * Return: 0 or a negative errno.
 */
int inspect_contents(const struct blobs *blobs, struct buf *answer, struct coffer_error *err);

/** inspect_set_diff_ids() - put diff ids into the layers, which must be as many
 * @m:        its layers get them
 * @diff_ids: hex
 * @err:      says both numbers
 *
 * Return: 0 or -EBADMSG.
 */
int inspect_set_diff_ids(struct image_manifest *m, const struct strv *diff_ids,
                         struct coffer_error *err);
