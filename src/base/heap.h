/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * The heap of the programs that are linked by musl: heap-malloc.c makes it their malloc(3).
 *
 * musl's own gives a page back as soon as nothing in it is used, and takes one for each size. Where
 * a munmap(2) and a first touch are dear (in a virtual machine 50 to 150 us and 10 to 20 us) that
 * was an eighth of a start.  This one packs small blocks densely, begins in the program's own zero
 * pages, and gives nothing back but what is large.
 *
 * A block's header is checked before the block is used again: what was freed twice, or overrun
 * from the block before it, ends the program.
 *
 * Context: one thread; these programs have no other.
 */

/** heap_alloc() - @size bytes, aligned to 16, of any content; NULL and ENOMEM when there are none
 */
void *heap_alloc(size_t size);
/** heap_zero() - @count times @size bytes of zeros; NULL and ENOMEM also when that overflows */
void *heap_zero(size_t count, size_t size);
/** heap_resize() - as realloc(3): the content stays, the place may change; @p may be NULL */
void *heap_resize(void *p, size_t size);
/** heap_free() - errno stays as it was; @p may be NULL */
void heap_free(void *p);
