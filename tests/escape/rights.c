/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Not attempts, but what tests/e2e/run-rights.bats asks with: what a process has, in one line, and
 * a host on which a system call of confinement is refused, or says it was done and was not.
 */

#include "attack.h"
#include "escape.h"

#include <base/str.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ANY (-1L)

static void print_field(const char *label, const char *field)
{
        char value[512] = "";

        if (status_field(field, value, sizeof(value)) < 0)
                (void)snprintf(value, sizeof(value), "?");
        for (char *c = value; *c != '\0'; c++)
                if (*c == '\t' || *c == ' ')
                        *c = c[1] == '\0' ? '\0' : ',';
        printf("%s=%s ", label, value);
}

int rights_main(void)
{
        bool root = geteuid() == 0;

        print_field("uid", "Uid");
        print_field("gid", "Gid");
        print_field("groups", "Groups");
        print_field("inh", "CapInh");
        print_field("prm", "CapPrm");
        print_field("eff", "CapEff");
        print_field("bnd", "CapBnd");
        print_field("amb", "CapAmb");
        print_field("nnp", "NoNewPrivs");
        print_field("seccomp", "Seccomp");
        printf("securebits=%x ", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
        printf("back=%s\n", root                        ? "is-root"
                            : setresuid(-1, 0, -1) == 0 ? "yes"
                            : setresuid(0, 0, 0) == 0   ? "yes"
                                                        : ending_name(-errno));
        return 0;
}

/* What can be taken away from who starts coffer: a call, or one value of one of its arguments. */
static const struct {
        const char *name;
        long nr;
        unsigned arg; /* which one */
        long value;
} calls[] = {
        {"capbset-drop", SYS_prctl,                  0, PR_CAPBSET_DROP    },
        {"capbset-read", SYS_prctl,                  0, PR_CAPBSET_READ    },
        {"securebits",   SYS_prctl,                  0, PR_SET_SECUREBITS  },
        {"no-new-privs", SYS_prctl,                  0, PR_SET_NO_NEW_PRIVS},
        {"capset",       SYS_capset,                 0, ANY                },
        {"setgroups",    SYS_setgroups,              0, ANY                },
        {"setresuid",    SYS_setresuid,              0, ANY                },
        {"setresgid",    SYS_setresgid,              0, ANY                },
        {"seccomp",      SYS_seccomp,                0, ANY                },
        {"landlock",     SYS_landlock_restrict_self, 0, ANY                },
        {"close-range",  SYS_close_range,            0, ANY                },
        {"signal-group", SYS_pidfd_send_signal,      3, 1 << 2             },
};

/* Without no_new_privs where that is allowed: newuidmap would not work with it. */
static int answer_call(long nr, unsigned arg, long value, unsigned answer)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                         (unsigned)offsetof(struct seccomp_data, args) + arg * 8),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)value, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {ELEMENTS(filter), filter};

        if (value == ANY)
                filter[3] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

int without_main(const char *name, unsigned answer, char **command)
{
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                int r;

                if (!str_eq(calls[i].name, name))
                        continue;
                r = answer_call(calls[i].nr, calls[i].arg, calls[i].value, answer);
                if (r < 0) {
                        (void)fprintf(stderr, "escape: no filter: %s\n", ending_name(r));
                        return 77;
                }
                (void)execvp(command[0], command);
                (void)fprintf(stderr, "escape: run %s: %s\n", command[0], ending_name(-errno));
                return 1;
        }
        (void)fprintf(stderr, "escape: nothing is called '%s'\n", name);
        return 1;
}
