/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/builtin.h"

#define TARGET_BYTES 4100

/* Owners and modes are the box's: only a program in it knows them, so both halves run there. */
static int take_out(struct coffer_box *box, const char *target, int to_fd, struct coffer_error *err)
{
        const char *argv[] = {"tar-out", target, NULL};
        struct spec_mounts mounts = box->spec->mounts;
        struct builtin b;
        int r, moved;

        /* Without the volume on top of it. */
        box->spec->mounts = (struct spec_mounts){.items = NULL};
        r = builtin_start(box, argv, COFFER_FOREVER, &b, err);
        box->spec->mounts = mounts;
        if (r < 0)
                return r;
        close_fd(&b.stdin_fd);
        moved = builtin_pump(&b, b.stdout_fd, to_fd);
        r = builtin_finish(&b, "read what the image has for a volume", err);
        builtin_release(&b);
        return moved < 0 ? error_set(err, moved, "copy what the image has for a volume") : r;
}

static int put_in(struct coffer_box *box, const char *target, int from_fd, struct coffer_error *err)
{
        const char *argv[] = {"tar-in", target, NULL};
        struct builtin b;
        int r = builtin_start(box, argv, COFFER_FOREVER, &b, err);
        int moved;

        if (r < 0)
                return r;
        close_fd(&b.stdout_fd);
        moved = builtin_pump(&b, from_fd, b.stdin_fd);
        r = builtin_finish(&b, "fill a volume from the image", err);
        builtin_release(&b);
        return r < 0 || moved == -EPIPE ? r
               : moved < 0              ? error_set(err, moved, "fill a volume")
                                        : 0;
}

/* On the disk of the home, since an image may have more there than there is memory. */
static int open_between(const struct home *home)
{
        int fd = sys_open_mode(home->fd, ".", O_TMPFILE | O_RDWR, 0600);

        if (fd != -EOPNOTSUPP && fd != -EISDIR)
                return fd;
        fd = memfd_create("coffer-volume", MFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int fill(struct coffer_box *box, const char *target, struct coffer_error *err)
{
        cleanup_close int fd = open_between(box->runtime->home);
        char content[TARGET_BYTES];
        int r;

        if (fd < 0)
                return error_set(err, fd, "make a file in '%s'", box->runtime->home->path);
        (void)snprintf(content, sizeof(content), "%s/.", target);
        r = take_out(box, content, fd, err);
        if (r == -ENOENT)
                return 0; /* the image has nothing there */
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = error_set(err, -errno, "fill a volume");
        return r < 0 ? r : put_in(box, target, fd, err);
}

int fill_volumes(struct coffer_box *box, const struct strv *targets, struct coffer_error *err)
{
        const struct spec *spec;
        int r = box_spec(box, &spec, err);

        /* A host box has no image of its own. */
        if (r < 0 || str_eq(spec->image, "host"))
                return r;
        for (size_t i = 0; r == 0 && i < targets->count; i++)
                r = fill(box, targets->items[i], err);
        return r;
}
