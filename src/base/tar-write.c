/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar-write.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define NSEC_PER_SEC 1000000000u

/* POSIX.1-2017, pax: ustar Interchange Format. */
struct header {
        char name[100];
        char mode[8];
        char uid[8];
        char gid[8];
        char size[12];
        char mtime[12];
        char checksum[8];
        char type;
        char link[100];
        char magic[6];
        char version[2];
        char user[32];
        char group[32];
        char device_major[8];
        char device_minor[8];
        char prefix[155];
        char unused[12];
};
static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

/* As many digits as the field holds and a NUL; false when the number needs more. */
static bool put_octal(char *field, size_t size, uint64_t number)
{
        uint64_t left = number;

        field[size - 1] = '\0';
        for (size_t i = size - 1; i-- > 0; left >>= 3)
                field[i] = (char)('0' + (left & 7));
        return left == 0;
}

static void finish(struct header *h, char type)
{
        const unsigned char *bytes = (const unsigned char *)h;
        uint32_t sum = 0;

        h->type = type;
        memcpy(h->magic, "ustar", 6);
        memcpy(h->version, "00", 2);
        memset(h->checksum, ' ', sizeof(h->checksum));
        for (size_t i = 0; i < sizeof(*h); i++)
                sum += bytes[i];
        (void)put_octal(h->checksum, sizeof(h->checksum) - 1, sum); /* six digits, NUL, space */
}

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static void put_record(struct buf *pax, const char *prefix, const char *key, const void *value,
                       size_t size)
{
        size_t body = 1 + strlen(prefix) + strlen(key) + 1 + size + 1;
        size_t digits = 1;

        for (size_t power = 10; body + digits >= power; power *= 10)
                digits++;
        (void)buf_printf(pax, "%zu %s%s=", body + digits, prefix, key);
        (void)buf_append(pax, value, size);
        (void)buf_append_str(pax, "\n");
}

static void put_text(struct buf *pax, const char *key, const char *value)
{
        put_record(pax, "", key, value, strlen(value));
}

static void put_number(struct buf *pax, const char *key, uint64_t number)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, number);
        put_text(pax, key, text);
}

/* Whole in the name, or cut at a slash with the front in the prefix; false when neither fits. */
static bool put_name(struct header *h, const char *path)
{
        size_t size = strlen(path);
        size_t at;

        if (size <= sizeof(h->name)) {
                memcpy(h->name, path, size);
                return true;
        }
        for (at = size - sizeof(h->name) - 1; at < size - 1; at++) {
                if (path[at] != '/' || at == 0)
                        continue;
                if (at > sizeof(h->prefix))
                        break;
                memcpy(h->prefix, path, at);
                memcpy(h->name, path + at + 1, size - at - 1);
                return true;
        }
        memcpy(h->name, path, sizeof(h->name));
        return false;
}

static bool put_link(struct header *h, const char *link)
{
        size_t size = strlen(link);

        memcpy(h->link, link, size < sizeof(h->link) ? size : sizeof(h->link));
        return size <= sizeof(h->link);
}

/* Times before 1970: the fraction of struct timespec counts forwards, that of pax backwards. */
static void put_time(struct header *h, struct buf *pax, const struct tar_entry *e)
{
        bool negative = e->mtime_sec < 0;
        uint64_t sec = negative ? -(uint64_t)e->mtime_sec : (uint64_t)e->mtime_sec;
        uint32_t nsec = e->mtime_nsec;
        char text[40];
        int n;

        if (put_octal(h->mtime, sizeof(h->mtime), negative ? 0 : sec) && !negative && nsec == 0)
                return;
        if (negative && nsec > 0) {
                sec--;
                nsec = NSEC_PER_SEC - nsec;
        }
        n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu32, negative ? "-" : "", sec,
                     nsec);
        while (text[n - 1] == '0')
                n--;
        put_record(pax, "", "mtime", text, (size_t)n - (text[n - 1] == '.'));
}

static int fill(struct header *h, struct buf *pax, const struct tar_entry *e)
{
        uint64_t size = e->type == TAR_FILE ? e->size : 0;

        if (!put_name(h, e->path))
                put_text(pax, "path", e->path);
        if (!put_link(h, e->link))
                put_text(pax, "linkpath", e->link);
        (void)put_octal(h->mode, sizeof(h->mode), e->mode & 07777);
        if (!put_octal(h->uid, sizeof(h->uid), e->uid))
                put_number(pax, "uid", e->uid);
        if (!put_octal(h->gid, sizeof(h->gid), e->gid))
                put_number(pax, "gid", e->gid);
        if (!put_octal(h->size, sizeof(h->size), size))
                put_number(pax, "size", size);
        put_time(h, pax, e);
        if (!put_octal(h->device_major, sizeof(h->device_major), e->device_major) ||
            !put_octal(h->device_minor, sizeof(h->device_minor), e->device_minor))
                return -ERANGE;
        for (size_t i = 0; i < e->xattr_count; i++)
                put_record(pax, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value,
                           e->xattrs[i].size);
        return pax->failed;
}

int tar_write_padding(struct buf *to, uint64_t size)
{
        static const char zeros[TAR_BLOCK];

        return buf_append(to, zeros, (size_t)(-size % TAR_BLOCK));
}

/* Readers that know no pax see a small text file. */
static int append_extended(struct buf *to, const struct tar_entry *e, const struct buf *pax)
{
        struct header h = {0};
        size_t end = strlen(e->path);
        size_t start;
        int r;

        while (end > 0 && e->path[end - 1] == '/')
                end--;
        for (start = end; start > 0 && e->path[start - 1] != '/'; start--)
                ;
        (void)snprintf(h.name, sizeof(h.name), "PaxHeaders/%.*s", (int)(end - start),
                       e->path + start);
        (void)put_octal(h.mode, sizeof(h.mode), 0644);
        (void)put_octal(h.uid, sizeof(h.uid), 0);
        (void)put_octal(h.gid, sizeof(h.gid), 0);
        (void)put_octal(h.size, sizeof(h.size), pax->size);
        (void)put_octal(h.mtime, sizeof(h.mtime), 0);
        finish(&h, 'x');
        r = buf_append(to, &h, sizeof(h));
        if (r == 0)
                r = buf_append(to, pax->data, pax->size);
        return r < 0 ? r : tar_write_padding(to, pax->size);
}

int tar_write_header(struct buf *to, const struct tar_entry *e)
{
        static const char types[] = {
                [TAR_FILE] = '0', [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2',      [TAR_CHAR] = '3',
                [TAR_DIR] = '5',  [TAR_FIFO] = '6',     [TAR_BLOCK_DEVICE] = '4',
        };
        struct buf pax = BUF_INIT(TAR_EXTENDED_MAX);
        struct header h = {0};
        size_t before = to->size;
        int r;

        assert((size_t)e->type < ELEMENTS(types) && !e->sparse);
        r = fill(&h, &pax, e);
        finish(&h, types[e->type]);
        if (r == 0 && pax.size > 0)
                r = append_extended(to, e, &pax);
        if (r == 0)
                r = buf_append(to, &h, sizeof(h));
        if (r < 0)
                to->size = before;
        buf_release(&pax);
        return r;
}

int tar_write_end(struct buf *to)
{
        int r = buf_append(to, (const char[TAR_BLOCK]){0}, TAR_BLOCK);

        return r < 0 ? r : buf_append(to, (const char[TAR_BLOCK]){0}, TAR_BLOCK);
}
