/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/link.h"

#include <coffer/coffer.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/loop.h"
#include "base/sys.h"
#include "spec/state.h"
#include "store/claim.h"
#include "store/file.h"
#include "store/lock.h"
#include "store/state.h"

#define SEND_TIMEOUT_MS 5000
#define CMDLINE_MAX     64
#define AT_ONCE_BYTES   32768 /* surely fit into an empty socket: nobody has to read them yet */

void link_init(struct link *l, int dir_fd, const char *id)
{
        *l = (struct link){
                .dir_fd = dir_fd,
                .id = id,
                .fd = -EBADF,
                .reader = FRAME_READER_INIT,
                .watch_fd = -EBADF,
                .pidfd = -EBADF,
                .both_fd = -EBADF,
        };
}

static void hang_up(struct link *l)
{
        close_fd(&l->fd);
        l->asked = false;
        frame_release(&l->reader.frame);
        l->reader = FRAME_READER_INIT;
        l->phase = LINK_LOOK;
}

static void stop_waiting(struct link *l)
{
        close_fd(&l->both_fd);
        close_fd(&l->watch_fd);
        close_fd(&l->pidfd);
        l->since_ms = 0;
}

void link_reset(struct link *l)
{
        hang_up(l);
        stop_waiting(l);
        l->unanswered = false;
        l->facts = (struct box_facts){0};
}

void link_release(struct link *l)
{
        hang_up(l);
        stop_waiting(l);
}

void link_adopt(struct link *l, int fd)
{
        l->fd = fd;
        l->phase = LINK_GREET;
}

/* ------------------------------------------------------------------------------------- facts */

static enum fact_process look_at_process(const struct identity *identity, int pidfd)
{
        char path[32], text[CMDLINE_MAX], expected[CMDLINE_MAX];
        uint64_t start_time, inode;
        ssize_t n;
        int wanted;

        if (process_start_time(identity->pid, &start_time) < 0 ||
            start_time != identity->start_time)
                return PROCESS_GONE;
        /* The start time has the grain of a clock tick; this number no other process gets. */
        if (identity->pid_inode != 0 && process_inode(pidfd, &inode) == 0 &&
            inode != identity->pid_inode)
                return PROCESS_GONE;
        (void)snprintf(path, sizeof(path), "/proc/%u/cmdline", identity->pid);
        n = file_read(AT_FDCWD, path, text, sizeof(text));
        if (n == 0) /* it is ending: its memory goes before its lock does */
                return PROCESS_MATCHES;
        wanted = snprintf(expected, sizeof(expected), "coffer-shim%c%s", '\0', identity->id) + 1;
        if (n != wanted || memcmp(text, expected, (size_t)wanted) != 0)
                return PROCESS_STRANGER;
        return PROCESS_MATCHES;
}

/*
 * The pidfd first, then what /proc says of the number, then the pidfd again: what was read
 * belongs to the process that the pidfd holds if that has not ended meanwhile.
 */
static void prove_process(struct link *l)
{
        cleanup_close int pidfd = -EBADF;

        close_fd(&l->pidfd);
        if (!l->facts.pid_ns_mine || l->identity.pid == 0)
                return;
        pidfd = sys_pidfd_open((pid_t)l->identity.pid);
        l->facts.process = pidfd < 0 ? PROCESS_GONE : look_at_process(&l->identity, pidfd);
        if (l->facts.process != PROCESS_MATCHES)
                return;
        if (sys_pidfd_send_signal(pidfd, 0) < 0) {
                l->facts.process = PROCESS_GONE;
                return;
        }
        l->pidfd = take_fd(&pidfd);
}

