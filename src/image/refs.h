/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include <coffer/error.h>

#include "image/name.h"

/*
 * What images are called: images/refs/HOST@PATH@OF@REPOSITORY/TAG, or sha256:HEX in place of a tag,
 * a symlink whose text is TOP.MANIFEST: the digest that the registry has under the name, an index
 * or the manifest itself, and the manifest that was chosen.  The entry is the claim; it is replaced
 * by rename.
 */

/**
 * struct image_ref - one
 * @name:     with a tag or a digest, never both
 * @top:      hex
 * @manifest: hex
 */
struct image_ref {
        struct image_name name;
        char top[IMAGE_DIGEST_HEX + 1];
        char manifest[IMAGE_DIGEST_HEX + 1];
};

/** refs_get() - what a name leads to
 * @home_fd: the home
 * @name:    with a digest, also what has that digest under another tag of the repository
 * @ret:     filled
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
int refs_get(int home_fd, const struct image_name *name, struct image_ref *ret);

/** refs_set() - make a name lead somewhere, whatever it led to before; 0 or a negative errno */
int refs_set(int home_fd, const struct image_ref *ref);

/** refs_remove() - 0, -ENOENT or another negative errno */
int refs_remove(int home_fd, const struct image_name *name);

/** refs_list() - all of them, by name
 * @home_fd:   the home
 * @ret_refs:  free()
 * @ret_count: how many
 *
 * Return: 0 or a negative errno; what is no reference is passed over.
 */
int refs_list(int home_fd, struct image_ref **ret_refs, size_t *ret_count);
