/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "fault.h"
#include "spec/caps.h"
#include "spec/spec.h"

TEST(rows_are_in_order_and_say_all_that_help_needs)
{
        const struct spec_field *fields;
        size_t count;

        fields = spec_fields(&count);
        t_int(42, count);
        for (size_t i = 0; i < count; i++) {
                t_note("%s", fields[i].key);
                t_true(i == 0 || strcmp(fields[i - 1].key, fields[i].key) < 0);
                t_true(spec_field_find(fields[i].key) == &fields[i]);
                t_int(fields[i].kind == SPEC_FIELD_FLAG, fields[i].arg == NULL);
                t_true(fields[i].help && fields[i].help[strlen(fields[i].help) - 1] != '.');
                for (size_t j = 0; j < i; j++)
                        t_true(fields[i].letter == 0 || fields[i].letter != fields[j].letter);
        }
        t_null(spec_field_find(""));
        t_null(spec_field_find("Memory"));
        t_null(spec_field_find("memor"));
        t_null(spec_field_find("--memory"));
}

TEST(every_key_sets_its_field)
{
        cleanup_with(spec_release) struct spec s;
        static const char *const settings[][2] = {
                {"add-host",              "db:[fd00::1]"           },
                {"allow-degraded",        "landlock,cgroup"        },
                {"arg",                   "echo"                   },
                {"audit",                 "best-effort"            },
                {"arg",                   ""                       },
                {"cap-add",               "net_raw"                },
                {"cap-drop",              "ALL"                    },
                {"cpus",                  "1.5"                    },
                {"entrypoint",            "/bin/sh -c"             },
                {"env",                   "A=1"                    },
                {"env",                   "B="                     },
                {"group-add",             "audio"                  },
                {"health-cmd",            "curl -f  localhost"     },
                {"health-interval",       "1m30s"                  },
                {"health-retries",        "5"                      },
                {"health-start-interval", "250ms"                  },
                {"health-start-period",   "1m"                     },
                {"health-timeout",        "2"                      },
                {"here",                  "ro:/srv/me/"            },
                {"hostname",              "web"                    },
                {"image",                 "oci:dir:tag"            },
                {"init",                  NULL                     },
                {"interactive",           "true"                   },
                {"label",                 "k=v"                    },
                {"memory",                "512m"                   },
                {"mount",                 "type=bind,src=/a,dst=/b"},
                {"name",                  "box-1"                  },
                {"network",               "none"                   },
                {"pids-limit",            "100"                    },
                {"read-only",             "1"                      },
                {"restart",               "on-failure:0"           },
                {"rm",                    ""                       },
                {"shm-size",              "128m"                   },
                {"stop-signal",           "INT"                    },
                {"stop-timeout",          "1m"                     },
                {"timeout",               "500ms"                  },
                {"tmpfs",                 "/run"                   },
                {"tty",                   NULL                     },
                {"ulimit",                "nofile=10:20"           },
                {"user",                  "me:staff"               },
                {"volume",                "data:/data"             },
                {"workdir",               "/srv//x/"               },
        };

        spec_init(&s);
        for (size_t i = 0; i < ELEMENTS(settings); i++) {
                t_note("%s", settings[i][0]);
                t_ok(spec_set(&s, settings[i][0], settings[i][1], NULL));
        }
        t_str("db:fd00::1", s.add_host.items[0]);
        t_int(2, s.allow_degraded.count);
        t_str("cgroup", s.allow_degraded.items[1]);
        t_int(2, s.args.count);
        t_str("best-effort", s.audit);
        t_ok(spec_set(&s, "audit", "required", NULL));
        t_null(s.audit);
        t_str("", s.args.items[1]);
        t_str("CAP_NET_RAW", s.cap_add.items[0]);
        t_str("ALL", s.cap_drop.items[0]);
        t_int(1500, s.cpu_millis);
        t_true(s.entrypoint.set);
        t_str("/bin/sh -c", s.entrypoint.argv.items[0]);
        t_str("1", strv_get(&s.env, "A"));
        t_str("", strv_get(&s.env, "B"));
        t_str("audio", s.group_add.items[0]);
        t_int(2, s.health.test.count);
        t_str("CMD-SHELL", s.health.test.items[0]);
        t_str("curl -f  localhost", s.health.test.items[1]);
        t_int(90000, s.health.interval_ms);
        t_int(5, s.health.retries);
        t_int(250, s.health.start_interval_ms);
        t_int(60000, s.health.start_period_ms);
        t_int(2000, s.health.timeout_ms);
        t_int(SPEC_HERE_RO, s.here);
        t_str("/srv/me", s.here_dir);
        t_str("web", s.hostname);
        t_str("oci:dir:tag", s.image);
        t_true(s.init && s.open_stdin && s.read_only && s.remove && s.tty);
        t_str("k=v", s.labels.items[0]);
        t_int(512 * 1024 * 1024, s.memory_bytes);
        t_int(3, s.mounts.count);
        t_str("box-1", s.name);
        t_int(SPEC_NETWORK_NONE, s.network);
        t_int(100, s.pids_max);
        t_str("on-failure", s.restart);
        t_ok(spec_set(&s, "restart", "no", NULL)); /* it does not go with rm */
        t_int(128 * 1024 * 1024, s.shm_bytes);
        t_int(2, s.stop_signal);
        t_int(60000, s.stop_grace_ms);
        t_int(500, s.timeout_ms);
        t_int(1, s.ulimits.count);
        t_int(RLIMIT_NOFILE, s.ulimits.items[0].resource);
        t_str("me:staff", s.user);
        t_str("/srv/x", s.workdir);
        t_ok(spec_validate(&s, NULL));
}

