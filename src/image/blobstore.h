/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "image/message.h"

/*
 * What the store keeps of images as their registries have it:
 *
 *     images/lock               shared by who fetches or uses, exclusive for who throws away
 *     images/blobs/sha256/HEX   manifests, configs and compressed layers, whole and verified
 *     images/blobs/partial/HEX  one that is being fetched, locked (flock) by who does; unlocked:
 *                               as far as somebody got who was killed, to be gone on with
 */

/**
 * struct blobstore - its directories
 * @images_fd:  images; owned
 * @blobs_fd:   images/blobs/sha256; owned
 * @partial_fd: images/blobs/partial; owned
 */
struct blobstore {
        int images_fd;
        int blobs_fd;
        int partial_fd;
};

/** blobstore_open() - open them, making what is missing; close with blobstore_close() */
int blobstore_open(int home_fd, struct blobstore *ret, struct coffer_error *err);
void blobstore_close(struct blobstore *b);

/** blobstore_lock() - take images/lock, making it when it is missing
 * @b:         where
 * @exclusive: nobody else may have it; then it is not waited for
 * @ret_fd:    holds it until it is closed
 *
 * Return: 0, -EAGAIN, or another negative errno.
 */
int blobstore_lock(const struct blobstore *b, bool exclusive, int *ret_fd);

/** blobstore_has() - whether a blob is there
 * @b:      where
 * @digest: hex
 * @size:   it must have; UINT64_MAX: any
 */
bool blobstore_has(const struct blobstore *b, const char *digest, uint64_t size);

/** blobstore_read() - open a blob for reading; a descriptor or a negative errno */
int blobstore_read(const struct blobstore *b, const char *digest);

/** blobstore_begin() - become the one who fetches a blob
 * @b:      where
 * @digest: hex
 * @size:   of the whole blob
 * @wait:   until somebody else who fetches it is done
 * @ret_fd: the partial file, locked, for reading and writing
 *
 * Return: 1 with *@ret_fd; 0 when the blob is there; -EAGAIN when somebody else fetches it and
 * @wait is false; or another negative errno.
 */
int blobstore_begin(const struct blobstore *b, const char *digest, uint64_t size, bool wait,
                    int *ret_fd);

/** blobstore_reopen() - the partial file for reading, without the lock */
int blobstore_reopen(const struct blobstore *b, const char *digest);

/** blobstore_commit() - the partial file, whole and verified, becomes the blob; 0 or -errno */
int blobstore_commit(const struct blobstore *b, const char *digest);

/** blobstore_drop() - remove the partial file, whose lock is held */
void blobstore_drop(const struct blobstore *b, const char *digest);

/** blobstore_put() - keep something small, on disk before it returns; 0 or a negative errno */
int blobstore_put(const struct blobstore *b, const char *digest, const void *data, size_t size);
