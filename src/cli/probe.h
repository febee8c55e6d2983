/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What this host can do, found out by doing it in a throw-away child.  Nothing is inferred from
 * versions or settings; those are looked at only to say why something did not work.
 */

#include <stdbool.h>

/* As the posture of a box says it. */
enum probe_state { PROBE_ENFORCED, PROBE_DEGRADED, PROBE_OFF };

#define PROBE_TEXT_MAX 200

/**
 * struct probe_result - what one probe has found
 * @state:  enforced, something less, or nothing
 * @detail: what was found, or why not
 * @fix:    what to do about it; "" when there is nothing to do
 */
struct probe_result {
        enum probe_state state;
        char detail[PROBE_TEXT_MAX];
        char fix[PROBE_TEXT_MAX];
};

/**
 * struct probe - one control or facility
 * @name:     as in the posture of a box
 * @required: a default box cannot start without it
 * @run:      fills the result, which is zero
 */
struct probe {
        const char *name;
        bool required;
        void (*run)(struct probe_result *result);
};

/* Ended by a row without a name. */
extern const struct probe probes[];

struct coffer_runtime;

/**
 * probe_boot() - would the boxes of this home that have a restart policy come back after a boot?
 * @runtime: the home
 * @result:  zero; filled
 *
 * In probe-boot.c.  Looks for a unit that is enabled; it is not among the probes, since nothing
 * but the next boot would try it.
 */
void probe_boot(struct coffer_runtime *runtime, struct probe_result *result);

/** probe_state_name() - "enforced", "degraded" or "off" */
const char *probe_state_name(enum probe_state state);
