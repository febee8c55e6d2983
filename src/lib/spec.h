/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"

/** spec_copy() - the settings of @from once more; release @ret_spec with spec_release() */
int spec_copy(const struct coffer_spec *from, struct spec *ret_spec, struct coffer_error *err);

/** spec_check_process() - -EINVAL when it cannot be one more process: a box's field, no command */
int spec_check_process(const struct coffer_spec *spec, struct coffer_error *err);
