/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/control.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"

#include "t.h"

TEST(a_group_covers_its_controls_and_nothing_that_begins_alike)
{
        static const struct {
                const char *word;
                const char *name;
                bool covers;
        } rows[] = {
                {"landlock",      "landlock",      true },
                {"cgroup",        "cgroup.memory", true },
                {"cgroup.memory", "cgroup.memory", true },
                {"cgroup.memory", "cgroup",        false},
                {"cgroup.mem",    "cgroup.memory", false},
                {"cgroup.",       "cgroup.memory", false},
                {"",              "landlock",      false},
                {"net",           "netns",         false},
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                t_note("%s %s", rows[i].word, rows[i].name);
                t_true(control_covers(rows[i].word, rows[i].name) == rows[i].covers);
        }
}

TEST(wanted_is_what_was_asked_for_and_not_what_became_of_it)
{
        static const struct {
                const char *name;
                const char *state;
                const char *wanted;
        } rows[] = {
                {"seccomp",       "enforced", "required"        },
                {"landlock",      "enforced", "allowed-degraded"},
                {"landlock",      "degraded", "allowed-degraded"},
                {"cgroup.memory", "enforced", "allowed-degraded"},
                {"cgroup.cpu",    "off",      "off"             },
        };
        cleanup_with(strv_release) struct strv may_lack = {0};

        t_ok(strv_add(&may_lack, "landlock"));
        t_ok(strv_add(&may_lack, "cgroup"));
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char row[80];

                (void)snprintf(row, sizeof(row), "%s\t%s\tbecause", rows[i].name, rows[i].state);
                t_str(rows[i].wanted, control_wanted(row, &may_lack));
        }
}

/* A posture in which everything is as it should be, but for @name, which is in @state. */
static void fill(struct strv *rows, const char *name, const char *state)
{
        size_t count;
        const struct control *all = controls(&count);

        for (size_t i = 0; i < count; i++) {
                const char *now = all[i].kind == CONTROL_ABSENT ? "off" : "enforced";

                if (str_eq(all[i].name, name))
                        now = state;
                if (all[i].row && now)
                        t_ok(strv_addf(rows, "%s\t%s\tsaid\tso", all[i].name, now));
        }
}

TEST(a_posture_with_less_than_was_asked_for_is_refused_by_name)
{
        static const struct {
                const char *name;
                const char *state; /* NULL: no row */
                const char *says;  /* NULL: is fine */
        } rows[] = {
                {"",              NULL,        NULL                           },
                {"seccomp",       "off",       "seccomp: is off"              },
                {"seccomp",       "degraded",  "seccomp: is degraded"         },
                {"seccomp",       NULL,        "seccomp: is not spoken of"    },
                {"userns",        "",          "userns: is "                  },
                {"userns",        "enforcedx", "userns: is enforcedx"         },
                {"landlock",      "degraded",  NULL                           },
                {"landlock",      "off",       "landlock: is off"             },
                {"cgroup.memory", "off",       NULL                           },
                {"cgroup.memory", "degraded",  "cgroup.memory: is degraded"   },
                {"cgroup.pids",   NULL,        "cgroup.pids: is not spoken of"},
                {"shim",          "enforced",  NULL                           },
                {"shim",          NULL,        "shim: is not spoken of"       },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                cleanup_with(strv_release) struct strv posture = {0}, may_lack = {0};
                struct coffer_error err = {0};

                t_note("%s %s", rows[i].name, rows[i].state ? rows[i].state : "absent");
                t_ok(strv_add(&may_lack, "landlock"));
                fill(&posture, rows[i].name, rows[i].state);
                if (!rows[i].says) {
                        t_ok(control_check(&posture, &may_lack, &err));
                        continue;
                }
                t_errno(EPERM, control_check(&posture, &may_lack, &err));
                t_str(rows[i].says, err.msg);
        }
}
