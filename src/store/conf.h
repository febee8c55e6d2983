/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct coffer_error;

/*
 * coffer.conf(5): lines of NAME = VALUE, some of them in sections.  The host's file comes first,
 * then the caller's own; who uses an option decides what a second line of it means.
 *
 * The host's file binds everybody, so it counts only when nobody but root can write it; else it is
 * refused, and with it whatever wanted to know what it says.
 */

#define CONF_SYSTEM_PATH "/etc/coffer/coffer.conf"

enum conf_place { CONF_SYSTEM, CONF_USER, CONF_PLACES };

/**
 * struct conf_entry - one line
 * @section: owned; "" before the first one
 * @name:    owned
 * @value:   owned; may be empty
 * @place:   in which file
 * @line:    from 1
 */
struct conf_entry {
        char *section;
        char *name;
        char *value;
        enum conf_place place;
        unsigned line;
};

/**
 * struct conf - both files
 * @paths: owned; NULL: there is no such place
 * @items: owned; in order
 * @count: of them
 */
struct conf {
        char *paths[CONF_PLACES];
        struct conf_entry *items;
        size_t count;
};

/**
 * struct conf_places - where to look
 * @system: the host's file; one that is not there is fine, here and below
 * @owner:  who alone may write it
 * @user:   the caller's own; NULL: none
 */
struct conf_places {
        const char *system;
        uid_t owner;
        const char *user;
};

/**
 * conf_read() - read the usual files
 * @ret: release with conf_release()
 * @err: names file and line
 *
 * The caller's own is COFFER_CONFIG, which then must exist, or coffer/coffer.conf in his
 * configuration directory.
 *
 * Return: 0 or a negative errno.
 */
int conf_read(struct conf *ret, struct coffer_error *err);
/** conf_read_places() - the same from elsewhere, for tests */
int conf_read_places(const struct conf_places *places, struct conf *ret, struct coffer_error *err);
void conf_release(struct conf *c);

struct conf_where {
        char text[128];
};

/** conf_where() - "line 3 of 'FILE'", of a long path with its end */
struct conf_where conf_where(const struct conf *c, const struct conf_entry *e);
/** conf_refuse() - "line 3 of 'FILE': " and what is wrong with an entry; a usage error */
int conf_refuse(const struct conf *c, const struct conf_entry *e, int code,
                struct coffer_error *err, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/** conf_own_path() - a path below the user's own configuration
 * @to:   "" when there is none: neither XDG_CONFIG_HOME nor HOME is set
 * @size: of @to
 * @path: "coffer/coffer.conf"
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int conf_own_path(char *to, size_t size, const char *path);
