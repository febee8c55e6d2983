/* SPDX-License-Identifier: Apache-2.0 */
/* Names of entries, and the directories they lie in. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/extract-parts.h"

static int refuse(struct coffer_error *err, const char *name, const char *why)
{
        return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE, "entry '%.120s' %s", name, why);
}

static int too_big(struct coffer_error *err, const char *name, const char *what, int max)
{
        return error_say(err, -E2BIG, COFFER_ERROR_IMAGE, "entry '%.120s' has %s than %d", name,
                         what, max);
}

int extract_parse(const struct extract *x, const char *name, struct entry_path *ret_path,
                  struct coffer_error *err)
{
        const char *p = name;
        char *to = ret_path->whole;
        unsigned depth = 0;

        ret_path->parent_size = 0;
        ret_path->last = ret_path->whole;
        *to = '\0';

        while (*p != '\0') {
                size_t n = strcspn(p, "/");
                const char *part = p;

                p += n + (p[n] == '/');
                if (n == 0 || (n == 1 && part[0] == '.'))
                        continue;
                if (n == 2 && part[0] == '.' && part[1] == '.')
                        return refuse(err, name, "contains '..'");
                if (depth == 0 && x->spec->rename_first) {
                        part = x->spec->rename_first;
                        n = strlen(part);
                }
                if (n > EXTRACT_NAME_MAX)
                        return too_big(err, name, "a longer component", EXTRACT_NAME_MAX);
                if (++depth > EXTRACT_DEPTH_MAX)
                        return too_big(err, name, "more components", EXTRACT_DEPTH_MAX);

                /* Fits: the name has at most TAR_PATH_MAX bytes, one component may grow. */
                if (depth > 1) {
                        ret_path->parent_size = (size_t)(to - ret_path->whole);
                        *to++ = '/';
                }
                ret_path->last = to;
                memcpy(to, part, n);
                to += n;
                *to = '\0';
        }
        return 0;
}

static uint64_t resolve_flags(const struct extract *x)
{
        return x->spec->layer ? RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
                              : RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
}

static int open_dir(const struct extract *x, const char *path)
{
        return sys_openat2(x->spec->root_fd, path, O_PATH | O_DIRECTORY, 0, resolve_flags(x));
}

/* Parents that no entry has made, one after the other. */
static int make_parents(const struct extract *x, char *parent)
{
        cleanup_close int above = open_dir(x, ".");
        char *end = parent;

        while (above >= 0 && *end != '\0') {
                size_t n = strcspn(end, "/");
                char *name = end, kept = end[n];
                int fd;

                end[n] = '\0';
                fd = open_dir(x, parent);
                if (fd == -ENOENT) {
                        /* A symlink that leads nowhere is EEXIST here: nothing is made of it. */
                        if (mkdirat(above, name, 0755) < 0)
                                return -errno;
                        fd = open_dir(x, parent);
                }
                end[n] = kept;
                end += n + (kept == '/');
                close_fd(&above);
                above = fd;
        }
        return take_fd(&above);
}

int extract_open_parent(struct extract *x, const struct entry_path *path, bool make, int *ret_fd)
{
        char parent[sizeof(x->parent)];
        int fd;

        memcpy(parent, path->whole, path->parent_size);
        parent[path->parent_size] = '\0';
        if (x->parent_fd >= 0 && !x->parent_stale && str_eq(parent, x->parent)) {
                *ret_fd = x->parent_fd;
                return 0;
        }

        fd = open_dir(x, parent[0] != '\0' ? parent : ".");
        if (fd == -ENOENT && make)
                fd = make_parents(x, parent);
        if (fd < 0)
                return fd;

        close_fd(&x->parent_fd);
        x->parent_fd = fd;
        x->parent_stale = false;
        memcpy(x->parent, parent, path->parent_size + 1);
        *ret_fd = fd;
        return 0;
}
