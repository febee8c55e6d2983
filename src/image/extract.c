/* SPDX-License-Identifier: Apache-2.0 */
#include "image/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/extract-parts.h"
#include "image/purge.h"

/* What stands at a name: 0 (nothing), else its type bits, or a negative errno. */
static int what_stands(int dir_fd, const char *name)
{
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        return (int)(st.st_mode & S_IFMT);
}

static int refuse(const struct tar_entry *e, struct coffer_error *err, int code, const char *why)
{
        return error_say(err, code, COFFER_ERROR_IMAGE, "entry '%.120s' %s", e->path, why);
}

static int open_parent(struct extract *x, const struct entry_path *path, const struct tar_entry *e,
                       int *ret_fd, struct coffer_error *err)
{
        int r = extract_open_parent(x, path, true, ret_fd);

        if (r == -ELOOP || r == -ENOTDIR || r == -EEXIST || r == -EXDEV)
                return refuse(e, err, r, "lies below something that is no directory");
        return r < 0 ? error_set(err, r, "open the directory of '%.120s'", e->path) : 0;
}

/* Makes place for something that is no directory. */
static int clear_way(struct extract *x, int dir_fd, const char *name, const struct tar_entry *e,
                     struct coffer_error *err)
{
        int type = what_stands(dir_fd, name);
        int r;

        if (type <= 0)
                return type < 0 ? error_set(err, type, "look at '%.120s'", e->path) : 0;
        if (!x->spec->layer && type == S_IFDIR)
                return refuse(e, err, -EISDIR, "would replace a directory");
        if (!x->spec->layer && !x->spec->overwrite)
                return refuse(e, err, -EEXIST, "exists already");

        x->parent_stale = true;
        r = purge_at(dir_fd, name);
        return r < 0 ? error_set(err, r, "replace '%.120s'", e->path) : 0;
}

static int write_content(struct extract *x, struct tar *tar, int fd, const struct tar_entry *e,
                         struct coffer_error *err)
{
        for (;;) {
                const char *data = NULL;
                const void *piece;
                size_t size;
                uint64_t offset;
                int r;

                r = tar_content(tar, &piece, &size, &offset, err);
                if (r < 0)
                        return r;
                if (size == 0)
                        break;
                data = piece;
                while (size > 0) {
                        ssize_t n = pwrite(fd, data, size, (off_t)offset);

                        if (n < 0 && errno == EINTR)
                                continue;
                        if (n < 0)
                                return error_set(err, -errno, "write '%.120s'", e->path);
                        data += n;
                        offset += (uint64_t)n;
                        size -= (size_t)n;
                }
        }
        if (e->sparse && ftruncate(fd, (off_t)e->size) < 0)
                return error_set(err, -errno, "write '%.120s'", e->path);
        x->stats.bytes += e->size;
        return 0;
}

/* An ordinary user sets attributes of what he may write: its mode comes after them. */
static bool mode_comes_last(const struct extract *x, const struct tar_entry *e)
{
        return x->spec->ownership != IMAGE_OWN_RANGE && e->xattr_count > 0 && !(e->mode & 0200);
}

static int set_mode(const struct extract *x, int fd, const struct tar_entry *e,
                    struct coffer_error *err)
{
        if (fchmod(fd, extract_mode(x, e)) < 0)
                return error_set(err, -errno, "set the mode of '%.120s'", e->path);
        return 0;
}

static int set_attrs(struct extract *x, int fd, const struct tar_entry *e, struct coffer_error *err)
{
        bool last = mode_comes_last(x, e);
        const struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT    },
                { .tv_sec = e->mtime_sec, .tv_nsec = e->mtime_nsec},
        };
        uint32_t uid, gid;
        int r;

        r = extract_owner(x, e, &uid, &gid, err);
        if (r < 0)
                return r;
        /* This order: chown takes setuid bits and capabilities away, writing takes them too. */
        if (x->spec->ownership == IMAGE_OWN_RANGE && (uid != 0 || gid != 0) &&
            fchown(fd, uid, gid) < 0)
                return error_set(err, -errno, "give '%.120s' to %u:%u", e->path, uid, gid);
        if (!last && (extract_mode(x, e) & 07000))
                r = set_mode(x, fd, e, err);
        if (r == 0)
                r = extract_xattrs(x, fd, e, err);
        if (r == 0 && last)
                r = set_mode(x, fd, e, err);
        if (r < 0)
                return r;
        if (futimens(fd, times) < 0)
                return error_set(err, -errno, "set the time of '%.120s'", e->path);
        return 0;
}

