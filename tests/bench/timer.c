/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - measures command lines against each other
 *
 *   timer latency [OPTIONS] ROWS   wall and CPU time of one start, competitors round by round
 *   timer rate    [OPTIONS] ROWS   starts per second, many in sequence or several at a time
 *   timer idle    [OPTIONS] ROW    PSS of all that more and more parked boxes keep
 *   timer bytes   [OPTIONS] ROWS   bytes per second through the command, from pipe to pipe
 *
 * Options: -n NUMBER (rounds; for idle the largest number of boxes), -w NUMBER (warm-up rounds),
 * -r MS (rest between runs), -c NUMBER (starts per round), -j NUMBER (starts at a time), -m MIB,
 * -p COMM (what an idle box's payload is called).
 * ROWS: row.h.  One JSON object per row and line on standard output.
 *
 * Interleaving: every round runs each competitor once, so that a busy minute of the machine hits
 * all of them.  The rest matters on its own: moving a process between cgroups waits for an RCU
 * grace period only when nobody moved one in the last ten milliseconds, and a real cold start
 * pays that.
 */

#include "modes.h"
#include "row.h"

#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

void rest(unsigned ms)
{
        struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

        (void)nanosleep(&t, NULL);
}

static const int no_stdio[2] = {-1, -1};

/* ---- latency ---- */

static void time_once(struct row *row, bool keep)
{
        struct started run;
        double begin = 0, wall, cpu = 0;
        bool good = false;

        if (row_start(row, no_stdio, &begin, &run) == 0)
                good = row_wait(&run, &cpu);
        wall = now_ms() - begin;
        row_settle(row, &cpu);
        if (!good)
                row_fail(row);
        else if (keep)
                row_add(row, wall, cpu);
}

static int measure_latency(const struct plan *plan, struct rows *rows)
{
        for (unsigned round = 0; round < plan->warmup + plan->number; round++) {
                for (unsigned i = 0; i < rows->count; i++) {
                        rest(plan->rest_ms);
                        time_once(&rows->items[i], round >= plan->warmup);
                }
        }
        for (unsigned i = 0; i < rows->count; i++) {
                struct row *row = &rows->items[i];

                print_row(row);
                (void)printf(
                        ", \"runs\": %u, \"p50_ms\": %.4f, \"p95_ms\": %.4f, \"min_ms\": %.4f, "
                        "\"cpu_ms\": %.4f}\n",
                        row->done, sorted_at(row->samples, row->done, 0.5),
                        sorted_at(row->samples, row->done, 0.95),
                        sorted_at(row->samples, row->done, 0), sorted_at(row->cpu, row->done, 0.5));
        }
        return 0;
}

/* ---- rate ---- */

static bool start_job(struct row *row, struct started *job)
{
        double at;

        if (row_start(row, no_stdio, &at, job) == 0)
                return true;
        row_fail(row);
        return false;
}

/* The first job that has ended. */
static unsigned next_ended(const struct started *jobs, unsigned count)
{
        struct pollfd ended[JOBS_MAX];

        for (unsigned i = 0; i < count; i++)
                ended[i] = (struct pollfd){.fd = jobs[i].pidfd, .events = POLLIN};
        if (poll(ended, count, -1) < 0)
                return 0;
        for (unsigned i = 0; i < count; i++)
                if (ended[i].revents)
                        return i;
        return 0;
}

static void rate_once(const struct plan *plan, struct row *row)
{
        unsigned wanted = row->count ? row->count : plan->count;
        unsigned started = 0, under_way = 0, failed = row->failed;
        struct started jobs[JOBS_MAX];
        double begin = now_ms(), wall, cpu = 0;

        while (started < wanted || under_way > 0) {
                if (started < wanted && under_way < plan->jobs) {
                        under_way += start_job(row, &jobs[under_way]);
                        started++;
                        continue;
                }
                unsigned i = next_ended(jobs, under_way);

                if (!row_wait(&jobs[i], &cpu))
                        row_fail(row);
                jobs[i] = jobs[--under_way];
        }
        wall = now_ms() - begin;
        row_settle(row, &cpu);
        if (row->failed == failed)
                row_add(row, wanted * 1e3 / wall, cpu / wanted);
}

static int measure_rate(const struct plan *plan, struct rows *rows)
{
        for (unsigned round = 0; round < plan->number; round++) {
                for (unsigned i = 0; i < rows->count; i++) {
                        rest(plan->rest_ms);
                        rate_once(plan, &rows->items[i]);
                }
        }
        for (unsigned i = 0; i < rows->count; i++) {
                struct row *row = &rows->items[i];

                print_row(row);
                (void)printf(", \"rounds\": %u, \"starts\": %u, \"jobs\": %u, \"per_s\": %.2f, "
                             "\"min_per_s\": %.2f, \"max_per_s\": %.2f, \"cpu_ms\": %.4f}\n",
                             row->done, row->count ? row->count : plan->count, plan->jobs,
                             sorted_at(row->samples, row->done, 0.5),
                             sorted_at(row->samples, row->done, 0),
                             sorted_at(row->samples, row->done, 1),
                             sorted_at(row->cpu, row->done, 0.5));
        }
        return 0;
}

/* ---- the command line ---- */

static const struct {
        const char *name;
        int (*measure)(const struct plan *plan, struct rows *rows);
} modes[] = {
        {"latency", measure_latency},
        {"rate",    measure_rate   },
        {"idle",    measure_idle   },
        {"bytes",   measure_bytes  },
};

static const struct {
        char letter;
        size_t offset;
        unsigned max;
} numbers[] = {
        {'n', offsetof(struct plan, number),  SAMPLES_MAX},
        {'w', offsetof(struct plan, warmup),  SAMPLES_MAX},
        {'r', offsetof(struct plan, rest_ms), 60000      },
        {'c', offsetof(struct plan, count),   SAMPLES_MAX},
        {'j', offsetof(struct plan, jobs),    JOBS_MAX   },
        {'m', offsetof(struct plan, mib),     65536      },
};

static bool set_number(struct plan *plan, int letter, const char *text)
{
        uint64_t value;

        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                if (numbers[i].letter != letter)
                        continue;
                if (str_to_u64(text, numbers[i].max, &value) < 0)
                        return false;
                memcpy((char *)plan + numbers[i].offset, &(unsigned){(unsigned)value},
                       sizeof(unsigned));
                return true;
        }
        return false;
}

