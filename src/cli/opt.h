/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Options as rows.  One row is the parser, the line of --help, the completion and the entry of the
 * man page.  What the command line may look like is Docker's (Go's pflag):
 *
 *     -it          letters of flags in one word, the last of which may take a value: -itu me
 *     -e A=1       -eA=1  -e=A=1  --env A=1  --env=A=1
 *     --rm=false   flags take true and false behind '='
 *     --           ends the options
 */

#include <coffer/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct opt;

/**
 * typedef opt_fn - put one value where it belongs
 * @where: the field of the command's arguments that the row names
 * @o:     the row
 * @value: what was given; "true" for a flag without '='
 * @err:   set on failure; the caller puts 'invalid argument … for "--x" flag' before it
 *
 * Return: 0 or a negative errno.
 */
typedef int (*opt_fn)(void *where, const struct opt *o, const char *value,
                      struct coffer_error *err);

/**
 * struct opt - one option of a command; a table ends with a row without a name
 * @name:     long name, without the dashes
 * @letter:   short name, or 0
 * @arg:      what help calls the value; NULL for a flag
 * @set:      reads the value
 * @where:    offset of the field in the command's arguments
 * @help:     one line
 * @optional: the value may be left out and is then empty; it is given with '=' only
 */
struct opt {
        const char *name;
        char letter;
        const char *arg;
        opt_fn set;
        size_t where;
        const char *help;
        bool optional;
};

/** opt_flag() - a bool */
int opt_flag(void *where, const struct opt *o, const char *value, struct coffer_error *err);
/** opt_string() - a const char *, borrowed from argv */
int opt_string(void *where, const struct opt *o, const char *value, struct coffer_error *err);
/** opt_list() - a struct strv that grows with each use */
int opt_list(void *where, const struct opt *o, const char *value, struct coffer_error *err);
/** opt_count() - an int64_t; whole numbers from -1 on, for Docker's "-1 means all" */
int opt_count(void *where, const struct opt *o, const char *value, struct coffer_error *err);

/**
 * struct opt_pairs - options that are for somebody else, in the order given
 * @names:  of the rows
 * @values: as given
 */
struct opt_pairs {
        struct strv names;
        struct strv values;
};

/** opt_pair() - a struct opt_pairs that grows with each use; flags add "true" or "false" */
int opt_pair(void *where, const struct opt *o, const char *value, struct coffer_error *err);
void opt_pairs_release(struct opt_pairs *p);

/** opt_takes_value() - the next word is the value when it was not given with '=' */
static inline bool opt_takes_value(const struct opt *o)
{
        return o->arg && !o->optional;
}

/** opt_bool() - Go's words for true and false; 0 or -EINVAL */
int opt_bool(const char *value, bool *ret_value);

/**
 * struct opt_parse - one command line
 * @opts:          the table
 * @args:          the struct that the rows' offsets count from
 * @options_first: options end at the first word that is none, as for run and exec
 * @argv:          words behind the command's name, NULL-terminated; afterwards those of them that
 *                 are no options
 * @argc:          how many; afterwards how many are left
 * @help:          set when help was asked for; nothing behind that word was read
 */
struct opt_parse {
        const struct opt *opts;
        void *args;
        bool options_first;
        char **argv;
        int argc;
        bool help;
};

/** opt_parse() - read the options; 0, or a negative errno with kind COFFER_ERROR_USAGE */
int opt_parse(struct opt_parse *p, struct coffer_error *err);

/** opt_by_name() - the row with this long name of @size bytes, or NULL */
const struct opt *opt_by_name(const struct opt *opts, const char *name, size_t size);

/** opt_nearest() - of @count words the one that @word probably meant, or NULL */
const char *opt_nearest(const char *word, const char *const *words, size_t count);
