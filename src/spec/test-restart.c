/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "spec/restart.h"

TEST(every_policy_is_read_and_written_back)
{
        static const struct {
                const char *text;
                enum restart_kind kind;
                uint32_t max_retries;
                const char *canonical; /* NULL: as it was */
        } cases[] = {
                {NULL,                    RESTART_NO,             0,                   "no"        },
                {"",                      RESTART_NO,             0,                   "no"        },
                {"no",                    RESTART_NO,             0,                   NULL        },
                {"always",                RESTART_ALWAYS,         0,                   NULL        },
                {"unless-stopped",        RESTART_UNLESS_STOPPED, 0,                   NULL        },
                {"on-failure",            RESTART_ON_FAILURE,     0,                   NULL        },
                {"on-failure:0",          RESTART_ON_FAILURE,     0,                   "on-failure"},
                {"on-failure:1",          RESTART_ON_FAILURE,     1,                   NULL        },
                {"on-failure:2147483647", RESTART_ON_FAILURE,     RESTART_RETRIES_MAX, NULL        },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct restart_policy policy = {RESTART_KIND_COUNT, 99};
                char text[RESTART_TEXT_MAX];

                t_note("%s", cases[i].text ? cases[i].text : "NULL");
                t_ok(restart_parse(cases[i].text, &policy));
                t_int(cases[i].kind, policy.kind);
                t_int(cases[i].max_retries, policy.max_retries);
                restart_format(&policy, text);
                t_str(cases[i].canonical ? cases[i].canonical : cases[i].text, text);
        }
}

TEST(what_is_no_policy_is_refused_and_changes_nothing)
{
        static const struct {
                const char *text;
                int error;
        } cases[] = {
                {"yes",                   EINVAL},
                {"No",                    EINVAL},
                {"alway",                 EINVAL},
                {"always ",               EINVAL},
                {" always",               EINVAL},
                {"on-failure ",           EINVAL},
                {"on_failure",            EINVAL},
                {"unless",                EINVAL},
                {":",                     EINVAL},
                {":3",                    EINVAL},
                {"on-failure:",           EINVAL},
                {"on-failure:-1",         EINVAL},
                {"on-failure:+1",         EINVAL},
                {"on-failure: 1",         EINVAL},
                {"on-failure:1:1",        EINVAL},
                {"on-failure:1.5",        EINVAL},
                {"on-failure:x",          EINVAL},
                {"on-failure:2147483648", ERANGE},
                {"always:3",              EDOM  },
                {"unless-stopped:0",      EDOM  },
                {"no:1",                  EDOM  },
                {"no:x",                  EINVAL},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct restart_policy policy = {RESTART_ALWAYS, 7};

                t_note("%s", cases[i].text);
                t_errno(cases[i].error, restart_parse(cases[i].text, &policy));
                t_int(RESTART_ALWAYS, policy.kind);
                t_int(7, policy.max_retries);
        }
}

TEST(each_policy_decides_as_its_name_says)
{
        static const struct {
                const char *policy;
                struct restart_end end; /* exit code, timed out, stop asked, restarts so far */
                bool after_end;
                bool at_boot;
        } cases[] = {
                {"no",             {0, false, false, 0},        false, false},
                {"no",             {1, false, false, 0},        false, false},
                {"no",             {137, false, true, 0},       false, false},
                {"no",             {1, true, false, 0},         false, false},
                {"always",         {0, false, false, 0},        true,  true },
                {"always",         {1, false, false, 0},        true,  true },
                {"always",         {0, true, false, 0},         true,  true },
                {"always",         {0, false, false, 4000000},  true,  true },
                {"always",         {143, false, true, 0},       false, true },
                {"always",         {0, true, true, 0},          false, true },
                {"unless-stopped", {0, false, false, 0},        true,  true },
                {"unless-stopped", {137, false, false, 9},      true,  true },
                {"unless-stopped", {0, true, false, 0},         true,  true },
                {"unless-stopped", {0, false, true, 0},         false, false},
                {"unless-stopped", {143, false, true, 0},       false, false},
                {"on-failure",     {0, false, false, 0},        false, false},
                {"on-failure",     {1, false, false, 0},        true,  true },
                {"on-failure",     {137, false, false, 700000}, true,  true },
                {"on-failure",     {0, true, false, 0},         true,  true },
                {"on-failure",     {0, false, true, 0},         false, false},
                {"on-failure",     {143, false, true, 0},       false, false},
                {"on-failure:2",   {1, false, false, 0},        true,  true },
                {"on-failure:2",   {1, false, false, 1},        true,  true },
                {"on-failure:2",   {1, false, false, 2},        false, false},
                {"on-failure:2",   {1, false, false, 3},        false, false},
                {"on-failure:2",   {0, true, false, 2},         false, false},
                {"on-failure:2",   {0, false, false, 1},        false, false},
                {"on-failure:2",   {1, false, true, 1},         false, false},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct restart_end *end = &cases[i].end;
                struct restart_policy policy;

                t_note("%s: status %u%s%s, restarted %u times", cases[i].policy, end->exit_code,
                       end->timed_out ? ", out of time" : "", end->stop_asked ? ", stopped" : "",
                       end->restarts);
                t_ok(restart_parse(cases[i].policy, &policy));
                t_int(cases[i].after_end, restart_after_end(&policy, end));
                t_int(cases[i].at_boot, restart_at_boot(&policy, end));
        }
}

TEST(the_delay_doubles_up_to_a_minute_and_begins_anew_after_a_good_run)
{
        static const uint32_t delays[] = {100,   200,   400,   800,   1600,  3200, 6400,
                                          12800, 25600, 51200, 60000, 60000, 60000};
        uint32_t delay = 0;

        for (size_t i = 0; i < ELEMENTS(delays); i++) {
                delay = restart_delay_ms(delay, RESTART_RAN_WELL_MS - 1);
                t_int(delays[i], delay);
        }
        t_int(RESTART_DELAY_FIRST_MS, restart_delay_ms(delay, RESTART_RAN_WELL_MS));
        t_int(RESTART_DELAY_FIRST_MS, restart_delay_ms(200, UINT64_MAX));
        t_int(400, restart_delay_ms(200, 0));
}
