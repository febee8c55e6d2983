/* SPDX-License-Identifier: Apache-2.0 */
/* Auth files: what is found can stand in a header; what is added is found, what is taken out is
 * not. */
#include "fuzz.h"

#include <string.h>

#include "registry/credential.h"

static void check(const char *value, size_t size)
{
        fuzz_assert(memchr(value, '\0', size));
        for (; *value; value++)
                fuzz_assert((unsigned char)*value >= ' ' && *value != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char host[] = "r.example:5000";
        static struct credential c;
        char helper[CREDENTIAL_HELPER_MAX];
        struct buf edited = BUF_INIT((size_t)4 * 1024 * 1024);
        bool had = false;

        if (credential_parse((const char *)data, size, host, "a/b", &c, helper, NULL) == 0) {
                check(c.user, sizeof(c.user));
                check(c.secret, sizeof(c.secret));
                fuzz_assert(!strchr(helper, '/') && helper[0] != '.');
        }
        if (credential_edit((const char *)data, size, host, "bWU6cHc=", &edited, &had, NULL) == 0 &&
            credential_parse(edited.data, edited.size, host, "", &c, helper, NULL) == 0)
                fuzz_assert(strcmp(c.user, "me") == 0 && strcmp(c.secret, "pw") == 0);
        buf_release(&edited);
        edited = BUF_INIT((size_t)4 * 1024 * 1024);
        if (credential_edit((const char *)data, size, host, NULL, &edited, &had, NULL) == 0 &&
            credential_parse(edited.data, edited.size, host, "", &c, helper, NULL) == 0)
                fuzz_assert(c.kind == PULL_SECRET_NONE);
        buf_release(&edited);
        return 0;
}
