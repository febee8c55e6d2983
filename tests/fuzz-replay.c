/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of a fuzz target in ordinary builds: feeds it every file of the directories given, so
 * that each past finding stays found.  An empty corpus is a failure, not a pass.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sys.h"

#define INPUT_MAX (16 * 1024 * 1024)

static int replay_file(int dir_fd, const char *name)
{
        struct buf b = BUF_INIT(INPUT_MAX);
        uint8_t *exact; /* so that a sanitizer sees a read past the end */
        int r;

        r = buf_read_file(&b, dir_fd, name);
        if (r == 0) {
                exact = malloc(b.size ? b.size : 1);
                if (!exact)
                        abort();
                if (b.size > 0)
                        memcpy(exact, b.data, b.size);
                (void)LLVMFuzzerTestOneInput(exact, b.size);
                free(exact);
        }
        buf_release(&b);
        return r;
}

static int replay_dir(const char *path)
{
        DIR *dir = opendir(path);
        struct dirent *entry;
        int count = 0;

        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                (void)fprintf(stderr, "%s/%s\n", path, entry->d_name);
                r = replay_file(dirfd(dir), entry->d_name);
                if (r < 0) {
                        (void)closedir(dir);
                        return r;
                }
                count++;
        }
        (void)closedir(dir);
        return count;
}

int main(int argc, char **argv)
{
        int total = 0;

        for (int i = 1; i < argc; i++) {
                int n = replay_dir(argv[i]);

                if (n < 0) {
                        (void)fprintf(stderr, "%s: %s\n", argv[i], strerror(-n));
                        return 1;
                }
                total += n;
        }
        (void)printf("%d inputs\n", total);
        return total > 0 ? 0 : 1;
}
