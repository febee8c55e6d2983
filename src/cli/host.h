/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Facts about this host, for info, version and doctor. */

#include <stdbool.h>
#include <stddef.h>

/** host_cgroup_mode() - "v2", "v1", "v1 and v2" or "none": which trees with controllers there are
 */
const char *host_cgroup_mode(void);

/** host_kernel() - its release; static */
const char *host_kernel(void);

/** host_machine() - the processor's architecture; static */
const char *host_machine(void);

/** host_user_name() - the caller's, by /etc/passwd; "" when it has none */
void host_user_name(char *to, size_t size);

/** host_is_root() - root here: not "rootless" */
bool host_is_root(void);
