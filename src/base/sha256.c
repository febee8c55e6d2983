/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <string.h>

/* The names of the variables and functions are those of FIPS 180-4, sections 4.1.2 and 6.2.2. */

static const uint32_t K[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned n)
{
        return x >> n | x << (32 - n);
}

static uint32_t load(const unsigned char *p)
{
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store(unsigned char *p, uint32_t x)
{
        for (unsigned i = 0; i < 4; i++)
                p[i] = (unsigned char)(x >> (24 - 8 * i));
}

static void schedule(const unsigned char *block, uint32_t W[64])
{
        for (unsigned t = 0; t < 16; t++)
                W[t] = load(block + (size_t)4 * t);
        for (unsigned t = 16; t < 64; t++) {
                uint32_t s0 = rotr(W[t - 15], 7) ^ rotr(W[t - 15], 18) ^ W[t - 15] >> 3;
                uint32_t s1 = rotr(W[t - 2], 17) ^ rotr(W[t - 2], 19) ^ W[t - 2] >> 10;

                W[t] = s1 + W[t - 7] + s0 + W[t - 16];
        }
}

static void compress(uint32_t state[8], const unsigned char *block)
{
        uint32_t W[64], v[8];

        schedule(block, W);
        memcpy(v, state, sizeof(v));
        for (unsigned t = 0; t < 64; t++) {
                uint32_t a = v[0], e = v[4];
                uint32_t T1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
                              ((e & v[5]) ^ (~e & v[6])) + K[t] + W[t];
                uint32_t T2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
                              ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

                memmove(v + 1, v, 7 * sizeof(v[0]));
                v[4] += T1;
                v[0] = T1 + T2;
        }
        for (unsigned i = 0; i < 8; i++)
                state[i] += v[i];
}

void sha256_begin(struct sha256 *h)
{
        *h = (struct sha256){
                .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                          0x1f83d9ab, 0x5be0cd19},
        };
}

void sha256_add(struct sha256 *h, const void *data, size_t size)
{
        const unsigned char *from = data;
        size_t used = h->bytes % sizeof(h->block);

        h->bytes += size;
        if (used > 0) {
                size_t n = sizeof(h->block) - used;

                n = n < size ? n : size;
                memcpy(h->block + used, from, n);
                from += n;
                size -= n;
                if (used + n < sizeof(h->block))
                        return;
                compress(h->state, h->block);
        }
        for (; size >= sizeof(h->block); size -= sizeof(h->block), from += sizeof(h->block))
                compress(h->state, from);
        if (size > 0)
                memcpy(h->block, from, size);
}

void sha256_end(struct sha256 *h, unsigned char ret_hash[SHA256_BYTES])
{
        static const unsigned char padding[64] = {0x80};
        uint64_t bits = h->bytes * 8;
        size_t used = h->bytes % sizeof(h->block);
        unsigned char length[8];

        store(length, (uint32_t)(bits >> 32));
        store(length + 4, (uint32_t)bits);
        sha256_add(h, padding, used < 56 ? 56 - used : 120 - used);
        sha256_add(h, length, sizeof(length));
        for (unsigned i = 0; i < 8; i++)
                store(ret_hash + (size_t)4 * i, h->state[i]);
}

void sha256_hex(const void *data, size_t size, char ret_hex[SHA256_HEX_CHARS + 1])
{
        static const char digits[] = "0123456789abcdef";
        unsigned char hash[SHA256_BYTES];
        struct sha256 h;

        sha256_begin(&h);
        sha256_add(&h, data, size);
        sha256_end(&h, hash);
        for (unsigned i = 0; i < SHA256_BYTES; i++) {
                ret_hex[2 * i] = digits[hash[i] >> 4];
                ret_hex[2 * i + 1] = digits[hash[i] & 15];
        }
        ret_hex[SHA256_HEX_CHARS] = '\0';
}