TEST(defaults_are_those_of_the_manual)
{
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        t_int(64 * 1024 * 1024, s.shm_bytes);
        t_int(16 * 1024 * 1024, s.log_max_bytes);
        t_int(3, s.log_files);
        t_int(10000, s.stop_grace_ms);
        t_int(SPEC_NETWORK_NONE, s.network);
        t_true(s.memory_bytes == 0 && s.cpu_millis == 0 && s.pids_max == 0 && s.timeout_ms == 0);
        t_ok(spec_validate(&s, NULL));
}

TEST(the_last_value_counts_where_one_is_kept)
{
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        t_ok(spec_set(&s, "user", "a", NULL));
        t_ok(spec_set(&s, "user", "b", NULL));
        t_str("b", s.user);
        t_ok(spec_set(&s, "user", "", NULL));
        t_null(s.user);
        t_ok(spec_set(&s, "tty", NULL, NULL));
        t_ok(spec_set(&s, "tty", "false", NULL));
        t_false(s.tty);
        t_ok(spec_set(&s, "entrypoint", "a", NULL));
        t_ok(spec_set(&s, "entrypoint", "", NULL));
        t_true(s.entrypoint.set);
        t_int(0, s.entrypoint.argv.count);
        t_ok(spec_set(&s, "env", "A=1", NULL));
        t_ok(spec_set(&s, "env", "A=2=3", NULL));
        t_int(1, s.env.count);
        t_str("2=3", strv_get(&s.env, "A"));
        t_ok(spec_set(&s, "label", "k", NULL));
        t_ok(spec_set(&s, "label", "k=v", NULL));
        t_int(1, s.labels.count);
        t_ok(spec_set(&s, "ulimit", "core=1", NULL));
        t_ok(spec_set(&s, "ulimit", "core=2", NULL));
        t_int(1, s.ulimits.count);
        t_int(2, s.ulimits.items[0].soft);
        t_ok(spec_set(&s, "cap-add", "chown", NULL));
        t_ok(spec_set(&s, "cap-add", "CAP_CHOWN", NULL));
        t_int(1, s.cap_add.count);
        t_ok(spec_set(&s, "here", "ro:/a", NULL));
        t_ok(spec_set(&s, "here", "off", NULL));
        t_null(s.here_dir);
        t_ok(spec_set(&s, "pids-limit", "-1", NULL));
        t_true(s.pids_max == SPEC_UNLIMITED);
        t_ok(spec_set(&s, "stop-timeout", "-1", NULL));
        t_true(s.stop_grace_ms == SPEC_DURATION_MAX_MS);
        t_ok(spec_set(&s, "timeout", "-1", NULL));
        t_int(0, s.timeout_ms);
        t_ok(spec_set(&s, "shm-size", "0", NULL));
        t_int(64 * 1024 * 1024, s.shm_bytes);
}

