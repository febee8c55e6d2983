/* SPDX-License-Identifier: Apache-2.0 */
#include "image/helper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

int helper_start(const char *program_dir, struct unpack_request *req, int source_fd, int target_fd,
                 int userns_fd, int *ret_fd, struct coffer_error *err)
{
        cleanup_close int ours = -EBADF, theirs = -EBADF;
        char path[PATH_MAX];
        char name[] = "coffer-unpack";
        char *const argv[] = {name, NULL};
        char *const envp[] = {NULL};
        int pair[2], r;

        if (snprintf(path, sizeof(path), "%s/coffer-unpack", program_dir) >= (int)sizeof(path))
                return error_set(err, -ENAMETOOLONG, "find coffer-unpack");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, -errno, "make a socket pair");
        ours = pair[0];
        theirs = pair[1];

        /* First the request: it lies ready when the program starts. */
        req->magic = UNPACK_MAGIC;
        if (send(ours, req, sizeof(*req), MSG_NOSIGNAL) != (ssize_t)sizeof(*req))
                return error_set(err, -EIO, "send a request to coffer-unpack");

        /* What is -1 becomes /dev/null, so that the others keep their numbers. */
        r = child_spawn_orphan(&(const struct child_spec){
                .path = path,
                .argv = argv,
                .envp = envp,
                .fds = (const int[]){theirs, source_fd, target_fd, userns_fd},
                .fd_count = 4,
                .stdio = {-1,      -1,              -1               },
        });
        if (r < 0)
                return error_set(err, r, "start '%s'", path);
        *ret_fd = take_fd(&ours);
        return 0;
}

/* Its words are shown, its kind only where it is one that an image can cause. */
static int foreign_error(const struct unpack_header *header, struct coffer_error *said,
                         struct coffer_error *err)
{
        enum coffer_error_kind kind = COFFER_ERROR_OTHER;
        int code = header->code < -4095 ? -EPROTO : header->code;

        said->msg[sizeof(said->msg) - 1] = '\0';
        said->hint[sizeof(said->hint) - 1] = '\0';
        if (said->kind == COFFER_ERROR_IMAGE || said->kind == COFFER_ERROR_USAGE ||
            said->kind == COFFER_ERROR_CONTROL)
                kind = (enum coffer_error_kind)said->kind;
        if (code == -ENOSPC || code == -EDQUOT || code == -EROFS)
                kind = COFFER_ERROR_HOST;
        (void)error_say(err, code, kind, "%s", said->msg);
        if (code == -ENOSPC || code == -EDQUOT)
                error_hint(err, "make room on the file system of the home, or set COFFER_HOME");
        else if (said->hint[0] != '\0')
                error_hint(err, "%s", said->hint);
        else if (kind == COFFER_ERROR_IMAGE)
                error_hint(
                        err,
                        "it is damaged, or of another form than was said: make or fetch it anew");
        return code;
}

int helper_answer(int fd, struct buf *answer, struct coffer_error *err)
{
        struct unpack_header header;
        struct coffer_error said;
        void *to;

        if (sys_read_full(fd, &header, sizeof(header)) != sizeof(header))
                return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-unpack died before it had answered");
        if (header.magic != UNPACK_MAGIC || header.code > 0 ||
            header.size > (header.code < 0 ? sizeof(said) : answer->max_bytes - answer->size) ||
            (header.code < 0 && header.size != sizeof(said)))
                return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-unpack gave an answer that makes no sense");

        to = header.code < 0 ? &said : buf_space(answer, header.size);
        if (!to)
                return error_set(err, answer->failed, "read coffer-unpack's answer");
        if (sys_read_full(fd, to, header.size) != (ssize_t)header.size)
                return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-unpack died in the middle of its answer");
        if (header.code < 0)
                return foreign_error(&header, &said, err);
        answer->size += header.size;
        answer->data[answer->size] = '\0';
        return 0;
}

int helper_done(int fd, struct unpack_done *ret_done, struct coffer_error *err)
{
        struct buf answer = BUF_INIT(sizeof(struct unpack_done));
        int r = helper_answer(fd, &answer, err);

        if (r == 0 && answer.size != sizeof(struct unpack_done))
                r = error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                              "coffer-unpack gave an answer that makes no sense");
        if (r == 0 && ret_done)
                memcpy(ret_done, answer.data, sizeof(*ret_done));
        buf_release(&answer);
        return r;
}
