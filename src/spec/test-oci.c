/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "fault.h"
#include "spec/mounts.h"

#define ID "abcdefghij27"

static void set(struct spec *s, const char *key, const char *value)
{
        struct coffer_error err = {0};

        if (spec_set(s, key, value, &err) < 0)
                t_note("%s", err.msg);
        t_str("", err.msg);
}

/* One with a value in every field. */
static void fill(struct spec *s)
{
        static const char *const settings[][2] = {
                {"image",                 "docker-archive:/a b.tar"                               },
                {"entrypoint",            "/bin/tini"                                             },
                {"arg",                   "sh"                                                    },
                {"arg",                   "a \"b\" \\ \t\n\x01\x7f"                               },
                {"arg",                   ""                                                      },
                {"arg",                   "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x81 \xef\xbf\xbd"},
                {"arg",                   "caf\xe9"                                               },
                {"env",                   "A=1"                                                   },
                {"env",                   "RAW=\xff\xfe/"                                         },
                {"env",                   "SIMILAR=\xef\xbf\xbd\xef\xbf\xbd/"                     },
                {"workdir",               "/w/\xff"                                               },
                {"user",                  "1000:staff"                                            },
                {"group-add",             "audio"                                                 },
                {"group-add",             "20"                                                    },
                {"hostname",              "web.example"                                           },
                {"name",                  "quiet_bramah"                                          },
                {"label",                 "k=v"                                                   },
                {"label",                 "\xc0\xaf=\xed\xa0\x80"                                 },
                {"volume",                "/src\xff:/dst\xfe:ro"                                  },
                {"volume",                "data:/data:nocopy"                                     },
                {"volume",                "/anonymous"                                            },
                {"tmpfs",                 "/run/x:size=1m,mode=700,uid=1,gid=2,nr_inodes=9,exec"  },
                {"tmpfs",                 "/run"                                                  },
                {"ulimit",                "nofile=10:20"                                          },
                {"ulimit",                "stack=5:-1"                                            },
                {"cap-add",               "NET_RAW"                                               },
                {"cap-drop",              "CHOWN"                                                 },
                {"add-host",              "db:fd00::1"                                            },
                {"allow-degraded",        "landlock"                                              },
                {"require",               "cgroup.memory,seccomp"                                 },
                {"audit",                 "best-effort"                                           },
                {"here",                  "ro:/srv/me\xff"                                        },
                {"health-cmd",            "grep \xff /x"                                          },
                {"health-interval",       "1s"                                                    },
                {"health-timeout",        "2s"                                                    },
                {"health-start-period",   "3s"                                                    },
                {"health-start-interval", "4s"                                                    },
                {"health-retries",        "5"                                                     },
                {"memory",                "512m"                                                  },
                {"cpus",                  "1.5"                                                   },
                {"pids-limit",            "-1"                                                    },
                {"shm-size",              "1m"                                                    },
                {"stop-signal",           "INT"                                                   },
                {"stop-timeout",          "1m"                                                    },
                {"timeout",               "500ms"                                                 },
                {"tty",                   NULL                                                    },
                {"interactive",           NULL                                                    },
                {"rm",                    NULL                                                    },
                {"read-only",             NULL                                                    },
                {"init",                  NULL                                                    },
        };
        static const char digest[] =
                "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

        spec_init(s);
        for (size_t i = 0; i < ELEMENTS(settings); i++)
                set(s, settings[i][0], settings[i][1]);
        s->mounts.items[2].from_image = true;
        s->image_id = strdup(digest);
        s->created_by = strdup("0.1.0");
        t_ok(strv_add(&s->layers, digest));
        t_ok(strv_add(&s->health.shell, "/bin/bash\xfe"));
        s->log_max_bytes = 1000;
        s->log_files = 7;
        t_ok(spec_complete(s, ID, NULL));
}

static void fill_least(struct spec *s)
{
        spec_init(s);
        set(s, "arg", "sh");
        t_ok(spec_complete(s, ID, NULL));
}

static void check_lists(const struct strv *a, const struct strv *b)
{
        t_int(a->count, b->count);
        for (size_t i = 0; i < a->count; i++)
                t_str(a->items[i], b->items[i]);
}

