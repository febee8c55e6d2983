/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/human.h"
#include "cli/print.h"

struct df_args {
        const char *format;
        bool verbose;
};

static const struct opt df_opts[] = {
        {"format",                 0, "FORMAT", opt_string, offsetof(struct df_args, format),
         "table, json, table TEMPLATE or TEMPLATE"},
        {"verbose",                'v', NULL, opt_flag, offsetof(struct df_args, verbose),
         "each image, box and volume"},
        {0},
};

#define ID_CHARS 12

static const struct template_header headers[] = {
        {"Type",        "TYPE"       },
        {"TotalCount",  "TOTAL"      },
        {"Active",      "ACTIVE"     },
        {"Size",        "SIZE"       },
        {"Reclaimable", "RECLAIMABLE"},
        {NULL,          NULL         },
};

static void add_size(struct buf *row, const char *key, uint64_t bytes, const char *more)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(128);

        (void)human_size(bytes, &text);
        (void)buf_append_str(&text, more);
        (void)print_member(row, key, text.data ? text.data : "");
}

static int print_kind(struct print *p, const char *type, const struct coffer_usage *u,
                      struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf row = BUF_INIT(4096);
        char percent[16] = "";

        if (u->bytes > 0)
                (void)snprintf(percent, sizeof(percent), " (%u%%)",
                               (unsigned)((double)u->reclaimable * 100 / (double)u->bytes));
        (void)buf_printf(&row, "{\"Active\":\"%u\"", u->active);
        add_size(&row, "Reclaimable", u->reclaimable, percent);
        add_size(&row, "Size", u->bytes, "");
        (void)buf_printf(&row, ",\"TotalCount\":\"%u\"", u->count);
        (void)print_member(&row, "Type", type);
        return print_made(p, &row, err);
}

static int print_kinds(const struct coffer_usage_report *report, const char *format,
                       struct coffer_error *err)
{
        const struct {
                const char *type;
                const struct coffer_usage *usage;
        } kinds[] = {
                {"Images",  &report->images },
                {"Boxes",   &report->boxes  },
                {"Volumes", &report->volumes},
        };
        struct print p = {
                .headers = headers,
                .format = format,
                .table = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
        };
        int r = print_begin(&p, err);

        for (size_t i = 0; r == 0 && i < ELEMENTS(kinds); i++)
                r = print_kind(&p, kinds[i].type, kinds[i].usage, err);
        print_end(&p);
        return r;
}

/* ---------------------------------------------------------------------------------------- verbose
 */

static void add_bytes(struct buf *to, uint64_t bytes)
{
        (void)buf_append_str(to, "\t");
        (void)human_size(bytes, to);
}

static void list_images(struct coffer_image_info *const *infos, struct buf *to)
{
        (void)buf_append_str(to, "REPOSITORY\tTAG\tIMAGE ID\tSIZE\tBOXES\n");
        for (; *infos; infos++) {
                const char *hex = str_after((*infos)->id, "sha256:");

                (void)buf_printf(to, "%s\t%s\t%.*s",
                                 (*infos)->repository[0] ? (*infos)->repository : "<none>",
                                 (*infos)->tag[0] ? (*infos)->tag : "<none>", ID_CHARS,
                                 hex ? hex : "");
                add_bytes(to, (*infos)->size);
                (void)buf_printf(to, "\t%u\n", (*infos)->boxes);
        }
}

static void list_boxes(struct coffer_usage_item *const *items, struct buf *to)
{
        (void)buf_append_str(to, "BOX ID\tIMAGE\tSIZE\tRECLAIMABLE\tNAMES\n");
        for (; *items; items++) {
                const struct coffer_usage_item *item = *items;
                bool box = str_eq(item->kind, "box");

                if (str_eq(item->kind, "volume"))
                        continue;
                (void)buf_printf(to, "%.*s\t%s", ID_CHARS, item->id,
                                 box ? item->image : item->kind);
                add_bytes(to, item->bytes);
                add_bytes(to, item->reclaimable);
                (void)buf_printf(to, "\t%s\n", item->name);
        }
}

static void list_volumes(struct coffer_usage_item *const *items, struct buf *to)
{
        (void)buf_append_str(to, "VOLUME NAME\tLINKS\tSIZE\n");
        for (; *items; items++) {
                if (!str_eq((*items)->kind, "volume"))
                        continue;
                (void)buf_printf(to, "%s\t%u", (*items)->name, (*items)->users);
                add_bytes(to, (*items)->bytes);
                (void)buf_append_str(to, "\n");
        }
}

static void print_part(const char *title, struct buf *lines)
{
        (void)printf("%s space usage:\n\n", title);
        if (lines->data)
                print_table(lines->data);
        buf_consume(lines, lines->size);
}

static int print_all(struct coffer_runtime *runtime, const struct coffer_usage_report *report,
                     struct coffer_error *err)
{
        cleanup_with(coffer_release) struct coffer_image_info **images = NULL;
        cleanup_with(buf_release) struct buf lines = BUF_INIT((size_t)64 * 1024 * 1024);
        size_t count;
        int r = coffer_image_list(runtime, &images, &count, err);

        if (r < 0)
                return r;
        list_images(images, &lines);
        print_part("Images", &lines);
        list_boxes(report->items, &lines);
        (void)puts("");
        print_part("Boxes", &lines);
        list_volumes(report->items, &lines);
        (void)puts("");
        print_part("Volumes", &lines);
        return lines.failed < 0 ? error_set(err, lines.failed, "list what is here") : 0;
}

static int cmd_df(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) struct coffer_usage_report *report = NULL;
        struct print check = {.headers = headers, .table = ""};
        struct df_args a = {.format = NULL};
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        if (a.verbose && a.format)
                return command_usage(in, "leave one of them out",
                                     "--verbose and --format do not go together");
        check.format = a.format;
        r = print_begin(&check, &err);
        print_end(&check);
        if (r < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = coffer_system_usage(runtime, &report, &err);
        if (r == 0)
                r = a.verbose ? print_all(runtime, report, &err)
                              : print_kinds(report, a.format, &err);
        return r < 0 ? command_fail(in, &err) : 0;
}

const struct command command_system_df = {
        .name = "system df",
        .args = "",
        .summary = "Show what images, boxes and volumes take on disk",
        .opts = df_opts,
        .max_args = 0,
        .run = cmd_df,
};
