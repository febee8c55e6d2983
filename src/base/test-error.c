/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "t.h"

TEST(is_512_bytes_so_that_a_child_can_send_it_whole)
{
        t_int(512, sizeof(struct coffer_error));
}

TEST(says_what_and_why)
{
        struct coffer_error err = {.kind = COFFER_ERROR_USAGE, .hint = "old"};

        t_errno(ENOENT, error_set(&err, -ENOENT, "open '%s'", "/x"));
        t_int(-ENOENT, err.code);
        t_int(COFFER_ERROR_OTHER, err.kind);
        t_str("open '/x': No such file or directory", err.msg);
        t_str("", err.hint);
}

TEST(what_the_host_lacks_comes_with_a_hint)
{
        static const int codes[] = {-ENOSPC, -EDQUOT, -EROFS, -EFBIG, -EMFILE, -ENFILE, -ENOMEM};
        struct coffer_error err;

        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
                (void)error_set(&err, codes[i], "write '%s'", "/x");
                t_true(err.hint[0] != '\0');
                error_hint(&err, "%s", "set COFFER_HOME");
                t_str("set COFFER_HOME", err.hint);
        }
}

TEST(a_path_of_the_callers_has_its_usual_hints)
{
        static const int codes[] = {-ENOENT, -EACCES, -EPERM,       -ENOTDIR,
                                    -EISDIR, -ELOOP,  -ENAMETOOLONG};
        struct coffer_error err;

        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
                (void)error_set(&err, codes[i], "open '%s'", "/x");
                t_str("", err.hint);
                error_hint_path(&err, codes[i]);
                t_true(err.hint[0] != '\0' && strlen(err.hint) < COFFER_ERROR_HINT_MAX - 1);
        }
        (void)error_set(&err, -EROFS, "make '%s'", "/x");
        error_hint_path(&err, -EROFS);
        t_has("read-only", err.hint); /* what error_set() said is left alone */
}

TEST(says_words_without_errno)
{
        struct coffer_error err;

        t_errno(EEXIST, error_say(&err, -EEXIST, COFFER_ERROR_EXISTS, "the name %s is taken", "a"));
        t_str("the name a is taken", err.msg);
        t_int(COFFER_ERROR_EXISTS, err.kind);
}

TEST(callers_prepend_and_keep_the_rest)
{
        struct coffer_error err;

        (void)error_set(&err, -EACCES, "set %s", "memory.max");
        error_hint(&err, "ask for %s", "less");
        error_kind(&err, COFFER_ERROR_HOST);
        t_errno(EPERM, error_wrap(&err, -EPERM, "start box %s", "b1"));
        t_str("start box b1: set memory.max: Permission denied", err.msg);
        t_int(-EPERM, err.code);
        t_str("ask for less", err.hint);
        t_int(COFFER_ERROR_HOST, err.kind);
}

TEST(nobody_needs_to_want_the_words)
{
        t_errno(EIO, error_set(NULL, -EIO, "x"));
        t_errno(EIO, error_say(NULL, -EIO, COFFER_ERROR_HOST, "x"));
        t_errno(EIO, error_wrap(NULL, -EIO, "x"));
        error_kind(NULL, COFFER_ERROR_HOST);
        error_hint(NULL, "x");
}

TEST(stays_one_printable_line)
{
        struct coffer_error err;

        (void)error_set(&err, -EIO, "open '%s'", "a\nb\x1b[31m\x7f");
        t_str("open 'a?b?[31m?': Input/output error", err.msg);
        (void)error_say(&err, -EIO, COFFER_ERROR_OTHER, "\r%s", "\t");
        t_str("??", err.msg);
        error_hint(&err, "%s", "\b");
        t_str("?", err.hint);
        (void)error_wrap(&err, -EIO, "%s", "\n");
        t_str("?: ??", err.msg);
}

TEST(cuts_what_is_too_long)
{
        struct coffer_error err;
        char name[2 * COFFER_ERROR_MSG_MAX];

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';

        (void)error_set(&err, -EIO, "%s", name);
        t_int(COFFER_ERROR_MSG_MAX - 1, (int)strlen(err.msg));
        (void)error_wrap(&err, -EIO, "start %s", name);
        t_int(COFFER_ERROR_MSG_MAX - 1, (int)strlen(err.msg));
        t_true(str_after(err.msg, "start nnn") != NULL);
        error_hint(&err, "%s", name);
        t_int(COFFER_ERROR_HINT_MAX - 1, (int)strlen(err.hint));
}

TEST(wrapping_many_times_keeps_the_outermost_words)
{
        struct coffer_error err;

        (void)error_set(&err, -EIO, "bottom");
        for (int i = 0; i < 100; i++)
                (void)error_wrap(&err, -EIO, "level %d", i);
        t_true(str_after(err.msg, "level 99: level 98: ") != NULL);
        t_int(COFFER_ERROR_MSG_MAX - 1, (int)strlen(err.msg));
}
