/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken of a header ends, and has no byte that could become a header of its own. */
#include "fuzz.h"

#include <string.h>

#include "registry/challenge.h"

static void check(const char *value, size_t size)
{
        fuzz_assert(memchr(value, '\0', size));
        for (; *value; value++)
                fuzz_assert((unsigned char)*value >= ' ' && *value != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct challenge c;

        if (challenge_parse((const char *)data, size, &c) < 0)
                return 0;
        fuzz_assert(c.scheme == CHALLENGE_BASIC || c.scheme == CHALLENGE_BEARER);
        fuzz_assert(c.scheme == CHALLENGE_BASIC || c.realm[0] != '\0');
        check(c.realm, sizeof(c.realm));
        check(c.service, sizeof(c.service));
        check(c.scope, sizeof(c.scope));
        return 0;
}
