/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar-in: from an archive to files of the box.
 *
 * As Docker: a directory is never replaced by something else, nor something
 * else by a directory; all other things that are in the way are removed first,
 * so nothing is ever written through a link.  Unlike Docker, a symlink in a
 * name leads nowhere outside of DIR.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/tar.h"
#include "init/builtins.h"
#include "init/tar-place.h"

#define ID_MAX ((uint64_t)UINT32_MAX - 1) /* the last one means "leave it" to chown(2) */

DEFINE_FREEP(struct tar, tar_free)

struct tar_in {
        struct tar *tar;
        struct tar_place place;
        bool own; /* by --own */
        uint32_t own_uid, own_gid;
        uint64_t not_given; /* entries that could not be given to their owner */
};

static void say(const struct coffer_error *err)
{
        (void)dprintf(STDERR_FILENO, "%s\n", err->msg);
}

static int refuse(const struct tar_entry *e, int code, const char *why, struct coffer_error *err)
{
        return error_say(err, code, COFFER_ERROR_OTHER, "extract '%.200s': it %s", e->path, why);
}

/* ---------------------------------------------------------------------------
 * attributes */

static int owner_of(const struct tar_in *in, const struct tar_entry *e, uint32_t *ret_uid,
                    uint32_t *ret_gid, struct coffer_error *err)
{
        if (!in->own && (e->uid > ID_MAX || e->gid > ID_MAX))
                return refuse(e, -EOVERFLOW, "belongs to an id that does not exist", err);
        *ret_uid = in->own ? in->own_uid : (uint32_t)e->uid;
        *ret_gid = in->own ? in->own_gid : (uint32_t)e->gid;
        return 0;
}

/*
 * EPERM: no right to give files away; EINVAL: no such id in this box.  It stays
 * ours then, and must not be set-id, which was meant for somebody else.
 */
static int give_away(struct tar_in *in, int fd, const char *name, uint32_t uid, uint32_t gid,
                     uint32_t *mode)
{
        if (fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
                return 0;
        if (errno != EPERM && errno != EINVAL)
                return -errno;
        in->not_given++;
        *mode &= 01777;
        return 0;
}

/* As tar-out writes them, for the same reasons. */
static bool may_set(const char *name)
{
        if (str_eq(name, "security.capability"))
                return true;
        return str_after(name, "user.") && !str_after(name, "user.overlay.");
}

static int set_xattrs(int fd, const struct tar_entry *e, struct coffer_error *err)
{
        for (size_t i = 0; i < e->xattr_count; i++) {
                const struct tar_xattr *a = &e->xattrs[i];

                if (!may_set(a->name) || fsetxattr(fd, a->name, a->value, a->size, 0) == 0)
                        continue;
                /* The file system has none, or the kernel does not take this one from us.
                 */
                if (errno != ENOTSUP && errno != EINVAL && errno != EPERM)
                        return error_set(err, -errno, "set attribute '%.60s' of '%.200s'", a->name,
                                         e->path);
        }
        return 0;
}

/* The order matters: chown(2) takes set-id bits and capabilities away, and so
 * does writing. */
static int set_file_attrs(struct tar_in *in, int fd, const struct tar_entry *e,
                          struct coffer_error *err)
{
        const struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT    },
                { .tv_sec = e->mtime_sec, .tv_nsec = e->mtime_nsec},
        };
        uint32_t mode = e->mode;
        uint32_t uid, gid;
        int r;

        r = owner_of(in, e, &uid, &gid, err);
        if (r < 0)
                return r;
        r = give_away(in, fd, "", uid, gid, &mode);
        if (r < 0)
                return error_set(err, r, "give '%.200s' to %u:%u", e->path, uid, gid);
        if (fchmod(fd, mode) < 0)
                return error_set(err, -errno, "set the mode of '%.200s'", e->path);
        r = set_xattrs(fd, e, err);
        if (r == 0 && futimens(fd, times) < 0)
                r = error_set(err, -errno, "set the time of '%.200s'", e->path);
        return r;
}

