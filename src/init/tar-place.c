/* SPDX-License-Identifier: Apache-2.0 */
#include "init/tar-place.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

int tar_name_parse(const char *text, struct tar_name *ret_name)
{
        char *to = ret_name->whole;
        const char *p = text;

        assert(strlen(text) <= TAR_PATH_MAX);
        ret_name->parent_size = 0;
        ret_name->last = to;
        *to = '\0';
        while (*p != '\0') {
                const char *part = p;
                size_t n = strcspn(p, "/");

                p += n + (p[n] == '/');
                if (n == 0 || (n == 1 && part[0] == '.'))
                        continue;
                if (n == 2 && part[0] == '.' && part[1] == '.')
                        return -EBADMSG;
                if (to != ret_name->whole) {
                        ret_name->parent_size = (size_t)(to - ret_name->whole);
                        *to++ = '/';
                }
                ret_name->last = to;
                memcpy(to, part, n);
                to += n;
                *to = '\0';
        }
        return 0;
}

void tar_place_init(struct tar_place *p, int dir_fd, bool is_root)
{
        *p = (struct tar_place){
                .dir_fd = dir_fd,
                .resolve = RESOLVE_NO_MAGICLINKS | (is_root ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
                .parent_fd = -EBADF,
                .late_paths = BUF_INIT(TAR_PLACE_DIR_BYTES_MAX),
        };
}

void tar_place_release(struct tar_place *p)
{
        close_fd(&p->parent_fd);
        free(p->late);
        buf_release(&p->late_paths);
}

static int open_dir(const struct tar_place *p, const char *path)
{
        return sys_openat2(p->dir_fd, path[0] != '\0' ? path : ".", O_PATH | O_DIRECTORY, 0,
                           p->resolve);
}

/* What no entry has made, one after the other. */
static int make_dirs(const struct tar_place *p, char *path)
{
        cleanup_close int above = open_dir(p, ".");
        char *end = path;

        while (above >= 0 && *end != '\0') {
                char *name = end;
                char kept;
                int fd;

                end += strcspn(end, "/");
                kept = *end;
                *end = '\0';
                fd = open_dir(p, path);
                if (fd == -ENOENT) {
                        /* A symlink that leads nowhere is EEXIST here: nothing is made of it. */
                        if (mkdirat(above, name, 0755) < 0)
                                return -errno;
                        fd = open_dir(p, path);
                }
                *end = kept;
                end += kept == '/';
                close_fd(&above);
                above = fd;
        }
        return take_fd(&above);
}

int tar_place_parent(struct tar_place *p, const struct tar_name *name, bool make, int *ret_fd)
{
        char parent[sizeof(p->parent)];
        int fd;

        memcpy(parent, name->whole, name->parent_size);
        parent[name->parent_size] = '\0';
        if (p->parent_fd < 0 || p->parent_stale || !str_eq(parent, p->parent)) {
                fd = open_dir(p, parent);
                if (fd == -ENOENT && make)
                        fd = make_dirs(p, parent);
                if (fd < 0)
                        return fd;
                close_fd(&p->parent_fd);
                p->parent_fd = fd;
                p->parent_stale = false;
                memcpy(p->parent, parent, name->parent_size + 1);
        }
        *ret_fd = p->parent_fd;
        return 0;
}

int tar_place_late(struct tar_place *p, const struct tar_name *name, const struct tar_late *late)
{
        size_t at = p->late_paths.size;
        int r;

        if (p->late_count == TAR_PLACE_DIRS_MAX)
                return -E2BIG;
        if (p->late_count == p->late_capacity) {
                size_t capacity = p->late_capacity ? 2 * p->late_capacity : 64;
                struct tar_late *grown = realloc(p->late, capacity * sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                p->late = grown;
                p->late_capacity = capacity;
        }
        r = buf_append(&p->late_paths, name->whole, strlen(name->whole) + 1);
        if (r < 0)
                return r;
        p->late[p->late_count] = *late;
        p->late[p->late_count++].path = at;
        return 0;
}

/* The directory itself, not what a later entry may have put in its place. */
static int open_late(struct tar_place *p, const char *path)
{
        struct tar_name name;
        int parent_fd, r;

        r = tar_name_parse(path, &name);
        if (r == 0)
                r = tar_place_parent(p, &name, false, &parent_fd);
        return r < 0 ? r : sys_open(parent_fd, name.last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/* By name; entries of one name in the order of the archive, which is that of their paths. */
static int compare_late(const void *left, const void *right, void *paths)
{
        const struct tar_late *a = left, *b = right;
        int r = strcmp((const char *)paths + a->path, (const char *)paths + b->path);

        return r != 0 ? r : (a->path > b->path) - (a->path < b->path);
}

int tar_place_finish(struct tar_place *p,
                     int (*give)(void *data, int fd, const struct tar_late *late), void *data,
                     struct coffer_error *err)
{
        const char *done = NULL;

        if (p->late_count == 0)
                return 0;
        qsort_r(p->late, p->late_count, sizeof(*p->late), compare_late, p->late_paths.data);

        /* Backwards: children find their parents still open, and the last of equal names wins. */
        for (size_t i = p->late_count; i-- > 0;) {
                const char *path = p->late_paths.data + p->late[i].path;
                cleanup_close int fd = -EBADF;
                int r;

                if (done && str_eq(done, path))
                        continue;
                done = path;
                fd = open_late(p, path);
                if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
                        continue; /* a later entry, or a process of the box, replaced it */
                r = fd < 0 ? fd : give(data, fd, &p->late[i]);
                if (r < 0)
                        return error_set(err, r, "finish directory '%.200s'", path);
        }
        return 0;
}
