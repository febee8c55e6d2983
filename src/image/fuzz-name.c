/* SPDX-License-Identifier: Apache-2.0 */
/* A name that is taken is what it says, and what it says is taken again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "image/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct coffer_error err = {0};
        struct image_name n, again;
        char *text = malloc(size + 1), shown[NAME_TEXT_MAX];

        if (!text)
                abort();
        memcpy(text, data, size);
        text[size] = '\0';
        if (name_parse(text, &n, &err) < 0)
                fuzz_assert(err.kind == COFFER_ERROR_USAGE && err.msg[0] != '\0');
        else {
                fuzz_assert(name_check_host(n.host) == 0);
                fuzz_assert(n.tag[0] != '\0' || n.digest[0] != '\0');
                fuzz_assert(!strstr(n.repository, "..") && !strchr(n.repository, '@'));
                name_format(&n, shown);
                fuzz_assert(name_parse(shown, &again, &err) == 0);
                fuzz_assert(strcmp(n.host, again.host) == 0 &&
                            strcmp(n.repository, again.repository) == 0 &&
                            strcmp(n.tag, again.tag) == 0);
        }
        free(text);
        return 0;
}