static int make_file(struct extract *x, struct tar *tar, int dir_fd, const char *name,
                     const struct tar_entry *e, struct coffer_error *err)
{
        int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
        mode_t mode = (extract_mode(x, e) & 0777) | (mode_comes_last(x, e) ? 0200 : 0);
        cleanup_close int fd = sys_open_mode(dir_fd, name, flags, mode);
        int r;

        if (fd == -EEXIST) {
                r = clear_way(x, dir_fd, name, e, err);
                if (r < 0)
                        return r;
                fd = sys_open_mode(dir_fd, name, flags, mode);
        }
        if (fd < 0)
                return error_set(err, fd, "create '%.120s'", e->path);
        r = write_content(x, tar, fd, e, err);
        return r < 0 ? r : set_attrs(x, fd, e, err);
}

static int make_dir(struct extract *x, int dir_fd, const struct entry_path *path,
                    const struct tar_entry *e, struct coffer_error *err)
{
        const char *name = path->last;
        cleanup_close int fd = -EBADF;
        bool opaque = false;
        int type, r;

        if (mkdirat(dir_fd, name, 0700) < 0) {
                if (errno != EEXIST)
                        return error_set(err, -errno, "create directory '%.120s'", e->path);
                type = what_stands(dir_fd, name);
                if (type != S_IFDIR) {
                        if (!x->spec->layer)
                                return refuse(e, err, -ENOTDIR,
                                              "would replace something that is no directory");
                        opaque = extract_is_whiteout(dir_fd, name);
                        r = clear_way(x, dir_fd, name, e, err);
                        if (r < 0)
                                return r;
                        if (mkdirat(dir_fd, name, 0700) < 0)
                                return error_set(err, -errno, "create directory '%.120s'", e->path);
                }
        }
        r = opaque ? extract_set_opaque(dir_fd, name) : 0;
        if (r < 0)
                return error_set(err, r, "mark directory '%.120s'", e->path);

        if (e->xattr_count > 0) {
                fd = sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
                r = fd < 0 ? error_set(err, fd, "open directory '%.120s'", e->path)
                           : extract_xattrs(x, fd, e, err);
        }
        return r < 0 ? r : extract_remember_dir(x, path, e, err);
}

/* Symlinks and FIFOs cannot be opened for their attributes. */
static int set_attrs_at(struct extract *x, int dir_fd, const char *name, const struct tar_entry *e,
                        struct coffer_error *err)
{
        const struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT    },
                { .tv_sec = e->mtime_sec, .tv_nsec = e->mtime_nsec},
        };
        uint32_t uid, gid;
        int r;

        r = extract_owner(x, e, &uid, &gid, err);
        if (r < 0)
                return r;
        if (x->spec->ownership == IMAGE_OWN_RANGE && (uid != 0 || gid != 0) &&
            fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, -errno, "give '%.120s' to %u:%u", e->path, uid, gid);
        if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, -errno, "set the time of '%.120s'", e->path);
        x->stats.dropped += e->xattr_count;
        return 0;
}

static int make_special(struct extract *x, int dir_fd, const char *name, const struct tar_entry *e,
                        struct coffer_error *err)
{
        int r = clear_way(x, dir_fd, name, e, err);

        if (r < 0)
                return r;
        if (e->type == TAR_SYMLINK)
                r = symlinkat(e->link, dir_fd, name);
        else
                r = mknodat(dir_fd, name, S_IFIFO | (extract_mode(x, e) & 0777), 0);
        if (r < 0)
                return error_set(err, -errno, "create '%.120s'", e->path);
        return set_attrs_at(x, dir_fd, name, e, err);
}

/*
 * The target's own parent is resolved inside the root too, and a symlink at its end is linked, not
 * followed.  What it names must have come with this stream.
 */
