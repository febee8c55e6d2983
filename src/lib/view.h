/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"
#include "spec/state.h"
#include "store/claim.h"
#include "store/identity.h"
#include "store/meta.h"
#include "store/state.h"

/**
 * struct view - a box as its files show it, without asking its shim
 * @id:       of it
 * @claims:   its name and range
 * @meta:     what does not change
 * @record:   the last known state
 * @state:    enum coffer_state, made from the record and the lock
 * @held:     somebody holds the lock
 * @identity: of the shim when @held, else all zero
 * @proved:   when @held: the process that @identity names is there, and is the one that wrote it
 */
struct view {
        char id[BOX_ID_CHARS + 1];
        struct claims claims;
        struct box_meta meta;
        struct box_record record;
        enum coffer_state state;
        bool held;
        struct identity identity;
        bool proved;
};

void view_release(struct view *view);

/** view_state() - the public name of a state */
enum coffer_state view_state(enum box_state state);

/**
 * view_read() - look at a box, and settle one whose shim died
 * @runtime:    the home
 * @here:       where the caller is; NULL: to be read
 * @id:         of the box
 * @box_dir_fd: its directory
 * @ret_view:   release with view_release()
 * @err:        words
 *
 * Return: 0; -ENOENT when it is gone, or no box yet; or a negative errno.
 */
int view_read(struct coffer_runtime *runtime, const struct here *here, const char *id,
              int box_dir_fd, struct view *ret_view, struct coffer_error *err);
