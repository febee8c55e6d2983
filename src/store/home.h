/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct coffer_error;

/*
 * The directory that boxes, names, id ranges, volumes and images live in:
 *
 *     boxes/<id>/     one box; boxes/.trash-<id> one that is being removed
 *     names/<name>    symlink to the id of the box that has the name
 *     ids/<index>     symlink to the id of the box that has this range of host ids
 *     volumes/<name>/ _data and volume.json
 *     events          what happened, JSON lines; events.1 and so on are older
 *     images/         the image store's own
 *
 * There is no other index: whoever loses a race finds the directory entry taken.
 */

#define BOX_ID_CHARS 12
#define BOX_NAME_MAX 128
#define ID_ALPHABET  "abcdefghijklmnopqrstuvwxyz234567"

/**
 * struct home - an open home
 * @path:      owned; absolute
 * @fd:        owned; the directory
 * @boxes_fd:  owned; boxes/
 * @names_fd:  owned; names/
 * @ids_fd:    owned; ids/
 * @unclaimed: names/ or ids/ were missing beside a boxes/ that was not
 */
struct home {
        char *path;
        int fd;
        int boxes_fd;
        int names_fd;
        int ids_fd;
        bool unclaimed;
};

/**
 * home_open() - open a home, making what is missing
 * @path:     absolute
 * @ret_home: free with home_free()
 * @err:      why not
 *
 * Return: 0, -EOPNOTSUPP for a file system that cannot keep boxes, -EPERM when the directory
 * belongs to somebody else or others may write to it, or what mkdir(2) and open(2) answer.
 */
int home_open(const char *path, struct home **ret_home, struct coffer_error *err);
struct home *home_free(struct home *home);
DEFINE_FREEP(struct home, home_free)

/** home_subdir() - open a directory of the home, made with mode 0700 when it is missing */
int home_subdir(const struct home *home, const char *name, int *ret_fd, struct coffer_error *err);

/**
 * home_check_fs() - whether boxes can be kept on a file system
 * @magic: statfs(2)'s f_type
 * @path:  for the message
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int home_check_fs(uint64_t magic, const char *path, struct coffer_error *err);
