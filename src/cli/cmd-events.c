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

struct events_args {
        struct strv filters;
        const char *format;
        const char *since;
        const char *until;
};

#define EVENTS(field) offsetof(struct events_args, field)

static const struct opt events_opts[] = {
        {"filter",         'f', "KEY=VALUE", opt_list, EVENTS(filters),
         "only events with this box, event, type, image or label"},
        {"format",     0, "FORMAT", opt_string, EVENTS(format), "json, or a template"},
        {"since", 0, "TIME", opt_string, EVENTS(since), "also what happened from this time on"},
        {"until",                0, "TIME", opt_string, EVENTS(until), "end at this time"},
        {0          },
};

static struct jv attributes(const void *item)
{
        return jv_member(jv_member(*(const struct jv *)item, "Actor"), "Attributes");
}

static bool match_box(const void *item, const char *value)
{
        const struct jv *event = item;
        cleanup_free char *id = jv_dup(*event, "id");

        return (id && str_after(id, value)) || jv_is(jv_member(attributes(item), "name"), value);
}

static bool match_event(const void *item, const char *value)
{
        cleanup_free char *action = jv_dup(*(const struct jv *)item, "Action");
        const char *rest = action ? str_after(action, value) : NULL;

        /* "health_status" is every "health_status: …"; so in Docker. */
        return rest && (*rest == '\0' || (*rest == ':' && !strchr(value, ':')));
}

static bool match_type(const void *item, const char *value)
{
        return jv_is(jv_member(*(const struct jv *)item, "Type"), value);
}

static bool match_image(const void *item, const char *value)
{
        return jv_is(jv_member(*(const struct jv *)item, "from"), value);
}

static bool match_label(const void *item, const char *value)
{
        const char *equals = strchr(value, '=');
        cleanup_free char *key = equals ? strndup(value, (size_t)(equals - value)) : strdup(value);
        struct jv found = {0};

        if (key)
                found = jv_member(attributes(item), key);
        return found.text && (!equals || jv_is(found, equals + 1));
}

static const struct filter_key keys[] = {
        {"box",       match_box, NULL},
        {"container",       match_box, NULL},
        {"event", match_event, NULL},
        {"type",       match_type, NULL},
        {"image",     match_image, NULL},
        {"label",       match_label, NULL},
        {0     },
};

/* Docker's line: time, type, action, id, and what else is known in parentheses. */
static int print_line(struct jv event)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(1024 * 1024);
        cleanup_free char *type = jv_dup(event, "Type"), *action = jv_dup(event, "Action"),
                          *id = jv_dup(event, "id");
        struct jv key, value;
        size_t at = 0, count = 0;

        if (!type || !action || !id)
                return -ENOMEM;
        (void)human_time(jv_int(event, "timeNano", 0), &b);
        (void)buf_printf(&b, " %s %s %s", type, action, id);
        while (jv_next(attributes(&event), &at, &key, &value)) {
                (void)buf_append_str(&b, count++ ? ", " : " (");
                (void)jv_plain(key, &b);
                (void)buf_append(&b, "=", 1);
                (void)jv_plain(value, &b);
        }
        (void)buf_append_str(&b, count ? ")" : "");
        for (size_t i = 0; i < b.size; i++)
                if ((unsigned char)b.data[i] < 0x20 || b.data[i] == 0x7f)
                        b.data[i] = '?';
        if (b.failed < 0)
                return b.failed;
        (void)puts(b.data);
        return 0;
}

static int print_events(const struct events_args *a, struct print *p, struct coffer_events *events,
                        struct coffer_error *err)
{
        for (;;) {
                const char *line = NULL;
                struct jv event;
                int r = coffer_events_next(events, COFFER_FOREVER, &line, err);

                if (r <= 0)
                        return r;
                r = jv_read(line, strlen(line), &event);
                if (r < 0)
                        return error_set(err, r, "read an event");
                if (!filter_match(&a->filters, keys, &event))
                        continue;
                if (a->format) {
                        r = print_row(p, event, err);
                } else {
                        r = print_line(event);
                        if (r < 0)
                                (void)error_set(err, r, "print an event");
                }
                if (r < 0)
                        return r;
                if (fflush(stdout) != 0)
                        return error_set(err, -errno, "write standard output");
        }
}

static int read_times(const struct events_args *a, struct coffer_events_options *o,
                      struct coffer_error *err)
{
        int64_t now = human_now(), since = 0, until = 0;

        if ((a->since && human_read_time(a->since, now, &since) < 0) ||
            (a->until && human_read_time(a->until, now, &until) < 0)) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "--since and --until want a point in time");
                error_hint(err, "write 2026-01-31T12:00:00Z, seconds since 1970, or 10m for ten "
                                "minutes ago");
                return -EINVAL;
        }
        o->since_ns = since > 0 ? (uint64_t)since : 0;
        o->until_ns = until > 0 ? (uint64_t)until : 0;
        /* As Docker: what is past ends, everything else goes on until it is interrupted. */
        o->follow = !a->until || until > now;
        return 0;
}

static void events_release(struct events_args *a)
{
        strv_release(&a->filters);
}

static int cmd_events(struct invocation *in)
{
        cleanup_with(events_release) struct events_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct coffer_events_options o = {.size = sizeof(o)};
        struct coffer_events *events = NULL;
        struct print p = {0};
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        p.format = a.format;
        if (read_times(&a, &o, &err) < 0 || filter_check(&a.filters, keys, &err) < 0)
                return command_fail(in, &err);
        if (a.format && str_after(a.format, "table"))
                return command_usage(in, "use json or a template", "events make no table");
        if (a.format && print_begin(&p, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;

        r = coffer_events_open(runtime, &o, &events, &err);
        if (r == 0)
                r = print_events(&a, &p, events, &err);
        events = coffer_events_free(events);
        print_end(&p);
        return r < 0 ? command_fail(in, &err) : 0;
}

const struct command command_events = {
        .name = "events",
        .args = "",
        .summary = "Show what happens to the boxes of this home",
        .opts = events_opts,
        .max_args = 0,
        .run = cmd_events,
};
