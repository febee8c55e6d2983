/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * System calls, each wrapped once: our flags, EINTR retried, negative errno, no policy, no words.
 * Used by host programs (glibc) and by coffer-init (musl), hence syscall(2) where one of the two
 * C libraries has no wrapper.
 */

#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A directory's path below which an outsider chose the name: no "..", no symlink leaves it (5.6).
 */
int sys_open_beneath(int dir_fd, const char *path, int flags);
int sys_open_beneath_mode(int dir_fd, const char *path, int flags, mode_t mode);
/* As if dir_fd were "/": absolute names and symlinks stay inside (5.6). */
int sys_open_in_root(int root_fd, const char *path, int flags);
/* Any of the RESOLVE_* flags of openat2(2); EAGAIN is retried (5.6). */
int sys_openat2(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve);
/* openat(2) with O_CLOEXEC. */
int sys_open(int dir_fd, const char *path, int flags);
int sys_open_mode(int dir_fd, const char *path, int flags, mode_t mode);
/* musl 1.2.3 has no wrapper; the struct is that of linux/stat.h (4.11; its mount flag 5.8). */
struct statx;
int sys_statx(int dir_fd, const char *path, int flags, unsigned mask, struct statx *ret_st);

int sys_open_tree(int dir_fd, const char *path, unsigned flags); /* 5.2 */
int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to,
                   unsigned flags);                                                     /* 5.2 */
int sys_fsopen(const char *fs);                                                         /* 5.2 */
int sys_fsconfig(int fs_fd, unsigned cmd, const char *key, const void *value, int aux); /* 5.2 */
int sys_fsmount(int fs_fd, unsigned mount_attrs);                                       /* 5.2 */
int sys_mount_setattr(int fd, const char *path, unsigned flags,
                      const struct mount_attr *attr); /* 5.12 */

int sys_pidfd_open(pid_t pid);                 /* 5.3 */
int sys_pidfd_send_signal(int pidfd, int sig); /* 5.1 */
/* To all of its process group (6.9); before that -EINVAL. */
int sys_pidfd_send_signal_group(int pidfd, int sig);
/* Which pid a pidfd means in the PID namespace of /proc; -ESRCH when it is dead or not in it. */
int sys_pidfd_pid(int pidfd, pid_t *ret_pid);
int sys_close_range(unsigned first, unsigned last, unsigned flags); /* 5.9; falls back to a loop */
/* fork by clone3(2) (5.3); returns 0 in the child. */
pid_t sys_clone3(struct clone_args *args);
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* renameat2(2) (3.15); musl 1.2.3 has no wrapper. */
int sys_renameat2(int old_dir_fd, const char *old_name, int new_dir_fd, const char *new_name,
                  unsigned flags);
int sys_memfd_sealed(const char *name, const void *data, size_t size);

/* All of it or a negative errno; regular files, pipes, blocking sockets. */
int sys_write_all(int fd, const void *data, size_t size);
/* Up to size bytes until end of file; returns how many. */
ssize_t sys_read_full(int fd, void *data, size_t size);
/* As read(2), EINTR retried, negative errno. */
ssize_t sys_read(int fd, void *data, size_t size);
ssize_t sys_write(int fd, const void *data, size_t size);
