/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * System call filters: tables of names in, BPF out.  Compiled outside the box (allocates, uses the
 * number tables), installed inside (seccomp-install.c: one system call, no allocation).
 */

#include <coffer/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SECCOMP_ALWAYS    (-1)
#define SECCOMP_BPF_MAX   4096                  /* the kernel's BPF_MAXINSNS */
#define SECCOMP_BPF_BYTES (SECCOMP_BPF_MAX * 8) /* of struct sock_filter */

enum seccomp_arch { SECCOMP_X86_64, SECCOMP_AARCH64, SECCOMP_ARCH_COUNT };

#if defined(__x86_64__)
#define SECCOMP_NATIVE SECCOMP_X86_64
#elif defined(__aarch64__)
#define SECCOMP_NATIVE SECCOMP_AARCH64
#else
#error "coffer knows the system calls of x86-64 and aarch64 only"
#endif

/**
 * struct seccomp_test - one comparison: (argument & mask) == value
 * @arg:   0 to 5; only its low 32 bits are looked at, as the kernel does for every call in the
 *         tables (a filter that looked at more could be walked past)
 * @mask:  0xffffffff for the whole
 * @value: what must be left
 * @also:  the next row must hold too
 */
struct seccomp_test {
        uint8_t arg;
        uint32_t mask;
        uint32_t value;
        bool also;
};

/**
 * struct seccomp_check - what the arguments of an allowed call may be
 * @tests:      alternatives, each one row or several joined by also
 * @count:      at least 1
 * @deny_match: false: allowed when an alternative holds; true: allowed when none does
 * @deny_errno: what the caller gets otherwise
 */
struct seccomp_check {
        const struct seccomp_test *tests;
        size_t count;
        bool deny_match;
        uint16_t deny_errno;
};

/**
 * struct seccomp_rule - a row: this call is allowed
 * @name:       the kernel's name of it; an architecture that has no such call skips the row
 * @needs_cap:  CAP_*, or SECCOMP_ALWAYS; the row counts only when the box keeps it
 * @check:      NULL: with any arguments
 * @fail_errno: not 0: the call is refused with this errno after all
 *
 * The last row that counts for a name wins.
 */
struct seccomp_rule {
        const char *name;
        int needs_cap;
        const struct seccomp_check *check;
        uint16_t fail_errno;
};

/**
 * struct seccomp_profile - a whole filter; what has no row fails with EPERM
 * @base:  rows that come first; may be NULL
 * @rules: rows
 * @count: how many
 *
 * Numbers above the highest one that we know a name for fail with ENOSYS, so that a C library
 * falls back; a foreign architecture and the x32 bit kill the process.
 */
struct seccomp_profile {
        const struct seccomp_profile *base;
        const struct seccomp_rule *rules;
        size_t count;
};

/* What a boxed process may call. */
extern const struct seccomp_profile seccomp_workload;

/**
 * seccomp_number() - the number of a system call
 * @arch: whose
 * @name: the kernel's name
 *
 * Return: 0 or more; -ENOENT when the architecture has no such call, -EINVAL for an unknown name.
 */
int seccomp_number(enum seccomp_arch arch, const char *name);

/**
 * seccomp_compile() - turn a profile into BPF
 * @profile: which calls
 * @caps:    the capabilities the box keeps, a mask as in caps.h
 * @arch:    for which kernel
 * @ret_bpf: an array of struct sock_filter is appended; empty, with room for SECCOMP_BPF_BYTES
 * @err:     words for a failure; may be NULL
 *
 * Return: 0, or a negative errno (-EINVAL: a row names a call that nobody knows).
 */
int seccomp_compile(const struct seccomp_profile *profile, uint64_t caps, enum seccomp_arch arch,
                    struct buf *ret_bpf, struct coffer_error *err);

/**
 * seccomp_install() - the calling process and all its children obey this filter from now on
 * @bpf:   from seccomp_compile() for SECCOMP_NATIVE
 * @bytes: its size
 * @err:   kind COFFER_ERROR_CONTROL, "seccomp: …"
 *
 * The caller has set no_new_privs.
 *
 * Return: 0, or a negative errno.
 */
int seccomp_install(const void *bpf, size_t bytes, struct coffer_error *err);
