/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_RUNTIME_H
#define COFFER_RUNTIME_H

#include <coffer/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One home directory with its boxes, images and volumes, opened. */
struct coffer_runtime;

/**
 * struct coffer_runtime_options - how to open a home; zero means the default for each member
 * @size:        sizeof(struct coffer_runtime_options), so that members can be added later
 * @flags:       0
 * @home:        the directory; NULL: $COFFER_HOME, else /var/lib/coffer for root and
 *               $XDG_DATA_HOME/coffer or ~/.local/share/coffer for others
 * @program_dir: where coffer-shim, coffer-init and coffer-unpack lie; NULL: the directory of the
 *               running program when they lie there, else the one given at build time
 */
struct coffer_runtime_options {
        uint32_t size;
        uint32_t flags;
        const char *home;
        const char *program_dir;
};

/**
 * coffer_runtime_open() - open a home, making its directories when they are missing
 * @options:     NULL for all defaults; copied
 * @ret_runtime: free with coffer_runtime_free()
 * @err:         why not; may be NULL
 *
 * Context: any thread.  Does not block but for the file system.
 *
 * Return: 0, or a negative errno:
 *   -EINVAL      a relative home or program directory
 *   -EOPNOTSUPP  the home lies on a file system that cannot keep boxes (NFS, 9p, virtiofs, FUSE,
 *                or one without open file description locks)
 *   -EACCES, -EROFS, -ENOSPC and others of mkdir(2) and open(2)
 */
COFFER_API int coffer_runtime_open(const struct coffer_runtime_options *options,
                                   struct coffer_runtime **ret_runtime, struct coffer_error *err);

/**
 * coffer_runtime_free() - close a home; boxes go on
 * @runtime: may be NULL; all handles made from it must be freed before
 *
 * Context: any thread.  errno is unchanged.
 *
 * Return: NULL.
 */
COFFER_API struct coffer_runtime *coffer_runtime_free(struct coffer_runtime *runtime);

/** coffer_runtime_home() - the absolute path of the home; owned by @runtime */
COFFER_API const char *coffer_runtime_home(const struct coffer_runtime *runtime);

/** coffer_runtime_program_dir() - where the programs were found; owned by @runtime */
COFFER_API const char *coffer_runtime_program_dir(const struct coffer_runtime *runtime);

/**
 * coffer_runtime_info() - what `coffer info` shows
 * @runtime:  the home
 * @ret_json: one JSON object: ServerVersion, CofferHome, ProgramDir, Containers,
 *            ContainersRunning, ContainersPaused, ContainersStopped, KernelVersion, Architecture,
 *            NCPU, MemTotal, Rootless; free with coffer_free()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_runtime_info(struct coffer_runtime *runtime, char **ret_json,
                                   struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
