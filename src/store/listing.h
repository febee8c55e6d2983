/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base/str.h"
#include "store/home.h"
#include "store/identity.h"

/*
 * <home>/listing: what the files of boxes say that have been left alone for a while, so that a
 * list of a thousand costs one system call each.  A cache and nothing else: whoever finds it
 * missing, torn or behind reads the boxes' own files.
 *
 * Why it cannot be behind unseen: whatever an entry says comes from files that are replaced in
 * the box's directory, and the first thing a shim does under its lock is to write its identity
 * there.  So a directory that has not changed since the entry was made, inode and ctime, holds
 * what it held, and no shim has begun.  Clocks of file systems are coarse: a directory that
 * changed less than LISTING_CALM_NS ago makes no entry.
 *
 * A shim may die without changing anything.  So the entry of a box that runs says what its files
 * say and who its shim is, and the reader asks the lock, and the kernel whether that process
 * is there: by its number in pidfs, which no other process of this boot gets.
 *
 * In the file an entry is what it is in memory, but that a string is its place among the texts
 * that follow the entries: it is read into one piece of memory, and used there.
 */

#define LISTING_CALM_NS   2000000000ULL
#define LISTING_MAX       100000
#define LISTING_MAX_BYTES (64U << 20)

/**
 * struct listing_strv - strings, one behind the other, each with its NUL
 * @first: borrowed; "" when there are none
 * @count: how many
 */
struct listing_strv {
        const char *first;
        uint64_t count;
};

/**
 * struct listing_entry - one box; strings are borrowed and never NULL
 * @id:         of it
 * @shim_pid:   of a box that runs: its shim, in the PID namespace of the listing
 * @shim_inode: the same in pidfs; 0: the box does not run
 * @inode:      of its directory
 * @ctime_ns:   when that last changed
 * @index:      as struct claims
 * @pid:        of main, as struct box_record; also @health and what has the names of its members
 * @due:        not 0: as box_is_due()
 * @restart:    its policy, as restart_format()
 */
struct listing_entry {
        char id[BOX_ID_CHARS + 4];
        uint64_t shim_inode;
        uint64_t inode;
        uint64_t ctime_ns;
        uint64_t created_ns;
        uint64_t started_ns;
        uint64_t finished_ns;
        uint32_t shim_pid;
        uint32_t index;
        uint32_t pid;
        uint32_t exit_code;
        uint32_t tty;
        uint32_t due;
        const char *name;
        const char *image;
        const char *command;
        const char *state;
        const char *reason;
        const char *health;
        const char *restart;
        struct listing_strv labels;
        struct listing_strv volumes;
};

/**
 * struct listing - the file
 * @data:    owned; all of it
 * @entries: borrowed from @data; sorted by id
 * @count:   how many
 */
struct listing {
        char *data; /* owned */
        struct listing_entry *entries;
        size_t count;
};

void listing_release(struct listing *listing);

/**
 * listing_read() - read it; nothing at all when it is missing or damaged
 * @home:        the home
 * @here:        the entries of boxes that run are left out when they were made elsewhere
 * @ret_listing: release with listing_release()
 */
void listing_read(const struct home *home, const struct here *here, struct listing *ret_listing);

/**
 * listing_find() - the entry of a box, if it still holds
 * @listing: as read
 * @id:      of the box
 * @dir:     its directory as it is now
 *
 * Return: borrowed, or NULL.
 */
const struct listing_entry *listing_find(const struct listing *listing, const char *id,
                                         const struct stat *dir);

/**
 * listing_can_hold() - may an entry be made of a box that was read just now?
 * @before: its directory before it was read
 * @after:  afterwards
 * @now_ns: the time before it was read
 */
bool listing_can_hold(const struct stat *before, const struct stat *after, uint64_t now_ns);

/** listing_stamp() - note which directory @entry is of */
void listing_stamp(struct listing_entry *entry, const struct stat *dir);

/**
 * listing_write() - replace the file
 * @home:    the home
 * @here:    where shim_pid means something
 * @entries: in any order; they are sorted
 * @count:   how many
 *
 * Two at once may spoil each other's: then it is damaged, and nothing is lost.
 *
 * Return: 0 or a negative errno.
 */
int listing_write(const struct home *home, const struct here *here, struct listing_entry *entries,
                  size_t count);

/** listing_has() - is @wanted among them? */
bool listing_has(const struct listing_strv *list, const char *wanted);
