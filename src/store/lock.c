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

/* Locked, but perhaps a file, or the file of a directory, that was removed before we had it. */
static int check_still_there(int box_dir_fd, const char *id, int lock_fd)
{
        char sibling[BOX_ID_CHARS + 4];
        struct stat locked, named, dir, named_dir;

        (void)snprintf(sibling, sizeof(sibling), "../%s", id);
        if (fstat(lock_fd, &locked) < 0 || fstat(box_dir_fd, &dir) < 0)
                return -errno;
        if (fstatat(box_dir_fd, "lock", &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            fstatat(box_dir_fd, sibling, &named_dir, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (locked.st_ino != named.st_ino || dir.st_ino != named_dir.st_ino ||
            dir.st_dev != named_dir.st_dev)
                return -ENOENT;
        return 0;
}

int box_lock_take(int box_dir_fd, const char *id, int *ret_fd)
{
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        cleanup_close int fd = -EBADF;
        int r;

        fd = sys_open_mode(box_dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fd;
        if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
                return lock_error(errno);

        r = check_still_there(box_dir_fd, id, fd);
        if (r < 0)
                return r;
        *ret_fd = take_fd(&fd);
        return 0;
}

int box_lock_is_held(int box_dir_fd)
{
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        cleanup_close int fd = -EBADF;

        fd = sys_open(box_dir_fd, "lock", O_RDONLY | O_NOFOLLOW);
        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
                return lock_error(errno);
        return whole.l_type != F_UNLCK;
}
