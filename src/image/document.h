/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

#include "base/buf.h"
#include "image/image.h"
#include "image/message.h"

/* Documents for images that no registry has made, or not in the form that is wanted. */

#define DOCUMENT_MAX ((size_t)4 * 1024 * 1024)

/**
 * struct document_layer - a layer as it is stored
 * @blob: its digest and size
 * @form: how it is compressed
 */
struct document_layer {
        struct image_blob blob;
        enum image_form form;
};

/** document_manifest() - append an OCI manifest
 * @to:     where
 * @config: digest and size
 * @layers: lowest first
 * @count:  of them
 *
 * The same image gives the same bytes.
 *
 * Return: 0, -E2BIG or -ENOMEM.
 */
int document_manifest(struct buf *to, const struct image_blob *config,
                      const struct document_layer *layers, size_t count);

/** document_form() - how a stored layer is compressed, by its first bytes; plain for all else
 * @fd: the layer; borrowed
 */
enum image_form document_form(int fd);

/** document_digest() - have coffer-unpack hash a document of ours
 * @store:   where it is found, and as whom it runs
 * @text:    the document
 * @ret_hex: IMAGE_DIGEST_HEX + 1 bytes
 * @err:     words
 *
 * Return: 0 or a negative errno.
 */
int document_digest(const struct image_store *store, const struct buf *text, char *ret_hex,
                    struct coffer_error *err);
