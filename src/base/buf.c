/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/sys.h"

#define FIRST_CAPACITY 256
#define READ_STEP      16384

void buf_release(struct buf *b)
{
        free(b->data);
        *b = BUF_INIT(b->max_bytes);
}

static int fail(struct buf *b, int code)
{
        if (b->failed == 0)
                b->failed = code;
        return b->failed;
}

void *buf_space(struct buf *b, size_t size)
{
        size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
        char *data;

        if (b->failed < 0)
                return NULL;
        if (size > b->max_bytes || b->size > b->max_bytes - size) {
                (void)fail(b, -E2BIG);
                return NULL;
        }
        if (b->data && b->size + size < b->capacity)
                return b->data + b->size;

        while (capacity <= b->size + size)
                capacity *= 2;
        data = realloc(b->data, capacity);
        if (!data) {
                (void)fail(b, -ENOMEM);
                return NULL;
        }
        b->data = data;
        b->capacity = capacity;
        b->data[b->size] = '\0';
        return b->data + b->size;
}

int buf_append(struct buf *b, const void *data, size_t size)
{
        char *to = buf_space(b, size);

        if (!to)
                return b->failed;
        if (size > 0)
                memcpy(to, data, size);
        b->size += size;
        b->data[b->size] = '\0';
        return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
        return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *format, ...)
{
        /* Mostly what is there is enough, and the text is made only once. */
        size_t room = b->data && b->failed == 0 ? b->capacity - b->size : 0;
        va_list ap, again;
        char *to;
        int n;

        va_start(ap, format);
        va_copy(again, ap);
        n = vsnprintf(room > 0 ? b->data + b->size : NULL, room, format, ap);
        va_end(ap);
        to = n < 0 ? NULL : buf_space(b, (size_t)n);
        if (to) {
                if ((size_t)n >= room)
                        (void)vsnprintf(to, (size_t)n + 1, format, again);
                b->size += (size_t)n;
        } else if (room > 0) {
                b->data[b->size] = '\0';
        }
        va_end(again);
        if (n < 0)
                return fail(b, -EINVAL);
        return b->failed;
}

/* How many bytes of one valid UTF-8 sequence stand at s, or 0 (RFC 3629: no overlongs, no
 * surrogates). */
static size_t utf8_length(const unsigned char *s)
{
        static const struct {
                unsigned char first_min, first_max, second_min, second_max;
                size_t length;
        } forms[] = {
                {0xc2, 0xdf, 0x80, 0xbf, 2},
                {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3},
                {0xed, 0xed, 0x80, 0x9f, 3},
                {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4},
                {0xf1, 0xf3, 0x80, 0xbf, 4},
                {0xf4, 0xf4, 0x80, 0x8f, 4},
        };

        if (s[0] < 0x80)
                return 1;
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (s[0] < forms[i].first_min || s[0] > forms[i].first_max)
                        continue;
                if (s[1] < forms[i].second_min || s[1] > forms[i].second_max)
                        return 0;
                for (size_t j = 2; j < forms[i].length; j++)
                        if ((s[j] & 0xc0) != 0x80)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

/* How many bytes from s on stand for themselves in JSON and are ASCII: mostly all of them. */
static size_t plain_length(const unsigned char *s)
{
        size_t n = 0;

        while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
                n++;
        return n;
}

int buf_append_json(struct buf *b, const char *text)
{
        const unsigned char *s = (const unsigned char *)text;

        (void)buf_append(b, "\"", 1);
        while (*s != '\0') {
                size_t plain = plain_length(s);
                size_t n = plain ? plain : utf8_length(s);

                if (n == 0)
                        (void)buf_append_str(b, "\xef\xbf\xbd");
                else if (*s == '"' || *s == '\\')
                        (void)buf_printf(b, "\\%c", *s);
                else if (*s < 0x20 || *s == 0x7f)
                        (void)buf_printf(b, "\\u%04x", *s);
                else
                        (void)buf_append(b, s, n);
                s += n ? n : 1;
        }
        return buf_append(b, "\"", 1);
}

void buf_consume(struct buf *b, size_t size)
{
        if (size >= b->size) {
                b->size = 0;
                return;
        }
        memmove(b->data, b->data + size, b->size - size);
        b->size -= size;
        b->data[b->size] = '\0';
}

int buf_read_fd(struct buf *b, int fd)
{
        for (;;) {
                size_t room = b->max_bytes - b->size;
                size_t step = room < READ_STEP ? room + 1 : READ_STEP;
                char extra;
                ssize_t n;
                void *to;

                if (room == 0) { /* full: fine only if the file ends here */
                        n = sys_read(fd, &extra, 1);
                        return n == 0 ? 0 : n < 0 ? (int)n : fail(b, -E2BIG);
                }
                if (step > room)
                        step = room;
                to = buf_space(b, step);
                if (!to)
                        return b->failed;
                n = sys_read(fd, to, step);
                if (n < 0)
                        return (int)n;
                b->size += (size_t)n;
                b->data[b->size] = '\0';
                if (n == 0)
                        return 0;
        }
}

int buf_read_file(struct buf *b, int dir_fd, const char *path)
{
        cleanup_close int fd = sys_open(dir_fd, path, O_RDONLY | O_NOCTTY);

        return fd < 0 ? fd : buf_read_fd(b, fd);
}
