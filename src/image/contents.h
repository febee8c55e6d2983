/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "image/image.h"
#include "image/message.h"

/*
 * What is in an archive of images: its names, and where in it each blob lies, so that an archive
 * can be fetched from as a registry is.  The list comes from coffer-unpack and is not believed: who
 * copies a blob out compares its digest afterwards.
 */

#define CONTENTS_IMAGES_MAX 256  /* names, and images without one */
#define CONTENTS_BLOBS_MAX  8192 /* a little less than an answer has room for */
#define CONTENTS_NAME_MAX   760  /* what a name may have, and some more */

/**
 * struct contents_header - how the answer to UNPACK_CONTENTS begins
 * @images: so many struct contents_image follow
 * @blobs:  and then so many struct contents_blob
 * @bytes:  and then so many bytes of manifests that are not in the archive
 */
struct contents_header {
        uint32_t images;
        uint32_t blobs;
        uint64_t bytes;
};

/**
 * struct contents_image - one name of an image
 * @top:  digest of its manifest, or of an index, hex
 * @name: as the archive has it; "" for none
 */
struct contents_image {
        char top[IMAGE_DIGEST_HEX + 1];
        char name[CONTENTS_NAME_MAX];
};

/**
 * struct contents_blob - where a blob is
 * @digest: as it is called, hex
 * @made:   1: at @offset of the bytes that end the answer, 0: of the archive
 * @offset: in bytes
 * @size:   likewise
 */
struct contents_blob {
        char digest[IMAGE_DIGEST_HEX + 1];
        uint8_t made;
        uint64_t offset;
        uint64_t size;
};

/**
 * struct contents - the answer, checked
 * @answer: owned
 * @images: in @answer
 * @blobs:  likewise
 * @made:   likewise
 * @header: how many
 */
struct contents {
        struct buf answer;
        const struct contents_image *images;
        const struct contents_blob *blobs;
        const char *made;
        struct contents_header header;
};

/** contents_read() - ask coffer-unpack what is in an archive
 * @store:      where it is found, and as whom it runs
 * @archive_fd: a seekable file, not compressed as a whole; borrowed
 * @ret:        contents_release()
 * @err:        words for a failure
 *
 * Return: 0 or a negative errno.
 */
int contents_read(const struct image_store *store, int archive_fd, struct contents *ret,
                  struct coffer_error *err);
void contents_release(struct contents *c);

/** contents_check() - doubt an answer
 * @c: its answer is filled; the rest is filled in
 *
 * Return: 0 or -EBADMSG.
 */
int contents_check(struct contents *c);

/** contents_copy() - copy a blob out of an archive
 * @c:          what is in it
 * @archive_fd: the archive; borrowed
 * @digest:     of the blob, hex; it is not compared
 * @size:       it must have; UINT64_MAX: any up to @max
 * @max:        of bytes
 * @to_fd:      written to where it stands; borrowed
 * @err:        words for a failure
 *
 * Return: 0 or a negative errno.
 */
int contents_copy(const struct contents *c, int archive_fd, const char *digest, uint64_t size,
                  uint64_t max, int to_fd, struct coffer_error *err);

/** contents_spool() - decompress a stream into a file, and learn its digests
 * @store:   as contents_read()
 * @fd:      read on from where it stands; borrowed
 * @to_fd:   written to; -1: nothing is kept; borrowed
 * @ret:     filled
 * @err:     words for a failure
 *
 * Return: 0 or a negative errno.
 */
int contents_spool(const struct image_store *store, int fd, int to_fd, struct unpack_sums *ret,
                   struct coffer_error *err);
