/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/** measure_below() - bytes on disk below a directory, as du(1); what cannot be read counts nothing
 */
uint64_t measure_below(int dir_fd, const char *name);
