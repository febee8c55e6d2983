/* SPDX-License-Identifier: Apache-2.0 */
#include "store/log.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"

#define HEADER_BYTES sizeof(struct log_header)
#define BLOCK_BYTES  (HEADER_BYTES + LOG_RECORD_MAX)

struct file_name {
        char text[16];
};

static struct file_name file_name(uint32_t number)
{
        struct file_name name = {"log"};

        if (number > 0)
                (void)snprintf(name.text, sizeof(name.text), "log.%u", number);
        return name;
}

static int header_decode(const void *data, struct log_header *ret)
{
        struct log_header h;

        memcpy(&h, data, sizeof(h));
        h.bytes = le32toh(h.bytes);
        h.time_ns = le64toh(h.time_ns);
        if (h.bytes == 0 || h.bytes > LOG_RECORD_MAX || h.stream > LOG_STDERR)
                return -EBADMSG;
        *ret = h;
        return 0;
}

/* Where the last whole record ends; headers only are read. */
static int find_end(int fd, uint64_t size, uint64_t *ret_end)
{
        uint64_t at = 0;

        while (at + HEADER_BYTES <= size) {
                char raw[HEADER_BYTES];
                struct log_header h;
                ssize_t n = pread(fd, raw, sizeof(raw), (off_t)at);

                if (n < 0)
                        return -errno;
                if (n != (ssize_t)sizeof(raw) || header_decode(raw, &h) < 0 ||
                    at + HEADER_BYTES + h.bytes > size)
                        break;
                at += HEADER_BYTES + h.bytes;
        }
        *ret_end = at;
        return 0;
}

static int open_current(struct box_log *log)
{
        cleanup_close int fd = -EBADF;
        uint64_t end = 0;
        struct stat st;
        int r;

        fd = sys_open_mode(log->dir_fd, "log", O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > 0) {
                r = find_end(fd, (uint64_t)st.st_size, &end);
                if (r < 0)
                        return r;
                if (end < (uint64_t)st.st_size && ftruncate(fd, (off_t)end) < 0)
                        return -errno;
        }
        log->fd = take_fd(&fd);
        log->bytes = end;
        return 0;
}

int box_log_open(struct box_log *log, int box_dir_fd, uint64_t max_bytes, uint32_t files)
{
        assert(files >= 1 && files <= LOG_FILES_MAX);

        *log = (struct box_log){
                .fd = -EBADF,
                .dir_fd = box_dir_fd,
                .max_bytes = max_bytes,
                .files = files,
        };
        return open_current(log);
}

void box_log_close(struct box_log *log)
{
        close_fd(&log->fd);
}

int box_log_rotate(struct box_log *log)
{
        int r;

        if (log->files == 1)
                (void)unlinkat(log->dir_fd, "log", 0);
        for (uint32_t n = log->files - 1; n > 0; n--)
                if (renameat(log->dir_fd, file_name(n - 1).text, log->dir_fd, file_name(n).text) <
                            0 &&
                    errno != ENOENT)
                        return -errno;
        close_fd(&log->fd);
        r = open_current(log);
        return r;
}

static int append_one(struct box_log *log, enum log_stream stream, uint64_t time_ns,
                      const void *data, size_t bytes)
{
        struct log_header h = {
                .bytes = htole32((uint32_t)bytes),
                .stream = (uint8_t)stream,
                .time_ns = htole64(time_ns),
        };
        struct iovec parts[2] = {
                {&h,                      sizeof(h)},
                {(void *)(uintptr_t)data, bytes    }
        };
        ssize_t n;
        int r = 0;

        if (log->bytes > 0 && log->bytes + sizeof(h) + bytes > log->max_bytes)
                r = box_log_rotate(log);
        if (r < 0)
                return r;
        do
                n = writev(log->fd, parts, 2);
        while (n < 0 && errno == EINTR);
        if (n == (ssize_t)(sizeof(h) + bytes)) {
                log->bytes += sizeof(h) + bytes;
                return 0;
        }
        r = n < 0 ? -errno : -ENOSPC;
        if (n > 0 && ftruncate(log->fd, (off_t)log->bytes) < 0)
                r = -errno;
        return r;
}

int box_log_append(struct box_log *log, enum log_stream stream, uint64_t time_ns, const void *data,
                   size_t bytes)
{
        const char *p = data;

        while (bytes > 0) {
                size_t n = bytes < LOG_RECORD_MAX ? bytes : LOG_RECORD_MAX;
                int r = append_one(log, stream, time_ns, p, n);

                if (r < 0)
                        return r;
                p += n;
                bytes -= n;
        }
        return 0;
}

