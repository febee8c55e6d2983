/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/print.h"

#define ROW_MAX       (1024 * 1024) /* bytes; labels may be long */
#define COMMAND_CHARS 20            /* of a command, as Docker */

struct ps_args {
        struct strv filters;
        const char *format;
        int64_t last;
        bool all;
        bool latest;
        bool no_trunc;
        bool quiet;
};

#define PS(field) offsetof(struct ps_args, field)

static const struct opt ps_opts[] = {
        {"all",                                                                             'a', NULL, opt_flag, PS(all), "also boxes that do not run"},
        {"filter",                                                                             'f', "KEY=VALUE", opt_list, PS(filters),
         "only boxes with this id, name, label, status, exited, ancestor, before or since"},
        {"format",                                                                          0, "FORMAT", opt_string, PS(format), "table, json, table TEMPLATE or TEMPLATE"},
        {"last",                                                                                 'n', "N", opt_count, PS(last), "the last N boxes, running or not"},
        {"latest",  'l', NULL, opt_flag, PS(latest), "the last box, running or not"},
        {"no-trunc",                                                                         0, NULL, opt_flag, PS(no_trunc), "whole commands"},
        {"quiet", 'q', NULL, opt_flag, PS(quiet), "ids only"},
        {0                                                                         },
};

static const struct template_header headers[] = {
        {"ID",         "BOX ID"    },
        {"RunningFor", "CREATED"   },
        {"CreatedAt",  "CREATED AT"},
        {NULL,         NULL        },
};

/* The words of Docker for our states. */
static const char *state_word(const struct coffer_box_info *info)
{
        return info->state == COFFER_STATE_STOPPED ? "exited" : coffer_state_name(info->state);
}

/* What a filter looks at: a box in its list. */
struct item {
        const struct coffer_box_info *info;
        struct coffer_box_info *const *all;
};

static bool match_id(const void *item, const char *value)
{
        return str_after(((const struct item *)item)->info->id, value) != NULL;
}

static bool match_name(const void *item, const char *value)
{
        return strstr(((const struct item *)item)->info->name, value) != NULL;
}

static bool match_label(const void *item, const char *value)
{
        return filter_label(((const struct item *)item)->info->labels, value);
}

static bool match_status(const void *item, const char *value)
{
        return str_eq(state_word(((const struct item *)item)->info), value);
}

static int check_status(const char *value, struct coffer_error *err)
{
        static const char *const words[] = {"created", "starting", "running",
                                            "paused",  "stopping", "restarting",
                                            "exited",  "failed",   "unknown"};

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (str_eq(value, words[i]))
                        return 0;
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "invalid filter 'status=%s'", value);
        error_hint(err, "one of: created starting running paused stopping restarting exited "
                        "failed unknown");
        return -EINVAL;
}

static bool match_exited(const void *item, const char *value)
{
        const struct coffer_box_info *info = ((const struct item *)item)->info;
        uint64_t code;

        return (info->state == COFFER_STATE_STOPPED || info->state == COFFER_STATE_FAILED) &&
               str_to_u64(value, 255, &code) == 0 && info->exit_code == (int32_t)code;
}

static int check_exited(const char *value, struct coffer_error *err)
{
        uint64_t code;

        if (str_to_u64(value, 255, &code) == 0)
                return 0;
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "invalid filter 'exited=%s'", value);
        error_hint(err, "give an exit status, a number from 0 to 255");
        return -EINVAL;
}

static bool match_health(const void *item, const char *value)
{
        const char *health = ((const struct item *)item)->info->health;

        return str_eq(health[0] != '\0' ? health : "none", value);
}

static int check_health(const char *value, struct coffer_error *err)
{
        static const char *const words[] = {"starting", "healthy", "unhealthy", "none"};

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (str_eq(value, words[i]))
                        return 0;
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "invalid filter 'health=%s'", value);
        error_hint(err, "one of: starting healthy unhealthy none");
        return -EINVAL;
}

static bool match_image(const void *item, const char *value)
{
        return str_eq(((const struct item *)item)->info->image, value);
}

static const struct coffer_box_info *find_box(const struct item *item, const char *reference)
{
        for (struct coffer_box_info *const *i = item->all; *i; i++)
                if (str_eq((*i)->id, reference) || str_eq((*i)->name, reference))
                        return *i;
        return NULL;
}

