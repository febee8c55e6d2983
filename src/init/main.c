/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The supervisor of a box: PID 1 of the outer PID namespace, root of the outer user namespace.
 * setup.c builds; here it serves: spawns what the shim asks for, reaps, reports.  When the shim
 * dies, or main does, it ends, and the kernel ends everything that is left.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/loop.h"
#include "base/sys.h"
#include "init/init.h"
#include "init/setup.h"
#include "proto/channel.h"

#define SEND_TIMEOUT_MS 10000
#define PROCS_MAX       4096  /* at once, of one box, started by a client */
#define EARLY_BYTES     32768 /* surely fit into an empty socket (net.core.wmem_default) */

/* A process that a client asked for. */
struct proc {
        struct server *server;
        uint32_t stream;
        pid_t pid; /* 0: the stem has not answered yet */
        int pidfd;
        int socket_fd; /* open until execve() or death */
        struct loop_io *io;
        bool failed;     /* ERROR was sent; its exit status is nobody's business */
        bool group_goes; /* its end is that of its process group */
        int far[3];
        size_t far_count;
        uint32_t stdio;
        struct proc *next;
};

struct server {
        struct loop *loop;
        struct box_inside box;
        struct proc *procs;
        size_t proc_count;
        bool main_gone;
        int signal_fd;
        struct loop_io *stem_io;
        struct loop_io *shim_io;
        struct loop_io *signal_io;
};

static void proc_free(struct proc *p)
{
        struct proc **at = &p->server->procs;

        while (*at != p)
                at = &(*at)->next;
        *at = p->next;
        p->server->proc_count--;

        (void)loop_remove(p->io);
        close_fd(&p->pidfd);
        close_fd(&p->socket_fd);
        for (size_t i = 0; i < p->far_count; i++)
                close_fd(&p->far[i]);
        free(p);
}

static struct proc *find_stream(struct server *s, uint32_t stream)
{
        struct proc *p = s->procs;

        while (p && p->stream != stream)
                p = p->next;
        return p;
}

/* The shim is gone, or does not read: nothing is left to do but to take the box along. */
static _Noreturn void end_box(int status)
{
        _exit(status);
}

static void tell(enum proto_type type, uint32_t stream, const void *message, const int *fds,
                 size_t count)
{
        if (channel_send(INIT_SOCKET_FD, type, stream, message, fds, count, SEND_TIMEOUT_MS) < 0)
                end_box(1);
}

static void tell_error(uint32_t stream, const struct coffer_error *err)
{
        if (channel_send_error(INIT_SOCKET_FD, stream, err, SEND_TIMEOUT_MS) < 0)
                end_box(1);
}

/* ------------------------------------------------------------------ a process on its way */

static void tell_started(struct proc *p)
{
        struct msg_started m = {.pid = (uint32_t)p->pid, .stdio = p->stdio};
        int fds[4] = {p->pidfd};

        for (size_t i = 0; i < p->far_count; i++)
                fds[i + 1] = p->far[i];
        tell(PROTO_STARTED, p->stream, &m, fds, p->far_count + 1);
        for (size_t i = 0; i < p->far_count; i++)
                close_fd(&p->far[i]);
        p->far_count = 0;
}

static void keep_stdio(struct proc *p, struct frame *f)
{
        struct msg_started m;

        if (frame_decode(f, &m) < 0)
                return;
        p->stdio = m.stdio;
        for (p->far_count = 0; p->far_count < f->fd_count && p->far_count < 3; p->far_count++)
                p->far[p->far_count] = frame_take_fd(f, p->far_count);
}

/* It cannot be started as it should: it is ended, and the one who asked is told why. */
static void give_up(struct proc *p, int code, const char *what)
{
        struct coffer_error err = {0};

        (void)error_set(&err, code, "%s", what);
        (void)sys_pidfd_send_signal(p->pidfd, SIGKILL);
        p->failed = true;
        tell_error(p->stream, &err);
}