static int make_hardlink(struct extract *x, const struct entry_path *path,
                         const struct tar_entry *e, struct coffer_error *err)
{
        cleanup_close int from_fd = -EBADF;
        struct entry_path from;
        int dir_fd, r;

        r = extract_parse(x, e->link, &from, err);
        if (r < 0)
                return r;
        if (from.last[0] == '\0')
                return refuse(e, err, -EBADMSG, "is a hard link to the root");
        if (str_eq(from.whole, path->whole))
                return 0; /* to itself: it would be removed to make way */

        r = extract_open_parent(x, &from, false, &dir_fd);
        if (r == 0) {
                from_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
                if (from_fd < 0)
                        return error_set(err, -errno, "link '%.120s'", e->path);
                r = what_stands(from_fd, from.last);
        }
        if (r == 0 || r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
                return refuse(e, err, -ENOENT, "is a hard link to what the stream does not have");
        if (r == S_IFDIR || r == S_IFCHR)
                return refuse(e, err, -EBADMSG, "is a hard link to something that is no file");
        if (r < 0)
                return error_set(err, r, "look at '%.120s'", e->link);

        r = open_parent(x, path, e, &dir_fd, err);
        if (r < 0)
                return r;
        r = clear_way(x, dir_fd, path->last, e, err);
        if (r < 0)
                return r;
        if (linkat(from_fd, from.last, dir_fd, path->last, 0) < 0)
                return error_set(err, -errno, "link '%.120s' to '%.120s'", e->path, e->link);
        return 0;
}

/* Devices are left out: a box gets its /dev from coffer, and 0:0 would be a whiteout. */
static int leave_out_device(struct extract *x, const struct tar_entry *e, struct coffer_error *err)
{
        if (e->type == TAR_CHAR && e->device_major == 0 && e->device_minor == 0)
                return refuse(e, err, -EBADMSG,
                              "is a device 0:0, which is how overlayfs marks a removed file");
        x->stats.skipped++;
        return 0;
}

static int make_entry(struct extract *x, struct tar *tar, const struct entry_path *path,
                      const struct tar_entry *e, struct coffer_error *err)
{
        int dir_fd, r;

        if (path->last[0] == '\0') {
                if (e->type != TAR_DIR)
                        return refuse(e, err, -EBADMSG, "names the root");
                /* The directory that is copied into is the user's own and stays as it is. */
                return x->spec->layer ? extract_remember_dir(x, path, e, err) : 0;
        }
        if (e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE)
                return leave_out_device(x, e, err);
        x->stats.entries++;
        if (e->type == TAR_HARDLINK)
                return make_hardlink(x, path, e, err);

        r = open_parent(x, path, e, &dir_fd, err);
        if (r < 0)
                return r;
        if (e->type == TAR_FILE)
                return make_file(x, tar, dir_fd, path->last, e, err);
        if (e->type == TAR_DIR)
                return make_dir(x, dir_fd, path, e, err);
        return make_special(x, dir_fd, path->last, e, err);
}

static int check_limits(const struct extract *x, const struct tar_entry *e,
                        struct coffer_error *err)
{
        if (x->entries > x->spec->max_entries)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE, "it has more than %llu entries",
                                 (unsigned long long)x->spec->max_entries);
        if (e->size > x->spec->max_bytes - x->stats.bytes)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "its files have more than %llu bytes",
                                 (unsigned long long)x->spec->max_bytes);
        return 0;
}

static int extract_all(struct extract *x, struct tar *tar, struct coffer_error *err)
{
        const struct tar_entry *e;
        int r;

        while ((r = tar_next(tar, &e, err)) > 0) {
                struct entry_path path;

                x->entries++;
                r = check_limits(x, e, err);
                if (r == 0)
                        r = extract_parse(x, e->path, &path, err);
                if (r == 0)
                        r = extract_whiteout(x, &path, err);
                if (r == 0)
                        r = make_entry(x, tar, &path, e, err);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : extract_finish_dirs(x, err);
}

int extract_tar(struct tar *tar, const struct extract_spec *spec, struct extract_stats *ret_stats,
                struct coffer_error *err)
{
        struct extract x = {
                .spec = spec,
                .parent_fd = -EBADF,
                .dir_paths = BUF_INIT(EXTRACT_DIR_BYTES_MAX),
        };
        int r = extract_all(&x, tar, err);

        *ret_stats = x.stats;
        close_fd(&x.parent_fd);
        free(x.dirs);
        buf_release(&x.dir_paths);
        return r;
}
