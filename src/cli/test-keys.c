/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "cli/keys.h"
#include "cli/signals.h"

TEST(dockers_notation_is_read)
{
        static const struct {
                const char *text, *bytes;
        } good[] = {
                {"ctrl-p,ctrl-q", "\x10\x11"},
                {"a",             "a"       },
                {"ctrl-[,x",      "\033x"   },
                {"ctrl-_",        "\x1f"    },
                {"a,,,b",         "a,b"     },
                {",",             ","       },
        };
        static const char *const bad[] = {"ctrl-",  "ctrl-A",  "ctrl-pp",
                                          "ab",     "a,",      "a,bc",
                                          "ctrl-1", "shift-a", "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"};
        struct keys k;

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                t_note("%s", good[i].text);
                t_ok(keys_parse(good[i].text, &k));
                t_int((int64_t)strlen(good[i].bytes), (int64_t)k.count);
                t_mem(good[i].bytes, k.sequence, k.count);
        }
        t_ok(keys_parse("", &k));
        t_int(0, (int64_t)k.count);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("%s", bad[i]);
                t_errno(EINVAL, keys_parse(bad[i], &k));
        }
}

/* Types one byte at a time and all at once: the same must come out. */
static bool type(const char *keys, const char *typed, char *out, size_t chunk)
{
        size_t used = 0, size = strlen(typed);
        struct keys k;

        t_ok(keys_parse(keys, &k));
        for (size_t i = 0; i < size; i += chunk) {
                size_t n = size - i < chunk ? size - i : chunk, written = 0;
                bool done = keys_filter(&k, typed + i, n, out + used, &written);

                used += written;
                if (done) {
                        out[used] = '\0';
                        return true;
                }
        }
        out[used] = '\0';
        return false;
}

TEST(keys_are_held_back_only_while_they_may_be_the_sequence)
{
        static const struct {
                const char *keys, *typed, *out;
                bool done;
        } cases[] = {
                {"a,b",       "xaby",    "x",    true },
                {"a,b",       "xacy",    "xacy", false},
                {"a,b",       "aab",     "a",    true },
                {"a,a,b",     "aaab",    "a",    true },
                {"a,b,a,c",   "ababac",  "ab",   true },
                {"a,b",       "xa",      "x",    false},
                {"a",         "bca",     "bc",   true },
                {"a,b",       "",        "",     false},
                {"a,b,a,b,c", "abababc", "ab",   true },
                {"",          "abc",     "abc",  false},
        };
        char out[64];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                for (size_t chunk = 1; chunk <= 8; chunk++) {
                        t_note("%s in %s by %zu", cases[i].keys, cases[i].typed, chunk);
                        t_true(type(cases[i].keys, cases[i].typed, out, chunk) == cases[i].done);
                        t_str(cases[i].out, out);
                }
        }
}

TEST(signals_have_names_and_numbers)
{
        static const struct {
                const char *text;
                int signal;
        } cases[] = {
                {"9",         9      },
                {"KILL",      9      },
                {"SIGTERM",   15     },
                {"int",       2      },
                {"sighup",    1      },
                {"64",        64     },
                {"RTMIN",     34     },
                {"RTMIN+2",   36     },
                {"SIGRTMAX",  64     },
                {"rtmax-1",   63     },
                {"0",         -EINVAL},
                {"65",        -EINVAL},
                {"",          -EINVAL},
                {"SIG",       -EINVAL},
                {"KILLL",     -EINVAL},
                {"RTMIN+99",  -EINVAL},
                {"RTMIN-1",   -EINVAL},
                {"-9",        -EINVAL},
                {"SIGSIGHUP", -EINVAL},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("%s", cases[i].text);
                t_int(cases[i].signal, signals_parse(cases[i].text));
        }
}
