/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a box changed: its upper directory, read against the layers below it.  As an ordinary user
 * the files there belong to ids that only a helper in the user namespace may read; it writes what
 * it finds to a memory file, as "Kpath" and NUL, one after the other.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sys.h"
#include "lib/handle.h"
#include "lib/pack.h"

#define CHANGES_MAX    1000000
#define TEXT_MAX_BYTES (256 * 1024 * 1024)
#define PATH_BYTES     4096
#define LAYERS_MAX     512
#define OVERLAY_OPAQUE "user.overlay.opaque"

/**
 * struct diff_job - the walk
 * @upper_fd:    fs/upper of the box
 * @lower_fds:   the directories below it, uppermost first; owned
 * @lower_count: how many
 * @text:        what was found
 * @queue:       directories that are still to be read, as NUL-terminated paths
 * @out_fd:      where a helper writes @text; -1: it is read in place
 */
struct diff_job {
        int upper_fd;
        int lower_fds[LAYERS_MAX];
        size_t lower_count;
        struct buf text;
        struct buf queue;
        int out_fd;
};

static bool is_whiteout(const struct stat *st)
{
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* No symlink on the way: what was one below is a directory of the box's own above. */
static bool is_below(const struct diff_job *job, const char *path)
{
        for (size_t i = 0; i < job->lower_count; i++) {
                struct stat st;
                cleanup_close int fd = sys_openat2(job->lower_fds[i], path, O_PATH | O_NOFOLLOW, 0,
                                                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

                /* Something else than a directory on the way hides what is further down. */
                if (fd == -ELOOP || fd == -ENOTDIR)
                        return false;
                if (fd >= 0 && fstat(fd, &st) == 0)
                        return !is_whiteout(&st);
        }
        return false;
}

static int note(struct diff_job *job, char kind, const char *path)
{
        (void)buf_append(&job->text, &kind, 1);
        (void)buf_append(&job->text, "/", 1);
        return buf_append(&job->text, path, strlen(path) + 1);
}

/* A directory that hides all that was below it: what was there is gone, its own is new. */
static bool is_opaque(int fd)
{
        char value[2];

        return fgetxattr(fd, OVERLAY_OPAQUE, value, sizeof(value)) == 1 && value[0] == 'y';
}

static int look_at_entry(struct diff_job *job, int dir_fd, const char *name, const char *path,
                         bool hidden)
{
        bool below = !hidden && is_below(job, path);
        struct stat st;
        int r;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (is_whiteout(&st))
                return below ? note(job, 'D', path) : 0;
        r = note(job, below ? 'C' : 'A', path);
        if (r == 0 && S_ISDIR(st.st_mode))
                r = buf_append(&job->queue, path, strlen(path) + 1);
        return r;
}

static int read_dir(struct diff_job *job, const char *path)
{
        char child[PATH_BYTES];
        int fd = path[0] == '\0'
                         ? sys_open(job->upper_fd, ".", O_RDONLY | O_DIRECTORY)
                         : sys_openat2(job->upper_fd, path, O_RDONLY | O_DIRECTORY, 0,
                                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        bool hidden;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                if (fd >= 0)
                        (void)close(fd);
                return r == -ENOENT ? 0 : r;
        }
        hidden = is_opaque(fd);
        while (r == 0 && (entry = readdir(dir))) {
                if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
                        continue;
                if (snprintf(child, sizeof(child), "%s%s%s", path, path[0] ? "/" : "",
                             entry->d_name) >= (int)sizeof(child))
                        r = -ENAMETOOLONG;
                else
                        r = look_at_entry(job, fd, entry->d_name, child, hidden);
        }
        (void)closedir(dir);
        return r;
}

static int walk(void *data)
{
        struct diff_job *job = data;
        size_t at = 0;
        int r = read_dir(job, "");

        while (r == 0 && at < job->queue.size) {
                char path[PATH_BYTES];

                /* The queue may move while the directory is read. */
                r = str_copy(path, sizeof(path), job->queue.data + at);
                at += strlen(path) + 1;
                if (r == 0)
                        r = read_dir(job, path);
        }
        if (r == 0 && job->out_fd >= 0)
                r = sys_write_all(job->out_fd, job->text.data, job->text.size);
        return r;
}

/* --------------------------------------------------------------------------------- the result */

struct found {
        const char **items; /* owned; each "Kpath" */
        size_t count;
};

static int by_path(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

static int find_items(const struct buf *text, struct found *found)
{
        size_t count = 0;

        for (size_t at = 0; at < text->size; at += strlen(text->data + at) + 1)
                count++;
        if (count > CHANGES_MAX)
                return -E2BIG;
        found->items = calloc(count + 1, sizeof(*found->items));
        if (!found->items)
                return -ENOMEM;
        for (size_t at = 0; at < text->size; at += strlen(text->data + at) + 1)
                found->items[found->count++] = text->data + at;
        if (count > 1)
                qsort(found->items, count, sizeof(*found->items), by_path);
        return 0;
}

static struct coffer_change **pack_changes(struct pack *p, const struct found *found)
{
        struct coffer_change **to = pack_space(p, (found->count + 1) * sizeof(*to));

        for (size_t i = 0; i < found->count; i++) {
                struct coffer_change *change = pack_space(p, sizeof(*change));
                const char *path = pack_str(p, found->items[i] + 1);

                if (!to)
                        continue;
                *change = (struct coffer_change){.kind = found->items[i][0], .path = path};
                to[i] = change;
        }
        if (to)
                to[found->count] = NULL;
        return to;
}

static int pack_result(const struct buf *text, struct coffer_change ***ret_changes,
                       size_t *ret_count)
{
        struct found found = {.items = NULL};
        struct pack p = {.base = NULL};
        int r = find_items(text, &found);

        if (r < 0)
                return r;
        (void)pack_changes(&p, &found);
        p.base = malloc(p.used);
        p.used = 0;
        if (p.base) {
                *ret_changes = pack_changes(&p, &found);
                *ret_count = found.count;
        }
        free(found.items);
        return p.base ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------------------- where to look */

static int add_lower(struct diff_job *job, int dir_fd, const char *path)
{
        int fd = job->lower_count < LAYERS_MAX ? sys_open(dir_fd, path, O_PATH | O_DIRECTORY)
                                               : -E2BIG;

        if (fd < 0)
                return fd;
        job->lower_fds[job->lower_count++] = fd;
        return 0;
}

static int open_lower(struct coffer_box *box, struct diff_job *job)
{
        const struct spec *spec = box->spec;
        const char *dir = str_after(spec->image, "dir:");
        int r = 0;

        if (dir)
                return add_lower(job, AT_FDCWD, dir);
        for (size_t i = spec->layers.count; r == 0 && i-- > 0;) {
                const char *hex = str_after(spec->layers.items[i], "sha256:");
                char path[128];

                (void)snprintf(path, sizeof(path), "images/layers/%.64s",
                               hex ? hex : spec->layers.items[i]);
                r = add_lower(job, box->runtime->home->fd, path);
        }
        return r;
}

/* As the caller; when that does not do, as root of the user namespace. */
static int run(struct coffer_runtime *rt, struct diff_job *job)
{
        int r = walk(job);

        if ((r != -EACCES && r != -EPERM) || rt->as_root)
                return r;
        buf_release(&job->text);
        buf_release(&job->queue);
        job->out_fd = memfd_create("coffer-diff", MFD_CLOEXEC);
        if (job->out_fd < 0)
                return -errno;
        r = runtime_remove_as(rt, walk, job);
        if (r == 0 && lseek(job->out_fd, 0, SEEK_SET) < 0)
                r = -errno;
        return r < 0 ? r : buf_read_fd(&job->text, job->out_fd);
}

int coffer_box_diff(struct coffer_box *box, struct coffer_change ***ret_changes, size_t *ret_count,
                    struct coffer_error *err)
{
        struct diff_job *job;
        const struct spec *spec;
        int r;

        REQUIRE(box && ret_changes && ret_count, err);
        r = box_spec(box, &spec, err);
        if (r < 0)
                return r;
        job = calloc(1, sizeof(*job));
        if (!job)
                return error_set(err, -ENOMEM, "compare box %s", box->id);
        job->out_fd = -EBADF;
        job->text = BUF_INIT(TEXT_MAX_BYTES);
        job->queue = BUF_INIT(TEXT_MAX_BYTES);
        job->upper_fd = sys_open(box->dir_fd, "fs/upper", O_RDONLY | O_DIRECTORY);

        /* Never started, or without an overlay: nothing was changed. */
        r = job->upper_fd == -ENOENT ? 0 : job->upper_fd < 0 ? job->upper_fd : open_lower(box, job);
        if (r == 0 && job->upper_fd >= 0)
                r = run(box->runtime, job);
        if (r == 0)
                r = pack_result(&job->text, ret_changes, ret_count);

        while (job->lower_count > 0)
                (void)close(job->lower_fds[--job->lower_count]);
        close_fd(&job->upper_fd);
        close_fd(&job->out_fd);
        buf_release(&job->text);
        buf_release(&job->queue);
        free(job);
        return r < 0 ? error_set(err, r, "compare box %s with its image", box->id) : 0;
}
