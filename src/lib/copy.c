/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker's cp.  The side in the box is always coffer-init's tar-out or tar-in; the one on the
 * host is tar-pack as the caller, or coffer-unpack beneath one directory.  Where a path leads is
 * found out by trying, not by asking first: what is asked may be different a moment later.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/tar-pack.h"
#include "image/copy.h"
#include "lib/builtin.h"

#define NAME_BYTES 256
#define PATH_BYTES 4096
#define WHAT_BYTES 256

/**
 * struct path_parts - a path taken apart
 * @parent:  "." or "/" when there is none
 * @name:    last component; "." for a root and for what ends in "/."
 * @is_dir:  it ends in "/" or "/.", or is a root
 * @content: it ends in "/."
 */
struct path_parts {
        char parent[PATH_BYTES];
        char name[NAME_BYTES];
        bool is_dir;
        bool content;
};

static int say_path(struct coffer_error *err, int code, const char *verb, const char *path)
{
        (void)error_set(err, code, "%s '%.200s'", verb, path);
        error_hint_path(err, code);
        return code;
}

static int take_apart(const char *path, struct path_parts *p, struct coffer_error *err)
{
        size_t n = strlen(path);
        size_t start;

        *p = (struct path_parts){.is_dir = n == 0 || path[n - 1] == '/'};
        while (n > 1 && path[n - 1] == '/')
                n--;
        for (start = n; start > 0 && path[start - 1] != '/'; start--)
                ;
        if (n >= PATH_BYTES || n - start >= NAME_BYTES)
                return error_say(err, -ENAMETOOLONG, COFFER_ERROR_USAGE, "a path is too long");
        memcpy(p->name, path + start, n - start);
        p->content = str_eq(p->name, ".");
        if (n - start == 0 || p->content || str_eq(p->name, "..")) {
                (void)str_copy(p->name, sizeof(p->name), ".");
                p->is_dir = true;
        }
        while (start > 1 && path[start - 1] == '/')
                start--;
        if (start == 0)
                (void)str_copy(p->parent, sizeof(p->parent), ".");
        else
                memcpy(p->parent, path, start);
        return 0;
}

/* ------------------------------------------------------------------------------ tar streams */

int coffer_copy_out_tar(struct coffer_box *box, const char *box_path, int fd, uint32_t flags,
                        int timeout_ms, struct coffer_error *err)
{
        const char *follow[] = {"tar-out", "--follow", box_path, NULL};
        const char *plain[] = {"tar-out", box_path, NULL};
        char what[WHAT_BYTES];
        struct builtin b;
        int r, moved;

        REQUIRE(box && box_path && fd >= 0, err);
        REQUIRE(!(flags & ~COFFER_COPY_FOLLOW), err);
        (void)snprintf(what, sizeof(what), "copy '%.120s' from box %s", box_path, box->id);
        r = builtin_start(box, flags & COFFER_COPY_FOLLOW ? follow : plain, timeout_ms, &b, err);
        if (r < 0)
                return r;
        close_fd(&b.stdin_fd);
        moved = builtin_pump(&b, b.stdout_fd, fd);
        r = builtin_finish(&b, what, err);
        builtin_release(&b);
        /* It fails too when it is not read to its end, but that is not why. */
        return moved < 0 ? error_set(err, moved, "%s", what) : r;
}

int coffer_box_export(struct coffer_box *box, int fd, int timeout_ms, struct coffer_error *err)
{
        const char *argv[] = {"tar-out", "/", "", NULL};
        char what[WHAT_BYTES];
        struct builtin b;
        int r, moved;

        REQUIRE(box && fd >= 0, err);
        (void)snprintf(what, sizeof(what), "export box %s", box->id);
        r = builtin_start(box, argv, timeout_ms, &b, err);
        if (r < 0)
                return r;
        close_fd(&b.stdin_fd);
        moved = builtin_pump(&b, b.stdout_fd, fd);
        r = builtin_finish(&b, what, err);
        builtin_release(&b);
        return moved < 0 ? error_set(err, moved, "%s", what) : r;
}

/* What a tar-in is fed with: bytes of a stream, or files of the host. */
struct feed {
        int fd;
        struct tar_pack_spec pack;
};

static int run_feed(struct builtin *b, struct feed *feed, struct coffer_error *err)
{
        struct held_signal held;
        int r;

        if (feed->fd >= 0) {
                r = builtin_pump(b, feed->fd, b->stdin_fd);
                return r < 0 && r != -EPIPE ? error_set(err, r, "read the archive") : r;
        }
        feed->pack.out_fd = b->stdin_fd;
        hold_sigpipe(&held);
        r = tar_pack(&feed->pack, err);
        let_sigpipe(&held);
        return r;
}

