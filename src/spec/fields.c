/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every option as a row: its name, how often it may be given, what it means, where it lives and
 * who reads it.  A reader checks the whole value before it changes anything.  Its words do not name
 * the option or repeat the value: spec_set() puts both before them.
 */
#include "spec/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "spec/caps.h"
#include "spec/control.h"
#include "spec/id.h"
#include "spec/mounts.h"
#include "spec/restart.h"
#include "spec/value.h"

#define IMAGE_MAX_BYTES 4096
#define PIDS_MAX        4194304 /* PID_MAX_LIMIT of the kernel */
#define HINT_TIME       "e.g. 10 (seconds), 500ms, 1m30s; 49 days at most"
#define HINT_SIZE       "a number and b, k, m, g or t, e.g. 512m"

static int out_of_memory(struct coffer_error *err)
{
        return error_set(err, -ENOMEM, "keep an option");
}

static int set_text(char **to, const char *value, struct coffer_error *err)
{
        char *copy = NULL;

        if (*value != '\0') {
                copy = strdup(value);
                if (!copy)
                        return out_of_memory(err);
        }
        free(*to);
        *to = copy;
        return 0;
}

static int add_text(struct strv *to, size_t max, const char *value, struct coffer_error *err)
{
        if (to->count >= max)
                return value_refuse(err, -E2BIG, "give fewer", "too many of them", NULL);
        return strv_add(to, value) < 0 ? out_of_memory(err) : 0;
}

/* Once is enough. */
static int add_word(struct strv *to, const char *value, struct coffer_error *err)
{
        if (strv_has(to, value))
                return 0;
        return add_text(to, SPEC_LIST_MAX, value, err);
}

static int parse_flag(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return value_bool(value, to) < 0 ? value_refuse(err, -EINVAL, "write true or false",
                                                        "not a flag's value", NULL)
                                         : 0;
}

