/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "fault.h"
#include "init/init.h"
#include "t.h"

/* passwd and group as a program of the image would have written them, and lines that it would not.
 */
static const char passwd[] =
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
        "\n"
        "# a comment: with: colons: 0:0:/:\n"
        "alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\n"
        "bob:x:1001:100::/home/bob:/bin/sh\n"
        "alice:x:0:0:second:/root:/bin/sh\n" /* the first line of a name counts */
        "2000:x:3000:3000:a name of digits:/home/digits:/bin/sh\n"
        "toor:x:0:0:again:/toor:/bin/sh\n"
        "max:x:4294967294:4294967294::/max:\n"
        "over:x:4294967295:0::/over:\n"
        "nocolon\n"
        "short:x:0:0\n"
        "five:x:0:0:five fields\n"
        "empty-uid:x::0::/e:\n"
        "empty-gid:x:1100:::/e:\n"
        "neg:x:-1:0::/e:\n"
        "negzero:x:-0:0::/e:\n"
        "hex:x:0x0:0::/e:\n"
        "plus:x:+0:0::/e:\n"
        "space: x: 0:0::/e:\n"
        "huge:x:18446744073709551616:0::/e:\n" /* 2^64, 0 where numbers wrap */
        "wrap:x:4294967296:0::/e:\n"           /* 2^32, likewise */
        "badgid:x:1100:zero::/e:\n"
        "crlf:x:1200:1200::/home/crlf:/bin/sh\r\n"
        "more:x:1300:1300::/home/more:/bin/sh:0:0:0\n"
        "relative:x:1400:1400::home/relative:/bin/sh\n"
        "nohome:x:1500:1500:::/bin/sh\n"
        "+::::::\n"
        ":x:1600:1600::/unnamed:\n"
        " blank:x:1700:1700::/blank:\n"
        "grüße:x:1800:1800::/home/ü:\n"
        "last:x:1900:1900::/home/last:/bin/sh"; /* no newline */

static const char group[] = "root:x:0:\n"
                            "tty:x:5:\n"
                            "wheel:x:10:alice,root,alice\n"
                            "wheel2:x:10:alice\n" /* the same number by another name */
                            "users:x:100:alice,bob\n"
                            "alice:x:1000:alice\n" /* his own group */
                            "55:x:66:\n"           /* a name of digits */
                            "docker:x:999: alice\n"
                            "audio:x:29:alicex,xalice,,\n"
                            "bad:x:ten:alice\n"
                            "wrapped:x:4294967296:alice\n"
                            "nobody4:x:4294967295:alice\n"
                            "three:x:33\n"
                            "two:x\n"
                            "many:x:77:bob:alice\n" /* a field too many */
                            "max:x:4294967294:bob";

#define OK 0

