/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct spec;

#define CAPS_COUNT 41 /* Linux 6.18 knows 0 … 40 */
#define CAPS_ALL   ((UINT64_C(1) << CAPS_COUNT) - 1)

/** caps_name() - "CAP_CHOWN"; NULL for a number without a name */
const char *caps_name(unsigned cap);
/** caps_number() - of "CAP_CHOWN", "chown", …; -EINVAL when unknown */
int caps_number(const char *name);

/** spec_caps_root() - bits of what a process with uid 0 of the box has; also the bounding set */
uint64_t spec_caps_root(const struct spec *s);
/** spec_caps_user() - likewise for any other uid: only what was added by name */
uint64_t spec_caps_user(const struct spec *s);
