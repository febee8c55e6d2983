/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The stem.  Landlock domains nest: a process may act on those of its own domain and of domains
 * below it.  Were main and an exec each to make a domain, neither could signal or trace the other
 * (KERNEL 17 in ARCHITECTURE.md).  So one process enters the box's domain, and everybody is cloned
 * from it, with CLONE_PARENT, so that the supervisor is the one who reaps.
 *
 * An exec runs in the stem's memory until its execve() (CLONE_VM), and the stem waits for that
 * (CLONE_VFORK): a copy of the memory, small as it is, takes longer than all else that an exec
 * needs.  Nothing foreign may be read in this memory, since the stem has rights that the process
 * has given up by then.  So it is a copy after all where the process has to read the box's passwd
 * and group, until a copy has done so and told the stem what it found; and it stays one as long as
 * text and files are the same.  What the copy tells counts no more than the files: who could lie
 * there could have written them.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "init/init.h"
#include "init/self.h"
#include "sandbox/landlock.h"

enum request_kind { REQUEST_MAIN, REQUEST_EXEC, REQUEST_ENTER };

struct request {
        uint32_t kind;
        uint32_t early; /* of an exec: what to run lies in its socket */
};

struct answer {
        int32_t pid; /* or a negative errno */
        struct coffer_error err;
};

/* Which descriptors come with REQUEST_MAIN; the ruleset is last since it may be absent. */
enum { FD_SOCKET, FD_DEVPTS, FD_NULL, FD_RULESET, FDS_MAX };

#define SHARED_STACK_BYTES (48 * 1024)

/* What a process in our memory needs, and what we know. */
static _Alignas(16) char shared_stack[SHARED_STACK_BYTES];
static struct known_user known;

static int send_fds(int socket_fd, const void *data, size_t size, const int *fds, size_t count)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
                struct cmsghdr align;
        } control;
        struct iovec iov = {(void *)(uintptr_t)data, size};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n;

        memset(&control, 0, sizeof(control));
        if (count > 0) {
                msg.msg_control = control.bytes;
                msg.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * count);
                control.align.cmsg_level = SOL_SOCKET;
                control.align.cmsg_type = SCM_RIGHTS;
                control.align.cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * count);
                memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * count);
        }
        do
                n = sendmsg(socket_fd, &msg, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

static ssize_t recv_fds(int socket_fd, void *data, size_t size, int fds[FDS_MAX])
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
                struct cmsghdr align;
        } control;
        struct iovec iov = {data, size};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
        const struct cmsghdr *c;
        ssize_t n;

        for (int i = 0; i < FDS_MAX; i++)
                fds[i] = -1;
        do
                n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        c = CMSG_FIRSTHDR(&msg);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        return n;
}

/* ---------------------------------------------------------------------- inside the stem */

/* What only the stem has: where it hears from copies, and a look at what a core dump would be. */
struct stem {
        struct inside in;
        int socket_fd;
        int lesson_fd;
        int dumpable_fd;
        int entered; /* 0, or why it could not join main's namespaces */
};

/* With CLONE_PARENT the exit signal is the stem's own: SIGCHLD to the supervisor. */
static pid_t clone_copy(bool is_main)
{
        struct clone_args args = {.flags = CLONE_PARENT | (is_main ? CLONE_NEWPID : 0)};

        return sys_clone3(&args);
}

static int run_shared(void *arg)
{
        (void)arg;
        workload_go_on();
}

