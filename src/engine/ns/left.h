/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct engine_box;

/**
 * ns_left() - words for the processes of a box that do not die
 * @box:  its supervisor's pidfd is open: whoever is below that process belongs to the box
 * @to:   gets "process 12 (sh), process 13 (cat)", as many as there is room for
 * @size: of @to
 */
void ns_left(const struct engine_box *box, char *to, size_t size);
