/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a table of names to BPF.  All numbers of an architecture are coloured with what is to
 * happen, equal neighbours become ranges, and a balanced tree of comparisons finds the range: some
 * 110 instructions and 7 comparisons instead of one comparison for each call.  The kernel runs the
 * filter once for every number when it is installed, so this is also what makes installing cheap.
 *
 * The program is written from its end: whatever is jumped to is already there, so each jump knows
 * its distance when it is made.  A label is an index counted from the end.
 */

#include "sandbox/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp-numbers.h"

#define JUMP_MAX   255 /* a conditional jump has 8 bits */
#define X32_BIT    0x40000000U
#define PAST_CALLS 3   /* ranges above the last named number */
#define LABELS_MAX 128 /* different checks and errnos of one profile */

/* What happens to a call: @check decides, or it is this return value. */
struct action {
        const struct seccomp_check *check;
        uint32_t ret;
};

struct range {
        uint32_t first;
        struct action action;
};

struct label {
        struct action action;
        size_t at;
};

struct program {
        struct sock_filter code[SECCOMP_BPF_MAX]; /* backwards */
        size_t count;
        bool full;
        struct label labels[LABELS_MAX];
        size_t label_count;
        struct range ranges[SECCOMP_NUMBERS_MAX + PAST_CALLS];
        size_t range_count;
};

static const uint32_t audit_arch[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64};

static struct action fail_with(unsigned number)
{
        return (struct action){.ret = SECCOMP_RET_ERRNO | (number & SECCOMP_RET_DATA)};
}

static bool same(struct action a, struct action b)
{
        return a.check == b.check && a.ret == b.ret;
}

static size_t emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
        if (p->count == SECCOMP_BPF_MAX) {
                p->full = true;
                return 0;
        }
        p->code[p->count] = (struct sock_filter){code, jt, jf, k};
        return p->count++;
}

static size_t distance(const struct program *p, size_t label)
{
        return p->count - label - 1;
}

/* A label no further than a conditional jump reaches, also when one more step lies between. */
static size_t in_reach(struct program *p, size_t label)
{
        if (p->full || distance(p, label) < JUMP_MAX)
                return label;
        return emit(p, BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(p, label));
}

static size_t branch(struct program *p, uint16_t test, uint32_t k, size_t yes, size_t no)
{
        yes = in_reach(p, yes);
        no = in_reach(p, no);
        return emit(p, BPF_JMP | test | BPF_K, (uint8_t)distance(p, yes), (uint8_t)distance(p, no),
                    k);
}

/* Loads go on with what was emitted last, so that must be the label. */
static size_t load(struct program *p, size_t offset, size_t then)
{
        if (!p->full && then != p->count - 1)
                (void)emit(p, BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(p, then));
        return emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static size_t emit_test(struct program *p, const struct seccomp_test *t, bool loaded, size_t yes,
                        size_t no)
{
        size_t at = branch(p, BPF_JEQ, t->value, yes, no);

        if (loaded)
                return at;
        if (t->mask != UINT32_MAX)
                at = emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, t->mask);
        /* Little-endian: the low half comes first. */
        return load(p, offsetof(struct seccomp_data, args) + t->arg * sizeof(uint64_t), at);
}

/* The accumulator still holds what this row wants when the one before it stood alone and wanted the
 * same. */
static bool is_loaded(const struct seccomp_check *check, size_t i)
{
        const struct seccomp_test *t = check->tests;

        return i > 0 && !t[i - 1].also && (i < 2 || !t[i - 2].also) && t[i - 1].arg == t[i].arg &&
               t[i - 1].mask == t[i].mask;
}

static size_t label_of(struct program *p, struct action action);

static size_t emit_check(struct program *p, const struct seccomp_check *check)
{
        const struct action allow = {.ret = SECCOMP_RET_ALLOW};
        const struct action deny = fail_with(check->deny_errno);
        size_t match = label_of(p, check->deny_match ? deny : allow);
        size_t next = label_of(p, check->deny_match ? allow : deny);
        size_t at = next;

        for (size_t i = check->count; i-- > 0;) {
                size_t yes = check->tests[i].also ? at : match;

                at = emit_test(p, &check->tests[i], is_loaded(check, i), yes, next);
                if (i == 0 || !check->tests[i - 1].also)
                        next = at; /* where the alternative before this one goes on */
        }
        return at;
}

