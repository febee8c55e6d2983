/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/netns.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"

int netns_loopback_up(struct coffer_error *err)
{
        cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq ifr = {.ifr_name = "lo"};

        if (fd < 0)
                return error_set(err, -errno, "open a socket in the box's network namespace");
        ifr.ifr_flags = IFF_UP | IFF_RUNNING;
        if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
                return error_set(err, -errno, "bring the loopback interface up");
        return 0;
}
