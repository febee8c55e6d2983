/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base/str.h"
#include "proto/wire.h"
#include "store/home.h"

/*
 * <home>/listing: what a list shows of the boxes that do not run, so that a list of a thousand
 * costs one system call each.  A cache and nothing else: whoever finds it missing, torn or
 * behind reads the boxes' own files.
 *
 * Why it cannot be behind unseen: whatever an entry says comes from files that are replaced in
 * the box's directory, and the first thing a shim does under its lock is to write its identity
 * there.  So a directory that has not changed since the entry was made, inode and ctime, holds
 * what it held, and no shim has begun.  Its lock was free then.  Clocks of file systems are
 * coarse: a directory that changed less than LISTING_CALM_NS ago makes no entry.
 */

#define LISTING_CALM_NS   2000000000ULL
#define LISTING_MAX       100000
#define LISTING_MAX_BYTES (64U << 20)

/**
 * struct listing_entry - one box
 * @id:       of it, and all strings: owned
 * @inode:    of its directory
 * @ctime_ns: when that last changed
 */
struct listing_entry {
        char *id;
        uint64_t inode;
        uint64_t ctime_ns;
        char *name;
        uint32_t index; /* as struct claims */
        char *image;
        char *command;
        struct strv labels;
        struct strv volumes;
        char *state;
        char *reason;
        uint64_t created_ns;
        uint64_t started_ns;
        uint64_t finished_ns;
        uint32_t exit_code;
        uint32_t tty;
        uint32_t remove;
};

/**
 * struct listing - the file
 * @entries: struct listing_entry, sorted by id
 */
struct listing {
        struct wire_list entries;
};

void listing_release(struct listing *listing);

/** listing_read() - read it; nothing at all when it is missing or damaged */
void listing_read(const struct home *home, struct listing *ret_listing);

/**
 * listing_find() - the entry of a box, if it still holds
 * @listing: as read
 * @id:      of the box
 * @dir:     its directory as it is now
 *
 * Return: borrowed, or NULL.
 */
struct listing_entry *listing_find(const struct listing *listing, const char *id,
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
 * listing_write() - replace the file; in any order; 0 or a negative errno
 *
 * Two at once may spoil each other's: then it is damaged, and nothing is lost.
 */
int listing_write(const struct home *home, struct listing_entry *entries, size_t count);
