/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include "spec/state.h"

/*
 * What every state does on every event, written out a second time: a letter is the state it leads
 * to, '.' is "refused".  c(reated) s(tarting) r(unning) g stopping d stopped p(aused)
 * t restarting f(ailed).
 */
static const char letters[] = "csrgdptf";
static const struct {
        enum box_state from;
        const char *on; /* start started stop exited pause unpause restart fail */
} expected[] = {
        {BOX_CREATED,    "s......."},
        {BOX_STARTING,   ".rgd...f"},
        {BOX_RUNNING,    "..gdp.tf"},
        {BOX_STOPPING,   "..gd..tf"},
        {BOX_STOPPED,    "s......."},
        {BOX_PAUSED,     "..gd.rtf"},
        {BOX_RESTARTING, "s.d....f"},
        {BOX_FAILED,     "s.....t."},
};

TEST(every_pair_leads_where_it_should_or_is_refused)
{
        t_int(BOX_STATE_COUNT, ELEMENTS(expected));
        for (unsigned from = 0; from < BOX_STATE_COUNT; from++) {
                t_int(from, expected[from].from);
                t_int(BOX_EVENT_COUNT, strlen(expected[from].on));
                for (unsigned on = 0; on < BOX_EVENT_COUNT; on++) {
                        char letter = expected[from].on[on];
                        enum box_state to = BOX_STATE_COUNT;
                        int r = box_state_next(from, on, &to);

                        t_note("%s on %s", box_state_name(from), box_event_name(on));
                        if (letter == '.') {
                                t_errno(EINVAL, r);
                                t_int(BOX_STATE_COUNT, to);
                        } else {
                                t_ok(r);
                                t_int(strchr(letters, letter) - letters, to);
                        }
                }
        }
}

TEST(words_are_read_back_and_others_are_refused)
{
        static const char *const bad[] = {"", "Running", "run", "running ", "created\n", "gone"};
        enum box_state state;

        for (unsigned i = 0; i < BOX_STATE_COUNT; i++) {
                t_ok(box_state_parse(box_state_name(i), &state));
                t_int(i, state);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                t_errno(EINVAL, box_state_parse(bad[i], &state));
        t_str("created", box_state_name(BOX_CREATED));
        t_str("failed", box_state_name(BOX_FAILED));
}

TEST(a_state_is_live_exactly_when_main_may_exist)
{
        static const enum box_state live[] = {
                BOX_STARTING, BOX_RUNNING, BOX_STOPPING, BOX_PAUSED, BOX_RESTARTING,
        };
        static const enum box_state rest[] = {BOX_CREATED, BOX_STOPPED, BOX_FAILED};

        for (size_t i = 0; i < ELEMENTS(live); i++)
                t_true(box_state_is_live(live[i]));
        for (size_t i = 0; i < ELEMENTS(rest); i++)
                t_false(box_state_is_live(rest[i]));
}

/* From wherever it is, a box can be brought to a state in which it can be removed. */
TEST(from_every_live_state_a_failure_or_an_end_leads_out)
{
        for (unsigned from = 0; from < BOX_STATE_COUNT; from++) {
                enum box_state to;

                if (!box_state_is_live(from))
                        continue;
                t_ok(box_state_next(from, BOX_EV_FAIL, &to));
                t_false(box_state_is_live(to));
                t_ok(box_state_next(from, BOX_EV_STOP, &to));
                if (box_state_is_live(to))
                        t_ok(box_state_next(to, BOX_EV_EXITED, &to));
                t_false(box_state_is_live(to));
        }
}