static int parse_image(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (*value == '\0')
                return value_refuse(err, -EINVAL, "name one, or host", "no image is named", NULL);
        if (strlen(value) > IMAGE_MAX_BYTES)
                return value_refuse(err, -E2BIG, "use a shorter path", "longer than 4096 bytes",
                                    NULL);
        for (const char *p = value; *p != '\0'; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        return value_refuse(err, -EINVAL, "rename the file",
                                            "a control character in the name", NULL);
        return set_text(to, value, err);
}

static int parse_arg(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (strlen(value) > SPEC_ARG_MAX_BYTES)
                return value_refuse(err, -E2BIG, "pass it in a file", "longer than 131071 bytes",
                                    NULL);
        return add_text(to, STRV_MAX - 1, value, err);
}

/* As Docker: one word, not split; an empty one means none, not even the image's. */
static int parse_entrypoint(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        struct spec_entrypoint entrypoint = {.set = true};
        int r = 0;

        if (*value != '\0')
                r = parse_arg(s, &entrypoint.argv, value, err);
        if (r < 0)
                return r;
        strv_release(&s->entrypoint.argv);
        *(struct spec_entrypoint *)to = entrypoint;
        return 0;
}

static int parse_env(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        const char *equals = strchr(value, '=');
        cleanup_free char *name = NULL;
        struct strv *env = to;

        if (!equals)
                return value_refuse(err, -EINVAL, "write NAME=value", "the variable has no value",
                                    NULL);
        if (equals == value)
                return value_refuse(err, -EINVAL, "write NAME=value", "the variable has no name",
                                    NULL);
        if (strlen(value) > SPEC_ARG_MAX_BYTES)
                return value_refuse(err, -E2BIG, "pass it in a file", "longer than 131071 bytes",
                                    NULL);
        name = strndup(value, (size_t)(equals - value));
        if (!name)
                return out_of_memory(err);
        if (env->count >= SPEC_ENV_MAX && !strv_get(env, name))
                return value_refuse(err, -E2BIG, "give fewer", "more than 16384 variables", NULL);
        return strv_set(env, name, equals + 1) < 0 ? out_of_memory(err) : 0;
}

/* As Docker: a key alone has an empty value. */
static int parse_label(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        const char *equals = strchrnul(value, '=');
        cleanup_free char *key = NULL;
        struct strv *labels = to;

        if (equals == value)
                return value_refuse(err, -EINVAL, "write KEY=value", "the label has no key", NULL);
        for (const char *p = value; p < equals; p++)
                if ((unsigned char)*p <= ' ' || *p == 0x7f)
                        return value_refuse(err, -EINVAL, "write KEY=value",
                                            "a blank in the label's key", NULL);
        if (strlen(value) > SPEC_ARG_MAX_BYTES)
                return value_refuse(err, -E2BIG, "keep it in a file", "longer than 131071 bytes",
                                    NULL);
        key = strndup(value, (size_t)(equals - value));
        if (!key)
                return out_of_memory(err);
        if (labels->count >= SPEC_LIST_MAX && !strv_get(labels, key))
                return value_refuse(err, -E2BIG, "give fewer", "more than 1024 labels", NULL);
        return strv_set(labels, key, *equals ? equals + 1 : "") < 0 ? out_of_memory(err) : 0;
}

static int parse_name(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (spec_is_id(value))
                return value_refuse(err, -EINVAL, "add a '-' or a capital letter",
                                    "has the form of a box's id", NULL);
        if (*value != '\0' && !spec_is_name(value))
                return value_refuse(
                        err, -EINVAL,
                        "1 to 128 letters, digits, '_', '.' and '-', a letter or digit first",
                        "not a name for a box", NULL);
        return set_text(to, value, err);
}

static int parse_hostname(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (*value != '\0' && !value_is_hostname(value))
                return value_refuse(err, -EINVAL,
                                    "letters, digits and '-', with points between, 64 at most",
                                    "not a host name", NULL);
        return set_text(to, value, err);
}

static int parse_user(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (*value != '\0' && !value_is_user(value))
                return value_refuse(err, -EINVAL, "NAME or UID, or either and :GROUP or :GID",
                                    "not a user", NULL);
        return set_text(to, value, err);
}

static int parse_group(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (!value_is_group(value))
                return value_refuse(err, -EINVAL, "the name or number of a group", "not a group",
                                    NULL);
        return add_word(to, value, err);
}

static int parse_workdir(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        cleanup_free char *path = NULL;
        int r;

        if (*value == '\0')
                return set_text(to, value, err);
        r = value_path(value, &path);
        if (r == -ENOMEM)
                return out_of_memory(err);
        if (r < 0)
                return value_refuse(err, -EINVAL, "a path in the box, from '/' on and without '..'",
                                    "not an absolute path", NULL);
        return set_text(to, path, err);
}

static int parse_memory(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        uint64_t bytes;

        if (value_size(value, &bytes) < 0)
                return value_refuse(err, -EINVAL, HINT_SIZE, "not a size", NULL);
        if (bytes > 0 && bytes < SPEC_MEMORY_MIN_BYTES)
                return value_refuse(err, -ERANGE, "give at least 6m, or 0 for no limit",
                                    "less than a program needs to start", NULL);
        *(uint64_t *)to = bytes;
        return 0;
}

static int parse_shm(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        uint64_t bytes;

        if (value_size(value, &bytes) < 0)
                return value_refuse(err, -EINVAL, HINT_SIZE, "not a size", NULL);
        *(uint64_t *)to = bytes ? bytes : SPEC_SHM_DEFAULT_BYTES;
        return 0;
}

static int parse_cpus(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        uint64_t millis;
        int r = value_cpus(value, &millis);

        if (r == -EINVAL)
                return value_refuse(err, r, "e.g. 0.5 or 2", "not a number of cpus", NULL);
        if (r < 0 || (millis > 0 && millis < 10))
                return value_refuse(err, -ERANGE, "from 0.01 on, in steps of 0.001; 0 for no limit",
                                    "not a number of cpus that can be kept", NULL);
        *(uint64_t *)to = millis;
        return 0;
}

static int parse_pids(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        uint64_t pids = 0;

        if (!str_eq(value, "-1") && str_to_u64(value, PIDS_MAX, &pids) < 0)
                return value_refuse(err, -EINVAL, "1 to 4194304, or -1 for no limit",
                                    "not a number of processes", NULL);
        *(uint64_t *)to = pids ? pids : SPEC_UNLIMITED;
        return 0;
}

static int parse_duration(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        uint32_t ms;

        if (value_duration(value, &ms) < 0)
                return value_refuse(err, -EINVAL, HINT_TIME, "not a time", NULL);
        *(uint32_t *)to = ms;
        return 0;
}

/* Here "for ever" is 0, no timer at all. */
static int parse_timeout(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return parse_duration(s, to, str_eq(value, "-1") ? "0" : value, err);
}

/* How a probe is timed: 0 takes back what was given, and there is no "for ever". */
static int parse_health_time(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (*value == '-')
                return value_refuse(err, -EINVAL, HINT_TIME, "not a time", NULL);
        return parse_duration(s, to, value, err);
}

static int parse_health_cmd(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        struct strv *test = to;
        struct strv shell = {.items = NULL};
        int r = 0;

        if (strlen(value) > SPEC_ARG_MAX_BYTES)
                return value_refuse(err, -E2BIG, "put it in a script", "longer than 131071 bytes",
                                    NULL);
        if (*value != '\0')
                r = strv_add(&shell, "CMD-SHELL");
        if (r == 0 && *value != '\0')
                r = strv_add(&shell, value);
        if (r < 0) {
                strv_release(&shell);
                return out_of_memory(err);
        }
        strv_release(test);
        *test = shell;
        return 0;
}

static int parse_retries(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        uint64_t retries;

        if (str_to_u64(value, INT32_MAX, &retries) < 0)
                return value_refuse(err, -EINVAL, "a number of failures, e.g. 3",
                                    "not a number of retries", NULL);
        *(uint32_t *)to = (uint32_t)retries;
        return 0;
}

static int parse_signal(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        if (value_signal(value, to) < 0)
                return value_refuse(err, -EINVAL, "e.g. TERM, SIGINT, 15, RTMIN+1", "not a signal",
                                    NULL);
        return 0;
}

static int parse_ulimit(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        struct spec_ulimits *list = to;
        struct spec_ulimit limit;
        size_t i = 0;
        int r = value_ulimit(value, &limit);

        if (r == -ENOENT)
                return value_refuse(err, -EINVAL,
                                    "nofile, nproc, core, stack, memlock, … as in prlimit(1)",
                                    "there is no such resource", NULL);
        if (r == -EDOM)
                return value_refuse(err, -EINVAL, "write NAME=SOFT:HARD",
                                    "the soft limit is above the hard one", NULL);
        if (r < 0)
                return value_refuse(err, -EINVAL, "write NAME=SOFT[:HARD], -1 for no limit",
                                    "not a limit", NULL);
        while (i < list->count && list->items[i].resource != limit.resource)
                i++;
        list->items[i] = limit;
        list->count += i == list->count;
        return 0;
}

static int parse_cap(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        int cap = caps_number(value);

        if (strcasecmp(value, "all") == 0)
                return add_word(to, "ALL", err);
        if (cap < 0)
                return value_refuse(err, -EINVAL,
                                    "e.g. NET_RAW or CAP_NET_RAW; see capabilities(7)",
                                    "not a capability", NULL);
        return add_word(to, caps_name((unsigned)cap), err);
}

static int parse_host(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        cleanup_free char *host = NULL;
        int r = value_host(value, &host);

        if (r == -ENOMEM)
                return out_of_memory(err);
        if (r < 0 && strstr(value, "host-gateway"))
                return value_refuse(err, -ENOTSUP, "a box has no way to the host",
                                    "Coffer has no host-gateway", NULL);
        if (r < 0)
                return value_refuse(err, -EINVAL,
                                    "write NAME:ADDRESS, e.g. db:10.0.0.2 or db:[fd00::2]",
                                    "not a host and its address", NULL);
        return add_text(to, SPEC_LIST_MAX, host, err);
}

/* One word of a list of controls; which of them may not be required is said in its row. */
static int check_control(const char *word, bool required, struct coffer_error *err)
{
        const struct control *c = control_find(word);
        char text[352], names[256];

        if (!control_is_word(word)) {
                control_names(names, sizeof(names));
                (void)snprintf(text, sizeof(text), "'%.30s' is not a control; they are %s", word,
                               names);
                return value_refuse(err, -EINVAL, "coffer doctor tells what each comes to here",
                                    text, NULL);
        }
        if (required && c && c->kind == CONTROL_ABSENT) {
                (void)snprintf(text, sizeof(text), "%s cannot be required: %s", c->name, c->note);
                return value_refuse(err, -ENOTSUP, "leave it out", text, NULL);
        }
        return 0;
}

static int add_controls(struct strv *to, const char *value, bool required, struct coffer_error *err)
{
        cleanup_free char *copy = strdup(value);
        char *words = copy, *word;
        int r = 0;

        if (!copy)
                return out_of_memory(err);
        while (r == 0 && (word = strsep(&words, ",")))
                r = check_control(word, required, err);
        memcpy(copy, value, strlen(value)); /* strsep() has cut it */
        for (words = copy; r == 0 && (word = strsep(&words, ","));)
                r = add_word(to, word, err);
        return r;
}

static int parse_degraded(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return add_controls(to, value, false, err);
}

static int parse_require(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return add_controls(to, value, true, err);
}

static int parse_here(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        static const struct {
                const char *word;
                enum spec_here here;
        } words[] = {
                {"",      SPEC_HERE_RW },
                {"rw",    SPEC_HERE_RW },
                {"true",  SPEC_HERE_RW },
                {"ro",    SPEC_HERE_RO },
                {"false", SPEC_HERE_OFF},
                {"off",   SPEC_HERE_OFF},
        };
        size_t size = strcspn(value, ":");
        cleanup_free char *dir = NULL;
        size_t i = 0;

        while (i < ELEMENTS(words) &&
               (strlen(words[i].word) != size || strncmp(words[i].word, value, size) != 0))
                i++;
        if (i == ELEMENTS(words))
                return value_refuse(err, -EINVAL, "write --here, --here=ro or --here=rw",
                                    "not a way to show the directory", NULL);
        if (value[size] == ':') {
                int r = value_path(value + size + 1, &dir);

                if (r == -ENOMEM)
                        return out_of_memory(err);
                if (r < 0 || words[i].here == SPEC_HERE_OFF)
                        return value_refuse(err, -EINVAL, "write MODE:/DIR",
                                            "no absolute path behind the ':'", NULL);
        }
        free(s->here_dir);
        s->here_dir = take_ptr(dir);
        *(enum spec_here *)to = words[i].here;
        return 0;
}

static int parse_audit(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        bool required = str_eq(value, "required");

        if (!required && !str_eq(value, "best-effort"))
                return value_refuse(err, -EINVAL, "required or best-effort",
                                    "neither of the two there are", NULL);
        return set_text(to, required ? "" : value, err);
}

static int parse_network(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        static const struct {
                const char *word; /* one that ends in ':' is a beginning */
                const char *text;
                const char *hint;
        } refused[] = {
                {"host",       "Coffer has no --network host",
                 "use none: a box never shares the host's network"                },
                {"bridge",     "Coffer has no --network bridge",
                 "use none: a box has no interface but loopback"                  },
                {"default",    "Coffer has no --network default",
                 "use none: a box has no interface but loopback"                  },
                {"container:", "Coffer has no --network container:BOX",
                 "start both programs in one box, with coffer exec"               },
                {"policy",     "the door is not built yet",             "use none"},
                {"open",       "the door is not built yet",             "use none"},
        };

        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                const char *word = refused[i].word;

                if (word[strlen(word) - 1] == ':' ? str_after(value, word) != NULL
                                                  : str_eq(value, word))
                        return value_refuse(err, -ENOTSUP, refused[i].hint, refused[i].text, NULL);
        }
        if (!str_eq(value, "none"))
                return value_refuse(err, -EINVAL, "use none", "there is no such network", NULL);
        *(enum spec_network *)to = SPEC_NETWORK_NONE;
        return 0;
}

