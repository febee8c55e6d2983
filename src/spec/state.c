/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/state.h"

#include <assert.h>
#include <errno.h>

#include "base/str.h"

#define BOX_WORD(name, word) word,
static const char *const state_words[] = {BOX_STATES(BOX_WORD)};
static const char *const event_words[] = {BOX_EVENTS(BOX_WORD)};
#undef BOX_WORD

/* The whole machine.  A move that has no row is refused. */
static const struct {
        enum box_state from;
        enum box_event on;
        enum box_state to;
} moves[] = {
        {BOX_CREATED,    BOX_EV_START,   BOX_STARTING  },
        {BOX_STOPPED,    BOX_EV_START,   BOX_STARTING  },
        {BOX_FAILED,     BOX_EV_START,   BOX_STARTING  },
        {BOX_RESTARTING, BOX_EV_START,   BOX_STARTING  },

        {BOX_STARTING,   BOX_EV_STARTED, BOX_RUNNING   },
        {BOX_STARTING,   BOX_EV_EXITED,  BOX_STOPPED   }, /* main could not be executed */
        {BOX_RUNNING,    BOX_EV_EXITED,  BOX_STOPPED   },
        {BOX_STOPPING,   BOX_EV_EXITED,  BOX_STOPPED   },
        {BOX_PAUSED,     BOX_EV_EXITED,  BOX_STOPPED   }, /* killed while frozen */

        {BOX_STARTING,   BOX_EV_STOP,    BOX_STOPPING  },
        {BOX_RUNNING,    BOX_EV_STOP,    BOX_STOPPING  },
        {BOX_STOPPING,   BOX_EV_STOP,    BOX_STOPPING  }, /* a second client asks */
        {BOX_PAUSED,     BOX_EV_STOP,    BOX_STOPPING  },
        {BOX_RESTARTING, BOX_EV_STOP,    BOX_STOPPED   },

        {BOX_RUNNING,    BOX_EV_PAUSE,   BOX_PAUSED    },
        {BOX_PAUSED,     BOX_EV_UNPAUSE, BOX_RUNNING   },

        {BOX_RUNNING,    BOX_EV_RESTART, BOX_RESTARTING},
        {BOX_STOPPING,   BOX_EV_RESTART, BOX_RESTARTING}, /* by its time limit */
        {BOX_PAUSED,     BOX_EV_RESTART, BOX_RESTARTING}, /* killed while frozen */
        {BOX_FAILED,     BOX_EV_RESTART, BOX_RESTARTING}, /* the supervisor died, the shim lives */

        {BOX_STARTING,   BOX_EV_FAIL,    BOX_FAILED    },
        {BOX_RUNNING,    BOX_EV_FAIL,    BOX_FAILED    },
        {BOX_STOPPING,   BOX_EV_FAIL,    BOX_FAILED    },
        {BOX_PAUSED,     BOX_EV_FAIL,    BOX_FAILED    },
        {BOX_RESTARTING, BOX_EV_FAIL,    BOX_FAILED    },
};

const char *box_state_name(enum box_state state)
{
        assert((unsigned)state < BOX_STATE_COUNT);
        return state_words[state];
}

const char *box_event_name(enum box_event event)
{
        assert((unsigned)event < BOX_EVENT_COUNT);
        return event_words[event];
}

int box_state_parse(const char *word, enum box_state *ret_state)
{
        for (unsigned i = 0; i < BOX_STATE_COUNT; i++) {
                if (!str_eq(state_words[i], word))
                        continue;
                *ret_state = (enum box_state)i;
                return 0;
        }
        return -EINVAL;
}

int box_state_next(enum box_state from, enum box_event on, enum box_state *ret_to)
{
        for (size_t i = 0; i < ELEMENTS(moves); i++) {
                if (moves[i].from != from || moves[i].on != on)
                        continue;
                *ret_to = moves[i].to;
                return 0;
        }
        return -EINVAL;
}

bool box_state_is_live(enum box_state state)
{
        return state != BOX_CREATED && state != BOX_STOPPED && state != BOX_FAILED;
}