static void check_mounts(const struct spec_mounts *a, const struct spec_mounts *b)
{
        t_int(a->count, b->count);
        for (size_t i = 0; i < a->count; i++) {
                const struct spec_mount *x = &a->items[i], *y = &b->items[i];

                t_int(x->kind, y->kind);
                t_str(x->source, y->source);
                t_str(x->target, y->target);
                t_int(x->read_only, y->read_only);
                t_int(x->no_exec, y->no_exec);
                t_int(x->no_copy, y->no_copy);
                t_int(x->from_image, y->from_image);
                t_true(x->size_bytes == y->size_bytes && x->inodes == y->inodes);
                t_int(x->mode, y->mode);
                t_true(x->uid == y->uid && x->gid == y->gid);
        }
}

/* By the list in spec.h, field for field. */
static void check_equal(const struct spec *a, const struct spec *b)
{
        t_str(a->image, b->image);
        t_str(a->image_id, b->image_id);
        check_lists(&a->layers, &b->layers);
        t_int(a->entrypoint.set, b->entrypoint.set);
        check_lists(&a->entrypoint.argv, &b->entrypoint.argv);
        check_lists(&a->args, &b->args);
        check_lists(&a->env, &b->env);
        t_str(a->workdir, b->workdir);
        t_str(a->user, b->user);
        check_lists(&a->group_add, &b->group_add);
        t_str(a->hostname, b->hostname);
        t_str(a->name, b->name);
        check_lists(&a->labels, &b->labels);
        check_mounts(&a->mounts, &b->mounts);
        t_int(a->ulimits.count, b->ulimits.count);
        for (size_t i = 0; i < a->ulimits.count; i++) {
                t_int(a->ulimits.items[i].resource, b->ulimits.items[i].resource);
                t_true(a->ulimits.items[i].soft == b->ulimits.items[i].soft);
                t_true(a->ulimits.items[i].hard == b->ulimits.items[i].hard);
        }
        check_lists(&a->health.test, &b->health.test);
        check_lists(&a->health.shell, &b->health.shell);
        t_int(a->health.interval_ms, b->health.interval_ms);
        t_int(a->health.timeout_ms, b->health.timeout_ms);
        t_int(a->health.start_period_ms, b->health.start_period_ms);
        t_int(a->health.start_interval_ms, b->health.start_interval_ms);
        t_int(a->health.retries, b->health.retries);
        t_int(a->health.off, b->health.off);
        check_lists(&a->cap_add, &b->cap_add);
        check_lists(&a->cap_drop, &b->cap_drop);
        check_lists(&a->add_host, &b->add_host);
        check_lists(&a->allow_degraded, &b->allow_degraded);
        check_lists(&a->require, &b->require);
        t_str(a->restart, b->restart);
        t_str(a->audit, b->audit);
        t_str(a->here_dir, b->here_dir);
        t_str(a->created_by, b->created_by);
        t_true(a->memory_bytes == b->memory_bytes && a->cpu_millis == b->cpu_millis);
        t_true(a->pids_max == b->pids_max && a->shm_bytes == b->shm_bytes);
        t_true(a->log_max_bytes == b->log_max_bytes && a->log_files == b->log_files);
        t_true(a->stop_signal == b->stop_signal && a->stop_grace_ms == b->stop_grace_ms);
        t_true(a->timeout_ms == b->timeout_ms && a->here == b->here && a->network == b->network);
        t_true(a->tty == b->tty && a->open_stdin == b->open_stdin && a->remove == b->remove);
        t_true(a->read_only == b->read_only && a->init == b->init);
}

static void check_round_trip(const struct spec *s)
{
        cleanup_with(buf_release) struct buf first = BUF_INIT(SPEC_JSON_MAX_BYTES);
        cleanup_with(buf_release) struct buf second = BUF_INIT(SPEC_JSON_MAX_BYTES);
        cleanup_with(spec_release) struct spec again;
        struct coffer_error err = {0};

        t_ok(spec_to_json(s, &first));
        if (spec_from_json(first.data, first.size, &again, &err) < 0)
                t_note("%s\n%s", err.msg, first.data);
        t_str("", err.msg);
        check_equal(s, &again);
        t_ok(spec_to_json(&again, &second));
        t_str(first.data, second.data);
}

TEST(what_is_written_is_read_back_the_same)
{
        cleanup_with(spec_release) struct spec s;
        cleanup_with(spec_release) struct spec least;

        fill(&s);
        check_round_trip(&s);
        fill_least(&least);
        check_round_trip(&least);
        set(&least, "no-healthcheck", NULL);
        check_round_trip(&least);
}

