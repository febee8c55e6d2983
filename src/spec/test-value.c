/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "spec/value.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

TEST(reads_sizes_as_docker_does)
{
        static const struct {
                const char *text;
                uint64_t bytes;
        } cases[] = {
                {"0",                   0               },
                {"1",                   1               },
                {"4096",                4096            },
                {"10b",                 10              },
                {"10B",                 10              },
                {"2k",                  2 * KIB         },
                {"2K",                  2 * KIB         },
                {"2kb",                 2 * KIB         },
                {"2KiB",                2 * KIB         },
                {"512m",                512 * MIB       },
                {"1.5g",                GIB + 512 * MIB },
                {"0.5k",                512             },
                {".5k",                 512             },
                {"1.k",                 KIB             },
                {"0.1k",                102             }, /* rounded down */
                {"1t",                  1024 * GIB      },
                {"1p",                  KIB * 1024 * GIB},
                {"9223372036854775807", INT64_MAX       },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t bytes = 77;

                t_note("'%s'", cases[i].text);
                t_ok(value_size(cases[i].text, &bytes));
                t_true(bytes == cases[i].bytes);
        }
}

TEST(refuses_what_is_no_size)
{
        static const struct {
                const char *text;
                int code;
        } cases[] = {
                {"",                                          EINVAL},
                {"m",                                         EINVAL},
                {"-1",                                        EINVAL},
                {"+1",                                        EINVAL},
                {" 1",                                        EINVAL},
                {"1 ",                                        EINVAL},
                {"1 m",                                       EINVAL},
                {"1x",                                        EINVAL},
                {"1mm",                                       EINVAL},
                {"1mib2",                                     EINVAL},
                {"1bm",                                       EINVAL},
                {"1ib",                                       EINVAL},
                {"0x10",                                      EINVAL},
                {"1e3",                                       EINVAL},
                {"1.2.3",                                     EINVAL},
                {"1.2.3m",                                    EINVAL},
                {"1,5g",                                      EINVAL},
                {".",                                         EINVAL},
                {".m",                                        EINVAL},
                {"inf",                                       EINVAL},
                {"\xc2\xb5",                                  EINVAL},
                {"1.5",                                       ERANGE},
                {"1.5b",                                      ERANGE},
                {"0.0001k",                                   ERANGE},
                {"9223372036854775808",                       ERANGE},
                {"8589934592g",                               ERANGE},
                {"8192p",                                     ERANGE},
                {"99999999999999999999999999999999999999999", ERANGE},
                {"1.00000000000000000000000000000000000001m", ERANGE},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t bytes = 77;

                t_note("'%s'", cases[i].text);
                t_errno(cases[i].code, value_size(cases[i].text, &bytes));
                t_true(bytes == 77);
        }
}

TEST(reads_cpus_to_a_thousandth)
{
        static const struct {
                const char *text;
                int code;
                uint64_t millis;
        } cases[] = {
                {"0",                    0,      0       },
                {"1",                    0,      1000    },
                {"0.5",                  0,      500     },
                {"1.5",                  0,      1500    },
                {"0.001",                0,      1       },
                {".25",                  0,      250     },
                {"2.",                   0,      2000    },
                {"0.1",                  0,      100     },
                {"1.5000",               0,      1500    },
                {"65536",                0,      65536000},
                {"",                     EINVAL, 0       },
                {"-1",                   EINVAL, 0       },
                {"1/2",                  EINVAL, 0       },
                {"half",                 EINVAL, 0       },
                {"1.5.1",                EINVAL, 0       },
                {"1 ",                   EINVAL, 0       },
                {"500m",                 EINVAL, 0       },
                {"50%",                  EINVAL, 0       },
                {"0.0001",               ERANGE, 0       },
                {"65537",                ERANGE, 0       },
                {"99999999999999999999", ERANGE, 0       },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t millis = 0;

                t_note("'%s'", cases[i].text);
                t_int(-cases[i].code, value_cpus(cases[i].text, &millis));
                t_true(millis == cases[i].millis);
        }
}

