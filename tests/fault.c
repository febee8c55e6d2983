/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault {
        unsigned left; /* calls until it strikes; 0: not armed */
        int code;
        bool struck;
};

static struct fault memory;
static struct fault calls;

void fault_arm(unsigned n)
{
        memory = (struct fault){.left = n, .code = ENOMEM};
}

void fault_arm_sys(unsigned n, int code)
{
        calls = (struct fault){.left = n, .code = code};
}

bool fault_disarm(void)
{
        bool struck = memory.struck || calls.struck;

        memory = calls = (struct fault){0};
        return struck;
}

static bool strikes(struct fault *f)
{
        if (f->left == 0 || --f->left > 0)
                return false;
        f->struck = true;
        return true;
}

/* A call that returns a pointer, NULL and ENOMEM on failure. */
#define WRAP_POINTER(name, params, args)           \
        void *__real_##name params;                \
        void *__wrap_##name params;                \
        void *__wrap_##name params                 \
        {                                          \
                if (!strikes(&memory))             \
                        return __real_##name args; \
                errno = ENOMEM;                    \
                return NULL;                       \
        }

/* A sys_*() call: negative errno. */
#define WRAP_SYS(type, name, params, args)         \
        type __real_##name params;                 \
        type __wrap_##name params;                 \
        type __wrap_##name params                  \
        {                                          \
                if (!strikes(&calls))              \
                        return __real_##name args; \
                return -calls.code;                \
        }

/* clang-format off */
WRAP_POINTER(malloc, (size_t size), (size))
WRAP_POINTER(calloc, (size_t n, size_t size), (n, size))
WRAP_POINTER(realloc, (void *p, size_t size), (p, size))
WRAP_POINTER(reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP_POINTER(strdup, (const char *s), (s))
WRAP_POINTER(strndup, (const char *s, size_t size), (s, size))

WRAP_SYS(int, sys_openat2, (int dir, const char *path, int flags, mode_t mode, uint64_t resolve),
         (dir, path, flags, mode, resolve))
WRAP_SYS(int, sys_open_beneath, (int dir, const char *path, int flags), (dir, path, flags))
WRAP_SYS(int, sys_open_beneath_mode, (int dir, const char *path, int flags, mode_t mode),
         (dir, path, flags, mode))
WRAP_SYS(int, sys_open_in_root, (int dir, const char *path, int flags), (dir, path, flags))
WRAP_SYS(int, sys_open, (int dir, const char *path, int flags), (dir, path, flags))
WRAP_SYS(int, sys_open_mode, (int dir, const char *path, int flags, mode_t mode),
         (dir, path, flags, mode))
WRAP_SYS(int, sys_memfd_sealed, (const char *name, const void *data, size_t size),
         (name, data, size))
WRAP_SYS(int, sys_pidfd_open, (pid_t pid), (pid))
WRAP_SYS(int, sys_write_all, (int fd, const void *data, size_t size), (fd, data, size))
WRAP_SYS(ssize_t, sys_read_full, (int fd, void *data, size_t size), (fd, data, size))
WRAP_SYS(ssize_t, sys_read, (int fd, void *data, size_t size), (fd, data, size))
WRAP_SYS(ssize_t, sys_write, (int fd, const void *data, size_t size), (fd, data, size))
/* clang-format on */

/* The printf family: the variadic ones end in the va_list ones, with and without FORTIFY. */
int __real_vasprintf(char **to, const char *format, va_list ap);
int __real___vasprintf_chk(char **to, int flag, const char *format, va_list ap);
int __wrap_vasprintf(char **to, const char *format, va_list ap);
int __wrap___vasprintf_chk(char **to, int flag, const char *format, va_list ap);
int __wrap_asprintf(char **to, const char *format, ...);
int __wrap___asprintf_chk(char **to, int flag, const char *format, ...);

__attribute__((format(printf, 2, 0))) int __wrap_vasprintf(char **to, const char *format,
                                                           va_list ap)
{
        if (!strikes(&memory))
                return __real_vasprintf(to, format, ap);
        errno = ENOMEM;
        return -1;
}

__attribute__((format(printf, 3, 0))) int __wrap___vasprintf_chk(char **to, int flag,
                                                                 const char *format, va_list ap)
{
        if (!strikes(&memory))
                return __real___vasprintf_chk(to, flag, format, ap);
        errno = ENOMEM;
        return -1;
}

__attribute__((format(printf, 2, 3))) int __wrap_asprintf(char **to, const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = __wrap_vasprintf(to, format, ap);
        va_end(ap);
        return n;
}

__attribute__((format(printf, 3, 4))) int __wrap___asprintf_chk(char **to, int flag,
                                                                const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = __wrap___vasprintf_chk(to, flag, format, ap);
        va_end(ap);
        return n;
}
