/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdlib.h>

#include "cli/jv.h"

static struct jv read_ok(const char *text)
{
        struct jv v = {0};

        t_ok(jv_read(text, strlen(text), &v));
        return v;
}

TEST(only_json_is_read)
{
        static const char *const good[] = {
                "{}",          "[]", " [ 1 , -2.5e+3 ] ", "{\"a\":{\"b\":[null,true,false]}}",
                "\"\\u00e9\"", "0",  "[[[[]]],{}]",
        };
        static const char *const bad[] = {
                "",         " ",     "{",          "}",         "[1,]",    "[,1]",        "{\"a\"}",
                "{\"a\":}", "{a:1}", "{\"a\":1,}", "01",        "1.",      "1e",          "-",
                "+1",       "tru",   "nul",        "\"",        "\"\\x\"", "\"\\u12g4\"", "\"\n\"",
                "[1 2]",    "{} {}", "[1}",        "{\"a\":1]",
        };
        struct jv v;

        for (size_t i = 0; i < ELEMENTS(good); i++)
                (void)read_ok(good[i]);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("%s", bad[i]);
                t_errno(EINVAL, jv_read(bad[i], strlen(bad[i]), &v));
        }
        /* Where the text ends is its size and no NUL. */
        t_errno(EINVAL, jv_read("[1]", 2, &v));
        t_errno(EINVAL, jv_read("[1,2]", 2, &v));
        t_ok(jv_read("[1]]", 3, &v));
}

TEST(depth_is_bounded)
{
        char text[2 * JV_DEPTH_MAX + 3];
        struct jv v;

        memset(text, '[', JV_DEPTH_MAX);
        memset(text + JV_DEPTH_MAX, ']', JV_DEPTH_MAX);
        t_ok(jv_read(text, (size_t)2 * JV_DEPTH_MAX, &v));
        memset(text, '[', JV_DEPTH_MAX + 1);
        memset(text + JV_DEPTH_MAX + 1, ']', JV_DEPTH_MAX + 1);
        t_errno(EINVAL, jv_read(text, (size_t)2 * JV_DEPTH_MAX + 2, &v));
}

TEST(members_are_found_by_what_their_names_mean)
{
        struct jv v =
                read_ok("{ \"a\" : { \"b\\u0063\" : [1, \"x\", {}] }, \"n\": -7, \"t\": true}");
        struct jv list = jv_member(jv_member(v, "a"), "bc"), item;
        size_t at = 0;

        t_int('[', jv_type(list));
        t_int(3, (int64_t)jv_count(list));
        t_true(jv_next(list, &at, NULL, &item));
        t_true(jv_next(list, &at, NULL, &item));
        t_true(jv_is(item, "x"));
        t_false(jv_is(item, "xy"));
        t_true(jv_next(list, &at, NULL, &item));
        t_false(jv_next(list, &at, NULL, &item));

        t_null(jv_member(v, "b").text);
        t_null(jv_member(jv_member(v, "n"), "b").text);
        t_int(-7, jv_int(v, "n", 0));
        t_int(5, jv_int(v, "a", 5));
        t_int(5, jv_int(v, "missing", 5));
        t_true(jv_true(v, "t"));
        t_false(jv_true(v, "n"));
}

TEST(strings_lose_their_escapes)
{
        struct jv v = read_ok("{\"s\":\"a\\n\\\"\\\\\\/\\u00e9\\ud83d\\ude00\\ud800!\",\"e\":\"\","
                              "\"n\":null}");
        char *s = jv_dup(v, "s"), *empty = jv_dup(v, "e"), *null = jv_dup(v, "n");

        t_str("a\n\"\\/é😀\xef\xbf\xbd!", s);
        t_str("", empty);
        t_str("", null);
        free(s);
        free(empty);
        free(null);
}

TEST(printing_changes_blanks_and_nothing_else)
{
        struct jv v = read_ok("{\"b\" : 1.50 ,\"a\":[ ],\"c\":{\"d\":\" , :{\"},\"e\":[1,2]}");
        struct buf b = BUF_INIT(4096);

        t_ok(jv_compact(v, &b));
        t_str("{\"b\":1.50,\"a\":[],\"c\":{\"d\":\" , :{\"},\"e\":[1,2]}", b.data);
        buf_consume(&b, b.size);
        t_ok(jv_pretty(v, 2, &b));
        t_str("{\n      \"b\": 1.50,\n      \"a\": [],\n      \"c\": {\n          \"d\": \" , "
              ":{\"\n"
              "      },\n      \"e\": [\n          1,\n          2\n      ]\n  }",
              b.data);
        buf_release(&b);
}
