/* SPDX-License-Identifier: Apache-2.0 */
#include "store/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/faultpoint.h"
#include "base/str.h"
#include "base/sys.h"
#include "store/file.h"

#define VOLUMES_BYTES_MAX (64 * 1024)

/*
 * Depth costs neither stack nor descriptors: a directory that is not empty is moved up beside the
 * others at the top and waits for its turn there.  So two levels are open at most, and paths
 * longer than PATH_MAX do not matter.
 */
struct removal {
        int top_fd;
        uint64_t moved;
};

static int open_dir(int dir_fd, const char *name)
{
        uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
        int fd = sys_openat2(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, resolve);

        if (fd != -EACCES)
                return fd;
        if (fchmodat(dir_fd, name, 0700, 0) < 0)
                return -errno;
        return sys_openat2(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, resolve);
}

static int move_up(struct removal *rm, int dir_fd, const char *name)
{
        char aside[32];
        bool opened = false;

        for (;;) {
                (void)snprintf(aside, sizeof(aside), ".up-%llx", (unsigned long long)rm->moved++);
                int r = sys_renameat2(dir_fd, name, rm->top_fd, aside, RENAME_NOREPLACE);

                if (r == 0)
                        return 0;
                if (r == -EEXIST)
                        continue;
                /* ".." in it is written to. */
                if (r != -EACCES || opened)
                        return r;
                opened = true;
                if (fchmodat(dir_fd, name, 0700, 0) < 0)
                        return -errno;
        }
}

static int remove_dir(int dir_fd, const char *name)
{
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno == EBUSY)
                return -EXDEV; /* something is mounted there */
        return errno == EEXIST ? -ENOTEMPTY : -errno;
}

typedef int (*entry_fn)(struct removal *rm, int dir_fd, const char *name);

/* Files go; directories that are not empty go to @on_dir.  Takes @fd. */
static int empty_dir(struct removal *rm, int fd, entry_fn on_dir, size_t *ret_seen)
{
        DIR *dir = fdopendir(fd);
        struct dirent *entry;
        size_t seen = 0;
        int r = 0;

        if (!dir) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        while (r == 0 && (errno = 0, entry = readdir(dir))) {
                if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
                        continue;
                seen++;
                /* A file system that tells no types says unknown; the answer tells then. */
                errno = EISDIR;
                if (entry->d_type != DT_DIR &&
                    (unlinkat(dirfd(dir), entry->d_name, 0) == 0 || errno == ENOENT))
                        continue;
                if (errno == EACCES && fchmod(dirfd(dir), 0700) == 0 &&
                    unlinkat(dirfd(dir), entry->d_name, 0) == 0)
                        continue;
                r = errno == EISDIR ? remove_dir(dirfd(dir), entry->d_name) : -errno;
                if (r == -ENOTEMPTY)
                        r = on_dir(rm, dirfd(dir), entry->d_name);
        }
        if (r == 0 && errno != 0)
                r = -errno;
        (void)closedir(dir);
        *ret_seen = seen;
        return r;
}

static int remove_second_level(struct removal *rm, int dir_fd, const char *name)
{
        int fd = open_dir(dir_fd, name);
        size_t seen = 0;
        int r;

        if (fd < 0)
                return fd;
        r = empty_dir(rm, fd, move_up, &seen);
        return r < 0 ? r : remove_dir(dir_fd, name);
}

int tree_remove(int dir_fd, const char *name)
{
        cleanup_close int top_fd = -EBADF;
        struct removal rm;
        size_t seen = 0;
        int r;

        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR)
                return -errno;
        r = remove_dir(dir_fd, name);
        if (r != -ENOTEMPTY)
                return r;

        top_fd = open_dir(dir_fd, name);
        if (top_fd < 0)
                return top_fd;
        rm = (struct removal){.top_fd = top_fd};
        /* What is moved up while the top is being read may be seen only by the next reading. */
        do {
                int fd = sys_open(top_fd, ".", O_RDONLY | O_DIRECTORY);

                r = fd < 0 ? fd : empty_dir(&rm, fd, remove_second_level, &seen);
                if (r == 0 && seen == 0)
                        r = remove_dir(dir_fd, name);
                else if (r == 0)
                        r = -ENOTEMPTY;
        } while (r == -ENOTEMPTY);
        return r;
}

struct removal_job {
        int dir_fd;
        const char *name;
};

static int run_removal(void *data)
{
        const struct removal_job *job = data;

        return tree_remove(job->dir_fd, job->name);
}

int tree_remove_as(int dir_fd, const char *name, remove_as_fn as, void *as_data)
{
        struct removal_job job = {dir_fd, name};
        int r = run_removal(&job);

        if ((r == -EACCES || r == -EPERM) && as) {
                r = as(as_data, run_removal, &job);
                /* To him the top directory itself may be out of reach. */
                if (r == 0 || r == -EACCES || r == -EPERM)
                        r = run_removal(&job);
        }
        return r;
}

