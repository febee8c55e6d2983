/* SPDX-License-Identifier: Apache-2.0 */
#include "store/home.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

#define HOME_PATH_MAX 3072 /* leaves room below PATH_MAX for what lies in a box */

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef SMB2_MAGIC_NUMBER
#define SMB2_MAGIC_NUMBER 0xfe534d42
#endif
#define CEPH_MAGIC   0x00c36400
#define PROC_MAGIC   0x9fa0
#define SYSFS_MAGIC_ 0x62656572

/*
 * Their locks are another machine's word, or come and go with a server: a second monitor could be
 * started on a box that lives.  virtiofs has the number of FUSE.
 */
static const struct {
        uint64_t magic;
        const char *name;
} refused[] = {
        {NFS_SUPER_MAGIC,   "NFS"             },
        {V9FS_MAGIC,        "9p"              },
        {FUSE_SUPER_MAGIC,  "FUSE or virtiofs"},
        {AFS_SUPER_MAGIC,   "AFS"             },
        {AFS_FS_MAGIC,      "AFS"             },
        {SMB_SUPER_MAGIC,   "SMB"             },
        {SMB2_MAGIC_NUMBER, "SMB"             },
        {CIFS_SUPER_MAGIC,  "CIFS"            },
        {CEPH_MAGIC,        "Ceph"            },
        {PROC_MAGIC,        "proc"            },
        {SYSFS_MAGIC_,      "sysfs"           },
};

int home_check_fs(uint64_t magic, const char *path, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                if (refused[i].magic != magic)
                        continue;
                (void)error_say(err, -EOPNOTSUPP, COFFER_ERROR_HOST,
                                "'%s' lies on %s, which cannot keep boxes", path, refused[i].name);
                error_hint(err, "set COFFER_HOME to a directory on a local file system");
                return -EOPNOTSUPP;
        }
        return 0;
}

static int say(struct coffer_error *err, int code, const char *verb, const char *path,
               const char *name)
{
        (void)error_set(err, code, "%s '%s%s%s'", verb, path, name ? "/" : "", name ? name : "");
        error_hint_path(err, code);
        if (code == -EROFS)
                error_hint(err, "set COFFER_HOME to a directory that can be written to");
        else if (code == -EACCES || code == -EPERM)
                error_hint(err, "set COFFER_HOME to a directory of your own");
        else if (code == -ENOTDIR || code == -ELOOP)
                error_hint(err, "set COFFER_HOME to a directory; what lies there is none");
        return code;
}

static int make_parents(const char *path)
{
        char part[HOME_PATH_MAX + 1];
        size_t n = strlen(path);

        memcpy(part, path, n + 1);
        for (char *p = part + 1; *p != '\0'; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                if (mkdir(part, 0755) < 0 && errno != EEXIST && errno != EROFS)
                        return -errno;
                *p = '/';
        }
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int check_owner(int fd, const char *path, struct coffer_error *err)
{
        struct statfs fs;
        struct stat st;

        if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
                return error_set(err, -errno, "look at '%s'", path);
        if (st.st_uid != geteuid()) {
                (void)error_say(err, -EPERM, COFFER_ERROR_USAGE,
                                "'%s' belongs to user %u, not to the caller", path,
                                (unsigned)st.st_uid);
                error_hint(err, "set COFFER_HOME to a directory of your own");
                return -EPERM;
        }
        if (st.st_mode & (S_IWGRP | S_IWOTH)) {
                (void)error_say(err, -EPERM, COFFER_ERROR_HOST,
                                "others may write to '%s', so boxes are not safe there", path);
                error_hint(err, "chmod go-w '%s'", path);
                return -EPERM;
        }
        return home_check_fs((uint64_t)(unsigned long)fs.f_type, path, err);
}

static int open_subdir(const struct home *home, const char *name, int *ret_fd, bool *made,
                       struct coffer_error *err)
{
        int fd = sys_open(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (fd == -ENOENT) {
                if (mkdirat(home->fd, name, 0700) == 0)
                        *made = true;
                else if (errno != EEXIST)
                        return say(err, -errno, "make", home->path, name);
                fd = sys_open(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        }
        if (fd < 0)
                return say(err, fd, "open", home->path, name);
        *ret_fd = fd;
        return 0;
}

int home_subdir(const struct home *home, const char *name, int *ret_fd, struct coffer_error *err)
{
        bool made = false;

        return open_subdir(home, name, ret_fd, &made, err);
}

static int open_top(struct home *home, struct coffer_error *err)
{
        int fd = sys_open(AT_FDCWD, home->path, O_RDONLY | O_DIRECTORY);
        int r;

        if (fd == -ENOENT) {
                r = make_parents(home->path);
                if (r < 0)
                        return say(err, r, "make", home->path, NULL);
                fd = sys_open(AT_FDCWD, home->path, O_RDONLY | O_DIRECTORY);
        }
        if (fd < 0)
                return say(err, fd, "open", home->path, NULL);
        home->fd = fd;
        return check_owner(fd, home->path, err);
}

static int check_path(const char *path, struct coffer_error *err)
{
        if (path[0] != '/') {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "the home '%.200s' is not an absolute path", path);
                error_hint(err, "begin COFFER_HOME with a slash");
                return -EINVAL;
        }
        if (strlen(path) > HOME_PATH_MAX) {
                (void)error_say(err, -ENAMETOOLONG, COFFER_ERROR_USAGE,
                                "the home's path is longer than %d bytes", HOME_PATH_MAX);
                error_hint(err, "set COFFER_HOME to a directory with a shorter path");
                return -ENAMETOOLONG;
        }
        return 0;
}

int home_open(const char *path, struct home **ret_home, struct coffer_error *err)
{
        cleanup_with(home_freep) struct home *home = NULL;
        bool made_boxes = false, made_claims = false;
        int r;

        r = check_path(path, err);
        if (r < 0)
                return r;
        home = malloc(sizeof(*home));
        if (!home)
                return error_set(err, -ENOMEM, "open '%s'", path);
        *home = (struct home){NULL, -EBADF, -EBADF, -EBADF, -EBADF, false};
        home->path = strdup(path);
        if (!home->path)
                return error_set(err, -ENOMEM, "open '%s'", path);

        r = open_top(home, err);
        if (r == 0)
                r = open_subdir(home, "boxes", &home->boxes_fd, &made_boxes, err);
        if (r == 0)
                r = open_subdir(home, "names", &home->names_fd, &made_claims, err);
        if (r == 0)
                r = open_subdir(home, "ids", &home->ids_fd, &made_claims, err);
        home->unclaimed = made_claims && !made_boxes;
        if (r < 0) {
                error_kind(err, COFFER_ERROR_HOST);
                return r;
        }

        *ret_home = take_ptr(home);
        return 0;
}

struct home *home_free(struct home *home)
{
        if (!home)
                return NULL;
        free(home->path);
        close_fd(&home->fd);
        close_fd(&home->boxes_fd);
        close_fd(&home->names_fd);
        close_fd(&home->ids_fd);
        free(home);
        return NULL;
}
