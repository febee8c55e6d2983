/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct coffer_error err = {0};
        struct reference ref;
        char *text = malloc(size + 1);

        if (!text)
                abort();
        memcpy(text, data, size);
        text[size] = '\0';
        if (reference_parse(text, &ref, &err) < 0) {
                fuzz_assert(err.kind == COFFER_ERROR_USAGE && err.msg[0] != '\0');
        } else {
                fuzz_assert((ref.path[0] == '\0') == (ref.form == REFERENCE_HOST));
                fuzz_assert(ref.form == REFERENCE_DIR || ref.form == REFERENCE_NAME ||
                            !strchr(ref.path, ':'));
                fuzz_assert(strlen(ref.path) + strlen(ref.tag) <= size);
        }
        free(text);
        return 0;
}
