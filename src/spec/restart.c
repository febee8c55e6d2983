/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/restart.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const names[] = {
        [RESTART_NO] = "no",
        [RESTART_ON_FAILURE] = "on-failure",
        [RESTART_ALWAYS] = "always",
        [RESTART_UNLESS_STOPPED] = "unless-stopped",
};

int restart_parse(const char *text, struct restart_policy *ret_policy)
{
        struct restart_policy policy = {.kind = RESTART_NO};
        uint64_t retries = 0;
        size_t length;
        unsigned kind = 0;
        int r = 0;

        if (!text || *text == '\0')
                text = names[RESTART_NO];
        length = strcspn(text, ":");
        while (kind < ELEMENTS(names) &&
               (strlen(names[kind]) != length || strncmp(names[kind], text, length) != 0))
                kind++;
        if (kind == ELEMENTS(names))
                return -EINVAL;
        if (text[length] == ':') {
                r = str_to_u64(text + length + 1, RESTART_RETRIES_MAX, &retries);
                if (r == 0 && kind != RESTART_ON_FAILURE)
                        r = -EDOM;
        }
        if (r < 0)
                return r;
        policy.kind = (enum restart_kind)kind;
        policy.max_retries = (uint32_t)retries;
        *ret_policy = policy;
        return 0;
}

const char *restart_name(enum restart_kind kind)
{
        assert((unsigned)kind < RESTART_KIND_COUNT);
        return names[kind];
}

void restart_format(const struct restart_policy *policy, char text[RESTART_TEXT_MAX])
{
        if (policy->max_retries > 0)
                (void)snprintf(text, RESTART_TEXT_MAX, "%s:%u", restart_name(policy->kind),
                               policy->max_retries);
        else
                (void)snprintf(text, RESTART_TEXT_MAX, "%s", restart_name(policy->kind));
}

static bool failed_with_retries_left(const struct restart_policy *p, const struct restart_end *end)
{
        bool failed = end->exit_code != 0 || end->timed_out;

        return failed && (p->max_retries == 0 || end->restarts < p->max_retries);
}

bool restart_at_boot(const struct restart_policy *policy, const struct restart_end *end)
{
        switch (policy->kind) {
        case RESTART_ALWAYS:
                return true;
        case RESTART_UNLESS_STOPPED:
                return !end->stop_asked;
        case RESTART_ON_FAILURE:
                return !end->stop_asked && failed_with_retries_left(policy, end);
        default:
                return false;
        }
}

bool restart_after_end(const struct restart_policy *policy, const struct restart_end *end)
{
        return !end->stop_asked && restart_at_boot(policy, end);
}

uint32_t restart_delay_ms(uint32_t last_ms, uint64_t ran_ms)
{
        if (last_ms == 0 || ran_ms >= RESTART_RAN_WELL_MS)
                return RESTART_DELAY_FIRST_MS;
        return last_ms < RESTART_DELAY_MAX_MS / 2 ? 2 * last_ms : RESTART_DELAY_MAX_MS;
}
