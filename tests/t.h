/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a unit test sees.  cmocka runs the tests and is hidden behind this file, because its
 * headers want company in a certain order and take the names fail and skip away.
 *
 *     TEST(refuses_an_empty_name)
 *     {
 *             t_errno(EINVAL, name_check(""));
 *     }
 *
 * The name is the claim.  There is no list and no main: TEST() registers itself, t.c runs
 * everything in the order of the file and prints TAP.  A failing check ends its test by longjmp,
 * past the cleanup attributes: what leaks then does not matter, the program ends as failed.
 *
 * A program that is given names as arguments runs only those tests.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h" /* ELEMENTS */

struct t_case {
        const char *name;
        void (*run)(void);
        struct t_case *next;
};

/** t_register() - add a test to the list; TEST() does it */
void t_register(struct t_case *test);

#define TEST(claim)                                                         \
        static void claim(void);                                            \
        static struct t_case claim##_case = {.name = #claim, .run = claim}; \
        __attribute__((constructor)) static void claim##_register(void)     \
        {                                                                   \
                t_register(&claim##_case);                                  \
        }                                                                   \
        static void claim(void)

struct t_at {
        const char *file;
        int line;
        const char *text; /* of the expression */
};

#define T_AT(expr) (&(const struct t_at){__FILE__, __LINE__, expr})

/* The value is 0 or more (a descriptor, a count); returns it. */
#define t_ok(expr) t_check_ok((expr), T_AT(#expr))
/* The value is minus this errno. */
#define t_errno(expected, expr) t_check_errno((expected), (expr), T_AT(#expr))
#define t_true(expr)            t_check_true((expr), T_AT(#expr))
#define t_false(expr)           t_check_true(!(expr), T_AT("!(" #expr ")"))
#define t_null(expr)            t_check_true((expr) == NULL, T_AT(#expr " == NULL"))
/* Numbers, signed; for unsigned 64-bit values t_true(a == b). */
#define t_int(expected, actual) t_check_int((expected), (actual), T_AT(#actual))
/* Strings; NULL equals only NULL. */
#define t_str(expected, actual) t_check_str((expected), (actual), T_AT(#actual))
/* The string contains the part. */
#define t_has(part, actual)           t_check_has((part), (actual), T_AT(#actual))
#define t_mem(expected, actual, size) t_check_mem((expected), (actual), (size), T_AT(#actual))

int t_check_ok(int value, const struct t_at *at);
void t_check_errno(int expected, int value, const struct t_at *at);
void t_check_true(bool value, const struct t_at *at);
void t_check_int(int64_t expected, int64_t actual, const struct t_at *at);
void t_check_str(const char *expected, const char *actual, const struct t_at *at);
void t_check_has(const char *part, const char *actual, const struct t_at *at);
void t_check_mem(const void *expected, const void *actual, size_t size, const struct t_at *at);

/** t_note() - a line of the log, such as the row of a table that comes next */
void t_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** t_skip() - end this test as skipped, saying what was missing ("needs root") */
_Noreturn void t_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** t_open_fds() - how many descriptors this process has, to find one that leaked */
int t_open_fds(void);

/**
 * t_seed() - the number that all of this run's random choices come from
 *
 * Return: $COFFER_SEED, else 1.  Printed when a test that used it fails.
 */
uint64_t t_seed(void);
