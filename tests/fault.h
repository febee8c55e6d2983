/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Break the n-th thing on purpose.  The test program is linked with --wrap (see meson.build), so
 * each allocation and each sys_*() call of the code under test passes through fault.c.
 *
 *     for (unsigned n = 1;; n++) {
 *             fault_arm(n);
 *             r = thing_new(&thing);
 *             if (!fault_disarm())
 *                     break;                  nothing was left to break: r is the good answer
 *             t_errno(ENOMEM, r);
 *     }
 */

#include <stdbool.h>

/** fault_arm() - let the @n-th allocation from now on fail, once; counted from 1 */
void fault_arm(unsigned n);

/** fault_arm_sys() - let the @n-th sys_*() call from now on fail, once, with -@code */
void fault_arm_sys(unsigned n, int code);

/** fault_disarm() - stop failing; true when the armed fault has struck */
bool fault_disarm(void);