/*
 * 0, 1 when something was left out, -ENOENT when @dir is no directory of the box, or an error.
 */
static int feed_box(struct coffer_box *box, const char *dir, struct feed *feed, uint32_t flags,
                    int timeout_ms, struct coffer_error *err)
{
        const char *archive[] = {"tar-in", dir, NULL};
        const char *own[] = {"tar-in", dir, "--own", "0:0", NULL};
        struct coffer_error feed_err = {0};
        char what[WHAT_BYTES];
        struct builtin b;
        int r, fed;

        (void)snprintf(what, sizeof(what), "copy to '%.120s' of box %s", dir, box->id);
        r = builtin_start(box, flags & COFFER_COPY_ARCHIVE ? archive : own, timeout_ms, &b, err);
        if (r < 0)
                return r;
        close_fd(&b.stdout_fd);
        fed = run_feed(&b, feed, &feed_err);
        r = builtin_finish(&b, what, err);
        builtin_release(&b);
        /* An end that was not the fault of our side shows on the other one. */
        if (fed < 0 && fed != -EPIPE && r != -ENOENT) {
                if (err)
                        *err = feed_err;
                return fed;
        }
        return r < 0 ? r : fed > 0;
}

int coffer_copy_in_tar(struct coffer_box *box, const char *box_path, int fd, uint32_t flags,
                       int timeout_ms, struct coffer_error *err)
{
        struct feed feed = {.fd = fd};
        int r;

        REQUIRE(box && box_path && fd >= 0, err);
        REQUIRE(!(flags & ~COFFER_COPY_ARCHIVE), err);
        r = feed_box(box, box_path[0] ? box_path : "/", &feed, flags, timeout_ms, err);
        if (r == -EIO && err && err->hint[0] == '\0')
                error_hint(err, "what is read must be a tar archive, whole and not compressed");
        return r > 0 ? 0 : r;
}

/* -------------------------------------------------------------------------------- host to box */

struct complaints {
        struct coffer_error first;
        size_t count;
};

static void on_complaint(void *data, const struct coffer_error *err)
{
        struct complaints *c = data;

        if (c->count++ == 0)
                c->first = *err;
}

static int feed_files(struct coffer_box *box, const char *host_path, const char *dir,
                      const char *name, uint32_t flags, int timeout_ms, struct coffer_error *err)
{
        struct complaints complaints = {.count = 0};
        struct feed feed = {
                .fd = -1,
                .pack =
                        {
                               .dir_fd = AT_FDCWD,
                               .path = host_path,
                               .follow = (flags & COFFER_COPY_FOLLOW) != 0,
                               .name = name,
                               .complain = on_complaint,
                               .data = &complaints,
                               },
        };
        int r = feed_box(box, dir, &feed, flags, timeout_ms, err);

        if (r > 0) {
                if (err)
                        *err = complaints.first;
                return complaints.first.code < 0 ? complaints.first.code : -EIO;
        }
        return r;
}

