/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "cli/command.h"
#include "cli/scope.h"

#define FILE_MAX_BYTES 65536
#define UNIT_MAX       128

static void release_buf(struct buf *b)
{
        buf_release(b);
}

static bool read_kills(int dir_fd, const char *name, bool before)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(FILE_MAX_BYTES);

        if (buf_read_file(&text, dir_fd, name) < 0 || text.size == 0)
                return before;
        return scope_kills(text.data, before);
}

static int is_conf(const struct dirent *entry)
{
        const char *dot = strrchr(entry->d_name, '.');

        return dot && str_eq(dot, ".conf");
}

/* The main file, then what was dropped in beside it, by name (logind.conf(5)); upstream says yes.
 */
static bool logind_kills(void)
{
        static const char *const files[] = {"/usr/lib/systemd/logind.conf",
                                            "/etc/systemd/logind.conf"};
        static const char *const dirs[] = {"/usr/lib/systemd/logind.conf.d",
                                           "/run/systemd/logind.conf.d",
                                           "/etc/systemd/logind.conf.d"};
        bool kills = true;

        for (size_t i = 0; i < ELEMENTS(files); i++)
                kills = read_kills(AT_FDCWD, files[i], kills);
        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                cleanup_close int fd = sys_open(AT_FDCWD, dirs[i], O_RDONLY | O_DIRECTORY);
                struct dirent **names = NULL;
                int count = fd < 0 ? 0 : scandir(dirs[i], &names, is_conf, alphasort);

                for (int n = 0; n < count; n++) {
                        kills = read_kills(fd, names[n]->d_name, kills);
                        free(names[n]);
                }
                free(names);
        }
        return kills;
}

static bool user_lingers(void)
{
        const struct passwd *user = getpwuid(geteuid());
        char path[256];

        if (!user || snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s", user->pw_name) >=
                             (int)sizeof(path))
                return false;
        return access(path, F_OK) == 0;
}

void scope_warn(void)
{
        static const char *const hints[] = {
                [SCOPE_SESSION] = "loginctl enable-linger; then "
                                  "`systemd-run --user --scope coffer …` starts it outside",
                [SCOPE_USER] = "loginctl enable-linger",
                [SCOPE_SERVICE] = "`systemd-run --scope coffer …` starts it outside; as an "
                                  "ordinary user with --user, and loginctl enable-linger",
        };
        cleanup_with(release_buf) struct buf cgroups = BUF_INIT(FILE_MAX_BYTES);
        struct scope_facts facts = {.uid = geteuid()};
        struct coffer_error warning = {0};
        char unit[UNIT_MAX];
        enum scope_end end;

        if (buf_read_file(&cgroups, AT_FDCWD, "/proc/self/cgroup") < 0 || cgroups.size == 0)
                return;
        facts.cgroups = cgroups.data;
        /* The dear facts only when it may come to them. */
        if (!strstr(cgroups.data, ".service") && !strstr(cgroups.data, ".scope"))
                return;
        facts.kills_at_exit = logind_kills();
        facts.lingers = user_lingers();
        end = scope_judge(&facts, unit, sizeof(unit));
        if (end == SCOPE_FREE)
                return;
        (void)error_say(&warning, -EBUSY, COFFER_ERROR_OTHER,
                        "the box ends when systemd ends %s, in which it was started", unit);
        error_hint(&warning, "%s", hints[end]);
        command_report(&warning);
}
