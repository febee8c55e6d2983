/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line whatever was put in: control characters of foreign names do not reach a terminal. */
static void make_printable(char *s)
{
        for (; *s != '\0'; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        *s = '?';
}

__attribute__((format(printf, 3, 0))) static void format_into(char *to, size_t size,
                                                              const char *format, va_list ap)
{
        (void)vsnprintf(to, size, format, ap);
        make_printable(to);
}

/* Whatever was being done, these are for whoever runs the host to put right. */
static const char *hint_of(int code)
{
        switch (-code) {
        case ENOSPC:
                return "a file system is full or out of inodes: df -h and df -i tell which";
        case EDQUOT:
                return "a quota is used up: remove something, or have it raised";
        case EROFS:
                return "a file system is mounted read-only there: findmnt -T PATH tells which";
        case EFBIG:
                return "a file may not grow as large: see ulimit -f";
        case EMFILE:
                return "this process may open no more files: raise ulimit -n";
        case ENFILE:
                return "the host has too many files open: see sysctl fs.file-max";
        case ENOMEM:
                return "the host or a limit leaves no memory: see free -m and ulimit -v";
        default:
                return "";
        }
}

int error_set(struct coffer_error *err, int code, const char *format, ...)
{
        va_list ap;
        size_t used;

        assert(code < 0);
        if (!err)
                return code;

        memset(err, 0, sizeof(*err));
        err->code = code;
        va_start(ap, format);
        format_into(err->msg, sizeof(err->msg), format, ap);
        va_end(ap);

        used = strlen(err->msg);
        (void)snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", strerror(-code));
        (void)snprintf(err->hint, sizeof(err->hint), "%s", hint_of(code));
        return code;
}

int error_say(struct coffer_error *err, int code, enum coffer_error_kind kind, const char *format,
              ...)
{
        va_list ap;

        assert(code < 0);
        if (!err)
                return code;

        memset(err, 0, sizeof(*err));
        err->code = code;
        err->kind = kind;
        va_start(ap, format);
        format_into(err->msg, sizeof(err->msg), format, ap);
        va_end(ap);
        return code;
}

int error_wrap(struct coffer_error *err, int code, const char *format, ...)
{
        char before[COFFER_ERROR_MSG_MAX];
        char whole[2 * COFFER_ERROR_MSG_MAX + 2];
        va_list ap;

        assert(code < 0);
        if (!err)
                return code;

        va_start(ap, format);
        format_into(before, sizeof(before), format, ap);
        va_end(ap);

        (void)snprintf(whole, sizeof(whole), "%s: %s", before, err->msg);
        memcpy(err->msg, whole, sizeof(err->msg) - 1);
        err->msg[sizeof(err->msg) - 1] = '\0';
        err->code = code;
        return code;
}

void error_kind(struct coffer_error *err, enum coffer_error_kind kind)
{
        if (err)
                err->kind = kind;
}

void error_hint(struct coffer_error *err, const char *format, ...)
{
        va_list ap;

        if (!err)
                return;

        va_start(ap, format);
        format_into(err->hint, sizeof(err->hint), format, ap);
        va_end(ap);
}

void error_hint_path(struct coffer_error *err, int code)
{
        if (code == -ENOENT)
                error_hint(err, "is the path right? a relative one starts from the current "
                                "directory; what is on the way to it must exist");
        else if (code == -EACCES || code == -EPERM)
                error_hint(err, "you may not: see ls -ld, of the directories on the way too");
        else if (code == -ENOTDIR)
                error_hint(err, "something on the way is a file, not a directory");
        else if (code == -EISDIR)
                error_hint(err, "it is a directory: name a file");
        else if (code == -ELOOP)
                error_hint(err, "there is a symlink that is not followed here, or a loop of them");
        else if (code == -ENAMETOOLONG)
                error_hint(err, "choose a shorter path");
}
