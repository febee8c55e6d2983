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

struct image_args {
        struct strv filters;
        const char *format;
        bool all;
        bool digests;
        bool force;
        bool no_trunc;
        bool quiet;
};

#define IMAGE(field) offsetof(struct image_args, field)
#define ID_CHARS     12

static void image_release(struct image_args *a)
{
        strv_release(&a->filters);
}

/* -------------------------------------------------------------------------------------------- ls
 */

static bool match_reference(const void *item, const char *value)
{
        const struct coffer_image_info *info = item;
        size_t size = strlen(info->repository);

        return str_eq(info->repository, value) ||
               (strncmp(info->repository, value, size) == 0 && value[size] == ':' &&
                str_eq(info->tag, value + size + 1));
}

static bool match_dangling(const void *item, const char *value)
{
        return (((const struct coffer_image_info *)item)->repository[0] == '\0') ==
               filter_is_true(value);
}

static const struct filter_key keys[] = {
        {"reference", match_reference, NULL},
        {"dangling",       match_dangling, filter_check_bool},
        {0 },
};

static const struct opt ls_opts[] = {
        {"digests",       0, NULL, opt_flag, IMAGE(digests), "show digests"},
        {"filter",           'f', "KEY=VALUE", opt_list, IMAGE(filters),
         "only images with this reference, or dangling=true|false"},
        {"format", 0, "FORMAT", opt_string, IMAGE(format),
         "table, json, table TEMPLATE or TEMPLATE"},
        {"no-trunc",               0, NULL, opt_flag, IMAGE(no_trunc), "whole ids"},
        {"quiet",  'q', NULL, opt_flag, IMAGE(quiet), "ids only"},
        {0      },
};

static const struct template_header headers[] = {
        {"Repository",   "REPOSITORY"},
        {"Tag",          "TAG"       },
        {"Digest",       "DIGEST"    },
        {"ID",           "IMAGE ID"  },
        {"CreatedSince", "CREATED"   },
        {"CreatedAt",    "CREATED AT"},
        {"Size",         "SIZE"      },
        {"Containers",   "CONTAINERS"},
        {NULL,           NULL        },
};

static void add_times(struct buf *row, const struct coffer_image_info *info)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(256);
        int64_t age = human_now() - (int64_t)info->created_ns;

        if (info->created_ns == 0) {
                (void)print_member(row, "CreatedAt", "N/A");
                (void)print_member(row, "CreatedSince", "N/A");
                return;
        }
        (void)human_local_time((int64_t)info->created_ns, &text);
        (void)print_member(row, "CreatedAt", text.data ? text.data : "");
        buf_consume(&text, text.size);
        (void)human_duration(age < 0 ? 0 : age / HUMAN_NS_PER_SEC, &text);
        (void)buf_append_str(&text, " ago");
        (void)print_member(row, "CreatedSince", text.data ? text.data : "");
}

static int print_image(struct print *p, const struct image_args *a,
                       const struct coffer_image_info *info, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf row = BUF_INIT(64 * 1024);
        cleanup_with(buf_release) struct buf size = BUF_INIT(64);
        const char *hex = str_after(info->id, "sha256:");
        char id[80];

        (void)snprintf(id, sizeof(id), "%.*s", a->no_trunc ? 79 : ID_CHARS,
                       a->no_trunc || !hex ? info->id : hex);
        (void)human_size(info->size, &size);
        (void)buf_append(&row, "{", 1);
        (void)buf_printf(&row, "\"Containers\":\"%u\"", info->boxes);
        add_times(&row, info);
        (void)print_member(&row, "Digest", info->digest);
        (void)print_member(&row, "ID", id);
        (void)print_member(&row, "Repository", info->repository[0] ? info->repository : "<none>");
        (void)print_member(&row, "Size", size.data ? size.data : "");
        (void)print_member(&row, "Tag", info->tag[0] ? info->tag : "<none>");
        return print_made(p, &row, err);
}