/* @here: NULL when it is not known yet */
static void look_at_identity(struct link *l, const struct here *here)
{
        struct here read;
        int r = identity_read(l->dir_fd, &l->identity);

        l->facts.process = PROCESS_NOT_LOOKED_AT;
        l->facts.socket = SOCKET_NOT_TRIED;
        if (r < 0) {
                l->facts.identity = r == -ENOENT ? IDENTITY_ABSENT : IDENTITY_TORN;
                return;
        }
        l->facts.identity = str_eq(l->identity.id, l->id) ? IDENTITY_READ : IDENTITY_OTHER_BOX;
        if (!here) {
                here_read(&read);
                here = &read;
        }
        l->facts.boot_same = str_eq(here->boot_id, l->identity.boot_id);
        l->facts.pid_ns_mine = here->pid_ns == l->identity.pid_ns;
}

int link_hung_pidfd(const struct link *l)
{
        return l->facts.process == PROCESS_MATCHES && l->facts.pid_ns_mine &&
                               l->facts.socket == SOCKET_SILENT
                       ? l->pidfd
                       : -1;
}

/* ----------------------------------------------------------------------------------- waiting */

static int watch(struct link *l)
{
        struct epoll_event event = {.events = EPOLLIN};
        char path[32];

        close_fd(&l->watch_fd);
        close_fd(&l->both_fd);
        l->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        l->both_fd = epoll_create1(EPOLL_CLOEXEC);
        if (l->watch_fd < 0 || l->both_fd < 0)
                return -errno;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", l->dir_fd);
        if (inotify_add_watch(l->watch_fd, path,
                              IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_MOVE_SELF |
                                      IN_DELETE_SELF) < 0 ||
            epoll_ctl(l->both_fd, EPOLL_CTL_ADD, l->watch_fd, &event) < 0)
                return -errno;
        return 0;
}

/* Before each look, never after one: what changes after it must wake us. */
static void forget_changes(const struct link *l)
{
        char events[4096];

        while (l->watch_fd >= 0 && sys_read(l->watch_fd, events, sizeof(events)) > 0)
                ;
}

/*
 * -EAGAIN: something may change, we shall be told.  -ERESTART: look again at once, since the
 * watch was not there while we looked.  0: the time is over.
 */
static int wait_for_change(struct link *l, uint64_t allowed_ms, int *ret_wait_fd,
                           uint64_t *ret_limit_ms)
{
        struct epoll_event event = {.events = EPOLLIN};
        int r;

        if (l->since_ms == 0) {
                r = watch(l);
                if (r < 0)
                        return r;
                l->since_ms = loop_now_ms();
                return -ERESTART;
        }
        if (loop_now_ms() >= l->since_ms + allowed_ms)
                return 0;
        /* A shim that ends lets go of the lock just before its pidfd tells. */
        if (l->pidfd >= 0 && epoll_ctl(l->both_fd, EPOLL_CTL_ADD, l->pidfd, &event) < 0 &&
            errno != EEXIST)
                return -errno;
        (void)FAULT("link.wait");
        *ret_wait_fd = l->both_fd;
        *ret_limit_ms = l->since_ms + allowed_ms;
        return -EAGAIN;
}

static int say_verdict(const struct link *l, enum verdict v, struct coffer_error *err)
{
        switch (v) {
        case VERDICT_ELSEWHERE:
                return error_say(err, -EBUSY, COFFER_ERROR_STATE,
                                 "box %s runs in another PID namespace and does not answer there",
                                 l->id);
        case VERDICT_HUNG:
                (void)error_say(err, -EBUSY, COFFER_ERROR_STATE,
                                "the monitor of box %s, process %u, does not answer", l->id,
                                l->identity.pid);
                error_hint(err, "coffer kill -s KILL %s ends it", l->id);
                return -EBUSY;
        default:
                (void)error_say(err, -EBUSY, COFFER_ERROR_STATE,
                                "box %s is held by a process that is not its monitor; it was left "
                                "alone",
                                l->id);
                error_hint(err, "who has '%s' of the box open?", "lock");
                return -EBUSY;
        }
}

/* Nobody to talk to yet, or any more: wait, or judge. */
static int wait_or_judge(struct link *l, int *ret_wait_fd, uint64_t *ret_limit_ms,
                         struct coffer_error *err)
{
        uint64_t allowed_ms = LINK_RECORD_MS;
        int r;

