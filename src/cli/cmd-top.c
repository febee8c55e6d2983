/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/human.h"
#include "cli/print.h"

/*
 * top: what ps(1) says of a box's processes.  Its options are read here, no ps is run: all of them
 * that choose columns, and none that choose processes, since the box has chosen them.
 */

#define TABLE_MAX   ((size_t)64 * 1024 * 1024)
#define COLUMNS_MAX 32
#define NS_PER_SEC  UINT64_C(1000000000)

struct look {
        int64_t now_ns;
        uint64_t host_bytes;
};

typedef void column_fn(const struct coffer_task *t, const struct look *l, struct buf *to);

/* The box's own words: nothing in them reaches the terminal as an order. */
static void append_plain(struct buf *to, const char *s)
{
        for (; *s; s++) {
                unsigned char c = (unsigned char)*s;
                /* 0xc2 and 0x80 to 0x9f are one control character in UTF-8. */
                bool control =
                        c < 0x20 || c == 0x7f ||
                        (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0);

                (void)buf_append(to, control ? "?" : s, 1);
                s += c == 0xc2 && control;
        }
}

/* By the host's file alone: a directory service would need more of a static program. */
static void put_user(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        FILE *file = fopen("/etc/passwd", "re");
        const struct passwd *entry = NULL;

        while (file && (entry = fgetpwent(file)) && entry->pw_uid != t->uid)
                ;
        if (entry)
                append_plain(to, entry->pw_name);
        else
                (void)buf_printf(to, "%u", t->uid);
        if (file)
                (void)fclose(file);
}

static void put_uid(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%u", t->uid);
}

static void put_pid(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%d", (int)t->pid);
}

static void put_ppid(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%d", (int)t->ppid);
}

static void put_pgid(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%d", (int)t->pgid);
}

static void put_sid(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%d", (int)t->sid);
}

static double cpu_percent(const struct coffer_task *t, const struct look *l)
{
        int64_t lived = l->now_ns - (int64_t)t->started_ns;

        return lived > 0 ? 100.0 * (double)t->cpu_ns / (double)lived : 0;
}

static void put_c(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        double percent = cpu_percent(t, l);

        (void)buf_printf(to, "%d", percent > 99 ? 99 : (int)percent);
}

static void put_pcpu(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%.1f", cpu_percent(t, l));
}

static void put_pmem(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%.1f",
                         l->host_bytes ? 100.0 * (double)t->rss / (double)l->host_bytes : 0);
}

static void put_vsz(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%llu", (unsigned long long)t->vsize / 1024);
}

static void put_rss(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%llu", (unsigned long long)t->rss / 1024);
}

static void put_tty(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        unsigned number = major(t->tty);

        if (t->tty == 0)
                (void)buf_append_str(to, "?");
        else if (number >= 136 && number <= 143) /* unix98 terminals, of the box's own devpts */
                (void)buf_printf(to, "pts/%u", minor(t->tty) + (number - 136) * 256);
        else
                (void)buf_printf(to, "%u:%u", number, minor(t->tty));
}

static void put_state(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_append(to, &t->state, 1);
        if (t->nice != 0)
                (void)buf_append_str(to, t->nice < 0 ? "<" : "N");
        if (t->sid == t->pid)
                (void)buf_append_str(to, "s");
        if (t->threads > 1)
                (void)buf_append_str(to, "l");
}

static void put_s(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_append(to, &t->state, 1);
}

/* The hour today, the day this year, else the year. */
static void put_stime(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        time_t then = (time_t)(t->started_ns / NS_PER_SEC);
        time_t now = (time_t)(l->now_ns / HUMAN_NS_PER_SEC);
        struct tm started, today;
        char text[16];

        (void)localtime_r(&then, &started);
        (void)localtime_r(&now, &today);
        if (started.tm_year == today.tm_year && started.tm_yday == today.tm_yday)
                (void)strftime(text, sizeof(text), "%H:%M", &started);
        else if (started.tm_year == today.tm_year)
                (void)strftime(text, sizeof(text), "%b%d", &started);
        else
                (void)strftime(text, sizeof(text), "%Y", &started);
        (void)buf_append_str(to, text);
}

