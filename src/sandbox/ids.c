/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/ids.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "sandbox/caps.h"

/*
 * syscall(2) throughout: glibc's and musl's wrappers hand the change to every thread, with locks
 * and signals, and a forked child may find those in any state.
 */

static void sort(gid_t *list, size_t count)
{
        for (size_t i = 1; i < count; i++) {
                gid_t gid = list[i];
                size_t at = i;

                for (; at > 0 && list[at - 1] > gid; at--)
                        list[at] = list[at - 1];
                list[at] = gid;
        }
}

/* The kernel keeps them sorted by the ids of the first namespace, so the order says nothing. */
static bool have_groups(const gid_t *groups, size_t count)
{
        gid_t wanted[IDS_GROUPS_MAX];
        gid_t have[IDS_GROUPS_MAX];
        long n;

        n = syscall(SYS_getgroups, IDS_GROUPS_MAX, have);
        if (n < 0 || (size_t)n != count)
                return false;
        if (count == 0)
                return true;

        memcpy(wanted, groups, count * sizeof(*wanted));
        sort(wanted, count);
        sort(have, count);
        return memcmp(wanted, have, count * sizeof(*have)) == 0;
}

int ids_set_groups(const gid_t *groups, size_t count, enum ids_groups *ret_answer,
                   struct coffer_error *err)
{
        uint64_t caps;
        int r;

        assert(groups || count == 0);
        assert(ret_answer);

        if (count > IDS_GROUPS_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_USAGE,
                                 "more than %d supplementary groups", IDS_GROUPS_MAX);

        if (syscall(SYS_setgroups, count, groups) < 0) {
                r = -errno;
                if (r == -EPERM && have_groups(groups, count)) {
                        *ret_answer = IDS_GROUPS_SET;
                        return 0;
                }
                /* With the capability, EPERM means /proc/PID/setgroups says deny. */
                if (r == -EPERM && caps_effective(&caps) == 0 && (caps & CAPS_BIT(CAP_SETGID))) {
                        *ret_answer = IDS_GROUPS_DENIED;
                        return 0;
                }
                return error_set(err, r, "set %zu supplementary groups", count);
        }

        if (!have_groups(groups, count))
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "supplementary groups were set but did not stay");
        *ret_answer = IDS_GROUPS_SET;
        return 0;
}

int ids_become(uid_t uid, gid_t gid, struct coffer_error *err)
{
        gid_t rgid, egid, sgid;
        uid_t ruid, euid, suid;

        assert(uid != (uid_t)-1 && gid != (gid_t)-1); /* -1 would mean "leave it" */

        if (syscall(SYS_setresgid, gid, gid, gid) < 0)
                return error_set(err, -errno, "become group %u", gid);
        if (syscall(SYS_setresuid, uid, uid, uid) < 0)
                return error_set(err, -errno, "become user %u", uid);

        if (syscall(SYS_getresgid, &rgid, &egid, &sgid) < 0 ||
            syscall(SYS_getresuid, &ruid, &euid, &suid) < 0)
                return error_set(err, -errno, "read the ids back");

        /* setfsuid(-1) changes nothing and tells the current one. */
        if (rgid != gid || egid != gid || sgid != gid || ruid != uid || euid != uid ||
            suid != uid || (gid_t)syscall(SYS_setfsgid, -1) != gid ||
            (uid_t)syscall(SYS_setfsuid, -1) != uid)
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "user %u and group %u were set but did not stay", uid, gid);
        return 0;
}

int ids_verify_no_return(uid_t uid, gid_t gid, struct coffer_error *err)
{
        if (uid == 0)
                return 0;

        if (syscall(SYS_setresuid, 0, 0, 0) == 0 || syscall(SYS_setresuid, -1, 0, -1) == 0 ||
            syscall(SYS_setuid, 0) == 0 ||
            (syscall(SYS_setfsuid, 0), syscall(SYS_setfsuid, -1)) == 0)
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "user %u could become root again", uid);
        if (gid != 0 && (syscall(SYS_setresgid, 0, 0, 0) == 0 || syscall(SYS_setgid, 0) == 0))
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "group %u could become root's again", gid);
        return 0;
}
