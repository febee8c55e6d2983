/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "cli/each.h"

/* pause, unpause, update. */

static int begin_pause(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                       struct coffer_error *err)
{
        return coffer_box_pause_begin(box, ret_call, err);
}

static int begin_unpause(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                         struct coffer_error *err)
{
        return coffer_box_unpause_begin(box, ret_call, err);
}

static int cmd_pause(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_pause};

        return command_begin(in, NULL) ? each_box(in, &way, NULL) : in->status;
}

static int cmd_unpause(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_unpause};

        return command_begin(in, NULL) ? each_box(in, &way, NULL) : in->status;
}

static int begin_update(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                        struct coffer_error *err)
{
        return coffer_box_update_begin(box, data, ret_call, err);
}

static int cmd_update(struct invocation *in)
{
        static const struct each_way way = {.begin = begin_update};
        cleanup_with(coffer_spec_freep) struct coffer_spec *changes = NULL;
        cleanup_with(opt_pairs_release) struct opt_pairs given = {0};
        struct coffer_error err = {0};
        int r;

        if (!command_begin(in, &given))
                return in->status;
        if (given.names.count == 0)
                return command_usage(in, NULL, "nothing was said to be changed");
        r = coffer_spec_new(&changes, &err);
        for (size_t i = 0; r == 0 && i < given.names.count; i++)
                r = coffer_spec_set(changes, given.names.items[i], given.values.items[i], &err);
        return r < 0 ? command_fail(in, &err) : each_box(in, &way, changes);
}

const struct command command_pause = {
        .name = "pause",
        .args = "BOX [BOX...]",
        .summary = "Stop all processes of running boxes where they are",
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_RUNNING,
        .run = cmd_pause,
};

const struct command command_unpause = {
        .name = "unpause",
        .args = "BOX [BOX...]",
        .summary = "Let the processes of paused boxes go on",
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_RUNNING,
        .run = cmd_unpause,
};

const struct command command_update = {
        .name = "update",
        .args = "BOX [BOX...]",
        .summary = "Change limits and restart policy of boxes, while they run or not",
        .spec_fields = COFFER_FIELD_UPDATE,
        .min_args = 1,
        .max_args = INT_MAX,
        .words = WORDS_BOX,
        .run = cmd_update,
};
