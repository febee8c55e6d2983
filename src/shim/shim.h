/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/log.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "proto/channel.h"
#include "spec/restart.h"
#include "spec/state.h"
#include "store/health.h"
#include "store/home.h"
#include "store/identity.h"
#include "store/log.h"
#include "store/state.h"

/*
 * coffer-shim: the monitor of one box, for as long as it runs.
 *
 *   main.c     argv, lock, identity, START; then the loop
 *   life.c     the box's states: started, stopping, gone
 *   restarts.c what its restart policy wants when main has ended
 *   launcher.c the process that starts it again, with the rights that the shim has given up
 *   clients.c  control.sock: requests and who waits for what
 *   execs.c    the further processes that clients asked for
 *   health.c   the one that tells whether the box is well
 *   hold.c     pause, unpause, update
 *   trail.c    what is written to the audit log
 *   output.c   main's streams: to the log and to whoever is attached
 */

#define SHIM_LAUNCH_FD  3
#define SEND_TIMEOUT_MS 2000
#define CLIENTS_MAX     1024

/* Shims of other versions are built for the tests: tests/shims/meson.build. */
#ifndef SHIM_MAJOR
#define SHIM_MAJOR        PROTO_MAJOR
#define SHIM_MINOR        PROTO_MINOR
#define SHIM_LAST_REQUEST 255
#endif

struct attachment;
struct client;
struct exec;

/**
 * struct output - main's streams as the shim holds them
 * @shim:        back pointer
 * @from:        stdout and stderr of main, or its terminal's master and -1
 * @io:          their sources
 * @stdin_fd:    main's stdin, -1 when it has none, or a client has it all
 * @tty:         @from[0] is a terminal: input goes there too
 * @attachments: who gets the output
 * @log:         where it is kept
 * @logging:     false for a helper run
 * @linger:      how long the end waits for such a reader
 */
struct output {
        struct shim *shim;
        int from[2];
        struct loop_io *io[2];
        int stdin_fd;
        bool tty;
        struct attachment *attachments;
        struct box_log log;
        bool logging;
        bool lingering; /* main is dead and a reader has not taken all of its output */
        struct loop_timer *linger;
        uint32_t rows; /* as a client last said; 0: never */
        uint32_t cols;
};

/**
 * struct restarts - the restart policy at work
 * @policy:   what it says
 * @delay_ms: the last wait before a start; 0: none yet
 * @since_ms: when main was last started, as loop_now_ms()
 * @timer:    until the next start
 * @fd:       to the launcher; -1: there is none, since the policy is no
 * @pidfd:    the launcher
 * @io:       while it is launching
 * @reader:   of its answer
 */
struct restarts {
        struct restart_policy policy;
        uint32_t delay_ms;
        uint64_t since_ms;
        struct loop_timer *timer;
        int fd;
        int pidfd;
        struct loop_io *io;
        struct frame_reader reader;
};

