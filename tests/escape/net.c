/* SPDX-License-Identifier: Apache-2.0 */

/* Sockets: families that no namespace holds, and whoever listens on the host. */

#include "attack.h"

#include <base/cleanup.h>
#include <base/str.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define HIGH_BIT (1L << 32)

struct family {
        long family;
        long type;
        long protocol;
};

/* By number: the C library must not cut the upper half off. */
static int try_socket(struct attempt *a)
{
        const struct family *f = a->attack->arg;

        if (syscall(SYS_socket, f->family, f->type | SOCK_CLOEXEC, f->protocol) >= 0)
                return DONE;
        return -errno;
}

/* Refused by the filter whatever the kernel would say; a family that it lacks proves nothing. */
static const struct family raw4 = {AF_INET, SOCK_RAW, IPPROTO_ICMP};
static const struct family raw4_any = {AF_INET, SOCK_RAW, IPPROTO_RAW};
static const struct family raw6 = {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6};
static const struct family packet_raw = {AF_PACKET, SOCK_RAW, 0x0300};
static const struct family packet_dgram = {AF_PACKET, SOCK_DGRAM, 0x0300};
static const struct family vsock = {AF_VSOCK, SOCK_STREAM, 0};
static const struct family vsock_high = {AF_VSOCK | HIGH_BIT, SOCK_STREAM, 0};
static const struct family alg = {AF_ALG, SOCK_SEQPACKET, 0};
static const struct family key = {AF_KEY, SOCK_RAW, 2};
static const struct family bluetooth = {AF_BLUETOOTH, SOCK_RAW, 1};
static const struct family can = {AF_CAN, SOCK_RAW, 1};
static const struct family tipc = {AF_TIPC, SOCK_STREAM, 0};
static const struct family rds = {AF_RDS, SOCK_SEQPACKET, 0};
static const struct family xdp = {AF_XDP, SOCK_RAW, 0};
static const struct family kcm = {AF_KCM, SOCK_DGRAM, 0};
static const struct family uevent = {AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT};
static const struct family audit = {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT};
static const struct family netfilter = {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER};
static const struct family generic = {AF_NETLINK, SOCK_RAW, NETLINK_GENERIC};
static const struct family diag = {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG};
static const struct family xfrm = {AF_NETLINK, SOCK_RAW, NETLINK_XFRM};
static const struct family crypto = {AF_NETLINK, SOCK_RAW, NETLINK_CRYPTO};
static const struct family connector = {AF_NETLINK, SOCK_RAW, NETLINK_CONNECTOR};
static const struct family diag_high = {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG | HIGH_BIT};

/* The second way to a socket; a family that was let in says that it makes no pairs. */
static int try_pair(struct attempt *a)
{
        int fds[2];

        if (socketpair(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) >= 0)
                return DONE;
        return errno == EOPNOTSUPP ? attempt_say(a, DONE, "let in") : -errno;
}

/* A name without a file: only the network namespace (and Landlock's scope) parts it from us. */
static int abstract_socket(struct attempt *a)
{
        const char *name = fact("ABSTRACT");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        cleanup_close int fd = -EBADF;
        socklen_t length;

        if (name == NULL || strlen(name) > sizeof(address.sun_path) - 2)
                return attempt_say(a, NOTHING, "no socket is named");
        memcpy(address.sun_path + 1, name, strlen(name));
        length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return attempt_say(a, NOTHING, "socket: %s", ending_name(-errno));
        return connect(fd, (struct sockaddr *)&address, length) < 0 ? -errno : DONE;
}

static int host_loopback(struct attempt *a)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        cleanup_close int fd = -EBADF;
        long port = fact_number("PORT");

        if (port < 0)
                return attempt_say(a, NOTHING, "no port is named");
        address.sin_port = htons((uint16_t)port);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return attempt_say(a, NOTHING, "socket: %s", ending_name(-errno));
        return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : DONE;
}

/* Any interface that is up beside loopback leads somewhere past the door. */
static int other_interface(struct attempt *a)
{
        cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request;

        if (fd < 0)
                return attempt_say(a, NOTHING, "socket: %s", ending_name(-errno));
        for (int i = 1; i < 256; i++) {
                memset(&request, 0, sizeof(request));
                request.ifr_ifindex = i;
                if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                        continue;
                if ((request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_LOOPBACK) == 0)
                        return attempt_say(a, DONE, "%.16s is up", request.ifr_name);
        }
        return HELD;
}

/* Sends one request that wants an acknowledgement; its errno. */
static int ask_kernel(struct nlmsghdr *request)
{
        cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        struct {
                struct nlmsghdr head;
                struct nlmsgerr error;
                char echoed[1024];
        } reply;
        ssize_t n;

        if (fd < 0 || send(fd, request, request->nlmsg_len, 0) < 0)
                return -errno;
        n = recv(fd, &reply, sizeof(reply), 0);
        if (n < 0)
                return -errno;
        return reply.head.nlmsg_type == NLMSG_ERROR ? reply.error.error : -EIO;
}