static pid_t clone_shared(void)
{
        pid_t pid = clone(run_shared, shared_stack + sizeof(shared_stack),
                          CLONE_VM | CLONE_VFORK | CLONE_PARENT, NULL);
        int r = pid < 0 ? -errno : pid;

        fault_process("stem", false);
        /* It changed its ids, and what that makes of the memory is ours as well. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                _exit(1);
        return r;
}

/*
 * Who changes its ids becomes "dumpable" as fs.suid_dumpable says; were that 1, the box could trace
 * the process, and in shared memory the stem.
 */
static bool stays_undumpable(const struct stem *s)
{
        char value[4];
        ssize_t n = pread(s->dumpable_fd, value, sizeof(value), 0);

        return n == 2 && (value[0] == '0' || value[0] == '2');
}

static void hear_lessons(const struct stem *s)
{
        struct known_user lesson;
        ssize_t n;

        while ((n = recv(s->lesson_fd, &lesson, sizeof(lesson), MSG_DONTWAIT)) > 0)
                if (user_check_known(&lesson, (size_t)n))
                        known = lesson;
}

static int enter(struct inside *in, int fds[FDS_MAX])
{
        int r = FAULT_OF("stem", "enter");

        if (r < 0)
                return r;
        if (setns(fds[0], CLONE_NEWPID) < 0)
                return -errno;
        in->userns_fd = take_fd(&fds[1]);
        return 0;
}

static int confine(struct inside *in, int fds[FDS_MAX], struct coffer_error *err)
{
        int r;

        in->devpts_fd = take_fd(&fds[FD_DEVPTS]);
        in->null_fd = take_fd(&fds[FD_NULL]);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(err, -errno, "set no_new_privs");
        if (fds[FD_RULESET] < 0)
                return 0;
        r = landlock_enforce(fds[FD_RULESET], err);
        if (r < 0)
                return r;
        /*
         * A sandbox around us may say "done" and do nothing.  In a domain nobody mounts; outside of
         * one we may, and no mount here is shared any more.
         */
        if (mount(NULL, "/", NULL, MS_PRIVATE, NULL) == 0 || errno != EPERM)
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL,
                                 "landlock: the domain was entered and does not hold");
        return 0;
}

static void close_fds(int fds[FDS_MAX])
{
        for (int i = 0; i < FDS_MAX; i++)
                close_fd(&fds[i]);
}

/* In the copy: what is the stem's own goes. */
static int leave_stem(struct stem *s, int fds[FDS_MAX])
{
        int theirs = take_fd(&fds[FD_SOCKET]);

        close_fds(fds);
        close_fd(&s->socket_fd);
        close_fd(&s->lesson_fd);
        close_fd(&s->dumpable_fd);
        return theirs;
}

static pid_t clone_main(struct stem *s, int fds[FDS_MAX], struct coffer_error *err)
{
        int r = FAULT_OF("stem", "main");
        pid_t pid;

        if (r == 0)
                r = confine(&s->in, fds, err);
        pid = r < 0 ? r : clone_copy(true);
        if (pid == 0)
                workload_run(&s->in, true, leave_stem(s, fds));
        return pid;
}

static pid_t clone_exec(struct stem *s, bool early, int fds[FDS_MAX], struct coffer_error *err)
{
        int r = s->entered;
        pid_t pid;

        if (r < 0)
                return error_set(err, r, "enter the namespaces of main");
        r = FAULT_OF("stem", "exec");
        if (r < 0)
                return r;
        if (early) {
                hear_lessons(s);
                r = workload_hear(&s->in, fds[FD_SOCKET], err);
                if (r < 0)
                        return r;
        }
        if (early && stays_undumpable(s) && workload_may_share(&known)) {
                pid = clone_shared();
        } else {
                pid = clone_copy(false);
                if (pid == 0 && early) {
                        (void)leave_stem(s, fds);
                        workload_go_on();
                }
                if (pid == 0)
                        workload_run(&s->in, false, leave_stem(s, fds));
        }
        if (early)
                workload_forget();
        /* fork into a PID namespace whose PID 1 has died (KERNEL 19). */
        return pid == -ENOMEM ? -ESRCH : pid;
}

static void serve(struct stem *s)
{
        struct request request;
        int fds[FDS_MAX];

        while (recv_fds(s->socket_fd, &request, sizeof(request), fds) == (ssize_t)sizeof(request)) {
                struct answer answer = {.pid = 0};

                if (request.kind == REQUEST_ENTER) {
                        s->entered = enter(&s->in, fds);
                        close_fds(fds);
                        continue;
                }
                answer.pid = request.kind == REQUEST_MAIN
                                     ? clone_main(s, fds, &answer.err)
                                     : clone_exec(s, request.early != 0, fds, &answer.err);
                if (answer.pid < 0 && answer.err.code == 0)
                        (void)error_set(&answer.err, answer.pid, "start a process in the box");
                close_fds(fds);
                if (send_fds(s->socket_fd, &answer, sizeof(answer), NULL, 0) < 0)
                        return;
        }
}