static int parse_options(int argc, char **argv, struct plan *plan)
{
        int letter;

        /* "+": stop at the first word that is no option, which begins the rows. */
        while ((letter = getopt(argc, argv, "+n:w:r:c:j:m:p:")) != -1) {
                if (letter == 'p')
                        plan->payload = optarg;
                else if (!set_number(plan, letter, optarg))
                        return -EINVAL;
        }
        return plan->jobs > 0 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
        struct plan plan = {
                .number = 60,
                .warmup = 2,
                .rest_ms = 25,
                .count = 200,
                .jobs = 1,
                .mib = 256,
                .payload = "sleep",
        };
        static struct rows rows;
        sigset_t child;

        if (argc < 2 || parse_options(argc - 1, argv + 1, &plan) < 0) {
                (void)fputs(
                        "usage: timer latency|rate|idle|bytes [-n N] [-w N] [-r MS] [-c N] [-j N] "
                        "[-m MIB] [-p COMM] +row NAME [count=N] [ns=PATH] [fd=N:PATH] -- ARGV...\n",
                        stderr);
                return 2;
        }
        rows_parse(argv + 1 + optind, &rows);
        (void)sigemptyset(&child);
        (void)sigaddset(&child, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &child, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        for (size_t i = 0; i < ELEMENTS(modes); i++)
                if (str_eq(argv[1], modes[i].name))
                        return modes[i].measure(&plan, &rows) < 0;
        (void)fprintf(stderr, "timer: no measurement called '%s'\n", argv[1]);
        return 2;
}