/* Loopback taken down and up again: without rights over the namespace neither is answered. */
static int change_link(struct attempt *a)
{
        struct {
                struct nlmsghdr head;
                struct ifinfomsg link;
        } request = {
                .head = {.nlmsg_len = sizeof(request),
                         .nlmsg_type = RTM_NEWLINK,
                         .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK                               },
                .link = {.ifi_index = 1,               .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
        };

        return ask_kernel(&request.head);
}

/* A route of one's own would lead around the door's. */
static int add_route(struct attempt *a)
{
        struct {
                struct nlmsghdr head;
                struct rtmsg route;
                struct rtattr oif;
                int index;
        } request = {
                .head = {.nlmsg_len = sizeof(request),
                         .nlmsg_type = RTM_NEWROUTE,
                         .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
                .route = {.rtm_family = AF_INET,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_BOOT,
                         .rtm_scope = RT_SCOPE_LINK,
                         .rtm_type = RTN_UNICAST},
                .oif = {.rta_len = sizeof(struct rtattr) + sizeof(int),  .rta_type = RTA_OIF},
                .index = 1,
        };

        return ask_kernel(&request.head);
}

static int arrange_loopback(void)
{
        struct attempt a = {0};

        return change_link(&a);
}

#define FAMILY(name, what, row)                                                            \
        ATTACK("socket-" name, "socket(2)", what, "seccomp", try_socket, row, FRESH, NULL, \
               -EAFNOSUPPORT)
#define RAW(name, what, row)                                                                      \
        ATTACK("socket-" name, "socket(2)", what, "no CAP_NET_RAW", try_socket, row, FRESH, NULL, \
               -EPERM)

const struct attack net_attacks[] = {
        RAW("raw4", "makes an IPv4 packet by hand", &raw4),
        RAW("raw4-any", "makes an IPv4 packet of any protocol", &raw4_any),
        RAW("raw6", "makes an IPv6 packet by hand", &raw6),
        FAMILY("packet-raw", "makes a frame by hand", &packet_raw),
        FAMILY("packet-dgram", "reads every frame", &packet_dgram),
        FAMILY("vsock", "talks to the hypervisor: vsock has no namespace", &vsock),
        FAMILY("vsock-high", "the same with a bit above the family's 32", &vsock_high),
        FAMILY("alg", "uses the kernel's cryptography", &alg),
        FAMILY("key", "reads IPsec keys", &key),
        FAMILY("bluetooth", "reaches a rare family's code", &bluetooth),
        FAMILY("can", "reaches a rare family's code", &can),
        FAMILY("tipc", "reaches a rare family's code", &tipc),
        FAMILY("rds", "reaches a rare family's code", &rds),
        FAMILY("xdp", "takes frames before the stack", &xdp),
        FAMILY("kcm", "reaches a rare family's code", &kcm),
        FAMILY("uevent", "hears of devices", &uevent),
        FAMILY("audit", "speaks to the host's audit", &audit),
        FAMILY("netfilter", "changes the door's rules", &netfilter),
        FAMILY("generic", "reaches any generic netlink family", &generic),
        FAMILY("diag", "lists sockets", &diag),
        FAMILY("diag-high", "the same with a bit above the protocol's 32", &diag_high),
        FAMILY("xfrm", "changes IPsec", &xfrm),
        FAMILY("crypto", "configures the kernel's cryptography", &crypto),
        FAMILY("connector", "hears of every fork on the host", &connector),
        ATTACK("socket-pair", "socketpair(2)", "makes a pair of a family that is left out",
               "seccomp", try_pair, NULL, FRESH, NULL, -EAFNOSUPPORT),
        ATTACK("abstract-socket", "abstract unix sockets", "connects to one of the host",
               "network namespace, Landlock scope", abstract_socket, NULL, PLAIN, NULL,
               -ECONNREFUSED, -EPERM),
        ATTACK("host-loopback", "127.0.0.1", "connects to a port of the host's loopback",
               "network namespace", host_loopback, NULL, PLAIN, NULL, -ECONNREFUSED, -ENETUNREACH),
        ATTACK("other-interface", "interfaces", "finds one that is up beside loopback",
               "network namespace", other_interface, NULL, PLAIN, NULL, HELD),
        ATTACK("change-link", "rtnetlink", "changes an interface", "no CAP_NET_ADMIN", change_link,
               NULL, FRESH, NULL, -EPERM),
        ATTACK("add-route", "rtnetlink", "adds a route", "no CAP_NET_ADMIN", add_route, NULL, FRESH,
               arrange_loopback, -EPERM),
        {NULL},
};
