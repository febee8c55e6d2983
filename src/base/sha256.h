/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 (FIPS 180-4), for the programs that link no library.  Image digests are OpenSSL's, in the
 * programs that have it.
 */

#define SHA256_BYTES     32
#define SHA256_HEX_CHARS (2 * SHA256_BYTES)

/** struct sha256 - a hash under way; its members are the implementation's */
struct sha256 {
        uint32_t state[8];
        uint64_t bytes;
        unsigned char block[64];
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t size);
/** sha256_end() - the hash; @h can be begun again */
void sha256_end(struct sha256 *h, unsigned char ret_hash[SHA256_BYTES]);

/** sha256_hex() - of @size bytes, in lower case and with its NUL */
void sha256_hex(const void *data, size_t size, char ret_hex[SHA256_HEX_CHARS + 1]);
