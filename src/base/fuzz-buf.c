/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a box or an image chose go into JSON: whatever they hold, what comes out is one
 * string. */
#include "base/buf.h"

#include <string.h>

#include "fuzz.h"

static bool is_hex(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The end of the JSON string that begins at s, or NULL. */
static const char *string_end(const char *s)
{
        if (*s++ != '"')
                return NULL;
        for (; *s != '"'; s++) {
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        return NULL;
                if (*s != '\\')
                        continue;
                s++;
                if (*s == 'u') {
                        for (int i = 0; i < 4; i++)
                                if (!is_hex(*++s))
                                        return NULL;
                } else if (*s != '"' && *s != '\\') {
                        return NULL;
                }
        }
        return s + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf b = BUF_INIT(8 * size + 16);
        struct buf again = BUF_INIT(8 * size + 16);
        char *text = malloc(size + 1);

        fuzz_assert(text);
        memcpy(text, data, size);
        text[size] = '\0';

        fuzz_assert(buf_append_json(&b, text) == 0);
        fuzz_assert(string_end(b.data) == b.data + b.size);

        /* What came out is UTF-8, so a second pass has nothing to replace: it only escapes. */
        fuzz_assert(buf_append_json(&again, b.data) == 0);
        fuzz_assert(again.size >= b.size + 4);
        if (strlen(text) == size && !memmem(text, size, "\xef\xbf\xbd", 3) &&
            memmem(b.data, b.size, "\xef\xbf\xbd", 3))
                fuzz_assert(memmem(again.data, again.size, "\xef\xbf\xbd", 3));

        buf_release(&again);
        buf_release(&b);
        free(text);
        return 0;
}
