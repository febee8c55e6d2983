/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "image/image.h"

/*
 * What is said between a client and coffer-unpack: one request, one answer, over a socket pair.
 * Both are of one build.  The client trusts no answer: the program has read foreign bytes.
 */

#define UNPACK_FD_SOCKET 3
#define UNPACK_FD_SOURCE 4
#define UNPACK_FD_TARGET 5
#define UNPACK_FD_USERNS 6

#define UNPACK_TEXT_MAX     512
#define UNPACK_PLATFORM_MAX 64
#define UNPACK_MAGIC        0x32756663U /* "cfu2" */

#define UNPACK_ANY_PLATFORM 1u /* describe what is for another machine, too */

/* The largest answer: a config and its layers. */
#define UNPACK_ANSWER_MAX ((size_t)1024 * 1024)

/**
 * enum unpack_job - what coffer-unpack is asked to do
 * @UNPACK_OCI_DIR:     describe an image in the layout directory UNPACK_FD_SOURCE
 * @UNPACK_OCI_ARCHIVE: describe an image in the archive UNPACK_FD_SOURCE
 * @UNPACK_DOCKER:      the same for docker save
 * @UNPACK_LAYER:       unpack a range of UNPACK_FD_SOURCE beneath UNPACK_FD_TARGET, and sync
 * @UNPACK_COPY:        unpack the tar stream UNPACK_FD_SOURCE beneath UNPACK_FD_TARGET
 * @UNPACK_REMOVE:      remove everything beneath UNPACK_FD_TARGET
 * @UNPACK_MANIFEST:    list what the index or manifest in the file UNPACK_FD_SOURCE names
 * @UNPACK_STORED:      describe the image whose manifest text names in the directory
 *                      UNPACK_FD_SOURCE, where its layers may still be missing
 * @UNPACK_VERIFY:      whether the small file UNPACK_FD_SOURCE has the digest in blob
 * @UNPACK_CONTENTS:    list the images and blobs of the archive UNPACK_FD_SOURCE (contents.h)
 * @UNPACK_SPOOL:       decompress UNPACK_FD_SOURCE, from where it stands, into UNPACK_FD_TARGET
 */
enum unpack_job {
        UNPACK_OCI_DIR = 1,
        UNPACK_OCI_ARCHIVE,
        UNPACK_DOCKER,
        UNPACK_LAYER,
        UNPACK_COPY,
        UNPACK_REMOVE,
        UNPACK_MANIFEST,
        UNPACK_STORED,
        UNPACK_VERIFY,
        UNPACK_CONTENTS,
        UNPACK_SPOOL
};

/**
 * struct unpack_request - the request, as it is sent
 * @magic:     UNPACK_MAGIC
 * @job:       enum unpack_job
 * @ownership: enum image_ownership; with IMAGE_OWN_CALLER UNPACK_FD_USERNS is not used
 * @flags:     of UNPACK_COPY: enum image_copy_flags; of UNPACK_STORED: UNPACK_ANY_PLATFORM
 * @offset:    of UNPACK_LAYER: where in the source
 * @size:      of UNPACK_LAYER: bytes
 * @blob:      of UNPACK_LAYER: digest in hex, or ""
 * @diff_id:   of UNPACK_LAYER: in hex
 * @text:      the tag to look for, what the first component is renamed to, or the digest of a
 *             manifest in hex; "" for none
 * @platform:  of UNPACK_MANIFEST: which one of an index; "" for this machine's
 */
struct unpack_request {
        uint32_t magic;
        uint32_t job;
        uint32_t ownership;
        uint32_t flags;
        uint64_t offset;
        uint64_t size;
        char blob[IMAGE_DIGEST_HEX + 1];
        char diff_id[IMAGE_DIGEST_HEX + 1];
        char text[UNPACK_TEXT_MAX];
        char platform[UNPACK_PLATFORM_MAX];
};

/**
 * struct unpack_header - what comes before an answer's bytes
 * @magic: UNPACK_MAGIC
 * @code:  0, or a negative errno: then a struct coffer_error follows
 * @size:  bytes that follow, at most UNPACK_ANSWER_MAX
 */
struct unpack_header {
        uint32_t magic;
        int32_t code;
        uint32_t size;
};

