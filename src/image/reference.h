/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

/* What a user writes for an image. */

enum reference_form {
        REFERENCE_HOST,
        REFERENCE_DIR,
        REFERENCE_OCI_DIR,
        REFERENCE_OCI_ARCHIVE,
        REFERENCE_DOCKER_ARCHIVE
};

#define REFERENCE_PATH_MAX 4096
#define REFERENCE_TAG_MAX  256

/**
 * struct reference - a reference, taken apart
 * @form: what comes before the first colon
 * @path: a file or directory; "" for REFERENCE_HOST
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
