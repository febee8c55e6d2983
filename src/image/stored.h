/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <coffer/error.h>

#include "image/blobstore.h"
#include "image/image.h"
#include "image/record.h"
#include "image/refs.h"

/* The images of the store: how one is found, and coffer-unpack asked about it. */

/** stored_listing() - what a manifest or an index names
 * @store:    where coffer-unpack is found, and as whom it runs
 * @fd:       the file, read from its beginning; borrowed
 * @digest:   that it must have, hex; "" when that is not known
 * @platform: which one of an index; "" for this machine's
 * @ret:      filled
 * @err:      words for a failure
 *
 * Return: 0 or a negative errno; -EBADMSG for another digest.
 */
int stored_listing(const struct image_store *store, int fd, const char *digest,
                   const char *platform, struct image_listing *ret, struct coffer_error *err);

/** stored_verify() - whether a small file has a digest
 * @store:  see stored_listing()
 * @fd:     the file, read from its beginning; at most 4 MiB; borrowed
 * @digest: that it must have, hex
 * @err:    words for a failure
 *
 * Return: 0, -EBADMSG, or another negative errno.
 */
int stored_verify(const struct image_store *store, int fd, const char *digest,
                  struct coffer_error *err);

/** stored_describe() - config and layers of an image, for whatever machine it is
 * @store:     see stored_listing()
 * @images_fd: the directory that has blobs/sha256; borrowed
 * @digest:    of its manifest, hex
 * @ret_m:     release with image_manifest_release()
 * @err:       words for a failure
 *
 * Return: 0 or a negative errno.
 */
int stored_describe(const struct image_store *store, int images_fd, const char *digest,
                    struct image_manifest *ret_m, struct coffer_error *err);

/** stored_record() - what is known of an image, made anew where it was lost
 * @store:  the store
 * @digest: of its manifest, hex
 * @ret:    release with image_record_release()
 * @err:    words for a failure
 *
 * Return: 0 or a negative errno.
 */
int stored_record(const struct image_store *store, const char *digest, struct image_record *ret,
                  struct coffer_error *err);

/** stored_find() - by name, or by id
 * @store:      the store
 * @text:       what the user wrote: a name, or four or more digits that an id begins with
 * @ret_ref:    the name; its host is "" when it was found by its id
 * @err:        that it is not there, with a hint, or that it may be two
 *
 * Return: 0, -ENOENT, -ENOTUNIQ, or another negative errno.
 */
int stored_find(const struct image_store *store, const char *text, struct image_ref *ret_ref,
                struct coffer_error *err);