        if (l->facts.identity == IDENTITY_READ && l->facts.boot_same) {
                if (l->facts.process == PROCESS_NOT_LOOKED_AT)
                        prove_process(l);
                if (l->facts.process == PROCESS_MATCHES || !l->facts.pid_ns_mine)
                        allowed_ms = LINK_START_MS;
        }
        l->facts.waited = false;
        if (verdict(&l->facts) == VERDICT_WAIT) {
                r = wait_for_change(l, allowed_ms, ret_wait_fd, ret_limit_ms);
                if (r == -EAGAIN || r == -ERESTART)
                        return r;
                if (r < 0)
                        return error_set(err, r, "watch box %s", l->id);
        }
        l->facts.waited = true;
        return say_verdict(l, verdict(&l->facts), err);
}

/* -------------------------------------------------------------------------------- connecting */

static int connect_socket(int dir_fd, int *ret_fd)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        /* A full backlog empties as fast as the shim accepts; it must not hold us for ever. */
        struct timeval limit = {.tv_sec = LINK_HELLO_MS / 1000};
        cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock",
                       dir_fd);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/*
 * Whether the request may go along with HELLO, which saves a way there and back.  It may hold
 * secrets, so the listener is proved before: the kernel names the process that called listen(2),
 * and it is the one of the record, and ours.  The nonce then comes as ever with the answer, and
 * without it nothing else that is answered counts; but it would not tell more before, since whoever
 * may write a socket into the box's directory may read the record as well.
 */
static bool may_ask_at_once(const struct link *l)
{
        struct ucred cred;
        socklen_t size = sizeof(cred);

        return l->request != 0 && l->payload->size <= AT_ONCE_BYTES && l->facts.pid_ns_mine &&
               str_eq(l->identity.coffer, COFFER_VERSION) &&
               getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 &&
               cred.uid == geteuid() && cred.pid == (pid_t)l->identity.pid;
}

/*
 * Half of the nonce tells the shim which instance is meant: another one, which has begun since the
 * record was read, does not take the request, so that it is not carried out twice.
 */
static int send_hello(struct link *l)
{
        struct msg_hello hello = {
                .major = PROTO_MAJOR,
                .minor = PROTO_MINOR,
                .version = (char *)(uintptr_t)COFFER_VERSION,
                .box_id = (char *)(uintptr_t)l->id,
        };
        int r;

        l->asked = may_ask_at_once(l);
        if (l->asked)
                hello.nonce = (struct buf){.data = (char *)l->identity.nonce,
                                           .size = PROTO_NONCE_ASKED_BYTES};
        r = channel_send(l->fd, PROTO_HELLO, 0, &hello, NULL, 0, SEND_TIMEOUT_MS);
        return r < 0 || !l->asked
                       ? r
                       : channel_forward(l->fd, l->request, 0, l->payload, SEND_TIMEOUT_MS);
}

/* 0: connected; -ESRCH: nobody holds the lock; -EXDEV: nobody to talk to, see the facts. */
static int look(struct link *l)
{
        int r;

        forget_changes(l);
        r = box_lock_is_held(l->dir_fd);
        l->facts = (struct box_facts){.lock_held = r != 0};
        if (r == 0)
                return -ESRCH;
        if (r < 0)
                return r;
        look_at_identity(l, NULL);
        if (l->facts.identity != IDENTITY_READ || !l->facts.boot_same)
                return -EXDEV;
        if (connect_socket(l->dir_fd, &l->fd) < 0) {
                l->facts.socket = SOCKET_ABSENT;
                return -EXDEV;
        }
        if (send_hello(l) < 0) {
                hang_up(l);
                l->facts.socket = SOCKET_ABSENT;
                return -EXDEV;
        }
        l->greeted_ms = loop_now_ms();
        l->phase = LINK_GREET;
        return 0;
}