TEST(reads_durations)
{
        static const struct {
                const char *text;
                int code;
                uint32_t ms;
        } cases[] = {
                {"0",                    0,      0                   },
                {"10",                   0,      10000               },
                {"10s",                  0,      10000               },
                {"500ms",                0,      500                 },
                {"1m30s",                0,      90000               },
                {"1.5h",                 0,      5400000             },
                {"2h0.5s",               0,      7200500             },
                {"1500us",               ERANGE, 0                   },
                {"2000us",               0,      2                   },
                {"500us500us",           0,      1                   },
                {"-1",                   0,      SPEC_DURATION_MAX_MS},
                {"4294967",              0,      4294967000          },
                {"4294967294ms",         0,      SPEC_DURATION_MAX_MS},
                {"",                     EINVAL, 0                   },
                {"s",                    EINVAL, 0                   },
                {"-2",                   EINVAL, 0                   },
                {"-1s",                  EINVAL, 0                   },
                {"+1s",                  EINVAL, 0                   },
                {"1.5",                  EINVAL, 0                   },
                {"1 s",                  EINVAL, 0                   },
                {"1s ",                  EINVAL, 0                   },
                {"1d",                   EINVAL, 0                   },
                {"1S",                   EINVAL, 0                   },
                {"1m30",                 EINVAL, 0                   },
                {"1..5s",                EINVAL, 0                   },
                {"1.2.3s",               EINVAL, 0                   },
                {".s",                   EINVAL, 0                   },
                {"ms",                   EINVAL, 0                   },
                {"4294968",              ERANGE, 0                   },
                {"4294967295ms",         ERANGE, 0                   },
                {"1193h3m",              ERANGE, 0                   },
                {"99999999999999999999", ERANGE, 0                   },
                {"9999999999999999999h", ERANGE, 0                   },
                {"0.0001ms",             ERANGE, 0                   },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t ms = 0;

                t_note("'%s'", cases[i].text);
                t_int(-cases[i].code, value_duration(cases[i].text, &ms));
                t_true(ms == cases[i].ms);
        }
}

