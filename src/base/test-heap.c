/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"

#define BLOCKS 300

TEST(blocks_are_aligned_and_have_the_room_that_was_asked_for)
{
        for (size_t size = 0; size < 700000; size = size * 5 / 4 + 1) {
                char *p = heap_alloc(size);

                t_true(p != NULL);
                t_int(0, (int64_t)((uintptr_t)p % 16));
                memset(p, 0xee, size);
                heap_free(p);
        }
}

TEST(zeroed_memory_is_zero_also_when_it_was_used_before)
{
        for (size_t size = 1; size < 600000; size *= 3) {
                char *p = heap_alloc(size);

                memset(p, 0xff, size);
                heap_free(p);
                p = heap_zero(1, size);
                for (size_t i = 0; i < size; i++)
                        t_int(0, p[i]);
                heap_free(p);
        }
}

TEST(what_cannot_be_had_is_enomem)
{
        static const struct {
                size_t count, size;
        } cases[] = {
                {1,            SIZE_MAX    },
                {SIZE_MAX,     2           },
                {SIZE_MAX / 2, 3           },
                {1,            SIZE_MAX - 8},
                {SIZE_MAX / 8, 1           },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                errno = 0;
                t_null(heap_zero(cases[i].count, cases[i].size));
                t_int(ENOMEM, errno);
        }
}

/* Random sizes over all classes, each block with a pattern of its own: none may touch another. */
TEST(blocks_never_overlap)
{
        static struct {
                unsigned char *p;
                size_t size;
                unsigned char fill;
        } blocks[BLOCKS];
        unsigned state = (unsigned)t_seed();

        for (unsigned round = 0; round < 20000; round++) {
                unsigned i = (unsigned)rand_r(&state) % BLOCKS;
                size_t size = (size_t)rand_r(&state) % (1U << (rand_r(&state) % 19));

                for (size_t at = 0; at < blocks[i].size; at += 1 + blocks[i].size / 64)
                        t_int(blocks[i].fill, blocks[i].p[at]);
                if (rand_r(&state) % 3 == 0) {
                        heap_free(blocks[i].p);
                        blocks[i].p = NULL;
                        blocks[i].size = 0;
                        continue;
                }
                size_t kept = blocks[i].size < size ? blocks[i].size : size;

                blocks[i].p = heap_resize(blocks[i].p, size);
                t_true(blocks[i].p != NULL);
                for (size_t at = 0; at < kept; at += 1 + kept / 64)
                        t_int(blocks[i].fill, blocks[i].p[at]);
                blocks[i].size = size;
                blocks[i].fill = (unsigned char)rand_r(&state);
                memset(blocks[i].p, blocks[i].fill, size);
        }
        for (unsigned i = 0; i < BLOCKS; i++)
                heap_free(blocks[i].p);
}

TEST(memory_is_used_again)
{
        void *first = heap_alloc(5000);

        heap_free(first);
        for (int i = 0; i < 100000; i++) {
                void *p = heap_alloc(5000);

                t_true(p == first);
                heap_free(p);
        }
}

TEST(free_keeps_errno_and_takes_null)
{
        void *large = heap_alloc(1024 * 1024);

        errno = EPROTO;
        heap_free(NULL);
        heap_free(large);
        t_int(EPROTO, errno);
}

static void free_twice(char *p)
{
        heap_free(p);
        heap_free(p);
}

static void overrun(char *p)
{
        char *next = heap_alloc(40); /* right behind: both are fresh */

        memset(p, 0x41, (size_t)(next - p));
        heap_free(next);
}

static void free_inside(char *p)
{
        heap_free(p + 16);
}

static void write_after_free(char *p)
{
        heap_free(p);
        memset(p, 0x41, 16); /* the next block of the list */
        (void)heap_alloc(40);
        (void)heap_alloc(40);
}

TEST(misuse_ends_the_program)
{
        static void (*const misuses[])(char *p) = {free_twice, overrun, free_inside,
                                                   write_after_free};

        for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
                pid_t pid = fork();
                int status;

                if (pid == 0) {
                        (void)signal(SIGABRT, SIG_DFL);
                        (void)signal(SIGSEGV, SIG_DFL);
                        misuses[i](heap_alloc(40));
                        _exit(0);
                }
                t_int(pid, waitpid(pid, &status, 0));
#ifdef __SANITIZE_ADDRESS__
                /* It may see it first, and exits. */
                if (WIFEXITED(status)) {
                        t_true(WEXITSTATUS(status) != 0);
                        continue;
                }
#endif
                t_true(WIFSIGNALED(status));
                t_true(WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGSEGV);
        }
}
