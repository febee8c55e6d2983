/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <strings.h>

#include "base/str.h"

#define SIGNAL_MAX 64
#define WORD_BITS  (8 * sizeof(unsigned long))

#define NAMED(signal) [SIG##signal] = #signal

/* signal(7); sigabbrev_np(3) is glibc's alone. */
static const char *const names[] = {
        NAMED(HUP),
        NAMED(INT),
        NAMED(QUIT),
        NAMED(ILL),
        NAMED(TRAP),
        NAMED(ABRT),
        NAMED(BUS),
        NAMED(FPE),
        NAMED(KILL),
        NAMED(USR1),
        NAMED(SEGV),
        NAMED(USR2),
        NAMED(PIPE),
        NAMED(ALRM),
        NAMED(TERM),
        NAMED(CHLD),
        NAMED(CONT),
        NAMED(STOP),
        NAMED(TSTP),
        NAMED(TTIN),
        NAMED(TTOU),
        NAMED(URG),
        NAMED(XCPU),
        NAMED(XFSZ),
        NAMED(PROF),
        NAMED(WINCH),
        NAMED(SYS),
        NAMED(IO),
        NAMED(VTALRM),
        NAMED(PWR),
        [SIGSTKFLT] = "STKFLT",
};

static int parse_realtime(const char *s)
{
        uint64_t distance = 0;
        bool down = strncasecmp(s, "RTMAX", 5) == 0;

        if (!down && strncasecmp(s, "RTMIN", 5) != 0)
                return -EINVAL;
        if (s[5] == (down ? '-' : '+')) {
                if (str_to_u64(s + 6, SIGNALS_RTMAX - SIGNALS_RTMIN, &distance) < 0)
                        return -EINVAL;
        } else if (s[5] != '\0') {
                return -EINVAL;
        }
        return down ? SIGNALS_RTMAX - (int)distance : SIGNALS_RTMIN + (int)distance;
}

int signals_parse(const char *s)
{
        uint64_t number;

        if (str_to_u64(s, SIGNAL_MAX, &number) == 0)
                return number > 0 ? (int)number : -EINVAL;
        if (strncasecmp(s, "SIG", 3) == 0)
                s += 3;
        for (size_t i = 1; i < ELEMENTS(names); i++)
                if (names[i] && strcasecmp(s, names[i]) == 0)
                        return (int)i;
        return parse_realtime(s);
}

void signals_add(sigset_t *set, int signal)
{
        size_t bit = (size_t)signal - 1;

        ((unsigned long *)set)[bit / WORD_BITS] |= 1UL << bit % WORD_BITS;
}
