/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What will end a detached box besides `stop` and `rm`.  systemd kills by control group, and a
 * box's monitor stays in the one that its starter was in.  Asking systemd for another needs its
 * bus; here it is only seen and said.
 */

enum scope_end {
        SCOPE_FREE,    /* nothing: no unit of systemd that ends with somebody */
        SCOPE_SESSION, /* a login session whose processes logind kills */
        SCOPE_USER,    /* the user's manager, which ends with his last session */
        SCOPE_SERVICE, /* a service: stopping or restarting it ends the box */
};

/**
 * struct scope_facts - what it is judged by
 * @cgroups:       text of /proc/self/cgroup
 * @uid:           who starts the box
 * @kills_at_exit: logind's KillUserProcesses
 * @lingers:       the user's manager stays when he has no session
 */
struct scope_facts {
        const char *cgroups;
        uid_t uid;
        bool kills_at_exit;
        bool lingers;
};

/**
 * scope_judge() - what ends whatever is started here
 * @facts:    what is known
 * @ret_unit: gets the name of the unit
 * @size:     of @ret_unit
 */
enum scope_end scope_judge(const struct scope_facts *facts, char *ret_unit, size_t size);

/**
 * scope_kills() - what a configuration of logind says of KillUserProcesses
 * @text:   of a file
 * @before: what the files before it said
 *
 * A line that is commented out is what this build of systemd does by default.
 */
bool scope_kills(const char *text, bool before);

/** scope_warn() - one line on stderr, and a hint, when a detached box ends with its starter */
void scope_warn(void);
