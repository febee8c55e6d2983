/* SPDX-License-Identifier: Apache-2.0 */
#include "store/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/json.h"
#include "base/sys.h"
#include "store/file.h"
#include "store/state.h"

#define VOLUME_JSON_MAX (512 * 1024)
#define MAKE_TRIES      10
#define NEW             ".new-"   /* begins the name of one that is being made */
#define TRASH           ".trash-" /* and of one that is being removed */

static void release_buf(struct buf *b)
{
        buf_release(b);
}

void volume_release(struct volume *volume)
{
        strv_release(&volume->labels);
        *volume = (struct volume){0};
}

static int format(const struct volume *volume, struct buf *to)
{
        (void)buf_printf(to,
                         "{\"version\":1,\"created_ns\":%" PRIu64 ",\"anonymous\":%s,\"labels\":[",
                         volume->created_ns ? volume->created_ns : now_ns(),
                         volume->anonymous ? "true" : "false");
        for (size_t i = 0; i < volume->labels.count; i++) {
                (void)buf_append_str(to, i > 0 ? "," : "");
                (void)buf_append_json(to, volume->labels.items[i]);
        }
        return buf_append_str(to, "]}\n");
}

/* Made under a name that no volume can have and renamed, so that a volume is whole or absent. */
static int fill(int dir_fd, const struct volume *volume, uint32_t uid, uint32_t gid)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(VOLUME_JSON_MAX);
        cleanup_close int data_fd = -EBADF;
        int r = format(volume, &text);

        if (r < 0)
                return r;
        if (mkdirat(dir_fd, "_data", 0755) < 0)
                return -errno;
        data_fd = sys_open(dir_fd, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (data_fd < 0)
                return data_fd;
        if (fchmod(data_fd, 0755) < 0 || fchown(data_fd, uid, gid) < 0)
                return -errno;
        return file_replace(dir_fd, "volume.json", text.data, text.size, FILE_SYNC);
}