static const struct {
        const char *text;
        int code; /* 0 or a positive errno */
        uid_t uid;
        gid_t gid;
        const char *home;
        const char *groups; /* supplementary, "10 100" */
} cases[] = {
        {"",                        OK,     0,           0,           "/root",        "10"           },
        {"0",                       OK,     0,           0,           "/root",        "10"           },
        {"root",                    OK,     0,           0,           "/root",        "10"           },
        {":",                       OK,     0,           0,           "/root",        "10"           },
        {":5",                      OK,     0,           5,           "/root",        ""             },
        {":tty",                    OK,     0,           5,           "/root",        ""             },
        {"0:0",                     OK,     0,           0,           "/root",        ""             },
        {"00",                      OK,     0,           0,           "/root",        "10"           },
        {"root:users",              OK,     0,           100,         "/root",        ""             },
        {"toor",                    OK,     0,           0,           "/toor",        ""             },
        {"alice",                   OK,     1000,        1000,        "/home/alice",  "10 100"       },
        {"alice:",                  OK,     1000,        1000,        "/home/alice",  "10 100"       },
        {"1000",                    OK,     1000,        1000,        "/home/alice",  "10 100"       },
        {"1000:",                   OK,     1000,        1000,        "/home/alice",  "10 100"       },
        {"0001000",                 OK,     1000,        1000,        "/home/alice",  "10 100"       },
        {"alice:users",             OK,     1000,        100,         "/home/alice",  ""             },
        {"alice:0",                 OK,     1000,        0,           "/home/alice",  ""             },
        {"1000:1000",               OK,     1000,        1000,        "/home/alice",  ""             },
        {"bob",                     OK,     1001,        100,         "/home/bob",    "77 4294967294"},
        {"daemon",                  OK,     1,           1,           "/usr/sbin",    ""             },
        {"4242",                    OK,     4242,        0,           "/",            ""             },
        {"4242:4243",               OK,     4242,        4243,        "/",            ""             },
        {"4242:tty",                OK,     4242,        5,           "/",            ""             },
        {"2000",                    OK,     3000,        3000,        "/home/digits", ""             },
        {"3000",                    OK,     3000,        3000,        "/home/digits", ""             },
        {"alice:55",                OK,     1000,        66,          "/home/alice",  ""             },
        {"alice:66",                OK,     1000,        66,          "/home/alice",  ""             },
        {"alice:three",             OK,     1000,        33,          "/home/alice",  ""             },
        {"4294967294",              OK,     4294967294U, 4294967294U, "/max",         ""             },
        {"max:max",                 OK,     4294967294U, 4294967294U, "/max",         ""             },
        {"crlf",                    OK,     1200,        1200,        "/home/crlf",   ""             },
        {"more",                    OK,     1300,        1300,        "/home/more",   ""             },
        {"relative",                OK,     1400,        1400,        "/",            ""             },
        {"nohome",                  OK,     1500,        1500,        "/",            ""             },
        {"1600",                    OK,     1600,        1600,        "/unnamed",     ""             },
        {" blank",                  OK,     1700,        1700,        "/blank",       ""             },
        {"grüße",                 OK,     1800,        1800,        "/home/ü",     ""             },
        {"last",                    OK,     1900,        1900,        "/home/last",   ""             },
        {"1100",                    OK,     1100,        0,           "/",            ""             },

        {"0x3e8",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"0x0",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"1000 ",                   ENOENT, 0,           0,           NULL,           NULL           },
        {" 1000",                   ENOENT, 0,           0,           NULL,           NULL           },
        {" ",                       ENOENT, 0,           0,           NULL,           NULL           },
        {"\t0",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"+0",                      ENOENT, 0,           0,           NULL,           NULL           },
        {"-0",                      ENOENT, 0,           0,           NULL,           NULL           },
        {"-1",                      ENOENT, 0,           0,           NULL,           NULL           },
        {"1e3",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"1000.0",                  ENOENT, 0,           0,           NULL,           NULL           },
        {"1,000",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"4294967295",              ENOENT, 0,           0,           NULL,           NULL           },
        {"4294967296",              ENOENT, 0,           0,           NULL,           NULL           },
        {"4294968296",              ENOENT, 0,           0,           NULL,           NULL           },
        {"18446744073709551616",    ENOENT, 0,           0,           NULL,           NULL           },
        {"99999999999999999999999", ENOENT, 0,           0,           NULL,           NULL           },
        {"\xef\xbc\x94",            ENOENT, 0,           0,           NULL,           NULL           }, /* U+FF14 */
        {"\xef\xbc\x90",            ENOENT, 0,           0,           NULL,           NULL           }, /* U+FF10 */
        {"root\n",                  ENOENT, 0,           0,           NULL,           NULL           },
        {"0\n",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"root ",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"Root",                    ENOENT, 0,           0,           NULL,           NULL           },
        {"roo",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"roott",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"carol",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"blank",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"# a comment",             ENOENT, 0,           0,           NULL,           NULL           },
        {"+",                       ENOENT, 0,           0,           NULL,           NULL           },
        {"nocolon",                 ENOENT, 0,           0,           NULL,           NULL           },
        {"short",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"five",                    ENOENT, 0,           0,           NULL,           NULL           },
        {"empty-uid",               ENOENT, 0,           0,           NULL,           NULL           },
        {"empty-gid",               ENOENT, 0,           0,           NULL,           NULL           },
        {"neg",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"negzero",                 ENOENT, 0,           0,           NULL,           NULL           },
        {"hex",                     ENOENT, 0,           0,           NULL,           NULL           },
        {"plus",                    ENOENT, 0,           0,           NULL,           NULL           },
        {"space",                   ENOENT, 0,           0,           NULL,           NULL           },
        {"huge",                    ENOENT, 0,           0,           NULL,           NULL           },
        {"wrap",                    ENOENT, 0,           0,           NULL,           NULL           },
        {"over",                    ENOENT, 0,           0,           NULL,           NULL           },
        {"badgid",                  ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:nogroup",           ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:two",               ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:bad",               ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:wrapped",           ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:nobody4",           ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:-1",                ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:4294967295",        ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:4294967296",        ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:users:users",       ENOENT, 0,           0,           NULL,           NULL           },
        {"alice:100:0",             ENOENT, 0,           0,           NULL,           NULL           },
        {"alice: 100",              ENOENT, 0,           0,           NULL,           NULL           },
        {"alice::",                 ENOENT, 0,           0,           NULL,           NULL           },
        {"carol:0",                 ENOENT, 0,           0,           NULL,           NULL           },
};

static const struct strv no_groups;

static void groups_text(const struct user *u, char *to, size_t size)
{
        size_t n = 0;

        to[0] = '\0';
        for (size_t i = 0; i < u->group_count; i++)
                n += (size_t)snprintf(to + n, size - n, "%s%u", i ? " " : "", u->groups[i]);
}

TEST(a_user_is_who_the_text_and_the_files_say)
{
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                struct user u, untouched;
                char groups[256];
                int r;

                memset(&u, 0xaa, sizeof(u));
                untouched = u;
                t_note("'%s'", cases[i].text);
                r = user_resolve_text(cases[i].text, &no_groups, passwd, group, &u, &err);
                t_int(-cases[i].code, r);
                if (r < 0) {
                        t_mem(&untouched, &u, sizeof(u));
                        t_int(r, err.code);
                        t_int(COFFER_ERROR_USAGE, err.kind);
                        t_has("in the box", err.msg);
                        t_null(strchr(err.msg, '\n'));
                        t_has("number", err.hint);
                        continue;
                }
                groups_text(&u, groups, sizeof(groups));
                t_true(u.uid == cases[i].uid);
                t_true(u.gid == cases[i].gid);
                t_str(cases[i].home, u.home);
                t_str(cases[i].groups, groups);
        }
}

