/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "sandbox/userns.h"
#include "shim/shim.h"
#include "spec/control.h"
#include "store/lock.h"

#define START_TIMEOUT_MS 30000

/* Whatever the program that used the library had set, a shim begins the same. */
static void reset_process(void)
{
        struct rlimit no_core = {0, 0};
        sigset_t none;

        for (int sig = 1; sig < NSIG; sig++)
                (void)signal(sig, SIG_DFL);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN); /* a log that may not grow is no reason to die */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)umask(0077);
        (void)setsid();
        if (chdir("/") < 0)
                _exit(1);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)sys_close_range(SHIM_LAUNCH_FD + 1, ~0U, 0);
}

static int greet(struct shim *s)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        struct msg_hello hello = {
                .major = PROTO_MAJOR,
                .minor = PROTO_MINOR,
                .version = (char *)(uintptr_t)COFFER_VERSION,
                .box_id = (char *)(uintptr_t)s->id,
        };
        struct msg_hello theirs;
        bool same;
        int r = channel_recv(SHIM_LAUNCH_FD, &f, -1); /* it may have started us ahead of time */

        if (r == 0 && f.header.type != PROTO_HELLO)
                r = -EBADMSG;
        if (r == 0)
                r = frame_decode(&f, &theirs);
        if (r < 0)
                return r;
        same = theirs.major == PROTO_MAJOR && str_eq(theirs.box_id, s->id);
        wire_release(&msg_hello_table, &theirs);
        if (!same)
                return -EPROTO;
        hello.nonce = (struct buf){.data = (char *)s->identity.nonce, .size = IDENTITY_NONCE_BYTES};
        return channel_send(SHIM_LAUNCH_FD, PROTO_HELLO, 0, &hello, NULL, 0, START_TIMEOUT_MS);
}

static int receive_start(struct shim *s, int *ret_exe_fd, struct coffer_error *err)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        int r = channel_recv(SHIM_LAUNCH_FD, &f, START_TIMEOUT_MS);

        if (r == 0 && (f.header.type != PROTO_START || f.fd_count != 2))
                r = -EBADMSG;
        if (r == 0)
                r = frame_decode(&f, &s->start);
        if (r == 0)
                r = wire_decode(s->start.process.data, s->start.process.size, &msg_process_table,
                                &s->process);
        if (r == 0)
                r = restarts_init(s);
        if (r < 0)
                return error_set(err, r, "read what to start");
        s->dir_fd = frame_take_fd(&f, 0);
        *ret_exe_fd = frame_take_fd(&f, 1);
        return 0;
}

/* The home is two directories above the box; it is opened anew, by what we were given. */
static int open_home(struct shim *s, struct coffer_error *err)
{
        char link[64], path[PATH_MAX];
        ssize_t n;
        char *cut;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", s->dir_fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set(err, -errno, "find the home");
        path[n] = '\0';
        for (int i = 0; i < 2; i++) {
                cut = strrchr(path, '/');
                if (!cut || (i == 0 && !str_eq(cut + 1, s->id)))
                        return error_say(err, -EINVAL, COFFER_ERROR_OTHER,
                                         "'%s' is not the directory of box %s", path, s->id);
                *cut = '\0';
        }
        return home_open(path, &s->home, err);
}

static int own_box(struct shim *s, struct coffer_error *err)
{
        int r = FAULT("begin.lock");

        if (r == 0)
                r = box_lock_take(s->dir_fd, s->id, &s->lock_fd);
        if (r == -EAGAIN)
                return error_say(err, -EBUSY, COFFER_ERROR_STATE,
                                 "box %s is being started or removed", s->id);
        if (r < 0)
                return error_set(err, r, "lock box %s", s->id);
        (void)unlinkat(s->dir_fd, "identity", 0);
        r = FAULT("begin.identity");
        if (r == 0)
                r = identity_write(s->dir_fd, &s->identity);
        return r < 0 ? error_set(err, r, "write the identity of box %s", s->id) : 0;
}

static int open_log(struct shim *s, struct coffer_error *err)
{
        struct output *o = &s->output;
        int r = FAULT("begin.log");

        o->shim = s;
        o->from[0] = o->from[1] = o->stdin_fd = -EBADF;
        o->log.fd = -EBADF;
        o->logging = !(s->start.flags & (START_NO_MAIN_LOG | START_HELPER));
        if (r == 0 && o->logging && !(s->start.flags & START_REMOVE))
                r = box_log_open(&o->log, s->dir_fd, s->start.log_max_bytes, s->start.log_files);
        return r < 0 ? error_set(err, r, "open the log of box %s", s->id) : 0;
}

