/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/*
 * Structs, arrays and strings in one allocation, for the caller to free with one coffer_free().
 * The same code runs twice: with a NULL base it only counts, then it fills.
 */
struct pack {
        char *base;
        size_t used;
};

/* Room for @size bytes, aligned for anything; NULL while counting. */
static inline void *pack_space(struct pack *p, size_t size)
{
        void *at;

        p->used = (p->used + 15) & ~(size_t)15;
        at = p->base ? p->base + p->used : NULL;
        p->used += size;
        return at;
}

/* Strings that are packed one after the other lie one behind the other. */
static inline const char *pack_text(struct pack *p, const char *s)
{
        size_t bytes = strlen(s) + 1;
        char *to = p->base ? p->base + p->used : NULL;

        p->used += bytes;
        return to ? memcpy(to, s, bytes) : NULL;
}

/* An empty string, and NULL, take no room. */
static inline const char *pack_str(struct pack *p, const char *s)
{
        return s && s[0] != '\0' ? pack_text(p, s) : "";
}

/* A NULL-terminated copy of a list. */
static inline const char *const *pack_strv(struct pack *p, const struct strv *list)
{
        const char **to = pack_space(p, (list->count + 1) * sizeof(*to));

        for (size_t i = 0; i < list->count; i++) {
                const char *s = pack_str(p, list->items[i]);

                if (to)
                        to[i] = s;
        }
        if (to)
                to[list->count] = NULL;
        return to;
}

/* The same in an allocation of its own; 0 or -ENOMEM. */
static inline int pack_lines(const struct strv *list, char ***ret_lines)
{
        struct pack p = {.base = NULL};

        (void)pack_strv(&p, list);
        p.base = malloc(p.used);
        p.used = 0;
        if (!p.base)
                return -ENOMEM;
        *ret_lines = (char **)(uintptr_t)pack_strv(&p, list);
        return 0;
}
