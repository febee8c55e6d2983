/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

/*
 * The kernel's numbers, here because Debian 12's headers end at ABI 2 and coffer is to use what the
 * running kernel has.
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION (1U << 0)
#define RULE_PATH_BENEATH      1

#define FS_EXECUTE    (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE  (UINT64_C(1) << 2)
#define FS_READ_DIR   (UINT64_C(1) << 3)
#define FS_MAKE_SYM   (UINT64_C(1) << 12)
#define FS_REFER      (UINT64_C(1) << 13)
#define FS_TRUNCATE   (UINT64_C(1) << 14)
#define FS_IOCTL_DEV  (UINT64_C(1) << 15)

/* What a rule on something that is not a directory may name; the kernel refuses the rest. */
#define FS_OF_A_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_READING   (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR | FS_IOCTL_DEV)

#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define SCOPE_SIGNAL        (UINT64_C(1) << 1)

struct ruleset_attr {
        uint64_t handled_fs;
        uint64_t handled_net; /* ABI 4; the door is the network namespace's matter */
        uint64_t scoped;      /* ABI 6 */
};

struct path_beneath_attr {
        uint64_t allowed;
        int32_t parent_fd;
} __attribute__((packed));

/* What each ABI brought; all rows up to the kernel's own count. */
static const struct {
        int abi;
        uint64_t fs;
        uint64_t scoped;
        size_t attr_size; /* an older kernel refuses a larger struct unless the rest is 0 */
} abis[] = {
        {1, (FS_MAKE_SYM << 1) - 1, 0,                                  8 },
        {2, FS_REFER,               0,                                  8 },
        {3, FS_TRUNCATE,            0,                                  8 },
        {5, FS_IOCTL_DEV,           0,                                  16},
        {6, 0,                      SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL, 24},
};

int landlock_abi(void)
{
        long r = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

        return r < 0 ? -errno : (int)r;
}

static int create(struct ruleset_attr *ret_attr, struct coffer_error *err)
{
        struct ruleset_attr attr = {0};
        size_t size = 0;
        int abi = landlock_abi();
        long fd;

        if (abi < 0) {
                (void)error_set(err, abi, "landlock: not on this kernel");
                error_kind(err, COFFER_ERROR_CONTROL);
                error_hint(err, "boot with landlock in the lsm= list (Linux 5.13 or newer), or use "
                                "--allow-degraded landlock");
                return abi;
        }
        for (size_t i = 0; i < ELEMENTS(abis) && abis[i].abi <= abi; i++) {
                attr.handled_fs |= abis[i].fs;
                attr.scoped |= abis[i].scoped;
                size = abis[i].attr_size;
        }

        fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0); /* close-on-exec from birth */
        if (fd < 0) {
                abi = error_set(err, -errno, "landlock: make a rule set");
                error_kind(err, COFFER_ERROR_CONTROL);
                return abi;
        }
        *ret_attr = attr;
        return (int)fd;
}

static int allow_beneath(int ruleset_fd, int fd, uint64_t rights, uint64_t handled)
{
        struct path_beneath_attr attr = {.parent_fd = fd};
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                rights &= FS_OF_A_FILE;
        attr.allowed = rights & handled;
        if (syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &attr, 0) < 0)
                return -errno;
        return 0;
}

int landlock_box_domain(int root_fd, const struct landlock_rules *rules, int *ret_ruleset_fd,
                        struct coffer_error *err)
{
        const struct landlock_rule whole = {.fd = root_fd, .access = LANDLOCK_WRITE};
        const struct landlock_rule *items = rules ? rules->items : &whole;
        size_t count = rules ? rules->count : 1;
        cleanup_close int fd = -EBADF;
        struct ruleset_attr attr = {0};
        int r;

        assert(root_fd >= 0 && ret_ruleset_fd);

        fd = create(&attr, err);
        if (fd < 0)
                return fd;

        for (size_t i = 0; i < count; i++) {
                r = allow_beneath(fd, items[i].fd,
                                  items[i].access == LANDLOCK_READ ? FS_READING : UINT64_MAX,
                                  attr.handled_fs);
                if (r < 0) {
                        (void)error_set(err, r, "landlock: add rule %zu of %zu", i + 1, count);
                        error_kind(err, COFFER_ERROR_CONTROL);
                        return r;
                }
        }

        *ret_ruleset_fd = take_fd(&fd);
        return 0;
}

int landlock_enforce(int ruleset_fd, struct coffer_error *err)
{
        int r;

        assert(ruleset_fd >= 0);

        if (syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0) {
                r = error_set(err, -errno, "landlock: enter the domain");
                error_kind(err, COFFER_ERROR_CONTROL);
                return r;
        }
        return 0;
}
