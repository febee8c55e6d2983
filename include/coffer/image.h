/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_IMAGE_H
#define COFFER_IMAGE_H

#include <coffer/api.h>
#include <coffer/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The images of a home: what was pulled from registries, loaded or imported.  Host, dir:, oci: and
 * the archives are named where a box is made and are not kept here.
 */

/** enum coffer_pull_policy - when a registry is asked
 * @COFFER_PULL_MISSING: when the image is not here
 * @COFFER_PULL_ALWAYS:  always; what has not changed is not fetched again
 * @COFFER_PULL_NEWER:   as ALWAYS, but what is here will do when the registry cannot be asked
 * @COFFER_PULL_NEVER:   never: -ENOENT when the image is not here
 */
enum coffer_pull_policy {
        COFFER_PULL_MISSING,
        COFFER_PULL_ALWAYS,
        COFFER_PULL_NEWER,
        COFFER_PULL_NEVER
};

/** enum coffer_pull_step - what a pull has come to
 * @COFFER_PULL_BEGINS:    a registry is asked for the image called name
 * @COFFER_PULL_EXISTS:    the layer is here already
 * @COFFER_PULL_WAITING:   somebody else is fetching it
 * @COFFER_PULL_FETCHING:  done of total bytes are here
 * @COFFER_PULL_UNPACKING: all bytes are here
 * @COFFER_PULL_COMPLETE:  the layer is in its place
 * @COFFER_PULL_RETRY:     what words says went wrong, and is tried again in wait_s seconds
 */
enum coffer_pull_step {
        COFFER_PULL_BEGINS,
        COFFER_PULL_EXISTS,
        COFFER_PULL_WAITING,
        COFFER_PULL_FETCHING,
        COFFER_PULL_UNPACKING,
        COFFER_PULL_COMPLETE,
        COFFER_PULL_RETRY
};

/**
 * struct coffer_pull_progress - one event of a pull
 * @step:   an enum coffer_pull_step
 * @layer:  which one, counted from 0, the lowest
 * @layers: how many there are; 0 while that is not known
 * @wait_s: of COFFER_PULL_RETRY
 * @done:   bytes
 * @total:  likewise
 * @name:   the image, or the digest of the layer in hex; valid during the call
 * @words:  of COFFER_PULL_RETRY; likewise
 */
struct coffer_pull_progress {
        uint32_t step;
        uint32_t layer;
        uint32_t layers;
        uint32_t wait_s;
        uint64_t done;
        uint64_t total;
        const char *name;
        const char *words;
};

/**
 * typedef coffer_pull_fn - is told how a pull goes on; may not call into the runtime
 * @data:     of coffer_pull_options
 * @progress: valid during the call
 */
typedef void (*coffer_pull_fn)(void *data, const struct coffer_pull_progress *progress);

/**
 * struct coffer_pull_options - how to pull; zero means the default for each member
 * @size:     sizeof(struct coffer_pull_options)
 * @policy:   an enum coffer_pull_policy
 * @platform: "linux/arm64", "linux/arm/v7"; NULL: this machine's
 * @progress: called between the steps; may be NULL
 * @data:     for @progress
 */
struct coffer_pull_options {
        uint32_t size;
        uint32_t policy;
        const char *platform;
        coffer_pull_fn progress;
        void *data;
};

/**
 * struct coffer_pull_result - what a pull came to
 * @name:    in full, "docker.io/library/debian:12"
 * @digest:  what the registry has under it, "sha256:…"
 * @id:      of the image, likewise
 * @changed: not 0: it was not here, or another one was
 */
struct coffer_pull_result {
        char name[736];
        char digest[72];
        char id[72];
        uint32_t changed;
};

/**
 * coffer_image_pull() - have an image here, asking its registry when the policy says so
 * @runtime:    the home
 * @reference:  "[docker://][HOST[:PORT]/]NAME[:TAG]" or with a digest; what needs no registry
 * (host, dir: and the like) is no error and leaves @ret_result empty
 * @options:    NULL for all defaults
 * @ret_result: may be NULL
 * @err:        why not; may be NULL
 *
 * Credentials are found where Docker and Podman keep them.  A pull that was killed or failed leaves
 * what it had fetched of each layer, and the next one goes on from there.  Any number of processes
 * may pull into one home at once: each blob is fetched by one of them.
 *
 * Context: one thread at a time per @runtime.  Blocks.  Starts coffer-pull and coffer-unpack, of
 * which the calling program sees no child; reads the environment (HOME, XDG_CONFIG_HOME, …_PROXY,
 * COFFER_…).
 *
 * Return: 0, or a negative errno:
 *   -EINVAL     a reference or platform that can be none (COFFER_ERROR_USAGE)
 *   -ENOENT     the registry has no such image, or with COFFER_PULL_NEVER this home
 *   -EACCES     the registry wants another credential
 *   -EBADMSG    what came is not what its digest says (COFFER_ERROR_IMAGE)
 *   -ETIMEDOUT, -EIO and others: the registry cannot be reached
 */
