/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "fault.h"

static int parse(const char *text, struct json_t **ret_doc, struct coffer_error *err)
{
        return json_parse(text, strlen(text), NULL, ret_doc, err);
}

TEST(refuses_what_is_not_strict_json)
{
        static const struct {
                const char *text;
                const char *says;
        } cases[] = {
                {"",                          "line"       },
                {"1",                         "'['"        },
                {"{",                         "line 1"     },
                {"{}x",                       "end of file"},
                {"{\"a\":1,}",                "line 1"     },
                {"{'a':1}",                   "line 1"     },
                {"{\"a\":1,\"a\":2}",         "duplicate"  },
                {"{\"a\":{\"b\":0,\"b\":0}}", "duplicate"  },
                {"[\"\\u0000\"]",             "u0000"      },
                {"[\"\xff\"]",                "decode byte"},
                {"[\"\xc0\x80\"]",            "decode byte"},
                {"[99999999999999999999]",    "big"        },
                {"[01]",                      "line 1"     },
                {"[NaN]",                     "line 1"     },
                {"// c\n{}",                  "line 1"     },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct json_t *doc = NULL;

                t_note("%s", cases[i].text);
                t_errno(EINVAL, parse(cases[i].text, &doc, &err));
                t_null(doc);
                t_has(cases[i].says, err.msg);
        }
        {
                struct json_t *doc = NULL;

                t_errno(EINVAL, json_parse("{}\0", 3, NULL, &doc, NULL));
                t_errno(EINVAL, json_parse("{\"a\0b\":1}", 9, NULL, &doc, NULL));
        }
}

TEST(stops_at_each_limit_before_it_allocates)
{
        static const struct json_limits small = {.max_bytes = 40, .max_depth = 3, .max_values = 8};
        static const struct {
                const char *text;
                const char *says; /* NULL: it passes */
        } cases[] = {
                {"[[[1]]]",                                           NULL           },
                {"[[[[1]]]]",                                         "deeper than 3"},
                {"[1,2,3,4,5,6,7,8]",                                 NULL           },
                {"[1,2,3,4,5,6,7,8,9]",                               "more than 8"  },
                {"[\"[[[[[[[[[,,,,,,,,,,,,\"]",                       NULL           },
                {"[\"\\\"[[[[[[[[[,,,,,,,\"]",                        NULL           },
                {"[\"                                           \"]", "more than 40" },
        };
        static const char deep[100000] = {[0 ... 99999] = '['};
        struct json_t *none = NULL;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(json_dropp) struct json_t *doc = NULL;
                struct coffer_error err = {0};
                int r;

                t_note("%s", cases[i].text);
                r = json_parse(cases[i].text, strlen(cases[i].text), &small, &doc, &err);
                if (!cases[i].says) {
                        t_ok(r);
                        continue;
                }
                t_errno(E2BIG, r);
                t_has(cases[i].says, err.msg);
        }
        t_errno(E2BIG, json_parse(deep, sizeof(deep), NULL, &none, NULL));
}