/*
 * Boxes outlive upgrades.  Whoever changes what is written must raise OCI_FORMAT and say what
 * becomes of documents of the old one, as their derived parts would be refused.
 */
static const char format_1[] =
        "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":false,"
        "\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
        "\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
        "\"HOSTNAME=abcdefghij27\"],\"cwd\":\"/\","
        "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\","
        "\"CAP_FOWNER\",\"CAP_FSETID\",\"CAP_KILL\",\"CAP_SETGID\","
        "\"CAP_SETUID\",\"CAP_NET_BIND_SERVICE\",\"CAP_SETFCAP\"],"
        "\"effective\":[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\","
        "\"CAP_FSETID\",\"CAP_KILL\",\"CAP_SETGID\",\"CAP_SETUID\","
        "\"CAP_NET_BIND_SERVICE\",\"CAP_SETFCAP\"],\"permitted\":[\"CAP_CHOWN\","
        "\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\",\"CAP_FSETID\",\"CAP_KILL\","
        "\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_NET_BIND_SERVICE\",\"CAP_SETFCAP\"],"
        "\"inheritable\":[],\"ambient\":[]},\"rlimits\":[],"
        "\"noNewPrivileges\":true},\"root\":{\"path\":\"merged\","
        "\"readonly\":false},\"hostname\":\"abcdefghij27\","
        "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\","
        "\"source\":\"proc\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
        "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
        "\"options\":[\"nosuid\",\"noexec\",\"mode=755\"]},"
        "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
        "\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\","
        "\"mode=0620\"]},{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\","
        "\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
        "\"mode=1777\",\"size=67108864\"]},{\"destination\":\"/dev/mqueue\","
        "\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\","
        "\"noexec\",\"nodev\"]},{\"destination\":\"/sys\",\"type\":\"sysfs\","
        "\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
        "\"ro\"]}],\"linux\":{\"namespaces\":[{\"type\":\"user\"},"
        "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"},"
        "{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"}],"
        "\"resources\":{},\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\","
        "\"/proc/interrupts\",\"/proc/kcore\",\"/proc/key-users\",\"/proc/keys\","
        "\"/proc/latency_stats\",\"/proc/sched_debug\",\"/proc/scsi\","
        "\"/proc/timer_list\",\"/proc/timer_stats\","
        "\"/sys/devices/virtual/powercap\",\"/sys/firmware\"],"
        "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\","
        "\"/proc/sys\",\"/proc/sysrq-trigger\"]},\"coffer\":{\"format\":1,"
        "\"entrypointSet\":false,\"entrypointCount\":0,\"layers\":[],"
        "\"labels\":[],\"groupAdd\":[],\"capAdd\":[],\"capDrop\":[],"
        "\"addHost\":[],\"allowDegraded\":[],\"require\":[],\"network\":\"none\","
        "\"here\":\"off\",\"openStdin\":false,\"remove\":false,\"init\":false,"
        "\"shmBytes\":67108864,\"logMaxBytes\":16777216,\"logFiles\":3,"
        "\"stopSignal\":15,\"stopGraceMs\":10000,\"timeoutMs\":0}}\n";

TEST(format_1_is_written_and_read_as_it_always_was)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        cleanup_with(spec_release) struct spec least;
        cleanup_with(spec_release) struct spec s;

        fill_least(&least);
        t_ok(spec_to_json(&least, &text));
        t_str(format_1, text.data);
        t_ok(spec_from_json(format_1, strlen(format_1), &s, NULL));
        check_equal(&least, &s);
}

/* Random specs.  xorshift64: any seed but 0 will do. */
static uint64_t state;

static uint64_t draw(uint64_t below)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state % below;
}

/* Bytes of every kind, among them whole and broken UTF-8; now and then none. */
static const char *draw_text(const char *start)
{
        static const char *const pieces[] = {
                "a",
                "Z",
                "0",
                " ",
                "\"",
                "\\",
                "/",
                "=",
                ":",
                ",",
                "~1",
                "\n",
                "\x01",
                "\x7f",
                "\xc3\xa9",
                "\xe2\x82\xac",
                "\xf0\x9f\x8e\x81",
                "\xef\xbf\xbd",
                "\xff",
                "\xc3",
                "\xe2\x82",
                "\xed\xa0\x80",
                "\xc0\x80",
                "\xf4\x90\x80\x80",
                "\x80",
                "\xef\xbf",
        };
        static char text[256];
        size_t used = strlen(start);

        memcpy(text, start, used + 1);
        for (uint64_t n = draw(12); n > 0; n--) {
                const char *piece = pieces[draw(ELEMENTS(pieces))];

                memcpy(text + used, piece, strlen(piece) + 1);
                used += strlen(piece);
        }
        return text;
}

