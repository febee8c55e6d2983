/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/posture.h"

#include <unistd.h>

#include "base/str.h"

#include "t.h"

static const struct posture_facts good = {
        .main = {.known = true,
                 .pid_namespaces = 3,
                 .innermost = 1,
                 .seccomp = 2,
                 .no_new_privs = true,
                 .effective = 0x4eb,
                 .bounding = 0x4eb},
        .supervisor = {.known = true, .effective = 0x2001e0  },
        .own = {POSTURE_YES,                  POSTURE_YES,     POSTURE_YES, POSTURE_YES},
        .host_root = POSTURE_NO,
        .other_links = POSTURE_NO,
        .caps_max = 0x4eb,
        .memory_asked = 67108864,
        .memory_max = 67108864,
};

TEST(what_is_as_it_should_be_holds)
{
        static const char *const controls[] = {
                "userns",       "idmap",         "pidns",        "netns",
                "mount-root",   "cgroup.memory", "bounding-set", "capabilities",
                "no-new-privs", "seccomp",       "egress",       "supervisor",
        };
        char seen[100];

        for (size_t i = 0; i < ELEMENTS(controls); i++) {
                t_note("%s", controls[i]);
                t_int(POSTURE_YES, posture_verify(controls[i], &good, seen, sizeof(seen)));
                t_true(seen[0] != '\0');
        }
        t_int(POSTURE_UNKNOWN, posture_verify("landlock", &good, seen, sizeof(seen)));
        t_str("", seen);
}

TEST(one_thing_that_is_not_is_seen)
{
        static const struct {
                const char *control;
                enum {
                        SAME_NS,
                        LESS_PIDS,
                        NOT_FIRST,
                        NO_FILTER,
                        NO_NNP,
                        MORE_BOUNDING,
                        MORE_CAPS,
                        AMBIENT,
                        INHERITABLE,
                        HOST_ROOT,
                        LINKS,
                        MEMORY_MORE,
                        MEMORY_NONE,
                        MEMORY_FAR,
                        SUPERVISOR
                } what;
        } rows[] = {
                {"userns",        SAME_NS      },
                {"netns",         SAME_NS      },
                {"mount-root",    SAME_NS      },
                {"pidns",         LESS_PIDS    },
                {"pidns",         NOT_FIRST    },
                {"seccomp",       NO_FILTER    },
                {"no-new-privs",  NO_NNP       },
                {"bounding-set",  MORE_BOUNDING},
                {"capabilities",  MORE_CAPS    },
                {"capabilities",  AMBIENT      },
                {"capabilities",  INHERITABLE  },
                {"idmap",         HOST_ROOT    },
                {"egress",        LINKS        },
                {"cgroup.memory", MEMORY_MORE  },
                {"cgroup.memory", MEMORY_NONE  },
                {"cgroup.memory", MEMORY_FAR   },
                {"supervisor",    SUPERVISOR   },
        };
        char seen[100];

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct posture_facts f = good;

                switch (rows[i].what) {
                case SAME_NS:
                        for (size_t k = 0; k < POSTURE_NAMESPACES; k++)
                                f.own[k] = POSTURE_NO;
                        break;
                case LESS_PIDS:
                        f.main.pid_namespaces = 1;
                        break;
                case NOT_FIRST:
                        f.main.innermost = 2;
                        break;
                case NO_FILTER:
                        f.main.seccomp = 0;
                        break;
                case NO_NNP:
                        f.main.no_new_privs = false;
                        break;
                case MORE_BOUNDING:
                        f.main.bounding |= UINT64_C(1) << 21;
                        break;
                case MORE_CAPS:
                        f.main.effective |= UINT64_C(1) << 63;
                        break;
                case AMBIENT:
                        f.main.ambient = 1;
                        break;
                case INHERITABLE:
                        f.main.inheritable = 1;
                        break;
                case HOST_ROOT:
                        f.host_root = POSTURE_YES;
                        break;
                case LINKS:
                        f.other_links = POSTURE_YES;
                        break;
                case MEMORY_MORE:
                        f.memory_max = f.memory_asked + 1;
                        break;
                case MEMORY_NONE:
                        f.memory_max = 0;
                        break;
                case MEMORY_FAR:
                        f.memory_max = 4096;
                        break;
                case SUPERVISOR:
                        f.supervisor.effective |= 1;
                        break;
                }
                t_note("%s %d", rows[i].control, (int)rows[i].what);
                t_int(POSTURE_NO, posture_verify(rows[i].control, &f, seen, sizeof(seen)));
                t_true(seen[0] != '\0');
        }
}

TEST(what_cannot_be_read_is_not_known)
{
        static const struct posture_facts none = {.caps_max = 0};
        char seen[100];

        t_int(POSTURE_UNKNOWN, posture_verify("seccomp", &none, seen, sizeof(seen)));
        t_int(POSTURE_UNKNOWN, posture_verify("userns", &none, seen, sizeof(seen)));
        t_int(POSTURE_UNKNOWN, posture_verify("cgroup.memory", &none, seen, sizeof(seen)));
}

TEST(a_status_is_parsed)
{
        struct posture_process p;

        posture_parse_status("Name:\tx\nPPid:\t17\nNSpid:\t40\t7\t1\nCapInh:\t0000000000000001\n"
                             "CapEff:\t00000000000004eb\nCapBnd:\t00000000000004ef\n"
                             "CapAmb:\t0000000000000002\nNoNewPrivs:\t1\nSeccomp:\t2\n"
                             "Seccomp_filters:\t3\n",
                             &p);
        t_true(p.known && p.no_new_privs);
        t_int(17, p.parent);
        t_int(3, p.pid_namespaces);
        t_int(1, p.innermost);
        t_int(2, p.seccomp);
        t_int(0x4eb, p.effective);
        t_int(0x4ef, p.bounding);
        t_int(1, p.inheritable);
        t_int(2, p.ambient);
        posture_parse_status("", &p);
        t_true(!p.known);
}

TEST(we_ourselves_are_no_box)
{
        struct posture_facts f = {.memory_asked = 0};
        char seen[100];

        posture_gather(getpid(), "none", &f);
        t_true(f.main.known);
        t_int(getppid(), f.main.parent);
        t_int(POSTURE_NO, posture_verify("userns", &f, seen, sizeof(seen)));
        t_int(POSTURE_NO, posture_verify("netns", &f, seen, sizeof(seen)));
}
