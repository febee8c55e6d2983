/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One competitor of a measurement: a command line, and what it costs to run it.
 *
 * The timer is a child subreaper, so whatever a competitor leaves behind (a monitor, a clean-up
 * in the background) becomes its child.  It is waited for before the next competitor's turn: its
 * CPU time counts, and it cannot disturb the others.
 */

#define ROWS_MAX    32
#define SAMPLES_MAX 10000

/**
 * struct row - a competitor
 * @name:     what the report calls it; borrowed
 * @argv:     NULL-terminated; "%n" in an argument becomes a number used only once; borrowed
 * @count:    starts per round of a rate measurement; 0 means what the command line says
 * @mnt_fd:   the mount namespace to start in; negative means our own
 * @from:     a file opened as descriptor @from_fd of each start; NULL means none; borrowed
 * @from_fd:  see @from
 * @samples:  one number per good run; owned
 * @cpu:      CPU milliseconds of the same run, all its descendants included; owned
 * @done:     good runs
 * @failed:   runs that ended with another status than 0
 * @strays:   runs after which a descendant was still alive at the deadline
 * @error:    the first line that a failed run wrote to standard error
 */
struct row {
        const char *name;
        char **argv;
        unsigned count;
        int mnt_fd;
        const char *from;
        int from_fd;
        double *samples; /* owned */
        double *cpu;     /* owned */
        unsigned done;
        unsigned failed;
        unsigned strays;
        char error[200];
};

/**
 * struct rows - the competitors in the order of the command line
 * @items: the first @count are in use
 * @count: at least 1 after rows_parse()
 */
struct rows {
        struct row items[ROWS_MAX];
        unsigned count;
};

/**
 * struct started - a competitor's run under way
 * @pid:   its process, not yet waited for
 * @pidfd: the same; owned
 */
struct started {
        pid_t pid;
        int pidfd;
};

/**
 * rows_parse() - read "+row NAME [count=N] [ns=PATH] [fd=N:PATH] -- ARGV..." as often as it comes
 * @argv: main's, from the first +row on; each following +row is overwritten by NULL
 * @rows: filled; borrows from @argv
 *
 * Context: exits with status 2 and one line when the words make no sense: this is the command line.
 */
void rows_parse(char **argv, struct rows *rows);

/** row_add() - note a good run: its number and its CPU milliseconds */
void row_add(struct row *row, double sample, double cpu_ms);

/** row_fail() - note a failed run and keep what it wrote to standard error */
void row_fail(struct row *row);

/**
 * row_start() - start a competitor once
 * @row:      which
 * @stdio:    descriptors for 0 and 1; negative means /dev/null.  Standard error is collected
 * @ret_at:   the time, in milliseconds, just before the process was made
 * @ret_run:  the process; hand it to row_wait()
 *
 * Return: 0, or a negative errno when it could not be started at all.
 */
int row_start(struct row *row, const int stdio[2], double *ret_at, struct started *ret_run);

/**
 * row_wait() - wait for a run that has ended or will, and reap it
 * @run:        from row_start(); gone afterwards
 * @ret_cpu_ms: CPU time of it and of what it waited for; added to what is there
 *
 * A run that takes longer than a minute is killed.
 *
 * Return: true when its status was 0.
 */
bool row_wait(struct started *run, double *ret_cpu_ms);

/**
 * row_settle() - wait until no descendant is left, ten seconds at most
 * @row:        whose strays they are
 * @ret_cpu_ms: their CPU time is added to what is there
 */
void row_settle(struct row *row, double *ret_cpu_ms);

/** now_ms() - the monotonic clock */
double now_ms(void);

/** print_row() - open a JSON object {"row": …, "failed": …; the caller adds members and closes it
 */
void print_row(const struct row *row);

/** sorted_at() - sort @values and answer the one at @fraction (0 to 1) of them; 0 when there is
 * none
 */
double sorted_at(double *values, unsigned count, double fraction);
