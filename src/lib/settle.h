/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"
#include "store/meta.h"
#include "store/state.h"

/*
 * Writing down the end of a box whose shim did not live to do it, and cleaning up after it.  Any
 * client does it when it meets such a box; it may be done again and be cut short anywhere.
 */

/**
 * settle() - make the state of a box true
 * @box:        its lock is held by the caller
 * @ret_record: the state; all zero for a box that was never started; release with
 *              box_record_release()
 * @err:        words
 *
 * A record that says the box lives, or that is torn, is one of a shim that died: what is left of
 * the box in its cgroup is killed, the log marked, the state written as failed.
 *
 * Return: 0; -EBUSY when processes of the box could not be ended; or a negative errno.
 */
int settle(struct coffer_box *box, struct box_record *ret_record, struct coffer_error *err);

/**
 * settle_by_id() - the same for a box without a handle, and how its main ended
 * @runtime:  the home
 * @id:       of the box
 * @ret_exit: filled; left as it is when the box was removed or has another shim by now
 * @err:      words
 *
 * A box that is to be removed when it has stopped is removed.
 */
int settle_by_id(struct coffer_runtime *runtime, const char *id, struct coffer_exit *ret_exit,
                 struct coffer_error *err);

/**
 * box_is_due() - does the restart policy of a box that does not run want it to?
 * @meta:   of it
 * @record: settled; of a box that was never started it is zero, and nothing is due
 */
bool box_is_due(const struct box_meta *meta, const struct box_record *record);

/** exit_from_record() - how main ended, by the state of the box */
void exit_from_record(const struct box_record *record, struct coffer_exit *ret_exit);

/**
 * box_remove_now() - remove a box whose lock is held, and tell
 * @box:          of which settle() has been called
 * @with_volumes: the unnamed ones that were made for it go too
 * @err:          words
 *
 * Return: 0 or a negative errno.
 */
int box_remove_now(struct coffer_box *box, bool with_volumes, struct coffer_error *err);
