/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/print.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

static int read_object(const char *json, struct jv *ret_v, struct coffer_error *err)
{
        int r = jv_read(json, strlen(json), ret_v);

        return r < 0 ? error_set(err, r, "read what the library says") : 0;
}

static int get_object(struct coffer_runtime *runtime, const char *reference, show_fn get,
                      char **ret_json, struct jv *ret_v, struct coffer_error *err)
{
        int r = get(runtime, reference, ret_json, err);

        return r < 0 ? r : read_object(*ret_json, ret_v, err);
}

static int write_text(const struct buf *text, struct coffer_error *err)
{
        if (text->failed < 0)
                return error_set(err, text->failed, "write the output");
        if (text->data)
                (void)fwrite(text->data, 1, text->size, stdout);
        return 0;
}

static int show_template(const char *format, struct jv v, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(TEXT_MAX);
        int r = template_render(format, v, false, &text, err);

        if (r < 0)
                return r;
        (void)buf_append(&text, "\n", 1);
        return write_text(&text, err);
}

int show_object(const char *json, const char *format, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(TEXT_MAX);
        struct jv v;
        int r = read_object(json, &v, err);

        if (r < 0)
                return r;
        if (format && *format && !str_eq(format, "json"))
                return show_template(format, v, err);
        (void)(format && *format ? jv_compact(v, &text) : jv_pretty(v, 0, &text));
        (void)buf_append(&text, "\n", 1);
        return write_text(&text, err);
}

int show_check(const char *format, struct coffer_error *err)
{
        return format && !str_eq(format, "json") ? template_check(format, err) : 0;
}

int show_objects(const struct invocation *in, struct coffer_runtime *runtime, const char *format,
                 show_fn get)
{
        cleanup_with(buf_release) struct buf array = BUF_INIT(TEXT_MAX);
        bool pretty = !format || *format == '\0';
        bool compact = format && str_eq(format, "json");
        struct coffer_error err = {0};
        int status = 0;

        for (int i = 0; i < in->argc; i++) {
                cleanup_with(coffer_release) char *json = NULL;
                struct jv v;
                int r = get_object(runtime, in->argv[i], get, &json, &v, &err);

                if (r == 0 && !pretty && !compact)
                        r = show_template(format, v, &err);
                if (r < 0) {
                        (void)fflush(stdout);
                        (void)command_fail(in, &err);
                        status = EXIT_FAILED;
                        continue;
                }
                if (array.size > 0)
                        (void)buf_append(&array, ",", 1);
                if (pretty) {
                        (void)buf_append_str(&array, "\n    ");
                        (void)jv_pretty(v, 4, &array);
                } else if (compact) {
                        (void)jv_compact(v, &array);
                }
        }
        if (pretty || compact)
                (void)printf("[%s%s]\n", array.data ? array.data : "",
                             pretty && array.size > 0 ? "\n" : "");
        if (array.failed < 0) {
                (void)error_set(&err, array.failed, "write the output");
                return command_fail(in, &err);
        }
        return status;
}

int show_posture(const struct invocation *in, struct coffer_runtime *runtime, show_fn get)
{
        static const struct template_header none[] = {
                {NULL, NULL}
        };
        struct coffer_error err = {0};
        int status = 0;

        for (int i = 0; i < in->argc; i++) {
                cleanup_with(coffer_release) char *json = NULL;
                struct print p = {
                        .table =
                                "{{.control}}\t{{.wanted}}\t{{.state}}\t{{.detail}}\t{{.verified}}",
                        .headers = none};
                struct jv v, row;
                size_t at = 0;
                int r = get_object(runtime, in->argv[i], get, &json, &v, &err);

                if (r == 0)
                        r = print_begin(&p, &err);
                if (r == 0 && in->argc > 1)
                        (void)printf("%s%s:\n", i > 0 ? "\n" : "", in->argv[i]);
                if (r == 0)
                        v = jv_member(v, "Posture");
                while (r == 0 && jv_next(v, &at, NULL, &row))
                        r = print_row(&p, row, &err);
                if (r == 0)
                        print_end(&p);
                if (r < 0) {
                        buf_release(&p.rest.text);
                        (void)fflush(stdout);
                        (void)command_fail(in, &err);
                        status = EXIT_FAILED;
                }
        }
        return status;
}
