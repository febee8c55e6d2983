/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct coffer_error;

/*
 * The controls of a box, by name: the one list.  --require and --allow-degraded take these words,
 * each row of a posture begins with one, and coffer doctor goes through all of them.
 *
 * "cgroup" stands for every control whose name begins with "cgroup.".
 */

enum control_kind {
        CONTROL_ALWAYS, /* enforced, or the box does not start */
        CONTROL_LIMIT,  /* the same for a box that has the limit, else off */
        CONTROL_ABSENT, /* off in this version, whatever is asked for */
};

/**
 * struct control - one of them
 * @name: as people write it
 * @kind: when it is enforced
 * @row:  there is a row of it in the posture
 * @note: CONTROL_LIMIT: the option that sets the limit; CONTROL_ABSENT: why it is off
 */
struct control {
        const char *name;
        enum control_kind kind;
        bool row;
        const char *note;
};

/** controls() - all of them; the pointer stays valid */
const struct control *controls(size_t *ret_count);
/** control_find() - by its whole name; NULL when there is none */
const struct control *control_find(const char *name);
/** control_is_word() - the name of a control or of a group of them */
bool control_is_word(const char *word);
/** control_covers() - does @word mean the control @name, alone or with its group? */
bool control_covers(const char *word, const char *name);
/** control_listed() - does any of the words mean it? */
bool control_listed(const struct strv *words, const char *name);
/** control_names() - "userns, idmap, …" for an error text; cut where the room ends */
void control_names(char *to, size_t size);

/**
 * control_wanted() - the second word of a row of the posture
 * @row:      "control\tstate\tdetail"
 * @may_lack: what --allow-degraded named
 *
 * Return: "required", "allowed-degraded" or "off".
 */
const char *control_wanted(const char *row, const struct strv *may_lack);

/**
 * control_check() - is a posture one that a box may run with?
 * @rows:     "control\tstate\tdetail"
 * @may_lack: what --allow-degraded named
 * @err:      the control that stands in the way
 *
 * Who enforces a control refuses a box that lacks it; this is the whole, looked at once more: no
 * row is missing, and none is less than what was asked for.
 *
 * Return: 0 or -EPERM.
 */
int control_check(const struct strv *rows, const struct strv *may_lack, struct coffer_error *err);
