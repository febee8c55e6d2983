/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/id.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"
#include "spec/spec.h"

#define ID_PREFIX_MIN 4

/* RFC 4648 base32 in lower case: no 0, 1 and 8 to be misread. */
static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

/* Up to 256 bytes come whole or not at all, and once the kernel is seeded never fail. */
static int random_bytes(void *to, size_t size)
{
        ssize_t n;

        do
                n = getrandom(to, size, 0);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int spec_new_id(char ret_id[SPEC_ID_LENGTH + 1])
{
        uint8_t bytes[SPEC_ID_LENGTH];
        int r;

        r = random_bytes(bytes, sizeof(bytes));
        if (r < 0)
                return r;
        for (size_t i = 0; i < SPEC_ID_LENGTH; i++)
                ret_id[i] = id_letters[bytes[i] % 32];
        ret_id[SPEC_ID_LENGTH] = '\0';
        return 0;
}

bool spec_is_id(const char *s)
{
        return strlen(s) == SPEC_ID_LENGTH && strspn(s, id_letters) == SPEC_ID_LENGTH;
}

bool spec_is_id_prefix(const char *s)
{
        size_t size = strlen(s);

        return size >= ID_PREFIX_MIN && size <= SPEC_ID_LENGTH && strspn(s, id_letters) == size;
}

bool spec_is_volume_name(const char *s)
{
        size_t size = strlen(s);

        if (size == 0 || size > SPEC_NAME_MAX || !isalnum((unsigned char)s[0]))
                return false;
        for (size_t i = 1; i < size; i++)
                if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
                        return false;
        return true;
}

bool spec_is_name(const char *s)
{
        return spec_is_volume_name(s) && !spec_is_id(s);
}

/* 64 of each, so that six random bits choose.  Nobody should mind being called by any of them. */
static const char *const adjectives[64] = {
        "able",   "airy",   "amber",  "ample",  "apt",    "azure",  "bold",    "brave",
        "bright", "brisk",  "calm",   "candid", "cheery", "civil",  "clever",  "cosy",
        "crisp",  "deft",   "eager",  "early",  "fair",   "fleet",  "fond",    "frank",
        "fresh",  "gentle", "glad",   "golden", "grand",  "handy",  "hardy",   "honest",
        "humble", "jolly",  "keen",   "kind",   "lively", "lucid",  "lucky",   "mellow",
        "merry",  "mild",   "modest", "neat",   "nimble", "noble",  "patient", "placid",
        "plucky", "polite", "proud",  "quick",  "quiet",  "ready",  "serene",  "silver",
        "snug",   "steady", "sunny",  "tidy",   "trusty", "upbeat", "warm",    "witty",
};

/* Makers of locks, chests, clocks and instruments, and people who studied secrets and numbers. */
static const char *const surnames[64] = {
        "abel",        "agnesi",     "alberti",    "amati",        "babbage",    "bell",
        "bernoulli",   "boole",      "bramah",     "breguet",      "cayley",     "chappe",
        "chippendale", "chubb",      "clavius",    "conway",       "cristofori", "davy",
        "dedekind",    "driscoll",   "erard",      "euler",        "fabry",      "faraday",
        "fermat",      "friedman",   "galois",     "gauss",        "germain",    "graham",
        "guarneri",    "hamming",    "harrison",   "hobbs",        "hopper",     "huygens",
        "jacquard",    "kepler",     "knox",       "kovalevskaya", "lamarr",     "lovelace",
        "mercator",    "milner",     "napier",     "noether",      "ohm",        "pascal",
        "ramanujan",   "riemann",    "rejewski",   "sheraton",     "silbermann", "somerville",
        "steinway",    "stradivari", "tompion",    "trithemius",   "turing",     "tutte",
        "vigenere",    "wallis",     "wheatstone", "yale",
};

int spec_made_up_name(unsigned attempt, char ret_name[SPEC_NAME_BUFFER])
{
        uint16_t bits[2];
        char number[8] = "";
        int r;

        r = random_bytes(bits, sizeof(bits));
        if (r < 0)
                return r;
        if (attempt >= 2)
                (void)snprintf(number, sizeof(number), "%u", bits[1] % 10000u);
        (void)snprintf(ret_name, SPEC_NAME_BUFFER, "%s_%s%s", adjectives[bits[0] % 64],
                       surnames[bits[0] / 64 % 64], number);
        return 0;
}
