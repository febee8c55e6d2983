/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "spec/spec.h"

/*
 * From what a user calls an image to directories that can be mounted.
 *
 *     host                       the host's own /usr; nothing to look up
 *     dir:PATH                   a root file system that lies there
 *     oci:DIR[:TAG]              an OCI image layout
 *     oci-archive:FILE[:TAG]     the same in a tar file
 *     docker-archive:FILE[:TAG]  what `docker save` writes
 *
 * Whatever is inside a layout or an archive is foreign, its JSON included, and is read by
 * coffer-unpack in a process of its own; what comes back here is one bounded message.
 */

enum image_kind { IMAGE_HOST, IMAGE_DIR, IMAGE_LAYERS };

#define IMAGE_DIGEST_HEX 64  /* SHA-256 */
#define IMAGE_LAYERS_MAX 256 /* of one image; the kernel's overlayfs ends at 500 */

/**
 * struct image_config - what an image says about how it wants to be run
 * @entrypoint:    argv that comes before @cmd
 * @cmd:           default arguments, or the whole argv when @entrypoint is empty
 * @env:           "NAME=value"
 * @volumes:       paths
 * @labels:        "key=value"
 * @exposed_ports: "80/tcp"; metadata only
 * @health_test:   "CMD", "NONE", … and what follows; as the image wrote it
 * @shell:         what a text of CMD-SHELL is run by
 * @user:          "", "name", "uid", "name:group", "uid:gid"; as the image wrote it
 * @working_dir:   "" or a path; as the image wrote it
 * @stop_signal:   "", "SIGTERM", "15"; as the image wrote it
 * @architecture:  "amd64"; "" when the image does not say
 * @health_ns:     by enum spec_health_time, in nanoseconds; 0 when the image does not say
 * @health_retries: 0 when it does not say
 * @os:            "linux"; likewise
 * @variant:       "v7"; likewise
 * @created:       RFC 3339, as the image wrote it
 * @author:        as the image wrote it
 *
 * All strings are the image's, foreign, and free of NUL; none is NULL in a resolved image.
 */
struct image_config {
        struct strv entrypoint;
        struct strv cmd;
        struct strv env;
        struct strv volumes;
        struct strv labels;
        struct strv exposed_ports;
        struct strv health_test;
        struct strv shell;
        char *user;         /* owned */
        char *working_dir;  /* owned */
        char *stop_signal;  /* owned */
        char *architecture; /* owned */
        uint64_t health_ns[SPEC_HEALTH_TIMES];
        uint64_t health_retries;
        char *os;      /* owned */
        char *variant; /* owned */
        char *created; /* owned */
        char *author;  /* owned */
};

/**
 * struct image - a resolved image
 * @kind:      what it is; decides which fields are set
 * @reference: as the user gave it
 * @dir:       IMAGE_DIR: canonical absolute path
 * @layers:    IMAGE_LAYERS: diff ids in hex, lowest first, each once; the directory of each is
 *             images/layers/<diff-id> in the home, unpacked with whiteouts and user.overlay.opaque
 *             as overlayfs with userxattr wants them.  Layers that an opaque root above hides are
 *             left out.  May be empty
 * @id:        IMAGE_LAYERS: SHA-256 of the image's config, in hex
 * @config:    IMAGE_LAYERS: what the image asks for; empty for the other kinds
 */
struct image {
        enum image_kind kind;
        char *reference; /* owned */
        char *dir;       /* owned */
        struct strv layers;
        char *id; /* owned */
        struct image_config config;
};

/** image_release() - free what an image owns; the struct can be used again */
void image_release(struct image *image);
void image_config_release(struct image_config *config);

/**
 * enum image_ownership - whose the unpacked files are
 * @IMAGE_OWN_CALLER: no user namespace: everything is the caller's, no setuid bits, no file
 *                    capabilities
 * @IMAGE_OWN_SINGLE: in a user namespace that has only id 0: everything is that id's, no setuid
 *                    bits
 * @IMAGE_OWN_RANGE:  in a user namespace that has ids 0 to 65535: as the image says
 */
enum image_ownership { IMAGE_OWN_CALLER, IMAGE_OWN_SINGLE, IMAGE_OWN_RANGE };

/**
 * struct image_store - where layers are kept, and as whom they are unpacked
 * @home_fd:     the home; images/ below it is made when it is missing; borrowed
 * @userns_fd:   user namespace in which coffer-unpack runs; -1 with IMAGE_OWN_CALLER; borrowed
 * @ownership:   what @userns_fd has
 * @root_uid:    the caller's view of id 0 of @userns_fd: what a new layer directory is chowned to
 *               (the caller's own id in a rootless home)
 * @root_gid:    the same for groups
 * @program_dir: where coffer-unpack lies; borrowed
 */
struct image_store {
        int home_fd;
        int userns_fd;
        enum image_ownership ownership;
        uid_t root_uid;
        gid_t root_gid;
        const char *program_dir;
};

/**
 * image_resolve() - find an image and have its layers unpacked
 * @store:     where to
 * @reference: as the user wrote it
 * @ret_image: the image; release with image_release()
 * @err:       words for a failure, with a hint where one helps; may be NULL
 *
 * Layers that are there already are not touched.  Any number of processes may resolve images in
 * one home at once: each unpacks into images/tmp/, commits by rename after one syncfs, and throws
 * its copy away when another was faster.  What killed processes left in images/tmp/ is removed.
 *
 * Context: blocks until the last layer is unpacked.  Starts coffer-unpack by
 * child_spawn_orphan(), so the calling program sees no child.
 *
 * Return: 0, or a negative errno with *@ret_image empty; err->kind is COFFER_ERROR_USAGE for a
 * reference that cannot work, COFFER_ERROR_IMAGE for an image that is malformed, too large or
 * hostile, COFFER_ERROR_HOST for a lack of space or of a kernel feature.
 */
int image_resolve(const struct image_store *store, const char *reference, struct image *ret_image,
                  struct coffer_error *err);

/**
 * image_remove_tree() - remove everything below a directory, as the store's root
 * @store:  whose user namespace the files belong to; home_fd is not used
 * @dir_fd: emptied; itself it stays; borrowed
 * @err:    words for a failure; may be NULL
 *
 * For directories with files of ids that the caller may not touch: layers, and a box's upper and
 * work directories, with the user namespace that has their ids (root needs none: IMAGE_OWN_CALLER).
 * Never leaves @dir_fd's file system and follows no symlink.
 *
 * Return: 0 or a negative errno.
 */
int image_remove_tree(const struct image_store *store, int dir_fd, struct coffer_error *err);
