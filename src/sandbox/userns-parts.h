/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "sandbox/userns.h"

/* What userns.c is made of, for its test. */

#define USERNS_MAP_MAX 256 /* bytes of a map's text */

/**
 * userns_find_range() - the caller's first long enough range of a file as subuid(5)
 * @file:      its path
 * @name:      the caller's, NULL when he has none
 * @id:        the caller's; a line may name him by it
 * @ret_start: first of the IDMAP_IDS ids
 */
bool userns_find_range(const char *file, const char *name, uint32_t id, uint32_t *ret_start);

/**
 * userns_map_lines() - one map as uid_map takes it and, split into words, newuidmap does
 * @map:        kind and count
 * @self:       the caller's id
 * @base:       of @map, uid_base or gid_base
 * @supervisor: of @map, likewise
 * @text:       lines, each ended by a newline
 */
void userns_map_lines(const struct msg_idmap *map, uint32_t self, uint32_t base,
                      uint32_t supervisor, char text[USERNS_MAP_MAX]);