/* Without these every exec is a copy. */
static void prepare_sharing(struct stem *s)
{
        int ends[2];

        s->dumpable_fd = sys_open(AT_FDCWD, "/proc/sys/fs/suid_dumpable", O_RDONLY);
        s->lesson_fd = s->in.lesson_fd = -EBADF;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
                s->lesson_fd = ends[0];
                s->in.lesson_fd = ends[1];
        }
}

static _Noreturn void stem_main(const struct inside *from, int socket_fd)
{
        static struct stem s;
        struct answer answer = {0};
        struct request request;
        int fds[FDS_MAX];
        int r;

        fault_process("stem", false);
        s.in = *from;
        s.socket_fd = socket_fd;
        r = FAULT_OF("stem", "rights");
        if (r < 0)
                (void)error_set(&answer.err, r, "give up rights");
        else
                r = self_become_supervisor(&s.in.setup, &answer.err);
        if (r == 0) {
                prepare_sharing(&s);
                serve(&s);
        }
        /* Heard before it is answered: ending with something unread loses what was written. */
        (void)recv_fds(socket_fd, &request, sizeof(request), fds);
        answer.pid = r;
        (void)send_fds(socket_fd, &answer, sizeof(answer), NULL, 0);
        _exit(1);
}

/* ------------------------------------------------------------------------ for the supervisor */

int stem_start(const struct inside *in, int *ret_fd, pid_t *ret_pid, struct coffer_error *err)
{
        int ends[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(err, -errno, "create a socket for the stem");
        pid = fork();
        if (pid == 0) {
                (void)close(INIT_SOCKET_FD);
                if (in->exe_fd >= 0)
                        (void)close(in->exe_fd);
                (void)close(ends[0]);
                stem_main(in, ends[1]);
        }
        (void)close(ends[1]);
        if (pid < 0) {
                (void)close(ends[0]);
                return error_set(err, -errno, "fork the stem");
        }
        *ret_fd = ends[0];
        *ret_pid = pid;
        return 0;
}

static int hear(int stem_fd, int flags, pid_t *ret_pid, struct coffer_error *err)
{
        struct answer answer;
        ssize_t n;

        do
                n = recv(stem_fd, &answer, sizeof(answer), flags);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return -EAGAIN;
        if (n != (ssize_t)sizeof(answer))
                return error_say(err, -ECHILD, COFFER_ERROR_CONTROL, "the stem of the box died");
        if (answer.pid < 0) {
                if (err)
                        *err = answer.err;
                return answer.pid;
        }
        *ret_pid = answer.pid;
        return 0;
}

int stem_clone_main(int stem_fd, const struct inside *in, int ruleset_fd, int socket_fd,
                    pid_t *ret_pid, struct coffer_error *err)
{
        int fds[FDS_MAX] = {socket_fd, in->devpts_fd, in->null_fd, ruleset_fd};

        struct request request = {.kind = REQUEST_MAIN};
        int r = send_fds(stem_fd, &request, sizeof(request), fds,
                         ruleset_fd < 0 ? FD_RULESET : FDS_MAX);

        if (r < 0)
                return error_say(err, r, COFFER_ERROR_CONTROL, "the stem of the box died");
        return hear(stem_fd, 0, ret_pid, err);
}

int stem_ask_exec(int stem_fd, int socket_fd, bool early)
{
        struct request request = {.kind = REQUEST_EXEC, .early = early};

        return send_fds(stem_fd, &request, sizeof(request), &socket_fd, 1);
}

int stem_answer(int stem_fd, pid_t *ret_pid, struct coffer_error *err)
{
        return hear(stem_fd, MSG_DONTWAIT, ret_pid, err);
}

int stem_enter(int stem_fd, int pidns_fd, int userns_fd)
{
        struct request request = {.kind = REQUEST_ENTER};
        int fds[2] = {pidns_fd, userns_fd};

        return send_fds(stem_fd, &request, sizeof(request), fds, 2);
}
