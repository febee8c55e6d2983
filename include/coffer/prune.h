/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_PRUNE_H
#define COFFER_PRUNE_H

#include <coffer/api.h>
#include <coffer/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For coffer_prune_options.flags */
#define COFFER_PRUNE_DRY_RUN 2u /* remove nothing, only say what would be removed */
#define COFFER_PRUNE_AUDIT   4u /* only audit logs of boxes that were removed, and nothing else */

/**
 * struct coffer_prune_options - what to remove; zero means everything that is dead
 * @size:      sizeof(struct coffer_prune_options), so that members can be added later
 * @flags:     COFFER_PRUNE_DRY_RUN, COFFER_PRUNE_AUDIT
 * @before_ns: only boxes made before this, nanoseconds since 1970; of audit logs: not written to
 *             since; 0: whenever
 * @labels:    only boxes with all of these: "KEY" or "KEY=value", "!" before it: without it; ended
 *             by NULL; NULL: whatever they have
 *
 * With @before_ns or @labels nothing but boxes is removed.
 */
struct coffer_prune_options {
        uint32_t size;
        uint32_t flags;
        uint64_t before_ns;
        const char *const *labels;
};

/**
 * struct coffer_pruned - one thing that was removed, or would be
 * @kind:  "box"; or a leftover: "trash" and "unfinished" (of a removal or a creation that was cut
 *         short), "name" and "range" (claims of a box that is not there); or "audit"
 * @id:    of the box
 * @name:  of the box, or what was claimed; may be empty
 * @bytes: on disk
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_pruned {
        const char *kind;
        const char *id;
        const char *name;
        uint64_t bytes;
};

/**
 * coffer_prune() - remove boxes that do not run, and what dead ones have left
 * @runtime:   the home
 * @options:   NULL for all defaults
 * @ret_items: NULL-terminated array, one allocation; free with coffer_free(); NULL when not wanted
 * @ret_count: how many
 * @err:       why not; may be NULL
 *
 * A box that somebody holds, whoever it is, is left alone; so is one that has never run and was
 * made in the last ten seconds, since it may be about to start.  Volumes stay.  What cannot be
 * removed is left out; the rest is removed all the same.
 *
 * Context: one thread at a time per @runtime.  Blocks while files are removed.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_prune(struct coffer_runtime *runtime,
                            const struct coffer_prune_options *options,
                            struct coffer_pruned ***ret_items, size_t *ret_count,
                            struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