TEST(errors_name_the_place)
{
        static const char text[] = "{\"process\":{\"args\":[\"a\",\"b\",3],\"cwd\":true,"
                                   "\"n\":-5,\"big\":70000,\"f\":1.5,\"none\":null}}";
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root, process, cwd;
        struct coffer_error err = {0};
        struct strv args = {0};
        const char *s = "kept";
        uint64_t number = 7;
        bool yes = false;

        t_ok(parse(text, &doc, NULL));
        root = json_root(doc);
        process = json_member(&root, "process");
        cwd = json_member(&process, "cwd");

        t_errno(EINVAL, json_get_strv(&process, "args", JSON_REQUIRED, &args, &err));
        t_str("process.args[2] is not a string", err.msg);
        t_int(2, (int64_t)args.count);
        strv_release(&args);

        t_errno(EINVAL, json_get_string(&process, "cwd", JSON_OPTIONAL, &s, &err));
        t_str("process.cwd is not a string", err.msg);
        t_errno(EINVAL, json_get_string(&process, "user", JSON_REQUIRED, &s, &err));
        t_str("process.user is missing", err.msg);
        t_errno(EINVAL, json_get_string(&process, "none", JSON_REQUIRED, &s, &err));
        t_str("process.none is missing", err.msg);
        t_errno(EINVAL, json_get_u64(&process, "n", JSON_REQUIRED, 10, &number, &err));
        t_str("process.n is not between 0 and 10", err.msg);
        t_errno(EINVAL, json_get_u64(&process, "big", JSON_REQUIRED, 65535, &number, &err));
        t_errno(EINVAL, json_get_u64(&process, "f", JSON_REQUIRED, 65535, &number, &err));
        t_str("process.f is not a whole number", err.msg);
        t_errno(EINVAL, json_get_bool(&process, "n", JSON_REQUIRED, &yes, &err));
        t_errno(EINVAL, json_want_array(&process, JSON_REQUIRED, &err));
        t_str("process is not an array", err.msg);
        t_errno(EINVAL, json_want_object(&cwd, JSON_REQUIRED, &err));

        t_ok(json_get_string(&process, "none", JSON_OPTIONAL, &s, &err));
        t_ok(json_get_string(&cwd, "below-a-bool", JSON_OPTIONAL, &s, &err));
        t_str("kept", s);
        t_ok(json_get_u64(&process, "absent", JSON_OPTIONAL, 10, &number, &err));
        t_true(number == 7);
        t_ok(json_get_bool(&process, "cwd", JSON_REQUIRED, &yes, &err));
        t_true(yes);
}

TEST(a_place_that_is_too_long_is_cut)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root, member;
        struct coffer_error err = {0};
        char text[600], tiny[8];
        void *iter = NULL;

        (void)snprintf(text, sizeof(text), "{\"%0500d\":1}", 0);
        t_ok(parse(text, &doc, NULL));
        root = json_root(doc);
        t_true(json_next(&root, &iter, &member));
        t_errno(EINVAL, json_want_array(&member, JSON_REQUIRED, &err));
        t_true(strlen(err.msg) < 300);
        json_path(&member, tiny, sizeof(tiny));
        t_str("0000000", tiny);
        json_path(&root, tiny, sizeof(tiny));
        t_str("the doc", tiny);
}

TEST(walks_members_and_refuses_unknown_ones)
{
        static const char *const known[] = {"b", "a", NULL};
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        cleanup_with(json_dropp) struct json_t *other = NULL;
        struct json_value root, member;
        struct coffer_error err = {0};
        void *iter = NULL;

        t_ok(parse("{\"b\":1,\"a\":null}", &doc, NULL));
        root = json_root(doc);
        t_int(2, (int64_t)json_count(&root));
        t_true(json_next(&root, &iter, &member));
        t_str("b", member.key);
        t_true(json_next(&root, &iter, &member));
        t_str("a", member.key);
        t_false(json_has(&member));
        t_false(json_next(&root, &iter, &member));
        t_ok(json_only(&root, known, &err));

        t_ok(parse("{\"a\":1,\"argz\":1}", &other, NULL));
        root = json_root(other);
        t_errno(EINVAL, json_only(&root, known, &err));
        t_str("argz is not known", err.msg);
}

TEST(a_failed_allocation_is_told)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;

        t_ok(parse("{\"list\":[\"a\",\"b\",\"c\",\"d\"]}", &doc, NULL));
        root = json_root(doc);
        for (unsigned n = 1;; n++) {
                struct strv list = {0};
                int r;

                fault_arm(n);
                r = json_get_strv(&root, "list", JSON_REQUIRED, &list, NULL);
                if (!fault_disarm()) {
                        t_ok(r);
                        strv_release(&list);
                        break;
                }
                t_errno(ENOMEM, r);
                strv_release(&list);
        }
}
