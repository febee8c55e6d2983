/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proto/messages.h"

struct coffer_error;

/**
 * self_become_supervisor() - give up what building the root needed and serving does not
 *
 * Takes the supervisor's own id, where the box has one, and keeps CAP_SYS_ADMIN, SETPCAP, SETUID,
 * SETGID and KILL over the box's outer user namespace: setns(2) and every exec need them
 * (KERNEL 16 in ARCHITECTURE.md).  Not dumpable; dies with its parent.
 */
int self_become_supervisor(const struct msg_setup *setup, struct coffer_error *err);
