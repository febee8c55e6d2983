/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * bait_main() - on the host: things that a box must not see, until stdin ends
 * @dir:         where to put the files
 * @word:        what all of it is called
 * @socket_path: a socket to make; who connects is handed @dir as a descriptor
 *
 * Return: exit status.
 */
int bait_main(const char *dir, const char *word, const char *socket_path);

/** swap_main() - exchange @a and @b, two names, for ever; exit status when that fails */
int swap_main(const char *a, const char *b);

/** who_main() - prints effective uid and capabilities, "65534 0000000000000000"; exit status */
int who_main(void);

/** watch_exe_main() - in a box: try to write to what others run until @stop exists; exit status */
int watch_exe_main(const char *stop);