TEST(refuses_what_is_no_restart_policy)
{
        static const char *const cases[][2] = {
                {"yes",           "--restart 'yes': not a restart policy"},
                {"on-failure:-1", "not a restart policy"                 },
                {"always:3",      "only on-failure counts"               },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};

                spec_init(&s);
                t_errno(EINVAL, spec_set(&s, "restart", cases[i][0], &err));
                t_has(cases[i][1], err.msg);
                t_true(!s.restart && err.hint[0] != '\0');
        }
}

TEST(every_resource_can_be_limited_at_once)
{
        static const char *const names[] = {
                "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
                "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
        };
        cleanup_with(spec_release) struct spec s;
        char value[32];

        spec_init(&s);
        for (int round = 0; round < 2; round++)
                for (size_t i = 0; i < ELEMENTS(names); i++) {
                        (void)snprintf(value, sizeof(value), "%s=%d", names[i], round);
                        t_ok(spec_set(&s, "ulimit", value, NULL));
                }
        t_int(SPEC_ULIMITS_MAX, s.ulimits.count);
}

TEST(refuses_values_in_one_line_with_a_hint)
{
        static const struct {
                const char *key, *value;
                int code;
                const char *says;
        } cases[] = {
                {"add-host",            "db",              EINVAL,  "--add-host 'db': not a host"      },
                {"add-host",            "db:host-gateway", ENOTSUP, "no host-gateway"                  },
                {"allow-degraded",      "",                EINVAL,  "not a control"                    },
                {"allow-degraded",      "landlock,",       EINVAL,  "'' is not a control"              },
                {"allow-degraded",      "landlock,walls",  EINVAL,  "'walls'"                          },
                {"cap-add",             "CAP_",            EINVAL,  "not a capability"                 },
                {"cap-add",             "",                EINVAL,  "not a capability"                 },
                {"cap-add",             "chown,kill",      EINVAL,  "not a capability"                 },
                {"cap-drop",            "CAP_ALL",         EINVAL,  "not a capability"                 },
                {"cpus",                "",                EINVAL,  "not a number of cpus"             },
                {"cpus",                "0.005",           ERANGE,  "kept"                             },
                {"cpus",                "1.00001",         ERANGE,  "kept"                             },
                {"env",                 "A",               EINVAL,  "no value"                         },
                {"env",                 "=A",              EINVAL,  "no name"                          },
                {"env",                 "",                EINVAL,  "no value"                         },
                {"group-add",           "a:b",             EINVAL,  "not a group"                      },
                {"health-interval",     "-1",              EINVAL,  "not a time"                       },
                {"health-interval",     "-5s",             EINVAL,  "not a time"                       },
                {"health-interval",     "often",           EINVAL,  "not a time"                       },
                {"health-retries",      "-1",              EINVAL,  "not a number of retries"          },
                {"health-retries",      "3.5",             EINVAL,  "not a number of retries"          },
                {"health-retries",      "2147483648",      EINVAL,  "not a number of retries"          },
                {"health-start-period", "",                EINVAL,  "not a time"                       },
                {"health-timeout",      "50d",             EINVAL,  "not a time"                       },
                {"here",                "yes",             EINVAL,  "not a way"                        },
                {"no-healthcheck",      "never",           EINVAL,  "not a flag"                       },
                {"here",                "ro:",             EINVAL,  "no absolute path"                 },
                {"here",                "ro:x",            EINVAL,  "no absolute path"                 },
                {"here",                "off:/x",          EINVAL,  "no absolute path"                 },
                {"here",                "ro:/x/..",        EINVAL,  "no absolute path"                 },
                {"hostname",            "a_b",             EINVAL,  "not a host name"                  },
                {"image",               "",                EINVAL,  "no image"                         },
                {"image",               "a\nb",            EINVAL,  "control character"                },
                {"init",                "maybe",           EINVAL,  "not a flag"                       },
                {"label",               "",                EINVAL,  "no key"                           },
                {"label",               "=v",              EINVAL,  "no key"                           },
                {"label",               "a b=v",           EINVAL,  "blank"                            },
                {"memory",              "2X",              EINVAL,  "--memory '2X': not a size"        },
                {"memory",              "",                EINVAL,  "not a size"                       },
                {"memory",              "-1",              EINVAL,  "not a size"                       },
                {"memory",              "6291455",         ERANGE,  "less than"                        },
                {"memory",              "4k",              ERANGE,  "less than"                        },
                {"mount",               "type=x",          EINVAL,  "no type"                          },
                {"name",                "a/b",             EINVAL,  "not a name"                       },
                {"name",                "abcdefghij27",    EINVAL,  "form of a box's id"               },
                {"network",             "",                EINVAL,  "no such network"                  },
                {"network",             "None",            EINVAL,  "no such network"                  },
                {"network",             "host",            ENOTSUP, "Coffer has no --network host"     },
                {"network",             "bridge",          ENOTSUP, "Coffer has no --network bridge"   },
                {"network",             "container:x",     ENOTSUP, "Coffer has no --network container"},
                {"network",             "policy",          ENOTSUP, "door is not built"                },
                {"network",             "open",            ENOTSUP, "door is not built"                },
                {"pids-limit",          "",                EINVAL,  "not a number"                     },
                {"pids-limit",          "-2",              EINVAL,  "not a number"                     },
                {"pids-limit",          "1.5",             EINVAL,  "not a number"                     },
                {"pids-limit",          "4194305",         EINVAL,  "not a number"                     },
                {"rm",                  "yes",             EINVAL,  "not a flag"                       },
                {"shm-size",            "x",               EINVAL,  "not a size"                       },
                {"stop-signal",         "",                EINVAL,  "not a signal"                     },
                {"stop-signal",         "SIGFOO",          EINVAL,  "not a signal"                     },
                {"stop-timeout",        "",                EINVAL,  "not a time"                       },
                {"stop-timeout",        "x",               EINVAL,  "not a time"                       },
                {"timeout",             "1.5",             EINVAL,  "not a time"                       },
                {"tmpfs",               "run",             EINVAL,  "absolute"                         },
                {"ulimit",              "nofile",          EINVAL,  "not a limit"                      },
                {"ulimit",              "files=1",         EINVAL,  "no such resource"                 },
                {"ulimit",              "nofile=2:1",      EINVAL,  "above"                            },
                {"user",                "a b",             EINVAL,  "not a user"                       },
                {"volume",              "a:b:c:d",         EINVAL,  "three parts"                      },
                {"workdir",             "x",               EINVAL,  "not an absolute path"             },
                {"workdir",             "/a/../b",         EINVAL,  "not an absolute path"             },
                {"",                    "",                ENOENT,  "no option"                        },
                {"privileged",          "",                ENOENT,  "no option 'privileged'"           },
                {"pid",                 "host",            ENOENT,  "no option"                        },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(spec_release) struct spec s;
                struct spec untouched;
                struct coffer_error err = {0};

                spec_init(&s);
                spec_init(&untouched);
                t_note("%s '%s'", cases[i].key, cases[i].value);
                t_errno(cases[i].code, spec_set(&s, cases[i].key, cases[i].value, &err));
                t_int(-cases[i].code, err.code);
                t_int(COFFER_ERROR_USAGE, err.kind);
                t_has(cases[i].says, err.msg);
                t_true(err.hint[0] != '\0');
                t_null(strchr(err.msg, '\n'));
                t_mem(&untouched, &s, sizeof(s));
        }
}

