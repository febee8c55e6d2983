/* SPDX-License-Identifier: Apache-2.0 */
#include "image/purge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

/*
 * Descriptors held at once.  A directory that lies deeper is moved up to the top under a new name
 * and gets its turn there.
 */
#define DEPTH_MAX 32

struct purge {
        int top_fd;
        unsigned moved;
        bool again; /* something was moved to the top */
};

static int empty(struct purge *p, int dir_fd, unsigned depth);

static int open_dir(int dir_fd, const char *name)
{
        int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        uint64_t resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
        int fd = sys_openat2(dir_fd, name, flags, 0, resolve);

        /* Without CAP_DAC_OVERRIDE a directory of ours may have to be opened up first. */
        if (fd == -EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
                fd = sys_openat2(dir_fd, name, flags, 0, resolve);
        return fd;
}

static int move_up(struct purge *p, int dir_fd, const char *name)
{
        char target[32];

        for (;;) {
                (void)snprintf(target, sizeof(target), ".purge-%u", p->moved++);
                if (syscall(SYS_renameat2, dir_fd, name, p->top_fd, target, RENAME_NOREPLACE) == 0)
                        break;
                if (errno != EEXIST)
                        return -errno;
        }
        p->again = true;
        return 0;
}

static int remove_dir(struct purge *p, int dir_fd, const char *name, unsigned depth)
{
        cleanup_close int fd = -EBADF;
        int r;

        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
                return -errno;

        fd = open_dir(dir_fd, name);
        if (fd < 0)
                return fd;
        if (depth == DEPTH_MAX)
                return move_up(p, dir_fd, name);
        r = empty(p, fd, depth + 1);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

static int remove_one(struct purge *p, int dir_fd, const char *name, unsigned depth)
{
        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        /* EPERM is what POSIX has for a directory, EISDIR what Linux says. */
        return errno == EISDIR || errno == EPERM ? remove_dir(p, dir_fd, name, depth) : -errno;
}

static int empty(struct purge *p, int dir_fd, unsigned depth)
{
        int fd = sys_open(dir_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                close_fd(&fd);
                return r;
        }
        (void)fchmod(fd, 0700); /* see open_dir(); fails where it does not matter */
        while ((entry = readdir(dir))) {
                int one;

                if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
                        continue;
                one = remove_one(p, fd, entry->d_name, depth);
                if (one < 0 && r == 0)
                        r = one;
        }
        (void)closedir(dir);
        return r;
}

int purge_dir(int dir_fd)
{
        struct purge p = {.top_fd = dir_fd, .again = true};
        int r = 0;

        while (r == 0 && p.again) {
                p.again = false;
                r = empty(&p, dir_fd, 0);
        }
        return r;
}

int purge_at(int dir_fd, const char *name)
{
        cleanup_close int fd = -EBADF;
        int r;

        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        fd = open_dir(dir_fd, name);
        if (fd < 0)
                return fd;
        r = purge_dir(fd);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}
