/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes per second through a command that copies its standard input to its standard output.
 *
 * We are both ends, and fill one pipe and empty the other in one loop, so that pinned to one core
 * every byte costs what it costs and no second core hides it.
 */

#include "modes.h"

#include "base/cleanup.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK_BYTES   65536
#define STALL_MAX_MS  60000
#define BYTES_PER_MIB 1048576

struct flow {
        int in_fd;  /* owned; we write here */
        int out_fd; /* owned; we read here */
        uint64_t to_write;
        uint64_t received;
};

static char chunk[CHUNK_BYTES];

static int write_some(struct flow *f)
{
        size_t size = f->to_write < CHUNK_BYTES ? (size_t)f->to_write : CHUNK_BYTES;
        ssize_t n = sys_write(f->in_fd, chunk, size);

        if (n == -EAGAIN)
                return 0;
        if (n < 0)
                return (int)n;
        f->to_write -= (uint64_t)n;
        if (f->to_write == 0)
                close_fd(&f->in_fd);
        return 0;
}

static int read_some(struct flow *f)
{
        ssize_t n = sys_read(f->out_fd, chunk, sizeof(chunk));

        if (n == -EAGAIN)
                return 0;
        if (n < 0)
                return (int)n;
        f->received += (uint64_t)n;
        if (n == 0)
                close_fd(&f->out_fd);
        return 0;
}

/* Until the command has closed its end. */
static int pump(struct flow *f)
{
        int r = 0;

        while (r == 0 && f->out_fd >= 0) {
                struct pollfd ends[] = {
                        {.fd = f->in_fd,  .events = POLLOUT}, /* negative is passed over */
                        {.fd = f->out_fd, .events = POLLIN },
                };

                if (poll(ends, 2, STALL_MAX_MS) <= 0)
                        return -ETIMEDOUT;
                if (ends[0].revents)
                        r = write_some(f);
                if (r == 0 && ends[1].revents)
                        r = read_some(f);
        }
        return r;
}

static int open_pipes(struct flow *f, int stdio[2])
{
        int in[2], out[2];

        if (pipe2(in, O_CLOEXEC) < 0)
                return -errno;
        stdio[0] = in[0];
        f->in_fd = in[1];
        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        stdio[1] = out[1];
        f->out_fd = out[0];
        if (fcntl(f->in_fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(f->out_fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

static void pump_once(const struct plan *plan, struct row *row, bool keep)
{
        uint64_t wanted = (uint64_t)plan->mib * BYTES_PER_MIB;
        struct flow f = {.in_fd = -EBADF, .out_fd = -EBADF, .to_write = wanted};
        int stdio[2] = {-EBADF, -EBADF};
        double begin = 0, wall, cpu = 0;
        struct started run;
        bool good;
        int r;

        r = open_pipes(&f, stdio);
        if (r == 0)
                r = row_start(row, stdio, &begin, &run);
        close_fd(&stdio[0]);
        close_fd(&stdio[1]);
        if (r < 0) {
                row_fail(row);
        } else {
                r = pump(&f);
                wall = now_ms() - begin;
                close_fd(&f.in_fd);
                close_fd(&f.out_fd);
                good = row_wait(&run, &cpu) && r == 0 && f.received == wanted;
                row_settle(row, &cpu);
                if (!good)
                        row_fail(row);
                else if (keep)
                        row_add(row, plan->mib * 1e3 / wall, cpu);
        }
        close_fd(&f.in_fd);
        close_fd(&f.out_fd);
}

int measure_bytes(const struct plan *plan, struct rows *rows)
{
        for (unsigned round = 0; round < plan->warmup + plan->number; round++) {
                for (unsigned i = 0; i < rows->count; i++) {
                        rest(plan->rest_ms);
                        pump_once(plan, &rows->items[i], round >= plan->warmup);
                }
        }
        for (unsigned i = 0; i < rows->count; i++) {
                struct row *row = &rows->items[i];

                print_row(row);
                (void)printf(", \"runs\": %u, \"mib\": %u, \"mib_per_s\": %.1f, "
                             "\"min_mib_per_s\": %.1f, \"cpu_ms\": %.1f}\n",
                             row->done, plan->mib, sorted_at(row->samples, row->done, 0.5),
                             sorted_at(row->samples, row->done, 0),
                             sorted_at(row->cpu, row->done, 0.5));
        }
        return 0;
}
