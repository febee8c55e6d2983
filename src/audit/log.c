/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/faultpoint.h"
#include "base/str.h"
#include "base/sys.h"

#define OPEN_FLAGS (O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)

static uint64_t now_ms(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool audit_is_open(const struct audit_log *log)
{
        return log->fd >= 0;
}

void audit_close(struct audit_log *log)
{
        close_fd(&log->fd);
        close_fd(&log->head_fd);
        close_fd(&log->dir_fd);
        buf_release(&log->pending);
}

/* --------------------------------------------------------------------------------- opening */

static int open_dir(int home_fd)
{
        int fd = sys_open(home_fd, AUDIT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (fd != -ENOENT)
                return fd;
        if (mkdirat(home_fd, AUDIT_DIR, 0700) < 0 && errno != EEXIST)
                return -errno;
        return sys_open(home_fd, AUDIT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

static int open_regular(int dir_fd, const char *name, int flags, uint64_t *ret_bytes)
{
        cleanup_close int fd = sys_open_mode(dir_fd, name, flags, 0600);
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        *ret_bytes = (uint64_t)st.st_size;
        return take_fd(&fd);
}

/**
 * struct tail - the end of a file
 * @line: its last whole line
 * @hash: of it
 * @bad:  it is not one of ours
 * @end:  where it ends; 0: there is none
 */
struct tail {
        struct audit_line line;
        char hash[AUDIT_HASH_CHARS + 1];
        bool bad;
        uint64_t end;
};

static int read_tail(int fd, uint64_t bytes, struct tail *ret)
{
        char text[2 * AUDIT_LINE_MAX];
        size_t size = bytes < sizeof(text) ? (size_t)bytes : sizeof(text);
        uint64_t from = bytes - size;
        ssize_t n = pread(fd, text, size, (off_t)from);
        const char *end, *start;

        if (n < 0)
                return -errno;
        *ret = (struct tail){.bad = false};
        end = memrchr(text, '\n', (size_t)n);
        if (!end)
                return from > 0 ? -EBADMSG : 0; /* longer than any line */
        start = memrchr(text, '\n', (size_t)(end - text));
        start = start ? start + 1 : text;
        ret->end = from + (uint64_t)(end + 1 - text);
        ret->bad = audit_line_read(start, (size_t)(end + 1 - start), &ret->line) < 0;
        sha256_hex(start, (size_t)(end + 1 - start), ret->hash);
        return 0;
}

/* Of the newest file that has a line: a writer may have been killed between two of them. */
static int find_tail(struct audit_log *log, struct tail *ret)
{
        int r = read_tail(log->fd, log->bytes, ret);

        if (r == 0 && ret->end == 0) {
                uint64_t bytes = 0;
                cleanup_close int fd = open_regular(log->dir_fd, audit_file(log->who.id, 1).text,
                                                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK, &bytes);

                if (fd == -ENOENT)
                        return 0;
                r = fd < 0 ? fd : read_tail(fd, bytes, ret);
                ret->end = 0;
        }
        return r;
}

/* A word for what verify says for good; NULL: nothing is missing. */
static const char *what_is_lost(const struct audit_head *head, int head_result,
                                const struct tail *tail)
{
        uint64_t last = tail->line.sequence;

        if (tail->bad)
                return "changed";
        /* The head is made before the log and written after it. */
        if (head_result < 0 && !(head_result == -ENODATA && last <= AUDIT_BATCH_MAX))
                return "head-missing";
        if (last < head->count)
                return "cut";
        if (last == head->count && last > 0 && !str_eq(tail->hash, head->hash))
                return "changed";
        return last > head->count + AUDIT_BATCH_MAX ? "head-old" : NULL;
}

static void note_state(struct audit_log *log, const struct tail *tail, int head_result)
{
        uint64_t torn = log->bytes > tail->end ? log->bytes - tail->end : 0;
        uint64_t last = tail->line.sequence, count = log->head.count;
        const char *lost = what_is_lost(&log->head, head_result, tail);
        struct audit_record record = {.event = lost ? AUDIT_LOST : AUDIT_REPAIR, .control = lost};
        char text[160];

        /* The log goes on from what it has, whatever the head says. */
        if (tail->hash[0] != '\0')
                (void)str_copy(log->head.hash, sizeof(log->head.hash), tail->hash);
        if (tail->hash[0] != '\0' && !tail->bad)
                log->head.count = last;
        log->next = log->head;
        if (!lost && torn == 0 && last == count)
                return;
        if (torn > 0)
                (void)snprintf(text, sizeof(text),
                               "a killed writer left %" PRIu64 " bytes of a record after %" PRIu64,
                               torn, last);
        else
                (void)snprintf(text, sizeof(text),
                               "the head named record %" PRIu64 ", the log ended with %" PRIu64,
                               count, last);
        record.detail = text;
        log->differs = true;
        audit_add(log, &record);
}

static int take_up(struct audit_log *log)
{
        char text[AUDIT_HEAD_BYTES + 1];
        struct tail tail;
        ssize_t n = pread(log->head_fd, text, sizeof(text), 0);
        int head_result = n < 0 ? -errno : audit_head_parse(text, (size_t)n, &log->head);
        int r;

        if (head_result < 0 && head_result != -ENODATA && head_result != -EBADMSG)
                return head_result;
        r = find_tail(log, &tail);
        if (r < 0)
                return r;
        note_state(log, &tail, head_result);
        if (log->bytes > tail.end) {
                if (ftruncate(log->fd, (off_t)tail.end) < 0)
                        return -errno;
                log->bytes = tail.end;
        }
        return 0;
}

int audit_open(struct audit_log *log, int home_fd, const struct audit_subject *who)
{
        const char *id = who->id;
        uint64_t missed = log->missed, head_bytes = 0;
        int r = FAULT("audit.open");

        *log = AUDIT_LOG_INIT;
        log->who = *who;
        log->missed = missed;
        log->max_bytes = AUDIT_FILE_MAX;
        log->files = AUDIT_FILES;
        log->pending = BUF_INIT((size_t)AUDIT_BATCH_MAX * AUDIT_LINE_MAX);
        log->head = (struct audit_head){.hash = AUDIT_NO_HASH, .first = 1, .base = AUDIT_NO_HASH};
        log->next = log->head;
        if (r == 0)
                r = log->dir_fd = open_dir(home_fd);
        if (r >= 0)
                r = log->head_fd = open_regular(log->dir_fd, audit_head_file(id).text, OPEN_FLAGS,
                                                &head_bytes);
        if (r >= 0)
                r = log->fd = open_regular(log->dir_fd, audit_file(id, 0).text,
                                           OPEN_FLAGS | O_APPEND, &log->bytes);
        log->is_new = log->bytes == 0;
        if (r >= 0 && (log->bytes > 0 || head_bytes > 0))
                r = take_up(log);
        if (r < 0)
                audit_close(log);
        return r < 0 ? r : 0;
}

/* --------------------------------------------------------------------------------- writing */

static int write_head(struct audit_log *log, const struct audit_head *head)
{
        char text[AUDIT_HEAD_BYTES + 1];
        ssize_t n;

        audit_head_format(head, text);
        n = pwrite(log->head_fd, text, AUDIT_HEAD_BYTES, 0);
        if (n < 0)
                return -errno;
        return n == AUDIT_HEAD_BYTES ? 0 : -ENOSPC;
}

/* Before anything is renamed: on a full disk each try would cost the oldest file. */
static int open_next(const struct audit_log *log, char *name, size_t size)
{
        uint64_t bytes;

        (void)snprintf(name, size, "%s.new", audit_file(log->who.id, 0).text);
        return open_regular(log->dir_fd, name, OPEN_FLAGS | O_APPEND | O_TRUNC, &bytes);
}

/* Which record will be the oldest when the oldest file is gone. */
static int read_first(struct audit_log *log, struct audit_head *to)
{
        unsigned oldest = log->files - 2; /* after the renaming the last */
        char text[AUDIT_LINE_MAX];
        struct audit_line line;
        uint64_t bytes = 0;
        const char *end;
        ssize_t n;
        cleanup_close int fd = open_regular(log->dir_fd, audit_file(log->who.id, oldest).text,
                                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK, &bytes);

        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        n = pread(fd, text, sizeof(text), 0);
        if (n < 0)
                return -errno;
        end = memchr(text, '\n', (size_t)n);
        if (!end || audit_line_read(text, (size_t)(end + 1 - text), &line) < 0)
                return 0; /* tampered with: verify says so */
        to->first = line.sequence;
        (void)str_copy(to->base, sizeof(to->base), line.prev);
        return 0;
}

static int rename_all(const struct audit_log *log, const char *next)
{
        const char *id = log->who.id;

        for (unsigned n = log->files - 1; n > 0; n--)
                if (renameat(log->dir_fd, audit_file(id, n - 1).text, log->dir_fd,
                             audit_file(id, n).text) < 0 &&
                    errno != ENOENT)
                        return -errno;
        return renameat(log->dir_fd, next, log->dir_fd, audit_file(id, 0).text) < 0 ? -errno : 0;
}

/* The head first: what it names as the oldest is there, whenever we are killed. */
static int rotate(struct audit_log *log)
{
        struct audit_name last = audit_file(log->who.id, log->files - 1);
        struct audit_head head = log->head;
        char name[AUDIT_ID_MAX + 32];
        cleanup_close int fd = -EBADF;
        int r = 0;

        assert(log->files >= 2);
        if (r == 0 && faccessat(log->dir_fd, last.text, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                r = read_first(log, &head);
        if (r == 0)
                r = fd = open_next(log, name, sizeof(name));
        if (r >= 0)
                r = write_head(log, &head);
        if (r < 0)
                return r;
        log->head = head;
        log->next.first = head.first;
        memcpy(log->next.base, head.base, sizeof(head.base));
        r = rename_all(log, name);
        if (r < 0)
                return r;
        close_fd(&log->fd);
        log->fd = take_fd(&fd);
        log->bytes = 0;
        log->is_new = true;
        return 0;
}

void audit_add(struct audit_log *log, const struct audit_record *record)
{
        size_t before = log->pending.size;
        struct audit_place place = {
                .time_ms = now_ms(),
                .sequence = log->next.count + 1,
                .prev = log->next.hash,
                .dropped = log->head.dropped + log->missed,
        };

        assert(log->waiting < AUDIT_BATCH_MAX || log->pending.failed < 0);
        log->waiting++;
        if (audit_format(&log->pending, &log->who, record, &place) < 0)
                return;
        sha256_hex(log->pending.data + before, log->pending.size - before, log->next.hash);
        log->next.count++;
}

/* All of it or nothing. */
static int append(struct audit_log *log)
{
        int r = FAULT("audit.write");

        if (r < 0)
                return r;
        if (log->torn && ftruncate(log->fd, (off_t)log->bytes) < 0)
                return -errno;
        log->torn = false;
        r = sys_write_all(log->fd, log->pending.data, log->pending.size);
        if (r == 0)
                log->bytes += log->pending.size;
        else
                log->torn = ftruncate(log->fd, (off_t)log->bytes) < 0;
        return r;
}

/* The evidence stays as it is on disk until it has been written down. */
static void drop(struct audit_log *log)
{
        log->missed += log->waiting;
        if (log->differs) {
                audit_close(log);
                return;
        }
        log->next = log->head;
        log->next.dropped += log->missed;
        if (write_head(log, &log->next) < 0) {
                log->next = log->head;
                return;
        }
        log->head = log->next;
        log->missed = 0;
}

static int write_waiting(struct audit_log *log)
{
        int r = log->pending.failed;

        log->next.dropped = log->head.dropped + log->missed;
        if (r == 0 && log->bytes > 0 && log->bytes + log->pending.size > log->max_bytes)
                r = rotate(log);
        if (r == 0)
                r = append(log);
        if (r < 0)
                return r;
        (void)FAULT("audit.head");
        r = write_head(log, &log->next);
        if (r < 0) {
                log->bytes -= log->pending.size;
                log->torn = ftruncate(log->fd, (off_t)log->bytes) < 0;
                return r;
        }
        log->head = log->next;
        log->missed = 0;
        log->differs = false;
        return 0;
}

static int put_on_disk(struct audit_log *log)
{
        if (fdatasync(log->fd) < 0 || fdatasync(log->head_fd) < 0)
                return -errno;
        if (log->is_new && fsync(log->dir_fd) < 0)
                return -errno;
        log->is_new = false;
        return 0;
}

int audit_write(struct audit_log *log, bool sync)
{
        int r = log->waiting > 0 ? write_waiting(log) : 0;

        if (r < 0)
                drop(log);
        log->pending.size = 0;
        log->pending.failed = 0;
        log->waiting = 0;
        return r == 0 && sync ? put_on_disk(log) : r;
}

void audit_missed(struct audit_log *log)
{
        log->missed++;
}
