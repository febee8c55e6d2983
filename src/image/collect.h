/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "image/image.h"

/** collect_garbage() - remove blobs and layers that no image of the store has
 * @store:     the store; images/lock must be held exclusively
 * @used:      layers that boxes have, diff ids in hex
 * @only:      look at these blobs and layers alone, in hex; NULL: at all, and at what pulls have
 * left
 * @ret_bytes: how much space that was, about; may be NULL
 * @err:       words
 *
 * What was moved away is removed by layers_sweep(), once the lock is given back.
 *
 * Return: 0 or a negative errno; nothing is removed when an image cannot be read.
 */
int collect_garbage(const struct image_store *store, const struct strv *used,
                    const struct strv *only, uint64_t *ret_bytes, struct coffer_error *err);

/**
 * struct collect_usage - what the store takes on disk, about
 * @bytes:       blobs, layers and what pulls have left
 * @reclaimable: of these, what would go with the images that no box was made from
 */
struct collect_usage {
        uint64_t bytes;
        uint64_t reclaimable;
};

/** collect_measure() - how much there is, and how much of it collect_garbage() would remove
 * @store: the store; no lock is needed
 * @used:  layers that boxes have, diff ids in hex
 * @ids:   of the images that stay, hex or "sha256:…"; the others count as removed
 * @ret:   filled
 * @err:   words
 *
 * Return: 0 or a negative errno.
 */
int collect_measure(const struct image_store *store, const struct strv *used,
                    const struct strv *ids, struct collect_usage *ret, struct coffer_error *err);
