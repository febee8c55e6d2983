/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/print.h"
#include "cli/show.h"

struct volume_args {
        struct strv filters;
        struct strv labels;
        const char *format;
        bool all;
        bool force;
        bool quiet;
};

#define VOLUME(field) offsetof(struct volume_args, field)

static void volume_release(struct volume_args *a)
{
        strv_release(&a->filters);
        strv_release(&a->labels);
}

static const struct opt create_opts[] = {
        {"label",       'l', "NAME=VALUE", opt_list, VOLUME(labels), "a label; may be repeated"},
        {0},
};

static int cmd_create(struct invocation *in)
{
        cleanup_with(volume_release) struct volume_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) char *name = NULL;
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        if (coffer_volume_create(runtime, in->argc > 0 ? in->argv[0] : NULL,
                                 (const char *const *)a.labels.items, &name, &err) < 0)
                return command_fail(in, &err);
        (void)puts(name);
        return 0;
}

static bool match_name(const void *item, const char *value)
{
        return strstr(((const struct coffer_volume_info *)item)->name, value) != NULL;
}

static bool match_label(const void *item, const char *value)
{
        return filter_label(((const struct coffer_volume_info *)item)->labels, value);
}

static bool match_dangling(const void *item, const char *value)
{
        return (((const struct coffer_volume_info *)item)->users == 0) == filter_is_true(value);
}

static const struct filter_key keys[] = {
        {"name",  match_name, NULL},
        {"label",   match_label, NULL},
        {"dangling", match_dangling, filter_check_bool},
        {0  },
};

static const struct opt ls_opts[] = {
        {"filter",         'f', "KEY=VALUE", opt_list, VOLUME(filters),
         "only volumes with this name, label or dangling=true|false"},
        {"format",     0, "FORMAT", opt_string, VOLUME(format),
         "table, json, table TEMPLATE or TEMPLATE"},
        {"quiet", 'q', NULL, opt_flag, VOLUME(quiet), "names only"},
        {0               },
};

static const struct template_header headers[] = {
        {"Name",      "VOLUME NAME"},
        {"CreatedAt", "CREATED AT" },
        {NULL,        NULL         }
};

static int print_volume(struct print *p, const struct coffer_volume_info *info,
                        struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf row = BUF_INIT(1024 * 1024);
        cleanup_with(buf_release) struct buf text = BUF_INIT(1024 * 1024);

        (void)buf_append(&row, "{", 1);
        (void)print_member(&row, "Driver", "local");
        (void)print_member(&row, "Name", info->name);
        (void)print_member(&row, "Mountpoint", info->path);
        (void)print_member(&row, "Scope", "local");
        (void)human_local_time((int64_t)info->created_ns, &text);
        (void)print_member(&row, "CreatedAt", text.data ? text.data : "");
        buf_consume(&text, text.size);
        for (size_t i = 0; info->labels && info->labels[i]; i++)
                (void)buf_printf(&text, "%s%s", i ? "," : "", info->labels[i]);
        (void)print_member(&row, "Labels", text.size > 0 ? text.data : "");
        (void)buf_printf(&row, ",\"Links\":\"%u\"", info->users);
        return print_made(p, &row, err);
}

static int cmd_ls(struct invocation *in)
{
        cleanup_with(volume_release) struct volume_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) struct coffer_volume_info **infos = NULL;
        struct print p = {.table = "{{.Driver}}\t{{.Name}}", .headers = headers};
        struct coffer_error err = {0};
        size_t count = 0;
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        p.format = a.format;
        p.quiet = a.quiet ? "{{.Name}}" : NULL;
        if (filter_check(&a.filters, keys, &err) < 0 || print_begin(&p, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = coffer_volume_list(runtime, &infos, &count, &err);
        for (size_t i = 0; r == 0 && i < count; i++)
                if (filter_match(&a.filters, keys, infos[i]))
                        r = print_volume(&p, infos[i], &err);
        print_end(&p);
        return r < 0 ? command_fail(in, &err) : 0;
}

static const struct opt rm_opts[] = {
        {"force", 'f', NULL, opt_flag, VOLUME(force), "a volume that does not exist is no failure"},
        {0  },
};

static int cmd_rm(struct invocation *in)
{
        cleanup_with(volume_release) struct volume_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        int status;

        if (!command_begin(in, &a))
                return in->status;
        status = command_open_home(in, &runtime);
        for (int i = 0; runtime && i < in->argc; i++) {
                struct coffer_error err = {0};
                int r = coffer_volume_remove(runtime, in->argv[i], &err);

                if (r == 0 || (r == -ENOENT && a.force)) {
                        (void)puts(in->argv[i]);
                        continue;
                }
                (void)fflush(stdout);
                command_report(&err);
                status = EXIT_FAILED;
        }
        return status;
}

static const struct opt inspect_opts[] = {
        {"format",  'f', "FORMAT", opt_string, VOLUME(format),
         "json, or a template such as {{.Mountpoint}}"},
        {0},
};

static int cmd_inspect(struct invocation *in)
{
        cleanup_with(volume_release) struct volume_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        if (show_check(a.format, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        return status != 0 ? status : show_objects(in, runtime, a.format, coffer_volume_inspect);
}

static const struct opt prune_opts[] = {
        {"all",        'a', NULL, opt_flag, VOLUME(all), "named volumes too"},
        {"force",        'f', NULL, opt_flag, VOLUME(force), "do not ask"},
        {0},
};

static int cmd_prune(struct invocation *in)
{
        cleanup_with(volume_release) struct volume_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) char **names = NULL;
        struct coffer_error err = {0};
        uint64_t bytes = 0;
        int status = 0, count;

        if (!command_begin(in, &a))
                return in->status;
        if (!a.force)
                status = ask_first(
                        in, "give --force",
                        a.all ? "This removes all volumes that no box names, with what is in them"
                              : "This removes all unnamed volumes that no box names, with what is "
                                "in them");
        if (status == 0)
                status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        count = coffer_volume_prune(runtime, a.all ? COFFER_PRUNE_ALL : 0, &names, &bytes, &err);
        if (count < 0)
                return command_fail(in, &err);
        ask_told("Deleted Volumes:", names, count, bytes);
        return 0;
}

const struct command command_volume_create = {
        .name = "volume create",
        .args = "[NAME]",
        .summary = "Make a volume",
        .opts = create_opts,
        .max_args = 1,
        .run = cmd_create,
};

const struct command command_volume_ls = {
        .name = "volume ls",
        .alias = "volume list",
        .args = "",
        .summary = "List volumes",
        .opts = ls_opts,
        .max_args = 0,
        .run = cmd_ls,
};

const struct command command_volume_inspect = {
        .name = "volume inspect",
        .args = "VOLUME [VOLUME...]",
        .summary = "Show all there is to know about volumes, as JSON",
        .opts = inspect_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_VOLUME,
        .run = cmd_inspect,
};

const struct command command_volume_rm = {
        .name = "volume rm",
        .alias = "volume remove",
        .args = "VOLUME [VOLUME...]",
        .summary = "Remove volumes with what is in them",
        .opts = rm_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_VOLUME,
        .run = cmd_rm,
};

const struct command command_volume_prune = {
        .name = "volume prune",
        .args = "",
        .summary = "Remove the volumes that no box names",
        .opts = prune_opts,
        .max_args = 0,
        .run = cmd_prune,
};
