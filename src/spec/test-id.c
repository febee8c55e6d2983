/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "spec/id.h"
#include "spec/spec.h"

TEST(ids_have_their_form_and_differ)
{
        char ids[200][SPEC_ID_LENGTH + 1];

        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                t_ok(spec_new_id(ids[i]));
                t_true(spec_is_id(ids[i]));
                t_false(spec_is_name(ids[i]));
                for (size_t j = 0; j < i; j++)
                        t_false(str_eq(ids[i], ids[j]));
        }
}

TEST(ids_use_every_letter_at_every_place)
{
        bool seen[SPEC_ID_LENGTH][128] = {0};
        char id[SPEC_ID_LENGTH + 1];

        /* 2,000 draws miss one of 32 letters at one of 12 places with probability 1e-25. */
        for (int n = 0; n < 2000; n++) {
                t_ok(spec_new_id(id));
                for (size_t i = 0; i < SPEC_ID_LENGTH; i++)
                        seen[i][(unsigned char)id[i]] = true;
        }
        for (size_t i = 0; i < SPEC_ID_LENGTH; i++)
                for (const char *p = "abcdefghijklmnopqrstuvwxyz234567"; *p != '\0'; p++)
                        t_true(seen[i][(unsigned char)*p]);
}

TEST(knows_ids_and_their_beginnings)
{
        static const struct {
                const char *text;
                bool id, prefix;
        } cases[] = {
                {"abcdefghij27",  true,  true },
                {"aaaaaaaaaaaa",  true,  true },
                {"222222222222",  true,  true },
                {"abcdefghij2",   false, true },
                {"abcd",          false, true },
                {"abc",           false, false},
                {"",              false, false},
                {"abcdefghij277", false, false},
                {"abcdefghij20",  false, false},
                {"abcdefghij28",  false, false},
                {"Abcdefghij27",  false, false},
                {"abcd-fghij27",  false, false},
                {"abcdefghij2\n", false, false},
                {"abc\xc3\xa4",   false, false},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("'%s'", cases[i].text);
                t_int(cases[i].id, spec_is_id(cases[i].text));
                t_int(cases[i].prefix, spec_is_id_prefix(cases[i].text));
        }
}

TEST(knows_names_from_nonsense)
{
        static const char *const good[] = {
                "a",
                "0",
                "box-1",
                "box.1",
                "box_1",
                "Box",
                "quiet_bramah",
                "a-",
                "abcdefghij28",
                "abcdefghij271",
        };
        static const char *const bad[] = {
                "",
                "-a",
                ".a",
                "_a",
                "a b",
                "a/b",
                "..",
                ".",
                "a\n",
                "m\xc3\xbcller",
                "a:b",
                "a=b",
                "abcdefghij27",
                "a'b",
                "a*",
                "$a",
        };
        char longest[SPEC_NAME_MAX + 2];

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                t_note("'%s'", good[i]);
                t_true(spec_is_name(good[i]));
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("'%s'", bad[i]);
                t_false(spec_is_name(bad[i]));
        }
        t_true(spec_is_volume_name("abcdefghij27"));

        memset(longest, 'a', sizeof(longest));
        longest[SPEC_NAME_MAX + 1] = '\0';
        t_false(spec_is_name(longest));
        longest[SPEC_NAME_MAX] = '\0';
        t_true(spec_is_name(longest));
}

TEST(made_up_names_are_names_and_never_ids)
{
        char name[SPEC_NAME_BUFFER];
        unsigned numbered = 0;

        for (unsigned i = 0; i < 5000; i++) {
                t_ok(spec_made_up_name(0, name));
                t_true(spec_is_name(name));
                t_true(strchr(name, '_') != NULL);
                t_null(strpbrk(name, "0123456789"));
                t_true(strlen(name) < SPEC_NAME_BUFFER - 1);

                t_ok(spec_made_up_name(2, name));
                t_true(spec_is_name(name));
                numbered += strpbrk(name, "0123456789") != NULL;
        }
        t_int(5000, numbered);
}