COFFER_API int coffer_image_pull(struct coffer_runtime *runtime, const char *reference,
                                 const struct coffer_pull_options *options,
                                 struct coffer_pull_result *ret_result, struct coffer_error *err);

/**
 * struct coffer_load_options - how to load; zero means the default for each member
 * @size:     sizeof(struct coffer_load_options)
 * @progress: is told how each layer goes on; may be NULL
 * @data:     for @progress
 */
struct coffer_load_options {
        uint32_t size;
        coffer_pull_fn progress;
        void *data;
};

/**
 * coffer_image_load() - take all images of an archive into the home
 * @runtime:   the home
 * @fd:        what `docker save`, `podman save`, skopeo or coffer_image_save() wrote: a file or a
 *             pipe, read on from where it stands, plain or compressed with gzip or zstd; borrowed
 * @options:   NULL for all defaults
 * @ret_lines: "Loaded image: NAME:TAG" for each name, "Loaded image ID: sha256:…" for an image
 *             without one, as Docker has it; NULL-terminated, one allocation; free with
 *             coffer_free(); may be NULL
 * @err:       why not; may be NULL
 *
 * Every byte is compared with its digest.  All images of the archive get their names, or none does.
 * A name that another image had is then this one's.
 *
 * Context: one thread at a time per @runtime.  Blocks.  Starts coffer-unpack, of which the calling
 * program sees no child.
 *
 * Return: how many lines there are, or a negative errno; err->kind is COFFER_ERROR_IMAGE for an
 * archive that is damaged, hostile or none.
 */
COFFER_API int coffer_image_load(struct coffer_runtime *runtime, int fd,
                                 const struct coffer_load_options *options, char ***ret_lines,
                                 struct coffer_error *err);

/**
 * coffer_image_save() - write images as an OCI archive
 * @runtime:    the home
 * @references: names and ids, ended by NULL; a name goes into the archive, an id without one
 * @fd:         written to where it stands; borrowed
 * @err:        why not; may be NULL
 *
 * Configs and compressed layers go into it as they came, so each image keeps its id; a manifest of
 * Docker's schema 2 is written anew as OCI's, in which skopeo looks for no other.  A file
 * manifest.json is for readers of docker-archive.  The same images give the same bytes.
 *
 * Context: one thread at a time per @runtime.  Blocks.  Starts coffer-unpack, of which the calling
 * program sees no child.
 *
 * Return: 0, -ENOENT when there is no such image, or another negative errno.
 */
COFFER_API int coffer_image_save(struct coffer_runtime *runtime, const char *const *references,
                                 int fd, struct coffer_error *err);

/**
 * struct coffer_import_options - how to import; zero means the default for each member
 * @size:    sizeof(struct coffer_import_options)
 * @changes: instructions as of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER,
 *           VOLUME, WORKDIR; ended by NULL; may be NULL
 * @message: kept in the image's history; NULL: "Imported from -"
 */
struct coffer_import_options {
        uint32_t size;
        const char *const *changes;
        const char *message;
};

/**
 * coffer_image_import() - make an image of one layer from the tar archive of a root
 * @runtime:    the home
 * @fd:         the archive: a file or a pipe, read on from where it stands, plain or compressed
 *              with gzip or zstd; borrowed
 * @reference:  what it is to be called; NULL: nothing
 * @options:    NULL for all defaults
 * @ret_result: changed is always 1; name is "" without a @reference; may be NULL
 * @err:        why not; may be NULL
 *
 * The archive is kept as it is, compressed or not.
 *
 * Context: one thread at a time per @runtime.  Blocks.  Starts coffer-unpack, of which the calling
 * program sees no child.
 *
 * Return: 0 or a negative errno; err->kind is COFFER_ERROR_USAGE for a name or a change that can be
 * none, COFFER_ERROR_IMAGE for an archive that is damaged or hostile.
 */
COFFER_API int coffer_image_import(struct coffer_runtime *runtime, int fd, const char *reference,
                                   const struct coffer_import_options *options,
                                   struct coffer_pull_result *ret_result, struct coffer_error *err);

