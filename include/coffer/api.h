/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_API_H
#define COFFER_API_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <coffer/error.h>

/*
 * What all headers of libcoffer share.
 *
 * Numbers and words: a call answers 0 (or a count, where it says so) or a negative errno, and
 * fills @err, when one is given, with the sentence for people.  Outputs called ret_ are written
 * only on success.
 *
 * Waiting: @timeout_ms is in milliseconds; COFFER_FOREVER waits without an end, 0 does not wait.
 * A call that ran out of time answers -ETIMEDOUT.  Whatever waits for another process also has a
 * _begin() form, which returns a struct coffer_call (call.h) for an event loop of your own.
 *
 * A guest: libcoffer starts no threads, keeps no global state, prints nothing, never exits, never
 * changes signal handlers, working directory, umask or environment, and leaves no child that a
 * wait of the calling program could see.  All descriptors are close-on-exec; sockets are written
 * with MSG_NOSIGNAL.  Two handles may be used by two threads, one handle by one thread at a time.
 */

#ifdef __GNUC__
#define COFFER_API __attribute__((visibility("default")))
#else
#define COFFER_API
#endif

#define COFFER_FOREVER (-1)

#endif
