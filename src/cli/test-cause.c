/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cause.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#include "t.h"

TEST(the_cause_is_the_one_that_the_facts_explain)
{
        static const struct {
                const char *control;
                int code;
                struct cause_facts facts;
                const char *why;
                const char *fix;
        } rows[] = {
                {"userns",
                 EPERM,                      {false, true, false, 0, 100, -1},
                 "unprivileged_userns_clone",                                                     "sysctl kernel.unprivileged_userns_clone=1"},
                {"userns",
                 ENOSPC,                     {false, true, false, 1, 0, -1},
                 "max_user_namespaces is 0",                                                      "sysctl user.max_user_namespaces"          },
                {"userns",       ENOSPC,     {true, true, true, -1, 100, -1},  "too many",        "raise"                                    },
                {"userns",       EACCES,     {false, true, false, 1, 100, 1},  "AppArmor",        "a profile"                                },
                {"userns",       EPERM,      {false, true, true, 1, 100, 1},   "AppArmor",        "a profile"                                },
                {"userns",       EPERM,      {true, true, true, 0, 100, 1},    "seccomp filter",  "unconfined"                               },
                {"userns",       EPERM,      {true, true, false, -1, 100, -1}, "",                "allowed"                                  },
                {"bounding-set",
                 EPERM,                      {true, false, true, -1, 100, -1},
                 "CAP_SETPCAP",                                                                   "--cap-add SETPCAP"                        },
                {"bounding-set",
                 EPERM,                      {true, true, true, -1, 100, -1},
                 "seccomp filter",                                                                "unconfined"                               },
                {"bounding-set", EPERM,      {false, true, false, -1, 100, 1}, "AppArmor",        "profile"                                  },
                {"landlock",     ENOSYS,     {true, true, false, -1, 1, -1},   "has no Landlock", "5.13"                                     },
                {"landlock",     ENOSYS,     {true, true, true, -1, 1, -1},    "hides it",        "filter"                                   },
                {"landlock",     EOPNOTSUPP, {true, true, false, -1, 1, -1},   "not switched on", "lsm="                                     },
                {"seccomp",      EINVAL,     {true, true, false, -1, 1, -1},   "no filters",      "CONFIG_SECCOMP"                           },
                {"overlay",      ENODEV,     {true, true, false, -1, 1, -1},   "overlayfs",       "modprobe"                                 },
                {"nftables",
                 EPROTONOSUPPORT,            {true, true, false, -1, 1, -1},
                 "netfilter",                                                                     "modprobe nfnetlink"                       },
                {"kvm",          ENOENT,     {true, true, false, -1, 1, -1},   "no such device",  "modprobe kvm"                             },
                {"kvm",          EACCES,     {false, true, false, -1, 1, -1},  "closed to you",   "kvm USER"                                 },
                {"kvm",          EIO,        {true, true, false, -1, 1, -1},   "",                "processor"                                },
                {"nothing",      EPERM,      {true, true, false, -1, 1, -1},   "",                ""                                         },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct cause *c = cause_find(rows[i].control, -rows[i].code, &rows[i].facts);

                t_note("%s %d: %s; %s", rows[i].control, rows[i].code, c->why, c->fix);
                t_true(strstr(c->why, rows[i].why) != NULL);
                t_true(strstr(c->fix, rows[i].fix) != NULL);
                t_true(rows[i].why[0] != '\0' || c->why[0] == '\0');
        }
}

TEST(this_host_can_be_looked_at)
{
        struct cause_facts f;

        cause_gather(&f);
        t_true(f.userns_max >= -1);
}
