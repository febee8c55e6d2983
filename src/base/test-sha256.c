/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#include "t.h"

/* The examples of FIPS 180-4's companion "SHA256.pdf", and NIST's short messages (SHAVS). */
TEST(hashes_as_the_standard_says)
{
        static const char *const rows[][2] = {
                {"",                                                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                {"abc",                                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                            },
                {"\xbd",                                                     "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
                {"\xc9\x8c\x8e\x55",
                 "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"                                                            },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char hex[SHA256_HEX_CHARS + 1];

                t_note("row %zu", i);
                sha256_hex(rows[i][0], strlen(rows[i][0]), hex);
                t_str(rows[i][1], hex);
        }
}

TEST(hashes_a_million_letters_in_pieces_of_any_size)
{
        static const unsigned char expected[SHA256_BYTES] = {
                0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
                0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
                0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0,
        };
        static char letters[200];
        unsigned char hash[SHA256_BYTES];
        struct sha256 h;
        size_t left = 1000000;

        memset(letters, 'a', sizeof(letters));
        srand((unsigned)t_seed());
        sha256_begin(&h);
        while (left > 0) {
                size_t n = (size_t)rand() % (sizeof(letters) + 1);

                n = n < left ? n : left;
                sha256_add(&h, letters, n);
                left -= n;
        }
        sha256_end(&h, hash);
        t_mem(expected, hash, sizeof(hash));
}
