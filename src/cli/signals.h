/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** signals_parse() - "9", "KILL", "sigkill", "RTMIN+3", "RTMAX-1"; 1 to 64, or -EINVAL */
int signals_parse(const char *s);
