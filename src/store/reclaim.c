/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "store/claim.h"

int claims_restore_all(const struct home *home)
{
        int fd = sys_open(home->boxes_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while ((entry = readdir(dir))) {
                struct claims claims;
                int restored;

                if (strspn(entry->d_name, ID_ALPHABET) != BOX_ID_CHARS ||
                    strlen(entry->d_name) != BOX_ID_CHARS ||
                    claims_read_at(home->boxes_fd, entry->d_name, &claims) < 0)
                        continue;
                restored = claims_restore(home, &claims, entry->d_name);
                if (restored < 0 && restored != -EEXIST)
                        r = restored;
        }
        (void)closedir(dir);
        return r;
}
