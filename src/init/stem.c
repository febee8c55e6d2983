/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The stem.  Landlock domains nest: a process may act on those of its own domain and of domains
 * below it.  Were main and an exec each to make a domain, neither could signal or trace the other
 * (KERNEL 17 in ARCHITECTURE.md).  So one process enters the box's domain, and everybody is cloned
 * from it, with CLONE_PARENT, so that the supervisor is the one who reaps.
 */

#include <errno.h>
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
};

struct answer {
        int32_t pid; /* or a negative errno */
        struct coffer_error err;
};

/* Which descriptors come with REQUEST_MAIN; the ruleset is last since it may be absent. */
enum { FD_SOCKET, FD_DEVPTS, FD_NULL, FD_RULESET, FDS_MAX };

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

static pid_t clone_one(bool is_main)
{
        /* With CLONE_PARENT the exit signal is the stem's own: SIGCHLD to the supervisor. */
        struct clone_args args = {.flags = CLONE_PARENT | (is_main ? CLONE_NEWPID : 0)};
        pid_t pid = sys_clone3(&args);

        /* fork into a PID namespace whose PID 1 has died (KERNEL 19). */
        return pid == -ENOMEM && !is_main ? -ESRCH : pid;
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

static void clone_for(struct inside *in, enum request_kind kind, int socket_fd, int fds[FDS_MAX],
                      struct answer *answer)
{
        bool is_main = kind == REQUEST_MAIN;
        int r;

        if (is_main) {
                r = FAULT_OF("stem", "main");
                if (r == 0)
                        r = confine(in, fds, &answer->err);
        } else {
                r = FAULT_OF("stem", "exec");
        }
        answer->pid = r < 0 ? r : clone_one(is_main);
        if (answer->pid == 0) {
                int theirs = take_fd(&fds[FD_SOCKET]);

                (void)close(socket_fd);
                close_fds(fds);
                workload_run(in, is_main, theirs);
        }
        if (answer->pid < 0 && answer->err.code == 0)
                (void)error_set(&answer->err, answer->pid, "start a process in the box");
}

static void serve(struct inside *in, int socket_fd, int entered)
{
        struct request request;
        int fds[FDS_MAX];

        while (recv_fds(socket_fd, &request, sizeof(request), fds) == (ssize_t)sizeof(request)) {
                struct answer answer = {.pid = entered};

                if (request.kind == REQUEST_ENTER) {
                        entered = enter(in, fds);
                        close_fds(fds);
                        continue;
                }
                if (entered < 0)
                        (void)error_set(&answer.err, entered, "enter the namespaces of main");
                else
                        clone_for(in, (enum request_kind)request.kind, socket_fd, fds, &answer);
                close_fds(fds);
                if (send_fds(socket_fd, &answer, sizeof(answer), NULL, 0) < 0)
                        return;
        }
}

static _Noreturn void stem_main(const struct inside *from, int socket_fd)
{
        struct inside in = *from;
        struct answer answer = {0};
        struct request request;
        int fds[FDS_MAX];
        int r;

        fault_process("stem", false);
        r = FAULT_OF("stem", "rights");
        if (r < 0)
                (void)error_set(&answer.err, r, "give up rights");
        else
                r = self_become_supervisor(&in.setup, &answer.err);
        if (r == 0)
                serve(&in, socket_fd, 0);
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

static int ask(int stem_fd, enum request_kind kind, const int *fds, size_t count, pid_t *ret_pid,
               struct coffer_error *err)
{
        struct request request = {kind};
        struct answer answer;
        int r = send_fds(stem_fd, &request, sizeof(request), fds, count);

        if (r == 0 && sys_read(stem_fd, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
                r = -ECHILD;
        if (r < 0)
                return error_say(err, r, COFFER_ERROR_CONTROL, "the stem of the box died");
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

        return ask(stem_fd, REQUEST_MAIN, fds, ruleset_fd < 0 ? FD_RULESET : FDS_MAX, ret_pid, err);
}

int stem_clone_exec(int stem_fd, int socket_fd, pid_t *ret_pid)
{
        return ask(stem_fd, REQUEST_EXEC, &socket_fd, 1, ret_pid, NULL);
}

int stem_enter(int stem_fd, int pidns_fd, int userns_fd)
{
        struct request request = {REQUEST_ENTER};
        int fds[2] = {pidns_fd, userns_fd};

        return send_fds(stem_fd, &request, sizeof(request), fds, 2);
}
