/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "store/state.h"

#define READ_STEP 65536

static const char *const files[EVENTS_FILES] = {"events", "events.1", "events.2"};

static void release_buf(struct buf *b)
{
        buf_release(b);
}

static void append_pair(struct buf *to, const char *key, const char *value)
{
        if (to->data[to->size - 1] != '{')
                (void)buf_append_str(to, ",");
        (void)buf_append_json(to, key);
        (void)buf_append_str(to, ":");
        (void)buf_append_json(to, value);
}

static void append_labels(struct buf *to, const struct strv *labels)
{
        for (size_t i = 0; labels && i < labels->count; i++) {
                char *key = strdup(labels->items[i]);
                char *equals = key ? strchr(key, '=') : NULL;

                if (equals) {
                        *equals = '\0';
                        append_pair(to, key, equals + 1);
                }
                free(key);
        }
}

int event_format(const struct event *e, struct buf *to)
{
        uint64_t time_ns = e->time_ns ? e->time_ns : now_ns();

        (void)buf_append_str(to, "{");
        if (to->failed < 0)
                return to->failed;
        if (e->image) {
                append_pair(to, "status", e->action);
                append_pair(to, "id", e->id);
                append_pair(to, "from", e->image);
        }
        append_pair(to, "Type", e->type);
        append_pair(to, "Action", e->action);
        (void)buf_append_str(to, ",\"Actor\":{");
        append_pair(to, "ID", e->id);
        (void)buf_append_str(to, ",\"Attributes\":{");
        append_labels(to, e->labels);
        for (size_t i = 0; e->extra && e->extra[i]; i += 2)
                append_pair(to, e->extra[i], e->extra[i + 1]);
        if (e->image)
                append_pair(to, "image", e->image);
        if (e->name)
                append_pair(to, "name", e->name);
        (void)buf_append_str(to, "}}");
        if (e->posture) {
                (void)buf_append_str(to, ",\"posture\":");
                posture_append_json(to, e->posture, false);
        }
        (void)buf_printf(to,
                         ",\"scope\":\"local\",\"time\":%" PRIu64 ",\"timeNano\":%" PRIu64 "}\n",
                         time_ns / 1000000000U, time_ns);
        return to->failed;
}

/* The lock keeps two writers from rotating twice; readers need none. */
static void rotate(int home_fd, int fd)
{
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        struct stat ours, current;

        if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
                return;
        if (fstat(fd, &ours) < 0 || fstatat(home_fd, files[0], &current, AT_SYMLINK_NOFOLLOW) < 0 ||
            ours.st_ino != current.st_ino)
                return;
        for (size_t n = EVENTS_FILES - 1; n > 0; n--)
                (void)renameat(home_fd, files[n - 1], home_fd, files[n]);
}

int event_append(int home_fd, const struct event *event)
{
        cleanup_with(release_buf) struct buf line = BUF_INIT(EVENT_LINE_MAX);
        cleanup_close int fd = -EBADF;
        struct stat st;
        ssize_t n;
        int r = event_format(event, &line);

        if (r < 0)
                return r;
        fd = sys_open_mode(home_fd, files[0], O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fd;
        n = sys_write(fd, line.data, line.size);
        if (n < 0)
                return (int)n;
        if (fstat(fd, &st) == 0 && st.st_size > EVENTS_FILE_MAX)
                rotate(home_fd, fd);
        return (size_t)n == line.size ? 0 : -ENOSPC;
}

uint64_t event_time(const char *line, size_t bytes)
{
        static const char key[] = ",\"timeNano\":";
        char number[24];
        uint64_t ns;
        size_t digits = 0;

        if (bytes < sizeof(key) + 2 || line[0] != '{' || line[bytes - 1] != '}')
                return 0;
        while (digits < 20 && digits + 1 < bytes && line[bytes - 2 - digits] >= '0' &&
               line[bytes - 2 - digits] <= '9')
                digits++;
        if (bytes < digits + 1 + sizeof(key) - 1 ||
            memcmp(line + bytes - 1 - digits - (sizeof(key) - 1), key, sizeof(key) - 1) != 0)
                return 0;
        memcpy(number, line + bytes - 1 - digits, digits);
        number[digits] = '\0';
        return str_to_u64(number, UINT64_MAX, &ns) < 0 ? 0 : ns;
}

static int open_file(struct event_reader *reader, size_t number)
{
        struct stat st;
        int fd = sys_open(reader->home_fd, files[number], O_RDONLY | O_NOFOLLOW);

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0) {
                (void)close(fd);
                return -errno;
        }
        close_fd(&reader->fd);
        reader->fd = fd;
        reader->inode = st.st_ino;
        reader->used = 0;
        reader->text.size = 0; /* what is left was torn */
        return 0;
}

static int open_oldest(struct event_reader *reader)
{
        int r = -ENOENT;

        for (size_t n = EVENTS_FILES; r == -ENOENT && n-- > 0;)
                r = open_file(reader, n);
        return r;
}

int event_reader_open(struct event_reader *reader, int home_fd, bool from_end)
{
        int r;

        *reader = (struct event_reader){
                .home_fd = home_fd,
                .fd = -EBADF,
                .text = BUF_INIT(EVENT_LINE_MAX + READ_STEP),
        };
        r = from_end ? open_file(reader, 0) : open_oldest(reader);
        if (r == 0 && from_end && lseek(reader->fd, 0, SEEK_END) < 0)
                r = -errno;
        return r == -ENOENT ? 0 : r;
}

void event_reader_close(struct event_reader *reader)
{
        close_fd(&reader->fd);
        buf_release(&reader->text);
}

/* How many bytes came; 0 at the end. */
static int fill(struct event_reader *reader)
{
        void *to;
        ssize_t n;

        buf_consume(&reader->text, reader->used);
        reader->used = 0;
        if (reader->text.size > EVENT_LINE_MAX)
                reader->text.size = 0; /* no line of ours */
        to = buf_space(&reader->text, READ_STEP);
        if (!to)
                return -ENOMEM;
        n = sys_read(reader->fd, to, READ_STEP);
        if (n > 0)
                reader->text.size += (size_t)n;
        return (int)n;
}

/* At the end of a file: 1 when there is more to read, 0 when there is not. */
static int next_file(struct event_reader *reader)
{
        struct stat st;
        int r;

        if (fstatat(reader->home_fd, files[0], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_ino == reader->inode)
                return 0;
        /* Rotated: a writer that had opened it before may still have added a line. */
        r = fill(reader);
        if (r != 0)
                return r;
        for (size_t n = 1; n < EVENTS_FILES; n++)
                if (fstatat(reader->home_fd, files[n], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    st.st_ino == reader->inode)
                        r = open_file(reader, n - 1) == 0;
        return r;
}

int event_reader_next(struct event_reader *reader, char **ret_line, uint64_t *ret_ns)
{
        int r = reader->fd < 0 ? open_oldest(reader) : 0;

        while (r >= 0) {
                char *line = reader->text.data ? reader->text.data + reader->used : NULL;
                size_t left = reader->text.size - reader->used;
                char *end = line ? memchr(line, '\n', left) : NULL;

                if (end) {
                        reader->used += (size_t)(end - line) + 1;
                        *ret_ns = event_time(line, (size_t)(end - line));
                        if (*ret_ns == 0)
                                continue;
                        *end = '\0';
                        *ret_line = line;
                        return 1;
                }
                r = fill(reader);
                if (r == 0)
                        r = next_file(reader);
                if (r == 0)
                        return 0;
        }
        return r == -ENOENT ? 0 : r;
}
