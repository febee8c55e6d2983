/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cause.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/host.h"

static bool clone_off(const struct cause_facts *f)
{
        return f->userns_clone == 0 && !f->root;
}

static bool none_allowed(const struct cause_facts *f)
{
        return f->userns_max == 0;
}

static bool apparmor(const struct cause_facts *f)
{
        return f->apparmor_userns == 1 && !f->root;
}

static bool no_setpcap(const struct cause_facts *f)
{
        return !f->has_setpcap;
}

static bool filtered(const struct cause_facts *f)
{
        return f->filtered;
}

static bool always(const struct cause_facts *f)
{
        return true;
}

#define CONTAINER_FIX                                                                  \
        "start the container with a filter that allows it, or --security-opt seccomp=" \
        "unconfined"

/*
 * In the order in which they are looked at; @code 0 stands for any.  A filter comes after what a
 * setting or a capability explains, since almost every container has one.
 */
static const struct {
        const char *control;
        int code;
        bool (*applies)(const struct cause_facts *f);
        struct cause cause;
} table[] = {
        {"userns",
         0,                      clone_off,
         {"kernel.unprivileged_userns_clone is 0", "sysctl kernel.unprivileged_userns_clone=1"}                  },
        {"userns",
         0,                      none_allowed,
         {"user.max_user_namespaces is 0", "sysctl user.max_user_namespaces=15000"}                              },
        {"userns",
         0,                      apparmor,
         {"AppArmor restricts user namespaces",
          "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for coffer"}                      },
        {"userns",
         ENOSPC,                 always,
         {"there are too many of them, or of namespaces in them",
          "raise user.max_user_namespaces"}                                                                      },
        {"userns",       0,      filtered,     {"a seccomp filter around coffer refuses it", CONTAINER_FIX}      },
        {"userns",       0,      always,       {"", "run coffer where user namespaces are allowed"}              },
        {"overlay",      ENODEV, always,       {"the kernel has no overlayfs", "modprobe overlay"}               },
        {"overlay",      0,      filtered,     {"a seccomp filter around coffer may refuse it", CONTAINER_FIX}   },
        {"overlay",      0,      always,       {"", "use a kernel of version 5.11 or later"}                     },
        {"bounding-set",
         0,                      no_setpcap,
         {"CAP_SETPCAP is not in the bounding set",
          "start the container with --cap-add SETPCAP, or coffer outside of it"}                                 },
        {"bounding-set", 0,      filtered,     {"a seccomp filter around coffer refuses it", CONTAINER_FIX}      },
        {"bounding-set",
         0,                      apparmor,
         {"AppArmor restricts capabilities in user namespaces",
          "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for coffer"}                      },
        {"bounding-set", 0,      always,       {"", "run coffer where capabilities can be dropped"}              },
        {"landlock",
         ENOSYS,                 filtered,
         {"no Landlock in the kernel, or a filter that hides it",
          "use a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or later), outside of the filter"}                   },
        {"landlock",
         ENOSYS,                 always,
         {"the kernel has no Landlock",
          "use a kernel of version 5.13 or later with CONFIG_SECURITY_LANDLOCK"}                                 },
        {"landlock",
         EOPNOTSUPP,             always,
         {"the kernel has it, and it is not switched on", "boot with landlock in lsm="}                          },
        {"landlock",     0,      filtered,     {"a seccomp filter around coffer refuses it", CONTAINER_FIX}      },
        {"landlock",     0,      always,       {"", "boot a kernel that has Landlock in lsm="}                   },
        {"seccomp",
         EINVAL,                 always,
         {"the kernel has no filters", "use a kernel with CONFIG_SECCOMP_FILTER"}                                },
        {"seccomp",      0,      always,       {"", "run coffer where it may install a filter"}                  },
        {"no-new-privs", 0,      always,       {"", "run coffer outside of what refuses it"}                     },
        {"nftables",
         EPROTONOSUPPORT,        always,
         {"the kernel has no netfilter sockets", "modprobe nfnetlink nf_tables"}                                 },
        {"nftables",     0,      always,       {"", "modprobe nf_tables"}                                        },
        {"kvm",
         ENOENT,                 always,
         {"there is no such device",
          "modprobe kvm_intel or kvm_amd; in a virtual machine it has to be nested"}                             },
        {"kvm",          EACCES, always,       {"it is closed to you", "usermod --append --groups kvm USER"}     },
        {"kvm",          0,      always,       {"", "look whether the processor's virtualization is switched on"}},
        {"",             0,      always,       {"", ""}                                                          },
};

const struct cause *cause_find(const char *control, int code, const struct cause_facts *facts)
{
        size_t i = 0;

        while (i + 1 < ELEMENTS(table) &&
               (!str_eq(table[i].control, control) ||
                (table[i].code != 0 && table[i].code != -code) || !table[i].applies(facts)))
                i++;
        return &table[i].cause;
}

/* A number in a file of /proc/sys; -1 when there is no such setting. */
static int64_t setting(const char *path)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(64);
        uint64_t value;

        if (buf_read_file(&b, AT_FDCWD, path) < 0 || !b.data)
                return -1;
        b.data[strcspn(b.data, "\n")] = '\0';
        return str_to_u64(b.data, INT64_MAX, &value) == 0 ? (int64_t)value : -1;
}

void cause_gather(struct cause_facts *ret)
{
        cleanup_with(buf_release) struct buf status = BUF_INIT(16 * 1024);
        const char *line = NULL;

        if (buf_read_file(&status, AT_FDCWD, "/proc/self/status") == 0 && status.data)
                line = strstr(status.data, "\nSeccomp:");
        *ret = (struct cause_facts){
                .root = host_is_root(),
                .has_setpcap = prctl(PR_CAPBSET_READ, CAP_SETPCAP, 0, 0, 0) == 1,
                .filtered = line && strtol(line + strlen("\nSeccomp:"), NULL, 10) == 2,
                .userns_clone = setting("/proc/sys/kernel/unprivileged_userns_clone"),
                .userns_max = setting("/proc/sys/user/max_user_namespaces"),
                .apparmor_userns =
                        setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        };
}
