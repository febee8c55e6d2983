/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <strings.h>

#include "base/str.h"

#define SIGNAL_MAX 64

static int parse_realtime(const char *s)
{
        uint64_t distance = 0;
        bool down = strncasecmp(s, "RTMAX", 5) == 0;

        if (!down && strncasecmp(s, "RTMIN", 5) != 0)
                return -EINVAL;
        if (s[5] == (down ? '-' : '+')) {
                if (str_to_u64(s + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &distance) < 0)
                        return -EINVAL;
        } else if (s[5] != '\0') {
                return -EINVAL;
        }
        return down ? SIGRTMAX - (int)distance : SIGRTMIN + (int)distance;
}

int signals_parse(const char *s)
{
        uint64_t number;

        if (str_to_u64(s, SIGNAL_MAX, &number) == 0)
                return number > 0 ? (int)number : -EINVAL;
        if (strncasecmp(s, "SIG", 3) == 0)
                s += 3;
        for (int i = 1; i < SIGNAL_MAX; i++) {
                const char *name = sigabbrev_np(i);

                if (name && strcasecmp(s, name) == 0)
                        return i;
        }
        return parse_realtime(s);
}
