/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/view.h"
#include "store/listing.h"

/**
 * struct listed - one box in a list
 * @entry: what its files say: borrowed from the listing, or @made
 * @made:  owned; of a box that was read from its own files, else NULL
 * @state: made from the files and the lock
 * @held:  somebody holds the lock
 * @calm:  the listing may keep @entry
 */
struct listed {
        const struct listing_entry *entry;
        struct listing_entry *made; /* owned */
        enum coffer_state state;
        bool held;
        bool calm;
};

/**
 * struct views - all boxes of a home
 * @known:    owned; the listing
 * @items:    owned
 * @count:    how many
 * @capacity: allocated
 */
struct views {
        struct listing known;
        struct listed *items; /* owned */
        size_t count;
        size_t capacity;
};

void views_release(struct views *views);

/** views_read() - look at every box, the newest first; finishes removals that were cut short */
int views_read(struct coffer_runtime *rt, struct views *ret_views, struct coffer_error *err);
