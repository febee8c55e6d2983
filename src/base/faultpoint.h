/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fault points: names for the places where a test kills a program, lets it fail, or holds it up.
 * They exist in a build with -Dfaults=true only; in any other all of this is nothing.
 *
 *   COFFER_FAULT=POINT[#N]:ACTION[,…]   at the N-th time (every time); kill, errno[=NAME], delay=MS
 *   COFFER_FAULT_TRACE=FILE             gets a line for each point that is reached; then each
 *                                       strikes once, in whatever process
 *
 * A point is "process.point" or "process.list.step": the process is lib, shim, launcher, newborn
 * (the supervisor before its exec), init, stem, main or exec.  `coffer --fault-points`, the same of
 * coffer-shim and coffer-init, lists those that a program has; tests/crash/ walks them.
 *
 * Reaching a point allocates nothing and takes no lock, so one may lie between clone and exec.
 */

#ifdef COFFER_FAULTS

#include <stdbool.h>
#include <stddef.h>

struct coffer_error;

/**
 * struct fault_points - some points of a program, gathered by the linker
 * @process: whose; NULL: of whatever process the program begins as
 * @list:    comes before each name, NULL for none
 * @names:   the first
 * @stride:  bytes from one to the next
 * @count:   how many
 */
struct fault_points {
        const char *process;
        const char *list;
        const char *const *names;
        size_t stride;
        size_t count;
};

/** fault_here() - reach a point; 0, or the negative errno that is asked for; @who: NULL is us */
int fault_here(const char *who, const char *list, const char *name);
/** fault_step() - the same before a step of a list, with words */
int fault_step(struct coffer_error *err, const char *list, const char *name);
/** fault_process() - from now on this is another process; @is_foreign: so is what it executes */
void fault_process(const char *name, bool is_foreign);
/** fault_keep() - where the trace is, among the descriptors that are to be closed; or -1 */
int fault_keep(void);
/** fault_environment() - "COFFER_FAULT=…" for a program of ours that is executed; or NULL */
char *fault_environment(void);
/** fault_list() - print the points and return true, if that is what the arguments ask for */
bool fault_list(int argc, char **argv);

#define FAULT_GATHER(id, ...)                                         \
        static const struct fault_points id##_points = {__VA_ARGS__}; \
        static const struct fault_points *const id##_gathered         \
                __attribute__((section("fault_points"), used, retain)) = &id##_points

/* In a function: a point with a name of its own. */
#define FAULT(point) FAULT_OF(NULL, point)
#define FAULT_OF(process, point)                                                          \
        ({                                                                                \
                static const char *const fault_name[] = {point};                          \
                FAULT_GATHER(fault, process, NULL, fault_name, sizeof(fault_name[0]), 1); \
                fault_here(process, NULL, fault_name[0]);                                 \
        })

/* Of a module that a process with another name than its program's works with, too. */
#define FAULT_ALSO(process, ...)                                                   \
        static const char *const fault_also_##process[] = {__VA_ARGS__};           \
        FAULT_GATHER(fault_##process##_also, #process, NULL, fault_also_##process, \
                     sizeof(fault_also_##process[0]),                              \
                     sizeof(fault_also_##process) / sizeof(fault_also_##process[0]))

/* After a table of steps: their names are points. */
#define FAULT_STEPS(process, list, table, member)                                             \
        FAULT_GATHER(fault_##process, #process, list, &(table)[0].member, sizeof((table)[0]), \
                     sizeof(table) / sizeof((table)[0]))

#else

#define FAULT(point)                              0
#define FAULT_OF(process, point)                  0
#define FAULT_ALSO(process, ...)                  _Static_assert(1, "")
#define FAULT_STEPS(process, list, table, member) _Static_assert(1, "")
#define fault_here(who, list, name)               0
#define fault_step(err, list, name)               0
#define fault_process(name, is_foreign)           ((void)0)
#define fault_keep()                              (-1)
#define fault_environment()                       NULL
#define fault_list(argc, argv)                    false

#endif
