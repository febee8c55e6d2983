/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/certs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "store/conf.h"
#include "registry/message.h"

/* "" before a path: below the user's own configuration. */
static const char *const places[] = {
        "coffer/certs.d",          "containers/certs.d",  "/etc/coffer/certs.d",
        "/etc/containers/certs.d", "/etc/docker/certs.d",
};

static int add_file(struct buf *to, int dir_fd, const char *dir, const char *name,
                    struct coffer_error *err)
{
        int r = buf_read_file(to, dir_fd, name);

        if (r == 0)
                r = buf_append_str(to, "\n");
        return r < 0 ? error_set(err, r, "read '%s/%s'", dir, name) : 0;
}

static int add_dir(struct buf *to, const char *path, struct coffer_error *err)
{
        int fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                close_fd(&fd);
                return r == -ENOENT || r == -ENOTDIR ? 0 : error_set(err, r, "open '%s'", path);
        }
        while (r == 0 && (entry = readdir(dir))) {
                size_t size = strlen(entry->d_name);

                if (size > 4 && str_eq(entry->d_name + size - 4, ".crt"))
                        r = add_file(to, fd, path, entry->d_name, err);
        }
        (void)closedir(dir);
        return r;
}

int certs_collect(const char *host, int *ret_fd, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf all = BUF_INIT(PULL_CA_MAX / 2);
        char place[PATH_MAX], path[PATH_MAX];
        int r = 0, fd;

        for (size_t i = 0; r == 0 && i < ELEMENTS(places); i++) {
                if (places[i][0] == '/')
                        r = str_copy(place, sizeof(place), places[i]);
                else
                        r = conf_own_path(place, sizeof(place), places[i]);
                if (r < 0 || place[0] == '\0')
                        continue;
                if (snprintf(path, sizeof(path), "%s/%s", place, host) >= (int)sizeof(path))
                        r = -ENAMETOOLONG;
                else
                        r = add_dir(&all, path, err);
        }
        if (r < 0)
                return r;
        *ret_fd = -1;
        if (all.size == 0)
                return 0;
        fd = memfd_create("coffer-certs", MFD_CLOEXEC);
        if (fd < 0)
                return error_set(err, -errno, "hand certificates on");
        r = sys_write_all(fd, all.data, all.size);
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r < 0) {
                (void)close(fd);
                return error_set(err, r, "hand certificates on");
        }
        *ret_fd = fd;
        return 0;
}
