/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bytes from one descriptor to another, as they come and as fast as they are taken.  Between pipes
 * and files they never enter this process (splice(2)).
 *
 * One of the two ends is the caller's (what our stdin, stdout or stderr is) and stays as it is:
 * O_NONBLOCK would be set for everybody who shares it.  The other is a pipe or a terminal of our
 * own.
 */

#include <stdbool.h>

#include "base/loop.h"
#include "cli/keys.h"

struct relay;

/* What ended a relay. */
enum relay_end {
        RELAY_EOF,      /* nothing more to read */
        RELAY_NO_TAKER, /* nobody reads what we write */
        RELAY_DETACHED, /* the key sequence was typed */
        RELAY_FAILED,   /* reading or writing failed: see the code */
};

/**
 * typedef relay_fn - a relay has ended; it stays allocated and owns nothing any more but its memory
 * @data: as given
 * @end:  why
 * @code: negative errno for RELAY_FAILED, else 0
 */
typedef void (*relay_fn)(void *data, enum relay_end end, int code);

/**
 * relay_new() - begin to copy
 * @loop:      serves it
 * @from:      read end; taken when it is ours
 * @to:        write end; taken when it is ours
 * @ours_from: @from is ours and @to the caller's; else the other way round
 * @keys:      the sequence to look for, or NULL; borrowed
 * @fn:        called once, never from within this call
 * @data:      for @fn
 * @ret_relay: free with relay_free()
 *
 * Return: 0 or a negative errno; our end is closed after a failure.
 */
int relay_new(struct loop *loop, int from, int to, bool ours_from, struct keys *keys, relay_fn fn,
              void *data, struct relay **ret_relay);

/** relay_finish() - end with RELAY_EOF as soon as there is nothing to read, without waiting */
void relay_finish(struct relay *r);

/** relay_free() - stop and close our end; NULL is fine; returns NULL */
struct relay *relay_free(struct relay *r);