/* What it has to say before execve(); false when it will say no more. */
static bool hear_once(struct proc *p, int timeout_ms)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        struct coffer_error err = {0};
        int r = channel_recv(p->socket_fd, &f, timeout_ms);

        if (r == -ETIMEDOUT)
                return true;
        if (r == 0 && f.header.type == PROTO_STARTED) {
                keep_stdio(p, &f);
                return true;
        }
        if (r == 0 && f.header.type == PROTO_ERROR) {
                (void)frame_error(&f, &err);
                p->failed = true;
                tell_error(p->stream, &err);
                return false;
        }
        if (r == -ENODATA || r == -ECONNRESET)
                tell_started(p); /* end of the stream: execve() has closed it */
        else
                give_up(p, r < 0 ? r : -EBADMSG, "hear from a process of the box");
        return false;
}

static void stop_hearing(struct proc *p)
{
        p->io = loop_remove(p->io);
        close_fd(&p->socket_fd);
}

static void on_proc(void *data, uint32_t events)
{
        struct proc *p = data;

        (void)events;
        if (!hear_once(p, -1))
                stop_hearing(p);
}

/* The socket is taken. */
static int add_proc(struct server *s, uint32_t stream, int socket_fd, struct proc **ret)
{
        struct proc *p = calloc(1, sizeof(*p));

        if (!p) {
                (void)close(socket_fd);
                return -ENOMEM;
        }
        *p = (struct proc){.server = s,
                           .stream = stream,
                           .pidfd = -EBADF,
                           .socket_fd = socket_fd,
                           .next = s->procs};
        s->procs = p;
        s->proc_count++;
        *ret = p;
        return 0;
}

/* It is there, and not reaped: the pid is its own. */
static int watch_proc(struct proc *p, pid_t pid)
{
        p->pid = pid;
        p->pidfd = sys_pidfd_open(pid);
        if (p->pidfd < 0 || p->failed)
                return p->pidfd < 0 ? p->pidfd : sys_pidfd_send_signal(p->pidfd, SIGKILL);
        return loop_add(p->server->loop, p->socket_fd, EPOLLIN, on_proc, p, &p->io);
}

/* If it is dead already its exit says so. */
static void hand_over(struct proc *p, const struct buf *process)
{
        int r = channel_forward(p->socket_fd, PROTO_SPAWN, 0, process, SEND_TIMEOUT_MS);

        if (r == 0 || r == -EPIPE || r == -ECONNRESET)
                return;
        stop_hearing(p);
        give_up(p, r, "tell a process of the box what to run");
}

/* What to run lies in the socket when the process is born, if there is room: it need not wait. */
static bool send_early(int socket_fd, const struct buf *process)
{
        return process->size <= EARLY_BYTES &&
               channel_forward(socket_fd, PROTO_SPAWN, 0, process, SEND_TIMEOUT_MS) == 0;
}

/* Unless there are words already. */
static int say_not_started(struct coffer_error *err, int r)
{
        if (r == -ESRCH)
                return error_say(err, r, COFFER_ERROR_STATE, "the box is not running");
        if (err->code == 0)
                (void)error_set(err, r, "start a process in the box");
        if (r == -EAGAIN)
                error_hint(err, "the box is at its process limit (--pids-limit)");
        return r;
}

static int clone_exec(struct server *s, uint32_t stream, const struct buf *process,
                      struct coffer_error *err)
{
        cleanup_close int ours = -EBADF;
        cleanup_close int theirs = -EBADF;
        struct proc *p = NULL;
        bool sent;
        int ends[2];
        int r;

        if (s->proc_count >= PROCS_MAX)
                return error_say(err, -EAGAIN, COFFER_ERROR_OTHER, "too many execs in this box");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(err, -errno, "create a socket");
        ours = ends[0];
        theirs = ends[1];
        r = FAULT("exec.clone");
        if (r < 0)
                return error_set(err, r, "start a process in the box");
        sent = send_early(ours, process);
        r = s->main_gone ? -ESRCH : stem_ask_exec(s->box.stem_fd, theirs, sent);
        if (r == 0)
                r = add_proc(s, stream, take_fd(&ours), &p);
        if (r < 0)
                return say_not_started(err, r);
        if (!sent)
                hand_over(p, process);
        return 0;
}

