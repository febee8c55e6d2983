/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/print.h"

#define ROW_MAX         65536
#define INTERVAL_MS     1000
#define ONE_LOOK_MS     500 /* between the two looks that a rate takes */
#define UNKNOWN         "--"
#define CLEAR_AND_GO_UP "\033[2J\033[H"

struct stats_args {
        const char *format;
        bool all;
        bool no_stream;
};

#define STATS(field) offsetof(struct stats_args, field)

static const struct opt stats_opts[] = {
        {"all",       'a', NULL, opt_flag, STATS(all), "also boxes that do not run"},
        {"format",       0, "FORMAT", opt_string, STATS(format),
         "table, json, table TEMPLATE or TEMPLATE"},
        {"no-stream", 0, NULL, opt_flag, STATS(no_stream), "once, not every second"},
        {0          },
};

static const struct template_header headers[] = {
        {"ID",       "BOX ID"           },
        {"CPUPerc",  "CPU %"            },
        {"MemUsage", "MEM USAGE / LIMIT"},
        {"MemPerc",  "MEM %"            },
        {"NetIO",    "NET I/O"          },
        {"BlockIO",  "BLOCK I/O"        },
        {NULL,       NULL               },
};

/* A box in the list: two looks at it. */
struct row {
        struct coffer_box *box; /* owned */
        struct coffer_stats before, now;
        bool had_before, has_now;
        bool gone;
};

struct rows {
        struct row *items; /* owned */
        size_t count;
};

static void rows_release(struct rows *rows)
{
        for (size_t i = 0; i < rows->count; i++)
                rows->items[i].box = coffer_box_free(rows->items[i].box);
        free(rows->items);
        *rows = (struct rows){.items = NULL};
}

/* ----------------------------------------------------------------------------------- words */

/* As Docker: powers of 1024 for memory, of 1000 for the rest; so many figures. */
static void append_size(struct buf *to, uint64_t bytes, bool binary)
{
        static const char *const units[2][6] = {
                {"B", "kB",  "MB",  "GB",  "TB",  "PB" },
                {"B", "KiB", "MiB", "GiB", "TiB", "PiB"},
        };
        const double base = binary ? 1024 : 1000;
        double value = (double)bytes;
        size_t unit = 0;

        for (; value >= base && unit + 1 < ELEMENTS(units[0]); unit++)
                value /= base;
        (void)buf_printf(to, binary ? "%.4g%s" : "%.3g%s", value, units[binary][unit]);
}

static void append_pair(struct buf *to, bool known, uint64_t a, uint64_t b, bool binary)
{
        const uint64_t values[] = {a, b};

        for (size_t i = 0; i < ELEMENTS(values); i++) {
                (void)buf_append_str(to, i ? " / " : "");
                if (known && values[i] != COFFER_UNKNOWN)
                        append_size(to, values[i], binary);
                else
                        (void)buf_append_str(to, UNKNOWN);
        }
}

static void append_cpu(struct buf *to, const struct row *r)
{
        const struct coffer_stats *a = &r->before, *b = &r->now;

        /* Sums from two places do not compare, and one that shrank tells nothing. */
        if (!r->had_before || !r->has_now || ((a->sources ^ b->sources) & ~COFFER_SOURCE_PROC) ||
            a->cpu_ns == COFFER_UNKNOWN || b->cpu_ns == COFFER_UNKNOWN || b->cpu_ns < a->cpu_ns ||
            b->time_ns <= a->time_ns)
                (void)buf_append_str(to, UNKNOWN);
        else
                (void)buf_printf(to, "%.2f%%",
                                 100.0 * (double)(b->cpu_ns - a->cpu_ns) /
                                         (double)(b->time_ns - a->time_ns));
}

static void append_memory_share(struct buf *to, const struct row *r)
{
        const struct coffer_stats *s = &r->now;

        if (!r->has_now || s->memory_bytes == COFFER_UNKNOWN || s->memory_limit == COFFER_UNKNOWN ||
            s->memory_limit == 0)
                (void)buf_append_str(to, UNKNOWN);
        else
                (void)buf_printf(to, "%.2f%%",
                                 100.0 * (double)s->memory_bytes / (double)s->memory_limit);
}

