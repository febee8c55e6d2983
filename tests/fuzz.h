/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A fuzz target: one parser, memory in, nothing left behind, a property to break.
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *             …
 *             fuzz_assert(a property that holds for whatever parsed);
 *             return 0;
 *     }
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_assert(property)                                                                   \
        do {                                                                                    \
                if (!(property)) {                                                              \
                        (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                                      #property);                                               \
                        abort();                                                                \
                }                                                                               \
        } while (0)
