/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "cli/template.h"

static const char object[] =
        "{\"ID\":\"abc\",\"State\":{\"Status\":\"running\",\"Pid\":12,\"OOM\":false},"
        "\"Labels\":{\"a.b\":\"x\",\"c\":\"1\"},\"Mounts\":[{\"T\":\"/"
        "d\"},2],\"Odd\":\"a\\tb\\u001b\"}";

static int render(const char *template, bool printable, struct buf *b, struct coffer_error *err)
{
        struct jv v;

        *b = BUF_INIT(4096);
        t_ok(jv_read(object, strlen(object), &v));
        return template_render(template, v, printable, b, err);
}

TEST(a_row_of_texts_prints_as_the_object_that_is_made_of_it)
{
        static const struct template_cell cells[] = {
                {"ID",     "abc"                     },
                {"Odd",    "a\tb\x1b\"\\\xff\xc3\xa9"},
                {"Labels", ""                        },
        };
        static const char *const templates[] = {
                "{{.ID}}",       "{{.ID}}\\t{{.Labels}}|",
                "{{.Odd}}",      "{{json .Odd}}{{.ID}}",
                "{{upper .ID}}", "{{.}}",
                "{{len .Odd}}",  "{{.None}}",
                "{{.ID.Sub}}",   "a\\qb{{\"\\n\"}}",
                "{{.I}}",
        };

        for (size_t i = 0; i < 2 * ELEMENTS(templates); i++) {
                const char *template = templates[i / 2];
                struct buf json = BUF_INIT(4096), once = BUF_INIT(4096), twice = BUF_INIT(4096);
                struct coffer_error first = {0}, second = {0};
                struct jv v;
                int r;

                t_note("%s", template);
                t_ok(template_json(cells, ELEMENTS(cells), &json));
                t_ok(jv_read(json.data, json.size, &v));
                r = template_render(template, v, i & 1, &once, &first);
                t_int(r, template_render_cells(template, cells, ELEMENTS(cells), i & 1, &twice,
                                               &second));
                t_str(first.msg, second.msg);
                t_str(first.hint, second.hint);
                t_int(once.size, twice.size);
                t_mem(once.data ? once.data : "", twice.data ? twice.data : "", once.size);
                buf_release(&json);
                buf_release(&once);
                buf_release(&twice);
        }
}

TEST(fields_are_filled_in)
{
        static const struct {
                const char *template, *text;
        } cases[] = {
                {"plain",                                     "plain"                                            },
                {"{{.ID}}",                                   "abc"                                              },
                {"{{ .State.Status }}!",                      "running!"                                         },
                {"{{.ID}}\\t{{.State.Pid}}\\n",               "abc\t12\n"                                        },
                {"{{.State.OOM}}",                            "false"                                            },
                {"{{json .State}}",                           "{\"Status\":\"running\",\"Pid\":12,\"OOM\":false}"},
                {"{{json .ID}}",                              "\"abc\""                                          },
                {"{{upper .ID}}{{lower \t.State.Status}}",    "ABCrunning"                                       },
                {"{{len .Mounts}}{{len .ID}}{{len .Labels}}", "232"                                              },
                {"{{index .Labels \"a.b\"}}",                 "x"                                                },
                {"{{index .Labels \"none\"}}",                ""                                                 },
                {"{{index .Mounts 0}}",                       "{\"T\":\"/d\"}"                                   },
                {"a {{- .ID -}} b",                           "aabcb"                                            },
                {"{{\"lit\"}}{{.ID}}",                        "litabc"                                           },
                {"{ {{.ID}} }",                               "{ abc }"                                          },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct buf b;

                t_note("%s", cases[i].template);
                t_ok(template_check(cases[i].template, &err));
                t_ok(render(cases[i].template, false, &b, &err));
                t_str(cases[i].text, b.data ? b.data : "");
                buf_release(&b);
        }
}

TEST(what_is_no_template_of_ours_is_refused_before_anything_is_shown)
{
        static const char *const bad[] = {
                "{{",
                "{{}}",
                "{{ }}",
                "{{.A",
                "{{range .A}}",
                "{{.A}} {{end}}",
                "{{if .A}}",
                "{{.A | upper}}",
                "{{json}}",
                "{{json .A .B}}",
                "{{index .A}}",
                "{{ID}}",
                "{{..A}}",
                "{{.A.}}",
                "{{\"a}}",
                "{{upper \"a\"}}",
                "{{printf \"%s\" .A}}",
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct coffer_error err = {0};

                t_note("%s", bad[i]);
                t_errno(EINVAL, template_check(bad[i], &err));
                t_int(COFFER_ERROR_USAGE, err.kind);
                t_has("--format", err.msg);
        }
}

TEST(a_missing_field_is_an_error_that_names_its_neighbours)
{
        struct coffer_error err = {0};
        struct buf b;

        t_errno(ENOENT, render("{{.State.Stat}}", false, &b, &err));
        t_str("--format: there is no field '.State.Stat'", err.msg);
        t_str("beside it there are: Status Pid OOM", err.hint);
        buf_release(&b);
        t_errno(ENOENT, render("{{.ID.X}}", false, &b, &err));
        buf_release(&b);
        t_errno(ENOENT, render("{{index .Mounts 2}}", false, &b, &err));
        buf_release(&b);
}

TEST(control_characters_do_not_reach_a_table)
{
        struct buf b;

        t_ok(render("{{.Odd}}\t.", true, &b, NULL));
        t_str("a?b?\t.", b.data);
        buf_release(&b);
        t_ok(render("{{.Odd}}", false, &b, NULL));
        t_str("a\tb\033", b.data);
        buf_release(&b);
}

TEST(headers_stand_in_place_of_fields)
{
        static const struct template_header headers[] = {
                {"ID", "BOX ID"},
                {NULL, NULL    }
        };
        struct buf b = BUF_INIT(4096);

        t_ok(template_head("{{.ID}}\t{{json .Names}}", headers, &b));
        t_str("BOX ID\tNAMES", b.data);
        buf_release(&b);
}
