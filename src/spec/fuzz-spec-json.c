/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration from anywhere: whatever is read can be written, and is then read as the same
 * document.  That the reader compares with the writer makes the second part hold for a whole class
 * of mistakes; here it is checked from outside.
 */
#include "fuzz.h"

#include <string.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf first = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct buf second = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct coffer_error err = {0};
        struct spec s, again;
        int r;

        r = spec_from_json((const char *)data, size, &s, &err);
        if (r < 0) {
                fuzz_assert(err.code == r && err.msg[0] != '\0');
                fuzz_assert(!strchr(err.msg, '\n'));
                return 0;
        }
        fuzz_assert(spec_validate(&s, &err) == 0);
        fuzz_assert(spec_to_json(&s, &first) == 0);
        fuzz_assert(spec_from_json(first.data, first.size, &again, &err) == 0);
        fuzz_assert(spec_to_json(&again, &second) == 0);
        fuzz_assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);

        spec_release(&s);
        spec_release(&again);
        buf_release(&first);
        buf_release(&second);
        return 0;
}
