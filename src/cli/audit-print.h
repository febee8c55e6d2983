/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/coffer.h>

#include "cli/jv.h"

/* The records of an audit log on standard output, as they are or as a line for people. */

/** struct audit_range - which: those of @since_ns to @until_ns (0: no end), of these the last @tail
 */
struct audit_range {
        uint64_t since_ns;
        uint64_t until_ns;
        uint64_t tail;
};

/** typedef audit_put_fn - append what is shown of a record, with its newline */
typedef int (*audit_put_fn)(const char *line, struct jv record, struct buf *to);

/** audit_put_json() - the record as it is */
int audit_put_json(const char *line, struct jv record, struct buf *to);

/**
 * audit_put_short() - time, CLASS:ACTIVITY, [severity] and what is worth knowing
 *
 *      2026-01-31T12:00:00.000000000Z PROCESS:LAUNCH [INFO] main sleep (2 arguments) user=0:0
 */
int audit_put_short(const char *line, struct jv record, struct buf *to);

/**
 * audit_print() - show records of a box, oldest first
 * @runtime:   the home
 * @reference: of the box
 * @range:     which records
 * @put:       how
 * @err:       why not
 *
 * A line that is no record is shown as it is, with a warning: `audit verify` says more.
 *
 * Return: 0 or a negative errno.
 */
int audit_print(struct coffer_runtime *runtime, const char *reference,
                const struct audit_range *range, audit_put_fn put, struct coffer_error *err);
