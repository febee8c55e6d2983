/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/sys.h"
#include "lib/handle.h"
#include "lib/tail.h"
#include "store/identity.h"
#include "store/lock.h"
#include "store/log.h"

/**
 * struct coffer_logs - a walk over the records
 * @box:     borrowed
 * @options: copied
 * @reader:  the files
 * @skip:    lines to leave out before the first
 * @tail:    what tells that there is more
 * @shim:    owned; pidfd of the shim, in @tail; -1 when it is not known
 * @ended:   no more will come
 */
struct coffer_logs {
        struct coffer_box *box;
        struct coffer_logs_options options;
        struct log_reader reader;
        uint64_t skip;
        struct tail tail;
        int shim;
        bool ended;
};

static const uint32_t streams[] = {
        [LOG_NOTE] = 0,
        [LOG_STDOUT] = COFFER_STDOUT,
        [LOG_STDERR] = COFFER_STDERR,
};

static bool in_time(const struct coffer_logs *logs, const struct log_record *r)
{
        return r->time_ns >= logs->options.since_ns &&
               (logs->options.until_ns == 0 || r->time_ns < logs->options.until_ns);
}

static uint64_t count_lines(const struct log_record *r)
{
        uint64_t lines = 0;

        for (const char *p = r->data, *end = p + r->bytes; (p = memchr(p, '\n', (size_t)(end - p)));
             p++)
                lines++;
        return lines;
}

/* How many lines there are before the last so many; a line without its end counts too. */
static int count_skip(struct coffer_logs *logs)
{
        struct log_reader reader;
        struct log_record record;
        uint64_t lines = 0;
        bool open = false;
        int r = log_reader_open(&reader, logs->box->dir_fd);

        while (r >= 0 && (r = log_reader_next(&reader, &record)) > 0) {
                if (!in_time(logs, &record))
                        continue;
                lines += count_lines(&record);
                open = record.data[record.bytes - 1] != '\n';
        }
        log_reader_close(&reader);
        lines += open;
        logs->skip = lines > logs->options.tail ? lines - logs->options.tail : 0;
        /* Nothing of what is there: of the open line its rest is to come. */
        if (logs->options.tail == 0)
                logs->skip = UINT64_MAX;
        return r;
}

int coffer_logs_open(struct coffer_box *box, const struct coffer_logs_options *options,
                     struct coffer_logs **ret_logs, struct coffer_error *err)
{
        struct coffer_logs *logs;
        int r;

        REQUIRE(box && ret_logs, err);
        REQUIRE(!options || options->size >= sizeof(*options), err);
        logs = calloc(1, sizeof(*logs));
        if (!logs)
                return error_set(err, -ENOMEM, "read the log of box %s", box->id);
        logs->box = box;
        logs->options = options ? *options : (struct coffer_logs_options){.tail = COFFER_LOGS_ALL};
        logs->shim = -EBADF;
        logs->reader.fd = -EBADF;
        tail_init(&logs->tail);

        r = logs->options.tail != COFFER_LOGS_ALL ? count_skip(logs) : 0;
        if (r >= 0)
                r = log_reader_open(&logs->reader, box->dir_fd);
        /* Watched before it is read: nothing can be missed between the two. */
        if (r >= 0 && logs->options.follow)
                r = tail_watch(&logs->tail, box->dir_fd, logs->options.until_ns);
        if (r < 0) {
                (void)coffer_logs_free(logs);
                return error_set(err, r, "read the log of box %s", box->id);
        }
        *ret_logs = logs;
        return 0;
}

struct coffer_logs *coffer_logs_free(struct coffer_logs *logs)
{
        int saved_errno = errno;

        if (!logs)
                return NULL;
        log_reader_close(&logs->reader);
        tail_release(&logs->tail);
        close_fd(&logs->shim);
        free(logs);
        errno = saved_errno;
        return NULL;
}

int coffer_logs_fd(const struct coffer_logs *logs)
{
        return logs && logs->options.follow ? logs->tail.fd : -EINVAL;
}

/* What is left of a record after the lines that are to be left out. */
static void skip_lines(struct coffer_logs *logs, struct log_record *r)
{
        while (logs->skip > 0 && r->bytes > 0) {
                const char *end = memchr(r->data, '\n', r->bytes);
                size_t n = end ? (size_t)(end - r->data) + 1 : r->bytes;

                r->data += n;
                r->bytes -= n;
                if (end && logs->skip != UINT64_MAX)
                        logs->skip--;
        }
}

static int next_record(struct coffer_logs *logs, struct coffer_log_record *ret)
{
        struct log_record record;
        int r;

        while ((r = log_reader_next(&logs->reader, &record)) > 0) {
                if (!in_time(logs, &record))
                        continue;
                if (logs->skip > 0)
                        skip_lines(logs, &record);
                if (record.bytes == 0)
                        continue;
                *ret = (struct coffer_log_record){
                        .stream = streams[record.stream],
                        .time_ns = record.time_ns,
                        .data = record.data,
                        .bytes = record.bytes,
                };
                return 1;
        }
        /* All that was there is behind us; what comes is wanted from its first byte. */
        if (r == 0 && logs->skip == UINT64_MAX)
                logs->skip = 0;
        return r;
}

/* The end of its process tells that the shim has let go of the lock. */
static void watch_shim(struct coffer_logs *logs)
{
        struct identity identity;
        uint64_t pid_ns;

        if (logs->shim >= 0 || identity_read(logs->box->dir_fd, &identity) < 0 ||
            pid_ns_read(&pid_ns) < 0 || pid_ns != identity.pid_ns)
                return;
        logs->shim = sys_pidfd_open((pid_t)identity.pid);
        if (logs->shim >= 0 && tail_add(&logs->tail, logs->shim) < 0)
                close_fd(&logs->shim);
}

/* 1: more may come; 0: it will not. */
static int may_grow(struct coffer_logs *logs)
{
        struct pollfd shim = {.fd = logs->shim, .events = POLLIN};

        if (logs->options.until_ns > 0 && tail_is_over(&logs->tail))
                return 0;
        /* Of a shim that has ended; another one may hold the lock by now. */
        if (logs->shim >= 0 && poll(&shim, 1, 0) > 0)
                close_fd(&logs->shim);
        watch_shim(logs);
        return box_lock_is_held(logs->box->dir_fd) == 1;
}

int coffer_logs_next(struct coffer_logs *logs, int timeout_ms, struct coffer_log_record *ret_record,
                     struct coffer_error *err)
{
        uint64_t deadline_ms;
        int r;

        REQUIRE(logs && ret_record, err);
        deadline_ms = timeout_ms > 0 ? loop_now_ms() + (uint64_t)timeout_ms : 0;
        while ((r = next_record(logs, ret_record)) == 0) {
                if (!logs->options.follow || logs->ended)
                        return 0;
                /* Once more after the end: the last bytes come before it. */
                logs->ended = may_grow(logs) == 0;
                if (logs->ended)
                        continue;
                r = tail_wait(&logs->tail, timeout_ms, deadline_ms);
                if (r == -EAGAIN)
                        return r;
                if (r < 0)
                        break;
        }
        if (r < 0)
                return error_set(err, r, "read the log of box %s", logs->box->id);
        return r;
}
