/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/faultpoint.h"

/*
 * Each frame that is sent or received is a fault point: shim.send.STARTED, init.recv.SETUP.  It
 * strikes before the frame is sent, or when it has come whole and nobody has seen it.
 */

#ifdef COFFER_FAULTS

#include <stdint.h>

/** fault_frame() - reach "send" or "recv" of a type of frame; as fault_here() */
int fault_frame(const char *way, uint16_t type);

#else

#define fault_frame(way, type) 0

#endif
