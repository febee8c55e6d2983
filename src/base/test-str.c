/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "t.h"

TEST(finds_what_follows_a_prefix)
{
        static const struct {
                const char *s, *prefix, *after;
        } cases[] = {
                {"oci:dir", "oci:", "dir"},
                {"oci:",    "oci:", ""   },
                {"abc",     "",     "abc"},
                {"oci",     "oci:", NULL },
                {"",        "a",    NULL },
                {"OCI:dir", "oci:", NULL },
                {"xoci:",   "oci:", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                t_str(cases[i].after, str_after(cases[i].s, cases[i].prefix));
}

TEST(reads_whole_decimal_numbers_only)
{
        static const struct {
                const char *s;
                uint64_t max;
                int expected;
                uint64_t value;
        } cases[] = {
                {"0",                     9,          0,       0         },
                {"007",                   9,          0,       7         },
                {"9",                     9,          0,       9         },
                {"18446744073709551615",  UINT64_MAX, 0,       UINT64_MAX},
                {"10",                    9,          -ERANGE, 0         },
                {"18446744073709551616",  UINT64_MAX, -ERANGE, 0         },
                {"99999999999999999999",  UINT64_MAX, -ERANGE, 0         },
                {"184467440737095516150", UINT64_MAX, -ERANGE, 0         },
                {"",                      9,          -EINVAL, 0         },
                {" 1",                    9,          -EINVAL, 0         },
                {"1 ",                    9,          -EINVAL, 0         },
                {"1\n",                   9,          -EINVAL, 0         },
                {"+1",                    9,          -EINVAL, 0         },
                {"-1",                    9,          -EINVAL, 0         },
                {"0x1",                   9,          -EINVAL, 0         },
                {"1e1",                   99,         -EINVAL, 0         },
                {"\xd9\xa1",              9,          -EINVAL, 0         },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t value = 4711;

                t_note("'%s'", cases[i].s);
                t_int(cases[i].expected, str_to_u64(cases[i].s, cases[i].max, &value));
                t_true(value == (cases[i].expected == 0 ? cases[i].value : 4711));
        }
}

TEST(copies_only_what_fits_with_its_nul)
{
        char to[4] = "old";

        t_errno(ENAMETOOLONG, str_copy(to, sizeof(to), "four"));
        t_str("old", to);
        t_errno(ENAMETOOLONG, str_copy(to, 0, ""));
        t_str("old", to);
        t_ok(str_copy(to, sizeof(to), "abc"));
        t_str("abc", to);
        t_ok(str_copy(to, sizeof(to), ""));
        t_str("", to);
}

TEST(list_ends_with_null_at_every_length)
{
        struct strv v = {0};

        for (size_t n = 1; n <= 300; n++) {
                t_ok(strv_addf(&v, "item %zu", n));
                t_int((int64_t)n, (int64_t)v.count);
                t_null(v.items[n]);
        }
        t_str("item 1", v.items[0]);
        t_str("item 300", v.items[299]);
        strv_release(&v);
        t_null(v.items);
        t_int(0, (int64_t)v.count);
}

TEST(list_has_a_maximum)
{
        struct strv v = {0};

        while (v.count < STRV_MAX)
                t_ok(strv_add(&v, ""));
        t_errno(E2BIG, strv_add(&v, "x"));
        t_int(STRV_MAX, (int64_t)v.count);
        strv_release(&v);
}

TEST(environment_is_found_by_whole_names)
{
        static const struct {
                const char *name, *value;
        } cases[] = {
                {"A",    "2"  }, /* the last one wins */
                {"AB",   "3"  },
                {"E",    ""   },
                {"EQ",   "a=b"},
                {"",     "x"  },
                {"B",    NULL },
                {"a",    NULL },
                {"ABC",  NULL },
                {"NONE", NULL },
        };
        static const char *const items[] = {"A=1", "AB=3", "A=2", "E=", "EQ=a=b", "NONE", "=x"};
        struct strv v = {0};

        for (size_t i = 0; i < ELEMENTS(items); i++)
                t_ok(strv_add(&v, items[i]));
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("'%s'", cases[i].name);
                t_str(cases[i].value, strv_get(&v, cases[i].name));
        }
        strv_release(&v);
}

TEST(set_replaces_the_one_that_get_sees)
{
        struct strv v = {0};

        t_null(strv_get(&v, "A"));
        t_ok(strv_set(&v, "A", "1"));
        t_ok(strv_set(&v, "AB", "x"));
        t_ok(strv_set(&v, "A", "2"));
        t_int(2, (int64_t)v.count);
        t_str("A=2", v.items[0]);
        t_str("AB=x", v.items[1]);
        strv_release(&v);
}

TEST(copy_appends_and_owns)
{
        struct strv from = {0}, to = {0};

        t_ok(strv_add(&from, "b"));
        t_ok(strv_add(&to, "a"));
        t_ok(strv_copy(&to, &from));
        strv_release(&from);
        t_int(2, (int64_t)to.count);
        t_str("b", to.items[1]);
        strv_release(&to);
}

static int build(struct strv *v, const struct strv *from)
{
        int r = strv_add(v, "A=1");

        if (r == 0)
                r = strv_addf(v, "B=%d", 2);
        if (r == 0)
                r = strv_copy(v, from);
        if (r == 0)
                r = strv_set(v, "A", "3");
        if (r == 0)
                r = strv_set(v, "Z", "4");
        return r;
}

TEST(survives_every_failed_allocation)
{
        struct strv from = {0};
        unsigned n;

        t_ok(strv_add(&from, "C=1"));
        t_ok(strv_add(&from, "D=1"));
        for (n = 1;; n++) {
                struct strv v = {0};
                bool struck;
                int r;

                fault_arm(n);
                r = build(&v, &from);
                struck = fault_disarm();
                t_int(struck ? -ENOMEM : 0, r);
                if (v.items)
                        t_null(v.items[v.count]);
                strv_release(&v);
                if (!struck)
                        break;
        }
        t_true(n > 6);
        strv_release(&from);
}

TEST(take_frees_what_it_cannot_keep)
{
        struct strv v = {0};

        t_errno(ENOMEM, strv_take(&v, NULL));
        fault_arm(2); /* the first is the copy made here, freed by strv_take(): ASan looks */
        t_errno(ENOMEM, strv_add(&v, "x"));
        t_true(fault_disarm());
        t_null(v.items);
        strv_release(&v);
}
