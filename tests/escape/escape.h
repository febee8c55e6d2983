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

/** rights_main() - prints ids, groups, capabilities, securebits and modes, "uid=0,0,0,0 …" */
int rights_main(void);

/**
 * without_main() - run a program for which a call fails, or seems to be done
 * @name:    a row of the table in rights.c
 * @answer:  errno that the call gets; 0: "done", and it was not
 * @command: what to run
 *
 * Return: exit status, if it cannot be run.
 */
int without_main(const char *name, unsigned answer, char **command);
