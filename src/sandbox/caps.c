/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/caps.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

#define NUMBERS 64 /* a mask has this many, the kernel fewer */

/* From linux/securebits.h, which drags in what musl does not have. */
#define SECBIT_NOROOT                      (1U << 0)
#define SECBIT_NOROOT_LOCKED               (1U << 1)
#define SECBIT_KEEP_CAPS_LOCKED            (1U << 5)
#define SECBIT_NO_CAP_AMBIENT_RAISE        (1U << 6)
#define SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED (1U << 7)

/* Adds a word to a list in @to; false, with "…" instead, when it does not fit. */
static bool add_word(char *to, size_t size, const char *word)
{
        static const char more[] = "…";
        size_t used = strlen(to);

        if (used + 1 + strlen(word) + sizeof(more) > size) {
                memcpy(to + used, more, sizeof(more));
                return false;
        }
        (void)snprintf(to + used, size - used, "%s%s", used ? " " : "", word);
        return true;
}

void caps_format(char *to, size_t size, uint64_t mask)
{
        bool inverted = __builtin_popcountll(mask & CAPS_ALL) > (int)CAPS_COUNT / 2;
        char number[16];

        assert(size >= 8);

        to[0] = '\0';
        if (mask == 0 || inverted)
                (void)snprintf(to, size, "%s", mask == 0 ? "none" : "all");
        if (inverted) {
                mask = CAPS_ALL & ~mask;
                if (mask != 0 && !add_word(to, size, "but"))
                        return;
        }
        for (unsigned cap = 0; cap < NUMBERS; cap++) {
                (void)snprintf(number, sizeof(number), "%u", cap);
                if ((mask & CAPS_BIT(cap)) &&
                    !add_word(to, size, cap < CAPS_COUNT ? caps_name(cap) : number))
                        return;
        }
}

struct sets {
        uint64_t effective;
        uint64_t permitted;
        uint64_t inheritable;
};

static int get_sets(struct sets *ret_sets)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;

        ret_sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
        ret_sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
        ret_sets->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
        return 0;
}

int caps_effective(uint64_t *ret_mask)
{
        struct sets sets = {0};
        int r = get_sets(&sets);

        if (r == 0)
                *ret_mask = sets.effective;
        return r;
}

/*
 * Why did the kernel refuse?  Asked only after it did.  PR_GET_SECCOMP tells the mode without
 * /proc, which a half-built box may not have.
 */
static void hint_cause(struct coffer_error *err)
{
        char profile[64] = "";
        cleanup_close int fd = -EBADF;
        struct sets sets = {0};

        if (get_sets(&sets) == 0 && !(sets.effective & CAPS_BIT(CAP_SETPCAP))) {
                error_hint(err, "CAP_SETPCAP is missing here: start coffer with it (a container "
                                "around it must not drop SETPCAP)");
                return;
        }
        if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2) { /* SECCOMP_MODE_FILTER */
                error_hint(err, "a seccomp filter around coffer refuses it: start coffer outside "
                                "that sandbox, or let its filter allow prctl(2)");
                return;
        }
        fd = sys_open(AT_FDCWD, "/proc/self/attr/current", O_RDONLY);
        if (fd >= 0 && sys_read_full(fd, profile, sizeof(profile) - 1) > 0 &&
            !str_after(profile, "unconfined")) {
                profile[strcspn(profile, "\n")] = '\0';
                error_hint(err, "the security profile '%s' around coffer refuses setpcap", profile);
                return;
        }
        error_hint(err, "a security module around coffer refuses it: see the host's audit log");
}

/*
 * 1: still there; 0: gone; -ENOENT: no such number, and so none above it (cap_valid()).  Those that
 * every kernel has are not absent: there EINVAL is a refusal.
 */
static int look_at_bounding(unsigned cap)
{
        int r = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

        return r == 0 ? 0 : r < 0 && errno == EINVAL && cap > CAP_AUDIT_READ ? -ENOENT : 1;
}

int caps_clear_bounding(uint64_t keep, struct coffer_error *err)
{
        char left_names[256];
        uint64_t left = 0;

        for (unsigned cap = 0; cap < NUMBERS; cap++) {
                int r;

                if (keep & CAPS_BIT(cap))
                        continue;
                (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* judged by what is left */
                r = look_at_bounding(cap);
                if (r == -ENOENT)
                        break;
                if (r != 0)
                        left |= CAPS_BIT(cap);
        }

        if (left == 0)
                return 0;

        caps_format(left_names, sizeof(left_names), left);
        (void)error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                        "bounding-set: cannot be cleared, left: %s", left_names);
        hint_cause(err);
        return -EPERM;
}

int caps_lock_securebits(bool non_root_user, struct coffer_error *err)
{
        unsigned bits = SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                        SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
        int r;

        if (non_root_user)
                bits |= SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;

        if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0) {
                r = error_set(err, -errno, "securebits: lock them");
                error_kind(err, COFFER_ERROR_CONTROL);
                hint_cause(err);
                return r;
        }
        if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != (int)bits)
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "securebits: were set but did not stay");
        return 0;
}

int caps_set(uint64_t mask, struct coffer_error *err)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
                {.effective = (uint32_t)mask,         .permitted = (uint32_t)mask        },
                {.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
        };
        char missing[256];
        struct sets sets = {0};
        int r;

        /* An empty inheritable set empties the ambient one too: ambient is never larger. */
        if (syscall(SYS_capset, &header, data) < 0) {
                r = -errno;
                if (get_sets(&sets) == 0 && (mask & ~sets.permitted)) {
                        caps_format(missing, sizeof(missing), mask & ~sets.permitted);
                        return error_say(err, r, COFFER_ERROR_CONTROL,
                                         "capabilities: not held, so they cannot be kept: %s",
                                         missing);
                }
                (void)error_set(err, r, "capabilities: set them");
                error_kind(err, COFFER_ERROR_CONTROL);
                return r;
        }

        r = get_sets(&sets);
        if (r < 0)
                return error_set(err, r, "capabilities: read them back");
        if (sets.effective != mask || sets.permitted != mask || sets.inheritable != 0)
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "capabilities: were set but did not stay");
        for (unsigned cap = 0; cap < CAPS_COUNT; cap++)
                if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) > 0)
                        return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                         "capabilities: %s is still ambient", caps_name(cap));
        return 0;
}