static int cmd_ls(struct invocation *in)
{
        cleanup_with(image_release) struct image_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) struct coffer_image_info **infos = NULL;
        struct print p = {.headers = headers};
        struct coffer_error err = {0};
        size_t count = 0;
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        p.table = a.digests ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}"
                              "\t{{.Size}}"
                            : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
        p.format = a.format;
        p.quiet = a.quiet ? "{{.ID}}" : NULL;
        if (filter_check(&a.filters, keys, &err) < 0 || print_begin(&p, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = coffer_image_list(runtime, &infos, &count, &err);
        for (size_t i = 0; r == 0 && i < count; i++)
                if (filter_match(&a.filters, keys, infos[i]) &&
                    (in->argc == 0 || match_reference(infos[i], in->argv[0])))
                        r = print_image(&p, &a, infos[i], &err);
        print_end(&p);
        return r < 0 ? command_fail(in, &err) : 0;
}

/* --------------------------------------------------------------------------------------- inspect
 */

static const struct opt inspect_opts[] = {
        {"format",  'f', "FORMAT", opt_string, IMAGE(format),
         "json, or a template such as {{.Architecture}}"},
        {0},
};

static int cmd_inspect(struct invocation *in)
{
        cleanup_with(image_release) struct image_args a = {0};
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        if (show_check(a.format, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        return status != 0 ? status : show_objects(in, runtime, a.format, coffer_image_inspect);
}

/* -------------------------------------------------------------------------------------- tag, rm */

static int cmd_tag(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct image_args a = {0};
        struct coffer_error err = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        status = command_open_home(in, &runtime);
        if (status == 0 && coffer_image_tag(runtime, in->argv[0], in->argv[1], &err) < 0)
                status = command_fail(in, &err);
        return status;
}

static const struct opt rm_opts[] = {
        {"force", 'f', NULL, opt_flag, IMAGE(force),
         "also an image that a box was made from; one that does not exist is no failure"},
        {0  },
};

static int cmd_rm(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        struct image_args a = {0};
        int status;

        if (!command_begin(in, &a))
                return in->status;
        status = command_open_home(in, &runtime);
        for (int i = 0; runtime && i < in->argc; i++) {
                cleanup_with(coffer_release) char **lines = NULL;
                struct coffer_error err = {0};
                int r = coffer_image_remove(runtime, in->argv[i], a.force ? COFFER_IMAGE_FORCE : 0,
                                            &lines, &err);

                for (int k = 0; k < r; k++)
                        (void)puts(lines[k]);
                if (r >= 0 || (r == -ENOENT && a.force))
                        continue;
                (void)fflush(stdout);
                command_report(&err);
                status = EXIT_FAILED;
        }
        return status;
}

/* ----------------------------------------------------------------------------------------- prune
 */

static const struct opt prune_opts[] = {
        {"all",       'a', NULL, opt_flag, IMAGE(all), "named images too that no box was made from"},
        {"force",       'f', NULL, opt_flag, IMAGE(force), "do not ask"},
        {0},
};

static int cmd_prune(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) char **lines = NULL;
        struct image_args a = {0};
        struct coffer_error err = {0};
        uint64_t bytes = 0;
        int status = 0, count;

        if (!command_begin(in, &a))
                return in->status;
        if (!a.force)
                status = ask_first(in, "give --force",
                                   a.all ? "This removes all images that no box was made from"
                                         : "This removes all images without a name");
        if (status == 0)
                status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        count = coffer_image_prune(runtime, a.all ? COFFER_PRUNE_ALL : 0, &lines, &bytes, &err);
        if (count < 0)
                return command_fail(in, &err);
        ask_told("Deleted Images:", lines, count, bytes);
        return 0;
}

const struct command command_image_ls = {
        .name = "image ls",
        .alias = "images",
        .args = "[NAME[:TAG]]",
        .summary = "List images that are here",
        .opts = ls_opts,
        .max_args = 1,
        .run = cmd_ls,
};

const struct command command_image_inspect = {
        .name = "image inspect",
        .args = "IMAGE [IMAGE...]",
        .summary = "Show all there is to know about images, as JSON",
        .opts = inspect_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_STORED,
        .run = cmd_inspect,
};

const struct command command_image_tag = {
        .name = "image tag",
        .alias = "tag",
        .args = "IMAGE NAME[:TAG]",
        .summary = "Give an image one more name",
        .min_args = 2,
        .max_args = 2,
        .words = WORDS_STORED,
        .run = cmd_tag,
};

const struct command command_image_rm = {
        .name = "image rm",
        .alias = "rmi",
        .args = "IMAGE [IMAGE...]",
        .summary = "Take names away and, with the last one, the image",
        .opts = rm_opts,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_STORED,
        .run = cmd_rm,
};

const struct command command_image_prune = {
        .name = "image prune",
        .args = "",
        .summary = "Remove images without a name, and what pulls have left",
        .opts = prune_opts,
        .max_args = 0,
        .run = cmd_prune,
};
