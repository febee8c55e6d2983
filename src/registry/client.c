/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#define PIPE_BYTES (1024 * 1024)

int client_start(const char *program_dir, struct pull_open *open, int ca_fd, int *ret_fd,
                 struct coffer_error *err)
{
        cleanup_close int ours = -EBADF, theirs = -EBADF;
        char path[PATH_MAX];
        char name[] = "coffer-pull";
        char *const argv[] = {name, NULL};
        char *const envp[] = {NULL};
        int pair[2], r;

        if (snprintf(path, sizeof(path), "%s/coffer-pull", program_dir) >= (int)sizeof(path))
                return error_set(err, -ENAMETOOLONG, "find coffer-pull");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, -errno, "make a socket pair");
        ours = pair[0];
        theirs = pair[1];

        /* First what it is to do: it lies ready when the program starts. */
        open->magic = PULL_MAGIC;
        if (send(ours, open, sizeof(*open), MSG_NOSIGNAL) != (ssize_t)sizeof(*open))
                return error_set(err, -EIO, "tell coffer-pull what to do");
        r = child_spawn_orphan(&(const struct child_spec){
                .path = path,
                .argv = argv,
                .envp = envp,
                .fds = (const int[]){theirs, ca_fd},
                .fd_count = 2,
                .stdio = { -1,    -1,    -1},
        });
        if (r < 0)
                return error_set(err, r, "start '%s'", path);
        *ret_fd = take_fd(&ours);
        return 0;
}

static int send_with(int fd, const struct pull_get *get, int pipe_fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {.bytes = {0}};
        struct iovec iov = {.iov_base = (void *)(uintptr_t)get, .iov_len = sizeof(*get)};
        struct msghdr msg = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &pipe_fd, sizeof(int));
        return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int client_get(int fd, struct pull_get *get, int *ret_pipe_fd, struct coffer_error *err)
{
        cleanup_close int ours = -EBADF, theirs = -EBADF;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, -errno, "make a pipe");
        ours = ends[0];
        theirs = ends[1];
        (void)fcntl(ours, F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one will do */
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
                return error_set(err, -errno, "make a pipe");
        get->magic = PULL_MAGIC;
        r = send_with(fd, get, theirs);
        if (r < 0)
                return error_set(err, r, "ask coffer-pull");
        *ret_pipe_fd = take_fd(&ours);
        return 0;
}

static void make_printable(char *text, size_t size)
{
        text[size - 1] = '\0';
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        *text = '?';
}

int client_event(int fd, struct pull_event *ret_event, struct coffer_error *err)
{
        ssize_t n;

        do
                n = recv(fd, ret_event, sizeof(*ret_event), 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-pull died in the middle of its work");
        if (n != sizeof(*ret_event) || ret_event->magic != PULL_MAGIC ||
            ret_event->what < PULL_DONE || ret_event->what > PULL_RETRY)
                return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-pull gave an answer that makes no sense");
        make_printable(ret_event->err.msg, sizeof(ret_event->err.msg));
        make_printable(ret_event->err.hint, sizeof(ret_event->err.hint));
        if (ret_event->err.code >= 0 || ret_event->err.code < -4095)
                ret_event->err.code = -EPROTO;
        if (ret_event->id == UINT32_MAX) {
                if (err)
                        *err = ret_event->err;
                return ret_event->err.code;
        }
        return 0;
}