static bool match_before(const void *item, const char *value)
{
        const struct coffer_box_info *other = find_box(item, value);

        return other && ((const struct item *)item)->info->created_ns < other->created_ns;
}

static bool match_since(const void *item, const char *value)
{
        const struct coffer_box_info *other = find_box(item, value);

        return other && ((const struct item *)item)->info->created_ns > other->created_ns;
}

static const struct filter_key keys[] = {
        {"id",          match_id, NULL},
        {"name",         match_name, NULL},
        {"label",        match_label, NULL},
        {"status",         match_status, check_status},
        {"exited",       match_exited, check_exited},
        {"health",         match_health, check_health},
        {"ancestor",      match_image, NULL},
        {"before", match_before, NULL},
        {"since",      match_since, NULL},
        {0},
};

static int append_ago(struct buf *to, uint64_t then_ns, int64_t now)
{
        int64_t seconds = (now - (int64_t)then_ns) / HUMAN_NS_PER_SEC;

        (void)human_duration(seconds > 0 ? seconds : 0, to);
        return buf_append_str(to, " ago");
}

static int append_status(struct buf *to, const struct coffer_box_info *info, int64_t now)
{
        int64_t up = (now - (int64_t)info->started_ns) / HUMAN_NS_PER_SEC;

        switch (info->state) {
        case COFFER_STATE_CREATED:
                return buf_append_str(to, "Created");
        case COFFER_STATE_STARTING:
                return buf_append_str(to, "Starting");
        case COFFER_STATE_RUNNING:
        case COFFER_STATE_PAUSED:
        case COFFER_STATE_STOPPING:
                (void)buf_append_str(to, "Up ");
                (void)human_duration(up > 0 ? up : 0, to);
                if (info->state != COFFER_STATE_RUNNING)
                        return buf_append_str(to, info->state == COFFER_STATE_PAUSED
                                                          ? " (Paused)"
                                                          : " (Stopping)");
                if (info->health[0] == '\0')
                        return to->failed;
                return buf_printf(to, " (%s%s)", str_eq(info->health, "starting") ? "health: " : "",
                                  info->health);
        case COFFER_STATE_RESTARTING:
                (void)buf_printf(to, "Restarting (%d) ", info->exit_code);
                return append_ago(to, info->finished_ns, now);
        case COFFER_STATE_STOPPED:
                (void)buf_printf(to, "Exited (%d) ", info->exit_code);
                return append_ago(to, info->finished_ns, now);
        case COFFER_STATE_FAILED:
                (void)buf_printf(to, "Failed (%s) ", info->reason);
                return append_ago(to, info->finished_ns ? info->finished_ns : info->created_ns,
                                  now);
        default:
                return buf_printf(to, "Unknown (%s)", info->reason);
        }
}

/* In quotes, and no longer than Docker shows it. */
static int append_command(struct buf *to, const char *command, bool whole)
{
        size_t chars = 0, end = 0;

        (void)buf_append(to, "\"", 1);
        for (size_t i = 0; command[i]; i++) {
                if (((unsigned char)command[i] & 0xc0) != 0x80 && ++chars == COMMAND_CHARS)
                        end = i;
        }
        if (whole || chars <= COMMAND_CHARS)
                (void)buf_append_str(to, command);
        else
                (void)buf_printf(to, "%.*s…", (int)end, command);
        return buf_append(to, "\"", 1);
}

static int append_labels(struct buf *to, const char *const *labels)
{
        for (size_t i = 0; labels && labels[i]; i++)
                (void)buf_printf(to, "%s%s", i ? "," : "", labels[i]);
        return to->failed;
}

/* Docker's keys. */
enum cell {
        ID,
        NAMES,
        IMAGE,
        STATE,
        PORTS,
        NETWORKS,
        CREATED_AT,
        RUNNING_FOR,
        STATUS,
        COMMAND,
        LABELS,
        CELLS,
};

static const char *const cell_names[CELLS] = {
        "ID",        "Names",      "Image",  "State",   "Ports",  "Networks",
        "CreatedAt", "RunningFor", "Status", "Command", "Labels",
};