static int parse_restart(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        char text[RESTART_TEXT_MAX];
        struct restart_policy policy;
        int r = restart_parse(value, &policy);

        if (r == -EDOM)
                return value_refuse(err, -EINVAL, "write on-failure:N",
                                    "only on-failure counts its retries", NULL);
        if (r == -ERANGE)
                return value_refuse(err, r, "on-failure alone tries without end",
                                    "too many retries", NULL);
        if (r < 0)
                return value_refuse(err, -EINVAL, "no, on-failure[:N], always or unless-stopped",
                                    "not a restart policy", NULL);
        restart_format(&policy, text);
        return set_text(to, policy.kind == RESTART_NO ? "" : text, err);
}

static int parse_volume(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return mounts_add_volume(to, value, err);
}

static int parse_mount(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return mounts_add_csv(to, value, err);
}

static int parse_tmpfs(struct spec *s, void *to, const char *value, struct coffer_error *err)
{
        return mounts_add_tmpfs(to, value, err);
}

/* Traits of a row. */
#define SECRET 1
#define EXEC   2
#define UPDATE 4

#define ROW(name, short_name, how, traits, value, field, reader, line)                     \
        {                                                                                  \
                .key = (name), .letter = (short_name), .kind = SPEC_FIELD_##how,           \
                .secret = ((traits)&SECRET) != 0, .exec = ((traits)&EXEC) != 0,            \
                .update = ((traits)&UPDATE) != 0, .arg = (value),                          \
                .offset = offsetof(struct spec, field), .parse = (reader), .help = (line), \
        }