/**
 * struct coffer_image_info - one name of an image, or an image without one
 * @id:           SHA-256 of its config, "sha256:…"
 * @repository:   "debian", "localhost:5000/me/app"; "" for none
 * @tag:          "" for none
 * @digest:       of what the registry has under the name, "sha256:…"
 * @created_ns:   when it was built, in nanoseconds since 1970; 0 when it does not say
 * @size:         bytes of its layers as they are stored, compressed
 * @architecture: "amd64"
 * @os:           "linux"
 * @boxes:        how many were made from it
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_image_info {
        const char *id;
        const char *repository;
        const char *tag;
        const char *digest;
        uint64_t created_ns;
        uint64_t size;
        const char *architecture;
        const char *os;
        uint32_t boxes;
};

/**
 * coffer_image_list() - all images of a home, by name
 * @runtime:   the home
 * @ret_infos: NULL-terminated array, one allocation; free with coffer_free()
 * @ret_count: how many
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_image_list(struct coffer_runtime *runtime,
                                 struct coffer_image_info ***ret_infos, size_t *ret_count,
                                 struct coffer_error *err);

/**
 * coffer_image_inspect() - all there is to know about an image
 * @runtime:   the home
 * @reference: a name, or four or more digits that its id begins with
 * @ret_json:  one JSON object with Docker's names; free with coffer_free()
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
COFFER_API int coffer_image_inspect(struct coffer_runtime *runtime, const char *reference,
                                    char **ret_json, struct coffer_error *err);

/**
 * coffer_image_tag() - give an image one more name
 * @runtime: the home
 * @source:  a name or an id
 * @target:  the new name; what it meant before is no longer called so
 * @err:     why not; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, -ENOENT, -EINVAL, or another negative errno.
 */
COFFER_API int coffer_image_tag(struct coffer_runtime *runtime, const char *source,
                                const char *target, struct coffer_error *err);

#define COFFER_IMAGE_FORCE 1u /* for coffer_image_remove(): also what a box was made from */

/**
 * coffer_image_remove() - take a name away and, with its last one, the image
 * @runtime:   the home
 * @reference: a name, or an id: then all names of the image
 * @flags:     COFFER_IMAGE_FORCE
 * @ret_lines: what was done, "Untagged: …" and "Deleted: …" as Docker has it; NULL-terminated, one
 *             allocation; free with coffer_free(); may be NULL
 * @err:       why not; may be NULL
 *
 * Layers that another image or a box has stay.  While somebody pulls, the bytes stay until
 * coffer_image_prune().
 *
 * Context: one thread at a time per @runtime.  Blocks for the file system.
 *
 * Return: how many lines there are, or a negative errno:
 *   -ENOENT  there is no such image
 *   -EBUSY   a box was made from it (COFFER_ERROR_STATE)
 */
COFFER_API int coffer_image_remove(struct coffer_runtime *runtime, const char *reference,
                                   uint32_t flags, char ***ret_lines, struct coffer_error *err);

/**
 * coffer_image_prune() - throw away what nothing needs
 * @runtime:   the home
 * @flags:     COFFER_PRUNE_ALL: images that no box was made from, else only those without a name;
 *             with either also what pulls have left, and layers of nothing
 * @ret_lines: as coffer_image_remove()
 * @ret_bytes: how much space that was; may be NULL
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.  Blocks for the file system.
 *
 * Return: how many lines there are, or a negative errno; -EBUSY while somebody pulls.
 */
COFFER_API int coffer_image_prune(struct coffer_runtime *runtime, uint32_t flags, char ***ret_lines,
                                  uint64_t *ret_bytes, struct coffer_error *err);

/**
 * coffer_registry_login() - try a credential and keep it where Docker does
 * @runtime:   for its programs
 * @registry:  "registry.example:5000"; NULL: docker.io
 * @user:      its user
 * @password:  never shown, and not kept when the registry refuses it
 * @ret_where: the file or helper that has it now; free with coffer_free(); may be NULL
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @runtime.  Blocks.
 *
 * Return: 0, -EACCES when the registry refuses it, -EINVAL, or another negative errno.
 */
COFFER_API int coffer_registry_login(struct coffer_runtime *runtime, const char *registry,
                                     const char *user, const char *password, char **ret_where,
                                     struct coffer_error *err);

/**
 * coffer_registry_logout() - forget a credential
 * @registry:  as coffer_registry_login()
 * @ret_where: the file or helper that had it; free with coffer_free(); may be NULL
 * @err:       why not; may be NULL
 *
 * Context: any thread.
 *
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
COFFER_API int coffer_registry_logout(const char *registry, char **ret_where,
                                      struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