static int reader_open_number(struct log_reader *reader, uint32_t number)
{
        struct stat st;
        int fd = sys_open(reader->dir_fd, file_name(number).text, O_RDONLY | O_NOFOLLOW);

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0) {
                (void)close(fd);
                return -errno;
        }
        close_fd(&reader->fd);
        reader->fd = fd;
        reader->inode = st.st_ino;
        return 0;
}

/*
 * The number of the file with this inode, or of the oldest one when it is 0.  While the writer
 * renames, one number may be missing.
 */
static int find_number(const struct log_reader *reader, uint64_t inode, uint32_t *ret_number)
{
        unsigned missing = 0;
        int r = -ENOENT;

        for (uint32_t number = 0; number < LOG_FILES_MAX && missing < 2; number++) {
                struct stat st;

                if (fstatat(reader->dir_fd, file_name(number).text, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        missing++;
                        continue;
                }
                missing = 0;
                if (inode != 0 && st.st_ino != inode)
                        continue;
                *ret_number = number;
                r = 0;
                if (inode != 0)
                        break;
        }
        return r;
}

static int open_oldest(struct log_reader *reader)
{
        uint32_t number;
        int r = find_number(reader, 0, &number);

        return r < 0 ? r : reader_open_number(reader, number);
}

int log_reader_open(struct log_reader *reader, int box_dir_fd)
{
        int r;

        *reader = (struct log_reader){
                .dir_fd = box_dir_fd,
                .fd = -EBADF,
                .block = BUF_INIT(2 * BLOCK_BYTES),
        };
        r = open_oldest(reader);
        return r == -ENOENT ? 0 : r;
}

void log_reader_close(struct log_reader *reader)
{
        close_fd(&reader->fd);
        buf_release(&reader->block);
}

static int fill(struct log_reader *reader)
{
        void *to;
        ssize_t n;

        buf_consume(&reader->block, reader->used);
        reader->used = 0;
        to = buf_space(&reader->block, BLOCK_BYTES);
        if (!to)
                return -ENOMEM;
        n = sys_read(reader->fd, to, BLOCK_BYTES);
        if (n > 0)
                reader->block.size += (size_t)n;
        return (int)n;
}

static int peek_record(const struct log_reader *reader, struct log_record *ret)
{
        const char *at = reader->block.data ? reader->block.data + reader->used : "";
        size_t left = reader->block.size - reader->used;
        struct log_header h;

        if (left < HEADER_BYTES)
                return 0;
        if (header_decode(at, &h) < 0)
                return -EBADMSG;
        if (left < HEADER_BYTES + h.bytes)
                return 0;
        *ret = (struct log_record){
                .stream = h.stream,
                .time_ns = h.time_ns,
                .data = at + HEADER_BYTES,
                .bytes = h.bytes,
        };
        return 1;
}

static int take_record(struct log_reader *reader, struct log_record *ret)
{
        int r = peek_record(reader, ret);

        if (r > 0)
                reader->used += HEADER_BYTES + ret->bytes;
        return r;
}

/* Bytes of a record that is not whole yet, or was torn and will be cut off: read them again. */
static int unread_rest(struct log_reader *reader)
{
        size_t rest = reader->block.size - reader->used;

        if (rest > 0 && lseek(reader->fd, -(off_t)rest, SEEK_CUR) < 0)
                return -errno;
        reader->block.size = 0;
        reader->used = 0;
        return 0;
}

/* At the end of a file: 1 when there is more to read, 0 when there is not. */
static int next_file(struct log_reader *reader)
{
        struct log_record ignored;
        uint32_t number;
        int r = unread_rest(reader);

        if (r < 0)
                return r;
        r = find_number(reader, reader->inode, &number);
        if (r == 0 && number == 0)
                return 0;
        /* It was rotated away and does not grow any more; it may have grown before that. */
        r = fill(reader);
        if (r < 0 || (r > 0 && (r = peek_record(reader, &ignored)) != 0))
                return r;
        reader->block.size = 0; /* torn, and nobody will complete it */
        r = find_number(reader, reader->inode, &number);
        if (r == 0)
                r = reader_open_number(reader, number > 0 ? number - 1 : 0);
        else
                r = open_oldest(reader); /* so slow that it was dropped */
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return 1;
}

int log_reader_next(struct log_reader *reader, struct log_record *ret_record)
{
        int r = reader->fd < 0 ? open_oldest(reader) : 0;

        while (r >= 0) {
                r = take_record(reader, ret_record);
                if (r != 0)
                        return r;
                r = fill(reader);
                if (r == 0)
                        r = next_file(reader);
                if (r == 0)
                        return 0;
        }
        return r == -ENOENT ? 0 : r;
}
