/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "fault.h"
#include "spec/mounts.h"

/* Words apart by blanks; "-" is the empty list, given. */
static void add_words(struct strv *to, const char *words)
{
        cleanup_free char *copy = strdup(words);
        char *rest = copy, *word;

        t_true(copy != NULL);
        while ((word = strsep(&rest, " ")))
                if (*word != '\0')
                        t_ok(strv_add(to, word));
}

static void check_words(const char *expected, const struct strv *list)
{
        cleanup_with(strv_release) struct strv words = {0};

        add_words(&words, expected);
        t_int(words.count, list->count);
        for (size_t i = 0; i < words.count; i++)
                t_str(words.items[i], list->items[i]);
}

__attribute__((format(printf, 2, 3))) static void append(char *to, const char *format, ...)
{
        size_t used = strlen(to);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(to + used, 256 - used, format, ap);
        va_end(ap);
}

TEST(entrypoint_and_command_follow_dockers_table)
{
        static const struct {
                const char *image_entrypoint, *image_cmd;
                const char *entrypoint; /* NULL: not given */
                const char *args;
                const char *argv; /* NULL: no command */
        } cases[] = {
                {"",        "sh",    NULL,   "",      "sh"        },
                {"",        "sh -l", NULL,   "ls -a", "ls -a"     },
                {"tini",    "sh",    NULL,   "",      "tini sh"   },
                {"tini --", "sh -l", NULL,   "ls",    "tini -- ls"},
                {"tini",    "",      NULL,   "",      "tini"      },
                {"tini",    "sh",    "dash", "",      "dash"      },
                {"tini",    "sh",    "dash", "-c x",  "dash -c x" },
                {"tini",    "sh",    "",     "ls",    "ls"        },
                {"tini",    "sh",    "",     "",      NULL        },
                {"",        "",      NULL,   "",      NULL        },
                {"",        "",      NULL,   "ls",    "ls"        },
                {"",        "sh",    "dash", "",      "dash"      },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
                cleanup_with(strv_release) struct strv argv = {0};
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};
                int r;

                t_note("row %zu", i);
                spec_init(&s);
                add_words(&image.entrypoint, cases[i].image_entrypoint);
                add_words(&image.cmd, cases[i].image_cmd);
                if (cases[i].entrypoint)
                        t_ok(spec_set(&s, "entrypoint", cases[i].entrypoint, NULL));
                add_words(&s.args, cases[i].args);

                t_ok(spec_apply_image(&s, &image, &err));
                r = spec_complete(&s, "abcdefghij27", &err);
                if (!cases[i].argv) {
                        t_errno(EINVAL, r);
                        t_has("no command", err.msg);
                        continue;
                }
                t_ok(r);
                t_ok(spec_argv(&s, &argv));
                check_words(cases[i].argv, &argv);
        }
}

TEST(what_was_given_wins_over_the_image)
{
        cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        add_words(&image.cmd, "sh");
        add_words(&image.env, "PATH=/opt/bin LANG=C A=image");
        add_words(&image.labels, "a=image b=image");
        add_words(&image.volumes, "/data /cache/ /srv");
        image.user = strdup("www-data");
        image.workdir = strdup("/app");
        image.stop_signal = strdup("SIGQUIT");
        t_ok(spec_set(&s, "env", "A=mine", NULL));
        t_ok(spec_set(&s, "env", "B=mine", NULL));
        t_ok(spec_set(&s, "label", "b=mine", NULL));
        t_ok(spec_set(&s, "volume", "/host:/data", NULL));
        t_ok(spec_set(&s, "tmpfs", "/srv", NULL));
        t_ok(spec_set(&s, "user", "me", NULL));
        t_ok(spec_set(&s, "workdir", "/mine", NULL));
        t_ok(spec_set(&s, "stop-signal", "INT", NULL));

        t_ok(spec_apply_image(&s, &image, NULL));
        check_words("PATH=/opt/bin LANG=C A=mine B=mine", &s.env);
        check_words("a=image b=mine", &s.labels);
        t_str("me", s.user);
        t_str("/mine", s.workdir);
        t_int(2, s.stop_signal);
        t_int(3, s.mounts.count);
        t_int(SPEC_BIND, mounts_find(&s.mounts, "/data")->kind);
        t_false(mounts_find(&s.mounts, "/data")->from_image);
        t_int(SPEC_TMPFS, mounts_find(&s.mounts, "/srv")->kind);
        t_int(SPEC_VOLUME, mounts_find(&s.mounts, "/cache")->kind);
        t_true(mounts_find(&s.mounts, "/cache")->from_image);
        t_null(mounts_find(&s.mounts, "/cache")->source);
}

