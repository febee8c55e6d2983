/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Restart policies, by Docker's rules: what they are called, and what follows from one when main
 * has ended, and when everything has (a boot, a shim that died).  Pure functions over facts.
 */

#define RESTART_RETRIES_MAX    INT32_MAX
#define RESTART_DELAY_FIRST_MS 100
#define RESTART_DELAY_MAX_MS   60000
#define RESTART_RAN_WELL_MS    10000 /* a run of this length begins the back-off anew */
#define RESTART_TEXT_MAX       32

enum restart_kind {
        RESTART_NO,
        RESTART_ON_FAILURE,
        RESTART_ALWAYS,
        RESTART_UNLESS_STOPPED,
        RESTART_KIND_COUNT,
};

/**
 * struct restart_policy - what --restart says
 * @kind:        which
 * @max_retries: of on-failure; 0: without end
 */
struct restart_policy {
        enum restart_kind kind;
        uint32_t max_retries;
};

/**
 * struct restart_end - how the last run ended
 * @exit_code:  0 to 255
 * @timed_out:  --timeout ended it, which is a failure whatever main said
 * @stop_asked: a client asked for the end since the box was started: stop, kill, or the death of a
 *              foreground client
 * @restarts:   by the policy, since a client started the box
 */
struct restart_end {
        uint32_t exit_code;
        bool timed_out;
        bool stop_asked;
        uint32_t restarts;
};

/**
 * restart_parse() - "no", "on-failure", "on-failure:3", "always", "unless-stopped"
 * @text:       NULL and "" mean no
 * @ret_policy: what it says
 *
 * Return: 0; -EINVAL for what is no policy; -EDOM for a number behind another one than
 * on-failure; -ERANGE for a number over RESTART_RETRIES_MAX.
 */
int restart_parse(const char *text, struct restart_policy *ret_policy);

/** restart_name() - "on-failure", without its number */
const char *restart_name(enum restart_kind kind);

/** restart_format() - the policy as restart_parse() reads it, one text for each policy */
void restart_format(const struct restart_policy *policy, char text[RESTART_TEXT_MAX]);

/** restart_after_end() - main has ended: is it to be started again? */
bool restart_after_end(const struct restart_policy *policy, const struct restart_end *end);

/**
 * restart_at_boot() - is a box that has run before, and does not run, to be started?
 *
 * As restart_after_end(), but that with "always" a box comes back that was stopped by a client.
 */
bool restart_at_boot(const struct restart_policy *policy, const struct restart_end *end);

/**
 * restart_delay_ms() - how long to wait before the next start
 * @last_ms: what this answered after the run before; 0: there was none
 * @ran_ms:  how long main has run
 */
uint32_t restart_delay_ms(uint32_t last_ms, uint64_t ran_ms);
