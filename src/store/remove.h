/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "store/claim.h"
#include "store/home.h"

struct coffer_error;

#define ANONYMOUS_VOLUMES "anonymous-" /* begins the names that are made up for a box */

/*
 * In a box's directory: the unnamed volumes that were made for it, a name a line.  Those of the
 * first list go with the directory; the second becomes the first when they are to.
 */
#define VOLUMES_LIST     "volumes"
#define VOLUMES_LIST_OWN "volumes.own"

/*
 * Removing trees whose names and depth a box chose, without following a symlink and without
 * recursion; and boxes, so that a death at any point leaves what the next caller sweeps up.
 */

/*
 * Runs a function as somebody who may remove the files of a box, in this process or in a child of
 * it; @as_data is the caller's, @data is for @fn.  Returns what @fn returned, or a negative errno.
 */
typedef int (*remove_as_fn)(void *as_data, int (*fn)(void *data), void *data);

/**
 * tree_remove() - remove a file or a directory with everything below it
 * @dir_fd: where it lies
 * @name:   one component
 *
 * Directories that their owner may not enter are made enterable.  Stays on one file system.
 *
 * Return: 0, also when it is gone already; -EXDEV when something is mounted below; or a negative
 * errno of unlinkat(2).
 */
int tree_remove(int dir_fd, const char *name);

/** tree_remove_as() - the same; @as is called when the caller may not; @as may be NULL */
int tree_remove_as(int dir_fd, const char *name, remove_as_fn as, void *as_data);

/**
 * box_bury() - move a box out of sight and release its claims: from then on it does not exist
 * @home: the home
 * @id:   of the box, whose lock the caller holds
 *
 * Return: 0, -ENOENT when it is gone already, or a negative errno.
 */
int box_bury(const struct home *home, const char *id);

/** box_sweep_one() - remove what box_bury() has left; arguments as of box_remove_files() */
int box_sweep_one(const struct home *home, const char *id, remove_as_fn as, void *as_data);

/**
 * box_remove_files() - remove the directory of a box and its claims
 * @home:    the home
 * @id:      of the box, whose lock the caller holds
 * @as:      called when the caller may not remove everything himself; NULL: then it is an error
 * @as_data: for @as
 *
 * box_bury() and box_sweep_one(); after a death between them box_sweep() finishes the work.  The
 * unnamed volumes that are listed in its file `volumes`, a name a line, go with it.
 *
 * Return: 0 or a negative errno.
 */
int box_remove_files(const struct home *home, const char *id, remove_as_fn as, void *as_data);

/** box_doom_volumes() - from now on its unnamed volumes go with the directory; never fails */
void box_doom_volumes(int box_dir_fd);

/**
 * box_sweep() - finish removals that were cut short
 * @home:    the home
 * @as:      as there
 * @as_data: as there
 *
 * Return: how many were finished, or a negative errno.
 */
int box_sweep(const struct home *home, remove_as_fn as, void *as_data);