/* Answers come in the order of the questions, and whoever is asked for is put at the head. */
static struct proc *find_unanswered(struct server *s)
{
        struct proc *found = NULL;

        for (struct proc *p = s->procs; p; p = p->next)
                if (p->pid == 0)
                        found = p;
        return found;
}

static void not_started(struct proc *p, int r, struct coffer_error *err)
{
        (void)say_not_started(err, r);
        if (!p->failed)
                tell_error(p->stream, err);
        proc_free(p);
}

/* False when there is no answer, or will be none. */
static bool hear_stem(struct server *s)
{
        struct proc *p = find_unanswered(s);
        struct coffer_error err = {0};
        pid_t pid = 0;
        int r = stem_answer(s->box.stem_fd, &pid, &err);

        if (r == -EAGAIN && err.code == 0)
                return false;
        if (r == -ECHILD || !p) {
                s->stem_io = loop_remove(s->stem_io);
                return false; /* its end is told by SIGCHLD */
        }
        if (r < 0) {
                not_started(p, r, &err);
                return true;
        }
        r = watch_proc(p, pid);
        if (r < 0 && !p->failed)
                give_up(p, r, "keep track of a process");
        return true;
}

/* ------------------------------------------------------------------------ from the shim */

static void spawn(struct server *s, const struct frame *f)
{
        uint32_t stream = f->header.stream;
        struct proc *p = find_stream(s, stream);
        struct coffer_error err = {0};

        if (p && stream != 0) {
                (void)error_say(&err, -EEXIST, COFFER_ERROR_OTHER, "process number %u twice",
                                stream);
                tell_error(stream, &err);
                return;
        }
        if (p && p->socket_fd >= 0)
                hand_over(p, &f->payload);
        else if (!p && clone_exec(s, stream, &f->payload, &err) < 0)
                tell_error(stream, &err);
}

/*
 * For a kernel without group signals by pidfd (before 6.9).  An exec leads a session, and so a
 * group of its own for as long as it lives; and until we reap it nobody else has its number.
 */
static void signal_group(struct server *s, const struct frame *f)
{
        struct proc *p = find_stream(s, f->header.stream);
        struct msg_signal m;

        if (!p || p->stream == 0 || p->pid <= 0 || frame_decode(f, &m) < 0)
                return;
        p->group_goes = true;
        (void)kill(-p->pid, (int)m.signal);
}

static void on_shim(void *data, uint32_t events)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        struct server *s = data;

        (void)events;
        if (channel_recv(INIT_SOCKET_FD, &f, -1) < 0)
                end_box(1);
        switch (f.header.type) {
        case PROTO_SPAWN:
                spawn(s, &f);
                break;
        case PROTO_SIGNAL:
                signal_group(s, &f);
                break;
        default:
                break; /* a newer minor version's */
        }
}

/* ------------------------------------------------------------------------------ reaping */

/*
 * With main.  Nobody is cloned from it any more: it may die while we tell and end.  Whom it has
 * cloned is dead, and is known if it told us.
 */
static void end_stem(struct server *s)
{
        struct coffer_error err = {0};
        struct proc *p;

        s->main_gone = true;
        while (hear_stem(s))
                ;
        (void)kill(s->box.stem_pid, SIGKILL);
        while ((p = find_unanswered(s)))
                not_started(p, -ESRCH, &err);
}

static void reaped(struct server *s, pid_t pid, const siginfo_t *info)
{
        struct msg_exited m = {.reason = (char *)(uintptr_t) ""};
        struct proc *p = s->procs;

        while (p && p->pid != pid)
                p = p->next;
        if (!p) {
                if (pid == s->box.stem_pid && !s->main_gone)
                        end_box(1);
                return; /* a stray of the outer namespace */
        }
        /* What it said before it died comes before its end. */
        while (p->socket_fd >= 0)
                if (!hear_once(p, 0))
                        stop_hearing(p);
        m.status =
                (uint32_t)(info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status);
        if (p->stream == 0) {
                end_stem(s);
        }
        if (!p->failed)
                tell(PROTO_EXITED, p->stream, &m, NULL, 0);
        proc_free(p);
}

