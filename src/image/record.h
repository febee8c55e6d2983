/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "image/message.h"

/*
 * images/records/MANIFEST: what coffer-unpack said of an image, so that a box can be made without
 * asking it again.  It may be lost: the blobs say the same.
 */

/**
 * struct image_record - an image of the store
 * @digest:     of its manifest, hex
 * @stored_ns:  when it came
 * @size:       bytes of its layers, as they are stored
 * @manifest:   the rest
 */
struct image_record {
        char digest[IMAGE_DIGEST_HEX + 1];
        uint64_t stored_ns;
        uint64_t size;
        struct image_manifest manifest;
};

void image_record_release(struct image_record *r);

/** record_write() - on disk before it returns; 0 or a negative errno */
int record_write(int home_fd, const struct image_record *record);

/** record_read() - 0; -ENOENT; -EBADMSG when it is of another version or damaged; or others */
int record_read(int home_fd, const char *digest, struct image_record *ret);

/** record_remove() - 0 or a negative errno */
int record_remove(int home_fd, const char *digest);

/** record_list() - the digests of all; 0 or a negative errno */
int record_list(int home_fd, struct strv *ret_digests);