/* Whoever is not root by his text or by passwd never is, whatever the files hold. */
TEST(nobody_becomes_root_by_accident)
{
        static const char *const files[] = {
                NULL,
                "",
                "\n",
                "\n\n\n",
                ":",
                "::::::\n",
                ":x:0:0::/:\n",
                ":0:0:0:0:0:0\n",
                "alice",
                "alice:x:0",
                "alice:x:0:0",
                "alice:x:0:0:",
                "Alice:x:0:0::/:\n",
                "alice \t:x:0:0::/:\n",
                "root:x:0:0::/:alice:x:0:0::/:\n",
                "\0alice:x:0:0::/:\n",
                "a\0lice:x:0:0::/:\n",
                "\ralice:x:0:0::/:\n",
                "alice:x: 0:0::/:\n",
                "alice:x:0 :0::/:\n",
                "alice:x:00x:0::/:\n",
                "alice\n:x:0:0::/:\n",
        };
        static const char *const texts[] = {"alice", "alice:0", "1000", "1000:0", "4294967294"};

        for (size_t f = 0; f < ELEMENTS(files); f++)
                for (size_t i = 0; i < ELEMENTS(texts); i++) {
                        struct user u = {.uid = 77};
                        int r = user_resolve_text(texts[i], &no_groups, files[f], files[f], &u,
                                                  NULL);

                        t_note("%zu '%s'", f, texts[i]);
                        if (texts[i][0] == 'a')
                                t_errno(ENOENT, r);
                        else
                                t_ok(r);
                        t_true(u.uid != 0);
                }
}

TEST(without_files_there_are_numbers_and_root)
{
        struct user u;

        t_ok(user_resolve_text("", &no_groups, NULL, NULL, &u, NULL));
        t_int(0, u.uid);
        t_int(0, u.gid);
        t_str("/", u.home);
        t_ok(user_resolve_text("12:34", &no_groups, NULL, NULL, &u, NULL));
        t_int(12, u.uid);
        t_int(34, u.gid);
        t_errno(ENOENT, user_resolve_text("root", &no_groups, NULL, NULL, &u, NULL));
        t_errno(ENOENT, user_resolve_text("12:root", &no_groups, NULL, NULL, &u, NULL));
}

TEST(a_name_that_is_too_long_is_refused_not_cut)
{
        struct buf file = BUF_INIT(4096);
        struct coffer_error err;
        struct user u;
        char name[600];

        memset(name, 'n', sizeof(name));
        name[255] = '\0';
        t_ok(buf_printf(&file, "%s:x:0:0::/:\n", name)); /* what a longer one is cut to */
        t_ok(user_resolve_text(name, &no_groups, file.data, NULL, &u, NULL));
        t_int(0, u.uid);
        for (size_t length = 256; length < sizeof(name); length++) {
                memset(name, 'n', sizeof(name));
                name[length] = '\0';
                t_errno(ENAMETOOLONG,
                        user_resolve_text(name, &no_groups, file.data, NULL, &u, &err));
                t_has("read the user 'nnn", err.msg);
        }
        buf_release(&file);
}

