/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/socket.h>

/*
 * How far inside an address lies.  A registry may send us on (redirects, token servers) to what is
 * as far outside as itself, never further in: a public one cannot make us ask a machine behind the
 * firewall, and no other one the programs of this host.
 */
enum address_rank {
        ADDRESS_PUBLIC,
        ADDRESS_PRIVATE,  /* RFC 1918, 6598, 4193 */
        ADDRESS_LOOPBACK, /* this host */
        ADDRESS_SPECIAL,  /* link-local with the clouds' metadata, multicast, unspecified, reserved
                           */
};

/** address_rank() - of an IPv4 or IPv6 address; forms of IPv4 in IPv6 count as the IPv4 address */
enum address_rank address_rank(const struct sockaddr *address);
