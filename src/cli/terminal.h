/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The caller's terminal in raw mode, and its way back.  There is one terminal per process.  It is
 * restored by terminal_restore(), at exit() and by the signals that a bug of ours would raise;
 * after kill -9 nothing can restore it, then `reset` does.
 */

/** terminal_raw() - switch to raw mode, remembering the mode before; 0 or a negative errno */
int terminal_raw(int fd);

/** terminal_again() - raw mode once more, after a stop has let somebody else change it */
void terminal_again(void);

/** terminal_restore() - back to the mode before; nothing when it is not raw; errno is unchanged */
void terminal_restore(void);

/** terminal_size() - of the first of descriptors 0 to 2 that is a terminal; false: none is */
bool terminal_size(uint32_t *ret_rows, uint32_t *ret_columns);