static void draw_list(struct spec *s, const char *key, const char *start, const char *end)
{
        char numbered[32];

        for (uint64_t n = draw(5); n > 0; n--) {
                (void)snprintf(numbered, sizeof(numbered), "%s%u%s", start, (unsigned)draw(100),
                               end);
                (void)spec_set(s, key, draw_text(numbered), NULL);
        }
}

static void draw_mount(struct spec *s)
{
        cleanup_with(mount_release) struct spec_mount m;
        char target[32];

        mount_init(&m, (enum spec_mount_kind)draw(3));
        (void)snprintf(target, sizeof(target), "/m%u", (unsigned)draw(1000));
        if (mount_set_target(&m, draw_text(target), NULL) < 0)
                return;
        if (m.kind == SPEC_BIND)
                t_ok(mount_set_source(&m, draw_text("/"), NULL));
        if (m.kind == SPEC_VOLUME && draw(2))
                t_ok(mount_set_source(&m, "data", NULL));
        m.no_copy = m.kind == SPEC_VOLUME && draw(2);
        m.from_image = m.kind == SPEC_VOLUME && draw(2);
        m.read_only = draw(2);
        m.no_exec = draw(2);
        if (m.kind == SPEC_TMPFS) {
                m.mode = (uint32_t)draw(010000);
                m.uid = (uint32_t)draw(UINT32_MAX);
                m.gid = (uint32_t)draw(UINT32_MAX);
                m.size_bytes = draw(INT64_MAX);
                m.inodes = draw(3);
        }
        (void)mounts_add(&s->mounts, &m, NULL);
}

static void draw_spec(struct spec *s)
{
        static const char *const flags[] = {"tty", "interactive", "rm", "read-only", "init"};
        static const char *const caps[] = {"ALL", "CHOWN", "NET_RAW", "SYS_ADMIN"};

        spec_init(s);
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                set(s, flags[i], draw(2) ? "1" : "0");
        if (draw(2))
                set(s, "entrypoint", draw_text(""));
        set(s, "arg", draw_text(""));
        draw_list(s, "arg", "", "");
        draw_list(s, "env", "N", "=");
        draw_list(s, "label", "k", "=");
        draw_list(s, "group-add", "g", "");
        if (draw(2))
                (void)spec_set(s, "user", draw_text("u"), NULL);
        if (draw(2))
                (void)spec_set(s, "workdir", draw_text("/"), NULL);
        if (draw(2))
                (void)spec_set(s, "image", draw_text("dir:"), NULL);
        if (draw(2))
                (void)spec_set(s, "here", draw_text("rw:/h"), NULL);
        for (uint64_t n = draw(4); n > 0; n--)
                draw_mount(s);
        set(s, draw(2) ? "cap-add" : "cap-drop", caps[draw(ELEMENTS(caps))]);
        s->memory_bytes = draw(2) ? 0 : SPEC_MEMORY_MIN_BYTES + draw(INT64_MAX / 2);
        s->cpu_millis = draw(65536000);
        s->pids_max = draw(2) ? SPEC_UNLIMITED : draw(4194304);
        s->stop_signal = (uint32_t)draw(65);
        s->stop_grace_ms = (uint32_t)draw(UINT32_MAX);
        s->timeout_ms = (uint32_t)draw(UINT32_MAX);
        s->log_files = 1 + (uint32_t)draw(1000);
        if (draw(2))
                set(s, "health-cmd", draw_text("h"));
        s->health.interval_ms = s->health.test.count > 0 ? (uint32_t)draw(UINT32_MAX) : 0;
        s->health.retries = s->health.test.count > 0 ? (uint32_t)draw(INT32_MAX) : 0;
}

