/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <coffer/error.h>

#include "image/message.h"

/*
 * Unpacked layers: images/layers/<diff-id> in the home.  A layer is there whole or not at all: it
 * is unpacked in images/tmp/<random>, which its makers hold locked (flock), and comes to its place
 * by rename.
 */

/** layers_ensure() - have all layers of an image unpacked
 * @store:     where to
 * @m:         which layers
 * @source_fd: the archive, or the layout's directory; borrowed
 * @archive:   which of the two
 * @err:       names the layer
 *
 * Return: 0 or a negative errno; layers that were done stay.
 */
int layers_ensure(const struct image_store *store, const struct image_manifest *m, int source_fd,
                  bool archive, struct coffer_error *err);

/** layers_list() - the layers to mount, lowest first
 * @store:      where they are
 * @m:          all layers of the image
 * @ret_layers: appended to: each diff id once, at its uppermost place (what lies below equals it
 *              and is hidden by it); nothing below a layer with an opaque root
 * @err:        words for a failure
 *
 * Return: 0 or a negative errno.
 */
int layers_list(const struct image_store *store, const struct image_manifest *m,
                struct strv *ret_layers, struct coffer_error *err);
