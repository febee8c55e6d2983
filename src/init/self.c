/* SPDX-License-Identifier: Apache-2.0 */
#include "init/self.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "sandbox/caps.h"
#include "sandbox/ids.h"

#define SUPERVISOR_CAPS                                                           \
        (CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_SETUID) | \
         CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_KILL))

int self_become_supervisor(const struct msg_setup *setup, struct coffer_error *err)
{
        int r;

        if (setup->supervisor_outside) {
                enum ids_groups groups;

                r = ids_set_groups(NULL, 0, &groups, err);
                if (r < 0)
                        return r;
                if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                        return error_set(err, -errno, "keep capabilities over the change of ids");
                r = ids_become(setup->id_count, setup->id_count, err);
                if (r < 0)
                        return r;
                (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
        }
        r = caps_set(SUPERVISOR_CAPS, err);
        if (r < 0)
                return r;
        /* Cleared by the changes above, so it comes after them (prctl(2)). */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_set(err, -errno, "make the supervisor unreachable");
        return 0;
}
