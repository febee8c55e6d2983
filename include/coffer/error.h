/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_ERROR_H
#define COFFER_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum coffer_error_kind - whose fault an error is, for callers that branch on more than errno
 * @COFFER_ERROR_OTHER:          nothing more is known than the errno
 * @COFFER_ERROR_USAGE:          the caller asked for something that can never work
 * @COFFER_ERROR_NO_SUCH_BOX:    no box has this id, name or prefix
 * @COFFER_ERROR_AMBIGUOUS:      more than one box matches
 * @COFFER_ERROR_EXISTS:         the name is taken
 * @COFFER_ERROR_STATE:          the box is not in a state that allows this
 * @COFFER_ERROR_NOT_FOUND:      the command does not exist in the box (exit status 127)
 * @COFFER_ERROR_NOT_EXECUTABLE: the command cannot be executed (exit status 126)
 * @COFFER_ERROR_CONTROL:        a control could not be enforced, so nothing was started
 * @COFFER_ERROR_HOST:           the host lacks something (user namespaces, space, a file system
 * feature)
 * @COFFER_ERROR_IMAGE:          an image is malformed, too large or hostile
 * @COFFER_ERROR_VERSION:        the box runs under another version of coffer
 */
enum coffer_error_kind {
        COFFER_ERROR_OTHER = 0,
        COFFER_ERROR_USAGE,
        COFFER_ERROR_NO_SUCH_BOX,
        COFFER_ERROR_AMBIGUOUS,
        COFFER_ERROR_EXISTS,
        COFFER_ERROR_STATE,
        COFFER_ERROR_NOT_FOUND,
        COFFER_ERROR_NOT_EXECUTABLE,
        COFFER_ERROR_CONTROL,
        COFFER_ERROR_HOST,
        COFFER_ERROR_IMAGE,
        COFFER_ERROR_VERSION
};

#define COFFER_ERROR_MSG_MAX  352
#define COFFER_ERROR_HINT_MAX 152

/**
 * struct coffer_error - why a call did not do what was asked
 * @code: negative errno, what the call returned
 * @kind: an enum coffer_error_kind
 * @msg:  one line: what could not be done and why; no newline; never a secret
 * @hint: one line: what to do about it; empty when there is nothing to say
 *
 * 512 bytes by value: it needs no allocation, survives fork and out of memory, and travels
 * between processes as one message.  Zero-initialised means "no error".
 */
struct coffer_error {
        int32_t code;
        uint32_t kind;
        char msg[COFFER_ERROR_MSG_MAX];
        char hint[COFFER_ERROR_HINT_MAX];
};

#ifdef __cplusplus
}
#endif
#endif
