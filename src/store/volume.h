/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "store/home.h"
#include "store/remove.h"

struct coffer_error;

/* volumes/<name>/_data and volume.json beside it. */

/**
 * struct volume - what volume.json says
 * @created_ns: when it was made
 * @labels:     owned; "key=value"
 * @anonymous:  its name was made up for a box
 */
struct volume {
        uint64_t created_ns;
        struct strv labels; /* owned */
        bool anonymous;
};

void volume_release(struct volume *volume);

/**
 * volume_create() - make a volume
 * @home:      the home
 * @name:      has the form of a name
 * @volume:    what to note; created_ns 0: now
 * @owner_uid: who gets the directory with the data; -1 leaves it to the caller
 * @owner_gid: likewise
 * @err:       why not
 *
 * Return: 1 when it was made, 0 when there was one, which is left as it is; or a negative errno.
 */
int volume_create(const struct home *home, const char *name, const struct volume *volume,
                  uint32_t owner_uid, uint32_t owner_gid, struct coffer_error *err);

/** volume_read() - what there is to know; -ENOENT when there is none; release @ret_volume */
int volume_read(const struct home *home, const char *name, struct volume *ret_volume,
                struct coffer_error *err);

/** volume_list() - append the names, sorted */
int volume_list(const struct home *home, struct strv *ret_names, struct coffer_error *err);

/**
 * volume_remove() - remove a volume with what is in it
 * @home:    the home
 * @name:    of it; the caller has made sure that no box names it
 * @as:      as box_remove_files()
 * @as_data: likewise
 * @err:     why not
 *
 * Return: 0, -ENOENT when there is none, or a negative errno.
 */
int volume_remove(const struct home *home, const char *name, remove_as_fn as, void *as_data,
                  struct coffer_error *err);

/** volume_sweep() - finish what was cut short of making and removing volumes; @as as there */
void volume_sweep(const struct home *home, remove_as_fn as, void *as_data);