void note_posture(struct shim *s)
{
        strv_release(&s->record.posture);
        for (size_t i = 0; i < s->box.posture.count; i++) {
                const char *row = s->box.posture.items[i];
                size_t name = strcspn(row, "\t");

                (void)strv_addf(&s->record.posture, "%.*s\t%s%s", (int)name, row,
                                control_wanted(row, &s->start.may_lack), row + name);
        }
}

/* What is left of our own rights once the box stands; the rest of the stripping needs none. */
static int strip(struct coffer_error *err)
{
        int r = FAULT("begin.strip");

        if (r == 0 &&
            (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
                r = -errno;
        if (r < 0)
                return error_set(err, r, "give up rights");
        return 0;
}

static int begin(struct shim *s, struct coffer_error *err)
{
        cleanup_close int exe_fd = -EBADF;
        struct engine_gate gate;
        int r = receive_start(s, &exe_fd, err);

        if (r == 0)
                r = open_home(s, err);
        if (r == 0)
                r = own_box(s, err);
        if (r == 0)
                r = open_log(s, err);
        s->engine = &engine_ns;
        if (r == 0 && s->restarts.policy.kind != RESTART_NO)
                r = launcher_begin(s, exe_fd, err);
        if (r == 0) {
                r = loop_new(&s->loop);
                if (r < 0)
                        (void)error_set(err, r, "create the event loop");
        }
        if (r == 0)
                r = clients_listen(s, err);
        if (r < 0)
                return r;

        gate = (struct engine_gate){.open = trail_begin, .data = s};
        s->record.created_ns = s->start.created_ns;
        (void)str_copy(s->record.state, sizeof(s->record.state), box_state_name(BOX_STARTING));
        r = s->engine->launch(s->id, s->dir_fd, exe_fd, &s->start, false, &gate, &s->box, err);
        if (r == 0)
                r = strip(err);
        if (r == 0)
                r = life_let_go(s, err);
        if (r == 0)
                r = clients_add(s, SHIM_LAUNCH_FD, true, NULL);
        return r < 0 ? r : life_begin(s, err);
}

/* Nothing of a start that failed stays, but for the record of why. */
static void undo(struct shim *s, const struct coffer_error *err)
{
        if (s->lock_fd < 0)
                return; /* not ours */
        (void)FAULT("undo.begin");
        trail_start_failed(s, err);
        s->state = BOX_STARTING;
        life_failed(s, err);
        output_end(s);
        launcher_end(s);
        if (s->box.data) {
                (void)s->engine->kill(&s->box, NULL);
                (void)s->engine->release(&s->box, NULL);
        }
        (void)FAULT("undo.files");
        (void)unlinkat(s->dir_fd, "control.sock", 0);
        if (s->start.flags & START_REMOVE)
                s->buried = life_remove(s) == 0;
        trail_end(s);
}

int main(int argc, char **argv)
{
        static struct shim shim;
        struct shim *s = &shim;
        struct coffer_error err = {0};
        int r;

        fault_process("shim", false);
        if (fault_list(argc, argv))
                return 0;
        if (argc != 2 || strlen(argv[1]) != BOX_ID_CHARS || fcntl(SHIM_LAUNCH_FD, F_GETFD) < 0) {
                (void)fputs("coffer-shim is started by coffer, not by hand\n", stderr);
                return 2;
        }
        reset_process();
        s->id = argv[1];
        s->dir_fd = s->lock_fd = s->listen_fd = -EBADF;
        s->restarts.fd = s->restarts.pidfd = -EBADF;
        s->box = ENGINE_BOX_INIT;
        s->next_stream = 1;
        trail_init(s);
        s->state = BOX_CREATED;
        r = identity_of_self(s->id, COFFER_VERSION, &s->identity);
        if (r == 0)
                r = greet(s);
        if (r < 0)
                return 1;
        r = begin(s, &err);
        if (r < 0) {
                undo(s, &err);
                (void)channel_send_error(SHIM_LAUNCH_FD, 0, &err, SEND_TIMEOUT_MS);
                return 1;
        }
        return loop_run(s->loop) < 0;
}
