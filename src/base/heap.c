/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/*
 * Blocks, header included, have a multiple of 16 bytes up to 512, and then a power of two up to
 * 256 KiB.  What is larger is a mapping of its own.
 */
#define STEP_BYTES  16
#define STEPS       32
#define CLASSES     (STEPS + 9)
#define CLASS_LARGE CLASSES
#define ARENA_BYTES (512 * 1024)
#define CHUNK_BYTES (1024 * 1024)
#define WHOLE_BYTES (4096 * 1024) /* who asks for that much uses it: had at once */

/* A program that ends soon has its pages ahead of their use; one that stays has none too many. */
#ifndef HEAP_AHEAD_BYTES
#define HEAP_AHEAD_BYTES 0
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; before, pages come one by one */
#endif

enum mark { MARK_USED = 0x5ca1ab1e, MARK_FREE = 0x0ddba11 };

struct block {
        uint32_t check; /* of its own address, a secret and a mark */
        uint32_t order;
        size_t mapped; /* bytes of a large block */
        union {
                struct block *next; /* while it is free */
                _Alignas(16) char data[1];
        };
};

#define HEADER_BYTES offsetof(struct block, data)
_Static_assert(HEADER_BYTES == 16, "blocks keep the alignment");

static _Alignas(16) char arena[ARENA_BYTES];
static char *fresh = arena; /* never used yet, hence zero */
static char *fresh_end = arena + ARENA_BYTES;
static struct block *free_lists[CLASSES];

/* The kernel leaves 16 random bytes for each program (getauxval(3)). */
static uint32_t check_of(const struct block *b, enum mark mark)
{
        static uint32_t secret;
        const void *random = secret ? NULL : (const void *)getauxval(AT_RANDOM);

        if (random)
                memcpy(&secret, random, sizeof(secret));
        return secret ^ (uint32_t)((uintptr_t)b >> 4) ^ (uint32_t)mark;
}

static void set_mark(struct block *b, enum mark mark)
{
        b->check = check_of(b, mark);
}

static void want_mark(const struct block *b, enum mark mark)
{
        if (b->check != check_of(b, mark) || b->order > CLASS_LARGE)
                abort();
}

static size_t class_bytes(uint32_t order)
{
        return order < STEPS ? (size_t)STEP_BYTES * (order + 1)
                             : (size_t)STEP_BYTES * STEPS << (order - STEPS + 1);
}

/* The smallest that has room, or CLASS_LARGE. */
static uint32_t class_for(size_t size)
{
        size_t bytes = size < STEP_BYTES ? 2 * STEP_BYTES : size + HEADER_BYTES;
        uint32_t order = STEPS;

        if (bytes < size)
                return CLASS_LARGE; /* which will not be had */
        if (bytes <= (size_t)STEP_BYTES * STEPS)
                return (uint32_t)((bytes + STEP_BYTES - 1) / STEP_BYTES) - 1;
        while (order < CLASSES && class_bytes(order) < bytes)
                order++;
        return order;
}

static struct block *block_of(void *p)
{
        struct block *b = (void *)((char *)p - HEADER_BYTES);

        want_mark(b, MARK_USED);
        return b;
}

static size_t room_of(const struct block *b)
{
        return (b->order == CLASS_LARGE ? b->mapped : class_bytes(b->order)) - HEADER_BYTES;
}

static void *map(size_t bytes, int flags)
{
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1,
                       0);

        return p == MAP_FAILED ? NULL : p;
}

static struct block *take_large(size_t size)
{
        size_t bytes = (size + HEADER_BYTES + 4095) & ~(size_t)4095;
        struct block *b = bytes < size ? NULL : map(bytes, bytes <= WHOLE_BYTES ? MAP_POPULATE : 0);

        if (!b) {
                errno = ENOMEM;
                return NULL;
        }
        b->order = CLASS_LARGE;
        b->mapped = bytes;
        return b;
}

/* A fault costs ten times as much as a page that is asked for along with others. */
static void have_pages(const char *until)
{
        static char *ahead = arena;
        uintptr_t begin = (uintptr_t)ahead & ~(uintptr_t)4095;
        int saved = errno;

        if (HEAP_AHEAD_BYTES == 0 || until <= ahead || until > arena + ARENA_BYTES)
                return;
        ahead += HEAP_AHEAD_BYTES;
        if (ahead < until)
                ahead = (char *)until;
        if (ahead > arena + ARENA_BYTES)
                ahead = arena + ARENA_BYTES;
        (void)madvise((void *)begin, (uintptr_t)ahead - begin, MADV_POPULATE_WRITE);
        errno = saved;
}

/* What is left of a chunk when the next one begins is not used: less than one block. */
static struct block *take_fresh(uint32_t order)
{
        size_t bytes = class_bytes(order);
        struct block *b;

        if ((size_t)(fresh_end - fresh) < bytes) {
                /* Who comes this far will use it: all at once, not fault by fault. */
                char *chunk = map(CHUNK_BYTES, MAP_POPULATE);

                if (!chunk)
                        return NULL; /* errno is ENOMEM */
                fresh = chunk;
                fresh_end = chunk + CHUNK_BYTES;
        }
        have_pages(fresh + bytes);
        b = (void *)fresh;
        fresh += bytes;
        b->order = order;
        return b;
}

static struct block *take(size_t size)
{
        uint32_t order = class_for(size);
        struct block *b;

        if (order == CLASS_LARGE)
                return take_large(size);
        b = free_lists[order];
        if (!b)
                return take_fresh(order);
        want_mark(b, MARK_FREE);
        free_lists[order] = b->next;
        return b;
}

void *heap_alloc(size_t size)
{
        struct block *b = take(size);

        if (!b)
                return NULL;
        set_mark(b, MARK_USED);
        return b->data;
}

void *heap_zero(size_t count, size_t size)
{
        size_t bytes;
        void *p;

        if (__builtin_mul_overflow(count, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        p = heap_alloc(bytes);
        return p ? memset(p, 0, bytes) : NULL;
}

void heap_free(void *p)
{
        int saved = errno;
        struct block *b;

        if (!p)
                return;
        b = block_of(p);
        if (b->order == CLASS_LARGE) {
                (void)munmap(b, b->mapped);
        } else {
                set_mark(b, MARK_FREE);
                b->next = free_lists[b->order];
                free_lists[b->order] = b;
        }
        errno = saved;
}

void *heap_resize(void *p, size_t size)
{
        size_t room;
        void *to;

        if (!p)
                return heap_alloc(size);
        room = room_of(block_of(p));
        if (size <= room && size >= room / 4)
                return p;
        to = heap_alloc(size);
        if (!to)
                return NULL;
        memcpy(to, p, size < room ? size : room);
        heap_free(p);
        return to;
}
