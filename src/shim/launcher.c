/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A start needs rights that the shim gives up once its box stands: newuidmap(1) does nothing under
 * no_new_privs, and who is not dumpable cannot open its child's uid_map.  A box with a restart
 * policy is started more than once, so its shim first forks this process, which keeps those rights,
 * knows what START said, and reads nothing but "again": no byte of a client or a box gets here.
 * What it launches is made with CLONE_PARENT, so the box is the shim's child at every start.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "sandbox/userns.h"
#include "shim/shim.h"

/* All descriptors that the launcher has. */
enum { TO_SHIM = 3, BOX_DIR, INIT_EXE, FIRST_FREE };

#define FDS_MIN 4 /* of an answer: socket, pidfd, main, user namespace; then what is pinned */

/* ------------------------------------------------------------------------- in the launcher */

static void send_box(const struct engine_box *box)
{
        struct msg_ready m = {.posture = box->posture};
        int fds[FDS_MIN + ENGINE_PINNED_MAX] = {box->socket_fd, box->pidfd, box->main_pidfd,
                                                box->userns_fd};
        size_t count = FDS_MIN;

        for (size_t i = 0; i < ENGINE_PINNED_MAX; i++)
                if (box->pinned_fds[i] >= 0)
                        fds[count++] = box->pinned_fds[i];
        if (channel_send(TO_SHIM, PROTO_READY, 0, &m, fds, count, SEND_TIMEOUT_MS) < 0)
                _exit(1); /* with the shim the box ends, too */
}

static void launch(const struct shim *s)
{
        struct engine_box box = ENGINE_BOX_INIT;
        struct coffer_error err = {0};
        int r;

        /* The maps of a child are the child's who made it: only where that may be looked into. */
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        r = s->engine->launch(s->id, BOX_DIR, INIT_EXE, &s->start, true, NULL, &box, &err);
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (r < 0) {
                if (channel_send_error(TO_SHIM, 0, &err, SEND_TIMEOUT_MS) < 0)
                        _exit(1);
                return;
        }
        send_box(&box);
        (void)FAULT_OF("launcher", "forget");
        s->engine->forget(&box);
}

/* Everything else goes: above all the lock, which a forked process holds too. */
static int keep_only(const int fds[FIRST_FREE - TO_SHIM])
{
        int high[FIRST_FREE - TO_SHIM]; /* out of each other's way */

        for (int i = 0; i < FIRST_FREE - TO_SHIM; i++) {
                high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FREE);
                if (high[i] < 0)
                        return -errno;
        }
        for (int i = 0; i < FIRST_FREE - TO_SHIM; i++)
                if (dup3(high[i], TO_SHIM + i, O_CLOEXEC) < 0)
                        return -errno;
        return sys_close_range(FIRST_FREE, ~0U, 0);
}

static _Noreturn void run(const struct shim *s, const int fds[FIRST_FREE - TO_SHIM])
{
        fault_process("launcher", false);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || keep_only(fds) < 0)
                _exit(1);
        if (FAULT_OF("launcher", "begin") < 0)
                _exit(1);
        (void)prctl(PR_SET_NAME, "coffer-launcher", 0, 0, 0);
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                _exit(1);
        if (s->start.idmap.kind != IDMAP_USER && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                _exit(1);
        for (;;) {
                struct frame f = FRAME_INIT;
                int r = channel_recv(TO_SHIM, &f, -1);

                frame_release(&f);
                if (r < 0)
                        _exit(0);
                launch(s);
        }
}

FAULT_ALSO(launcher, "engine.kill", "engine.release", "spawn.program");

/* ------------------------------------------------------------------------------ in the shim */

int launcher_begin(struct shim *s, int exe_fd, struct coffer_error *err)
{
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)&s->restarts.pidfd,
                .exit_signal = SIGCHLD,
        };
        int r = FAULT("launcher.begin");
        int ends[2];
        pid_t pid;

        if (r < 0)
                return error_set(err, r, "prepare the launcher");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(err, -errno, "create the launcher's socket");
        pid = sys_clone3(&args);
        if (pid == 0)
                run(s, (const int[]){ends[1], s->dir_fd, exe_fd});
        (void)close(ends[1]);
        if (pid < 0) {
                (void)close(ends[0]);
                return error_set(err, pid, "start the launcher");
        }
        s->restarts.fd = ends[0];
        return 0;
}

int launcher_ask(struct shim *s, struct coffer_error *err)
{
        int r = channel_send(s->restarts.fd, PROTO_OK, 0, NULL, NULL, 0, SEND_TIMEOUT_MS);

        return r < 0 ? error_set(err, r, "ask the launcher for box %s", s->id) : 0;
}

static int take_box(struct shim *s, struct frame *f, struct coffer_error *err)
{
        struct engine_box box = ENGINE_BOX_INIT;
        struct msg_ready m;
        int r = f->header.type == PROTO_READY && f->fd_count >= FDS_MIN &&
                                f->fd_count <= FDS_MIN + ENGINE_PINNED_MAX
                        ? frame_decode(f, &m)
                        : -EBADMSG;

        if (r < 0)
                return error_set(err, r, "hear from the launcher");
        box.socket_fd = frame_take_fd(f, 0);
        box.pidfd = frame_take_fd(f, 1);
        box.main_pidfd = frame_take_fd(f, 2);
        box.userns_fd = frame_take_fd(f, 3);
        for (size_t i = FDS_MIN; i < f->fd_count; i++)
                box.pinned_fds[i - FDS_MIN] = frame_take_fd(f, i);
        box.posture = m.posture; /* all that it owned */

        r = FAULT("launcher.adopt");
        r = r < 0 ? error_set(err, r, "take over the box") : s->engine->adopt(s->id, &box, err);
        if (r < 0) {
                (void)s->engine->kill(&box, NULL);
                (void)s->engine->release(&box, NULL);
                engine_box_unpin(&box);
                return r;
        }
        s->box = box;
        return 0;
}

int launcher_hear(struct shim *s, struct coffer_error *err)
{
        struct frame *f = &s->restarts.reader.frame;
        int r = channel_recv_step(s->restarts.fd, &s->restarts.reader);

        if (r == -EAGAIN)
                return r;
        if (r < 0)
                return error_say(err, r, COFFER_ERROR_OTHER, "the launcher of box %s died", s->id);
        r = f->header.type == PROTO_ERROR ? frame_error(f, err) : take_box(s, f, err);
        frame_release(f);
        s->restarts.reader = FRAME_READER_INIT;
        return r;
}

void launcher_end(struct shim *s)
{
        if (s->restarts.fd < 0)
                return;
        (void)FAULT("launcher.end");
        s->restarts.io = loop_remove(s->restarts.io);
        close_fd(&s->restarts.fd);
        (void)sys_pidfd_send_signal(s->restarts.pidfd, SIGKILL);
        (void)child_wait(s->restarts.pidfd);
        close_fd(&s->restarts.pidfd);
}