/* What is at hand; NULL: it takes some making. */
static const char *given_cell(enum cell cell, const struct coffer_box_info *info)
{
        switch (cell) {
        case ID:
                return info->id;
        case NAMES:
                return info->name;
        case IMAGE:
                return info->image;
        case STATE:
                return state_word(info);
        case PORTS:
                return "";
        case NETWORKS:
                return "none";
        default:
                return NULL;
        }
}

static void make_cell(enum cell cell, const struct coffer_box_info *info, bool no_trunc,
                      int64_t now, struct buf *text)
{
        if (cell == CREATED_AT)
                (void)human_local_time((int64_t)info->created_ns, text);
        else if (cell == RUNNING_FOR)
                (void)append_ago(text, info->created_ns, now);
        else if (cell == STATUS)
                (void)append_status(text, info, now);
        else if (cell == COMMAND)
                (void)append_command(text, info->command, no_trunc);
        else
                (void)append_labels(text, info->labels);
        (void)buf_append(text, "", 1);
}

/* Those that the format shows; the texts that were made are in @text. */
static int make_row(const bool wanted[CELLS], const struct coffer_box_info *info, bool no_trunc,
                    int64_t now, struct buf *text, struct template_cell row[CELLS])
{
        size_t places[CELLS], count = 0;

        buf_consume(text, text->size);
        for (enum cell i = 0; i < CELLS; i++) {
                if (!wanted[i])
                        continue;
                row[count] = (struct template_cell){cell_names[i], given_cell(i, info)};
                places[count] = text->size;
                if (!row[count++].value)
                        make_cell(i, info, no_trunc, now, text);
        }
        if (text->failed < 0)
                return text->failed;
        for (size_t i = 0; i < count; i++)
                if (!row[i].value)
                        row[i].value = text->data + places[i];
        return (int)count;
}

static bool is_wanted(const struct ps_args *a, const struct item *item, size_t shown)
{
        bool any = a->all || a->latest || a->last >= 0;

        if ((a->latest && shown >= 1) || (a->last >= 0 && shown >= (size_t)a->last))
                return false;
        /* A filter for a status is a wish for boxes in it, running or not; so in Docker. */
        for (size_t i = 0; i < a->filters.count; i++)
                any = any || str_after(a->filters.items[i], "status=") ||
                      str_after(a->filters.items[i], "exited=");
        if (!any &&
            (item->info->state == COFFER_STATE_CREATED ||
             item->info->state == COFFER_STATE_STOPPED || item->info->state == COFFER_STATE_FAILED))
                return false;
        return filter_match(&a->filters, keys, item);
}

static int print_boxes(const struct ps_args *a, struct print *p,
                       struct coffer_box_info *const *infos, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(ROW_MAX);
        struct template_cell row[CELLS];
        bool wanted[CELLS];
        int64_t now = human_now();
        size_t shown = 0;

        for (size_t i = 0; i < CELLS; i++)
                wanted[i] = print_wants(p, cell_names[i]);
        for (size_t i = 0; infos[i]; i++) {
                const struct item item = {infos[i], infos};
                int r;

                if (!is_wanted(a, &item, shown))
                        continue;
                shown++;
                r = make_row(wanted, infos[i], a->no_trunc, now, &text, row);
                if (r < 0)
                        return error_set(err, r, "show box %s", infos[i]->id);
                r = print_cells(p, row, (size_t)r, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void ps_release(struct ps_args *a)
{
        strv_release(&a->filters);
}

static int cmd_ps(struct invocation *in)
{
        cleanup_with(ps_release) struct ps_args a = {.last = -1};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) struct coffer_box_info **infos = NULL;
        struct print p = {
                .table = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t"
                         "{{.Ports}}\t{{.Names}}",
                .headers = headers,
        };
        struct coffer_error err = {0};
        size_t count = 0;
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        p.format = a.format;
        p.quiet = a.quiet ? "{{.ID}}" : NULL;
        if (filter_check(&a.filters, keys, &err) < 0 || print_begin(&p, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = coffer_box_list(runtime, &infos, &count, &err);
        if (r == 0)
                r = print_boxes(&a, &p, infos, &err);
        print_end(&p);
        return r < 0 ? command_fail(in, &err) : 0;
}

const struct command command_ps = {
        .name = "ps",
        .alias = "ls",
        .args = "",
        .summary = "List boxes",
        .opts = ps_opts,
        .max_args = 0,
        .run = cmd_ps,
};
