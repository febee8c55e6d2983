/* SPDX-License-Identifier: Apache-2.0 */
#include "base/measure.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/sys.h"

#define DEPTH_MAX 64

static uint64_t size_below(int dir_fd, const char *name, unsigned depth)
{
        int fd = sys_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        uint64_t bytes = 0;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return 0;
        }
        while ((entry = readdir(dir))) {
                struct stat st;

                if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
                    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                bytes += (uint64_t)st.st_blocks * 512;
                if (S_ISDIR(st.st_mode) && depth > 0)
                        bytes += size_below(fd, entry->d_name, depth - 1);
        }
        (void)closedir(dir);
        return bytes;
}

uint64_t measure_below(int dir_fd, const char *name)
{
        return size_below(dir_fd, name, DEPTH_MAX);
}