static enum fact_socket check_hello(struct link *l, const struct msg_hello *hello)
{
        /* On the launch socket, before there is a record, the socket itself is the proof. */
        if (l->facts.lock_held &&
            (hello->nonce.size != IDENTITY_NONCE_BYTES ||
             memcmp(hello->nonce.data, l->identity.nonce, IDENTITY_NONCE_BYTES) != 0))
                return SOCKET_WRONG_NONCE;
        return hello->major == PROTO_MAJOR ? SOCKET_RIGHT : SOCKET_OTHER_MAJOR;
}

static int send_request(struct link *l, struct coffer_error *err)
{
        int r;

        if (l->facts.socket == SOCKET_OTHER_MAJOR && l->request >= PROTO_START) {
                (void)error_say(err, -EPROTO, COFFER_ERROR_VERSION,
                                "box %s was started by coffer %s, this is " COFFER_VERSION, l->id,
                                l->peer);
                error_hint(err, "it can be listed, inspected, stopped, killed and removed");
                return -EPROTO;
        }
        l->phase = LINK_TALK;
        l->unanswered = false;
        stop_waiting(l);
        if (l->request == 0 || l->asked)
                return 0;
        r = channel_forward(l->fd, l->request, 0, l->payload, SEND_TIMEOUT_MS);
        return r == -EPIPE || r == -ECONNRESET ? -ERESTART
               : r < 0                         ? error_set(err, r, "ask box %s", l->id)
                                               : 0;
}

int link_say_unknown(const char *id, const char *peer, enum proto_type request,
                     struct coffer_error *err)
{
        (void)error_say(err, -EOPNOTSUPP, COFFER_ERROR_VERSION,
                        "box %s was started by coffer %s, which does not know %s yet", id, peer,
                        proto_type_name((uint16_t)request));
        error_hint(err, "`coffer restart %s` starts it by this one, " COFFER_VERSION, id);
        return -EOPNOTSUPP;
}

int link_error(const struct link *l, const struct frame *frame, struct coffer_error *err)
{
        struct coffer_error theirs = {0};
        int r = frame_error(frame, &theirs);

        if (r == -EOPNOTSUPP && theirs.kind == COFFER_ERROR_VERSION && l->request != 0)
                return link_say_unknown(l->id, l->peer, l->request, err);
        if (err)
                *err = theirs;
        return r;
}

/* -ERESTART: look again; -EXDEV: as look(). */
static int greet(struct link *l, int *ret_wait_fd, uint64_t *ret_limit_ms, struct coffer_error *err)
{
        struct msg_hello hello;
        int r = channel_recv_step(l->fd, &l->reader);

        if (r == -EAGAIN) {
                *ret_wait_fd = l->fd;
                if (!l->facts.lock_held)
                        return -EAGAIN;
                *ret_limit_ms = l->greeted_ms + LINK_HELLO_MS;
                if (loop_now_ms() < *ret_limit_ms)
                        return -EAGAIN;
                prove_process(l);
                l->facts.socket = SOCKET_SILENT;
                l->facts.waited = true;
                return say_verdict(l, verdict(&l->facts), err);
        }
        if (r < 0)
                return l->facts.lock_held ? -ERESTART : -EPIPE;
        if (l->reader.frame.header.type == PROTO_ERROR)
                return frame_error(&l->reader.frame, err);
        r = l->reader.frame.header.type == PROTO_HELLO ? frame_decode(&l->reader.frame, &hello)
                                                       : -EBADMSG;
        if (r < 0)
                return error_set(err, r, "read the greeting of box %s", l->id);
        frame_release(&l->reader.frame);
        l->reader = FRAME_READER_INIT;
        l->facts.socket = check_hello(l, &hello);
        (void)str_copy(l->peer, sizeof(l->peer), hello.version);
        wire_release(&msg_hello_table, &hello);
        if (l->facts.socket == SOCKET_WRONG_NONCE) {
                hang_up(l);
                return -EXDEV;
        }
        return send_request(l, err);
}

static int talk(struct link *l, struct frame *ret_frame, int *ret_wait_fd)
{
        int r = channel_recv_step(l->fd, &l->reader);

        if (r == -EAGAIN) {
                *ret_wait_fd = l->fd;
                return r;
        }
        if (r < 0)
                return -EPIPE;
        *ret_frame = l->reader.frame;
        l->reader = FRAME_READER_INIT;
        return 0;
}