TEST(a_line_whose_name_is_too_long_gives_no_groups)
{
        struct buf users = BUF_INIT(4096), groups = BUF_INIT(4096);
        struct user u;
        char name[301];

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        t_ok(buf_printf(&users, "%s:x:1000:1000::/home/n:\n", name));
        t_ok(buf_printf(&groups, "wheel:x:10:%s,%.255s\n", name, name));
        t_ok(user_resolve_text("1000", &no_groups, users.data, groups.data, &u, NULL));
        t_int(1000, u.gid);
        t_int(0, (int64_t)u.group_count);
        buf_release(&users);
        buf_release(&groups);
}

TEST(a_home_that_is_too_long_is_not_cut)
{
        struct buf users = BUF_INIT(4096);
        struct user u;
        char home[2000];

        memset(home, 'h', sizeof(home));
        home[0] = '/';
        home[sizeof(u.home)] = '\0'; /* as long as the field, and NUL */
        t_ok(buf_printf(&users, "a:x:1:1::%s:\n", home));
        t_ok(user_resolve_text("a", &no_groups, users.data, NULL, &u, NULL));
        t_str("/", u.home);
        buf_release(&users);
        home[sizeof(u.home) - 1] = '\0';
        t_ok(buf_printf(&users, "a:x:1:1::%s:\n", home));
        t_ok(user_resolve_text("a", &no_groups, users.data, NULL, &u, NULL));
        t_str(home, u.home);
        buf_release(&users);
}

/* @count groups that alice is in. */
static void many_groups(struct buf *to, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                t_ok(buf_printf(to, "g%u:x:%u:bob,alice\n", i, 5000 + i));
}

TEST(more_groups_than_there_is_room_for_are_refused_not_cut)
{
        struct buf groups = BUF_INIT(64 * 1024);
        struct coffer_error err;
        struct strv extra = {0};
        struct user u;

        many_groups(&groups, USER_GROUPS_MAX);
        t_ok(user_resolve_text("alice", &no_groups, passwd, groups.data, &u, NULL));
        t_int(USER_GROUPS_MAX, (int64_t)u.group_count);
        t_int(5000 + USER_GROUPS_MAX - 1, u.groups[USER_GROUPS_MAX - 1]);

        t_ok(strv_add(&extra, "g7")); /* has it already */
        t_ok(user_resolve_text("alice", &extra, passwd, groups.data, &u, NULL));
        t_ok(strv_add(&extra, "4999"));
        t_errno(E2BIG, user_resolve_text("alice", &extra, passwd, groups.data, &u, &err));
        t_has("add group '4999'", err.msg);
        strv_release(&extra);

        t_ok(buf_printf(&groups, "one-more:x:9999:alice\n"));
        t_errno(E2BIG, user_resolve_text("alice", &no_groups, passwd, groups.data, &u, &err));
        t_has("give user 'alice' its groups", err.msg);
        t_ok(user_resolve_text("alice:0", &no_groups, passwd, groups.data, &u, NULL));
        t_int(0, (int64_t)u.group_count);
        buf_release(&groups);
}

TEST(further_groups_are_names_or_numbers_of_the_box)
{
        static const struct {
                const char *group;
                int code;
                gid_t gid;
        } further[] = {
                {"users",      0,      100 },
                {"100",        0,      100 },
                {"55",         0,      66  },
                {"4242",       0,      4242},
                {"root",       0,      0   },
                {"",           ENOENT, 0   },
                {"nope",       ENOENT, 0   },
                {"-1",         ENOENT, 0   },
                {"4294967295", ENOENT, 0   },
                {"users:x",    ENOENT, 0   },
                {"users ",     ENOENT, 0   },
                {"two",        ENOENT, 0   },
        };

        for (size_t i = 0; i < ELEMENTS(further); i++) {
                struct strv one = {0};
                struct coffer_error err = {0};
                struct user u;

                t_note("'%s'", further[i].group);
                t_ok(strv_add(&one, further[i].group));
                t_ok(strv_add(&one, further[i].group)); /* twice is once */
                t_int(-further[i].code, user_resolve_text("4242:0", &one, passwd, group, &u, &err));
                if (further[i].code == 0) {
                        t_int(1, (int64_t)u.group_count);
                        t_int(further[i].gid, u.groups[0]);
                } else {
                        t_has("no group", err.msg);
                }
                strv_release(&one);
        }
}