static int make(int volumes_fd, const char *temporary, const char *name,
                const struct volume *volume, uint32_t uid, uint32_t gid)
{
        cleanup_close int dir_fd = -EBADF;
        int r;

        if (mkdirat(volumes_fd, temporary, 0700) < 0)
                return -errno;
        dir_fd = sys_open(volumes_fd, temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        r = dir_fd;
        if (r >= 0) /* tells whoever sweeps that we live */
                r = flock(dir_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
        if (r == 0)
                r = fill(dir_fd, volume, uid, gid);
        if (r == 0)
                r = FAULT("volume.make");
        if (r == 0)
                r = sys_renameat2(volumes_fd, temporary, volumes_fd, name, RENAME_NOREPLACE);
        if (r < 0)
                (void)tree_remove(volumes_fd, temporary);
        return r;
}

int volume_create(const struct home *home, const char *name, const struct volume *volume,
                  uint32_t owner_uid, uint32_t owner_gid, struct coffer_error *err)
{
        cleanup_close int volumes_fd = -EBADF;
        char temporary[48];
        struct stat st;
        int r = home_subdir(home, "volumes", &volumes_fd, err);

        if (r < 0)
                return r;
        if (fstatat(volumes_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        /* Again when it was swept away in the moment before it is locked. */
        r = -EAGAIN;
        for (int i = 0; i < MAKE_TRIES && (r == -EAGAIN || r == -ENOENT); i++) {
                (void)snprintf(temporary, sizeof(temporary), NEW "%d-%" PRIx64, (int)getpid(),
                               now_ns());
                r = make(volumes_fd, temporary, name, volume, owner_uid, owner_gid);
        }
        if (r == -EEXIST)
                return 0;
        return r < 0 ? error_set(err, r, "make the volume '%s'", name) : 1;
}

static int none(const char *name, struct coffer_error *err)
{
        (void)error_say(err, -ENOENT, COFFER_ERROR_OTHER, "there is no volume '%s'", name);
        error_hint(err, "`coffer volume ls` lists all volumes");
        return -ENOENT;
}

static int parse(const struct buf *text, struct volume *to, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;
        int r = json_parse(text->data, text->size, NULL, &doc, err);

        if (r < 0)
                return r;
        root = json_root(doc);
        r = json_get_u64(&root, "created_ns", JSON_REQUIRED, UINT64_MAX, &to->created_ns, err);
        if (r == 0)
                r = json_get_bool(&root, "anonymous", JSON_OPTIONAL, &to->anonymous, err);
        if (r == 0)
                r = json_get_strv(&root, "labels", JSON_OPTIONAL, &to->labels, err);
        return r;
}

int volume_read(const struct home *home, const char *name, struct volume *ret_volume,
                struct coffer_error *err)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(VOLUME_JSON_MAX);
        cleanup_with(volume_release) struct volume volume = {0};
        cleanup_close int volumes_fd = -EBADF;
        cleanup_close int dir_fd = -EBADF;
        int r = home_subdir(home, "volumes", &volumes_fd, err);

        if (r < 0)
                return r;
        dir_fd = sys_open(volumes_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (dir_fd == -ENOENT)
                return none(name, err);
        r = dir_fd < 0 ? dir_fd : buf_read_file(&text, dir_fd, "volume.json");
        if (r < 0)
                return error_set(err, r, "read the volume '%s'", name);
        r = parse(&text, &volume, err);
        if (r < 0)
                return error_wrap(err, r, "read the volume '%s'", name);
        *ret_volume = volume;
        volume = (struct volume){0};
        return 0;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

int volume_list(const struct home *home, struct strv *ret_names, struct coffer_error *err)
{
        struct dirent *entry;
        int fd = -EBADF;
        DIR *dir;
        int r = home_subdir(home, "volumes", &fd, err);

        if (r < 0)
                return r;
        dir = fdopendir(fd);
        if (!dir) {
                r = error_set(err, -errno, "list the volumes");
                (void)close(fd);
                return r;
        }
        while (r == 0 && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        r = strv_add(ret_names, entry->d_name);
        (void)closedir(dir);
        if (r < 0)
                return error_set(err, r, "list the volumes");
        if (ret_names->count > 1)
                qsort(ret_names->items, ret_names->count, sizeof(char *), compare);
        return 0;
}

int volume_remove(const struct home *home, const char *name, remove_as_fn as, void *as_data,
                  struct coffer_error *err)
{
        cleanup_close int volumes_fd = -EBADF;
        char trash[BOX_NAME_MAX + 16];
        int r = home_subdir(home, "volumes", &volumes_fd, err);

        if (r < 0)
                return r;
        (void)snprintf(trash, sizeof(trash), TRASH "%s", name);
        r = renameat(volumes_fd, name, volumes_fd, trash) < 0 ? -errno : 0;
        if (r == -ENOENT)
                return none(name, err);
        if (r == -ENOTEMPTY || r == -EEXIST) { /* one of the name whose removal was cut short */
                r = tree_remove_as(volumes_fd, trash, as, as_data);
                if (r == 0 && renameat(volumes_fd, name, volumes_fd, trash) < 0)
                        r = -errno;
        }
        if (r == 0)
                r = FAULT("volume.sweep");
        if (r == 0)
                r = tree_remove_as(volumes_fd, trash, as, as_data);
        return r < 0 ? error_set(err, r, "remove the volume '%s'", name) : 0;
}

/* Being made by somebody who lives is what is locked. */
static void sweep_one(int volumes_fd, const char *name, remove_as_fn as, void *as_data)
{
        cleanup_close int dir_fd = sys_open(volumes_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (dir_fd >= 0 && str_after(name, NEW) && flock(dir_fd, LOCK_EX | LOCK_NB) < 0)
                return;
        (void)tree_remove_as(volumes_fd, name, as, as_data);
}

void volume_sweep(const struct home *home, remove_as_fn as, void *as_data)
{
        int fd = sys_open(home->fd, "volumes", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!dir) {
                close_fd(&fd);
                return;
        }
        while ((entry = readdir(dir)))
                if (str_after(entry->d_name, TRASH) || str_after(entry->d_name, NEW))
                        sweep_one(dirfd(dir), entry->d_name, as, as_data);
        (void)closedir(dir);
}
