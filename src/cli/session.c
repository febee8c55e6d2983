/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "cli/command.h"
#include "cli/relay.h"
#include "cli/signals.h"
#include "cli/terminal.h"

/*
 * What goes on to the process, beside all realtime signals.  Left out: SIGHUP, which is our own
 * end; SIGTSTP, SIGTTIN, SIGTTOU and SIGCONT, so that the shell can stop us; what a fault or a
 * limit of our own sends; SIGKILL and SIGSTOP, which nobody can catch.
 */
static const int forwarded[] = {SIGINT,  SIGTERM,   SIGQUIT, SIGUSR1, SIGUSR2,
                                SIGALRM, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR};

enum { STDIN_RELAY, STDOUT_RELAY, STDERR_RELAY, RELAYS };

struct session {
        const struct session_options *o;
        struct coffer_process *process;
        struct loop *loop;
        struct loop_io *ios[2]; /* of the process and of signals */
        struct relay *relays[RELAYS];
        bool open[RELAYS];
        int signal_fd;
        struct keys keys;
        bool exited;
        struct session_end end;
        int code;
        struct coffer_error *err;
};

/* For each relay's callback: which one it is. */
struct lane {
        struct session *s;
        int index;
};

static void finish(struct session *s, int code)
{
        s->code = code;
        loop_quit(s->loop);
}

static void hang_up(struct session *s, int signal)
{
        s->end.how = SESSION_HUNG_UP;
        s->end.signal = signal;
        finish(s, 0);
}

/* The process has ended and all it wrote has been passed on. */
static void check_end(struct session *s)
{
        if (s->exited && !s->open[STDOUT_RELAY] && !s->open[STDERR_RELAY])
                finish(s, 0);
}

static void on_stdin_end(struct session *s, enum relay_end end, int code)
{
        if (end == RELAY_DETACHED) {
                s->end.how = SESSION_DETACHED;
                finish(s, 0);
        } else if (end == RELAY_EOF && s->o->tty && !s->exited) {
                hang_up(s, SIGHUP);
        } else if (end == RELAY_FAILED) {
                finish(s, error_set(s->err, code, "read standard input"));
        }
}

static void on_relay_end(void *data, enum relay_end end, int code)
{
        struct lane *lane = data;
        struct session *s = lane->s;

        s->open[lane->index] = false;
        if (lane->index == STDIN_RELAY)
                on_stdin_end(s, end, code);
        else if (end == RELAY_NO_TAKER)
                hang_up(s, s->o->tty ? SIGHUP : SIGPIPE);
        else if (end == RELAY_FAILED)
                finish(s, error_set(s->err, code, "write standard %s",
                                    lane->index == STDOUT_RELAY ? "output" : "error"));
        else
                check_end(s);
}

static void on_process(void *data, uint32_t events)
{
        struct session *s = data;
        int r = coffer_process_dispatch(s->process, &s->end.exit, s->err);

        if (r == 0)
                return;
        s->ios[0] = loop_remove(s->ios[0]);
        if (r < 0) {
                finish(s, r);
                return;
        }
        s->exited = true;
        s->relays[STDIN_RELAY] = relay_free(s->relays[STDIN_RELAY]);
        /* Strays of an exec may hold its streams for ever: what they have not written is theirs. */
        for (int i = STDOUT_RELAY; i < RELAYS && !s->o->main; i++)
                relay_finish(s->relays[i]);
        check_end(s);
}

static void send_size(struct session *s)
{
        uint32_t rows, columns;

        if (s->o->tty && terminal_size(&rows, &columns))
                (void)coffer_process_resize(s->process, rows, columns, NULL);
}

