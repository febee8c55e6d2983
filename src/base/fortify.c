/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Debian's libjansson.a was compiled by glibc's headers with _FORTIFY_SOURCE, whose checked forms
 * of three functions musl has not.  The programs that link both get them here; everything else
 * that the archive needs is of one ABI in both libraries (Linux Standard Base, chapter 13).
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, va_list ap);
int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);

__attribute__((format(printf, 5, 0))) int
__vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, va_list ap)
{
        (void)flag;
        if (room < size)
                abort();
        return vsnprintf(to, size, format, ap);
}

__attribute__((format(printf, 5, 6))) int __snprintf_chk(char *to, size_t size, int flag,
                                                         size_t room, const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = __vsnprintf_chk(to, size, flag, room, format, ap);
        va_end(ap);
        return n;
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
        size_t used = strnlen(from, size);

        if (room < size)
                abort();
        memcpy(to, from, used);
        memset(to + used, 0, size - used);
        return to;
}
