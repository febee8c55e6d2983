/* SPDX-License-Identifier: Apache-2.0 */
#include "image/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/tar.h"

struct blob {
        size_t name; /* in blobs.names */
        size_t link; /* likewise; what it is a link to, when is_link */
        bool is_link;
        uint64_t offset;
        uint64_t size;
};

/* The archive as the tar reader sees it. */
struct file_source {
        int fd;
        uint64_t offset;
        uint64_t size;
};

static ssize_t read_file(void *data, void *to, size_t size, struct coffer_error *err)
{
        struct file_source *f = data;
        ssize_t n;

        do
                n = pread(f->fd, to, size, (off_t)f->offset);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_set(err, -errno, "read the archive");
        f->offset += (uint64_t)n;
        return n;
}

static int skip_file(void *data, uint64_t count, struct coffer_error *err)
{
        struct file_source *f = data;

        if (f->offset > f->size || count > f->size - f->offset)
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE, "the archive is cut short");
        f->offset += count;
        return 0;
}

/* "./a//b" and "/a/b" are "a/b"; false when "..", which a table of names cannot have. */
static bool tidy(const char *name, char *to, size_t size)
{
        size_t used = 0;

        to[0] = '\0';
        while (*name != '\0') {
                size_t n = strcspn(name, "/");

                if (n == 2 && memcmp(name, "..", 2) == 0) {
                        char *slash = strrchr(to, '/');

                        if (used == 0)
                                return false;
                        used = slash ? (size_t)(slash - to) : 0;
                        to[used] = '\0';
                } else if (n > 0 && !(n == 1 && *name == '.')) {
                        if (used + n + 2 > size)
                                return false;
                        if (used > 0)
                                to[used++] = '/';
                        memcpy(to + used, name, n);
                        used += n;
                        to[used] = '\0';
                }
                name += n + (name[n] == '/');
        }
        return true;
}

static int keep_name(struct blobs *b, const char *name, size_t *ret_at)
{
        *ret_at = b->names.size;
        return buf_append(&b->names, name, strlen(name) + 1);
}

static int add_row(struct blobs *b, const struct tar_entry *e, uint64_t offset)
{
        char name[TAR_PATH_MAX + 1], link[(size_t)2 * TAR_PATH_MAX + 2], target[TAR_PATH_MAX + 1];
        struct blob row = {.offset = offset, .size = e->size, .is_link = e->type != TAR_FILE};
        char *slash;
        int r;

        if (!tidy(e->path, name, sizeof(name)))
                return 0; /* nothing can be asked for by that name */
        r = keep_name(b, name, &row.name);
        if (r == 0 && row.is_link) {
                /* A symlink starts from its own directory, a hard link from the top. */
                slash = e->type == TAR_SYMLINK && e->link[0] != '/' ? strrchr(name, '/') : NULL;
                (void)snprintf(link, sizeof(link), "%.*s/%s", slash ? (int)(slash - name) : 0, name,
                               e->link);
                if (!tidy(link, target, sizeof(target)))
                        return 0;
                r = keep_name(b, target, &row.link);
        }
        if (r < 0)
                return r;
        if (b->count == BLOBS_MAX)
                return -E2BIG;
        if (b->count == b->capacity) {
                size_t capacity = b->capacity ? 2 * b->capacity : 64;
                struct blob *rows = realloc(b->rows, capacity * sizeof(*rows));

                if (!rows)
                        return -ENOMEM;
                b->rows = rows;
                b->capacity = capacity;
        }
        b->rows[b->count++] = row;
        return 0;
}

static int read_table(struct blobs *b, struct coffer_error *err)
{
        struct file_source file = {.fd = b->fd};
        struct tar_source source = {.read = read_file, .skip = skip_file, .data = &file};
        const struct tar_entry *e;
        struct tar *tar = NULL;
        struct stat st;
        int r;

        if (fstat(b->fd, &st) < 0)
                return error_set(err, -errno, "read the archive");
        file.size = (uint64_t)st.st_size;
        r = tar_new(&source, false, &tar);
        if (r < 0)
                return error_set(err, r, "read the archive");

        while ((r = tar_next(tar, &e, err)) > 0) {
                bool file_or_link =
                        e->type == TAR_FILE || e->type == TAR_HARDLINK || e->type == TAR_SYMLINK;

                if (e->sparse)
                        r = error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                      "file '%.120s' of the archive is sparse", e->path);
                else if (file_or_link)
                        r = add_row(b, e, tar_position(tar));
                if (r == -E2BIG)
                        r = error_say(err, r, COFFER_ERROR_IMAGE,
                                      "the archive has too many files (at most %d)", BLOBS_MAX);
                if (r < 0)
                        break;
        }
        if (r == -ENOMEM)
                r = error_set(err, r, "read the archive");
        (void)tar_free(tar);
        return r;
}

