/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "audit/log.h"
#include "lib/handle.h"

/**
 * audit_tell() - a record of the library's, in the place of a shim that does not run
 * @box:    under whose lock the caller is
 * @image:  of it; NULL: as its meta.json says
 * @record: what
 *
 * Only where there is a log: a box that was never started has none.  What cannot be written is
 * counted in the log's head.
 */
void audit_tell(const struct coffer_box *box, const char *image, const struct audit_record *record);

/** audit_summary() - what the head says of a box; false: there is no log, or none can be read */
bool audit_summary(const struct coffer_box *box, struct audit_head *ret);
