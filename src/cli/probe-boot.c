/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The row "restart-at-boot" of doctor.  A unit is enabled when a symlink to it stands in the .wants
 * directory of a target (systemd.unit(5)); that is what `systemctl is-enabled` looks at, but it
 * wants a running systemd, and we want no program.
 */

#include <coffer/coffer.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/host.h"
#include "cli/probe.h"

#define UNIT "coffer-restart.service"

/* systemd's load paths; those with a variable come first and only for users. */
static const char *const system_dirs[] = {"/etc/systemd/system", "/run/systemd/system",
                                          "/usr/local/lib/systemd/system",
                                          "/usr/lib/systemd/system", NULL};
static const char *const user_dirs[] = {"/etc/systemd/user", "/run/systemd/user",
                                        "/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
                                        NULL};
static const struct {
        const char *variable;
        const char *below;
} own_dirs[] = {
        {"XDG_CONFIG_HOME", "systemd/user"             },
        {"HOME",            ".config/systemd/user"     },
        {"XDG_DATA_HOME",   "systemd/user"             },
        {"HOME",            ".local/share/systemd/user"},
};

static bool is_wanted_in(const char *dir)
{
        char pattern[PATH_MAX];
        glob_t found = {0};
        bool any = false;

        if (snprintf(pattern, sizeof(pattern), "%s/*.wants/" UNIT, dir) >= (int)sizeof(pattern))
                return false;
        if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
                for (size_t i = 0; !any && i < found.gl_pathc; i++)
                        any = access(found.gl_pathv[i], F_OK) ==
                              0; /* or the unit itself has gone */
        globfree(&found);
        return any;
}

static bool is_enabled(bool as_root)
{
        const char *const *dirs = as_root ? system_dirs : user_dirs;

        for (size_t i = 0; !as_root && i < ELEMENTS(own_dirs); i++) {
                const char *base = getenv(own_dirs[i].variable);
                char dir[PATH_MAX];

                if (base &&
                    snprintf(dir, sizeof(dir), "%s/%s", base, own_dirs[i].below) <
                            (int)sizeof(dir) &&
                    is_wanted_in(dir))
                        return true;
        }
        for (; *dirs; dirs++)
                if (is_wanted_in(*dirs))
                        return true;
        return false;
}

/* Without it a user's units are started when he logs in. */
static bool lingers(void)
{
        char name[128], path[PATH_MAX];

        host_user_name(name, sizeof(name));
        (void)snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s", name);
        return name[0] != '\0' && access(path, F_OK) == 0;
}

static int count_boxes(struct coffer_runtime *runtime, size_t *ret_count, struct coffer_error *err)
{
        cleanup_with(coffer_release) struct coffer_box_info **infos = NULL;
        size_t all = 0, count = 0;
        int r = coffer_box_list(runtime, &infos, &all, err);

        for (size_t i = 0; r == 0 && i < all; i++)
                count += !str_eq(infos[i]->restart, "no");
        *ret_count = count;
        return r;
}

__attribute__((format(printf, 4, 5))) static void
say(struct probe_result *result, enum probe_state state, const char *fix, const char *format, ...)
{
        va_list ap;

        result->state = state;
        (void)snprintf(result->fix, sizeof(result->fix), "%s", fix);
        va_start(ap, format);
        (void)vsnprintf(result->detail, sizeof(result->detail), format, ap);
        va_end(ap);
}

void probe_boot(struct coffer_runtime *runtime, struct probe_result *result)
{
        bool as_root = host_is_root();
        bool enabled = is_enabled(as_root);
        struct coffer_error err = {0};
        size_t count = 0;

        if (count_boxes(runtime, &count, &err) < 0)
                say(result, PROBE_OFF, err.hint, "%.*s", PROBE_TEXT_MAX - 1, err.msg);
        else if (!enabled && count == 0)
                say(result, PROBE_OFF, "", "no box has a restart policy, so nothing needs it");
        else if (!enabled)
                say(result, PROBE_OFF,
                    as_root ? "systemctl enable " UNIT
                            : "systemctl --user enable " UNIT " && loginctl enable-linger",
                    "%zu %s a restart policy, and " UNIT " is not enabled", count,
                    count == 1 ? "box has" : "boxes have");
        else if (!as_root && !lingers())
                say(result, PROBE_DEGRADED, "loginctl enable-linger",
                    UNIT " is enabled, but runs only when you log in");
        else if (getenv("COFFER_HOME"))
                say(result, PROBE_DEGRADED, "see systemctl cat " UNIT " for COFFER_HOME",
                    UNIT " is enabled, if it is for this home, which is not the usual one");
        else
                say(result, PROBE_ENFORCED, "", UNIT " is enabled");
}
