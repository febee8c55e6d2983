/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>
#include <stdbool.h>

#include <coffer/error.h>

#include "image/message.h"

/*
 * Unpacked layers: images/layers/<diff-id> in the home.  A layer is there whole or not at all: it
 * is unpacked in images/tmp/<random>, which its makers hold locked (flock), and comes to its place
 * by rename.
 */

#define LAYER_NAME_BYTES 16

/**
 * struct layers - where they are
 * @store:     borrowed
 * @layers_fd: images/layers; owned
 * @tmp_fd:    images/tmp; owned
 */
struct layers {
        const struct image_store *store;
        int layers_fd;
        int tmp_fd;
};

/** layers_open() - open the directories, making what is missing; close with layers_close() */
int layers_open(const struct image_store *store, struct layers *ret, struct coffer_error *err);
void layers_close(struct layers *l);

/** layers_has() - whether a layer is there */
bool layers_has(const struct layers *l, const char *diff_id);

/** layers_sweep() - remove what killed processes left in images/tmp */
void layers_sweep(const struct layers *l);

/**
 * struct layer_job - a layer being unpacked
 * @layer:     which; NULL: none; borrowed
 * @answer_fd: becomes readable when it is done; owned
 * @dir_fd:    holds the lock of its directory; owned
 * @name:      of that, in images/tmp
 */
struct layer_job {
        const struct image_layer *layer;
        int answer_fd;
        int dir_fd;
        char name[2 * LAYER_NAME_BYTES + 1];
};

#define LAYER_JOB_INIT ((struct layer_job){.answer_fd = -EBADF, .dir_fd = -EBADF})

/** layer_job_start() - begin to unpack
 * @l:         where to
 * @job:       initialised; finish it with layer_job_finish(), also after a failure
 * @layer:     borrowed until then
 * @source_fd: what @layer's offset counts in; borrowed
 * @err:       words
 *
 * Return: 0 or a negative errno.
 */
int layer_job_start(const struct layers *l, struct layer_job *job, const struct image_layer *layer,
                    int source_fd, struct coffer_error *err);

/** layer_job_finish() - wait for it, and put the layer into its place, or what there is of it away
 * @l:   where to
 * @job: initialised again afterwards
 * @err: names the layer
 *
 * Return: 0 or a negative errno.
 */
int layer_job_finish(const struct layers *l, struct layer_job *job, struct coffer_error *err);

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