enum health_status { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/** struct health_verdict - what the probes so far come to */
struct health_verdict {
        enum health_status status;
        uint32_t failing_streak; /* failures in a row */
};

struct health_end {
        int fd;
        struct loop_io *io;
        struct buf *output;
};

/**
 * struct health - the health check of a box that has one
 * @verdict:   so far
 * @log:       what it comes from
 * @timer:     the next probe, or the time limit of the one that runs
 * @main_ms:   when main was started, as loop_now_ms()
 * @stream:    number of the probe that runs; 0: none
 * @launch:    of it, as trail_launch() said
 * @probe_ms:  when it was started, as loop_now_ms()
 * @start_ns:  likewise, since 1970
 * @pidfd:     of it; -1: not yet
 * @ends:      of its stdout and stderr
 * @output:    what it wrote so far
 * @timed_out: it has been killed, or will be as soon as there is something to kill
 */
struct health {
        struct health_verdict verdict;
        struct health_log log;
        struct loop_timer *timer;
        uint64_t main_ms;
        uint32_t stream;
        uint64_t launch;
        uint64_t probe_ms;
        uint64_t start_ns;
        int pidfd;
        struct health_end ends[2];
        struct buf output;
        bool timed_out;
};

/**
 * struct hold - what is being done to the whole box, in several steps
 * @paused:   we have frozen it
 * @what:     PROTO_PAUSE or PROTO_UPDATE while one is under way, else 0
 * @client:   who asked for it; NULL: has gone meanwhile
 * @timer:    the next step
 * @until_ms: when it is given up, whatever happens
 * @inside:   the most processes that were in the cgroup so far
 * @stuck_ms: when it is given up, unless there are more by then
 * @update:   of an UPDATE
 * @policy:   likewise, when it is about that, too
 */
struct hold {
        bool paused;
        uint16_t what;
        struct client *client;
        struct loop_timer *timer;
        uint64_t until_ms;
        unsigned inside;
        uint64_t stuck_ms;
        struct msg_update update;
        struct restart_policy policy;
};

/**
 * struct trail - the audit log of the box
 * @log:         opened with the first record
 * @host:        this machine's name
 * @main_launch: of main, as trail_launch() says for others
 * @begun:       the launch of main is in it, and its end is not
 */
struct trail {
        struct audit_log log;
        char host[65];
        uint64_t main_launch;
        bool begun;
};

struct shim {
        const char *id;
        struct loop *loop;
        struct home *home;
        int dir_fd;  /* boxes/<id> */
        int lock_fd; /* never leaves this process */
        struct identity identity;
        struct msg_start start;
        struct msg_process process; /* main */
        const struct engine *engine;
        struct engine_box box;
        struct loop_io *supervisor_io;
        struct frame_reader supervisor_reader;
        int listen_fd;
        struct loop_io *listen_io;
        struct client *clients;
        unsigned client_count;
        struct exec *execs;
        uint32_t next_stream;
        struct output output;
        struct health health;
        struct hold hold;
        struct trail trail;
        enum box_state state;
        struct box_record record;
        struct restarts restarts;
        struct loop_timer *grace_timer;
        struct loop_timer *timeout_timer;
        struct loop_io *gone_io; /* main and supervisor have ended, and a process is left */
        struct loop_timer *gone_timer;
        bool gave_up; /* main did not die when it was killed */
        bool started; /* main of this run */
        bool main_exited;
        bool supervisor_gone;
        bool between; /* the run is over and cleaned up, and no other one has begun */
        bool finished;
        bool buried; /* --rm: it does not exist any more, its files are in the trash */
};

/* -------------------------------------------------------------------------------- life.c */

/** life_begin() - the box is launched: listen to its supervisor */
int life_begin(struct shim *s, struct coffer_error *err);
/**
 * life_let_go() - what is enforced, into the record, with our own row; a main that was held goes on
 * @s:     the shim, with a box that was just launched
 * @err:   why it may not go on; -EPERM: too little is enforced
 */
int life_let_go(struct shim *s, struct coffer_error *err);
/** life_move() - to the state that an event leads to; where there is none it stays */
void life_move(struct shim *s, enum box_event on);
/** life_save() - write state.json, but for helpers; @last: the box has ended; 0 or -errno */
int life_save(struct shim *s, bool last);
/** life_say_not_running() - why nothing can be done in it now, in words */
void life_say_not_running(const struct shim *s, struct coffer_error *err);
/**
 * life_stop() - signal main, then SIGKILL after the grace; UINT32_MAX and 0 mean the box's own
 *
 * Somebody wants the box to end: no policy starts it again.
 */
void life_stop(struct shim *s, uint32_t signal, uint32_t grace_ms);
/** life_stop_signal() - what asks main to end when nothing else was said */
uint32_t life_stop_signal(const struct shim *s);
/** life_signal() - one signal to main, by its pidfd */
int life_signal(struct shim *s, int signal);
/** life_failed() - write down why a start failed, for `inspect`; nothing for --rm and helpers */
void life_failed(struct shim *s, const struct coffer_error *err);
/** life_end_run() - kill and clean up what is left of a run, and note how it ended */
int life_end_run(struct shim *s);
/** life_tell_die() - the event */
void life_tell_die(struct shim *s);
/** life_finish() - the end of the box and of the shim; of the run, too, when it is not over yet */
void life_finish(struct shim *s);
/** life_check_end() - called when something that the end waits for has happened */
void life_check_end(struct shim *s);
/** life_event() - one line in the home's events; @extra as in struct event */
void life_event(struct shim *s, const char *action, const char *const *extra);
/** life_remove() - remove the box's files and claims */
int life_remove(struct shim *s);

/** life_change() - a move of the state that is no step of the start or the end; written down */
void life_change(struct shim *s, enum box_event on);
/** note_posture() - take over what the engine says is enforced; in main.c */
void note_posture(struct shim *s);

/* ------------------------------------------------------------------------------- hold.c */

/** hold_pause() - freeze the box; @c is answered when it is done */
void hold_pause(struct shim *s, struct client *c);
/** hold_unpause() - let it go on, whoever froze it */
void hold_unpause(struct shim *s, struct client *c);
/** hold_update() - change limits; @c is answered when it is done */
void hold_update(struct shim *s, struct client *c, const struct msg_update *m);
/** hold_lift() - the box is to end: whatever keeps it from that is taken away */
void hold_lift(struct shim *s);
/** hold_refuses() - nothing can begin in a box that is frozen; says so in @err */
bool hold_refuses(struct shim *s, struct coffer_error *err);
/** hold_forget() - a client is gone */
void hold_forget(struct shim *s, const struct client *c);

/* ----------------------------------------------------------------------------- clients.c */

/** clients_listen() - make control.sock */
int clients_listen(struct shim *s, struct coffer_error *err);
/** clients_add() - serve a connected client; @fd is taken; @is_starter: it sent START */
int clients_add(struct shim *s, int fd, bool is_starter, struct client **ret_client);
/** clients_main_started() - answer the client whose START this was */
void clients_main_started(struct shim *s);
/** clients_start_failed() - tell it why not */
void clients_start_failed(struct shim *s, const struct coffer_error *err);
/** clients_tell_left() - to who asked to stop the box: it is not gone, and why */
void clients_tell_left(struct shim *s, const struct coffer_error *err);
/** clients_tell_run_end() - EXITED to who waits, but for a foreground client: it follows the box */
void clients_tell_run_end(struct shim *s);
/** clients_tell_end() - EXITED to everybody who waits for main; then forget them all */
void clients_tell_end(struct shim *s);
/** client_send() - a frame to one client; it is dropped when it does not take it */
void client_send(struct client *c, enum proto_type type, const void *message, const int *fds,
                 size_t fd_count);
void client_send_error(struct client *c, const struct coffer_error *err);

/* ------------------------------------------------------------------------------- execs.c */

/** execs_start() - hand a client's EXEC on; answers come later */
void execs_start(struct shim *s, struct client *c, const struct frame *f);
/** execs_frame() - STARTED, ERROR or EXITED of an exec, from the supervisor */
void execs_frame(struct shim *s, struct frame *f);
/** execs_signal() - to the exec of this client; -ESRCH when it has none */
int execs_signal(struct shim *s, const struct client *c, int signal);
/**
 * execs_signal_group() - to all of a process group that an exec or a probe leads
 * @stream: its number, by which the supervisor is asked where the kernel cannot (before Linux 6.9)
 * @pidfd:  of the leader
 */
void execs_signal_group(struct shim *s, uint32_t stream, int pidfd, int signal);
/** execs_leave() - the client is gone, or detaches: then its exec goes on without it */
void execs_leave(struct shim *s, const struct client *c, bool detach);
/** execs_has() - does this client have an exec? */
bool execs_has(const struct shim *s, const struct client *c);
uint32_t execs_count(const struct shim *s);
/** execs_free() - forget all of them; the box is gone */
void execs_free(struct shim *s);

/* ------------------------------------------------------------------------------ health.c */

/**
 * health_decide() - what one more probe comes to, by Docker's rules
 * @before:          the verdict so far
 * @passed:          it answered 0
 * @in_start_period: it was begun before the end of the start period
 * @retries:         how many failures in a row are too many
 */
struct health_verdict health_decide(struct health_verdict before, bool passed, bool in_start_period,
                                    uint32_t retries);
/** health_delay_ms() - how long to wait after a probe, or after the start, until the next */
uint32_t health_delay_ms(enum health_status status, uint64_t since_start_ms,
                         const struct msg_health *m);
/** health_begin() - main has been started, for the first time or again: probe it from now on */
void health_begin(struct shim *s);
/** health_frame() - a frame from the supervisor; false: it is not about a probe */
bool health_frame(struct shim *s, struct frame *f);
/** health_end() - main has ended, and with it every probe */
void health_end(struct shim *s);

/* ------------------------------------------------------------------------------- trail.c */

/*
 * One call for each event.  Those that return something are made before what they tell of, and
 * refuse it when the record cannot be written, unless the box was told to do without.
 */

/** trail_init() - before all others */
void trail_init(struct shim *s);
/** trail_begin() - the box starts, and main with it: the open of a struct engine_gate */
int trail_begin(void *shim, struct coffer_error *err);
/** trail_degraded() - one finding for each degraded control, on disk; of a held main the start too
 */
int trail_degraded(struct shim *s, struct coffer_error *err);
/** trail_restart() - its policy starts main again */
int trail_restart(struct shim *s, struct coffer_error *err);
/**
 * trail_launch() - one more process is about to start
 * @s:          the shim
 * @role:       "exec", "health"
 * @p:          the process
 * @ret_launch: for trail_failed() and trail_exited()
 * @err:        why it may not
 */
int trail_launch(struct shim *s, const char *role, const struct msg_process *p,
                 uint64_t *ret_launch, struct coffer_error *err);
/** trail_failed() - a process did not come to be; @why in words */
void trail_failed(struct shim *s, const char *role, uint64_t launch, const char *why);
/** trail_exited() - it has ended; @pid 0: not known */
void trail_exited(struct shim *s, const char *role, uint64_t launch, uint32_t pid, uint32_t status);
void trail_main_failed(struct shim *s, const char *why);
void trail_main_exited(struct shim *s);
/** trail_note() - AUDIT_PAUSE, AUDIT_UNPAUSE */
void trail_note(struct shim *s, enum audit_event event);
void trail_update(struct shim *s, const struct msg_update *m);
/** trail_start_failed() - the box did not come to be */
void trail_start_failed(struct shim *s, const struct coffer_error *err);
/** trail_end() - the box has ended; the log is on disk then, unless it was removed; closes it */
void trail_end(struct shim *s);

/* ------------------------------------------------------------------------------ output.c */

/** output_begin() - take over main's far ends, which come with STARTED, and serve them */
int output_begin(struct shim *s, struct frame *started);
/**
 * output_attach() - give a client main's streams
 * @wanted:   enum proto_stdio
 * @ret_fds:  the client's ends, for SCM_RIGHTS; close them after sending
 * @ret_mask: which of them there are
 */
int output_attach(struct shim *s, struct client *c, uint32_t wanted, int ret_fds[3],
                  uint32_t *ret_mask);
/** output_keep() - this client stays attached when main is started again */
void output_keep(struct shim *s, const struct client *c);
/** output_detach() - a client is gone */
void output_detach(struct shim *s, const struct client *c);
int output_resize(struct shim *s, uint32_t rows, uint32_t cols);
/** output_is_drained() - all that main wrote has been read and handed on */
bool output_is_drained(struct shim *s);
/** output_note() - a line of coffer's own in the log */
void output_note(struct shim *s, const char *text);
/** output_rest() - main is dead and drained, and will be started again */
void output_rest(struct shim *s);
void output_end(struct shim *s);

/* ---------------------------------------------------------------------------- restarts.c */

/** restarts_follow() - another policy from now on; "no" ends a box that waits to be started again
 */
void restarts_follow(struct shim *s, const struct restart_policy *policy);
/** restarts_init() - take the policy out of START; 0 or -EBADMSG */
int restarts_init(struct shim *s);
/** restarts_try() - the run is over: start it again, if its policy says so; false: it ends */
bool restarts_try(struct shim *s);
/** restarts_cancel() - a client wants an end: there is none but ours when no run is; false then */
bool restarts_cancel(struct shim *s);

/* ---------------------------------------------------------------------------- launcher.c */

/** launcher_begin() - make it; call while we have all rights and no loop; @exe_fd: coffer-init */
int launcher_begin(struct shim *s, int exe_fd, struct coffer_error *err);
/** launcher_ask() - begin to launch; restarts.fd becomes readable with the answer */
int launcher_ask(struct shim *s, struct coffer_error *err);
/** launcher_hear() - 0 with the new box in @s->box, -EAGAIN, or why there is none */
int launcher_hear(struct shim *s, struct coffer_error *err);
/** launcher_end() - end it, if there is one */
void launcher_end(struct shim *s);
