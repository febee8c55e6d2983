/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "row.h"

/**
 * struct plan - the options of one measurement; timer.c says what each is
 * @number:  rounds, or the largest number of idle boxes
 * @warmup:  rounds that are run and not counted
 * @rest_ms: between two runs
 * @count:   starts per round of a rate
 * @jobs:    starts under way at a time
 * @mib:     how much goes through a command in one round
 * @payload: the command name of what runs in an idle box
 */
struct plan {
        unsigned number;
        unsigned warmup;
        unsigned rest_ms;
        unsigned count;
        unsigned jobs;
        unsigned mib;
        const char *payload;
};

/** rest() - sleep; what is measured must not begin in the wake of what came before */
void rest(unsigned ms);

/** measure_idle() - see idle.c; 0 or a negative errno */
int measure_idle(const struct plan *plan, struct rows *rows);

/** measure_bytes() - see pump.c; 0 or a negative errno */
int measure_bytes(const struct plan *plan, struct rows *rows);
