/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "image/blobstore.h"
#include "lib/emit.h"
#include "sandbox/userns.h"

int images_open(struct coffer_runtime *rt, struct image_store *store, struct coffer_error *err)
{
        struct msg_idmap map = idmap_for_range(IDS_STORE, 0);
        int r = 0;

        *store = (struct image_store){
                .home_fd = rt->home->fd,
                .userns_fd = -1,
                .root_uid = getuid(),
                .root_gid = getgid(),
                .program_dir = rt->program_dir,
        };
        if (!rt->as_root)
                r = idmap_for_caller(&map, err);
        else
                store->root_uid = store->root_gid = IDS_STORE;
        if (r == 0)
                r = userns_open(&map, &store->userns_fd, err);
        store->ownership = map.count > 1 ? IMAGE_OWN_RANGE : IMAGE_OWN_SINGLE;
        return r;
}

void images_close(struct image_store *store)
{
        if (store->userns_fd >= 0)
                (void)close(store->userns_fd);
        store->userns_fd = -1;
}

int images_spool(int images_fd, int *ret_fd)
{
        cleanup_close int fd = sys_open_mode(images_fd, ".", O_RDWR | O_TMPFILE, 0600);
        char name[40];
        uint64_t number;

        /* Not every file system has such files. */
        if (fd == -EOPNOTSUPP || fd == -EISDIR) {
                if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                        return -EIO;
                (void)snprintf(name, sizeof(name), ".spool-%016llx", (unsigned long long)number);
                fd = sys_open_mode(images_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
                if (fd >= 0)
                        (void)unlinkat(images_fd, name, 0);
        }
        if (fd < 0)
                return fd;
        *ret_fd = take_fd(&fd);
        return 0;
}

int images_hold(const struct image_store *store, int *ret_fd, struct coffer_error *err)
{
        struct blobstore blobs;
        int r = blobstore_open(store->home_fd, &blobs, err);

        if (r < 0)
                return r;
        r = blobstore_lock(&blobs, false, ret_fd);
        blobstore_close(&blobs);
        return r < 0 ? error_set(err, r, "lock the images of the home") : 0;
}

void images_emit_config(struct buf *b, const char *key, const struct image_config *config)
{
        emit_open(b, key, '{');
        emit_str(b, "User", config->user);
        emit_strv(b, "Env", &config->env);
        emit_strv(b, "Cmd", &config->cmd);
        emit_strv(b, "Entrypoint", &config->entrypoint);
        emit_str(b, "WorkingDir", config->working_dir);
        emit_str(b, "StopSignal", config->stop_signal);
        emit_pairs(b, "Labels", &config->labels);
        emit_open(b, "ExposedPorts", '{');
        for (size_t i = 0; i < config->exposed_ports.count; i++) {
                emit_open(b, config->exposed_ports.items[i], '{');
                emit_close(b, '}');
        }
        emit_close(b, '}');
        emit_open(b, "Volumes", '{');
        for (size_t i = 0; i < config->volumes.count; i++) {
                emit_open(b, config->volumes.items[i], '{');
                emit_close(b, '}');
        }
        emit_close(b, '}');
        emit_close(b, '}');
}
