/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <strings.h>

#include "spec/spec.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* By number; capabilities(7). */
static const char *const names[CAPS_COUNT] = {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
};

/*
 * What root of an image needs to install packages and to serve a port.  Each acts on the box's own
 * ids, files and ports only, as the box has its user and network namespaces.  Docker's other
 * defaults are left out: MKNOD and AUDIT_WRITE do nothing in a user namespace, NET_RAW forges
 * packets, SYS_CHROOT opens ways out of a directory, SETPCAP is for who confines.
 */
#define ROOT_DEFAULT                                                                  \
        (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | \
         BIT(CAP_KILL) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) |       \
         BIT(CAP_NET_BIND_SERVICE))

const char *caps_name(unsigned cap)
{
        return cap < CAPS_COUNT ? names[cap] : NULL;
}

int caps_number(const char *name)
{
        if (strncasecmp(name, "CAP_", 4) == 0)
                name += 4;
        for (int i = 0; i < CAPS_COUNT; i++)
                if (strcasecmp(names[i] + 4, name) == 0)
                        return i;
        return -EINVAL;
}

static uint64_t sum(const struct strv *list)
{
        uint64_t bits = 0;

        for (size_t i = 0; i < list->count; i++) {
                int cap = caps_number(list->items[i]);

                bits |= cap < 0 ? CAPS_ALL : BIT(cap); /* checked by spec_set(): else it is "ALL" */
        }
        return bits;
}

/* As Docker: a name wins over "ALL" on the other side. */
uint64_t spec_caps_root(const struct spec *s)
{
        uint64_t add = sum(&s->cap_add), drop = sum(&s->cap_drop);

        if (add == CAPS_ALL)
                return CAPS_ALL & ~drop;
        if (drop == CAPS_ALL)
                return add;
        return (ROOT_DEFAULT & ~drop) | add;
}

uint64_t spec_caps_user(const struct spec *s)
{
        uint64_t add = sum(&s->cap_add), drop = sum(&s->cap_drop);

        return drop == CAPS_ALL ? add : add & ~drop;
}
