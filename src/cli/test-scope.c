/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "cli/scope.h"

#include <stdio.h>
#include <string.h>

#define USER "/user.slice/user-1000.slice"

TEST(the_unit_that_ends_a_box_is_found_in_its_path)
{
        static const struct {
                const char *cgroups;
                uid_t uid;
                bool kills, lingers;
                enum scope_end expected;
                const char *unit;
        } cases[] = {
                {"0::/\n",                                                              1000, true,  false, SCOPE_FREE,    ""                 },
                {"",                                                                    1000, true,  false, SCOPE_FREE,    ""                 },
                {"garbage",                                                             1000, true,  false, SCOPE_FREE,    ""                 },
                {"0::" USER "/session-7.scope\n",                                       1000, true,  false, SCOPE_SESSION,
                 "session-7.scope"                                                                                                            },
                {"0::" USER "/session-7.scope\n",                                       1000, true,  true,  SCOPE_SESSION,
                 "session-7.scope"                                                                                                            },
                {"0::" USER "/session-7.scope\n",                                       1000, false, false, SCOPE_FREE,    ""                 },
                {"0::/user.slice/user-0.slice/session-7.scope\n",                       0,    true,  false, SCOPE_FREE,    ""                 },
                {"0::" USER "/user@1000.service/app.slice/run-1.scope\n",               1000, false, false,
                 SCOPE_USER,                                                                                               "user@1000.service"},
                {"0::" USER "/user@1000.service/app.slice/run-1.scope\n",               1000, true,  true,
                 SCOPE_FREE,                                                                                               ""                 },
                {"0::" USER "/user@1000.service/app.slice/ci.service\n",                1000, true,  true,
                 SCOPE_SERVICE,                                                                                            "ci.service"       },
                {"0::/system.slice/cron.service\n",                                     0,    false, true,  SCOPE_SERVICE, "cron.service"     },
                {"0::/system.slice/run-r12.scope\n",                                    0,    true,  false, SCOPE_FREE,    ""                 },
                {"0::/docker/0123456789abcdef\n",                                       0,    true,  false, SCOPE_FREE,    ""                 },
                {"12:pids:/x.service\n1:name=systemd:" USER "/session-2.scope\n0::/\n", 1000, true,
                 false,                                                                                     SCOPE_SESSION, "session-2.scope"  },
                {"9:name=systemd:/\n4:memory:/ci.service\n0::/x.service\n",             1000, true,  false,
                 SCOPE_FREE,                                                                                               ""                 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct scope_facts f = {cases[i].cgroups, cases[i].uid, cases[i].kills,
                                        cases[i].lingers};
                char unit[128] = "";

                t_note("%s", cases[i].cgroups);
                t_int(cases[i].expected, scope_judge(&f, unit, sizeof(unit)));
                t_str(cases[i].unit, unit);
        }
}

TEST(a_name_that_is_too_long_is_no_unit)
{
        char name[600], text[1024], unit[128] = "";
        struct scope_facts f = {.cgroups = text, .uid = 1000};

        memset(name, 'x', sizeof(name));
        (void)snprintf(text, sizeof(text), "0::/%.600s.service\n", name);
        t_int(SCOPE_FREE, scope_judge(&f, unit, sizeof(unit)));
}

TEST(logind_says_whether_it_kills)
{
        static const struct {
                const char *text;
                bool before, expected;
        } cases[] = {
                {"",                                                        true,  true },
                {"",                                                        false, false},
                {"[Login]\n#KillUserProcesses=no\n",                        true,  false},
                {"[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n", false, true },
                {"KillUserProcesses=yes\n#KillUserProcesses=no\n",          false, true },
                {"KillUserProcesses=no",                                    true,  false},
                {"KillUserProcesses=1\n",                                   false, true },
                {"KillUserProcesses=on\n",                                  false, true },
                {"KillUserProcesses=off\n",                                 true,  false},
                {"KillOnlyUsers=yes\n",                                     false, false},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                t_note("%s", cases[i].text);
                t_int(cases[i].expected, scope_kills(cases[i].text, cases[i].before));
        }
}
