/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pulling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/human.h"
#include "cli/terminal.h"

#define ROWS_MAX     256
#define DRAW_EACH_NS (HUMAN_NS_PER_SEC / 10)
#define BAR_CELLS    24
#define ID_CHARS     12

enum how { HOW_QUIET, HOW_PLAIN, HOW_BARS, HOW_JSON };

/* A layer, as it was last heard of. */
struct row {
        char id[ID_CHARS + 1];
        enum coffer_pull_step step;
        uint64_t done, total;
        uint64_t first;   /* bytes that were here before */
        int64_t began_ns; /* 0: no byte has come yet */
        bool known;
        bool told; /* plain: that it is being fetched */
};

struct pulling {
        const struct pull_args *args;
        enum how how;
        const char *complete; /* what is said of a layer in its place */
        struct row *rows;     /* owned; ROWS_MAX; NULL until something is told */
        uint32_t count;
        uint32_t drawn; /* lines on the terminal */
        int64_t drawn_ns;
};

static const struct {
        const char *name;
        enum coffer_pull_policy policy;
} policies[] = {
        {"missing", COFFER_PULL_MISSING},
        {"always",  COFFER_PULL_ALWAYS },
        {"newer",   COFFER_PULL_NEWER  },
        {"never",   COFFER_PULL_NEVER  },
};

static int find_policy(const char *name, enum coffer_pull_policy *ret)
{
        for (size_t i = 0; i < ELEMENTS(policies); i++)
                if (str_eq(policies[i].name, name)) {
                        *ret = policies[i].policy;
                        return 0;
                }
        return -EINVAL;
}

int pulling_check(const struct pull_args *a, struct coffer_error *err)
{
        enum coffer_pull_policy policy;

        if (a->policy && find_policy(a->policy, &policy) < 0) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "invalid argument \"%.40s\" for \"--pull\" flag", a->policy);
                error_hint(err, "give always, missing, newer or never");
                return -EINVAL;
        }
        if (a->progress && !str_eq(a->progress, "auto") && !str_eq(a->progress, "plain") &&
            !str_eq(a->progress, "json")) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "invalid argument \"%.40s\" for \"--progress\" flag", a->progress);
                error_hint(err, "give auto, plain or json");
                return -EINVAL;
        }
        return 0;
}

static enum how how_to(const struct pull_args *a)
{
        const char *term = getenv("TERM");

        if (a->progress && str_eq(a->progress, "json"))
                return HOW_JSON;
        if (a->quiet)
                return HOW_QUIET;
        if ((a->progress && str_eq(a->progress, "plain")) || !isatty(STDERR_FILENO) || !term ||
            str_eq(term, "dumb"))
                return HOW_PLAIN;
        return HOW_BARS;
}

/* --------------------------------------------------------------------------------------- words */

static const struct {
        const char *json;
        const char *words;
} steps[] = {
        [COFFER_PULL_BEGINS] = {"begins",    "Pulling"                 },
        [COFFER_PULL_EXISTS] = {"exists",    "Already exists"          },
        [COFFER_PULL_WAITING] = {"waiting",   "Waiting for another pull"},
        [COFFER_PULL_FETCHING] = {"fetching",  "Fetching"                },
        [COFFER_PULL_UNPACKING] = {"unpacking", "Unpacking"               },
        [COFFER_PULL_COMPLETE] = {"complete",  "Pull complete"           },
        [COFFER_PULL_RETRY] = {"retry",     "Retrying"                },
};

static void say_retry(const struct coffer_pull_progress *p)
{
        (void)fprintf(stderr, "%.*s: %s; trying again in %u s\n", ID_CHARS, p->name, p->words,
                      (unsigned)p->wait_s);
}

static const char *words_of(const struct pulling *v, uint32_t step)
{
        return step == COFFER_PULL_COMPLETE ? v->complete : steps[step].words;
}

static void say_plain(const struct pulling *v, struct row *row,
                      const struct coffer_pull_progress *p)
{
        cleanup_with(buf_release) struct buf size = BUF_INIT(64);

        if (p->step == COFFER_PULL_UNPACKING || (p->step == COFFER_PULL_FETCHING && row->told))
                return;
        if (p->step == COFFER_PULL_FETCHING) {
                row->told = true;
                (void)human_size(p->total - p->done, &size);
        }
        (void)fprintf(stderr, "%s: %s%s%s\n", row->id, words_of(v, p->step), size.data ? " " : "",
                      size.data ? size.data : "");
}

static void say_json(const struct coffer_pull_progress *p)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(64 * 1024);

        (void)buf_printf(&text, "{\"status\":\"%s\",\"name\":", steps[p->step].json);
        (void)buf_append_json(&text, p->name);
        if (p->layers > 0)
                (void)buf_printf(&text, ",\"layer\":%u,\"layers\":%u,\"done\":%llu,\"total\":%llu",
                                 p->layer, p->layers, (unsigned long long)p->done,
                                 (unsigned long long)p->total);
        if (p->step == COFFER_PULL_RETRY) {
                (void)buf_printf(&text, ",\"wait\":%u,\"error\":", p->wait_s);
                (void)buf_append_json(&text, p->words);
        }
        if (buf_append_str(&text, "}") == 0)
                (void)puts(text.data);
        (void)fflush(stdout);
}