static const struct proc *find_pid(const struct server *s, pid_t pid)
{
        const struct proc *p = s->procs;

        while (p && p->pid != pid)
                p = p->next;
        return p;
}

static bool is_known(const struct server *s, pid_t pid)
{
        return find_pid(s, pid) || pid == s->box.stem_pid;
}

/* What is left of its group goes along, as long as it still has its number. */
static void end_group(const struct server *s, pid_t leader)
{
        const struct proc *p = find_pid(s, leader);

        if (p && p->group_goes)
                (void)kill(-p->pid, SIGKILL);
}

/*
 * Who has ended may be a process of which the stem has not told yet: it is reaped when it has, so
 * that its pid is its own until then.
 */
static void reap(struct server *s)
{
        for (;;) {
                siginfo_t info = {0};

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                        break;
                while (!is_known(s, info.si_pid) && hear_stem(s))
                        ;
                if (!is_known(s, info.si_pid) && find_unanswered(s))
                        break;
                end_group(s, info.si_pid);
                if (waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG) < 0)
                        break;
                reaped(s, info.si_pid, &info);
        }
        if (s->main_gone && !s->procs)
                loop_quit(s->loop);
}

static void on_sigchld(void *data, uint32_t events)
{
        struct server *s = data;
        struct signalfd_siginfo drop;

        (void)events;
        (void)sys_read(s->signal_fd, &drop, sizeof(drop));
        reap(s);
}

static void on_stem(void *data, uint32_t events)
{
        struct server *s = data;

        (void)events;
        if (hear_stem(s))
                reap(s);
}

static int watch_children(struct server *s, struct coffer_error *err)
{
        sigset_t set;
        int r;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return error_set(err, -errno, "block SIGCHLD");
        s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (s->signal_fd < 0)
                return error_set(err, -errno, "create a signalfd");
        r = loop_add(s->loop, s->signal_fd, EPOLLIN, on_sigchld, s, &s->signal_io);
        return r < 0 ? error_set(err, r, "watch for the ends of processes") : 0;
}

static int start(struct server *s, struct coffer_error *err)
{
        int *exe_fd = &s->box.inside.exe_fd;
        struct msg_ready ready = {0};
        struct proc *main_proc;
        int fds[2];
        int r = FAULT("start.loop");

        if (r == 0)
                r = loop_new(&s->loop);
        if (r < 0)
                return error_set(err, r, "create the event loop");
        r = watch_children(s, err);
        if (r == 0)
                r = setup_box(&s->box, &ready.posture, err);
        if (r < 0)
                return r;
        r = FAULT("start.serve");
        if (r == 0)
                r = add_proc(s, 0, s->box.main_fd, &main_proc);
        if (r == 0)
                r = watch_proc(main_proc, s->box.main_pid);
        if (r == 0)
                r = loop_add(s->loop, s->box.stem_fd, EPOLLIN, on_stem, s, &s->stem_io);
        if (r == 0)
                r = loop_add(s->loop, INIT_SOCKET_FD, EPOLLIN, on_shim, s, &s->shim_io);
        if (r < 0)
                return error_set(err, r, "serve the box");
        fds[0] = main_proc->pidfd;
        fds[1] = *exe_fd;
        tell(PROTO_READY, 0, &ready, fds, *exe_fd < 0 ? 1 : 2);
        close_fd(exe_fd);
        strv_release(&ready.posture);
        return 0;
}

int main(int argc, char **argv)
{
        static struct server server;
        struct coffer_error err = {0};

        fault_process("init", false);
        if (fault_list(argc, argv))
                return 0;
        (void)prctl(PR_SET_NAME, "coffer-init");
        (void)umask(0); /* what is made here has the mode that is said */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        server.box.inside.exe_fd = fcntl(INIT_EXE_FD, F_GETFD) < 0 ? -EBADF : INIT_EXE_FD;
        if (start(&server, &err) < 0) {
                (void)channel_send_error(INIT_SOCKET_FD, 0, &err, SEND_TIMEOUT_MS);
                return 1;
        }
        return loop_run(server.loop) < 0;
}
