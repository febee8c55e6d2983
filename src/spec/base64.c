/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(const char *s, struct buf *to)
{
        size_t size = strlen(s);

        for (size_t i = 0; i < size; i += 3) {
                const unsigned char *p = (const unsigned char *)s + i;
                size_t n = size - i < 3 ? size - i : 3;
                uint32_t bits = (uint32_t)p[0] << 16;
                char four[4];

                bits |= n > 1 ? (uint32_t)p[1] << 8 : 0;
                bits |= n > 2 ? p[2] : 0;
                for (size_t j = 0; j < 4; j++)
                        four[j] = j > n ? '=' : letters[bits >> (18 - 6 * j) & 63];
                (void)buf_append(to, four, sizeof(four));
        }
        return to->failed;
}

/* How many bytes one group of four letters holds; 0 when it is none. */
static size_t decode_four(const char *text, uint32_t *ret_bits)
{
        size_t n = text[2] == '=' && text[3] == '=' ? 1 : text[3] == '=' ? 2 : 3;

        *ret_bits = 0;
        for (size_t i = 0; i < 4; i++) {
                const char *letter = text[i] && i <= n ? strchr(letters, text[i]) : NULL;

                if (i <= n && !letter)
                        return 0;
                *ret_bits = *ret_bits << 6 | (letter ? (uint32_t)(letter - letters) : 0);
        }
        return *ret_bits & ((UINT32_C(1) << (24 - 8 * n)) - 1) ? 0 : n;
}

int base64_decode(const char *text, char **ret_s)
{
        size_t size = strlen(text), used = 0;
        cleanup_free char *s = NULL;

        if (size % 4 != 0)
                return -EINVAL;
        s = malloc(size / 4 * 3 + 1);
        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < size; i += 4) {
                uint32_t bits;
                size_t n = decode_four(text + i, &bits);

                if (n == 0 || (n < 3 && i + 4 < size))
                        return -EINVAL;
                for (size_t j = 0; j < n; j++) {
                        s[used] = (char)(bits >> (16 - 8 * j));
                        if (s[used++] == '\0')
                                return -EINVAL;
                }
        }
        s[used] = '\0';
        *ret_s = take_ptr(s);
        return 0;
}
