/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

static bool is_kernel_dir(const char *target)
{
        static const char *const dirs[] = {"proc", "sys", "dev"};

        while (*target == '/')
                target++;
        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                const char *rest = str_after(target, dirs[i]);

                if (rest && (*rest == '\0' || *rest == '/'))
                        return true;
        }
        return false;
}

int target_resolve(int root_fd, const char *target)
{
        uint64_t how = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

        if (is_kernel_dir(target))
                how |= RESOLVE_NO_SYMLINKS;
        return sys_openat2(root_fd, target, O_PATH, 0, how);
}

/* Make the last component of a path whose parent exists. */
static int make_one(int root_fd, const char *path, bool is_dir, mode_t mode)
{
        const char *slash = strrchr(path, '/');
        cleanup_close int parent_fd = -EBADF;
        char parent[PATH_MAX];
        int fd;

        (void)snprintf(parent, sizeof(parent), "/%.*s", slash ? (int)(slash - path) : 0, path);
        parent_fd = target_resolve(root_fd, parent);
        if (parent_fd < 0)
                return parent_fd;
        path = slash ? slash + 1 : path;
        if (is_dir)
                return mkdirat(parent_fd, path, mode) < 0 && errno != EEXIST ? -errno : 0;

        fd = sys_open_mode(parent_fd, path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode);
        if (fd < 0)
                return fd == -EEXIST ? 0 : fd;
        (void)close(fd);
        return 0;
}

/* Make what is missing of a path, one component at a time, each resolved inside the root. */
static int make_missing(int root_fd, const char *target, bool is_dir, mode_t mode)
{
        char path[PATH_MAX];
        size_t end = 0;

        if (str_copy(path, sizeof(path), target + strspn(target, "/")) < 0)
                return -ENAMETOOLONG;
        while (path[end] != '\0') {
                cleanup_close int fd = -EBADF;
                char saved;
                bool last;
                int r = 0;

                end += strcspn(path + end, "/");
                saved = path[end];
                path[end] = '\0';
                last = saved == '\0';
                fd = target_resolve(root_fd, path);
                if (fd == -ENOENT)
                        r = make_one(root_fd, path, !last || is_dir, last ? mode : 0755);
                else if (fd < 0)
                        r = fd;
                if (r < 0)
                        return r;
                path[end] = saved;
                end += strspn(path + end, "/");
        }
        return 0;
}

int target_open(int root_fd, const char *target, bool is_dir, mode_t mode, int *ret_fd)
{
        struct stat st;
        int fd = target_resolve(root_fd, target);

        if (fd == -ENOENT) {
                int r = make_missing(root_fd, target, is_dir, mode);

                if (r < 0)
                        return r;
                fd = target_resolve(root_fd, target);
        }
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) != is_dir) {
                (void)close(fd);
                return is_dir ? -ENOTDIR : -EISDIR;
        }
        *ret_fd = fd;
        return 0;
}