/* Where an action is done: each is there once, and later jumps find it. */
static size_t label_of(struct program *p, struct action action)
{
        size_t at;

        for (size_t i = 0; i < p->label_count; i++)
                if (same(p->labels[i].action, action))
                        return p->labels[i].at;

        at = action.check ? emit_check(p, action.check)
                          : emit(p, BPF_RET | BPF_K, 0, 0, action.ret);
        if (p->label_count == LABELS_MAX)
                p->full = true;
        else
                p->labels[p->label_count++] = (struct label){action, at};
        return at;
}

static size_t emit_tree(struct program *p, size_t first, size_t last)
{
        size_t middle = (first + last + 1) / 2;
        size_t above, below;

        if (first == last)
                return label_of(p, p->ranges[first].action);

        above = emit_tree(p, middle, last);
        below = emit_tree(p, first, middle - 1);
        return branch(p, BPF_JGE, p->ranges[middle].first, above, below);
}

static void emit_all(struct program *p, enum seccomp_arch arch)
{
        const struct action kill = {.ret = SECCOMP_RET_KILL_PROCESS};
        size_t killing = label_of(p, kill);
        size_t at;

        /* The actions first: they end up last, each once, in reach of the whole tree. */
        for (size_t i = 0; i < p->range_count; i++)
                (void)label_of(p, p->ranges[i].action);

        at = emit_tree(p, 0, p->range_count - 1);
        at = load(p, offsetof(struct seccomp_data, nr), at);
        at = branch(p, BPF_JEQ, audit_arch[arch], at, killing);
        (void)load(p, offsetof(struct seccomp_data, arch), at);
}

static void add_range(struct program *p, uint32_t first, struct action action)
{
        if (p->range_count > 0 && same(p->ranges[p->range_count - 1].action, action))
                return;
        p->ranges[p->range_count++] = (struct range){first, action};
}

/* Lays a profile's rows over what is there; -EINVAL for a name that nobody knows. */
static int paint(struct action *actions, const struct seccomp_profile *profile, uint64_t caps,
                 enum seccomp_arch arch, struct coffer_error *err)
{
        int r;

        if (profile->base) {
                r = paint(actions, profile->base, caps, arch, err);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < profile->count; i++) {
                const struct seccomp_rule *rule = &profile->rules[i];
                int nr = seccomp_number(arch, rule->name);

                if (nr == -ENOENT)
                        continue;
                if (nr < 0)
                        return error_set(err, nr, "seccomp: find the system call '%s'", rule->name);
                if (rule->needs_cap != SECCOMP_ALWAYS && !(caps & CAPS_BIT(rule->needs_cap)))
                        continue;
                actions[nr] = rule->fail_errno ? fail_with(rule->fail_errno)
                              : rule->check    ? (struct action){.check = rule->check}
                                               : (struct action){.ret = SECCOMP_RET_ALLOW};
        }
        return 0;
}

int seccomp_compile(const struct seccomp_profile *profile, uint64_t caps, enum seccomp_arch arch,
                    struct buf *ret_bpf, struct coffer_error *err)
{
        struct action actions[SECCOMP_NUMBERS_MAX];
        cleanup_free struct program *p = NULL;
        int highest = seccomp_highest(arch);
        int r;

        assert(profile && ret_bpf);
        assert(arch < SECCOMP_ARCH_COUNT);
        assert(highest >= 0 && highest < SECCOMP_NUMBERS_MAX);

        for (int nr = 0; nr <= highest; nr++)
                actions[nr] = fail_with(EPERM);
        r = paint(actions, profile, caps, arch, err);
        if (r < 0)
                return r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return error_set(err, -ENOMEM, "seccomp: compile a filter");

        for (int nr = 0; nr <= highest; nr++)
                add_range(p, (uint32_t)nr, actions[nr]);
        add_range(p, (uint32_t)highest + 1, fail_with(ENOSYS));
        if (arch == SECCOMP_X86_64) {
                add_range(p, X32_BIT, (struct action){.ret = SECCOMP_RET_KILL_PROCESS});
                /* -1 is what a tracer writes to have a call skipped. */
                add_range(p, UINT32_MAX, fail_with(ENOSYS));
        }

        emit_all(p, arch);
        if (p->full)
                return error_set(err, -E2BIG, "seccomp: compile a filter");

        for (size_t i = p->count; i-- > 0;) {
                r = buf_append(ret_bpf, &p->code[i], sizeof(p->code[i]));
                if (r < 0)
                        return error_set(err, r, "seccomp: store a filter");
        }
        return 0;
}
