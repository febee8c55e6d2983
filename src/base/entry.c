/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where our static programs begin, before their libc relocates them.
 *
 * The first touch of a page traps: 10 us in a virtual machine, and a short command consists of
 * sixty of them.  A page that is asked for costs less than one.  So what every run touches is asked
 * for at once: the whole program as it lies in the page cache, what is written to (the relocations
 * do, all of it), and the top of the stack.  A kernel before Linux 5.14 says no to that, and pages
 * come one by one as ever.
 *
 * Nothing is relocated yet and there is no thread pointer: no address of data, no errno, no guard.
 */

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE_BYTES  4096
#define STACK_BYTES (4 * PAGE_BYTES)

extern const ElfW(Ehdr) program_header __asm__("__ehdr_start")
        __attribute__((visibility("hidden")));

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl program_entry\n"
        ".hidden program_entry\n"
        ".type program_entry, @function\n"
        "program_entry:\n"
        "        endbr64\n"
        "        xor %ebp, %ebp\n"
        "        mov %rsp, %rdi\n"
        "        push %rdx\n"
        "        sub $8, %rsp\n"
        "        call program_prefault\n"
        "        add $8, %rsp\n"
        "        pop %rdx\n"
        "        jmp _start\n"
        ".size program_entry, .-program_entry\n");

static void advise(uintptr_t begin, uintptr_t end, long advice)
{
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "0"(SYS_madvise), "D"(begin), "S"(end - begin), "d"(advice)
                         : "rcx", "r11", "memory");
}
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl program_entry\n"
        ".hidden program_entry\n"
        ".type program_entry, @function\n"
        "program_entry:\n"
        "        bti c\n"
        "        mov x0, sp\n"
        "        bl program_prefault\n"
        "        mov x0, xzr\n"
        "        b _start\n"
        ".size program_entry, .-program_entry\n");

static void advise(uintptr_t begin, uintptr_t end, long advice)
{
        register uintptr_t x0 __asm__("x0") = begin;
        register uintptr_t x1 __asm__("x1") = end - begin;
        register long x2 __asm__("x2") = advice;
        register long x8 __asm__("x8") = SYS_madvise;

        __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
}
#endif

static uintptr_t page_of(uintptr_t address)
{
        return address & ~(uintptr_t)(PAGE_BYTES - 1);
}

/* Called by what stands above, with the stack as the kernel made it. */
void program_prefault(const char *stack)
        __attribute__((used, visibility("hidden"), no_stack_protector));

void program_prefault(const char *stack)
{
        uintptr_t base = (uintptr_t)&program_header;
        const ElfW(Phdr) *p = (const void *)(base + program_header.e_phoff);
        uintptr_t top = page_of((uintptr_t)stack);

        for (unsigned i = 0; i < program_header.e_phnum; i++) {
                uintptr_t begin = base + p[i].p_vaddr;

                if (p[i].p_type == PT_LOAD)
                        advise(page_of(begin), page_of(begin + p[i].p_filesz + PAGE_BYTES - 1),
                               p[i].p_flags & PF_W ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
        }
        advise(top - STACK_BYTES, top, MADV_POPULATE_WRITE);
}
