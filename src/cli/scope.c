/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scope.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define UNIT_MAX 128

static bool ends_with(const char *s, const char *end)
{
        size_t n = strlen(s), m = strlen(end);

        return n >= m && str_eq(s + n - m, end);
}

/* The line of systemd's own hierarchy: v1's "N:name=systemd:PATH", else v2's "0::PATH". */
static const char *find_path(const char *cgroups)
{
        const char *named = strstr(cgroups, ":name=systemd:/");
        const char *unified = strstr(cgroups, "0::/");

        if (named)
                return strchr(named, '/');
        if (unified && (unified == cgroups || unified[-1] == '\n'))
                return strchr(unified, '/');
        return NULL;
}

/* One directory of the path: a unit that ends the box, or not. */
static enum scope_end judge_unit(const struct scope_facts *f, const char *unit)
{
        /* logind spares root unless it is told otherwise (KillExcludeUsers). */
        if (str_after(unit, "session-") && ends_with(unit, ".scope"))
                return f->uid != 0 && f->kills_at_exit ? SCOPE_SESSION : SCOPE_FREE;
        if (str_after(unit, "user@") && ends_with(unit, ".service"))
                return f->lingers ? SCOPE_FREE : SCOPE_USER;
        return ends_with(unit, ".service") ? SCOPE_SERVICE : SCOPE_FREE;
}

enum scope_end scope_judge(const struct scope_facts *f, char *ret_unit, size_t size)
{
        const char *at = find_path(f->cgroups);

        while (at && *at == '/') {
                char unit[UNIT_MAX];
                size_t n = strcspn(++at, "/\n");
                enum scope_end end;

                (void)snprintf(unit, sizeof(unit), "%.*s", (int)n, at);
                end = n < sizeof(unit) ? judge_unit(f, unit) : SCOPE_FREE;
                if (end != SCOPE_FREE) {
                        (void)snprintf(ret_unit, size, "%s", unit);
                        return end;
                }
                at += n;
        }
        return SCOPE_FREE;
}

bool scope_kills(const char *text, bool before)
{
        bool set = false, value = before;

        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n")) {
                bool comment;
                const char *v;

                line += strspn(line, "\n \t");
                comment = *line == '#' || *line == ';';
                v = str_after(line + comment, "KillUserProcesses=");
                if (!v || (comment && set))
                        continue;
                value = *v == 'y' || *v == '1' || *v == 't' || str_after(v, "on");
                set = set || !comment;
        }
        return value;
}
