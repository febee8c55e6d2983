/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "store/home.h"
#include "store/remove.h"
#include "t.h"

/* A home in a directory of its own, removed by scratch_end(). */
struct scratch {
        char path[64];
        struct home *home;
};

static inline struct scratch scratch_begin(void)
{
        struct scratch s = {.path = "/tmp/coffer-test-XXXXXX"};

        t_true(mkdtemp(s.path) != NULL);
        t_ok(home_open(s.path, &s.home, NULL));
        return s;
}

static inline void scratch_end(struct scratch *s)
{
        int tmp_fd = t_ok(sys_open(AT_FDCWD, "/tmp", O_PATH | O_DIRECTORY));

        s->home = home_free(s->home);
        t_ok(tree_remove(tmp_fd, s->path + strlen("/tmp/")));
        (void)close(tmp_fd);
}

/* A box directory; the caller closes what it gets. */
static inline int scratch_box(struct scratch *s, const char *id)
{
        t_ok(mkdirat(s->home->boxes_fd, id, 0700));
        return t_ok(sys_open(s->home->boxes_fd, id, O_RDONLY | O_DIRECTORY));
}

static inline bool exists(int dir_fd, const char *name)
{
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
