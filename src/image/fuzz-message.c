/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "image/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf again = BUF_INIT(UNPACK_ANSWER_MAX + 1);
        struct image_manifest m = {0};

        if (size > UNPACK_ANSWER_MAX || message_decode(data, size, &m) < 0) {
                fuzz_assert(!m.layers);
                return 0;
        }
        /* What was understood says the same when it is said again. */
        fuzz_assert(message_encode(&m, &again) == 0 && again.size == size);
        fuzz_assert(image_is_digest(m.id));
        image_manifest_release(&m);
        buf_release(&again);
        return 0;
}