static void append_clock(struct buf *to, uint64_t seconds, bool always_hours)
{
        uint64_t days = seconds / 86400, hours = seconds / 3600 % 24;

        if (days > 0)
                (void)buf_printf(to, "%llu-", (unsigned long long)days);
        if (days > 0 || hours > 0 || always_hours)
                (void)buf_printf(to, "%02llu:", (unsigned long long)hours);
        (void)buf_printf(to, "%02llu:%02llu", (unsigned long long)(seconds / 60 % 60),
                         (unsigned long long)(seconds % 60));
}

static void put_time(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        append_clock(to, t->cpu_ns / NS_PER_SEC, true);
}

static void put_bsdtime(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        uint64_t seconds = t->cpu_ns / NS_PER_SEC;

        (void)buf_printf(to, "%llu:%02llu", (unsigned long long)seconds / 60,
                         (unsigned long long)seconds % 60);
}

static void put_etime(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        int64_t lived = l->now_ns - (int64_t)t->started_ns;

        append_clock(to, lived > 0 ? (uint64_t)lived / NS_PER_SEC : 0, false);
}

static void put_nlwp(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%u", t->threads);
}

static void put_nice(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        (void)buf_printf(to, "%d", t->nice);
}

static void put_comm(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        append_plain(to, t->name);
}

static void put_cmd(const struct coffer_task *t, const struct look *l, struct buf *to)
{
        append_plain(to, t->command);
}

/* In the order of help; the names and heads are those of ps(1). */
static const struct column {
        const char *name;
        const char *head;
        column_fn *put;
} columns[] = {
        {"uid",        "UID",     put_uid    },
        {"user",       "USER",    put_user   },
        {"euser",      "EUSER",   put_user   },
        {"pid",        "PID",     put_pid    },
        {"ppid",       "PPID",    put_ppid   },
        {"pgid",       "PGID",    put_pgid   },
        {"sid",        "SID",     put_sid    },
        {"sess",       "SESS",    put_sid    },
        {"c",          "C",       put_c      },
        {"pcpu",       "%CPU",    put_pcpu   },
        {"%cpu",       "%CPU",    put_pcpu   },
        {"pmem",       "%MEM",    put_pmem   },
        {"%mem",       "%MEM",    put_pmem   },
        {"vsz",        "VSZ",     put_vsz    },
        {"rss",        "RSS",     put_rss    },
        {"tty",        "TT",      put_tty    },
        {"tt",         "TT",      put_tty    },
        {"stat",       "STAT",    put_state  },
        {"state",      "S",       put_s      },
        {"s",          "S",       put_s      },
        {"stime",      "STIME",   put_stime  },
        {"start_time", "START",   put_stime  },
        {"time",       "TIME",    put_time   },
        {"cputime",    "TIME",    put_time   },
        {"bsdtime",    "TIME",    put_bsdtime},
        {"etime",      "ELAPSED", put_etime  },
        {"nlwp",       "NLWP",    put_nlwp   },
        {"thcount",    "THCNT",   put_nlwp   },
        {"ni",         "NI",      put_nice   },
        {"nice",       "NI",      put_nice   },
        {"comm",       "COMMAND", put_comm   },
        {"ucmd",       "CMD",     put_comm   },
        {"cmd",        "CMD",     put_cmd    },
        {"args",       "COMMAND", put_cmd    },
        {"command",    "COMMAND", put_cmd    },
};

struct chosen {
        struct column items[COLUMNS_MAX];
        size_t count;
};

static int choose(struct chosen *c, const char *name, size_t size, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(columns) && c->count < COLUMNS_MAX; i++) {
                if (strlen(columns[i].name) != size || strncmp(columns[i].name, name, size) != 0)
                        continue;
                c->items[c->count++] = columns[i];
                return 0;
        }
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%.*s' is no column of coffer top",
                        (int)(size < 60 ? size : 60), name);
        error_hint(err,
                   "uid user pid ppid pgid sid c pcpu pmem vsz rss tty stat s stime time etime "
                   "nlwp ni comm cmd args");
        return -EINVAL;
}

