/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image format marks a removed file by an empty file ".wh.NAME" beside where it was, and a
 * directory that hides what lies below by ".wh..wh..opq" inside it.  Overlayfs with userxattr wants
 * a character device 0:0 of the file's own name, and user.overlay.opaque=y.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/extract-parts.h"

#define PREFIX      ".wh."
#define META_PREFIX ".wh..wh."
#define OPAQUE      ".wh..wh..opq"

int extract_set_opaque(int dir_fd, const char *name)
{
        cleanup_close int fd = sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (fd < 0)
                return fd;
        return fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

bool extract_is_whiteout(int dir_fd, const char *name)
{
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
               st.st_rdev == 0;
}

/* A directory named ".wh.x" means nothing that the format knows. */
static bool marked_parent(const struct entry_path *path, bool *ret_meta)
{
        for (const char *p = path->whole; p < path->last;) {
                const char *slash = strchr(p, '/');

                if (str_after(p, PREFIX)) {
                        *ret_meta = str_after(p, META_PREFIX) != NULL;
                        return true;
                }
                if (!slash)
                        break;
                p = slash + 1;
        }
        return false;
}

static int hide(int dir_fd, const char *name)
{
        struct stat st;

        if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        /* The mark is about lower layers only: what this one brings stays. */
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? extract_set_opaque(dir_fd, name) : 0;
}

int extract_whiteout(struct extract *x, const struct entry_path *path, struct coffer_error *err)
{
        const char *name = str_after(path->last, PREFIX);
        bool meta = false;
        int dir_fd, r;

        if (!x->spec->layer)
                return 0;
        if (marked_parent(path, &meta))
                return meta ? 1
                            : error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                        "entry '%.120s' lies in a whiteout", path->whole);
        if (!name)
                return 0;
        /* aufs keeps its own books under these names; they mean nothing to others. */
        if (str_after(path->last, META_PREFIX) && !str_eq(path->last, OPAQUE))
                return 1;
        if (name[0] == '\0' || str_eq(name, ".") || str_eq(name, ".."))
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "entry '%.120s' is a whiteout of nothing", path->whole);

        r = extract_open_parent(x, path, true, &dir_fd);
        if (r == 0)
                r = str_eq(path->last, OPAQUE) ? extract_set_opaque(dir_fd, ".")
                                               : hide(dir_fd, name);
        if (r < 0)
                return error_set(err, r, "apply whiteout '%.120s'", path->whole);
        return 1;
}
