/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TESTS_MAX 256

static struct t_case *first_test;
static struct t_case **last_test = &first_test;
static bool seed_used;

void t_register(struct t_case *test)
{
        *last_test = test;
        last_test = &test->next;
}

__attribute__((format(printf, 2, 3))) static _Noreturn void fail_at(const struct t_at *at,
                                                                    const char *format, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        print_error("%s: %s\n", at->text, text);
        if (seed_used)
                print_error("COFFER_SEED=%llu\n", (unsigned long long)t_seed());
        _fail(at->file, at->line);
        abort();
}

static const char *errno_text(int value)
{
        return value < 0 && value > -4096 ? strerror(-value) : "not an errno";
}

int t_check_ok(int value, const struct t_at *at)
{
        if (value < 0)
                fail_at(at, "is %d (%s)", value, errno_text(value));
        return value;
}

void t_check_errno(int expected, int value, const struct t_at *at)
{
        if (value != -expected)
                fail_at(at, "is %d (%s), expected -%d (%s)", value, errno_text(value), expected,
                        strerror(expected));
}

void t_check_true(bool value, const struct t_at *at)
{
        if (!value)
                fail_at(at, "is false");
}

void t_check_int(int64_t expected, int64_t actual, const struct t_at *at)
{
        if (expected != actual)
                fail_at(at, "is %lld, expected %lld", (long long)actual, (long long)expected);
}

static const char *or_null(const char *s)
{
        return s ? s : "(null)";
}

void t_check_str(const char *expected, const char *actual, const struct t_at *at)
{
        if (expected == actual)
                return;
        if (!expected || !actual || strcmp(expected, actual) != 0)
                fail_at(at, "is '%s', expected '%s'", or_null(actual), or_null(expected));
}

void t_check_has(const char *part, const char *actual, const struct t_at *at)
{
        if (!actual || !strstr(actual, part))
                fail_at(at, "is '%s', which does not contain '%s'", or_null(actual), part);
}

void t_check_mem(const void *expected, const void *actual, size_t size, const struct t_at *at)
{
        const unsigned char *e = expected;
        const unsigned char *a = actual;

        for (size_t i = 0; i < size; i++)
                if (e[i] != a[i])
                        fail_at(at, "byte %zu of %zu is 0x%02x, expected 0x%02x", i, size, a[i],
                                e[i]);
}

void t_note(const char *format, ...)
{
        char text[512];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        for (char *c = text; *c != '\0'; c++) /* TAP knows only whole lines */
                if ((unsigned char)*c < 0x20)
                        *c = '?';
        print_message("# %s\n", text);
}

void t_skip(const char *format, ...)
{
        char text[512];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        print_message("# skipped: %s\n", text);
        _skip(__FILE__, __LINE__);
        abort();
}

int t_open_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        int count = 0;

        if (!dir)
                return -errno;
        while (readdir(dir))
                count++;
        (void)closedir(dir);
        return count - 3; /* ".", ".." and the directory itself */
}

uint64_t t_seed(void)
{
        const char *text = getenv("COFFER_SEED");
        uint64_t seed = 1;

        seed_used = true;
        if (text)
                (void)str_to_u64(text, UINT64_MAX, &seed);
        return seed;
}

static void run_case(void **state)
{
        const struct t_case *test = *state;

        test->run();
}

static bool is_wanted(const struct t_case *test, int argc, char **argv)
{
        for (int i = 1; i < argc; i++)
                if (str_eq(argv[i], test->name))
                        return true;
        return argc == 1;
}

int main(int argc, char **argv)
{
        struct CMUnitTest tests[TESTS_MAX];
        size_t count = 0;

        for (struct t_case *t = first_test; t; t = t->next) {
                if (!is_wanted(t, argc, argv))
                        continue;
                if (count == TESTS_MAX) {
                        (void)fprintf(stderr, "more than %d tests in one program\n", TESTS_MAX);
                        return 1;
                }
                tests[count++] = (struct CMUnitTest){
                        .name = t->name, .test_func = run_case, .initial_state = t};
        }
        if (count == 0) {
                (void)fprintf(stderr, "no test of that name\n");
                return 1;
        }
        cmocka_set_message_output(CM_OUTPUT_TAP);
        /* Whole lines reach the log also when a child of a test ends by _exit(). */
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        return _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL) == 0 ? 0 : 1;
}