/* What cannot be opened: symlinks, FIFOs, devices. */
static int set_attrs_at(struct tar_in *in, int dir_fd, const char *name, const struct tar_entry *e,
                        struct coffer_error *err)
{
        const struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT    },
                { .tv_sec = e->mtime_sec, .tv_nsec = e->mtime_nsec},
        };
        uint32_t mode = e->mode;
        uint32_t uid, gid;
        int r;

        r = owner_of(in, e, &uid, &gid, err);
        if (r < 0)
                return r;
        r = give_away(in, dir_fd, name, uid, gid, &mode);
        if (r < 0)
                return error_set(err, r, "give '%.200s' to %u:%u", e->path, uid, gid);
        if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, -errno, "set the time of '%.200s'", e->path);
        return 0;
}

static int finish_dir(void *data, int fd, const struct tar_late *late)
{
        const struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT       },
                { .tv_sec = late->mtime_sec, .tv_nsec = late->mtime_nsec},
        };
        uint32_t mode = late->mode;
        int r = give_away(data, fd, "", late->uid, late->gid, &mode);

        if (r < 0)
                return r;
        return fchmod(fd, mode) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

/* ------------------------------------------------------------------------------
 * entries */

/* What stands at a name: 0 (nothing), else its type bits, or a negative errno.
 */
static int what_stands(int dir_fd, const char *name)
{
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        return (int)(st.st_mode & S_IFMT);
}

/* Makes place for something that is no directory. */
static int clear_way(struct tar_in *in, int dir_fd, const char *name, const struct tar_entry *e,
                     struct coffer_error *err)
{
        int type = what_stands(dir_fd, name);

        if (type == S_IFDIR)
                return refuse(e, -EISDIR, "is no directory, and would replace one", err);
        if (type < 0)
                return error_set(err, type, "look at '%.200s'", e->path);
        if (type == 0)
                return 0;
        in->place.parent_stale = true;
        if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
                return error_set(err, -errno, "replace '%.200s'", e->path);
        return 0;
}

