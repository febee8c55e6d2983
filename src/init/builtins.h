/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of coffer's own that run as a process of the box.
 *
 * They have the box's namespaces, ids, capabilities and system-call filter, so what they are given
 * to read or to write can do no more harm than a program of the box could.  Names begin at the
 * box's root; complaints are lines on stderr.
 */
#pragma once

/* Exit statuses; what one program says with them, the client tells its user in words. */
enum builtin_exit {
        BUILTIN_DONE = 0,
        BUILTIN_FAILED = 1,    /* something was left out, or all of it from one point on */
        BUILTIN_NO_PLACE = 2,  /* PATH does not exist, DIR is no directory: nothing was done */
        BUILTIN_MISUSED = 125, /* the arguments make no sense */
};

/**
 * builtin_tar_out() - write an archive of one path of the box to stdout
 * @argv: "tar-out" [--follow] PATH [NAME], ended by NULL
 *
 * NAME stands for PATH in the archive; without it that is PATH's last component, or "." for the
 * root and for a path that ends in "/.".  With an empty NAME the archive has what is in the
 * directory, without itself.  A PATH that is a symlink is archived as one, unless it ends in "/" or
 * --follow is given.  Of the root, other mounts are left out: an empty directory or file stands for
 * each.
 *
 * Return: an enum builtin_exit.
 */
int builtin_tar_out(char *const *argv);

/**
 * builtin_tar_in() - extract an archive from stdin beneath one directory
 * @argv: "tar-in" DIR [--own UID:GID], ended by NULL
 *
 * Everything belongs to whom the archive says, as far as this process may give it away, or to
 * UID:GID.  It ends at the first entry that cannot be extracted; device nodes that may not be made
 * are left out and told.
 *
 * Return: an enum builtin_exit.
 */
int builtin_tar_in(char *const *argv);
