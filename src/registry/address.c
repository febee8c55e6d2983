/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

static const struct {
        uint32_t net;
        unsigned bits;
        enum address_rank rank;
} ranges4[] = {
        {0x00000000, 8,  ADDRESS_SPECIAL }, /* "this network": Linux takes 0.0.0.0 for loopback */
        {0x0a000000, 8,  ADDRESS_PRIVATE },
        {0x64400000, 10, ADDRESS_PRIVATE }, /* carrier-grade NAT */
        {0x7f000000, 8,  ADDRESS_LOOPBACK},
        {0xa9fe0000, 16, ADDRESS_SPECIAL }, /* link-local, 169.254.169.254 among it */
        {0xac100000, 12, ADDRESS_PRIVATE },
        {0xc0000000, 24, ADDRESS_SPECIAL }, /* protocol assignments */
        {0xc0a80000, 16, ADDRESS_PRIVATE },
        {0xc6120000, 15, ADDRESS_PRIVATE }, /* benchmarks; used inside */
        {0xe0000000, 3,  ADDRESS_SPECIAL }, /* multicast, reserved, broadcast */
};

static enum address_rank rank4(uint32_t address)
{
        for (size_t i = 0; i < ELEMENTS(ranges4); i++)
                if ((address ^ ranges4[i].net) >> (32 - ranges4[i].bits) == 0)
                        return ranges4[i].rank;
        return ADDRESS_PUBLIC;
}

static uint32_t ipv4_at(const uint8_t *bytes)
{
        return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
               bytes[3];
}

/* What leads to an IPv4 address: where it stands in the sixteen bytes. */
static const struct {
        uint8_t prefix[12];
        unsigned bytes;
        unsigned at;
} embedded[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},       12, 12}, /* mapped */
        {{0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 12}, /* NAT64 */
        {{0x20, 0x02},                                     2,  2 }, /* 6to4 */
};

static enum address_rank rank6(const uint8_t *a)
{
        static const uint8_t zero[15];

        if (memcmp(a, zero, 15) == 0)
                return a[15] == 1 ? ADDRESS_LOOPBACK : ADDRESS_SPECIAL;
        for (size_t i = 0; i < ELEMENTS(embedded); i++)
                if (memcmp(a, embedded[i].prefix, embedded[i].bytes) == 0)
                        return rank4(ipv4_at(a + embedded[i].at));
        if ((a[0] & 0xfe) == 0xfc)
                return ADDRESS_PRIVATE;
        /* 2000::/3 is what is given out; Teredo hides an IPv4 address in it. */
        if ((a[0] & 0xe0) != 0x20 || memcmp(a, "\x20\x01\x00\x00", 4) == 0)
                return ADDRESS_SPECIAL;
        return ADDRESS_PUBLIC;
}

enum address_rank address_rank(const struct sockaddr *address)
{
        if (address->sa_family == AF_INET) {
                struct sockaddr_in in;

                memcpy(&in, address, sizeof(in));
                return rank4(ntohl(in.sin_addr.s_addr));
        }
        if (address->sa_family == AF_INET6) {
                struct sockaddr_in6 in;

                memcpy(&in, address, sizeof(in));
                return rank6(in.sin6_addr.s6_addr);
        }
        return ADDRESS_SPECIAL;
}
