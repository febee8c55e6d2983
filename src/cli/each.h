/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One thing done to many boxes at a time: all are tried, what went well is printed in the order
 * of the command line, what did not is reported, and the exit status is 1 if any failed.
 */

#include "cli/command.h"

/**
 * struct each_way - what is done
 * @begin:   begins it; @data is the command's arguments; a call of NULL means that it is done
 * @print:   prints what went well; NULL: the reference as it was given
 * @missing_is_fine: a box that does not exist is reported and no failure, as for rm -f
 * @may_be_done: -EALREADY and -ECANCELED are neither printed nor a failure: somebody else did it,
 *           or it is not wanted any more
 */
struct each_way {
        int (*begin)(struct coffer_box *box, void *data, struct coffer_call **ret_call,
                     struct coffer_error *err);
        void (*print)(const char *reference, struct coffer_box *box,
                      const struct coffer_call *call);
        bool missing_is_fine;
        bool may_be_done;
};

/** each_box() - do it to all boxes that @in->argv names; returns the exit status */
int each_box(const struct invocation *in, const struct each_way *way, void *data);

/** each_of() - the same in an open home, for a list made elsewhere */
int each_of(const struct invocation *in, struct coffer_runtime *runtime, char *const *references,
            const struct each_way *way, void *data);

/**
 * each_listed() - the same for boxes that the list of all is asked for
 * @in:    the invocation
 * @keep:  whether a box is meant
 * @way:   what is done
 * @data:  for both
 *
 * The oldest box comes first.
 *
 * Return: the exit status.
 */
int each_listed(const struct invocation *in,
                bool (*keep)(const struct coffer_box_info *info, const void *data),
                const struct each_way *way, void *data);
