/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Facts about this host, for info, version and doctor. */

#include <stdbool.h>

/** host_cgroup_mode() - "v2", "v1", "v1 and v2" or "none": which trees with controllers there are
 */
const char *host_cgroup_mode(void);

/** host_kernel() - its release; static */
const char *host_kernel(void);

/** host_machine() - the processor's architecture; static */
const char *host_machine(void);

/** host_is_root() - root here: not "rootless" */
bool host_is_root(void);