static int choose_list(struct chosen *c, const char *list, struct coffer_error *err)
{
        int r = 0;

        while (r == 0) {
                size_t size = strcspn(list, ", ");

                r = choose(c, list, size, err);
                if (list[size] == '\0')
                        break;
                list += size + 1;
        }
        return r;
}

/* Two columns have other heads in the lists that ps has ready. */
static int choose_ready(struct chosen *c, const char *list, const char *user_head,
                        struct coffer_error *err)
{
        int r = choose_list(c, list, err);

        for (size_t i = 0; i < c->count; i++) {
                if (str_eq(c->items[i].name, "tty"))
                        c->items[i].head = "TTY";
                if (str_eq(c->items[i].name, "user"))
                        c->items[i].head = user_head;
        }
        return r;
}

#define FULL "user pid ppid c stime tty time cmd"
#define AUX  "user pid pcpu pmem vsz rss tty stat start_time bsdtime args"

/*
 * Letters of ps: -e and -A (all), -f (full), -o LIST; without the dash a, x (all), u (the users'
 * list) and o LIST.
 */
static int read_ps(char *const *words, struct chosen *c, struct coffer_error *err)
{
        bool users = false;
        int r = 0;

        for (; r == 0 && *words; words++) {
                const char *s = *words;
                bool dash = *s == '-';

                for (s += dash; r == 0 && *s; s++) {
                        if (*s == 'o') {
                                const char *list = s[1] ? s + 1 : *++words;

                                if (!list || !*list)
                                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                                         "'o' of ps needs a list of columns");
                                r = choose_list(c, list, err);
                                break;
                        }
                        if (!dash && *s == 'u') {
                                users = true;
                        } else if (!strchr(dash ? "efA" : "axe", *s)) {
                                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                                "'%s%c' is no option of ps that coffer top has",
                                                dash ? "-" : "", *s);
                                error_hint(err, "-ef, aux, or -o with a list of columns");
                                return -EINVAL;
                        }
                }
        }
        if (r == 0 && c->count == 0)
                r = users ? choose_ready(c, AUX, "USER", err) : choose_ready(c, FULL, "UID", err);
        return r;
}

static void append_table(struct buf *to, const struct chosen *c, struct coffer_task *const *tasks,
                         const struct look *l)
{
        for (size_t i = 0; i < c->count; i++)
                (void)buf_printf(to, "%s%s", i ? "\t" : "", c->items[i].head);
        for (; *tasks; tasks++) {
                for (size_t i = 0; i < c->count; i++) {
                        (void)buf_append_str(to, i ? "\t" : "\n");
                        c->items[i].put(*tasks, l, to);
                }
        }
}

static uint64_t host_bytes(struct coffer_runtime *runtime)
{
        cleanup_with(coffer_release) char *json = NULL;
        struct jv v;

        if (coffer_runtime_info(runtime, &json, NULL) < 0 || jv_read(json, strlen(json), &v) < 0)
                return 0;
        return (uint64_t)jv_int(v, "MemTotal", 0);
}

static int cmd_top(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_box_freep) struct coffer_box *box = NULL;
        cleanup_with(coffer_release) struct coffer_task **tasks = NULL;
        cleanup_with(buf_release) struct buf text = BUF_INIT(TABLE_MAX);
        struct chosen chosen = {.count = 0};
        struct coffer_error err = {0};
        struct look look = {.now_ns = human_now()};
        int status;

        if (!command_begin(in, NULL))
                return in->status;
        if (read_ps(in->argv + 1, &chosen, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_box_open(runtime, in->argv[0], &box, &err) < 0 ||
            coffer_box_tasks(box, &tasks, NULL, &err) < 0)
                return command_fail(in, &err);
        look.host_bytes = host_bytes(runtime);
        append_table(&text, &chosen, tasks, &look);
        if (text.failed < 0) {
                (void)error_set(&err, text.failed, "show the processes");
                return command_fail(in, &err);
        }
        print_table(text.data);
        return 0;
}

const struct command command_top = {
        .name = "top",
        .args = "BOX [PS-OPTION...]",
        .summary = "Show the processes of a running box",
        .min_args = 1,
        .max_args = INT_MAX,
        .options_first = true,
        .words = WORDS_RUNNING,
        .run = cmd_top,
};