TEST(reads_signals)
{
        static const struct {
                const char *text;
                int code;
                uint32_t signal;
        } cases[] = {
                {"1",                    0,      1 },
                {"15",                   0,      15},
                {"64",                   0,      64},
                {"TERM",                 0,      15},
                {"SIGTERM",              0,      15},
                {"sigterm",              0,      15},
                {"Kill",                 0,      9 },
                {"HUP",                  0,      1 },
                {"SYS",                  0,      31},
                {"WINCH",                0,      28},
                {"USR1",                 0,      10},
                {"CHLD",                 0,      17},
                {"RTMIN",                0,      34},
                {"RTMIN+1",              0,      35},
                {"SIGRTMIN+30",          0,      64},
                {"RTMAX",                0,      64},
                {"rtmax-14",             0,      50},
                {"RTMAX-30",             0,      34},
                {"",                     EINVAL, 0 },
                {"SIG",                  EINVAL, 0 },
                {"SIGSIGTERM",           EINVAL, 0 },
                {"TERMX",                EINVAL, 0 },
                {"TER",                  EINVAL, 0 },
                {"-9",                   EINVAL, 0 },
                {"9 ",                   EINVAL, 0 },
                {"0x9",                  EINVAL, 0 },
                {"RTMIN-1",              EINVAL, 0 },
                {"RTMAX+1",              EINVAL, 0 },
                {"RTMIN+31",             EINVAL, 0 },
                {"RTMIN+",               EINVAL, 0 },
                {"RTMIN1",               EINVAL, 0 },
                {"0",                    ERANGE, 0 },
                {"65",                   ERANGE, 0 },
                {"99999999999999999999", ERANGE, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t signal = 0;

                t_note("'%s'", cases[i].text);
                t_int(-cases[i].code, value_signal(cases[i].text, &signal));
                t_int(cases[i].signal, signal);
        }
}

TEST(reads_resource_limits)
{
        static const struct {
                const char *text;
                int code;
                struct spec_ulimit limit;
        } cases[] = {
                {"nofile=1024",                       0,      {RLIMIT_NOFILE, 1024, 1024}                     },
                {"nofile=1024:4096",                  0,      {RLIMIT_NOFILE, 1024, 4096}                     },
                {"core=0",                            0,      {RLIMIT_CORE, 0, 0}                             },
                {"stack=8388608:-1",                  0,      {RLIMIT_STACK, 8388608, SPEC_UNLIMITED}         },
                {"memlock=-1",                        0,      {RLIMIT_MEMLOCK, SPEC_UNLIMITED, SPEC_UNLIMITED}},
                {"cpu=unlimited",                     0,      {RLIMIT_CPU, SPEC_UNLIMITED, SPEC_UNLIMITED}    },
                {"nofile",                            EINVAL, {0}                                             },
                {"nofile=",                           EINVAL, {0}                                             },
                {"nofile=:",                          EINVAL, {0}                                             },
                {"nofile=1:",                         EINVAL, {0}                                             },
                {"nofile=:1",                         EINVAL, {0}                                             },
                {"nofile=1:2:3",                      EINVAL, {0}                                             },
                {"nofile=-2",                         EINVAL, {0}                                             },
                {"nofile=1k",                         EINVAL, {0}                                             },
                {"nofile= 1",                         EINVAL, {0}                                             },
                {"nofile=9223372036854775807",        ERANGE, {0}                                             },
                {"nofile=11111111111111111111111111", ERANGE, {0}                                             },
                {"nofile=2:1",                        EDOM,   {0}                                             },
                {"nofile=-1:1",                       EDOM,   {0}                                             },
                {"nofiles=1",                         ENOENT, {0}                                             },
                {"NOFILE=1",                          ENOENT, {0}                                             },
                {"nofil=1",                           ENOENT, {0}                                             },
                {"=1",                                ENOENT, {0}                                             },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec_ulimit limit = {0};

                t_note("'%s'", cases[i].text);
                t_int(-cases[i].code, value_ulimit(cases[i].text, &limit));
                t_int(cases[i].limit.resource, limit.resource);
                t_true(limit.soft == cases[i].limit.soft && limit.hard == cases[i].limit.hard);
        }
}

TEST(every_resource_has_a_name_and_every_name_is_read)
{
        for (uint32_t i = 0; i < RLIM_NLIMITS; i++) {
                struct spec_ulimit limit;
                char text[32];

                t_true(value_ulimit_name(i) != NULL);
                (void)snprintf(text, sizeof(text), "%s=5", value_ulimit_name(i));
                t_ok(value_ulimit(text, &limit));
                t_int(i, limit.resource);
        }
        t_null(value_ulimit_name(RLIM_NLIMITS));
}

TEST(reads_lines_for_the_hosts_file)
{
        static const struct {
                const char *text;
                const char *host; /* NULL: refused */
        } cases[] = {
                {"db:10.0.0.2",                 "db:10.0.0.2"                },
                {"db=10.0.0.2",                 "db:10.0.0.2"                },
                {"db:fd00::2",                  "db:fd00::2"                 },
                {"db:[fd00::2]",                "db:fd00::2"                 },
                {"my_db.example.com:127.0.0.1", "my_db.example.com:127.0.0.1"},
                {"db",                          NULL                         },
                {"db:",                         NULL                         },
                {":10.0.0.2",                   NULL                         },
                {"db:10.0.0",                   NULL                         },
                {"db:10.0.0.256",               NULL                         },
                {"db:10.0.0.2 evil",            NULL                         },
                {"db:10.0.0.2\n1.2.3.4 evil",   NULL                         },
                {"db evil:10.0.0.2",            NULL                         },
                {"db\n:10.0.0.2",               NULL                         },
                {"#:10.0.0.2",                  NULL                         },
                {"db.:10.0.0.2",                NULL                         },
                {"-db:10.0.0.2",                NULL                         },
                {"db:[10.0.0.2",                NULL                         },
                {"db:[]",                       NULL                         },
                {"db:host-gateway",             NULL                         },
                {"db:example.com",              NULL                         },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char *host = NULL;
                int r;

                t_note("'%s'", cases[i].text);
                r = value_host(cases[i].text, &host);
                t_int(cases[i].host ? 0 : -EINVAL, r);
                t_str(cases[i].host, host);
                free(host);
        }
}

TEST(cleans_paths_and_refuses_ways_up)
{
        static const struct {
                const char *text;
                int code;
                const char *path;
        } cases[] = {
                {"/",            0,       "/"       },
                {"//",           0,       "/"       },
                {"/.",           0,       "/"       },
                {"/a",           0,       "/a"      },
                {"/a/",          0,       "/a"      },
                {"//a//b/./c/.", 0,       "/a/b/c"  },
                {"/..a/b..",     0,       "/..a/b.."},
                {"/...",         0,       "/..."    },
                {"/a b\n",       0,       "/a b\n"  },
                {"",             EINVAL,  NULL      },
                {"a",            EINVAL,  NULL      },
                {"./a",          EINVAL,  NULL      },
                {" /a",          EINVAL,  NULL      },
                {"..",           EINVAL,  NULL      },
                {"/..",          ENOTDIR, NULL      },
                {"/a/..",        ENOTDIR, NULL      },
                {"/a/../b",      ENOTDIR, NULL      },
                {"/../a",        ENOTDIR, NULL      },
        };
        char longest[SPEC_PATH_MAX + 2];
        char *path = NULL;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                path = NULL;
                t_note("'%s'", cases[i].text);
                t_int(-cases[i].code, value_path(cases[i].text, &path));
                t_str(cases[i].path, path);
                t_int(path && str_eq(path, cases[i].text), value_is_path(cases[i].text));
                free(path);
        }

        memset(longest, 'a', sizeof(longest));
        longest[0] = '/';
        longest[SPEC_PATH_MAX + 1] = '\0';
        t_errno(ENAMETOOLONG, value_path(longest, &path));
        longest[SPEC_PATH_MAX] = '\0';
        t_ok(value_path(longest, &path));
        t_str(longest, path);
        free(path);
}