int blobs_open(int fd, bool archive, struct blobs *ret, struct coffer_error *err)
{
        struct blobs b = {
                .fd = fd,
                .archive = archive,
                .names = BUF_INIT(BLOBS_NAME_BYTES_MAX),
        };
        int r = archive ? read_table(&b, err) : 0;

        if (r < 0) {
                blobs_close(&b);
                return r;
        }
        *ret = b;
        return 0;
}

void blobs_close(struct blobs *b)
{
        free(b->rows);
        buf_release(&b->names);
        b->rows = NULL;
        b->count = b->capacity = 0;
}

static const struct blob *find_row(const struct blobs *b, const char *name)
{
        for (unsigned links = 0; links <= BLOBS_LINKS_MAX; links++) {
                const struct blob *row = NULL;

                for (size_t i = b->count; i-- > 0 && !row;)
                        if (str_eq(b->names.data + b->rows[i].name, name))
                                row = &b->rows[i];
                if (!row || !row->is_link)
                        return row;
                name = b->names.data + row->link;
        }
        return NULL;
}

/* O_NONBLOCK: a FIFO of that name must not make us wait. */
static int open_file(const struct blobs *b, const char *name, uint64_t *ret_size)
{
        cleanup_close int fd = sys_open_beneath(b->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        *ret_size = (uint64_t)st.st_size;
        return take_fd(&fd);
}

int blobs_find(const struct blobs *b, const char *name, uint64_t *ret_offset, uint64_t *ret_size)
{
        const struct blob *row;
        int fd;

        if (b->archive) {
                row = find_row(b, name);
                if (!row)
                        return 0;
                *ret_offset = row->offset;
                *ret_size = row->size;
                return 1;
        }
        fd = open_file(b, name, ret_size);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        (void)close(fd);
        *ret_offset = 0;
        return 1;
}

const char *blobs_name(const struct blobs *b, size_t index)
{
        return index < b->count ? b->names.data + b->rows[index].name : NULL;
}

static int read_range(int fd, uint64_t offset, uint64_t size, struct buf *to)
{
        char *p = size > to->max_bytes ? NULL : buf_space(to, (size_t)size);
        size_t done = 0;

        if (!p)
                return size > to->max_bytes ? -E2BIG : to->failed;
        while (done < size) {
                ssize_t n = pread(fd, p + done, (size_t)size - done, (off_t)(offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG;
                done += (size_t)n;
        }
        to->size += done;
        to->data[to->size] = '\0';
        return 0;
}

int blobs_read(const struct blobs *b, const char *name, struct buf *to, struct coffer_error *err)
{
        cleanup_close int fd = -EBADF;
        uint64_t offset = 0, size = 0;
        int r;

        if (b->archive) {
                r = blobs_find(b, name, &offset, &size);
                if (r > 0)
                        r = read_range(b->fd, offset, size, to);
                else
                        r = -ENOENT;
        } else {
                fd = open_file(b, name, &size);
                r = fd < 0 ? fd : read_range(fd, 0, size, to);
        }
        if (r == -ENOENT)
                return error_say(err, r, COFFER_ERROR_IMAGE, "the image has no file '%s'", name);
        if (r == -E2BIG)
                return error_say(err, r, COFFER_ERROR_IMAGE, "file '%s' has more than %zu bytes",
                                 name, to->max_bytes);
        if (r == -EBADMSG)
                return error_say(err, r, COFFER_ERROR_IMAGE,
                                 "'%s' is cut short or is no regular file", name);
        return r < 0 ? error_set(err, r, "read '%s'", name) : 0;
}
