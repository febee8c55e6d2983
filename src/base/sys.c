/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/faultpoint.h"

/* musl 1.2.3 and glibc 2.36 know different subsets of these; the numbers are the kernel's. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1U << 2)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static int as_result(long r)
{
        return r < 0 ? -errno : (int)r;
}

int sys_openat2(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
        struct open_how how = {
                .flags = (uint64_t)((unsigned)flags | O_CLOEXEC),
                .mode = mode,
                .resolve = resolve,
        };
        long fd;

        assert(path);

        do
                fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        while (fd < 0 && (errno == EINTR || errno == EAGAIN));

        return as_result(fd);
}

int sys_open_beneath_mode(int dir_fd, const char *path, int flags, mode_t mode)
{
        assert(dir_fd >= 0);
        return sys_openat2(dir_fd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

int sys_open_beneath(int dir_fd, const char *path, int flags)
{
        return sys_open_beneath_mode(dir_fd, path, flags, 0);
}

int sys_open_in_root(int root_fd, const char *path, int flags)
{
        assert(root_fd >= 0);
        return sys_openat2(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int sys_open_mode(int dir_fd, const char *path, int flags, mode_t mode)
{
        int fd;

        do
                fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
        while (fd < 0 && errno == EINTR);

        return as_result(fd);
}

int sys_open(int dir_fd, const char *path, int flags)
{
        return sys_open_mode(dir_fd, path, flags, 0);
}

int sys_statx(int dir_fd, const char *path, int flags, unsigned mask, struct statx *ret_st)
{
        return as_result(syscall(SYS_statx, dir_fd, path, flags, mask, ret_st));
}

int sys_open_tree(int dir_fd, const char *path, unsigned flags)
{
        return as_result(syscall(SYS_open_tree, dir_fd, path, flags | OPEN_TREE_CLOEXEC));
}

int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
        return as_result(syscall(SYS_move_mount, from_fd, from, to_fd, to, flags));
}

int sys_fsopen(const char *fs)
{
        return as_result(syscall(SYS_fsopen, fs, FSOPEN_CLOEXEC));
}

int sys_fsconfig(int fs_fd, unsigned cmd, const char *key, const void *value, int aux)
{
        return as_result(syscall(SYS_fsconfig, fs_fd, cmd, key, value, aux));
}

int sys_fsmount(int fs_fd, unsigned mount_attrs)
{
        return as_result(syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, mount_attrs));
}

int sys_mount_setattr(int fd, const char *path, unsigned flags, const struct mount_attr *attr)
{
        return as_result(syscall(SYS_mount_setattr, fd, path, flags, attr, sizeof(*attr)));
}

int sys_pidfd_open(pid_t pid)
{
        return as_result(syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
        return as_result(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int sys_pidfd_send_signal_group(int pidfd, int sig)
{
        return as_result(
                syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, PIDFD_SIGNAL_PROCESS_GROUP));
}

int sys_pidfd_pid(int pidfd, pid_t *ret_pid)
{
        char path[64], text[512];
        const char *line;
        cleanup_close int fd = -EBADF;
        ssize_t n;
        long pid;

        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        fd = sys_open(AT_FDCWD, path, O_RDONLY);
        if (fd < 0)
                return fd;
        n = sys_read_full(fd, text, sizeof(text) - 1);
        if (n < 0)
                return (int)n;
        text[n] = '\0';
        line = strstr(text, "\nPid:");
        pid = line ? strtol(line + 5, NULL, 10) : 0;
        if (pid <= 0)
                return -ESRCH;
        *ret_pid = (pid_t)pid;
        return 0;
}

static int close_range_by_loop(unsigned first, unsigned last, unsigned flags)
{
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;

        if (!dir)
                return -errno;

        while ((entry = readdir(dir))) {
                unsigned fd = (unsigned)strtoul(entry->d_name, NULL, 10);

                if (entry->d_name[0] == '.' || fd < first || fd > last || (int)fd == dirfd(dir))
                        continue;
                if (flags & CLOSE_RANGE_CLOEXEC)
                        (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
                else
                        (void)close((int)fd);
        }
        (void)closedir(dir);
        return 0;
}

static int close_all(unsigned first, unsigned last, unsigned flags)
{
        if (syscall(SYS_close_range, first, last, flags) == 0)
                return 0;
        if (errno != ENOSYS && errno != EPERM)
                return -errno;
        return close_range_by_loop(first, last, flags);
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
        int kept = fault_keep(); /* -1, and all of this is one call */
        int r = 0;

        if (kept < 0 || (unsigned)kept < first || (unsigned)kept > last)
                return close_all(first, last, flags);
        if ((unsigned)kept > first)
                r = close_all(first, (unsigned)kept - 1, flags);
        return r == 0 && (unsigned)kept < last ? close_all((unsigned)kept + 1, last, flags) : r;
}

pid_t sys_clone3(struct clone_args *args)
{
        return as_result(syscall(SYS_clone3, args, sizeof(*args)));
}

int sys_renameat2(int old_dir_fd, const char *old_name, int new_dir_fd, const char *new_name,
                  unsigned flags)
{
        return as_result(syscall(SYS_renameat2, old_dir_fd, old_name, new_dir_fd, new_name, flags));
}

int sys_memfd_sealed(const char *name, const void *data, size_t size)
{
        cleanup_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;

        r = sys_write_all(fd, data, size);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return -errno;

        return take_fd(&fd);
}

ssize_t sys_read(int fd, void *data, size_t size)
{
        ssize_t n;

        do
                n = read(fd, data, size);
        while (n < 0 && errno == EINTR);

        return n < 0 ? -errno : n;
}

ssize_t sys_write(int fd, const void *data, size_t size)
{
        ssize_t n;

        do
                n = write(fd, data, size);
        while (n < 0 && errno == EINTR);

        return n < 0 ? -errno : n;
}

int sys_write_all(int fd, const void *data, size_t size)
{
        const char *p = data;

        while (size > 0) {
                ssize_t n = sys_write(fd, p, size);

                if (n < 0)
                        return (int)n;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

ssize_t sys_read_full(int fd, void *data, size_t size)
{
        char *p = data;
        size_t have = 0;

        while (have < size) {
                ssize_t n = sys_read(fd, p + have, size - have);

                if (n < 0)
                        return n;
                if (n == 0)
                        break;
                have += (size_t)n;
        }
        return (ssize_t)have;
}
