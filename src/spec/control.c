/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/control.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"

/* In the order in which people are shown them. */
static const struct control table[] = {
        {"engine",        CONTROL_ALWAYS, true,  NULL                                           },
        {"userns",        CONTROL_ALWAYS, true,  NULL                                           },
        {"idmap",         CONTROL_ALWAYS, true,  NULL                                           },
        {"pidns",         CONTROL_ALWAYS, true,  NULL                                           },
        {"netns",         CONTROL_ALWAYS, true,  NULL                                           },
        {"mount-root",    CONTROL_ALWAYS, true,  NULL                                           },
        {"cgroup.memory", CONTROL_LIMIT,  true,  "--memory"                                     },
        {"cgroup.cpu",    CONTROL_LIMIT,  true,  "--cpus"                                       },
        {"cgroup.pids",   CONTROL_LIMIT,  true,  "--pids-limit"                                 },
        {"bounding-set",  CONTROL_ALWAYS, true,  NULL                                           },
        {"capabilities",  CONTROL_ALWAYS, true,  NULL                                           },
        {"no-new-privs",  CONTROL_ALWAYS, true,  NULL                                           },
        {"seccomp",       CONTROL_ALWAYS, true,  NULL                                           },
        {"landlock",      CONTROL_ALWAYS, true,  NULL                                           },
        {"nested-userns", CONTROL_ALWAYS, true,  NULL                                           },
        {"egress",        CONTROL_ALWAYS, true,  NULL                                           },
        {"supervisor",    CONTROL_ALWAYS, true,  NULL                                           },
        {"shim",          CONTROL_ABSENT, true,  "the monitor keeps its caller's rights"        },
        {"proxy",         CONTROL_ABSENT, false, "a box has no way out, so there is no proxy"   },
        {"vm",            CONTROL_ABSENT, false, "Coffer has one engine, ns: no virtual machine"},
};

const struct control *controls(size_t *ret_count)
{
        *ret_count = ELEMENTS(table);
        return table;
}

const struct control *control_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (str_eq(table[i].name, name))
                        return &table[i];
        return NULL;
}

bool control_covers(const char *word, const char *name)
{
        const char *rest = word[0] != '\0' ? str_after(name, word) : NULL;

        return rest && (*rest == '\0' || *rest == '.');
}

bool control_is_word(const char *word)
{
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (control_covers(word, table[i].name))
                        return true;
        return false;
}

bool control_listed(const struct strv *words, const char *name)
{
        for (size_t i = 0; i < words->count; i++)
                if (control_covers(words->items[i], name))
                        return true;
        return false;
}

void control_names(char *to, size_t size)
{
        size_t used = 0;

        to[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(table) && used < size; i++)
                used += (size_t)snprintf(to + used, size - used, "%s%s", i ? ", " : "",
                                         table[i].name);
}

/* Is it the row of this control, and in this state? */
static bool row_is(const char *row, const char *name, const char *state)
{
        const char *rest = str_after(row, name);

        rest = rest && *rest == '\t' ? str_after(rest + 1, state) : NULL;
        return rest && (*rest == '\t' || *rest == '\0' || *state == '\0');
}

const char *control_wanted(const char *row, const struct strv *may_lack)
{
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                if (!row_is(row, table[i].name, ""))
                        continue;
                if (row_is(row, table[i].name, "off"))
                        return "off";
                if (control_listed(may_lack, table[i].name))
                        return "allowed-degraded";
        }
        return "required";
}

static bool is_good(const struct control *c, const char *row, const struct strv *may_lack)
{
        return row_is(row, c->name, "enforced") ||
               (row_is(row, c->name, "degraded") && control_listed(may_lack, c->name)) ||
               (row_is(row, c->name, "off") && c->kind != CONTROL_ALWAYS);
}

static const char *find_row(const struct strv *rows, const char *name)
{
        for (size_t i = 0; i < rows->count; i++)
                if (row_is(rows->items[i], name, ""))
                        return rows->items[i];
        return NULL;
}

int control_check(const struct strv *rows, const struct strv *may_lack, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                const char *row = table[i].row ? find_row(rows, table[i].name) : NULL;
                const char *state = row ? row + strlen(table[i].name) + 1 : "not spoken of";

                if (!table[i].row || (row && is_good(&table[i], row, may_lack)))
                        continue;
                return error_say(err, -EPERM, COFFER_ERROR_CONTROL, "%s: is %.*s", table[i].name,
                                 (int)strcspn(state, "\t"), state);
        }
        return 0;
}
