/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/host.h"
#include "cli/human.h"
#include "cli/print.h"
#include "cli/show.h"

struct info_args {
        const char *format;
};

static const struct opt info_opts[] = {
        {"format",  'f', "FORMAT", opt_string, offsetof(struct info_args, format),
         "json, or a template such as {{.CofferHome}}"},
        {0},
};

/* What the lines of `coffer info` say, in this order. */
static const struct {
        const char *key;
        const char *label;
} info_lines[] = {
        {"ServerVersion",     "Version"     },
        {"CofferHome",        "Home"        },
        {"ProgramDir",        "Programs"    },
        {"Rootless",          "Rootless"    },
        {"CgroupMode",        "Cgroups"     },
        {"Containers",        "Boxes"       },
        {"ContainersRunning", " Running"    },
        {"ContainersPaused",  " Paused"     },
        {"ContainersStopped", " Stopped"    },
        {"KernelVersion",     "Kernel"      },
        {"Architecture",      "Architecture"},
        {"NCPU",              "CPUs"        },
        {"MemTotal",          "Memory"      },
};

static int print_line(struct jv v, const char *key, const char *label)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(8192);
        struct jv member = jv_member(v, key);
        int r = 0;

        if (str_eq(key, "MemTotal"))
                r = human_size((uint64_t)jv_int(v, key, 0), &text);
        else if (jv_type(member) == 't' || jv_type(member) == 'f')
                r = buf_append_str(&text, jv_type(member) == 't' ? "yes" : "no");
        else
                r = jv_plain(member, &text);
        if (r == 0)
                (void)printf("%s: %s\n", label, text.data ? text.data : "");
        return r;
}

static int show_lines(const char *json, struct coffer_error *err)
{
        struct jv v;
        int r = jv_read(json, strlen(json), &v);

        for (size_t i = 0; r == 0 && i < ELEMENTS(info_lines); i++)
                r = print_line(v, info_lines[i].key, info_lines[i].label);
        return r < 0 ? error_set(err, r, "show what the library says") : 0;
}

/* The library's object with one more member of ours. */
static int add_member(const char *json, const char *key, const char *value, struct buf *to)
{
        const char *end = strrchr(json, '}');

        if (!end)
                return -EINVAL;
        (void)buf_append(to, json, (size_t)(end - json));
        (void)print_member(to, key, value);
        return buf_append(to, "}", 1);
}

static int cmd_info(struct invocation *in)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) char *json = NULL;
        cleanup_with(buf_release) struct buf whole = BUF_INIT(65536);
        struct info_args a = {0};
        struct coffer_error err = {0};
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        if (show_check(a.format, &err) < 0)
                return command_fail(in, &err);
        status = command_open_home(in, &runtime);
        if (status != 0)
                return status;
        r = coffer_runtime_info(runtime, &json, &err);
        if (r == 0) {
                r = add_member(json, "CgroupMode", host_cgroup_mode(), &whole);
                if (r < 0)
                        (void)error_set(&err, r, "read what the library says");
        }
        if (r == 0)
                r = a.format ? show_object(whole.data, a.format, &err)
                             : show_lines(whole.data, &err);
        return r < 0 ? command_fail(in, &err) : 0;
}

/* Works without a home: it is the first thing that a person with trouble is asked for. */
static int cmd_version(struct invocation *in)
{
        cleanup_with(buf_release) struct buf json = BUF_INIT(8192);
        struct info_args a = {0};
        struct coffer_error err = {0};

        if (!command_begin(in, &a))
                return in->status;
        if (!a.format) {
                (void)printf("Version: %s\nKernel: %s\nArchitecture: %s\nCgroups: %s\n"
                             "Rootless: %s\n",
                             coffer_version(), host_kernel(), host_machine(), host_cgroup_mode(),
                             host_is_root() ? "no" : "yes");
                return 0;
        }
        if (show_check(a.format, &err) < 0)
                return command_fail(in, &err);
        (void)buf_append(&json, "{", 1);
        (void)print_member(&json, "Version", coffer_version());
        (void)print_member(&json, "KernelVersion", host_kernel());
        (void)print_member(&json, "Architecture", host_machine());
        (void)print_member(&json, "CgroupMode", host_cgroup_mode());
        (void)buf_printf(&json, ",\"Rootless\":%s}", host_is_root() ? "false" : "true");
        if (json.failed < 0) {
                (void)error_set(&err, json.failed, "write the output");
                return command_fail(in, &err);
        }
        return show_object(json.data, a.format, &err) < 0 ? command_fail(in, &err) : 0;
}

const struct command command_info = {
        .name = "info",
        .args = "",
        .summary = "Show this home and this host",
        .opts = info_opts,
        .max_args = 0,
        .run = cmd_info,
};

const struct command command_version = {
        .name = "version",
        .args = "",
        .summary = "Show the version, and what it runs on",
        .opts = info_opts,
        .max_args = 0,
        .run = cmd_version,
};