/* ---------------------------------------------------------------------------------------- bars */

static void draw_fetching(const struct row *row, struct buf *line)
{
        unsigned cells = row->total ? (unsigned)(row->done * BAR_CELLS / row->total) : BAR_CELLS;
        int64_t ns = row->began_ns ? human_now() - row->began_ns : 0;
        uint64_t rate = 0;

        (void)buf_append_str(line, "[");
        for (unsigned i = 0; i < BAR_CELLS; i++)
                (void)buf_append_str(line, i < cells ? "=" : i == cells ? ">" : " ");
        (void)buf_append_str(line, "] ");
        (void)human_size(row->done, line);
        (void)buf_append_str(line, "/");
        (void)human_size(row->total, line);
        if (ns > HUMAN_NS_PER_SEC / 2)
                rate = (uint64_t)((double)(row->done - row->first) * 1e9 / (double)ns);
        if (rate > 0) {
                (void)buf_append_str(line, "  ");
                (void)human_size(rate, line);
                (void)buf_printf(line, "/s  %llu s left",
                                 (unsigned long long)((row->total - row->done) / rate));
        }
}

static void draw(struct pulling *v)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(256 * 1024);

        if (v->drawn > 0)
                (void)buf_printf(&text, "\033[%uA", v->drawn);
        for (uint32_t i = 0; i < v->count; i++) {
                const struct row *row = &v->rows[i];

                (void)buf_printf(&text, "\r\033[K%s: ", row->known ? row->id : "            ");
                if (!row->known)
                        (void)buf_append_str(&text, "Queued");
                else if (row->step == COFFER_PULL_FETCHING)
                        draw_fetching(row, &text);
                else
                        (void)buf_append_str(&text, words_of(v, row->step));
                (void)buf_append_str(&text, "\n");
        }
        if (text.failed == 0 && text.size > 0)
                (void)fwrite(text.data, 1, text.size, stderr);
        (void)fflush(stderr);
        v->drawn = v->count;
        v->drawn_ns = human_now();
}

/* --------------------------------------------------------------------------------------- events */

static void update(struct row *row, const struct coffer_pull_progress *p)
{
        (void)snprintf(row->id, sizeof(row->id), "%.*s", ID_CHARS, p->name);
        if (p->step == COFFER_PULL_FETCHING && (!row->known || row->step != COFFER_PULL_FETCHING)) {
                row->first = p->done;
                row->began_ns = human_now();
        }
        row->known = true;
        row->step = (enum coffer_pull_step)p->step;
        row->done = p->done;
        row->total = p->total;
}

static void see(void *data, const struct coffer_pull_progress *p)
{
        struct pulling *v = data;
        struct row *row = NULL;
        uint32_t lines, columns;
        bool changed;

        if (!v->rows) {
                v->how = how_to(v->args);
                v->rows = calloc(ROWS_MAX, sizeof(*v->rows));
        }
        if (v->rows && p->layers > 0 && p->layer < ROWS_MAX)
                row = &v->rows[p->layer];
        if (v->how == HOW_JSON)
                say_json(p);
        if (v->how == HOW_JSON || v->how == HOW_QUIET)
                return;
        if (p->step == COFFER_PULL_RETRY || !row) {
                if (p->step == COFFER_PULL_RETRY)
                        say_retry(p);
                else
                        (void)fprintf(stderr, "Pulling %s\n", p->name);
                v->drawn = 0; /* what was drawn has moved up */
                return;
        }
        changed = !row->known || row->step != (enum coffer_pull_step)p->step;
        update(row, p);
        v->count = p->layers < ROWS_MAX ? p->layers : ROWS_MAX;
        /* More layers than lines cannot be drawn over. */
        if (v->how == HOW_BARS && (!terminal_size(&lines, &columns) || lines < v->count + 2))
                v->how = HOW_PLAIN;
        if (v->how == HOW_PLAIN)
                say_plain(v, row, p);
        else if (changed || human_now() - v->drawn_ns > DRAW_EACH_NS)
                draw(v);
}

int pulling_run(struct coffer_runtime *runtime, const char *reference, const struct pull_args *args,
                struct coffer_pull_result *ret, struct coffer_error *err)
{
        struct pulling view = {.args = args, .complete = steps[COFFER_PULL_COMPLETE].words};
        enum coffer_pull_policy policy = COFFER_PULL_MISSING;
        struct coffer_pull_options options = {
                .size = sizeof(options),
                .platform = args->platform,
                .progress = see,
                .data = &view,
        };
        int r;

        if (args->policy)
                (void)find_policy(args->policy, &policy); /* pulling_check() has seen it */
        options.policy = policy;
        r = coffer_image_pull(runtime, reference, &options, ret, err);
        free(view.rows);
        return r;
}

int pulling_load(struct coffer_runtime *runtime, int fd, bool quiet, char ***ret_lines,
                 struct coffer_error *err)
{
        const struct pull_args args = {.quiet = quiet || !isatty(STDERR_FILENO)};
        struct pulling view = {.args = &args, .complete = "Loaded"};
        struct coffer_load_options options = {
                .size = sizeof(options),
                .progress = see,
                .data = &view,
        };
        int r = coffer_image_load(runtime, fd, &options, ret_lines, err);

        free(view.rows);
        return r;
}
