/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <signal.h>

/** signals_parse() - "9", "KILL", "sigkill", "RTMIN+3", "RTMAX-1"; 1 to 64, or -EINVAL */
int signals_parse(const char *s);

/* The realtime signals of programs in boxes, which are glibc's: musl keeps 34 for itself. */
#define SIGNALS_RTMIN 34
#define SIGNALS_RTMAX 64

/** signals_add() - as sigaddset(3), which leaves out what the C library keeps for itself */
void signals_add(sigset_t *set, int signal);
