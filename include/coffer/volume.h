/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_VOLUME_H
#define COFFER_VOLUME_H

#include <coffer/api.h>
#include <coffer/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A named directory of a home that boxes can mount and that outlives them.  A box that names a
 * volume which does not exist makes it.
 */

/**
 * coffer_volume_create() - make a volume
 * @runtime:  the home
 * @name:     as the name of a box; NULL: one is made up
 * @labels:   "NAME=value", NULL-terminated; may be NULL
 * @ret_name: its name; free with coffer_free(); may be NULL
 * @err:      why not; may be NULL
 *
 * A volume that exists is left as it is, which is no error.
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, -EINVAL when it is no name, or another negative errno.
 */
COFFER_API int coffer_volume_create(struct coffer_runtime *runtime, const char *name,
                                    const char *const *labels, char **ret_name,
                                    struct coffer_error *err);

/**
 * struct coffer_volume_info - one volume
 * @name:       its name
 * @path:       the directory on the host
 * @created_ns: when it was made, in nanoseconds since 1970
 * @labels:     "NAME=value", NULL-terminated
 * @users:      how many boxes name it
 * @anonymous:  not 0: its name was made up
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_volume_info {
        const char *name;
        const char *path;
        uint64_t created_ns;
        const char *const *labels;
        uint32_t users;
        uint32_t anonymous;
};

/**
 * coffer_volume_list() - all volumes of a home, by name
 * @runtime:   the home
 * @ret_infos: NULL-terminated array, one allocation; free with coffer_free()
 * @ret_count: how many
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_volume_list(struct coffer_runtime *runtime,
                                  struct coffer_volume_info ***ret_infos, size_t *ret_count,
                                  struct coffer_error *err);

/**
 * coffer_volume_inspect() - all there is to know about a volume
 * @runtime:  the home
 * @name:     its name
 * @ret_json: one JSON object with Docker's names; free with coffer_free()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
COFFER_API int coffer_volume_inspect(struct coffer_runtime *runtime, const char *name,
                                     char **ret_json, struct coffer_error *err);

/**
 * coffer_volume_remove() - remove a volume with what is in it
 * @runtime: the home
 * @name:    its name
 * @err:     why not; may be NULL
 *
 * Context: one thread at a time per @runtime.  Blocks for the file system.
 *
 * Return: 0, or a negative errno:
 *   -ENOENT  there is none
 *   -EBUSY   a box names it (COFFER_ERROR_STATE)
 */
COFFER_API int coffer_volume_remove(struct coffer_runtime *runtime, const char *name,
                                    struct coffer_error *err);

/* For coffer_volume_prune() */
#define COFFER_PRUNE_ALL 1u /* named volumes too */

/**
 * coffer_volume_prune() - remove the volumes that no box names
 * @runtime:   the home
 * @flags:     COFFER_PRUNE_ALL, else only those whose name was made up
 * @ret_names: NULL-terminated array of what was removed, one allocation; free with
 *             coffer_free(); may be NULL
 * @ret_bytes: how much space that was; may be NULL
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.  Blocks for the file system.
 *
 * Return: how many were removed, or a negative errno.
 */
COFFER_API int coffer_volume_prune(struct coffer_runtime *runtime, uint32_t flags,
                                   char ***ret_names, uint64_t *ret_bytes,
                                   struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
