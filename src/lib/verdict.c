/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/verdict.h"

enum verdict verdict(const struct box_facts *f)
{
        if (!f->lock_held)
                return VERDICT_DEAD;

        /*
         * Somebody holds the lock.  A record that is absent, torn, of another box or of another
         * boot is one that he has not replaced yet, or never will.
         */
        if (f->identity != IDENTITY_READ || !f->boot_same)
                return f->waited ? VERDICT_FOREIGN : VERDICT_WAIT;

        if (f->socket == SOCKET_RIGHT || f->socket == SOCKET_OTHER_MAJOR) {
                /* In another PID namespace the number means nothing, the answer everything. */
                if (f->pid_ns_mine &&
                    (f->process == PROCESS_GONE || f->process == PROCESS_STRANGER))
                        return VERDICT_FOREIGN;
                return f->socket == SOCKET_RIGHT ? VERDICT_LIVE : VERDICT_LIVE_OTHER;
        }

        if (!f->waited)
                return VERDICT_WAIT;
        if (!f->pid_ns_mine)
                return VERDICT_ELSEWHERE;
        if (f->process != PROCESS_MATCHES || f->socket == SOCKET_WRONG_NONCE)
                return VERDICT_FOREIGN;
        return VERDICT_HUNG;
}