TEST(what_was_not_given_comes_from_the_image)
{
        cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        add_words(&image.cmd, "sh");
        image.user = strdup("www-data:33");
        image.workdir = strdup("app//x"); /* relative to the root */
        image.stop_signal = strdup("SIGRTMIN+3");
        t_ok(spec_apply_image(&s, &image, NULL));
        t_str("www-data:33", s.user);
        t_str("/app/x", s.workdir);
        t_int(37, s.stop_signal);
}

TEST(completing_fills_in_what_nobody_said)
{
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        add_words(&s.args, "sh");
        t_ok(spec_set(&s, "tty", NULL, NULL));
        t_ok(spec_complete(&s, "abcdefghij27", NULL));
        t_str("abcdefghij27", s.hostname);
        t_str("/", s.workdir);
        t_int(15, s.stop_signal);
        t_str("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              strv_get(&s.env, "PATH"));
        t_str("abcdefghij27", strv_get(&s.env, "HOSTNAME"));
        t_str("xterm", strv_get(&s.env, "TERM"));
        t_null(strv_get(&s.env, "HOME"));
}

TEST(completing_changes_nothing_that_was_said)
{
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        add_words(&s.args, "sh");
        add_words(&s.env, "TERM=vt100 HOSTNAME= PATH=");
        t_ok(spec_set(&s, "hostname", "web", NULL));
        t_ok(spec_set(&s, "tty", NULL, NULL));
        t_ok(spec_complete(&s, "abcdefghij27", NULL));
        check_words("TERM=vt100 HOSTNAME= PATH=", &s.env);
        t_str("web", s.hostname);

        spec_release(&s);
        add_words(&s.args, "sh");
        t_ok(spec_complete(&s, "abcdefghij27", NULL));
        t_null(strv_get(&s.env, "TERM")); /* no terminal */
}

TEST(with_here_the_box_works_in_that_directory)
{
        cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
        cleanup_with(spec_release) struct spec s;

        image.workdir = strdup("/app");
        spec_init(&s);
        add_words(&s.args, "sh");
        t_ok(spec_set(&s, "here", "rw:/srv/me", NULL));
        t_ok(spec_apply_image(&s, &image, NULL));
        t_ok(spec_complete(&s, "abcdefghij27", NULL));
        t_str("/srv/me", s.workdir);
}

TEST(a_hostile_image_is_refused)
{
        static const struct {
                size_t list; /* offset of a struct strv */
                const char *value;
                const char *says;
        } cases[] = {
                {offsetof(struct spec_image_defaults, env),     "A",          "no value"},
                {offsetof(struct spec_image_defaults, env),     "=A",         "no name" },
                {offsetof(struct spec_image_defaults, labels),  "=x",         "no key"  },
                {offsetof(struct spec_image_defaults, volumes), "data",       "absolute"},
                {offsetof(struct spec_image_defaults, volumes), "/",          "over"    },
                {offsetof(struct spec_image_defaults, volumes), "/a/../../b", "'..'"    },
                {offsetof(struct spec_image_defaults, volumes), "/proc/sys",  "keeps"   },
                {offsetof(struct spec_image_defaults, volumes), "/dev",       "keeps"   },
        };
        static const struct {
                size_t text; /* offset of a char * */
                const char *value;
                const char *says;
        } texts[] = {
                {offsetof(struct spec_image_defaults, user),        "a b",        "not a user"          },
                {offsetof(struct spec_image_defaults, user),        "4294967295", "not a user"          },
                {offsetof(struct spec_image_defaults, workdir),     "/a/../..",   "not an absolute path"},
                {offsetof(struct spec_image_defaults, stop_signal), "SIGFOO",     "not a signal"        },
        };

        for (size_t i = 0; i < ELEMENTS(cases) + ELEMENTS(texts); i++) {
                cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};
                const char *says;

                if (i < ELEMENTS(cases)) {
                        t_ok(strv_add((void *)((char *)&image + cases[i].list), cases[i].value));
                        says = cases[i].says;
                } else {
                        *(char **)(void *)((char *)&image + texts[i - ELEMENTS(cases)].text) =
                                strdup(texts[i - ELEMENTS(cases)].value);
                        says = texts[i - ELEMENTS(cases)].says;
                }
                spec_init(&s);
                t_note("row %zu", i);
                t_errno(EINVAL, spec_apply_image(&s, &image, &err));
                t_int(COFFER_ERROR_IMAGE, err.kind);
                t_has("read the image's configuration", err.msg);
                t_has(says, err.msg);
                t_has("image", err.hint);
        }
}