TEST(random_specs_survive_the_round_trip)
{
        unsigned tried = 0;

        state = t_seed() * 2654435761U + 1;
        while (tried < 400) {
                cleanup_with(spec_release) struct spec s;

                draw_spec(&s);
                t_ok(spec_complete(&s, ID, NULL));
                if (spec_validate(&s, NULL) < 0) /* two mounts, one on the other's place */
                        continue;
                check_round_trip(&s);
                tried++;
        }
}

TEST(others_find_what_oci_says_where_oci_says_it)
{
        static const char *const parts[] = {
                "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":true,",
                "\"user\":{\"uid\":1000,\"gid\":0}",
                "\"args\":[\"/bin/tini\",\"sh\",\"a \\\"b\\\" \\\\ "
                "\\u0009\\u000a\\u0001\\u007f\",\"\",",
                "\"env\":[\"A=1\",\"RAW=\xef\xbf\xbd\xef\xbf\xbd/\",",
                "\"cwd\":\"/w/\xef\xbf\xbd\"",
                "\"effective\":[\"CAP_NET_RAW\"]",
                "{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20}",
                "{\"type\":\"RLIMIT_STACK\",\"soft\":5,\"hard\":9223372036854775807}",
                "\"noNewPrivileges\":true",
                "\"root\":{\"path\":\"merged\",\"readonly\":true}",
                "\"hostname\":\"web.example\"",
                "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[",
                "\"mode=1777\",\"size=1048576\"]",
                "{\"destination\":\"/run\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[",
                "{\"type\":\"user\"},{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":"
                "\"network\"}",
                "\"memory\":{\"limit\":536870912}",
                "\"cpu\":{\"quota\":150000,\"period\":100000}",
                "\"pids\":{\"limit\":-1}",
                "\"maskedPaths\":[\"/proc/acpi\",",
                "\"readonlyPaths\":[\"/proc/bus\",",
                "\"/process/args/5\":\"Y2Fm6Q==\"",
                "\"/process/env/1\":\"UkFXPf/+Lw==\"",
                "\"/process/cwd\":\"",
                "\"/coffer/labels/1\":\"",
                "\"/coffer/hereDir\":\"",
        };
        cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        cleanup_with(spec_release) struct spec s;

        fill(&s);
        t_ok(spec_to_json(&s, &text));
        t_ok(json_parse(text.data, text.size, NULL, &doc, NULL));
        for (size_t i = 0; i < ELEMENTS(parts); i++)
                t_has(parts[i], text.data);
        t_null(strstr(text.data, "SIMILAR=\\u"));
        t_null(strstr(text.data, "/process/env/2\"")); /* U+FFFD itself is no bad byte */
}

TEST(only_what_is_complete_is_written)
{
        static const size_t needed[] = {
                offsetof(struct spec, workdir),
                offsetof(struct spec, hostname),
        };

        for (size_t i = 0; i < ELEMENTS(needed); i++) {
                cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
                cleanup_with(spec_release) struct spec s;
                char **at = (void *)((char *)&s + needed[i]);

                fill_least(&s);
                free(*at);
                *at = NULL;
                t_errno(EINVAL, spec_to_json(&s, &text));
                t_int(0, text.size);
        }
        for (int i = 0; i < 3; i++) {
                cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
                cleanup_with(spec_release) struct spec s;

                fill_least(&s);
                if (i == 0)
                        strv_release(&s.args);
                else if (i == 1)
                        set(&s, "volume", "./here:/x");
                else
                        set(&s, "here", "rw");
                t_errno(EINVAL, spec_to_json(&s, &text));
        }
}