TEST(knows_users_from_nonsense)
{
        static const char *const good[] = {
                "root", "0",     "1000",       "1000:1000",  "www-data",      "me:staff",
                "me:0", "a.b_c", "4294967294", "user@realm", "m\xc3\xbcller", "007",
        };
        static const char *const bad[] = {
                "",
                ":",
                ":1",
                "1:",
                "a:b:c",
                "-1",
                "-u",
                "a b",
                "a\tb",
                "a\n",
                "a/b",
                "../x",
                "4294967295",
                "99999999999999999999999999",
                "1:4294967295",
                "a,b",
                "a\\b",
                " a",
        };

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                t_note("'%s'", good[i]);
                t_true(value_is_user(good[i]));
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("'%s'", bad[i]);
                t_false(value_is_user(bad[i]));
        }
        t_true(value_is_group("docker"));
        t_false(value_is_group("a:b"));
        t_false(value_is_group(""));
}

TEST(knows_host_names_from_nonsense)
{
        static const char *const good[] = {
                "a",
                "box",
                "my-box",
                "web.example.com",
                "3com",
                "A-1",
                "abcdefghijkl",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 63 */
        };
        static const char *const bad[] = {
                "",
                "-a",
                "a-",
                "a..b",
                ".a",
                "a.",
                "a_b",
                "a b",
                "a\n",
                "m\xc3\xbcller",
                "a/b",
                "a-.b",
                "a.-b",
                "a:b",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",  /* 64 */
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 65 in two */
        };

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                t_note("'%s'", good[i]);
                t_true(value_is_hostname(good[i]));
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                t_note("'%s'", bad[i]);
                t_false(value_is_hostname(bad[i]));
        }
}

TEST(reads_flags_as_go_does)
{
        static const char *const yes[] = {"", "1", "t", "T", "true", "True", "TRUE"};
        static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE"};
        static const char *const neither[] = {"yes", "no", "on", "tRUE", "2", " true", "true "};
        bool value;

        for (size_t i = 0; i < ELEMENTS(yes); i++) {
                value = false;
                t_ok(value_bool(yes[i], &value));
                t_true(value);
        }
        for (size_t i = 0; i < ELEMENTS(no); i++) {
                value = true;
                t_ok(value_bool(no[i], &value));
                t_false(value);
        }
        for (size_t i = 0; i < ELEMENTS(neither); i++)
                t_errno(EINVAL, value_bool(neither[i], &value));
        value = false;
        t_ok(value_bool(NULL, &value));
        t_true(value);
}

TEST(knows_digests)
{
        t_true(value_is_digest(
                "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
        t_false(value_is_digest(
                "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
        t_false(value_is_digest(
                "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"));
        t_false(value_is_digest(
                "sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
        t_false(value_is_digest("sha256:"));
        t_false(value_is_digest(""));
}