static int remove_volume(int volumes_fd, const char *name, remove_as_fn as, void *as_data)
{
        char trash[sizeof(".trash-") + BOX_NAME_MAX];

        if (!str_after(name, ANONYMOUS_VOLUMES) || strchr(name, '/') || strlen(name) > BOX_NAME_MAX)
                return -EBADMSG;
        (void)snprintf(trash, sizeof(trash), ".trash-%s", name);
        /* Gone already, or as far as the trash. */
        if (renameat(volumes_fd, name, volumes_fd, trash) < 0 && errno != ENOENT)
                return -errno;
        return tree_remove_as(volumes_fd, trash, as, as_data);
}

/* Called when the box is in the trash, before its list is gone: again after a death. */
static int remove_volumes(const struct home *home, const char *trash, remove_as_fn as,
                          void *as_data)
{
        cleanup_close int volumes_fd = -EBADF;
        cleanup_free char *text = NULL;
        char path[64];
        char *save = NULL;
        int r = 0;

        (void)snprintf(path, sizeof(path), "%s/" VOLUMES_LIST, trash);
        if (faccessat(home->boxes_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        text = malloc(VOLUMES_BYTES_MAX);
        if (!text || file_read(home->boxes_fd, path, text, VOLUMES_BYTES_MAX) < 0)
                return -EIO;
        volumes_fd = sys_open(home->fd, "volumes", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (volumes_fd < 0)
                return volumes_fd == -ENOENT ? 0 : volumes_fd;
        for (char *name = strtok_r(text, "\n", &save); name && r == 0;
             name = strtok_r(NULL, "\n", &save))
                r = remove_volume(volumes_fd, name, as, as_data);
        return r;
}

/* The list of volumes is in there: while one of them is left it stays, for the next who sweeps. */
static int empty_trash(const struct home *home, const char *trash, remove_as_fn as, void *as_data)
{
        int r = FAULT("sweep.volumes");

        if (r == 0)
                r = remove_volumes(home, trash, as, as_data);
        if (r == 0)
                r = FAULT("sweep.files");
        return r < 0 ? r : tree_remove_as(home->boxes_fd, trash, as, as_data);
}

int box_bury(const struct home *home, const char *id)
{
        char trash[sizeof(".trash-") + BOX_ID_CHARS];
        cleanup_close int dir_fd = -EBADF;
        struct claims claims;
        int r;

        dir_fd = sys_open(home->boxes_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (dir_fd < 0)
                return dir_fd;
        r = FAULT("bury.rename");
        if (r < 0)
                return r;
        r = claims_read(dir_fd, &claims);
        (void)snprintf(trash, sizeof(trash), ".trash-%s", id);
        if (renameat(home->boxes_fd, id, home->boxes_fd, trash) < 0)
                return -errno;
        (void)FAULT("bury.claims");
        if (r == 0)
                claims_release(home, &claims, id);
        else
                claims_release_all(home, id); /* made by somebody who died before he noted them */
        return 0;
}

void box_doom_volumes(int box_dir_fd)
{
        (void)renameat(box_dir_fd, VOLUMES_LIST_OWN, box_dir_fd, VOLUMES_LIST);
}

int box_sweep_one(const struct home *home, const char *id, remove_as_fn as, void *as_data)
{
        char trash[sizeof(".trash-") + BOX_ID_CHARS];

        (void)snprintf(trash, sizeof(trash), ".trash-%s", id);
        return empty_trash(home, trash, as, as_data);
}

int box_remove_files(const struct home *home, const char *id, remove_as_fn as, void *as_data)
{
        int r = box_bury(home, id);

        if (r == -ENOENT)
                return 0;
        return r < 0 ? r : box_sweep_one(home, id, as, as_data);
}

int box_sweep(const struct home *home, remove_as_fn as, void *as_data)
{
        int fd = sys_open(home->boxes_fd, ".", O_RDONLY | O_DIRECTORY);
        struct dirent *entry;
        int count = 0;
        int r = 0;
        DIR *dir;

        if (fd < 0)
                return fd;
        dir = fdopendir(fd);
        if (!dir) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        while (r == 0 && (entry = readdir(dir))) {
                if (!str_after(entry->d_name, ".trash-"))
                        continue;
                /* Whoever buried it and died at once has not released them. */
                claims_release_all(home, entry->d_name + strlen(".trash-"));
                r = empty_trash(home, entry->d_name, as, as_data);
                if (r == 0)
                        count++;
        }
        (void)closedir(dir);
        return r < 0 ? r : count;
}
