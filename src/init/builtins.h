/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of coffer's own that run as a process of the box.
 *
 * They have the box's namespaces, ids, capabilities and system-call filter, so
 * what they are given to read or to write can harm no more than a program of
 * the box could. They use the C library and base/ alone.
 */
#pragma once

/**
 * builtin_tar_out() - write an archive of one path of the box to stdout
 * @argv: "tar-out" PATH [NAME], ended by NULL
 *
 * Return: the exit status: 0, 1 when something could not be read or written,
 * 2 when PATH does not exist, 125 for wrong arguments.
 */
int builtin_tar_out(char *const *argv);

/**
 * builtin_tar_in() - extract an archive from stdin beneath one directory
 * @argv: "tar-in" DIR [--own UID:GID], ended by NULL
 *
 * Return: the exit status: 0, 1 when an entry could not be extracted or the
 * archive is damaged, 2 when DIR is no directory, 125 for wrong arguments.
 */
int builtin_tar_in(char *const *argv);
