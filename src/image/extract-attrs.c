/* SPDX-License-Identifier: Apache-2.0 */
/* Owners, modes, times and extended attributes of what is unpacked. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/extract-parts.h"

#define CAPABILITY "security.capability"

int extract_owner(const struct extract *x, const struct tar_entry *e, uint32_t *ret_uid,
                  uint32_t *ret_gid, struct coffer_error *err)
{
        *ret_uid = *ret_gid = 0;
        if (x->spec->ownership != IMAGE_OWN_RANGE)
                return 0;
        if (e->uid > EXTRACT_ID_MAX || e->gid > EXTRACT_ID_MAX)
                return error_say(err, -EOVERFLOW, COFFER_ERROR_IMAGE,
                                 "entry '%.120s' belongs to %llu:%llu, and ids end at %d here",
                                 e->path, (unsigned long long)e->uid, (unsigned long long)e->gid,
                                 EXTRACT_ID_MAX);
        *ret_uid = (uint32_t)e->uid;
        *ret_gid = (uint32_t)e->gid;
        return 0;
}

uint32_t extract_mode(const struct extract *x, const struct tar_entry *e)
{
        /* A setuid file of the caller himself would be his to everybody else. */
        if (!x->spec->layer)
                return e->mode & 0777;
        return x->spec->ownership == IMAGE_OWN_RANGE ? e->mode : e->mode & 01777;
}

/*
 * What may come from an image.  Left out on purpose:
 *   trusted.*, user.overlay.*   would steer the overlay that the layer is mounted in
 *   security.*                  labels and hashes are the host's to give; of file capabilities the
 *                               kernel ties those written here to the store's user namespace
 *   system.nfs4_acl, others     nothing that a box has a use for
 */
static bool may_keep(const struct extract *x, const char *name)
{
        if (!x->spec->layer)
                return false;
        if (str_eq(name, CAPABILITY))
                return x->spec->ownership == IMAGE_OWN_RANGE;
        if (str_eq(name, "system.posix_acl_access") || str_eq(name, "system.posix_acl_default"))
                return x->spec->ownership == IMAGE_OWN_RANGE;
        return str_after(name, "user.") && !str_after(name, "user.overlay.");
}

int extract_xattrs(struct extract *x, int fd, const struct tar_entry *e, struct coffer_error *err)
{
        for (size_t i = 0; i < e->xattr_count; i++) {
                const struct tar_xattr *a = &e->xattrs[i];

                if (!may_keep(x, a->name)) {
                        x->stats.dropped++;
                        continue;
                }
                if (fsetxattr(fd, a->name, a->value, a->size, 0) == 0)
                        continue;
                /* ENOTSUP: the file system has none; EINVAL: a value that the kernel checks, such
                 * as a malformed capability; EPERM: not for this type of file. */
                if (errno != ENOTSUP && errno != EINVAL && errno != EPERM)
                        return error_set(err, -errno, "set attribute '%.60s' of '%.120s'", a->name,
                                         e->path);
                x->stats.dropped++;
        }
        return 0;
}

static int grow_dirs(struct extract *x)
{
        size_t capacity = x->dir_capacity ? 2 * x->dir_capacity : 256;
        struct dir_attrs *dirs;

        if (x->dir_count < x->dir_capacity)
                return 0;
        dirs = realloc(x->dirs, capacity * sizeof(*dirs));
        if (!dirs)
                return -ENOMEM;
        x->dirs = dirs;
        x->dir_capacity = capacity;
        return 0;
}

int extract_remember_dir(struct extract *x, const struct entry_path *path,
                         const struct tar_entry *e, struct coffer_error *err)
{
        struct dir_attrs attrs = {
                .path = x->dir_paths.size,
                .mode = extract_mode(x, e),
                .mtime_sec = e->mtime_sec,
                .mtime_nsec = e->mtime_nsec,
        };
        int r;

        if (x->dir_count == EXTRACT_DIRS_MAX)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE, "it has more than %d directories",
                                 EXTRACT_DIRS_MAX);
        r = extract_owner(x, e, &attrs.uid, &attrs.gid, err);
        if (r < 0)
                return r;
        r = buf_append(&x->dir_paths, path->whole, strlen(path->whole) + 1);
        if (r == -E2BIG)
                return error_say(err, r, COFFER_ERROR_IMAGE,
                                 "the names of its directories have more than %zu bytes",
                                 EXTRACT_DIR_BYTES_MAX);
        if (r == 0)
                r = grow_dirs(x);
        if (r < 0)
                return error_set(err, r, "remember a directory");
        x->dirs[x->dir_count++] = attrs;
        return 0;
}

static int finish_dir(struct extract *x, const struct dir_attrs *d, const char *path)
{
        const struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT    },
                { .tv_sec = d->mtime_sec, .tv_nsec = d->mtime_nsec},
        };
        bool root = path[0] == '\0';
        uint32_t mode = d->mode, uid = d->uid, gid = d->gid;
        cleanup_close int fd = -EBADF;
        struct entry_path where;
        int parent_fd, r;

        /*
         * The root of a layer stays id 0's with all of the owner's rights, so that its directory
         * can be renamed into the store; the box's own root comes from its upper directory.
         */
        if (root) {
                mode |= 0700;
                uid = gid = 0;
                fd = sys_open(x->spec->root_fd, ".", O_RDONLY | O_DIRECTORY);
        } else {
                const char *slash = strrchr(path, '/');

                (void)str_copy(where.whole, sizeof(where.whole), path);
                where.parent_size = slash ? (size_t)(slash - path) : 0;
                r = extract_open_parent(x, &where, false, &parent_fd);
                fd = r < 0 ? r
                           : sys_open(parent_fd, slash ? slash + 1 : path,
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        }
        /* A later entry may have put something else in its place. */
        if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
                return 0;
        if (fd < 0)
                return fd;

        if (x->spec->ownership == IMAGE_OWN_RANGE && fchown(fd, uid, gid) < 0)
                return -errno;
        if (fchmod(fd, mode) < 0)
                return -errno;
        return futimens(fd, times) < 0 ? -errno : 0;
}

/* By name, and entries of one name in the order of the stream, which is that of their paths. */
static int compare_dirs(const void *left, const void *right, void *paths)
{
        const struct dir_attrs *a = left, *b = right;
        int r = strcmp((const char *)paths + a->path, (const char *)paths + b->path);

        return r != 0 ? r : (a->path > b->path) - (a->path < b->path);
}

int extract_finish_dirs(struct extract *x, struct coffer_error *err)
{
        const char *done = NULL;

        if (x->dir_count == 0)
                return 0;
        qsort_r(x->dirs, x->dir_count, sizeof(*x->dirs), compare_dirs, x->dir_paths.data);

        /* Backwards: children find their parents still open, and the last of equal names wins. */
        for (size_t i = x->dir_count; i-- > 0;) {
                const char *path = x->dir_paths.data + x->dirs[i].path;
                int r;

                if (done && str_eq(done, path))
                        continue;
                r = finish_dir(x, &x->dirs[i], path);
                if (r < 0)
                        return error_set(err, r, "finish directory '%.120s'", path);
                done = path;
        }
        return 0;
}