static void append_pids(struct buf *to, const struct row *r)
{
        if (r->has_now && r->now.pids != COFFER_UNKNOWN)
                (void)buf_printf(to, "%" PRIu64, r->now.pids);
        else
                (void)buf_append_str(to, UNKNOWN);
}

static void append_source(struct buf *to, const struct row *r)
{
        static const struct {
                uint32_t bit;
                const char *word;
        } words[] = {
                {COFFER_SOURCE_CGROUP_V2, "cgroup v2"},
                {COFFER_SOURCE_CGROUP_V1, "cgroup v1"},
                {COFFER_SOURCE_PROC,      "proc"     },
        };
        size_t before = to->size;

        for (size_t i = 0; r->has_now && i < ELEMENTS(words); i++)
                if (r->now.sources & words[i].bit)
                        (void)buf_printf(to, "%s%s", to->size > before ? "+" : "", words[i].word);
        if (to->size == before)
                (void)buf_append_str(to, UNKNOWN);
}

/* Docker's keys, and where the figures are from. */
static void make_row(const struct row *r, struct buf *row)
{
        enum { CPU, MEMORY, SHARE, NET, STORAGE, PIDS, SOURCE, MADE };
        static const char *const names[MADE] = {"CPUPerc", "MemUsage", "MemPerc", "NetIO",
                                                "BlockIO", "PIDs",     "Source"};
        cleanup_with(buf_release) struct buf text = BUF_INIT(ROW_MAX);
        const struct coffer_stats *s = &r->now;

        (void)buf_append(row, "{", 1);
        (void)print_member(row, "ID", coffer_box_id(r->box));
        (void)print_member(row, "Container", coffer_box_id(r->box));
        (void)print_member(row, "Name", coffer_box_name(r->box));
        for (int i = 0; i < MADE; i++) {
                buf_consume(&text, text.size);
                if (i == CPU)
                        append_cpu(&text, r);
                else if (i == MEMORY)
                        append_pair(&text, r->has_now, s->memory_bytes, s->memory_limit, true);
                else if (i == SHARE)
                        append_memory_share(&text, r);
                else if (i == NET)
                        append_pair(&text, r->has_now, s->net_rx_bytes, s->net_tx_bytes, false);
                else if (i == STORAGE)
                        append_pair(&text, r->has_now, s->read_bytes, s->write_bytes, false);
                else if (i == PIDS)
                        append_pids(&text, r);
                else
                        append_source(&text, r);
                (void)print_member(row, names[i], text.data ? text.data : "");
        }
}

/* ------------------------------------------------------------------------------------ looks */

static void look(struct row *r)
{
        cleanup_with(coffer_release) struct coffer_stats *stats = NULL;
        struct coffer_error err = {0};
        int code = coffer_box_stats(r->box, &stats, &err);

        r->had_before = r->has_now;
        r->before = r->now;
        r->has_now = code == 0;
        r->gone = code == -ENOENT;
        if (code == 0)
                r->now = *stats;
}

static int add(struct rows *rows, struct coffer_runtime *runtime, const char *reference,
               struct coffer_error *err)
{
        struct row *items = reallocarray(rows->items, rows->count + 1, sizeof(*items));
        struct row row = {.box = NULL};
        int r;

        if (!items)
                return error_set(err, -ENOMEM, "list the boxes");
        rows->items = items;
        r = coffer_box_open(runtime, reference, &row.box, err);
        if (r < 0)
                return r;
        items[rows->count++] = row;
        return 0;
}

static bool has(const struct rows *rows, const char *id)
{
        for (size_t i = 0; i < rows->count; i++)
                if (str_eq(coffer_box_id(rows->items[i].box), id))
                        return true;
        return false;
}

static void drop(struct rows *rows, size_t i)
{
        rows->items[i].box = coffer_box_free(rows->items[i].box);
        memmove(&rows->items[i], &rows->items[i + 1], (--rows->count - i) * sizeof(rows->items[0]));
}

