/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proto/messages.h"

struct coffer_error;

/*
 * User namespaces and their id maps (user_namespaces(7)).  struct msg_idmap says which ids of the
 * host a box has; it is made once by the client and travels to the shim.
 */

enum idmap_kind {
        IDMAP_ROOT,   /* we are root: host id = base + box id */
        IDMAP_USER,   /* box 0 is the caller, 1 … his subordinate range, by newuidmap(1) */
        IDMAP_SINGLE, /* box 0 is the caller, nothing else exists */
};

#define IDMAP_IDS 65536 /* ids of a box */

/**
 * idmap_for_range() - the map of a box of root
 * @base:       first host id of the box's own range of IDMAP_IDS ids
 * @supervisor: host id of the supervisor, outside every range
 */
struct msg_idmap idmap_for_range(uint32_t base, uint32_t supervisor);

/**
 * idmap_is_mapped() - do these ids exist where we are?
 * @base:  first user and group id
 * @count: how many
 *
 * Root of a user namespace (a container, unshare -r) has only what that maps.
 */
bool idmap_is_mapped(uint32_t base, uint32_t count);

/**
 * idmap_for_caller() - the map of all boxes of an ordinary user
 * @ret_map: IDMAP_USER when /etc/subuid and /etc/subgid give him a range and newuidmap and
 *           newgidmap exist, else IDMAP_SINGLE
 *
 * Return: 0 or a negative errno.
 */
int idmap_for_caller(struct msg_idmap *ret_map, struct coffer_error *err);

/**
 * userns_write_maps() - give a process in a new user namespace its ids
 * @pid: our child in that namespace, which waits; its own maps are still empty
 *
 * As root by writing the files, as a user by newuidmap(1) and newgidmap(1), or, for a single id,
 * by writing one line each after denying setgroups(2).
 */
int userns_write_maps(pid_t pid, const struct msg_idmap *map, struct coffer_error *err);

/**
 * userns_open() - a user namespace with this map and nobody in it
 * @ret_fd: keeps it; close-on-exec
 *
 * Context: makes and ends a child that the calling program's waits do not see.
 */
int userns_open(const struct msg_idmap *map, int *ret_fd, struct coffer_error *err);

/**
 * userns_open_shifted() - a namespace that shifts files from one range to another (root only)
 * @from:  first id on disk
 * @to:    first host id as which the mount shows it
 * @count: how many
 */
int userns_open_shifted(uint32_t from, uint32_t to, uint32_t count, int *ret_fd,
                        struct coffer_error *err);

/**
 * userns_run() - call a function as root of a user namespace
 * @userns_fd: from userns_open(); -1: stay where we are (root, who needs no namespace)
 * @fn:        runs in a child; what it returns (0 … 127, or a negative errno) is the result
 *
 * Context: forks; the calling program's own waits do not see the child.
 *
 * Return: what @fn returned, or a negative errno when the child could not be made or died.
 */
int userns_run(int userns_fd, int (*fn)(void *data), void *data);
