/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/call.h"
#include "lib/plan.h"
#include "lib/request.h"
#include "lib/start.h"

#define START_TRIES     5
#define PUMP_BYTES      (64 * 1024)
#define STATUS_NO_PLACE 2
#define STREAMS         (PROTO_STDIN | PROTO_STDOUT | PROTO_STDERR)

/* ----------------------------------------------------------------------------------- SIGPIPE */

void hold_sigpipe(struct held_signal *old)
{
        sigset_t pipe, mask, pending;

        (void)sigemptyset(&pipe);
        (void)sigaddset(&pipe, SIGPIPE);
        (void)sigpending(&pending);
        old->was_pending = sigismember(&pending, SIGPIPE) == 1;
        (void)pthread_sigmask(SIG_BLOCK, &pipe, &mask);
        old->was_blocked = sigismember(&mask, SIGPIPE) == 1;
}

void let_sigpipe(const struct held_signal *old)
{
        const struct timespec now = {0};
        sigset_t pipe;

        (void)sigemptyset(&pipe);
        (void)sigaddset(&pipe, SIGPIPE);
        /* Ours, if there was none before. */
        if (!old->was_pending)
                while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
                        ;
        if (!old->was_blocked)
                (void)pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
}

/* ------------------------------------------------------------------------------------- start */

static int start_process(struct coffer_box *box, const struct msg_process *m, struct builtin *b,
                         struct coffer_error *err)
{
        int r = -EBUSY;

        /* It may be started or stopped between the two questions. */
        for (int i = 0; i < START_TRIES && (r == -EBUSY || r == -EALREADY); i++) {
                struct coffer_call *call = NULL;

                r = exec_begin(box, m, &call, err);
                r = call_run(call, r, COFFER_FOREVER, NULL, &b->process, err);
                b->helper = r == -EBUSY;
                if (b->helper)
                        r = start_helper(box, m, STREAMS, COFFER_FOREVER, &b->process, err);
        }
        return r;
}

int builtin_start(struct coffer_box *box, const char *const *argv, int timeout_ms,
                  struct builtin *ret_builtin, struct coffer_error *err)
{
        struct builtin b = {
                .box = box,
                .stdin_fd = -EBADF,
                .stdout_fd = -EBADF,
                .stderr_fd = -EBADF,
        };
        struct msg_process m;
        int r = plan_builtin(box, argv, &m, err);

        if (r < 0)
                return r;
        m.timeout_ms = timeout_ms < 0 ? 0 : timeout_ms == 0 ? 1 : (uint32_t)timeout_ms;
        r = start_process(box, &m, &b, err);
        wire_release(&msg_process_table, &m);
        if (r < 0)
                return r;
        b.stdin_fd = coffer_process_take_stream(b.process, COFFER_STDIN);
        b.stdout_fd = coffer_process_take_stream(b.process, COFFER_STDOUT);
        b.stderr_fd = coffer_process_take_stream(b.process, COFFER_STDERR);
        *ret_builtin = b;
        if (b.stdin_fd >= 0 && b.stdout_fd >= 0 && b.stderr_fd >= 0)
                return 0;
        builtin_release(ret_builtin);
        return error_say(err, -EBADMSG, COFFER_ERROR_OTHER, "box %s gave no streams to copy with",
                         box->id);
}

void builtin_release(struct builtin *b)
{
        close_fd(&b->stdin_fd);
        close_fd(&b->stdout_fd);
        close_fd(&b->stderr_fd);
        b->process = coffer_process_free(b->process);
}

/* ----------------------------------------------------------------------------------- streams */

int builtin_hear(struct builtin *b)
{
        char rest[1024];
        ssize_t n;

        if (b->stderr_fd < 0)
                return 1;
        if (b->word_bytes < sizeof(b->words) - 1) {
                n = sys_read(b->stderr_fd, b->words + b->word_bytes,
                             sizeof(b->words) - 1 - b->word_bytes);
                if (n > 0)
                        b->word_bytes += (size_t)n;
        } else {
                n = sys_read(b->stderr_fd, rest, sizeof(rest));
        }
        if (n > 0 || n == -EAGAIN)
                return 0;
        close_fd(&b->stderr_fd);
        return 1;
}

static int move_some(int from_fd, int to_fd, char *block)
{
        ssize_t n = splice(from_fd, NULL, to_fd, NULL, 16 * PUMP_BYTES, SPLICE_F_MOVE);

        if (n >= 0)
                return n > 0;
        if (errno != EINVAL)
                return errno == EINTR || errno == EAGAIN ? 1 : -errno;
        n = sys_read(from_fd, block, PUMP_BYTES);
        if (n <= 0)
                return (int)n;
        return sys_write_all(to_fd, block, (size_t)n) < 0 ? -errno : 1;
}

/* Until there is something to read; a regular file always has. */
static int wait_for_bytes(struct builtin *b, int from_fd)
{
        struct pollfd p[2] = {
                {.fd = from_fd,      .events = POLLIN},
                {.fd = b->stderr_fd, .events = POLLIN},
        };

        do {
                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        return -errno;
                if (p[1].revents != 0 && builtin_hear(b) > 0)
                        p[1].fd = -1;
        } while (p[0].revents == 0);
        return 0;
}

int builtin_pump(struct builtin *b, int from_fd, int to_fd)
{
        struct held_signal held;
        char *block = malloc(PUMP_BYTES);
        int r = block ? 1 : -ENOMEM;

        hold_sigpipe(&held);
        while (r > 0) {
                r = wait_for_bytes(b, from_fd);
                if (r == 0)
                        r = move_some(from_fd, to_fd, block);
        }
        let_sigpipe(&held);
        free(block);
        return r;
}

/* --------------------------------------------------------------------------------------- end */

static const char *first_line(struct builtin *b)
{
        b->words[b->word_bytes] = '\0';
        b->words[strcspn(b->words, "\n")] = '\0';
        return b->words;
}

int builtin_finish(struct builtin *b, const char *what, struct coffer_error *err)
{
        struct coffer_exit end;
        int r;

        close_fd(&b->stdin_fd);
        close_fd(&b->stdout_fd);
        while (builtin_hear(b) == 0)
                ;
        r = coffer_process_wait(b->process, COFFER_FOREVER, &end, err);
        if (r == 0 && b->helper)
                r = start_helper_end(b->box, err);
        if (r < 0)
                return r;
        if (end.timed_out)
                return error_say(err, -ETIMEDOUT, COFFER_ERROR_OTHER, "%s: it took too long", what);
        if (end.status == 0)
                return 0;
        r = end.status == STATUS_NO_PLACE ? -ENOENT : -EIO;
        if (b->word_bytes > 0)
                (void)error_say(err, r, COFFER_ERROR_OTHER, "%s: %s", what, first_line(b));
        else
                (void)error_say(err, r, COFFER_ERROR_OTHER,
                                "%s: the program in the box ended with %d%s%s", what, end.status,
                                end.reason[0] ? ", " : "", end.reason);
        if (end.status == STATUS_NO_PLACE)
                error_hint(err, "is the path right? one in a box starts from the box's root");
        return r;
}