/* What an image's HEALTHCHECK and the options make together: "test|interval|retries|argv". */
TEST(a_health_check_is_put_together_from_options_and_image)
{
        static const struct {
                const char *image; /* words; NULL: none */
                const char *shell;
                uint64_t interval_ns;
                uint64_t retries;
                const char *cmd; /* of the caller's; NULL: none */
                const char *interval;
                const char *off;
                const char *want;
        } rows[] = {
                {NULL,             "",              0,          0, NULL,   NULL, NULL,   "|0|0|"         },
                {"CMD curl -f /",  "",              2000000000, 4, NULL,   NULL, NULL,
                 "CMD curl -f /|2000|4|curl -f /"                                                        },
                {"CMD-SHELL exit", "",              0,          0, NULL,   NULL, NULL,
                 "CMD-SHELL exit|0|0|/bin/sh -c exit"                                                    },
                {"CMD-SHELL exit", "/bin/bash -ec", 0,          0, NULL,   NULL, NULL,
                 "CMD-SHELL exit|0|0|/bin/bash -ec exit"                                                 },
                {"CMD x",          "",              2000000000, 4, "mine", NULL, NULL,
                 "CMD-SHELL mine|2000|4|/bin/sh -c mine"                                                 },
                {"CMD x",          "/bin/bash -ec", 0,          0, "mine", NULL, NULL,
                 "CMD-SHELL mine|0|0|/bin/bash -ec mine"                                                 },
                {"CMD x",          "",              2000000000, 4, NULL,   "7s", NULL,   "CMD x|7000|4|x"},
                {"CMD x",          "",              1,          0, NULL,   NULL, NULL,   "CMD x|1|0|x"   },
                {"CMD x",          "",              2000000000, 4, NULL,   NULL, "true", "NONE|0|0|"     },
                {"NONE",           "",              0,          0, NULL,   NULL, NULL,   "NONE|0|0|"     },
                {"NONE",           "",              2000000000, 0, "mine", NULL, NULL,
                 "CMD-SHELL mine|2000|0|/bin/sh -c mine"                                                 },
 /* Nobody looks at what is wrong with an image's check that is switched off. */
                {"FOO x",          "",              UINT64_MAX, 4, NULL,   NULL, "true", "NONE|0|0|"     },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
                cleanup_with(strv_release) struct strv argv = {.items = NULL};
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};
                char got[256] = "";

                t_note("row %zu", i);
                spec_init(&s);
                add_words(&image.cmd, "sh");
                if (rows[i].image)
                        add_words(&image.health_test, rows[i].image);
                add_words(&image.shell, rows[i].shell);
                image.health_ns[SPEC_HEALTH_INTERVAL] = rows[i].interval_ns;
                image.health_retries = rows[i].retries;
                if (rows[i].cmd)
                        t_ok(spec_set(&s, "health-cmd", rows[i].cmd, NULL));
                if (rows[i].interval)
                        t_ok(spec_set(&s, "health-interval", rows[i].interval, NULL));
                if (rows[i].off)
                        t_ok(spec_set(&s, "no-healthcheck", rows[i].off, NULL));
                if (spec_apply_image(&s, &image, &err) < 0)
                        t_note("%s", err.msg);
                t_ok(spec_complete(&s, "abcdefghij27", &err));
                t_ok(spec_validate(&s, &err));
                t_ok(spec_health_argv(&s, &argv));
                for (size_t j = 0; j < s.health.test.count; j++)
                        append(got, j > 0 ? " %s" : "%s", s.health.test.items[j]);
                append(got, "%s", s.health.off ? "NONE" : "");
                append(got, "|%u", s.health.interval_ms);
                append(got, "|%u|", s.health.retries);
                for (size_t j = 0; j < argv.count; j++)
                        append(got, j > 0 ? " %s" : "%s", argv.items[j]);
                t_str(rows[i].want, got);
        }
}

