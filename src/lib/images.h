/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buf.h"
#include "image/collect.h"
#include "image/image.h"
#include "lib/handle.h"

/* The image store of a home, for what boxes are made from and what is pulled. */

/**
 * images_open() - the store, in the user namespace that its files belong to
 * @rt:        the home
 * @ret_store: close with images_close()
 * @err:       words
 *
 * Files of the store belong to one range of ids that no box has; a user's to his own map.
 *
 * Return: 0 or a negative errno.
 */
int images_open(struct coffer_runtime *rt, struct image_store *ret_store, struct coffer_error *err);
void images_close(struct image_store *store);

/** images_spool() - a file of the home without a name, for what must not be kept in memory
 * @images_fd: images; borrowed
 * @ret_fd:    gone when it is closed
 *
 * Return: 0 or a negative errno.
 */
int images_spool(int images_fd, int *ret_fd);

/** images_emit_config() - what an image asks for, as a member of JSON with Docker's names */
void images_emit_config(struct buf *to, const char *key, const struct image_config *config);

/** images_usage() - what the images take on disk, and what pruning all would free
 * @rt:         the home
 * @ret_count:  how many there are
 * @ret_active: how many of them boxes were made from
 * @ret:        bytes
 * @err:        words
 *
 * Return: 0 or a negative errno.
 */
int images_usage(struct coffer_runtime *rt, uint32_t *ret_count, uint32_t *ret_active,
                 struct collect_usage *ret, struct coffer_error *err);

/** images_hold() - nothing of the store is thrown away until *@ret_fd is closed */
int images_hold(const struct image_store *store, int *ret_fd, struct coffer_error *err);