static void on_signal(void *data, uint32_t events)
{
        struct session *s = data;
        struct signalfd_siginfo info;

        if (sys_read(s->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
                return;
        switch (info.ssi_signo) {
        case SIGHUP:
                hang_up(s, SIGHUP);
                break;
        case SIGCONT:
                terminal_again();
                send_size(s);
                break;
        case SIGWINCH:
                send_size(s);
                break;
        default:
                if (!s->exited)
                        (void)coffer_process_signal(s->process, (int)info.ssi_signo, NULL);
                break;
        }
}

int session_check(const struct session_options *o, struct coffer_error *err)
{
        if (!o->tty || !o->read_stdin || isatty(STDIN_FILENO))
                return 0;
        (void)error_say(err, -ENOTTY, COFFER_ERROR_USAGE, "the input device is not a TTY");
        error_hint(err, "leave -t out, or -i when nothing is to be typed");
        return -ENOTTY;
}

int session_catch(const struct session_options *o)
{
        sigset_t set;
        int fd;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGHUP);
        if (o->tty) {
                (void)sigaddset(&set, SIGWINCH);
                (void)sigaddset(&set, SIGCONT);
        }
        for (size_t i = 0; i < ELEMENTS(forwarded) && o->sig_proxy; i++)
                (void)sigaddset(&set, forwarded[i]);
        for (int i = SIGNALS_RTMIN; i <= SIGNALS_RTMAX && o->sig_proxy; i++)
                signals_add(&set, i);

        /* Writing to a pipe without a reader is an answer, not our end. */
        (void)signal(SIGPIPE, SIG_IGN);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

int session_await(struct coffer_call *call, int signal_fd, int *ret_signal,
                  struct coffer_error *err)
{
        for (;;) {
                struct pollfd fds[2] = {
                        {.fd = coffer_call_fd(call), .events = POLLIN},
                        {.fd = signal_fd,            .events = POLLIN}
                };
                struct signalfd_siginfo info;
                int r = coffer_call_finish(call, err);

                if (r != -EAGAIN)
                        return r;
                if (fds[0].fd < 0)
                        return error_set(err, fds[0].fd, "wait for the box");
                if (poll(fds, ELEMENTS(fds), -1) < 0 && errno != EINTR)
                        return error_set(err, -errno, "wait for the box");
                if (!fds[1].revents || sys_read(signal_fd, &info, sizeof(info)) < 0)
                        continue;
                if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT)
                        continue;
                *ret_signal = (int)info.ssi_signo;
                return error_say(err, -EINTR, COFFER_ERROR_OTHER, "ended by %s while starting",
                                 strsignal((int)info.ssi_signo));
        }
}

static int add_relay(struct session *s, struct lane *lane, int index, int from, int to)
{
        bool ours_from = index != STDIN_RELAY;
        struct keys *keys = !ours_from && s->o->tty && s->keys.count > 0 ? &s->keys : NULL;
        int r;

        *lane = (struct lane){s, index};
        r = relay_new(s->loop, from, to, ours_from, keys, on_relay_end, lane, &s->relays[index]);
        if (r < 0)
                return error_set(s->err, r, "connect standard %s",
                                 index == STDIN_RELAY    ? "input"
                                 : index == STDOUT_RELAY ? "output"
                                                         : "error");
        s->open[index] = true;
        return 0;
}

static int connect_pipes(struct session *s, struct lane lanes[RELAYS])
{
        static const struct {
                enum coffer_stream stream;
                int ours;
        } streams[RELAYS] = {
                {COFFER_STDIN,  STDIN_FILENO },
                {COFFER_STDOUT, STDOUT_FILENO},
                {COFFER_STDERR, STDERR_FILENO},
        };

        for (int i = 0; i < RELAYS; i++) {
                cleanup_close int fd = coffer_process_take_stream(s->process, streams[i].stream);
                int r;

                if (fd < 0 || (i == STDIN_RELAY && !s->o->read_stdin))
                        continue;
                r = i == STDIN_RELAY ? add_relay(s, &lanes[i], i, streams[i].ours, take_fd(&fd))
                                     : add_relay(s, &lanes[i], i, take_fd(&fd), streams[i].ours);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The terminal stays the library's, which resizes it; each relay owns a descriptor of its own. */
static int connect_tty(struct session *s, struct lane lanes[RELAYS])
{
        int tty = coffer_process_stream(s->process, COFFER_TTY);
        int fd, r = 0;

        if (tty < 0) /* main's output also goes to its log: it has pipes even so */
                return connect_pipes(s, lanes);
        if (s->o->read_stdin) {
                fd = fcntl(tty, F_DUPFD_CLOEXEC, 3);
                r = fd < 0 ? error_set(s->err, -errno, "connect standard input")
                           : add_relay(s, &lanes[STDIN_RELAY], STDIN_RELAY, STDIN_FILENO, fd);
        }
        if (r < 0)
                return r;
        fd = fcntl(tty, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? error_set(s->err, -errno, "connect standard output")
                      : add_relay(s, &lanes[STDOUT_RELAY], STDOUT_RELAY, fd, STDOUT_FILENO);
}

static int prepare(struct session *s, struct lane lanes[RELAYS])
{
        int r = loop_new(&s->loop);

        if (r == 0)
                r = loop_add(s->loop, coffer_process_fd(s->process), EPOLLIN, on_process, s,
                             &s->ios[0]);
        if (r == 0)
                r = loop_add(s->loop, s->signal_fd, EPOLLIN, on_signal, s, &s->ios[1]);
        if (r < 0)
                return error_set(s->err, r, "prepare to wait");

        r = s->o->tty ? connect_tty(s, lanes) : connect_pipes(s, lanes);
        if (r < 0)
                return r;
        send_size(s);
        if (s->o->tty && s->o->read_stdin) {
                r = terminal_raw(STDIN_FILENO);
                if (r < 0)
                        return error_set(s->err, r, "switch the terminal to raw mode");
        }
        return 0;
}

int session_run(struct coffer_process *process, const struct session_options *o, int signal_fd,
                struct session_end *ret_end, struct coffer_error *err)
{
        struct session s = {.o = o,
                            .process = process,
                            .signal_fd = signal_fd,
                            .keys = o->detach_keys,
                            .err = err};
        struct lane lanes[RELAYS];
        int r = prepare(&s, lanes);

        if (r == 0) {
                r = loop_run(s.loop);
                r = r < 0 ? error_set(err, r, "wait for the box") : s.code;
        }
        for (int i = 0; i < RELAYS; i++)
                s.relays[i] = relay_free(s.relays[i]);
        s.loop = loop_free(s.loop);
        terminal_restore();
        if (r == 0)
                *ret_end = s.end;
        return r;
}
