/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** bait_main() - on the host: things that a box must not see, until stdin ends; exit status */
int bait_main(const char *dir, const char *word);

/** swap_main() - exchange @a and @b, two names, for ever; exit status when that fails */
int swap_main(const char *a, const char *b);

/** who_main() - prints effective uid and capabilities, "65534 0000000000000000"; exit status */
int who_main(void);

/** watch_exe_main() - in a box: try to write to what others run until @stop exists; exit status */
int watch_exe_main(const char *stop);
