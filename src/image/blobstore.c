/* SPDX-License-Identifier: Apache-2.0 */
#include "image/blobstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

int blobstore_open(int home_fd, struct blobstore *ret, struct coffer_error *err)
{
        static const char *const names[] = {"images", "images/blobs", "images/blobs/sha256",
                                            "images/blobs/partial"};
        struct blobstore b = {.images_fd = -EBADF, .blobs_fd = -EBADF, .partial_fd = -EBADF};
        struct {
                const char *name;
                int *fd;
        } dirs[] = {
                {"images",               &b.images_fd },
                {"images/blobs/sha256",  &b.blobs_fd  },
                {"images/blobs/partial", &b.partial_fd},
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (mkdirat(home_fd, names[i], 0700) < 0 && errno != EEXIST)
                        return error_set(err, -errno, "create '%s' in the home", names[i]);
        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                int fd = sys_open_beneath(home_fd, dirs[i].name, O_RDONLY | O_DIRECTORY);

                if (fd < 0) {
                        blobstore_close(&b);
                        return error_set(err, fd, "open '%s' in the home", dirs[i].name);
                }
                *dirs[i].fd = fd;
        }
        *ret = b;
        return 0;
}

void blobstore_close(struct blobstore *b)
{
        close_fd(&b->images_fd);
        close_fd(&b->blobs_fd);
        close_fd(&b->partial_fd);
}

static int lock(int fd, int how)
{
        int r;

        do
                r = flock(fd, how);
        while (r < 0 && errno == EINTR);
        return r < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : 0;
}

int blobstore_lock(const struct blobstore *b, bool exclusive, int *ret_fd)
{
        cleanup_close int fd =
                sys_open_mode(b->images_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        int r = fd < 0 ? fd : lock(fd, exclusive ? LOCK_EX | LOCK_NB : LOCK_SH);

        if (r == 0)
                *ret_fd = take_fd(&fd);
        return r;
}

bool blobstore_has(const struct blobstore *b, const char *digest, uint64_t size)
{
        struct stat st;

        return fstatat(b->blobs_fd, digest, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
               (size == UINT64_MAX || (uint64_t)st.st_size == size);
}

int blobstore_read(const struct blobstore *b, const char *digest)
{
        return sys_open(b->blobs_fd, digest, O_RDONLY | O_NOFOLLOW);
}

/* Whether the name still leads to the file: who held the lock before may have moved it away. */
static bool is_current(const struct blobstore *b, const char *digest, int fd)
{
        struct stat here, there;

        return fstat(fd, &here) == 0 &&
               fstatat(b->partial_fd, digest, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
               here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

int blobstore_begin(const struct blobstore *b, const char *digest, uint64_t size, bool wait,
                    int *ret_fd)
{
        for (;;) {
                cleanup_close int fd = -EBADF;
                int r;

                if (blobstore_has(b, digest, size))
                        return 0;
                fd = sys_open_mode(b->partial_fd, digest, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
                if (fd < 0)
                        return fd;
                r = lock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
                if (r < 0)
                        return r;
                if (!is_current(b, digest, fd))
                        continue;
                /* It came between the first look and the lock. */
                if (blobstore_has(b, digest, size)) {
                        blobstore_drop(b, digest);
                        return 0;
                }
                *ret_fd = take_fd(&fd);
                return 1;
        }
}

int blobstore_reopen(const struct blobstore *b, const char *digest)
{
        return sys_open(b->partial_fd, digest, O_RDONLY | O_NOFOLLOW);
}

int blobstore_commit(const struct blobstore *b, const char *digest)
{
        if (renameat(b->partial_fd, digest, b->blobs_fd, digest) < 0)
                return -errno;
        return fsync(b->blobs_fd) < 0 ? -errno : 0;
}

void blobstore_drop(const struct blobstore *b, const char *digest)
{
        (void)unlinkat(b->partial_fd, digest, 0);
}

int blobstore_put(const struct blobstore *b, const char *digest, const void *data, size_t size)
{
        cleanup_close int fd = -EBADF;
        int r = blobstore_begin(b, digest, size, true, &fd);

        if (r <= 0)
                return r;
        if (ftruncate(fd, 0) < 0)
                return -errno;
        r = sys_write_all(fd, data, size);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0)
                r = blobstore_commit(b, digest);
        if (r < 0)
                blobstore_drop(b, digest);
        return r;
}
