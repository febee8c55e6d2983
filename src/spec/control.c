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

const char *control_wanted(const char *name, const char *state, const struct strv *may_lack)
{
        if (str_eq(state, "off"))
                return "off";
        return control_listed(may_lack, name) ? "allowed-degraded" : "required";
}

/* The state of a control; "" when the rows do not have it. */
static void find_state(const struct strv *rows, const char *name, char to[12])
{
        to[0] = '\0';
        for (size_t i = 0; i < rows->count; i++) {
                const char *row = rows->items[i];
                size_t length = strlen(name);

                if (strncmp(row, name, length) != 0 || row[length] != '\t')
                        continue;
                row += length + 1;
                (void)snprintf(to, 12, "%.*s", (int)strcspn(row, "\t"), row);
        }
}

static bool is_good(const struct control *c, const char *state, const struct strv *may_lack)
{
        if (str_eq(state, "enforced"))
                return true;
        if (str_eq(state, "degraded"))
                return control_listed(may_lack, c->name);
        return str_eq(state, "off") && c->kind != CONTROL_ALWAYS;
}

int control_check(const struct strv *rows, const struct strv *may_lack, struct coffer_error *err)
{
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                char state[12];

                if (!table[i].row)
                        continue;
                find_state(rows, table[i].name, state);
                if (!is_good(&table[i], state, may_lack))
                        return error_say(err, -EPERM, COFFER_ERROR_CONTROL, "%s: is %s",
                                         table[i].name, state[0] ? state : "not spoken of");
        }
        return 0;
}