TEST(the_last_health_command_counts_and_an_empty_one_takes_it_back)
{
        cleanup_with(spec_release) struct spec s;

        spec_init(&s);
        t_ok(spec_set(&s, "health-cmd", "a", NULL));
        t_ok(spec_set(&s, "health-cmd", "b", NULL));
        t_int(2, s.health.test.count);
        t_str("b", s.health.test.items[1]);
        t_ok(spec_set(&s, "health-cmd", "", NULL));
        t_int(0, s.health.test.count);
}

static char *of_length(const char *start, size_t length)
{
        char *s = malloc(length + 1);
        size_t n = strlen(start);

        t_true(s != NULL);
        memcpy(s, start, n);
        memset(s + n, 'x', length - n);
        s[length] = '\0';
        return s;
}

TEST(one_argument_or_variable_is_below_128_kib)
{
        static const char *const keys[][2] = {
                {"arg",   ""  },
                {"env",   "A="},
                {"label", "k="}
        };

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                cleanup_free char *longest = of_length(keys[i][1], 128 * 1024 - 1);
                cleanup_free char *longer = of_length(keys[i][1], 128 * 1024);
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err;

                spec_init(&s);
                t_ok(spec_set(&s, keys[i][0], longest, NULL));
                t_errno(E2BIG, spec_set(&s, keys[i][0], longer, &err));
                t_has("131071", err.msg);
        }
}

