/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/unpack.h"

/* Sanitizers need shadow memory, and for their reports calls that the program never makes. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define FILES_MAX 256                         /* purge.c needs the most, about 40 */
#define DATA_MAX  ((rlim_t)384 * 1024 * 1024) /* a zstd window of 128 MiB, and the rest */

/* Bits that headers of older kernels lack. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#define ACCESS_TRUNCATE  (1ULL << 14)
#define ACCESS_IOCTL_DEV (1ULL << 15)
#define NET_BOTH         3ULL /* bind and connect TCP */
#define SCOPE_BOTH       3ULL /* abstract sockets, signals */

#define CAP_BIT(cap) (1ULL << (cap))

/* A directory is read with the caller's id. */
static bool by_directory(const struct unpack_request *req)
{
        return req->job == UNPACK_OCI_DIR || req->job == UNPACK_STORED;
}

static bool describes(const struct unpack_request *req)
{
        return req->job == UNPACK_OCI_ARCHIVE || req->job == UNPACK_DOCKER ||
               req->job == UNPACK_MANIFEST || req->job == UNPACK_VERIFY ||
               req->job == UNPACK_CONTENTS || by_directory(req);
}

/*
 * Whatever has its files open already moves into the store's user namespace, where it is nobody on
 * the host.  A layout directory has to be read with the caller's id.
 */
static int enter_userns(const struct unpack_request *req)
{
        if (req->ownership == IMAGE_OWN_CALLER || by_directory(req) || req->job == UNPACK_COPY)
                return 0;
        if (setns(UNPACK_FD_USERNS, CLONE_NEWUSER) < 0)
                return -errno;
        /* EPERM: a single-id map forbids it; Landlock is what then keeps the groups powerless. */
        if (setgroups(0, NULL) < 0 && errno != EPERM)
                return -errno;
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return -errno;
        return 0;
}

static int close_files(const struct unpack_request *req)
{
        unsigned kept = describes(req) ? UNPACK_FD_SOURCE : UNPACK_FD_TARGET;

        return sys_close_range(kept + 1, ~0U, 0);
}

static uint64_t needed_caps(const struct unpack_request *req)
{
        static const uint64_t write_any = CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER);

        switch (req->job) {
        case UNPACK_OCI_DIR:
        case UNPACK_STORED:
                return CAP_BIT(CAP_DAC_READ_SEARCH);
        case UNPACK_LAYER:
                return req->ownership == IMAGE_OWN_CALLER
                               ? write_any
                               : write_any | CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_FSETID) |
                                         CAP_BIT(CAP_SETFCAP);
        case UNPACK_COPY:
        case UNPACK_REMOVE:
                return write_any;
        default:
                return 0;
        }
}

static int drop_caps(const struct unpack_request *req)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {0};
        uint64_t permitted, keep;

        /* An ordinary user may not, and has nothing in it that no_new_privs would let through. */
        for (int cap = 0; cap < 64; cap++)
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM && errno != EINVAL)
                        return -errno;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
                return -errno;

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
        keep = needed_caps(req) & permitted;
        memset(data, 0, sizeof(data));
        data[0].permitted = data[0].effective = (uint32_t)keep;
        data[1].permitted = data[1].effective = (uint32_t)(keep >> 32);
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int no_new_privs(const struct unpack_request *req)
{
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int lower(int resource, rlim_t max)
{
        struct rlimit old, limit = {.rlim_cur = max, .rlim_max = max};

        if (getrlimit((__rlimit_resource_t)resource, &old) < 0)
                return -errno;
        if (old.rlim_max < max)
                limit.rlim_cur = limit.rlim_max = old.rlim_max;
        return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int limit(const struct unpack_request *req)
{
        int r = lower(RLIMIT_CORE, 0);

        if (r == 0)
                r = lower(RLIMIT_NOFILE, FILES_MAX);
        if (r == 0 && !SANITIZED)
                r = lower(RLIMIT_DATA, DATA_MAX);
        return r;
}

/* What is handled is denied unless a rule grants it; each ABI knows more (landlock(7)). */
static uint64_t handled_files(int abi)
{
        uint64_t access = LANDLOCK_ACCESS_FS_MAKE_SYM | (LANDLOCK_ACCESS_FS_MAKE_SYM - 1);

        if (abi >= 2)
                access |= LANDLOCK_ACCESS_FS_REFER;
        if (abi >= 3)
                access |= ACCESS_TRUNCATE;
        if (abi >= 5)
                access |= ACCESS_IOCTL_DEV;
        return access;
}

static int allow_beneath(int ruleset_fd, int dir_fd, uint64_t access)
{
        struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = dir_fd};

        return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
                       ? -errno
                       : 0;
}

static int landlock(const struct unpack_request *req)
{
        static const uint64_t read_only =
                LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
        static const uint64_t never = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                      LANDLOCK_ACCESS_FS_MAKE_SOCK | ACCESS_IOCTL_DEV;
        int abi =
                (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        uint64_t attr[3] = {0}; /* struct landlock_ruleset_attr of ABI 6: fs, net, scoped */
        int ruleset_fd, r = 0;

        if (abi < 0)
                return -errno;
        attr[0] = handled_files(abi);
        attr[1] = abi >= 4 ? NET_BOTH : 0;
        attr[2] = abi >= 6 ? SCOPE_BOTH : 0;
        ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, attr,
                                  abi >= 6   ? sizeof(attr)
                                  : abi >= 4 ? 2 * sizeof(attr[0])
                                             : sizeof(attr[0]),
                                  0);
        if (ruleset_fd < 0)
                return -errno;

        if (by_directory(req))
                r = allow_beneath(ruleset_fd, UNPACK_FD_SOURCE, read_only);
        else if (!describes(req) && req->job != UNPACK_SPOOL) /* whose files are open */
                r = allow_beneath(ruleset_fd, UNPACK_FD_TARGET, attr[0] & ~never);
        if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0)
                r = -errno;
        (void)close(ruleset_fd);
        return r;
}

static int not_dumpable(const struct unpack_request *req)
{
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int filter_calls(const struct unpack_request *req)
{
        return SANITIZED ? 0 : unpack_seccomp();
}

/* In this order: each needs a right that a later one takes away. */
static const struct {
        const char *what;
        int (*run)(const struct unpack_request *req);
} steps[] = {
        {"enter the store's user namespace", enter_userns},
        {"close files",                      close_files },
        {"drop capabilities",                drop_caps   },
        {"set no_new_privs",                 no_new_privs},
        {"lower resource limits",            limit       },
        {"enforce Landlock",                 landlock    },
        {"become undumpable",                not_dumpable},
        {"filter system calls",              filter_calls},
};

int unpack_confine(const struct unpack_request *req, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                int r = steps[i].run(req);

                if (r < 0) {
                        (void)error_set(err, r, "confine coffer-unpack: %s", steps[i].what);
                        error_kind(err, COFFER_ERROR_CONTROL);
                        return r;
                }
        }
        return 0;
}
