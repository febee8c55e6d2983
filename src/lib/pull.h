/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/image.h>

#include "image/blobstore.h"
#include "image/contents.h"
#include "image/layers.h"
#include "image/message.h"
#include "image/name.h"
#include "image/refs.h"
#include "lib/handle.h"
#include "registry/config.h"
#include "registry/message.h"

/**
 * struct pulling - a pull under way
 * @store:    where to; its userns_fd is owned
 * @options:  borrowed
 * @name:     what is wanted
 * @config:   about registries
 * @blobs:    owned
 * @layers:   owned
 * @lock_fd:  images/lock, shared; owned
 * @pull_fd:  coffer-pull; owned
 * @archive:  what is fetched from in place of it; NULL for none; borrowed
 * @archive_fd: the same; borrowed
 * @next_id:  of a request
 * @listing:  of the manifest
 * @manifest: of the image
 * @top:      digest that the registry has under the name, hex
 * @err:      of the caller
 */
struct pulling {
        struct image_store store;
        const struct coffer_pull_options *options;
        struct image_name name;
        struct registry_config config;
        struct blobstore blobs;
        struct layers layers;
        int lock_fd;
        int pull_fd;
        const struct contents *archive;
        int archive_fd;
        uint32_t next_id;
        struct image_listing listing;
        struct image_manifest manifest;
        char top[IMAGE_DIGEST_HEX + 1];
        struct coffer_error *err;
};

#define PULL_MANIFEST_BYTES_MAX ((uint64_t)4 * 1024 * 1024)

/** pull_tell() - report progress; fields of @p as they are */
void pull_tell(const struct pulling *p, const struct coffer_pull_progress *progress);

/** pull_layers() - fetch and unpack all layers of @p->manifest; 0 or a negative errno */
int pull_layers(struct pulling *p);

#define PULLING_INIT                                                                      \
        ((struct pulling){                                                                \
                .store = {.userns_fd = -1,     .home_fd = -1     },                                \
                .blobs = {.images_fd = -EBADF, .blobs_fd = -EBADF, .partial_fd = -EBADF}, \
                .layers = {.layers_fd = -EBADF,                   .tmp_fd = -EBADF                  },                        \
                .lock_fd = -EBADF,                                                        \
                .pull_fd = -EBADF,                                                        \
                .archive_fd = -EBADF,                                                     \
        })

/** pull_open() - open the store, and hold what is in it; 0 or a negative errno */
int pull_open(struct coffer_runtime *rt, struct pulling *p);
/** pull_close() - let go of all that @p has; @p itself stays */
void pull_close(struct pulling *p);

/** pull_image() - have all of an image here, but for its record and its name
 * @p:      @p->top, @p->listing and @p->manifest become what it is
 * @tag:    to ask for; "" with a digest
 * @digest: of a manifest or an index, hex; "" when it is not known
 *
 * Return: 0 or a negative errno.
 */
int pull_image(struct pulling *p, const char *tag, const char *digest);

/** pull_record() - note what an image is
 * @p:        where
 * @digest:   of its manifest, hex
 * @manifest: borrowed
 *
 * Return: 0 or a negative errno.
 */
int pull_record(struct pulling *p, const char *digest, const struct image_manifest *manifest);

/** pull_connect() - start coffer-pull for a registry, with what is known about it
 * @program_dir: where it lies
 * @config:      about registries
 * @open:        host, repository and credential filled in
 * @ret_fd:      for client_get()
 * @err:         words
 */
int pull_connect(const char *program_dir, const struct registry_config *config,
                 struct pull_open *open, int *ret_fd, struct coffer_error *err);

/** pull_small() - fetch something that fits into memory
 * @fd:       coffer-pull
 * @get:      what
 * @to_fd:    a file; borrowed; -1 for what has no bytes
 * @told:     is told of retries; may be NULL
 * @err:      words
 */
int pull_small(int fd, struct pull_get *get, int to_fd, const struct pulling *told,
               struct coffer_error *err);
