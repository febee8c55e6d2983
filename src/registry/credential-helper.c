/* SPDX-License-Identifier: Apache-2.0 */
/* docker-credential-NAME: a program of the user's that keeps credentials elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "registry/credential.h"

#define HELPER_TIMEOUT_MS 60000 /* it may ask the user */

static int find_program(const char *name, char *path, size_t size)
{
        const char *at = getenv("PATH");

        while (at && *at) {
                size_t n = strcspn(at, ":");

                if (n > 0 && *at == '/' &&
                    snprintf(path, size, "%.*s/%s", (int)n, at, name) < (int)size &&
                    access(path, X_OK) == 0)
                        return 0;
                at += n;
                if (*at == ':')
                        at++;
        }
        return -ENOENT;
}

static int64_t now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until its end, which is that nobody has the other end open any more. */
static int read_all(int fd, struct buf *out)
{
        int64_t end = now_ms() + HELPER_TIMEOUT_MS;

        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int64_t left = end - now_ms();
                char bytes[4096];
                ssize_t n;
                int r = left <= 0 ? 0 : poll(&p, 1, (int)left);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r <= 0)
                        return r < 0 ? -errno : -ETIMEDOUT;
                n = sys_read(fd, bytes, sizeof(bytes));
                if (n <= 0)
                        return (int)n;
                r = buf_append(out, bytes, (size_t)n);
                explicit_bzero(bytes, sizeof(bytes));
                if (r < 0)
                        return r;
        }
}

int helper_run(const char *name, const char *verb, const char *input, size_t size, struct buf *out,
               struct coffer_error *err)
{
        cleanup_close int ours = -EBADF, theirs = -EBADF, from = -EBADF, to = -EBADF;
        char program[CREDENTIAL_HELPER_MAX + 32], path[PATH_MAX], argument[16];
        char *const argv[] = {program, argument, NULL};
        int pair[2], ends[2], r;

        (void)snprintf(program, sizeof(program), "docker-credential-%s", name);
        (void)snprintf(argument, sizeof(argument), "%s", verb);
        r = find_program(program, path, sizeof(path));
        if (r < 0) {
                (void)error_set(err, r, "find the program '%s'", program);
                error_hint(err, "install it, or take it out of the file that names it");
                return r;
        }
        /* To it a socket, which raises no SIGPIPE; from it a pipe, whose end is no reset. */
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(err, -errno, "make a socket pair");
        ours = pair[0];
        theirs = pair[1];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, -errno, "make a pipe");
        from = ends[0];
        to = ends[1];
        r = child_spawn_orphan(&(const struct child_spec){
                .path = path,
                .argv = argv,
                .envp = environ,
                .stdio = {theirs, to, -1},
        });
        if (r < 0)
                return error_set(err, r, "start '%s'", path);
        close_fd(&theirs);
        close_fd(&to);
        /* When it has ended already, what it said is there all the same. */
        (void)send(ours, input, size, MSG_NOSIGNAL);
        close_fd(&ours);
        r = read_all(from, out);
        return r < 0 ? error_set(err, r, "ask '%s'", program) : 0;
}