TEST(the_environment_is_at_most_a_mebibyte)
{
        cleanup_with(spec_release) struct spec s;
        struct coffer_error err = {0};
        char start[16];

        spec_init(&s);
        for (int i = 0; i < 8; i++) {
                cleanup_free char *value = NULL;

                (void)snprintf(start, sizeof(start), "A%d=", i);
                value = of_length(start, 128 * 1024 - 1);
                t_ok(spec_set(&s, "env", value, NULL));
        }
        t_ok(spec_validate(&s, NULL));
        t_ok(spec_set(&s, "env", "B=", NULL));
        t_errno(E2BIG, spec_validate(&s, &err));
        t_has("the environment: 1048579 bytes", err.msg);
        t_true(err.hint[0] != '\0');
}

TEST(lists_have_a_maximum)
{
        cleanup_with(spec_release) struct spec s;
        char value[32];

        spec_init(&s);
        for (int i = 0; i < SPEC_LIST_MAX; i++) {
                (void)snprintf(value, sizeof(value), "g%d", i);
                t_ok(spec_set(&s, "group-add", value, NULL));
                t_ok(spec_set(&s, "label", value, NULL));
        }
        t_errno(E2BIG, spec_set(&s, "group-add", "one-more", NULL));
        t_ok(spec_set(&s, "group-add", "g7", NULL));
        t_errno(E2BIG, spec_set(&s, "label", "one-more=", NULL));
        t_ok(spec_set(&s, "label", "g7=changed", NULL));
}

TEST(an_error_does_not_repeat_what_may_be_secret)
{
        static const struct {
                const char *key, *start, *says;
        } cases[] = {
                {"env", "TOKEN=hunter2",      "--env TOKEN: longer"             },
                {"arg", "--password=hunter2", "arg: longer"                     },
                {"env", "=hunter2",           "--env: the variable has no name" },
                {"env", "hunter2",            "--env: the variable has no value"},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                bool whole = strchr(cases[i].says, 'v') && strstr(cases[i].says, "variable");
                cleanup_free char *value =
                        of_length(cases[i].start, whole ? strlen(cases[i].start) : 128 * 1024);
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};

                spec_init(&s);
                t_true(spec_set(&s, cases[i].key, value, &err) < 0);
                t_has(cases[i].says, err.msg);
                t_null(strstr(err.msg, "hunter2"));
                t_null(strstr(err.hint, "hunter2"));
        }
}