TEST(a_file_of_four_mebibytes_is_read_and_a_larger_one_refused)
{
        struct buf file = BUF_INIT(8 * 1024 * 1024);
        struct coffer_error err;
        struct user u;

        while (file.size < 4 * 1024 * 1024 - 100)
                t_ok(buf_append_str(&file, "u:x:5:5::/:\n"));
        t_ok(buf_append_str(&file, "alice:x:1000:1000::/:\n"));
        t_ok(user_resolve_text("alice", &no_groups, file.data, NULL, &u, NULL));
        t_int(1000, u.uid);
        while (file.size <= 4 * 1024 * 1024)
                t_ok(buf_append_str(&file, "u:x:5:5::/:\n"));
        t_errno(E2BIG, user_resolve_text("alice", &no_groups, file.data, NULL, &u, &err));
        t_has("/etc/passwd of the box", err.msg);
        t_errno(E2BIG, user_resolve_text("5:tty", &no_groups, "", file.data, &u, &err));
        t_has("/etc/group of the box", err.msg);
        buf_release(&file);
}

TEST(without_memory_nobody_is_resolved)
{
        struct strv further = {0};

        t_ok(strv_add(&further, "tty"));
        for (unsigned n = 1;; n++) {
                struct coffer_error err = {0};
                struct user u = {.uid = 77};
                int r;

                fault_arm(n);
                r = user_resolve_text("alice", &further, passwd, group, &u, &err);
                if (!fault_disarm()) {
                        t_ok(r);
                        t_int(3, (int64_t)u.group_count);
                        t_true(n > 3); /* passwd, group, group */
                        break;
                }
                t_errno(ENOMEM, r);
                t_int(-ENOMEM, err.code);
                t_int(77, u.uid);
        }
        strv_release(&further);
}

/* The host's own files stand for a box's. */
TEST(what_is_known_holds_for_the_same_text_and_the_same_files)
{
        char *extra[] = {(char *)"0", NULL};
        const struct strv none = {0};
        const struct strv one = {.items = extra, .count = 1};
        struct file_stamp files[USER_FILES];
        struct known_user known, other;
        struct coffer_error err = {0};
        struct user user;

        t_ok(user_resolve("0", &none, &user, files, &err));
        files[USER_PASSWD].changed_ns -= 2 * INT64_C(1000000000); /* as if it were older */
        files[USER_GROUP].changed_ns -= 2 * INT64_C(1000000000);
        t_true(user_make_known("0", &user, files, &known));
        known.files[USER_PASSWD].changed_ns += 2 * INT64_C(1000000000);
        known.files[USER_GROUP].changed_ns += 2 * INT64_C(1000000000);
        t_true(user_check_known(&known, sizeof(known)));
        t_true(user_is_known(&known, "0", &none));

        t_false(user_is_known(&known, "", &none));
        t_false(user_is_known(&known, "0:0", &none));
        t_false(user_is_known(&known, "0", &one));
        t_false(user_is_known(&(struct known_user){0}, "", &none));
        for (size_t i = 0; i < USER_FILES; i++) {
                other = known;
                other.files[i].ino++;
                t_false(user_is_known(&other, "0", &none));
                other = known;
                other.files[i].size++;
                t_false(user_is_known(&other, "0", &none));
                other = known;
                other.files[i].changed_ns++;
                t_false(user_is_known(&other, "0", &none));
                other = known;
                other.files[i] = (struct file_stamp){0};
                t_false(user_is_known(&other, "0", &none));
        }
}

TEST(a_file_that_was_just_written_makes_nothing_known)
{
        struct file_stamp files[USER_FILES] = {
                {0                       },
                { .ino = 1, .changed_ns = INT64_MAX}
        };
        const struct user user = {.home = "/"};
        char text[USER_TEXT_MAX + 1];
        struct known_user known;

        t_false(user_make_known("", &user, files, &known));
        files[USER_GROUP].changed_ns = 0;
        t_true(user_make_known("", &user, files, &known));
        memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        t_false(user_make_known(text, &user, files, &known));
}

TEST(what_a_process_of_the_box_says_is_checked)
{
        struct known_user good = {.text = "a", .user = {.home = "/"}};
        struct known_user bad = good;

        t_true(user_check_known(&good, sizeof(good)));
        t_false(user_check_known(&good, sizeof(good) - 1));
        memset(bad.text, 'x', sizeof(bad.text));
        t_false(user_check_known(&bad, sizeof(bad)));
        bad = good;
        memset(bad.user.home, 'x', sizeof(bad.user.home));
        t_false(user_check_known(&bad, sizeof(bad)));
        bad = good;
        bad.user.group_count = USER_GROUPS_MAX + 1;
        t_false(user_check_known(&bad, sizeof(bad)));
}
