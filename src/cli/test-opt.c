/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "cli/opt.h"

struct args {
        struct strv env;
        struct opt_pairs pairs;
        const char *name;
        int64_t last;
        bool detach, interactive, tty;
};

#define AT(field) offsetof(struct args, field)

static const struct opt table[] = {
        {"detach",    'd', NULL, opt_flag, AT(detach), "…"},
        {"env",       'e', "NAME=VALUE", opt_list, AT(env), "…"},
        {"here", 0, "ro|rw", opt_pair, AT(pairs), "…", .optional = true},
        {"interactive",           'i', NULL, opt_flag, AT(interactive), "…"},
        {"last",  'n', "N", opt_count, AT(last), "…"},
        {"memory",   'm', "SIZE", opt_pair, AT(pairs), "…"},
        {"name",      0, "NAME", opt_string, AT(name), "…"},
        {"rm",      0, NULL, opt_pair, AT(pairs), "…"},
        {"tty",    't', NULL, opt_flag, AT(tty), "…"},
        {0 },
};

#define WORDS_MAX 12

struct line {
        struct args args;
        char *words[WORDS_MAX + 1];
        int count;
        bool help;
        struct coffer_error err;
};

static int parse(struct line *l, bool options_first, const char *const *words)
{
        struct opt_parse p = {.opts = table, .args = &l->args, .options_first = options_first};
        int r;

        *l = (struct line){0};
        for (; words[p.argc]; p.argc++)
                l->words[p.argc] = (char *)words[p.argc];
        p.argv = l->words;
        r = opt_parse(&p, &l->err);
        l->count = p.argc;
        l->help = p.help;
        return r;
}

static void release(struct line *l)
{
        strv_release(&l->args.env);
        opt_pairs_release(&l->args.pairs);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(letters_of_flags_share_a_word_and_the_last_may_take_a_value)
{
        static const char *const forms[][5] = {
                {"-dite", "A=1"     },
                {          "-diteA=1"      },
                {         "-dite=A=1" },
                {         "-d",    "-it", "-e", "A=1"},
                { "-d",       "-it",     "--env", "A=1"},
                {     "-it",       "--env=A=1",   "-d"},
        };

        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                struct line l;

                t_note("form %zu", i);
                t_ok(parse(&l, true, forms[i]));
                t_true(l.args.detach && l.args.interactive && l.args.tty);
                t_int(1, (int64_t)l.args.env.count);
                t_str("A=1", l.args.env.items[0]);
                t_int(0, l.count);
                release(&l);
        }
}

TEST(flags_take_true_and_false_behind_an_equals_sign_only)
{
        struct line l;

        t_ok(parse(&l, true, WORDS("--tty=false", "-d=true", "--rm=false", "--rm", "word")));
        t_false(l.args.tty);
        t_true(l.args.detach);
        t_str("false", l.args.pairs.values.items[0]);
        t_str("true", l.args.pairs.values.items[1]);
        t_int(1, l.count);
        release(&l);

        t_errno(EINVAL, parse(&l, true, WORDS("--tty=maybe")));
        t_str("invalid argument \"maybe\" for \"-t, --tty\" flag: neither true nor false",
              l.err.msg);
        t_int(COFFER_ERROR_USAGE, l.err.kind);
}

TEST(options_end_at_the_first_word_where_a_command_follows)
{
        struct line l;

        t_ok(parse(&l, true, WORDS("-d", "image", "-it", "--", "--name", "x")));
        t_false(l.args.tty);
        t_int(5, l.count);
        t_str("image", l.words[0]);
        t_str("-it", l.words[1]);
        t_str("--", l.words[2]);
        t_null(l.words[5]);

        t_ok(parse(&l, false, WORDS("a", "-d", "b", "--name", "x", "-")));
        t_true(l.args.detach);
        t_str("x", l.args.name);
        t_int(3, l.count);
        t_str("b", l.words[1]);
        t_str("-", l.words[2]);
}

TEST(two_dashes_end_the_options)
{
        struct line l;

        t_ok(parse(&l, false, WORDS("-d", "--", "-t", "--bogus")));
        t_false(l.args.tty);
        t_int(2, l.count);
        t_str("--bogus", l.words[1]);
}

TEST(a_value_that_may_be_left_out_never_takes_the_next_word)
{
        struct line l;

        t_ok(parse(&l, true, WORDS("--here", "--here=ro", "host")));
        t_str("", l.args.pairs.values.items[0]);
        t_str("ro", l.args.pairs.values.items[1]);
        t_str("host", l.words[0]);
        release(&l);
}

TEST(values_may_be_empty_or_look_like_options)
{
        struct line l;

        t_ok(parse(&l, true, WORDS("--name=", "-m", "-1", "-e", "--", "x")));
        t_str("", l.args.name);
        t_str("-1", l.args.pairs.values.items[0]);
        t_str("--", l.args.env.items[0]);
        release(&l);
}

TEST(what_is_unknown_is_refused_with_the_nearest_name)
{
        static const struct {
                const char *word, *msg, *hint;
        } cases[] = {
                {"--memroy",     "unknown flag: --memroy",                                              "did you mean --memory?"},
                {"--detatch=1",  "unknown flag: --detatch",                                             "did you mean --detach?"},
                {"--mem",        "unknown flag: --mem",                                                 "did you mean --memory?"},
                {"--hlep",       "unknown flag: --hlep",                                                "did you mean --help?"  },
                {"--quux",       "unknown flag: --quux",                                                ""                      },
                {"--x",          "unknown flag: --x",                                                   ""                      },
                {"-dx",          "unknown shorthand flag: 'x' in -dx",                                  ""                      },
                {"--name",       "flag needs an argument: --name",                                      ""                      },
                {"-dm",          "flag needs an argument: 'm' in -dm",                                  ""                      },
                {"--last=x",     "invalid argument \"x\" for \"-n, --last\" flag: not a whole number",
                 ""                                                                                                             },
                {"--last=-2",    "invalid argument \"-2\" for \"-n, --last\" flag: not a whole number",
                 ""                                                                                                             },
                {"--privileged", "Coffer has no --privileged",
                 "add the one capability that is needed: --cap-add NAME"                                                        },
                {"--pid=host",   "Coffer has no --pid host",
                 "every box has its own; start both programs in one box, with coffer exec"                                      },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct line l;

                t_errno(EINVAL, parse(&l, true, WORDS(cases[i].word)));
                t_str(cases[i].msg, l.err.msg);
                t_str(cases[i].hint, l.err.hint);
                t_int(COFFER_ERROR_USAGE, l.err.kind);
                release(&l);
        }
}

TEST(help_stops_the_reading_at_once)
{
        struct line l;

        t_ok(parse(&l, true, WORDS("-d", "--help", "--bogus")));
        t_true(l.help);
        t_ok(parse(&l, true, WORDS("-h", "--bogus")));
        t_true(l.help);
        t_ok(parse(&l, true, WORDS("image", "--help")));
        t_false(l.help);
}
