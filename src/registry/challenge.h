/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* WWW-Authenticate (RFC 9110, 11.6.1), as far as registries use it. */

enum challenge_scheme { CHALLENGE_BASIC = 1, CHALLENGE_BEARER };

#define CHALLENGE_REALM_MAX 2048
#define CHALLENGE_VALUE_MAX 1024

/**
 * struct challenge - how a server wants to be asked
 * @scheme:  which way
 * @realm:   of Bearer: the URL of its token server; of Basic: words for people
 * @service: "" when it does not say
 * @scope:   likewise
 */
struct challenge {
        enum challenge_scheme scheme;
        char realm[CHALLENGE_REALM_MAX];
        char service[CHALLENGE_VALUE_MAX];
        char scope[CHALLENGE_VALUE_MAX];
};

/** challenge_parse() - read the value of one header
 * @value:         bytes without the header's name; need not end in NUL
 * @size:          how many
 * @ret_challenge: the best of several: Bearer before Basic; untouched on failure
 *
 * Return: 0; -EPROTONOSUPPORT when no scheme is one of ours; -EBADMSG for what no server may say.
 */
int challenge_parse(const char *value, size_t size, struct challenge *ret_challenge);
