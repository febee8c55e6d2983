/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/verdict.h"
#include "proto/channel.h"
#include "store/identity.h"

/*
 * Finding the shim of a box and talking to it, without waiting: look, connect, HELLO both ways,
 * check the nonce, send the request (along with HELLO to our own version), take frames.  While a
 * box is starting or ending, the change is waited for (inotify on its directory, the pidfd of its
 * shim).
 */

#define LINK_RECORD_MS 2000  /* how long a lock may be held without a good record */
#define LINK_HELLO_MS  5000  /* how long a shim may be silent */
#define LINK_START_MS  35000 /* how long a shim may live before it listens */

enum link_phase { LINK_LOOK, LINK_GREET, LINK_TALK };

/**
 * struct link - one conversation
 * @dir_fd:   borrowed; the directory of the box
 * @id:       borrowed
 * @phase:    where we are
 * @fd:       owned; the socket
 * @reader:   the frame that is arriving
 * @identity: of the shim that we talk to
 * @facts:    what was found out so far
 * @watch_fd: owned; inotify on the directory
 * @pidfd:    owned; the shim, proven to be it
 * @both_fd:  owned; epoll of the two
 * @since_ms: loop_now_ms() when the waiting began; 0: we do not wait
 * @greeted_ms: when our HELLO was sent
 * @request:  to send after HELLO; 0: none
 * @payload:  borrowed; already encoded
 * @asked:    the request has been sent
 * @unanswered: so it was to a shim that ended before it had answered
 * @peer:     version of the shim's coffer
 */
struct link {
        int dir_fd;
        const char *id;
        enum link_phase phase;
        int fd;
        struct frame_reader reader;
        struct identity identity;
        struct box_facts facts;
        int watch_fd;
        int pidfd;
        int both_fd;
        uint64_t since_ms;
        uint64_t greeted_ms;
        enum proto_type request;
        const struct buf *payload;
        bool asked;
        bool unanswered;
        char peer[32];
};

void link_init(struct link *l, int dir_fd, const char *id);
/** link_adopt() - a conversation whose HELLO was sent, on a socket that is taken */
void link_adopt(struct link *l, int fd);
void link_release(struct link *l);
/** link_reset() - hang up; the next step looks again */
void link_reset(struct link *l);

/**
 * link_step() - go on until a frame is there
 * @l:            the conversation
 * @ret_frame:    release with frame_release()
 * @ret_wait_fd:  what to poll; set with -EAGAIN
 * @ret_limit_ms: when to come back in any case; 0: never; set with -EAGAIN
 * @err:          words
 *
 * Return: 0 with a frame; -EAGAIN; -ESRCH when nobody holds the lock (no words); -EPIPE when the
 * conversation ended after the request was sent (no words); -EBUSY for somebody who holds the box
 * and cannot be asked, -EPROTO for another version, or another negative errno, with words.
 */
int link_step(struct link *l, struct frame *ret_frame, int *ret_wait_fd, uint64_t *ret_limit_ms,
              struct coffer_error *err);

/**
 * link_error() - what an ERROR frame says, in our words where the shim is too old for the request
 * @l:     the conversation
 * @frame: PROTO_ERROR
 * @err:   words
 *
 * Return: its errno, negative.
 */
int link_error(const struct link *l, const struct frame *frame, struct coffer_error *err);

/**
 * link_say_unknown() - words for a request that an older shim does not know
 * @id:      of the box
 * @peer:    version of its coffer
 * @request: what was asked
 * @err:     gets them
 *
 * Return: -EOPNOTSUPP
 */
int link_say_unknown(const char *id, const char *peer, enum proto_type request,
                     struct coffer_error *err);

/** link_hung_pidfd() - the shim, when it is proven to be it and was found hung; else -1; borrowed
 */
int link_hung_pidfd(const struct link *l);

/**
 * link_look() - judge the holder of a lock without talking to him
 * @dir_fd:       the directory of the box
 * @id:           of the box
 * @here:         where the caller is; NULL: to be read
 * @ret_identity: what the record says
 * @facts:        lock_held and waited are set; the rest is filled in
 *
 * Return: VERDICT_FOREIGN when he cannot be the shim, else what waits for his answer.
 */
enum verdict link_look(int dir_fd, const char *id, const struct here *here,
                       struct identity *ret_identity, struct box_facts *facts);

/**
 * struct lock_wait - taking the lock of a box that may just be ending
 * @link:  used for looking, not for talking
 * @begun: @link looks already
 */
struct lock_wait {
        struct link link;
        bool begun;
};

void lock_wait_init(struct lock_wait *w);
void lock_wait_release(struct lock_wait *w);

/**
 * lock_wait_step() - take the lock, or find out that the box runs
 * @w:            the wait
 * @dir_fd:       the directory of the box
 * @id:           its id
 * @ret_lock_fd:  holds the lock until it is closed
 * @ret_wait_fd:  as link_step()
 * @ret_limit_ms: as link_step()
 * @err:          words
 *
 * Return: 0 with the lock; -EAGAIN; -EALREADY when the box is running (no words); -ENOENT when it
 * was removed (no words); or another negative errno, with words.
 */
int lock_wait_step(struct lock_wait *w, int dir_fd, const char *id, int *ret_lock_fd,
                   int *ret_wait_fd, uint64_t *ret_limit_ms, struct coffer_error *err);
