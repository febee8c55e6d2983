/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prints the table of system call numbers that seccomp-numbers.c includes: name, x86-64, aarch64,
 * sorted by name; -1 where there is no such call.  Runs while building, on the build machine; the
 * names and numbers are libseccomp's, and below what its Debian 12 release does not know yet.
 */

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 1024

struct row {
        char name[40];
        int x86_64;
        int aarch64;
};

/* Linux 6.18; from 424 on all architectures count alike. */
static const struct row newer[] = {
        {"uretprobe",         335, -1 },
        {"uprobe",            336, -1 },
        {"cachestat",         451, 451},
        {"fchmodat2",         452, 452},
        {"map_shadow_stack",  453, 453},
        {"futex_wake",        454, 454},
        {"futex_wait",        455, 455},
        {"futex_requeue",     456, 456},
        {"statmount",         457, 457},
        {"listmount",         458, 458},
        {"lsm_get_self_attr", 459, 459},
        {"lsm_set_self_attr", 460, 460},
        {"lsm_list_modules",  461, 461},
        {"mseal",             462, 462},
        {"setxattrat",        463, 463},
        {"getxattrat",        464, 464},
        {"listxattrat",       465, 465},
        {"removexattrat",     466, 466},
        {"open_tree_attr",    467, 467},
        {"file_getattr",      468, 468},
        {"file_setattr",      469, 469},
};

static struct row rows[2 * NUMBERS_MAX];
static size_t count;

static void add(const char *name, int x86_64, int aarch64)
{
        for (size_t i = 0; i < count; i++) {
                if (strcmp(rows[i].name, name) != 0)
                        continue;
                if (rows[i].x86_64 == x86_64 && rows[i].aarch64 == aarch64)
                        return;
                (void)fprintf(stderr, "gen-syscalls: two numbers for %s\n", name);
                exit(1);
        }
        if (count == sizeof(rows) / sizeof(rows[0])) {
                (void)fprintf(stderr, "gen-syscalls: too many system calls\n");
                exit(1);
        }
        rows[count] = (struct row){.x86_64 = x86_64, .aarch64 = aarch64};
        (void)snprintf(rows[count].name, sizeof(rows[count].name), "%s", name);
        count++;
}

/* Negative numbers are libseccomp's own, for calls that the architecture does not have. */
static int number(uint32_t arch, const char *name)
{
        int nr = seccomp_syscall_resolve_name_arch(arch, name);

        return nr < 0 ? -1 : nr;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

int main(void)
{
        static const uint32_t arches[] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};

        for (size_t a = 0; a < sizeof(arches) / sizeof(arches[0]); a++)
                for (int nr = 0; nr < NUMBERS_MAX; nr++) {
                        char *name = seccomp_syscall_resolve_num_arch(arches[a], nr);

                        if (name)
                                add(name, number(SCMP_ARCH_X86_64, name),
                                    number(SCMP_ARCH_AARCH64, name));
                        free(name);
                }
        for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++)
                add(newer[i].name, newer[i].x86_64, newer[i].aarch64);

        qsort(rows, count, sizeof(rows[0]), by_name);
        for (size_t i = 0; i < count; i++)
                (void)printf("{\"%s\", {%d, %d}},\n", rows[i].name, rows[i].x86_64,
                             rows[i].aarch64);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
