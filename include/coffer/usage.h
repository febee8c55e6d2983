/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_USAGE_H
#define COFFER_USAGE_H

#include <coffer/api.h>
#include <coffer/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct coffer_usage - what one kind of things takes on disk
 * @count:       how many there are
 * @active:      of these, how many are in use: boxes that run, images that a box was made from,
 *               volumes that a box names
 * @bytes:       on disk, as du(1) counts; what the caller may not read counts nothing
 * @reclaimable: of these, what pruning would free
 */
struct coffer_usage {
        uint32_t count;
        uint32_t active;
        uint64_t bytes;
        uint64_t reclaimable;
};

/**
 * struct coffer_usage_item - one box or volume
 * @kind:        "box" or "volume", or a leftover that counts with the boxes: "trash", "unfinished"
 * @id:          of a box
 * @name:        of a box or a volume
 * @image:       of a box
 * @bytes:       on disk
 * @reclaimable: @bytes, or 0
 * @users:       of a volume: how many boxes name it
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_usage_item {
        const char *kind;
        const char *id;
        const char *name;
        const char *image;
        uint64_t bytes;
        uint64_t reclaimable;
        uint32_t users;
};

/**
 * struct coffer_usage_report - what a home takes on disk
 * @images:  blobs and unpacked layers, each once; reclaimable as coffer_image_prune() with
 *           COFFER_PRUNE_ALL
 * @boxes:   and what dead ones have left; reclaimable as coffer_prune()
 * @volumes: reclaimable as coffer_volume_prune() with COFFER_PRUNE_ALL
 * @items:   boxes and volumes one by one, NULL-terminated
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_usage_report {
        struct coffer_usage images;
        struct coffer_usage boxes;
        struct coffer_usage volumes;
        struct coffer_usage_item **items;
};

/**
 * coffer_system_usage() - what a home takes on disk
 * @runtime:    the home
 * @ret_report: one allocation; free with coffer_free()
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @runtime.  Walks through all files of the home.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_system_usage(struct coffer_runtime *runtime,
                                   struct coffer_usage_report **ret_report,
                                   struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