TEST(options_that_contradict_each_other_are_refused)
{
        static const struct {
                const char *settings[4][2];
                const char *says; /* NULL: fine */
        } cases[] = {
                {{{"require", "landlock"}, {"allow-degraded", "idmap"}},               NULL                    },
                {{{"require", "landlock"}, {"allow-degraded", "landlock"}},            "both mean landlock"    },
                {{{"require", "cgroup"}, {"allow-degraded", "cgroup.cpu"}},            "both mean cgroup.cpu"  },
                {{{"require", "cgroup.pids"}, {"allow-degraded", "cgroup"}},
                 "both mean cgroup.pids"                                                                       },
                {{{"require", "cgroup.memory"}},                                       "no limit to enforce"   },
                {{{"require", "cgroup.memory"}, {"memory", "64m"}},                    NULL                    },
                {{{"require", "cgroup.pids"}, {"pids-limit", "-1"}},                   "no limit to enforce"   },
                {{{"require", "cgroup"}, {"memory", "64m"}, {"cpus", "1"}},            NULL                    },
                {{{"allow-degraded", "bounding-set"}},                                 NULL                    },
                {{{"allow-degraded", "seccomp,landlock"}},                             NULL                    },
                {{{"allow-degraded", "bounding-set,cgroup"}},                          NULL                    },
                {{{"allow-degraded", "bounding-set,seccomp"}},                         "bounding-set"          },
                {{{"allow-degraded", "landlock"}, {"allow-degraded", "bounding-set"}},
                 "bounding-set"                                                                                },
                {{{"allow-degraded", "no-new-privs,bounding-set"}},                    "bounding-set"          },
                {{{"cap-add", "chown"}, {"cap-drop", "ALL"}},                          NULL                    },
                {{{"cap-add", "ALL"}, {"cap-drop", "chown"}},                          NULL                    },
                {{{"cap-add", "chown"}, {"cap-drop", "CAP_CHOWN"}},                    "both added and dropped"},
                {{{"cap-add", "ALL"}, {"cap-drop", "all"}},                            "both added and dropped"},
                {{{"tmpfs", "/dev/shm"}},                                              NULL                    },
                {{{"tmpfs", "/dev/shm"}, {"shm-size", "1m"}},                          "/dev/shm"              },
                {{{"memory", "6m"}},                                                   NULL                    },
                {{{"memory", "64m"}, {"shm-size", "128m"}},                            "above --memory"        },
                {{{"here", "rw:/srv/me"}, {"volume", "/x:/srv/me/x"}},                 NULL                    },
                {{{"here", "rw:/srv/me"}, {"volume", "/x:/srv/me/"}},                  "same target"           },
                {{{"here", "rw:/"}},                                                   "own path"              },
                {{{"here", "rw:/proc/self"}},                                          "own path"              },
                {{{"here", "ro:/dev"}},                                                "own path"              },
                {{{"tty", NULL}, {"init", NULL}, {"read-only", NULL}, {"rm", NULL}},   NULL                    },
                {{{"rm", NULL}, {"restart", "always"}},                                "exclude each other"    },
                {{{"rm", NULL}, {"restart", "always"}, {"restart", "no"}},             NULL                    },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};

                spec_init(&s);
                for (size_t j = 0; j < 4 && cases[i].settings[j][0]; j++) {
                        t_note("%zu: %s %s", i, cases[i].settings[j][0],
                               cases[i].settings[j][1] ? cases[i].settings[j][1] : "");
                        t_ok(spec_set(&s, cases[i].settings[j][0], cases[i].settings[j][1], NULL));
                }
                if (!cases[i].says) {
                        t_ok(spec_validate(&s, &err));
                        continue;
                }
                t_errno(EINVAL, spec_validate(&s, &err));
                t_has(cases[i].says, err.msg);
                t_true(err.hint[0] != '\0');
        }
}

TEST(without_memory_a_setting_changes_nothing)
{
        static const char *const settings[][2] = {
                {"user",           "me"               },
                {"env",            "A=1"              },
                {"label",          "k=v"              },
                {"entrypoint",     "x"                },
                {"workdir",        "/x"               },
                {"cap-add",        "ALL"              },
                {"here",           "ro:/x"            },
                {"add-host",       "a:1.2.3.4"        },
                {"allow-degraded", "seccomp"          },
                {"mount",          "type=tmpfs,dst=/x"},
        };

        for (size_t i = 0; i < ELEMENTS(settings); i++) {
                for (unsigned n = 1;; n++) {
                        cleanup_with(spec_release) struct spec s;
                        struct coffer_error err = {0};
                        int r;

                        spec_init(&s);
                        fault_arm(n);
                        r = spec_set(&s, settings[i][0], settings[i][1], &err);
                        if (!fault_disarm()) {
                                t_ok(r);
                                t_true(n > 1);
                                break;
                        }
                        t_note("%s, allocation %u", settings[i][0], n);
                        t_errno(ENOMEM, r);
                        t_int(-ENOMEM, err.code);
                        t_true(!s.user && !s.workdir && s.env.count == 0 && s.labels.count == 0);
                        t_true(!s.entrypoint.set && s.here == SPEC_HERE_OFF && !s.here_dir);
                        t_true(s.mounts.count == 0 && s.cap_add.count == 0);
                }
        }
}