/* In the order of the alphabet: spec_field_find() halves it. */
static const struct spec_field fields[] = {
        ROW("add-host", 0, APPEND, 0, "NAME:ADDRESS", add_host, parse_host,
            "a line for the box's /etc/hosts"),
        ROW("allow-degraded", 0, APPEND, 0, "CONTROL[,…]", allow_degraded, parse_degraded,
            "start even if these controls cannot be enforced"),
        ROW("arg", 0, OPERAND, SECRET | EXEC, "ARG", args, parse_arg,
            "the command or one of its arguments"),
        ROW("audit", 0, SET, 0, "required|best-effort", audit, parse_audit,
            "when the audit log cannot be written, start nothing or go on"),
        ROW("cap-add", 0, APPEND, 0, "CAP", cap_add, parse_cap,
            "give the box a capability over what is its own, or ALL"),
        ROW("cap-drop", 0, APPEND, 0, "CAP", cap_drop, parse_cap,
            "take a capability from the box's root, or ALL"),
        ROW("cpus", 0, SET, UPDATE, "NUMBER", cpu_millis, parse_cpus,
            "limit processor time, e.g. 1.5 for one and a half processors"),
        ROW("entrypoint", 0, SET, 0, "PROGRAM", entrypoint, parse_entrypoint,
            "run this in place of the image's entrypoint; \"\" for none"),
        ROW("env", 'e', APPEND, SECRET | EXEC, "NAME=VALUE", env, parse_env,
            "set an environment variable"),
        ROW("group-add", 0, APPEND, 0, "GROUP", group_add, parse_group,
            "one more group for the user"),
        ROW("health-cmd", 0, SET, 0, "COMMAND", health.test, parse_health_cmd,
            "how to tell whether the box is well; a line for its shell"),
        ROW("health-interval", 0, SET, 0, "DURATION", health.interval_ms, parse_health_time,
            "time between two health checks (30s)"),
        ROW("health-retries", 0, SET, 0, "NUMBER", health.retries, parse_retries,
            "how many failures in a row make the box unhealthy (3)"),
        ROW("health-start-interval", 0, SET, 0, "DURATION", health.start_interval_ms,
            parse_health_time, "time between two health checks in the start period (5s)"),
        ROW("health-start-period", 0, SET, 0, "DURATION", health.start_period_ms, parse_health_time,
            "how long after the start failures do not count (0s)"),
        ROW("health-timeout", 0, SET, 0, "DURATION", health.timeout_ms, parse_health_time,
            "how long one health check may take (30s)"),
        ROW("here", 0, OPTIONAL, 0, "ro|rw", here, parse_here,
            "show the current directory at its own path and work there"),
        ROW("hostname", 'h', SET, 0, "NAME", hostname, parse_hostname,
            "the box's host name (its id)"),
        ROW("image", 0, OPERAND, 0, "IMAGE", image, parse_image,
            "what the box's root is made from"),
        ROW("init", 0, FLAG, 0, NULL, init, parse_flag,
            "run a reaper as PID 1 that passes signals on"),
        ROW("interactive", 'i', FLAG, EXEC, NULL, open_stdin, parse_flag, "keep stdin open"),
        ROW("label", 'l', APPEND, 0, "KEY=VALUE", labels, parse_label,
            "a label, to find the box by"),
        ROW("memory", 'm', SET, UPDATE, "SIZE", memory_bytes, parse_memory,
            "memory limit, e.g. 512m"),
        ROW("mount", 0, APPEND, 0, "KEY=VALUE,…", mounts, parse_mount,
            "mount a directory, a volume or a tmpfs"),
        ROW("name", 0, SET, 0, "NAME", name, parse_name, "the box's name (one is made up)"),
        ROW("network", 0, SET, 0, "NETWORK", network, parse_network,
            "none: no interface but loopback"),
        ROW("no-healthcheck", 0, FLAG, 0, NULL, health.off, parse_flag,
            "no health check, whatever the image says"),
        ROW("pids-limit", 0, SET, UPDATE, "NUMBER", pids_max, parse_pids,
            "how many processes there may be, -1 for no limit"),
        ROW("read-only", 0, FLAG, 0, NULL, read_only, parse_flag, "make the root read-only"),
        ROW("require", 0, APPEND, 0, "CONTROL[,…]", require, parse_require,
            "do not start without these controls, such as cgroup.memory"),
        ROW("restart", 0, SET, UPDATE, "POLICY", restart, parse_restart,
            "start main again when it has ended: no, on-failure[:N], always, unless-stopped"),
        ROW("rm", 0, FLAG, 0, NULL, remove, parse_flag, "remove the box when it has stopped"),
        ROW("shm-size", 0, SET, 0, "SIZE", shm_bytes, parse_shm, "size of /dev/shm (64m)"),
        ROW("stop-signal", 0, SET, 0, "SIGNAL", stop_signal, parse_signal,
            "what asks the box to stop (TERM)"),
        ROW("stop-timeout", 0, SET, 0, "DURATION", stop_grace_ms, parse_duration,
            "how long a stop waits before it kills (10s)"),
        ROW("timeout", 0, SET, EXEC, "DURATION", timeout_ms, parse_timeout,
            "stop it after this time, e.g. 1m30s"),
        ROW("tmpfs", 0, APPEND, 0, "TARGET[:OPTIONS]", mounts, parse_tmpfs,
            "mount an empty tmpfs, e.g. /run:size=64m,mode=755"),
        ROW("tty", 't', FLAG, EXEC, NULL, tty, parse_flag, "give it a terminal"),
        ROW("ulimit", 0, APPEND, 0, "NAME=SOFT[:HARD]", ulimits, parse_ulimit,
            "a resource limit of each process"),
        ROW("user", 'u', SET, EXEC, "USER[:GROUP]", user, parse_user,
            "run as this user of the box"),
        ROW("volume", 'v', APPEND, 0, "[SOURCE:]TARGET[:OPTIONS]", mounts, parse_volume,
            "mount a directory (/DIR, ./DIR) or a volume (NAME)"),
        ROW("workdir", 'w', SET, EXEC, "DIR", workdir, parse_workdir, "the directory to work in"),
};