/* The text with the first @from replaced by @to. */
static char *replace(const char *text, const char *from, const char *to)
{
        const char *at = strstr(text, from);
        char *edited = NULL;

        if (!at)
                t_note("there is no %s", from);
        t_true(at != NULL);
        t_true(asprintf(&edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
        return edited;
}

struct edit {
        const char *from;
        const char *to;
        const char *says;
};

static void check_edits(const struct spec *s, const struct edit *edits, size_t count)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct spec defaults;

        spec_init(&defaults);
        t_ok(spec_to_json(s, &text));
        for (size_t i = 0; i < count; i++) {
                cleanup_free char *edited = replace(text.data, edits[i].from, edits[i].to);
                struct coffer_error err = {0};
                struct spec again;

                t_note("%s -> %s", edits[i].from, edits[i].to);
                t_errno(EBADMSG, spec_from_json(edited, strlen(edited), &again, &err));
                t_note("%s", err.msg);
                t_int(-EBADMSG, err.code);
                t_has(edits[i].says, err.msg);
                t_mem(&defaults, &again, sizeof(again));
        }
}

TEST(an_edit_that_would_do_nothing_is_refused_with_its_place)
{
        static const struct edit edits[] = {
                {"{\"ociVersion\":\"1.0.2\"",    "{\"ociVersion\":\"1.0.0\"",              "ociVersion"                },
                {"{\"ociVersion\"",              "{\"x\":1,\"ociVersion\"",                "x is not known"            },
                {"\"ociVersion\":\"1.0.2\",",    "",                                       "ociVersion is missing"     },
                {"\"noNewPrivileges\":true",     "\"noNewPrivileges\":false",
                 "process.noNewPrivileges"                                                                             },
                {"\"noNewPrivileges\":true",     "\"noNewPrivileges\":1",                  "process.noNewPrivileges"   },
                {"\"/proc/kcore\",",             "",                                       "linux.maskedPaths"         },
                {"\"/proc/sys\",",               "\"/proc/sysx\",",                        "linux.readonlyPaths[3]"    },
                {"{\"type\":\"user\"},",         "",                                       "linux.namespaces"          },
                {"{\"type\":\"network\"}",       "{\"type\":\"network\",\"path\":\"/x\"}",
                 "namespaces[3].path is not known"                                                                     },
                {"\"bounding\":[",               "\"bounding\":[\"CAP_SYS_ADMIN\",",
                 "process.capabilities.bounding"                                                                       },
                {"\"inheritable\":[]",           "\"inheritable\":[\"CAP_CHOWN\"]",
                 "capabilities.inheritable"                                                                            },
                {"\"uid\":1000",                 "\"uid\":0",                              "process.user.uid"          },
                {"\"path\":\"merged\"",          "\"path\":\"/\"",                         "root.path"                 },
                {"\"destination\":\"/proc\"",    "\"destination\":\"/prog\"",              "mounts[0].destination"     },
                {"\"size=1048576\"",             "\"size=2\"",                             "mounts[3].options"         },
                {"\"period\":100000",            "\"period\":1000",                        "linux.resources.cpu.period"},
                {"\"quota\":150000",             "\"quota\":150001",                       "linux.resources.cpu.quota" },
                {"\"rprivate\",\"nosuid\"",      "\"nosuid\",\"rprivate\"",                "options"                   },
                {"\"init\":true",                "\"init\":true,\"unit\":true",            "coffer.unit is not known"  },
                {"\"groupAdd\":[\"audio\"",      "\"groupAdd\":[\"audio\",\"audio\"",      "coffer.groupAdd"           },
                {"\"capAdd\":[\"CAP_NET_RAW\"]", "\"capAdd\":[\"net_raw\"]",               "coffer.capAdd[0]"          },
                {"\"env\":[\"A=1\"",             "\"env\":[\"A=0\",\"A=1\"",               "process.env"               },
                {"\"cwd\":\"/w/",                "\"cwd\":\"/w//",                         "process.cwd"               },
                {"\"raw\":{",                    "\"raw\":{\"/process/args/1\":\"c2g=\",",
                 "/process/args/1 is not known"                                                                        },
                {"\"raw\":{",                    "\"raw\":{\"/nowhere\":\"c2g=\",",        "/nowhere is not known"     },
        };
        cleanup_with(spec_release) struct spec s;

        fill(&s);
        check_edits(&s, edits, ELEMENTS(edits));
}

TEST(a_value_out_of_its_bounds_is_refused_with_its_place)
{
        static const struct edit edits[] = {
                {"{\"ociVersion\"",              "[{\"ociVersion\"",                   "line"                           },
                {"{\"ociVersion\"",              "{\"hostname\":\"a\",\"ociVersion\"", "duplicate"                      },
                {"\"format\":1",                 "\"format\":2",                       "coffer.format"                  },
                {"\"format\":1",                 "\"format\":0",                       "coffer.format"                  },
                {"\"format\":1,",                "",                                   "coffer.format is missing"       },
                {"\"coffer\":{",                 "\"cofferx\":{",                      "is missing"                     },
                {"\"terminal\":true",            "\"terminal\":\"yes\"",               "process.terminal is not"        },
                {"\"terminal\":true,",           "",                                   "process.terminal is missing"    },
                {"\"args\":[",                   "\"args\":[null,",                    "process.args[0] is missing"     },
                {"\"args\":[",                   "\"args\":[1,",                       "process.args[0] is not a string"},
                {"\"entrypointCount\":1",        "\"entrypointCount\":99",             "too few"                        },
                {"\"entrypointCount\":1",        "\"entrypointCount\":-1",             "entrypointCount"                },
                {"\"env\":[\"A=1\"",             "\"env\":[\"A\"",                     "process.env[0]: --env"          },
                {"\"env\":[\"A=1\"",             "\"env\":[{}",                        "process.env[0]"                 },
                {"\"cwd\":\"/w/",                "\"cwd\":\"w/",                       "process.cwd"                    },
                {"RLIMIT_NOFILE",                "RLIMIT_FILES",                       "process.rlimits[0]"             },
                {"RLIMIT_NOFILE",                "RLIMIT_nofile",                      "process.rlimits[0]"             },
                {"RLIMIT_NOFILE",                "NOFILE",                             "process.rlimits[0]"             },
                {"\"soft\":10",                  "\"soft\":30",                        "above"                          },
                {"\"soft\":10",                  "\"soft\":-1",                        "process.rlimits[0].soft"        },
                {"\"soft\":10",                  "\"soft\":10.0",                      "process.rlimits[0].soft"        },
                {"\"hard\":20",                  "\"hard\":18446744073709551615",      "line"                           },
                {"\"hostname\":\"web.example\"", "\"hostname\":\"a_b\"",               "hostname"                       },
                {"\"destination\":\"/data\"",    "\"destination\":\"/proc/sys\"",      "mounts["                        },
                {"\"destination\":\"/data\"",    "\"destination\":\"/run\"",           "two mounts"                     },
                {"\"destination\":\"/data\"",    "\"destination\":\"/a/../b\"",        "'..'"                           },
                {"\"type\":\"volume\"",          "\"type\":\"nfs\"",                   "is of no type"                  },
                {"\"source\":\"data\"",          "\"source\":\"../data\"",             "not a name"                     },
                {"\"mode=700\"",                 "\"mode=99\"",                        "not a value"                    },
                {"\"nr_inodes=9\"",              "\"suid\"",                           "Coffer has no"                  },
                {"\"limit\":536870912",          "\"limit\":1",                        "--memory"                       },
                {"\"limit\":-1",                 "\"limit\":-2",                       "linux.resources.pids.limit"     },
                {"\"network\":\"none\"",         "\"network\":\"host\"",               "coffer.network"                 },
                {"\"here\":\"ro\"",              "\"here\":\"wo\"",                    "coffer.here"                    },
                {"\"here\":\"ro\"",              "\"here\":\"off\"",                   "--here"                         },
                {"\"name\":\"quiet_bramah\"",    "\"name\":\"abcdefghij27\"",          "coffer.name"                    },
                {"\"name\":\"quiet_bramah\"",    "\"name\":null",                      "coffer.name"                    },
                {"\"imageId\":\"sha256:",        "\"imageId\":\"sha512:",              "coffer.imageId"                 },
                {"\"layers\":[\"sha256:",        "\"layers\":[\"../",                  "coffer.layers[0]"               },
                {"\"stopSignal\":2",             "\"stopSignal\":0",                   "coffer.stopSignal"              },
                {"\"stopSignal\":2",             "\"stopSignal\":65",                  "coffer.stopSignal"              },
                {"\"timeoutMs\":500",            "\"timeoutMs\":4294967295",           "coffer.timeoutMs"               },
                {"\"off\":false,",               "",                                   "coffer.health.off"              },
                {"\"off\":false,",               "\"off\":true,",                      "contradict each other"          },
                {"\"test\":[\"CMD-SHELL\"",      "\"test\":[\"RUN\"",                  "neither CMD nor CMD-SHELL"      },
                {"\"startPeriodMs\":3000",       "\"startPeriodMs\":4294967295",
                 "coffer.health.startPeriodMs"                                                                          },
                {"\"retries\":5",                "\"retries\":-1",                     "coffer.health.retries"          },
                {"\"retries\":5",                "\"retries\":5,\"more\":1",           "coffer.health.more"             },
                {"\"logFiles\":7",               "\"logFiles\":0",                     "coffer.logFiles"                },
                {"\"Y2Fm6Q==\"",                 "\"Y2Fm6R==\"",                       "not base64"                     },
                {"\"Y2Fm6Q==\"",                 "\"Y2Fm6Q=\"",                        "not base64"                     },
                {"\"Y2Fm6Q==\"",                 "\"AAAA\"",                           "not base64"                     },
                {"\"Y2Fm6Q==\"",                 "\"Y2FmZQ==\"",                       "process.args[5]"                },
        };
        cleanup_with(spec_release) struct spec s;

        fill(&s);
        check_edits(&s, edits, ELEMENTS(edits));
}

TEST(a_restart_policy_is_kept_and_must_be_one)
{
        static const struct edit edits[] = {
                {"\"on-failure:3\"", "\"on-failure:x\"", "coffer.restart"},
                {"\"on-failure:3\"", "\"no\"",           "coffer.restart"},
                {"\"on-failure:3\"", "3",                "coffer.restart"},
                {"\"remove\":false", "\"remove\":true",  "--rm"          },
        };
        cleanup_with(spec_release) struct spec s;

        fill_least(&s);
        set(&s, "restart", "on-failure:3");
        check_round_trip(&s);
        check_edits(&s, edits, ELEMENTS(edits));
}

TEST(no_beginning_of_a_document_is_a_document)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        cleanup_with(spec_release) struct spec s;

        fill(&s);
        t_ok(spec_to_json(&s, &text));
        for (size_t size = 0; size + 1 < text.size; size++) { /* the last byte is the newline */
                struct spec again;

                t_errno(EBADMSG, spec_from_json(text.data, size, &again, NULL));
        }
}

