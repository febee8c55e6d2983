/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <coffer/error.h>

/* What a user writes for an image. */

enum reference_form {
        REFERENCE_HOST,
        REFERENCE_DIR,
        REFERENCE_OCI_DIR,
        REFERENCE_OCI_ARCHIVE,
        REFERENCE_DOCKER_ARCHIVE,
        REFERENCE_NAME
};

#define REFERENCE_PATH_MAX 4096
#define REFERENCE_TAG_MAX  256

/**
 * struct reference - a reference, taken apart
 * @form: what comes before the first colon
 * @path: a file or directory; the whole text for REFERENCE_NAME, which name_parse() takes apart, or
 *        which is an id; "" for REFERENCE_HOST
 * @tag:  what comes after the path and a colon; "" when nothing does
 */
struct reference {
        enum reference_form form;
        char path[REFERENCE_PATH_MAX];
        char tag[REFERENCE_TAG_MAX];
};

/** reference_parse() - take apart what a user wrote
 * @text:    the reference
 * @ret_ref: untouched on failure
 * @err:     one line and a hint
 *
 * A path of the archive forms cannot contain a colon, as everywhere these forms are used.  Nothing
 * is opened.
 *
 * Return: 0, or -EINVAL with the kind COFFER_ERROR_USAGE.
 */
int reference_parse(const char *text, struct reference *ret_ref, struct coffer_error *err);

/** reference_is_name() - whether it is for the store to find, and may be pulled */
bool reference_is_name(const char *text);

/** reference_has_layers() - whether a box of it mounts layers of the store */
bool reference_has_layers(const char *text);