const struct spec_field *spec_fields(size_t *ret_count)
{
        *ret_count = ELEMENTS(fields);
        return fields;
}

static int compare_key(const void *key, const void *field)
{
        return strcmp(key, ((const struct spec_field *)field)->key);
}

const struct spec_field *spec_field_find(const char *key)
{
        return bsearch(key, fields, ELEMENTS(fields), sizeof(fields[0]), compare_key);
}

int spec_set(struct spec *s, const char *key, const char *value, struct coffer_error *err)
{
        const struct spec_field *f = spec_field_find(key);
        const char *dashes;
        size_t shown;
        int r;

        if (!f) {
                (void)error_say(err, -ENOENT, COFFER_ERROR_USAGE, "there is no option '%.60s'",
                                key);
                error_hint(err, "coffer run --help lists them");
                return -ENOENT;
        }
        if (!value)
                value = "";
        r = f->parse(s, (char *)s + f->offset, value, err);
        if (r == 0 || r == -ENOMEM)
                return r;

        dashes = f->kind == SPEC_FIELD_OPERAND ? "" : "--";
        if (!f->secret)
                return error_wrap(err, r, "%s%s '%.100s'", dashes, key, value);

        /* Of a variable only the name is told, of an argument nothing. */
        shown = f->kind != SPEC_FIELD_OPERAND && strchr(value, '=') ? strcspn(value, "=") : 0;
        return error_wrap(err, r, "%s%s%s%.*s", dashes, key, shown ? " " : "",
                          shown < 60 ? (int)shown : 60, value);
}