TEST(large_arguments_and_environments_are_kept)
{
        cleanup_with(spec_release) struct spec s;
        cleanup_free char *value = malloc(SPEC_ARG_MAX_BYTES + 1);

        t_true(value != NULL);
        fill_least(&s);
        memset(value, '\xff', SPEC_ARG_MAX_BYTES);
        value[SPEC_ARG_MAX_BYTES] = '\0';
        for (int i = 0; i < 7; i++)
                set(&s, "arg", value);
        value[0] = 'A';
        value[1] = '=';
        set(&s, "env", value);
        for (int i = 0; i < 30000; i++)
                set(&s, "arg", "\x80");
        t_ok(spec_validate(&s, NULL));
        check_round_trip(&s);
}

TEST(too_large_a_document_is_refused)
{
        cleanup_free char *text = malloc(SPEC_JSON_MAX_BYTES + 1);
        struct coffer_error err;
        struct spec s;

        t_true(text != NULL);
        memset(text, ' ', SPEC_JSON_MAX_BYTES + 1);
        t_errno(E2BIG, spec_from_json(text, SPEC_JSON_MAX_BYTES + 1, &s, &err));
        memset(text, '[', 100);
        t_errno(E2BIG, spec_from_json(text, 100, &s, &err));
}

TEST(without_room_nothing_is_said_to_be_written)
{
        cleanup_with(spec_release) struct spec s;
        struct buf whole = BUF_INIT(SPEC_JSON_MAX_BYTES);

        fill(&s);
        t_ok(spec_to_json(&s, &whole));
        for (size_t max = 0; max < whole.size; max += 97) {
                struct buf text = BUF_INIT(max);

                t_errno(E2BIG, spec_to_json(&s, &text));
                buf_release(&text);
        }
        buf_release(&whole);
}

TEST(without_memory_reading_and_writing_fail_cleanly)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        cleanup_with(spec_release) struct spec s;
        unsigned n;

        fill(&s);
        for (n = 1;; n++) {
                int r;

                buf_release(&text);
                fault_arm(n);
                r = spec_to_json(&s, &text);
                if (!fault_disarm()) {
                        t_ok(r);
                        break;
                }
                t_errno(ENOMEM, r);
        }
        for (n = 1;; n++) {
                struct coffer_error err = {0};
                struct spec again;
                int r;

                fault_arm(n);
                r = spec_from_json(text.data, text.size, &again, &err);
                if (!fault_disarm()) {
                        t_ok(r);
                        spec_release(&again);
                        t_true(n > 100);
                        break;
                }
                t_note("allocation %u: %s", n, err.msg);
                t_errno(ENOMEM, r);
                t_int(-ENOMEM, err.code);
        }
}
