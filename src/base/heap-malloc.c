/* SPDX-License-Identifier: Apache-2.0 */

/* base/heap.h as malloc(3) of a program that musl links; its own functions use it, too. */

#include <stdlib.h>

#include "base/heap.h"

void *malloc(size_t size)
{
        return heap_alloc(size);
}

void *calloc(size_t count, size_t size)
{
        return heap_zero(count, size);
}

void *realloc(void *p, size_t size)
{
        return heap_resize(p, size);
}

void free(void *p)
{
        heap_free(p);
}
