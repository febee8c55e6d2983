/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "store/home.h"

struct coffer_error;

/*
 * Who has which name and which range of host ids.  A claim is a symlink that holds the id of the
 * box; symlink(2) is the test and the set in one.  The directory of the box is made before it
 * claims anything and is moved away before its claims are released, so a claim without a
 * directory is stale, and may be replaced by whoever holds the lock of names/.
 *
 * boxes/<id>/claims is a symlink too, "INDEX:NAME", INDEX empty when there is no range: what to
 * release in the end, readable in one call by programs that know no JSON.
 */

/**
 * struct claims - what a box has claimed
 * @index: of its range of ids; CLAIM_NO_INDEX for none
 * @name:  its name
 */
struct claims {
        uint32_t index;
        char name[BOX_NAME_MAX + 1];
};

#define CLAIM_NO_INDEX UINT32_MAX

/**
 * claim_name() - take a name
 * @home: the home
 * @name: has the form of a name
 * @id:   of the box; its directory exists
 * @err:  why not
 *
 * Return: 0, -EEXIST when another box has it, or a negative errno.
 */
int claim_name(const struct home *home, const char *name, const char *id, struct coffer_error *err);

/**
 * claim_index() - take a free range of ids
 * @home:      the home
 * @count:     how many ranges there are
 * @id:        of the box; its directory exists
 * @ret_index: below @count
 * @err:       why not
 *
 * Return: 0, -ENOSPC when all are taken, or a negative errno.
 */
int claim_index(const struct home *home, uint32_t count, const char *id, uint32_t *ret_index,
                struct coffer_error *err);

/** claim_lookup() - the id of the box that has @name; -ENOENT when none has */
int claim_lookup(const struct home *home, const char *name, char ret_id[BOX_ID_CHARS + 1]);

/** claims_write() - note in the directory of a box what it has claimed; replaces what was there */
int claims_write(int box_dir_fd, const struct claims *claims);
/** claims_read() - the same back; -ENOENT when there is none, -EBADMSG when it is not one */
int claims_read(int box_dir_fd, struct claims *ret_claims);

/**
 * claims_restore() - put back what is missing in names/ and ids/ of what a box has
 * @home:   the home
 * @claims: as the box's own directory says
 * @id:     of the box
 *
 * Whoever deletes these directories, or a link in them, deletes no claim: the boxes have theirs.
 *
 * Return: 0; -EEXIST when another box has the name or the range by now; or a negative errno.
 */
int claims_restore(const struct home *home, const struct claims *claims, const char *id);

/** claims_restore_all() - the same for every box; 0 or the last negative errno but -EEXIST */
int claims_restore_all(const struct home *home);

/** claims_read_at() - claims_read() of a box in boxes/, which need not be opened */
int claims_read_at(int boxes_fd, const char *id, struct claims *ret_claims);

/** claim_release_name() - give up a name when @id still has it; never fails */
void claim_release_name(const struct home *home, const char *name, const char *id);
/** claims_release() - give up name and range, those that @id still has; never fails */
void claims_release(const struct home *home, const struct claims *claims, const char *id);
/** claims_release_all() - whatever @id has, where it is not noted: reads all claims; never fails */
void claims_release_all(const struct home *home, const char *id);
