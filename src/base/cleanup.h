/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ownership by scope.  A variable marked cleanup_* is released when its block ends; take_fd() and
 * take_ptr() are the only hand-overs.  No cleanup changes errno.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup_with(fn) __attribute__((cleanup(fn)))
#define cleanup_close    cleanup_with(cleanup_closep)
#define cleanup_free     cleanup_with(cleanup_freep)

/* Defines the x_freep() that cleanup_with() wants out of an x_free() that returns NULL. */
#define DEFINE_FREEP(type, free_fn)             \
        static inline void free_fn##p(type **p) \
        {                                       \
                int saved_errno = errno;        \
                                                \
                (void)free_fn(*p);              \
                errno = saved_errno;            \
        }

static inline void cleanup_closep(const int *fd)
{
        int saved_errno = errno;

        if (*fd >= 0)
                (void)close(*fd);
        errno = saved_errno;
}

static inline void cleanup_freep(void *p)
{
        int saved_errno = errno;

        free(*(void **)p);
        errno = saved_errno;
}

/* Closes and forgets: safe to call twice. */
static inline void close_fd(int *fd)
{
        cleanup_closep(fd);
        *fd = -EBADF;
}

static inline int take_fd(int *fd)
{
        int taken = *fd;

        *fd = -EBADF;
        return taken;
}

#define take_ptr(p)                            \
        ({                                     \
                __typeof__(p) *take_ = &(p);   \
                __typeof__(p) taken_ = *take_; \
                *take_ = NULL;                 \
                taken_;                        \
        })
