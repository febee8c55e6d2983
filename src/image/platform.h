/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <coffer/error.h>

/* For which machine an image is: OS/ARCHITECTURE[/VARIANT], in the words of Go. */

#define PLATFORM_MAX 64

/**
 * struct platform - one
 * @os:           "linux"
 * @architecture: "amd64"
 * @variant:      "v7"; "" when any will do
 */
struct platform {
        char os[32];
        char architecture[32];
        char variant[16];
};

/** platform_host() - what this machine runs */
struct platform platform_host(void);

/** platform_parse() - read what a user wrote; "" is this machine's
 * @text:         "linux/arm64", "arm64", "linux/arm/v7"
 * @ret_platform: untouched on failure
 * @err:          one line and a hint; may be NULL
 *
 * Return: 0, or -EINVAL with the kind COFFER_ERROR_USAGE.
 */
int platform_parse(const char *text, struct platform *ret_platform, struct coffer_error *err);

/** platform_fits() - whether something for these three will do; "" means it does not say */
bool platform_fits(const struct platform *want, const char *os, const char *architecture,
                   const char *variant);

/** platform_format() - "linux/arm/v7"; @to has PLATFORM_MAX bytes at least */
void platform_format(const struct platform *p, char *to);