static int write_at(int fd, const char *data, size_t size, uint64_t offset)
{
        while (size > 0) {
                ssize_t n = pwrite(fd, data, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                offset += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

static int write_content(struct tar_in *in, int fd, const struct tar_entry *e,
                         struct coffer_error *err)
{
        const void *piece;
        uint64_t offset;
        size_t size;
        int r;

        for (;;) {
                r = tar_content(in->tar, &piece, &size, &offset, err);
                if (r < 0)
                        return r;
                if (size == 0)
                        break;
                r = write_at(fd, piece, size, offset);
                if (r < 0)
                        return error_set(err, r, "write '%.200s'", e->path);
        }
        if (e->sparse && ftruncate(fd, (off_t)e->size) < 0)
                return error_set(err, -errno, "write '%.200s'", e->path);
        return 0;
}

static int make_file(struct tar_in *in, int dir_fd, const char *name, const struct tar_entry *e,
                     struct coffer_error *err)
{
        cleanup_close int fd = -EBADF;
        int r = clear_way(in, dir_fd, name, e, err);

        if (r < 0)
                return r;
        fd = sys_open_mode(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_set(err, fd, "create '%.200s'", e->path);
        r = write_content(in, fd, e, err);
        return r < 0 ? r : set_file_attrs(in, fd, e, err);
}

static int make_dir(struct tar_in *in, int dir_fd, const struct tar_name *name,
                    const struct tar_entry *e, struct coffer_error *err)
{
        struct tar_late late = {
                .mode = e->mode,
                .mtime_sec = e->mtime_sec,
                .mtime_nsec = e->mtime_nsec,
        };
        cleanup_close int fd = -EBADF;
        int r = owner_of(in, e, &late.uid, &late.gid, err);

        if (r < 0)
                return r;
        if (mkdirat(dir_fd, name->last, 0700) < 0 && errno != EEXIST)
                return error_set(err, -errno, "create directory '%.200s'", e->path);
        fd = sys_open(dir_fd, name->last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd == -ENOTDIR || fd == -ELOOP)
                return refuse(e, fd, "is a directory, and would replace what is none", err);
        if (fd < 0)
                return error_set(err, fd, "open directory '%.200s'", e->path);
        r = set_xattrs(fd, e, err);
        if (r < 0)
                return r;
        r = tar_place_late(&in->place, name, &late);
        return r < 0 ? error_set(err, r, "remember directory '%.200s'", e->path) : 0;
}

static int make_link_or_fifo(struct tar_in *in, int dir_fd, const char *name,
                             const struct tar_entry *e, struct coffer_error *err)
{
        int r = clear_way(in, dir_fd, name, e, err);

        if (r < 0)
                return r;
        if (e->type == TAR_SYMLINK)
                r = symlinkat(e->link, dir_fd, name);
        else
                r = mknodat(dir_fd, name, S_IFIFO | (e->mode & 0777), 0);
        if (r < 0)
                return error_set(err, -errno, "create '%.200s'", e->path);
        return set_attrs_at(in, dir_fd, name, e, err);
}

/*
 * Most boxes may make no devices, so they take nobody's place: what stands there would be gone and
 * nothing there instead.  A box's own /dev/null stays what it is in this way.
 */
static int make_device(struct tar_in *in, int dir_fd, const char *name, const struct tar_entry *e,
                       struct coffer_error *err)
{
        mode_t type = e->type == TAR_CHAR ? S_IFCHR : S_IFBLK;
        struct stat st;

        if (e->device_major > UINT32_MAX || e->device_minor > UINT32_MAX)
                return refuse(e, -EBADMSG, "is a device whose number cannot be", err);
        if (mknodat(dir_fd, name, type | (e->mode & 0777),
                    makedev((unsigned)e->device_major, (unsigned)e->device_minor)) == 0)
                return set_attrs_at(in, dir_fd, name, e, err);
        if (errno != EPERM && errno != EEXIST)
                return error_set(err, -errno, "create '%.200s'", e->path);
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type &&
            major(st.st_rdev) == e->device_major && minor(st.st_rdev) == e->device_minor)
                return 0;
        (void)refuse(e, -EPERM, "is a device, which cannot be made here: left out", err);
        say(err);
        return 0;
}

/* The target lies beneath DIR as well; a symlink at its end is linked, not
 * followed. */
static int make_hardlink(struct tar_in *in, const struct tar_name *name, const struct tar_entry *e,
                         struct coffer_error *err)
{
        cleanup_close int from_fd = -EBADF;
        struct tar_name from;
        int dir_fd, r;

        r = tar_name_parse(e->link, &from);
        if (r < 0 || from.last[0] == '\0')
                return refuse(e, -EBADMSG, "is a hard link to a name that cannot be", err);
        if (str_eq(from.whole, name->whole))
                return 0; /* to itself: it would be removed to make way */

        r = tar_place_parent(&in->place, &from, false, &dir_fd);
        if (r == 0) {
                from_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
                r = from_fd < 0 ? -errno : what_stands(from_fd, from.last);
        }
        if (r == 0 || r == -ENOENT || r == -ENOTDIR)
                return refuse(e, -ENOENT, "is a hard link to what is not there", err);
        if (r > 0)
                r = tar_place_parent(&in->place, name, true, &dir_fd);
        if (r < 0)
                return error_set(err, r, "link '%.120s' to '%.120s'", e->path, e->link);
        r = clear_way(in, dir_fd, name->last, e, err);
        if (r < 0)
                return r;
        if (linkat(from_fd, from.last, dir_fd, name->last, 0) < 0)
                return error_set(err, -errno, "link '%.120s' to '%.120s'", e->path, e->link);
        return 0;
}

static int extract_entry(struct tar_in *in, const struct tar_entry *e, struct coffer_error *err)
{
        struct tar_name name;
        int dir_fd, r;

        r = tar_name_parse(e->path, &name);
        if (r < 0)
                return refuse(e, r, "has '..' in its name", err);
        if (name.last[0] == '\0')
                /* DIR itself stays as it is. */
                return e->type == TAR_DIR ? 0 : refuse(e, -EBADMSG, "has no name", err);
        if (e->type == TAR_HARDLINK)
                return make_hardlink(in, &name, e, err);

        r = tar_place_parent(&in->place, &name, true, &dir_fd);
        if (r == -EXDEV)
                return refuse(e, r, "lies behind a symbolic link that leads elsewhere", err);
        if (r < 0)
                return error_set(err, r, "open the directory of '%.200s'", e->path);
        if (e->type == TAR_FILE)
                return make_file(in, dir_fd, name.last, e, err);
        if (e->type == TAR_DIR)
                return make_dir(in, dir_fd, &name, e, err);
        if (e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE)
                return make_device(in, dir_fd, name.last, e, err);
        return make_link_or_fifo(in, dir_fd, name.last, e, err);
}

/* ------------------------------------------------------------------------------
 * program */

static ssize_t read_stdin(void *data, void *to, size_t size, struct coffer_error *err)
{
        ssize_t n = sys_read(STDIN_FILENO, to, size);

        (void)data;
        return n < 0 ? error_set(err, (int)n, "read the archive") : n;
}

/* What follows the end is padding: whoever writes it must not be told that
 * nobody listens. */
static void drain_stdin(void)
{
        char dropped[4096];

        while (sys_read(STDIN_FILENO, dropped, sizeof(dropped)) > 0)
                ;
}

static int extract_all(struct tar_in *in, struct coffer_error *err)
{
        const struct tar_source source = {.read = read_stdin};
        cleanup_with(tar_freep) struct tar *tar = NULL;
        struct coffer_error late_err;
        const struct tar_entry *e;
        int r, late;

        r = tar_new(&source, true, &tar);
        if (r < 0)
                return error_set(err, r, "read the archive");
        in->tar = tar;
        while ((r = tar_next(tar, &e, err)) > 0) {
                r = extract_entry(in, e, err);
                if (r < 0)
                        break;
        }
        /* After a failure too: what was made is not to stay half open. */
        late = tar_place_finish(&in->place, finish_dir, in, &late_err);
        if (r == 0 && late < 0) {
                *err = late_err;
                return late;
        }
        if (r == 0)
                drain_stdin();
        return r;
}

static int open_target(const char *path, int *ret_fd, bool *ret_root, struct coffer_error *err)
{
        cleanup_close int root_fd = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
        cleanup_close int fd =
                root_fd < 0 ? root_fd : sys_open_in_root(root_fd, path, O_PATH | O_DIRECTORY);
        struct stat root, st;

        if (fd == -ENOENT)
                return error_say(err, fd, COFFER_ERROR_OTHER, "%.300s: no such file or directory",
                                 path);
        if (fd == -ENOTDIR)
                return error_say(err, fd, COFFER_ERROR_OTHER, "%.300s: not a directory", path);
        if (fd < 0)
                return error_set(err, fd, "open '%.200s'", path);
        if (fstat(root_fd, &root) < 0 || fstat(fd, &st) < 0)
                return error_set(err, -errno, "look at '%.200s'", path);
        *ret_root = root.st_dev == st.st_dev && root.st_ino == st.st_ino;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* "UID:GID" */
static int parse_owner(char *text, struct tar_in *in)
{
        char *colon = strchr(text, ':');
        uint64_t uid, gid;

        if (!colon)
                return -EINVAL;
        *colon = '\0';
        if (str_to_u64(text, ID_MAX, &uid) < 0 || str_to_u64(colon + 1, ID_MAX, &gid) < 0)
                return -EINVAL;
        in->own = true;
        in->own_uid = (uint32_t)uid;
        in->own_gid = (uint32_t)gid;
        return 0;
}

static int parse_arguments(char *const *argv, struct tar_in *in)
{
        char owner[32];

        if (!argv[1])
                return -EINVAL;
        if (!argv[2])
                return 0;
        if (!str_eq(argv[2], "--own") || !argv[3] || argv[4] ||
            str_copy(owner, sizeof(owner), argv[3]) < 0)
                return -EINVAL;
        return parse_owner(owner, in);
}

int builtin_tar_in(char *const *argv)
{
        cleanup_close int dir_fd = -EBADF;
        struct tar_in in = {0};
        struct coffer_error err;
        bool is_root = false;
        int r;

        if (parse_arguments(argv, &in) < 0) {
                (void)dprintf(STDERR_FILENO, "usage: tar-in DIR [--own UID:GID]\n");
                return BUILTIN_MISUSED;
        }
        (void)umask(0);
        r = open_target(argv[1][0] != '\0' ? argv[1] : "/", &dir_fd, &is_root, &err);
        if (r < 0) {
                say(&err);
                return r == -ENOENT || r == -ENOTDIR ? BUILTIN_NO_PLACE : BUILTIN_FAILED;
        }
        tar_place_init(&in.place, dir_fd, is_root);
        r = extract_all(&in, &err);
        tar_place_release(&in.place);
        if (in.not_given > 0)
                (void)dprintf(STDERR_FILENO,
                              "note: %llu entries could not be given to their owners\n",
                              (unsigned long long)in.not_given);
        if (r < 0)
                say(&err);
        return r < 0 ? BUILTIN_FAILED : BUILTIN_DONE;
}