TEST(an_image_whose_health_check_makes_no_sense_is_refused)
{
        static const struct {
                const char *test;
                uint64_t timeout_ns;
                uint64_t retries;
                const char *says;
        } rows[] = {
                {"CMD",       0,                0,          "'CMD' and 0 more"},
                {"CMD-SHELL", 0,                0,          "0 more"          },
                {"curl -f /", 0,                0,          "'curl' and 2"    },
                {"CMD x",     5000000000000000, 0,          "49 days"         },
                {"CMD x",     0,                4294967296, "retries"         },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};

                t_note("row %zu", i);
                spec_init(&s);
                add_words(&image.health_test, rows[i].test);
                image.health_ns[SPEC_HEALTH_TIMEOUT] = rows[i].timeout_ns;
                image.health_retries = rows[i].retries;
                t_errno(EINVAL, spec_apply_image(&s, &image, &err));
                t_int(COFFER_ERROR_IMAGE, err.kind);
                t_has("read the image's configuration", err.msg);
                t_has(rows[i].says, err.msg);
                t_has("--no-healthcheck", err.hint);
        }
}

TEST(times_without_a_check_are_refused)
{
        cleanup_with(spec_release) struct spec s;
        struct coffer_error err = {0};

        spec_init(&s);
        add_words(&s.args, "sh");
        t_ok(spec_set(&s, "health-retries", "2", NULL));
        t_errno(EINVAL, spec_complete(&s, "abcdefghij27", &err));
        t_has("no health check", err.msg);
        t_has("--health-cmd", err.hint);

        t_ok(spec_set(&s, "no-healthcheck", "true", NULL));
        t_errno(EINVAL, spec_validate(&s, &err));
        t_has("--no-healthcheck", err.msg);
}

TEST(completing_sorts_the_mounts)
{
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        add_words(&s.args, "sh");
        t_ok(spec_set(&s, "tmpfs", "/a/b", NULL));
        t_ok(spec_set(&s, "tmpfs", "/a", NULL));
        t_ok(spec_complete(&s, "abcdefghij27", NULL));
        t_str("/a", s.mounts.items[0].target);
}

TEST(without_memory_an_image_is_refused_cleanly)
{
        for (unsigned n = 1;; n++) {
                cleanup_with(spec_image_defaults_release) struct spec_image_defaults image = {0};
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};
                int r;

                spec_init(&s);
                add_words(&image.entrypoint, "tini --");
                add_words(&image.cmd, "sh");
                add_words(&image.env, "A=1 B=2");
                add_words(&image.volumes, "/data");
                add_words(&image.health_test, "CMD-SHELL x");
                add_words(&image.shell, "/bin/bash -c");
                image.workdir = strdup("app");
                image.user = strdup("me");
                t_ok(spec_set(&s, "env", "B=3", NULL));

                fault_arm(n);
                r = spec_apply_image(&s, &image, &err);
                if (r == 0)
                        r = spec_complete(&s, "abcdefghij27", &err);
                if (!fault_disarm()) {
                        t_ok(r);
                        t_true(n > 15);
                        break;
                }
                t_note("allocation %u", n);
                t_errno(ENOMEM, r);
                t_int(-ENOMEM, err.code);
        }
}
