/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"

static size_t walk(const struct json_value *value, unsigned depth)
{
        char path[64];
        struct json_value child;
        const char *s = NULL;
        void *iter = NULL;
        size_t count = 1;

        fuzz_assert(depth <= JSON_MAX_DEPTH + 1);
        json_path(value, path, sizeof(path));
        fuzz_assert(strlen(path) < sizeof(path));
        (void)json_to_string(value, JSON_OPTIONAL, &s, NULL);

        while (json_next(value, &iter, &child))
                count += walk(&child, depth + 1);
        for (size_t i = 0; s == NULL && i < json_count(value); i++) {
                child = json_item(value, i);
                if (json_has(&child))
                        count += walk(&child, depth + 1);
        }
        return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct coffer_error err = {0};
        struct json_value root;
        int r;

        r = json_parse(data, size, NULL, &doc, &err);
        fuzz_assert((r == 0) == (doc != NULL));
        fuzz_assert((r == 0) == (err.msg[0] == '\0'));
        if (r < 0)
                return 0;

        root = json_root(doc);
        fuzz_assert(walk(&root, 1) <= (size_t)2 * JSON_MAX_VALUES);
        return 0;
}
