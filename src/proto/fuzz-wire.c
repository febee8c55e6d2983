/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One byte that chooses a message, then its encoding.  What is decoded is sound, and encoding it
 * again gives the bytes that were read: there is one encoding of each message.
 */
#include "fuzz.h"

#include <errno.h>

#include "proto/test-message.h"

static void check_round_trip(const struct wire_table *table, const void *message,
                             const uint8_t *data, size_t size)
{
        struct buf out = BUF_INIT(4 * PROTO_PAYLOAD_MAX);
        void *again = message_new(table);

        fuzz_assert(wire_encode(&out, table, message) == 0);
        fuzz_assert(memcmp(out.data, data, out.size < size ? out.size : size) == 0);
        fuzz_assert(wire_decode(out.data, out.size, table, again) == 0);
        fuzz_assert(messages_equal(table, message, again));
        message_free(table, again);
        buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint16_t types[TEST_TYPES_MAX];
        size_t count = message_types(types);
        const struct wire_table *table;
        void *message;
        int r;

        if (size == 0 || size > PROTO_PAYLOAD_MAX)
                return 0;
        table = proto_table(types[data[0] % count]);
        message = message_new(table);
        r = wire_decode(data + 1, size - 1, table, message);
        fuzz_assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
        if (r == 0) {
                fuzz_assert(message_is_sound(table, message));
                check_round_trip(table, message, data + 1, size - 1);
        } else {
                for (size_t i = 0; i < table->struct_bytes; i++)
                        fuzz_assert(((const char *)message)[i] == 0);
        }
        message_free(table, message);
        return 0;
}