/** struct unpack_done - the answer to UNPACK_LAYER, _COPY, _REMOVE and _VERIFY */
struct unpack_done {
        uint64_t entries;
        uint64_t bytes;
        uint64_t skipped;
        uint64_t dropped;
};

/** enum image_form - how bytes are compressed, by what they begin with */
enum image_form { IMAGE_FORM_PLAIN, IMAGE_FORM_GZIP, IMAGE_FORM_ZSTD, IMAGE_FORMS };

/* What is written for images that no registry has made. */
#define IMAGE_MEDIA_INDEX           "application/vnd.oci.image.index.v1+json"
#define IMAGE_MEDIA_MANIFEST        "application/vnd.oci.image.manifest.v1+json"
#define IMAGE_MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define IMAGE_MEDIA_CONFIG          "application/vnd.oci.image.config.v1+json"

/** image_layer_media() - the media type of a layer of that form */
const char *image_layer_media(enum image_form form);

/**
 * struct unpack_sums - the answer to UNPACK_SPOOL
 * @blob:         SHA-256 of the stored bytes, hex
 * @diff_id:      SHA-256 of what they decompress to, hex
 * @form:         enum image_form
 * @stored_bytes: how many
 * @bytes:        of what they decompress to
 */
struct unpack_sums {
        char blob[IMAGE_DIGEST_HEX + 1];
        char diff_id[IMAGE_DIGEST_HEX + 1];
        uint32_t form;
        uint64_t stored_bytes;
        uint64_t bytes;
};

/**
 * struct image_blob - something that a manifest names
 * @digest: SHA-256, hex
 * @size:   in bytes
 */
struct image_blob {
        char digest[IMAGE_DIGEST_HEX + 1];
        uint64_t size;
};

/**
 * struct image_listing - the answer to UNPACK_MANIFEST
 * @digest: SHA-256 of the file, hex
 * @index:  it is an index, and @first the manifest, or a further index, to go on with
 * @first:  else the config
 * @count:  of layers, at most IMAGE_LAYERS_MAX; 0 for an index
 * @docker: 1: its media type is Docker's (schema 2), 0: OCI's
 * @layers: lowest first
 */
struct image_listing {
        char digest[IMAGE_DIGEST_HEX + 1];
        uint32_t index;
        uint32_t count;
        uint32_t docker;
        struct image_blob first;
        struct image_blob layers[IMAGE_LAYERS_MAX];
};

/** image_listing_check() - doubt one; 0 or -EBADMSG */
int image_listing_check(const struct image_listing *l);

/**
 * struct image_layer - where a layer's bytes are
 * @diff_id: SHA-256 of its tar, hex
 * @blob:    SHA-256 of the stored bytes, hex, which is also its name in a layout; "" in
 *           docker-archives, which do not say it
 * @offset:  in an archive
 * @size:    stored bytes
 */
struct image_layer {
        char diff_id[IMAGE_DIGEST_HEX + 1];
        char blob[IMAGE_DIGEST_HEX + 1];
        uint64_t offset;
        uint64_t size;
};

/**
 * struct image_manifest - the answer to the three jobs that describe an image
 * @id:          SHA-256 of the config, hex
 * @layers:      lowest first
 * @layer_count: at most IMAGE_LAYERS_MAX
 * @config:      what the image asks for
 */
struct image_manifest {
        char id[IMAGE_DIGEST_HEX + 1];
        struct image_layer *layers; /* owned */
        size_t layer_count;
        struct image_config config;
};

void image_manifest_release(struct image_manifest *m);

/** image_is_digest() - whether @hex is exactly IMAGE_DIGEST_HEX lower-case hex digits */
bool image_is_digest(const char *hex);

/** message_encode() - append @m to @to
 * @m:  what to say
 * @to: where; its max_bytes bounds the answer
 *
 * Return: 0, -E2BIG or -ENOMEM.
 */
int message_encode(const struct image_manifest *m, struct buf *to);

/** message_decode() - read what message_encode() wrote, believing nothing
 * @data:  the bytes
 * @size:  how many
 * @ret_m: release with image_manifest_release()
 *
 * Return: 0, -EBADMSG or -ENOMEM.
 */
int message_decode(const void *data, size_t size, struct image_manifest *ret_m);
