/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

#include "image/image.h"

/*
 * What images in registries are called: [docker://][HOST[:PORT]/]REPOSITORY[:TAG][@sha256:HEX].
 * The first component is a host when it has a dot, a colon or is "localhost"; without one it is
 * docker.io, and there a bare NAME is library/NAME.
 */

#define NAME_HOST_MAX       256
#define NAME_REPOSITORY_MAX 256
#define NAME_TAG_MAX        129
#define NAME_TEXT_MAX       (NAME_HOST_MAX + NAME_REPOSITORY_MAX + NAME_TAG_MAX + 80)

/**
 * struct image_name - one, taken apart
 * @host:       "docker.io", "localhost:5000"
 * @repository: "library/busybox"
 * @tag:        "latest" when neither tag nor digest was given; "" with a digest alone
 * @digest:     hex, or ""
 */
struct image_name {
        char host[NAME_HOST_MAX];
        char repository[NAME_REPOSITORY_MAX];
        char tag[NAME_TAG_MAX];
        char digest[IMAGE_DIGEST_HEX + 1];
};

/** name_parse() - take apart what a user wrote
 * @text:     the name
 * @ret_name: untouched on failure
 * @err:      one line and a hint; may be NULL
 *
 * Return: 0, or -EINVAL with the kind COFFER_ERROR_USAGE.
 */
int name_parse(const char *text, struct image_name *ret_name, struct coffer_error *err);

/** name_check_host() - whether a registry can be called so: 0 or -EINVAL */
int name_check_host(const char *host);

/** name_repository() - host and repository as people write them
 * @name: docker.io and library/ are left out
 * @to:   NAME_TEXT_MAX
 */
void name_repository(const struct image_name *name, char *to);

/** name_format() - all of it as people write it, with the tag, or the digest where there is no tag
 * @name: docker.io and library/ are left out
 * @to:   NAME_TEXT_MAX
 */
void name_format(const struct image_name *name, char *to);