int link_step(struct link *l, struct frame *ret_frame, int *ret_wait_fd, uint64_t *ret_limit_ms,
              struct coffer_error *err)
{
        for (;;) {
                int r = 0;

                *ret_limit_ms = 0;
                if (l->phase == LINK_LOOK)
                        r = look(l);
                if (r == 0 && l->phase == LINK_GREET)
                        r = greet(l, ret_wait_fd, ret_limit_ms, err);
                if (r == 0)
                        return talk(l, ret_frame, ret_wait_fd);

                /* Who was asked is gone; did he hear it? */
                l->unanswered = l->unanswered || (r == -ERESTART && l->asked);
                if (r == -ESRCH && l->unanswered)
                        return -EPIPE;
                if (r == -ERESTART)
                        hang_up(l);
                if (r == -EXDEV)
                        r = wait_or_judge(l, ret_wait_fd, ret_limit_ms, err);
                if (r != -ERESTART)
                        return r;
        }
}

enum verdict link_look(int dir_fd, const char *id, const struct here *here,
                       struct identity *ret_identity, struct box_facts *facts)
{
        struct link l;
        enum verdict v;

        link_init(&l, dir_fd, id);
        l.facts = *facts;
        look_at_identity(&l, here);
        if (l.facts.identity == IDENTITY_READ && l.facts.boot_same)
                prove_process(&l);
        v = verdict(&l.facts);
        *facts = l.facts;
        *ret_identity = l.identity;
        link_release(&l);
        return v;
}

/* -------------------------------------------------------------------------------------- lock */

void lock_wait_init(struct lock_wait *w)
{
        *w = (struct lock_wait){.begun = false};
}

void lock_wait_release(struct lock_wait *w)
{
        if (w->begun)
                link_release(&w->link);
        w->begun = false;
}

/* On its way out, to which the record of a --rm box is not brought up to date. */
static bool is_buried(int dir_fd, const char *id)
{
        char path[sizeof("../") + BOX_ID_CHARS];

        (void)snprintf(path, sizeof(path), "../%s", id);
        return faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* The record is behind the truth for a moment at either end of a run; "running" is true. */
static bool says_running(int dir_fd, const char *id)
{
        struct box_record record;
        enum box_state state;
        bool running;

        if (is_buried(dir_fd, id) || state_read(dir_fd, &record, NULL) < 0)
                return false;
        running = box_state_parse(record.state, &state) == 0 &&
                  (state == BOX_RUNNING || state == BOX_PAUSED || state == BOX_RESTARTING);
        box_record_release(&record);
        return running;
}

/* While we wait the lock is only asked for: a descriptor that could take it would, when it is
 * closed, wake everybody who waits, us as well. */
static int take_lock(const struct link *l, int *ret_lock_fd)
{
        if (l->since_ms > 0 && box_lock_is_held(l->dir_fd) == 1)
                return -EAGAIN;
        return box_lock_take(l->dir_fd, l->id, ret_lock_fd);
}

int lock_wait_step(struct lock_wait *w, int dir_fd, const char *id, int *ret_lock_fd,
                   int *ret_wait_fd, uint64_t *ret_limit_ms, struct coffer_error *err)
{
        struct link *l = &w->link;

        if (!w->begun) {
                link_init(l, dir_fd, id);
                w->begun = true;
        }
        for (;;) {
                int r;

                forget_changes(l);
                r = take_lock(l, ret_lock_fd);
                *ret_limit_ms = 0;
                if (r == 0 || r == -ENOENT)
                        return r;
                if (r != -EAGAIN)
                        return error_set(err, r, "lock box %s", id);
                if (says_running(dir_fd, id))
                        return -EALREADY;
                l->facts = (struct box_facts){.lock_held = true};
                look_at_identity(l, NULL);
                r = wait_or_judge(l, ret_wait_fd, ret_limit_ms, err);
                if (r != -ERESTART)
                        return r;
        }
}
