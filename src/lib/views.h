/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/view.h"

/**
 * struct views - all boxes of a home
 * @items:    owned, as what it points to: large, so that neither growing nor sorting moves them
 * @count:    how many
 * @capacity: allocated
 */
struct views {
        struct view **items; /* owned */
        size_t count;
        size_t capacity;
};

void views_release(struct views *views);

/** views_read() - look at every box, the newest first; finishes removals that were cut short */
int views_read(struct coffer_runtime *rt, struct views *ret_views, struct coffer_error *err);