static int check_source(const char *path, uint32_t flags, struct coffer_error *err)
{
        struct stat st;

        if (fstatat(AT_FDCWD, path, &st, flags & COFFER_COPY_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
                return say_path(err, -errno, "copy", path);
        return 0;
}

int coffer_copy_in(struct coffer_box *box, const char *host_path, const char *box_path,
                   uint32_t flags, int timeout_ms, struct coffer_error *err)
{
        struct path_parts from, to;
        int r;

        REQUIRE(box && host_path && box_path, err);
        REQUIRE(!(flags & ~(COFFER_COPY_FOLLOW | COFFER_COPY_ARCHIVE)), err);
        r = take_apart(host_path, &from, err);
        if (r == 0)
                r = take_apart(box_path, &to, err);
        if (r == 0)
                r = check_source(host_path, flags, err);
        if (r < 0)
                return r;

        /* Into the directory that is there … */
        r = feed_files(box, host_path, box_path[0] ? box_path : "/", from.name, flags, timeout_ms,
                       err);
        if (r != -ENOENT)
                return r;
        /* … and if there is none, under the name that was given. */
        if (to.is_dir) {
                (void)error_say(err, -ENOTDIR, COFFER_ERROR_USAGE,
                                "'%.200s' is no directory of box %s", box_path, box->id);
                error_hint(err, "make it first, or leave out the last slash for a new name");
                return -ENOTDIR;
        }
        return feed_files(box, host_path, to.parent[0] == '.' ? "/" : to.parent, to.name, flags,
                          timeout_ms, err);
}

/* -------------------------------------------------------------------------------- box to host */

/* The two ends run at once: what the box says on stderr must not stop it. */
static int extract(struct coffer_box *box, struct builtin *b, int dest_fd, struct coffer_error *err)
{
        cleanup_close int done_fd = -EBADF;
        struct pollfd p[2];
        int r = image_extract_start(box->runtime->program_dir, b->stdout_fd, dest_fd, NULL,
                                    IMAGE_COPY_OVERWRITE, &done_fd, err);

        if (r < 0)
                return r;
        /* Only the other side reads from now on, so its end is seen by the box. */
        close_fd(&b->stdout_fd);
        p[0] = (struct pollfd){.fd = done_fd, .events = POLLIN};
        p[1] = (struct pollfd){.fd = b->stderr_fd, .events = POLLIN};
        do {
                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        return error_set(err, -errno, "wait for a copy");
                if (p[1].revents != 0 && builtin_hear(b) > 0)
                        p[1].fd = -1;
        } while (p[0].revents == 0);
        return image_extract_finish(done_fd, NULL, err);
}

static int copy_out(struct coffer_box *box, const char *const *argv, int dest_fd, const char *what,
                    int timeout_ms, struct coffer_error *err)
{
        struct coffer_error unpack_err = {0};
        struct builtin b;
        int r = builtin_start(box, argv, timeout_ms, &b, err);
        int unpacked;

        if (r < 0)
                return r;
        close_fd(&b.stdin_fd);
        unpacked = extract(box, &b, dest_fd, &unpack_err);
        r = builtin_finish(&b, what, err);
        builtin_release(&b);
        /* Nothing there, or cut short by time: then the archive was empty or torn. */
        if (unpacked < 0 && r != -ENOENT && r != -ETIMEDOUT) {
                if (err)
                        *err = unpack_err;
                return unpacked;
        }
        return r;
}

/* Where to extract: into what is there, or beside it under a new name. */
static int open_dest(const char *host_path, const struct path_parts *to, int *ret_fd,
                     bool *ret_inside, struct coffer_error *err)
{
        struct stat st;
        int fd = sys_open(AT_FDCWD, host_path[0] ? host_path : ".", O_RDONLY | O_DIRECTORY);

        *ret_inside = fd >= 0;
        if (fd == -ENOTDIR && to->is_dir) {
                (void)error_say(err, -ENOTDIR, COFFER_ERROR_USAGE, "'%.200s' is no directory",
                                host_path);
                error_hint(err, "leave out the last slash, or choose another place");
                return -ENOTDIR;
        }
        if (fd == -ENOENT || fd == -ENOTDIR) {
                /* A dangling symlink would be replaced by what was meant for its target. */
                if (fstatat(AT_FDCWD, host_path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISLNK(st.st_mode) && fd == -ENOENT)
                        return say_path(err, fd, "copy to", host_path);
                fd = sys_open(AT_FDCWD, to->parent, O_RDONLY | O_DIRECTORY);
        }
        if (fd < 0)
                return say_path(err, fd, "copy to", host_path);
        *ret_fd = fd;
        return 0;
}

int coffer_copy_out(struct coffer_box *box, const char *box_path, const char *host_path,
                    uint32_t flags, int timeout_ms, struct coffer_error *err)
{
        cleanup_close int dest_fd = -EBADF;
        const char *argv[5] = {"tar-out"};
        char source[PATH_BYTES + 2], what[WHAT_BYTES];
        struct path_parts from, to;
        size_t n = 1;
        bool inside = false;
        int r;

        REQUIRE(box && box_path && host_path, err);
        REQUIRE(!(flags & ~(COFFER_COPY_FOLLOW | COFFER_COPY_ARCHIVE)), err);
        r = take_apart(box_path, &from, err);
        if (r == 0)
                r = take_apart(host_path, &to, err);
        if (r == 0)
                r = open_dest(host_path, &to, &dest_fd, &inside, err);
        if (r < 0)
                return r;

        (void)snprintf(what, sizeof(what), "copy '%.120s' from box %s", box_path, box->id);
        /* "DST/" that is not there can only be made from a directory: ask for one. */
        (void)snprintf(source, sizeof(source), "%s%s", box_path,
                       !inside && to.is_dir && !from.content ? "/." : "");
        if (flags & COFFER_COPY_FOLLOW)
                argv[n++] = "--follow";
        argv[n++] = source;
        if (!inside)
                argv[n++] = to.name;
        return copy_out(box, argv, dest_fd, what, timeout_ms, err);
}
