/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/error.h"
#include "sandbox/test-child.h"
#include "t.h"

/* A datagram to ourselves over the loopback interface. */
static int reach_loopback(int family)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        struct sockaddr_in four = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr *address =
                family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
        socklen_t size = family == AF_INET ? sizeof(four) : sizeof(six);
        int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        char c = 0;

        if (fd < 0 || bind(fd, address, size) < 0 || getsockname(fd, address, &size) < 0 ||
            connect(fd, address, size) < 0 || send(fd, "x", 1, 0) != 1)
                return -errno;
        return recv(fd, &c, 1, MSG_DONTWAIT) == 1 && c == 'x' ? 0 : -EIO;
}

static int loopback_alone(void)
{
        struct coffer_error err = {0};

        WANT(single_id_namespace(CLONE_NEWNET) == 0);
        NEED(reach_loopback(AF_INET) == -ENETUNREACH);
        NEED(netns_loopback_up(&err) == 0 && err.code == 0);
        NEED(reach_loopback(AF_INET) == 0);
        NEED(reach_loopback(AF_INET6) == 0 || reach_loopback(AF_INET6) == -EAFNOSUPPORT);
        NEED(netns_loopback_up(NULL) == 0); /* it is up already */
        return 0;
}

TEST(a_new_network_namespace_reaches_itself_once_lo_is_up)
{
        t_child(loopback_alone);
}

/* The namespace of the process is not the one that it has rights in. */
static int without_rights(void)
{
        struct coffer_error err = {0};

        WANT(single_id_namespace(0) == 0);
        NEED(netns_loopback_up(&err) == -EPERM);
        NEED(strstr(err.msg, "bring the loopback interface up"));
        return 0;
}

TEST(who_may_not_bring_it_up_is_told)
{
        t_child(without_rights);
}
