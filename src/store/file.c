/* SPDX-License-Identifier: Apache-2.0 */
#include "store/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/faultpoint.h"
#include "base/sys.h"

ssize_t file_read(int dir_fd, const char *name, char *data, size_t size)
{
        cleanup_close int fd = -EBADF;
        ssize_t n;

        fd = sys_open(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return fd;
        n = sys_read_full(fd, data, size);
        if (n < 0)
                return n;
        if ((size_t)n >= size)
                return -EFBIG;
        data[n] = '\0';
        return n;
}

static int write_file(int dir_fd, const char *name, const void *data, size_t size, unsigned flags)
{
        cleanup_close int fd = -EBADF;
        int r;

        fd = sys_open_mode(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fd;
        r = sys_write_all(fd, data, size);
        if (r == 0 && flags & FILE_SYNC && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir_fd, name, 0);
        return r;
}

int file_replace(int dir_fd, const char *name, const void *data, size_t size, unsigned flags)
{
        char temporary[64];
        int r;

        if (flags & FILE_NEW && !(flags & FILE_SYNC))
                return write_file(dir_fd, name, data, size, flags);

        r = snprintf(temporary, sizeof(temporary), ".%s", name);
        assert(r > 0 && (size_t)r < sizeof(temporary));

        r = write_file(dir_fd, temporary, data, size, flags);
        if (r == -EEXIST) { /* what a killed writer left */
                (void)unlinkat(dir_fd, temporary, 0);
                r = write_file(dir_fd, temporary, data, size, flags);
        }
        if (r == 0)
                r = FAULT("file.rename");
        if (r < 0)
                return r;
        if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
                r = -errno;
                (void)unlinkat(dir_fd, temporary, 0);
                return r;
        }
        return flags & FILE_SYNC && fsync(dir_fd) < 0 ? -errno : 0;
}