TEST(capabilities_add_up_as_in_docker)
{
        static const struct {
                const char *add, *drop;
                const char *root_has, *root_lacks, *user_has;
        } cases[] = {
                {NULL,      NULL,      "CHOWN",              "NET_RAW",   NULL                },
                {NULL,      NULL,      "NET_BIND_SERVICE",   "SYS_ADMIN", NULL                },
                {"NET_RAW", NULL,      "NET_RAW",            "SYS_ADMIN", "NET_RAW"           },
                {NULL,      "CHOWN",   "KILL",               "CHOWN",     NULL                },
                {"NET_RAW", "ALL",     "NET_RAW",            "CHOWN",     "NET_RAW"           },
                {"ALL",     "NET_RAW", "SYS_ADMIN",          "NET_RAW",   "SYS_ADMIN"         },
                {"ALL",     NULL,      "CHECKPOINT_RESTORE", NULL,        "CHECKPOINT_RESTORE"},
                {NULL,      "ALL",     NULL,                 "CHOWN",     NULL                },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(spec_release) struct spec s;
                uint64_t root, user;

                spec_init(&s);
                t_note("row %zu", i);
                if (cases[i].add)
                        t_ok(spec_set(&s, "cap-add", cases[i].add, NULL));
                if (cases[i].drop)
                        t_ok(spec_set(&s, "cap-drop", cases[i].drop, NULL));
                root = spec_caps_root(&s);
                user = spec_caps_user(&s);
                if (cases[i].root_has)
                        t_true(root >> caps_number(cases[i].root_has) & 1);
                else
                        t_true(root == 0);
                if (cases[i].root_lacks)
                        t_false(root >> caps_number(cases[i].root_lacks) & 1);
                else
                        t_true(root == CAPS_ALL);
                if (cases[i].user_has)
                        t_true(user >> caps_number(cases[i].user_has) & 1);
                else
                        t_true(user == 0);
                t_true((user & ~root) == 0);
        }
}

TEST(capability_names_and_numbers_agree)
{
        for (unsigned i = 0; i < CAPS_COUNT; i++) {
                t_int(i, caps_number(caps_name(i)));
                t_int(i, caps_number(caps_name(i) + 4));
        }
        t_null(caps_name(CAPS_COUNT));
        t_int(21, caps_number("sys_admin"));
        t_errno(EINVAL, caps_number("CAP_CAP_CHOWN"));
        t_errno(EINVAL, caps_number(""));
        t_errno(EINVAL, caps_number("40"));
}

TEST(controls_that_are_none_or_cannot_be_had_are_refused_by_name)
{
        static const struct {
                const char *value;
                int code;
                const char *words;
        } rows[] = {
                {"walls",       EINVAL,  "they are engine, userns"   },
                {"cgroup.",     EINVAL,  "'cgroup.' is not a control"},
                {"landlock,vm", ENOTSUP, "vm cannot be required"     },
                {"proxy",       ENOTSUP, "proxy cannot be required"  },
                {"shim",        ENOTSUP, "shim cannot be required"   },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                cleanup_with(spec_release) struct spec s;
                struct coffer_error err = {0};

                spec_init(&s);
                t_note("%s", rows[i].value);
                t_errno(rows[i].code, spec_set(&s, "require", rows[i].value, &err));
                t_true(strstr(err.msg, rows[i].words) != NULL);
                t_true(err.hint[0] != '\0');
                t_int(0, s.require.count);
        }
}