/* All boxes: those that came meanwhile are added. */
static int add_all(struct rows *rows, struct coffer_runtime *runtime, bool idle_too,
                   struct coffer_error *err)
{
        cleanup_with(coffer_release) struct coffer_box_info **infos = NULL;
        size_t count = 0;
        int r = coffer_box_list(runtime, &infos, &count, err);

        for (size_t i = 0; r == 0 && i < count; i++) {
                if ((!idle_too && infos[i]->pid == 0) || has(rows, infos[i]->id))
                        continue;
                r = add(rows, runtime, infos[i]->id, err);
                if (r == -ENOENT)
                        r = 0;
        }
        return r;
}

static int look_at_all(struct rows *rows, struct coffer_runtime *runtime,
                       const struct stats_args *a, bool named, struct coffer_error *err)
{
        int r = named ? 0 : add_all(rows, runtime, a->all, err);

        for (size_t i = 0; i < rows->count; i++)
                look(&rows->items[i]);
        for (size_t i = rows->count; i-- > 0;)
                if (rows->items[i].gone || (!named && !a->all && !rows->items[i].has_now))
                        drop(rows, i);
        return r;
}

static int show(const struct rows *rows, const struct stats_args *a, struct coffer_error *err)
{
        struct print p = {
                .format = a->format,
                .table = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
                         "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}\t{{.Source}}",
                .headers = headers,
        };
        int r = print_begin(&p, err);

        if (r < 0)
                return r;
        if (!a->no_stream && p.rest.is_table && isatty(STDOUT_FILENO))
                (void)fputs(CLEAR_AND_GO_UP, stdout);
        for (size_t i = 0; r == 0 && i < rows->count; i++) {
                cleanup_with(buf_release) struct buf text = BUF_INIT(ROW_MAX);

                make_row(&rows->items[i], &text);
                r = print_made(&p, &text, err);
        }
        print_end(&p);
        (void)fflush(stdout);
        return r;
}

/* True when it is over: Ctrl-C, or nobody reads any more. */
static bool wait_or_end(int signal_fd, int timeout_ms)
{
        struct pollfd fds[] = {
                {.fd = signal_fd,     .events = POLLIN},
                {.fd = STDOUT_FILENO, .events = 0     },
        };

        return poll(fds, ELEMENTS(fds), timeout_ms) > 0 || ferror(stdout);
}

static int catch_signals(struct coffer_error *err)
{
        sigset_t set;
        int fd;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
        return fd < 0 ? error_set(err, -errno, "wait for Ctrl-C") : fd;
}

static int stream(struct rows *rows, struct coffer_runtime *runtime, const struct stats_args *a,
                  bool named, struct coffer_error *err)
{
        cleanup_close int signal_fd = catch_signals(err);
        int r = signal_fd;

        if (r >= 0)
                r = look_at_all(rows, runtime, a, named, err);
        while (r == 0 && !wait_or_end(signal_fd, a->no_stream ? ONE_LOOK_MS : INTERVAL_MS)) {
                r = look_at_all(rows, runtime, a, named, err);
                if (r == 0)
                        r = show(rows, a, err);
                if (a->no_stream || (named && rows->count == 0))
                        break;
        }
        return r;
}

static int cmd_stats(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(rows_release) struct rows rows = {.items = NULL};
        struct stats_args a = {0};
        struct coffer_error err = {0};
        struct print check;
        int status;

        if (!command_begin(in, &a))
                return in->status;
        check = (struct print){.format = a.format, .table = "", .headers = headers};
        if (print_begin(&check, &err) < 0)
                return command_fail(in, &err);
        buf_release(&check.rest.text);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        for (int i = 0; i < in->argc; i++)
                if (add(&rows, runtime, in->argv[i], &err) < 0)
                        return command_fail(in, &err);
        return stream(&rows, runtime, &a, in->argc > 0, &err) < 0 ? command_fail(in, &err) : 0;
}

const struct command command_stats = {
        .name = "stats",
        .args = "[BOX...]",
        .summary = "Show what running boxes use, every second",
        .opts = stats_opts,
        .max_args = INT_MAX,
        .words = WORDS_RUNNING,
        .run = cmd_stats,
};
