/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Why a probe did not work, and what to do about it: a table over facts that were gathered. */

#include <stdbool.h>
#include <stdint.h>

/**
 * struct cause_facts - this host and this process
 * @root:             we are root here
 * @has_setpcap:      CAP_SETPCAP is in the bounding set
 * @filtered:         a seccomp filter lies around us
 * @userns_clone:     kernel.unprivileged_userns_clone; -1: there is no such setting, as below
 * @userns_max:       user.max_user_namespaces
 * @apparmor_userns:  kernel.apparmor_restrict_unprivileged_userns
 */
struct cause_facts {
        bool root;
        bool has_setpcap;
        bool filtered;
        int64_t userns_clone;
        int64_t userns_max;
        int64_t apparmor_userns;
};

/** cause_gather() - look */
void cause_gather(struct cause_facts *ret);

/**
 * struct cause - what explains a failure
 * @why: put behind what did not work; "" when it speaks for itself
 * @fix: what to do
 */
struct cause {
        const char *why;
        const char *fix;
};

/**
 * cause_find() - the first that applies
 * @control: that was probed
 * @code:    negative errno of the probe
 * @facts:   gathered
 *
 * Return: never NULL; both are static.
 */
const struct cause *cause_find(const char *control, int code, const struct cause_facts *facts);
