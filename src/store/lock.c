/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "store/home.h"

static int lock_error(int code)
{
        switch (code) {
        case EACCES:
        case EAGAIN:
                return -EAGAIN;
        case EINVAL:
        case ENOLCK:
        case ENOSYS:
        case EOPNOTSUPP:
                return -EOPNOTSUPP;
        default:
                return -code;
        }
}

/* Not moved to the trash, nor removed, nor another one of the same id. */
static int check_dir(int box_dir_fd, const char *id)
{
        char sibling[BOX_ID_CHARS + 4];
        struct stat dir, named;

        (void)snprintf(sibling, sizeof(sibling), "../%s", id);
        if (fstat(box_dir_fd, &dir) < 0 ||
            fstatat(box_dir_fd, sibling, &named, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return dir.st_ino == named.st_ino && dir.st_dev == named.st_dev ? 0 : -ENOENT;
}

static int check_file(int box_dir_fd, int lock_fd)
{
        struct stat locked, named;

        if (fstat(lock_fd, &locked) < 0 ||
            fstatat(box_dir_fd, "lock", &named, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return locked.st_ino == named.st_ino ? 0 : -ENOENT;
}

int box_lock_take(int box_dir_fd, const char *id, int *ret_fd)
{
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        cleanup_close int fd = -EBADF;
        int r;

        fd = sys_open(box_dir_fd, "lock", O_RDWR | O_NOFOLLOW);
        if (fd == -ENOENT) {
                /* A new box, or one that lost it; nothing is made in one that is being removed. */
                r = check_dir(box_dir_fd, id);
                if (r < 0)
                        return r;
                fd = sys_open_mode(box_dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        }
        if (fd < 0)
                return fd;
        if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
                return lock_error(errno);

        /* Locked, but perhaps a file, or that of a directory, that went before we had it. */
        r = check_file(box_dir_fd, fd);
        if (r == 0)
                r = check_dir(box_dir_fd, id);
        if (r < 0)
                return r;
        *ret_fd = take_fd(&fd);
        return 0;
}

int box_lock_make(int box_dir_fd, int *ret_fd)
{
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        cleanup_close int fd = -EBADF;
        int r;

        fd = sys_open_mode(box_dir_fd, "lock", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fd == -EEXIST ? -EAGAIN : fd;
        if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
                return lock_error(errno);
        r = check_file(box_dir_fd, fd);
        if (r < 0)
                return r;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int is_held(int dir_fd, const char *path)
{
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        cleanup_close int fd = -EBADF;

        fd = sys_open(dir_fd, path, O_RDONLY | O_NOFOLLOW);
        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
                return lock_error(errno);
        return whole.l_type != F_UNLCK;
}

int box_lock_is_held(int box_dir_fd)
{
        return is_held(box_dir_fd, "lock");
}

int box_lock_is_held_at(int boxes_fd, const char *id)
{
        char path[BOX_ID_CHARS + sizeof("/lock")];

        (void)snprintf(path, sizeof(path), "%.*s/lock", BOX_ID_CHARS, id);
        return is_held(boxes_fd, path);
}
