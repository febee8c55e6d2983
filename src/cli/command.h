/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A command is a row: what it is called, what it takes, what runs it.  cmd-*.c bring the rows,
 * commands.c lists them; help.c, complete.c and gen-man.c only read them.
 */

#include <stdbool.h>
#include <stdint.h>

#include <coffer/coffer.h>

#include "base/cleanup.h"
#include "cli/opt.h"

/* Exit statuses of coffer's own, as Docker's and timeout(1)'s. */
enum {
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_TIMED_OUT = 124,
        EXIT_COFFER = 125, /* of run, exec, start -a and attach, whose other statuses are main's */
        EXIT_NOT_EXECUTABLE = 126,
        EXIT_NOT_FOUND = 127,
        EXIT_SIGNAL = 128, /* and the signal */
};

/* What completion offers for a command's words. */
enum words {
        WORDS_NONE,
        WORDS_BOX,     /* any box */
        WORDS_RUNNING, /* boxes that run */
        WORDS_IDLE,    /* boxes that do not */
        WORDS_VOLUME,
        WORDS_IMAGE,  /* host, dir:, oci: … and files */
        WORDS_COPY,   /* a box and a colon, or files */
        WORDS_SHELL,  /* names of shells */
        WORDS_STORED, /* images of the store */
        WORDS_FILE,
};

struct invocation;

/**
 * struct command - one verb
 * @name:          as typed; "volume create" for one of two words
 * @alias:         another name, or NULL
 * @args:          what follows the options, for the usage line
 * @summary:       one sentence without a full stop
 * @opts:          its own options, ended by a row without a name; NULL: none
 * @spec_fields:   COFFER_FIELD_BOX or COFFER_FIELD_PROCESS: with the fields of coffer_spec_set()
 *                 that have this flag; they go to @spec_where
 * @spec_where:    offset of a struct opt_pairs in the command's arguments
 * @min_args:      words it needs at least
 * @max_args:      and at most
 * @options_first: options end at the first word
 * @carries:       its exit status is the workload's
 * @words:         for completion
 * @run:           does it; returns the exit status
 */
struct command {
        const char *name;
        const char *alias;
        const char *args;
        const char *summary;
        const struct opt *opts;
        uint32_t spec_fields;
        size_t spec_where;
        int min_args;
        int max_args;
        bool options_first;
        bool carries;
        enum words words;
        int (*run)(struct invocation *in);
};

/**
 * struct invocation - one run of a command
 * @command: which
 * @argv:    before command_begin(): all words behind the verb; afterwards those that are no options
 * @argc:    how many
 * @carries: as in the command; `start` sets it for -a
 * @status:  the exit status when command_begin() has said no
 */
struct invocation {
        const struct command *command;
        char **argv;
        int argc;
        bool carries;
        int status;
};

/**
 * command_begin() - read the options
 * @in:   the invocation
 * @args: the struct that the rows count from, filled with the defaults
 *
 * Return: true; or false with @in->status set, after help was shown or an error was reported.
 */
bool command_begin(struct invocation *in, void *args);

/** command_fail() - report an error; returns the exit status that belongs to it */
int command_fail(const struct invocation *in, const struct coffer_error *err);

/** command_usage() - report a usage error in one line, with a hint or NULL; returns the status */
int command_usage(const struct invocation *in, const char *hint, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/** command_report() - write "coffer: …" and, when there is one, "hint: …" to stderr */
void command_report(const struct coffer_error *err);

/** command_warn() - one line of coffer's own on stderr that is no error of ours */
void command_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * command_open_home() - open the home for a command
 * @in:          for errors
 * @ret_runtime: free with coffer_runtime_free(); NULL after a failure, which has been reported
 *
 * Return: 0, or the exit status.
 */
int command_open_home(const struct invocation *in, struct coffer_runtime **ret_runtime);

/**
 * command_opts() - all rows of a command, sorted by name
 * @c: the command
 *
 * Return: a table that ends with a row without a name; static, valid until the next call.
 */
const struct opt *command_opts(const struct command *c);

/* All commands, in the order of --help. */
extern const struct command *const commands[];

/** command_find() - the row for words of a command line, by name or alias
 * @words:    NULL-terminated
 * @ret_used: how many of them were the name
 *
 * Return: the row, or NULL.
 */
const struct command *command_find(char *const *words, int *ret_used);

/** command_is_group() - whether two-word commands begin with @word */
bool command_is_group(const char *word);

/** help_command() - write what `coffer NAME --help` says to stdout */
void help_command(const struct command *c);
/** help_all() - write what `coffer --help` says; @group: only commands that begin so, or NULL */
void help_all(const char *group);

DEFINE_FREEP(struct coffer_runtime, coffer_runtime_free)
DEFINE_FREEP(struct coffer_spec, coffer_spec_free)
DEFINE_FREEP(struct coffer_box, coffer_box_free)
DEFINE_FREEP(struct coffer_process, coffer_process_free)
DEFINE_FREEP(struct coffer_call, coffer_call_free)

static inline void coffer_release(void *p)
{
        coffer_free(*(void **)p);
}
