/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * Whether a box lives, from what was found out about it.  One function without side effects, so
 * that each row of the table in ARCHITECTURE.md is a test.
 */

enum fact_identity {
        IDENTITY_ABSENT,
        IDENTITY_TORN,      /* malformed, or of a format that we do not know */
        IDENTITY_OTHER_BOX, /* names another id */
        IDENTITY_READ,
};

enum fact_process {
        PROCESS_NOT_LOOKED_AT,
        PROCESS_GONE,     /* no such pid, or with another start time */
        PROCESS_STRANGER, /* its argv is not exactly {"coffer-shim", id} */
        PROCESS_MATCHES,
};

enum fact_socket {
        SOCKET_NOT_TRIED,
        SOCKET_ABSENT, /* nobody listens (yet, or any more) */
        SOCKET_SILENT, /* for the time limit */
        SOCKET_WRONG_NONCE,
        SOCKET_OTHER_MAJOR, /* the right nonce, and a protocol that we do not speak */
        SOCKET_RIGHT,
};

/**
 * struct box_facts - what was found out
 * @lock_held:   somebody holds the lock of the box
 * @identity:    what the record says
 * @pid_ns_mine: its PID namespace is the caller's
 * @boot_same:   its boot is this one
 * @process:     what its pid is
 * @socket:      who answers on control.sock
 * @waited:      the time that a start or an end may take is over
 */
struct box_facts {
        bool lock_held;
        enum fact_identity identity;
        bool pid_ns_mine;
        bool boot_same;
        enum fact_process process;
        enum fact_socket socket;
        bool waited;
};

enum verdict {
        VERDICT_DEAD,       /* take the lock, clean up */
        VERDICT_WAIT,       /* starting or ending: look again when something changes */
        VERDICT_ELSEWHERE,  /* in another PID namespace, and it does not answer: touch nothing */
        VERDICT_FOREIGN,    /* the lock says that somebody lives, who is not the shim */
        VERDICT_LIVE,       /* talk */
        VERDICT_LIVE_OTHER, /* talk in the frozen subset of the protocol */
        VERDICT_HUNG,       /* only kill and rm -f act, through the pidfd */
};

/** verdict() - what to do about a box of which this is known */
enum verdict verdict(const struct box_facts *facts);
