/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/human.h"

struct prune_args {
        struct strv filters;
        int64_t older_ns;
        bool audit;
        bool dry_run;
        bool force;
};

#define PRUNE(field) offsetof(struct prune_args, field)

static int opt_age(void *where, const struct opt *o, const char *value, struct coffer_error *err)
{
        int64_t age;

        if (human_read_duration(value, &age) < 0 || age >= human_now())
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "no length of time");
        *(int64_t *)where = human_now() - age;
        return 0;
}

static const struct opt prune_opts[] = {
        {"audit",       0, NULL, opt_flag, PRUNE(audit),
         "only the audit logs of boxes that were removed, and nothing else"},
        {"dry-run",         0, NULL, opt_flag, PRUNE(dry_run), "only list what would be removed"},
        {"filter", 0, "KEY=VALUE", opt_list, PRUNE(filters),
         "only boxes made until a time, with a label, or without it (label!=KEY)"},
        {"older-than",             0, "DURATION", opt_age, PRUNE(older_ns),
         "with --audit: only what was not written to for so long, such as 720h"},
        {"force",    'f', NULL, opt_flag, PRUNE(force), "do not ask"},
        {0    },
};

static int read_filter(const char *filter, struct coffer_prune_options *o, struct strv *labels,
                       struct coffer_error *err)
{
        const char *value;
        int64_t before;
        int r = -EINVAL;

        if ((value = str_after(filter, "until=")) &&
            human_read_time(value, human_now(), &before) == 0) {
                o->before_ns = (uint64_t)before;
                r = 0;
        } else if ((value = str_after(filter, "label=")) && *value) {
                r = strv_add(labels, value);
        } else if ((value = str_after(filter, "label!=")) && *value) {
                r = strv_addf(labels, "!%s", value);
        }
        if (r == -EINVAL) {
                (void)error_say(err, r, COFFER_ERROR_USAGE, "invalid filter '%s'", filter);
                error_hint(err,
                           "until=24h, until=2026-01-31, label=KEY, label=KEY=VALUE, label!=KEY");
        } else if (r < 0) {
                (void)error_set(err, r, "keep a filter");
        }
        return r;
}

static void print_item(const struct coffer_pruned *item)
{
        if (str_eq(item->kind, "box"))
                (void)puts(item->id);
        else if (str_eq(item->kind, "audit"))
                (void)printf("audit log of box %s\n", item->id);
        else if (str_eq(item->kind, "trash"))
                (void)printf("trash of box %s\n", item->id);
        else if (str_eq(item->kind, "unfinished"))
                (void)printf("unfinished box %s\n", item->id);
        else
                (void)printf("claim of %s %s by box %s\n",
                             str_eq(item->kind, "name") ? "the name" : "id range", item->name,
                             item->id);
}

static void print_items(struct coffer_pruned *const *items, bool dry)
{
        static const char *const heads[2][2] = {
                {"Deleted Boxes:",      "Deleted Leftovers:"     },
                {"Would delete Boxes:", "Would delete Leftovers:"},
        };
        uint64_t bytes = 0;

        for (int pass = 0; pass < 2; pass++) {
                bool any = false;

                for (struct coffer_pruned *const *i = items; *i; i++) {
                        if (str_eq((*i)->kind, "box") != (pass == 0))
                                continue;
                        if (!any)
                                (void)puts(heads[dry][pass]);
                        any = true;
                        print_item(*i);
                        bytes += (*i)->bytes;
                }
                if (any)
                        (void)puts("");
        }
        ask_reclaimed(dry ? "Space to be reclaimed" : "Total reclaimed space", bytes);
}

static void prune_release(struct prune_args *a)
{
        strv_release(&a->filters);
}

static int cmd_prune(struct invocation *in)
{
        cleanup_with(prune_release) struct prune_args a = {0};
        cleanup_with(strv_release) struct strv labels = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) struct coffer_pruned **items = NULL;
        struct coffer_prune_options o = {.size = sizeof(o)};
        struct coffer_error err = {0};
        int status = 0;

        if (!command_begin(in, &a))
                return in->status;
        for (size_t i = 0; i < a.filters.count; i++)
                if (read_filter(a.filters.items[i], &o, &labels, &err) < 0)
                        return command_fail(in, &err);
        o.labels = labels.count > 0 ? (const char *const *)labels.items : NULL;
        if (a.audit && a.filters.count > 0)
                return command_usage(in, "use --older-than", "--audit goes with no --filter");
        if (a.older_ns != 0 && !a.audit)
                return command_usage(in, "for boxes it is --filter until=DURATION",
                                     "--older-than goes with --audit");
        if (a.audit)
                o.before_ns = (uint64_t)a.older_ns;
        o.flags = (a.dry_run ? COFFER_PRUNE_DRY_RUN : 0) | (a.audit ? COFFER_PRUNE_AUDIT : 0);
        if (!a.force && !a.dry_run)
                status =
                        ask_first(in, "give --force, or --dry-run to see what would go",
                                  a.audit ? "This removes all audit logs of boxes that were removed"
                                          : "This removes all boxes that do not run, with all "
                                            "their files");
        if (status == 0)
                status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_prune(runtime, &o, &items, NULL, &err) < 0)
                return command_fail(in, &err);
        print_items(items, a.dry_run);
        return 0;
}

const struct command command_prune = {
        .name = "prune",
        .args = "",
        .summary = "Remove boxes that do not run, and what dead ones have left",
        .opts = prune_opts,
        .max_args = 0,
        .run = cmd_prune,
};
