/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The compiler is held against three others: what the rows say, read anew here; libseccomp with
 * the same rows; and the kernel.
 */

#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "fault.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp-numbers.h"
#include "sandbox/test-child.h"
#include "sandbox/test-seccomp-rows.h"

#define INSNS_MAX 150 /* the aim for a default box */

static const struct sock_filter *code_of(const struct buf *bpf, size_t *ret_count)
{
        *ret_count = bpf->size / sizeof(struct sock_filter);
        return (const struct sock_filter *)(const void *)bpf->data;
}

/* What the kernel would answer; only the instructions that a filter may have. */
static uint32_t run(const struct buf *bpf, const struct seccomp_data *data)
{
        size_t count;
        const struct sock_filter *code = code_of(bpf, &count);
        uint32_t a = 0;

        for (size_t pc = 0; pc < count; pc++) {
                const struct sock_filter *i = &code[pc];

                switch (i->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        t_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*data));
                        memcpy(&a, (const char *)data + i->k, sizeof(a));
                        break;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= i->k;
                        break;
                case BPF_JMP | BPF_JA:
                        pc += i->k;
                        break;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        pc += a == i->k ? i->jt : i->jf;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        pc += a >= i->k ? i->jt : i->jf;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        pc += a > i->k ? i->jt : i->jf;
                        break;
                case BPF_RET | BPF_K:
                        return i->k;
                default:
                        t_note("instruction %#x at %zu", i->code, pc);
                        t_true(false);
                }
        }
        t_true(false); /* ran off the end */
        return 0;
}

struct compare {
        const struct seccomp_profile *profile;
        uint64_t caps;
        enum seccomp_arch arch;
        struct buf bpf;
        struct buf oracle;
        struct buf oracle_denies;
};

static void compare_with_rows(const struct seccomp_data *data, void *arg)
{
        const struct compare *c = arg;
        uint32_t want = expected(c->profile, c->caps, c->arch, data);
        uint32_t got = run(&c->bpf, data);

        if (got != want)
                t_note("arch %u call %u args %#llx %#llx %#llx: %#x, expected %#x", data->arch,
                       (uint32_t)data->nr, (unsigned long long)data->args[0],
                       (unsigned long long)data->args[1], (unsigned long long)data->args[2], got,
                       want);
        t_true(got == want);
}

static const uint64_t caps_tried[] = {
        0,
        CAPS_ALL,
        CAPS_BIT(CAP_SYS_ADMIN),
        CAPS_BIT(CAP_SYS_CHROOT) | CAPS_BIT(CAP_SYS_NICE),
        CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_SETUID),
};

static void compile(struct compare *c)
{
        struct coffer_error err = {0};
        int r;

        c->bpf = BUF_INIT(SECCOMP_BPF_BYTES);
        r = seccomp_compile(c->profile, c->caps, c->arch, &c->bpf, &err);
        if (r < 0)
                t_note("%s", err.msg);
        t_ok(r);
}

TEST(every_number_does_what_the_table_says)
{
        for (unsigned arch = 0; arch < SECCOMP_ARCH_COUNT; arch++)
                for (size_t i = 0; i < ELEMENTS(caps_tried); i++) {
                        struct compare c = {&seccomp_workload, caps_tried[i],
                                            (enum seccomp_arch)arch};

                        compile(&c);
                        for_each_call(c.arch, compare_with_rows, &c);
                        buf_release(&c.bpf);
                }
}

TEST(foreign_architectures_die)
{
        static const uint32_t foreign[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0};

        for (unsigned arch = 0; arch < SECCOMP_ARCH_COUNT; arch++) {
                struct compare c = {&seccomp_workload, CAPS_ALL, (enum seccomp_arch)arch};

                compile(&c);
                for (size_t i = 0; i < ELEMENTS(foreign); i++)
                        for (int nr = 0; nr < NUMBERS_TRIED; nr++) {
                                struct seccomp_data data = {.nr = nr, .arch = foreign[i]};

                                t_true(run(&c.bpf, &data) == SECCOMP_RET_KILL_PROCESS);
                        }
                buf_release(&c.bpf);
        }
}

/* libseccomp, by our rows.  It has no "all but", so a second filter denies those matches. */
static void add_to_oracle(const struct seccomp_rule *rule, scmp_filter_ctx allow,
                          scmp_filter_ctx deny)
{
        const struct seccomp_check *check = rule->check;
        /* It wants the building machine's number, or its own negative one, for any architecture. */
        int nr = seccomp_syscall_resolve_name(rule->name);

        if (rule->fail_errno || nr == __NR_SCMP_ERROR)
                return;
        if (!check || check->deny_match)
                t_ok(seccomp_rule_add(allow, SCMP_ACT_ALLOW, nr, 0));
        for (size_t i = 0; check && i < check->count; i++) {
                struct scmp_arg_cmp all[6];
                unsigned n = 0;

                for (;; i++) {
                        const struct seccomp_test *t = &check->tests[i];

                        all[n++] = SCMP_CMP64(t->arg, SCMP_CMP_MASKED_EQ, t->mask, t->value);
                        if (!t->also)
                                break;
                }
                if (check->deny_match)
                        t_ok(seccomp_rule_add_array(deny, SCMP_ACT_ERRNO(1), nr, n, all));
                else
                        t_ok(seccomp_rule_add_array(allow, SCMP_ACT_ALLOW, nr, n, all));
        }
}

static void export_oracle(scmp_filter_ctx ctx, struct buf *to)
{
        FILE *f = tmpfile();

        t_true(f != NULL);
        *to = BUF_INIT(1U << 20);
        t_ok(seccomp_export_bpf(ctx, fileno(f)));
        t_true(lseek(fileno(f), 0, SEEK_SET) == 0);
        t_ok(buf_read_fd(to, fileno(f)));
        (void)fclose(f);
        seccomp_release(ctx);
}

static scmp_filter_ctx new_oracle(uint32_t action, enum seccomp_arch arch)
{
        static const uint32_t tokens[] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};
        scmp_filter_ctx ctx = seccomp_init(action);

        t_true(ctx != NULL);
        t_ok(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
        if (tokens[arch] != seccomp_arch_native()) {
                t_ok(seccomp_arch_add(ctx, tokens[arch]));
                t_ok(seccomp_arch_remove(ctx, seccomp_arch_native()));
        }
        return ctx;
}

static void compile_oracle(struct compare *c)
{
        scmp_filter_ctx allow = new_oracle(SCMP_ACT_ERRNO(EPERM), c->arch);
        scmp_filter_ctx deny = new_oracle(SCMP_ACT_ALLOW, c->arch);

        for (int nr = 0; nr <= seccomp_highest(c->arch); nr++) {
                const struct seccomp_rule *rule =
                        row_of(c->profile, c->caps, c->arch, (uint32_t)nr);

                if (rule)
                        add_to_oracle(rule, allow, deny);
        }
        export_oracle(allow, &c->oracle);
        export_oracle(deny, &c->oracle_denies);
}

static bool oracle_knows(const struct compare *c, uint32_t nr)
{
        const struct seccomp_rule *rule = row_of(c->profile, c->caps, c->arch, nr);

        return !rule || seccomp_syscall_resolve_name(rule->name) != __NR_SCMP_ERROR;
}

static void compare_with_oracle(const struct seccomp_data *data, void *arg)
{
        const struct compare *c = arg;
        uint32_t ours = run(&c->bpf, data);
        uint32_t theirs = run(&c->oracle, data);

        if (theirs == SECCOMP_RET_ALLOW)
                theirs = run(&c->oracle_denies, data);
        if (((ours == SECCOMP_RET_ALLOW) != (theirs == SECCOMP_RET_ALLOW) &&
             oracle_knows(c, (uint32_t)data->nr)) ||
            (ours == SECCOMP_RET_KILL_PROCESS) != (theirs == SECCOMP_RET_KILL_PROCESS)) {
                t_note("call %u args %#llx %#llx %#llx: %#x, libseccomp %#x", (uint32_t)data->nr,
                       (unsigned long long)data->args[0], (unsigned long long)data->args[1],
                       (unsigned long long)data->args[2], ours, theirs);
                t_true(false);
        }
}

TEST(libseccomp_agrees)
{
        for (unsigned arch = 0; arch < SECCOMP_ARCH_COUNT; arch++)
                for (size_t i = 0; i < 3; i++) {
                        struct compare c = {&seccomp_workload, caps_tried[i],
                                            (enum seccomp_arch)arch};
                        size_t ours, theirs;

                        compile(&c);
                        compile_oracle(&c);
                        for_each_call(c.arch, compare_with_oracle, &c);
                        (void)code_of(&c.bpf, &ours);
                        (void)code_of(&c.oracle, &theirs);
                        t_note("%s: %zu instructions, libseccomp's %zu",
                               arch == SECCOMP_X86_64 ? "x86-64" : "aarch64", ours, theirs);
                        t_true(ours <= INSNS_MAX);
                        buf_release(&c.bpf);
                        buf_release(&c.oracle);
                        buf_release(&c.oracle_denies);
                }
}

/* The comment of the table, as a table. */
TEST(what_is_left_out_is_refused_with_all_capabilities)
{
        static const char *const names[] = {
                "io_uring_setup",
                "io_uring_enter",
                "io_uring_register",
                "add_key",
                "request_key",
                "keyctl",
                "bpf",
                "perf_event_open",
                "userfaultfd",
                "open_by_handle_at",
                "pivot_root",
                "syslog",
                "modify_ldt",
                "init_module",
                "finit_module",
                "delete_module",
                "create_module",
                "kexec_load",
                "kexec_file_load",
                "swapon",
                "swapoff",
                "acct",
                "quotactl",
                "quotactl_fd",
                "settimeofday",
                "clock_settime",
                "iopl",
                "ioperm",
                "lookup_dcookie",
                "move_pages",
                "migrate_pages",
                "lsm_get_self_attr",
                "lsm_set_self_attr",
                "lsm_list_modules",
                "sysfs",
                "ustat",
                "uselib",
                "_sysctl",
                "nfsservctl",
        };

        for (unsigned arch = 0; arch < SECCOMP_ARCH_COUNT; arch++) {
                struct compare c = {&seccomp_workload, CAPS_ALL, (enum seccomp_arch)arch};

                compile(&c);
                for (size_t i = 0; i < ELEMENTS(names); i++) {
                        struct seccomp_data data = {.nr = seccomp_number(c.arch, names[i]),
                                                    .arch = audit_arch[arch]};

                        t_true(data.nr != -EINVAL);
                        if (data.nr < 0)
                                continue;
                        if (run(&c.bpf, &data) != (SECCOMP_RET_ERRNO | EPERM))
                                t_note("%s", names[i]);
                        t_true(run(&c.bpf, &data) == (SECCOMP_RET_ERRNO | EPERM));
                }
                buf_release(&c.bpf);
        }
}

TEST(unshare_and_mount_need_sys_admin)
{
        static const char *const names[] = {"unshare", "setns",   "mount",  "umount2",
                                            "fsopen",  "fsmount", "chroot", "reboot"};
        struct compare c = {&seccomp_workload,
                            CAPS_ALL & ~CAPS_BIT(CAP_SYS_ADMIN) & ~CAPS_BIT(CAP_SYS_CHROOT) &
                                    ~CAPS_BIT(CAP_SYS_BOOT),
                            SECCOMP_NATIVE};

        compile(&c);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                struct seccomp_data data = {.nr = seccomp_number(SECCOMP_NATIVE, names[i]),
                                            .arch = audit_arch[SECCOMP_NATIVE]};

                t_true(data.nr >= 0);
                t_true(run(&c.bpf, &data) == (SECCOMP_RET_ERRNO | EPERM));
        }
        buf_release(&c.bpf);
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
        random_state = random_state * 6364136223846793005U + 1442695040888963407U;
        return (uint32_t)(random_state >> 33) % n;
}

/* Any table, also one whose jumps do not fit into 8 bits. */
TEST(random_profiles_do_what_they_say)
{
        static struct seccomp_test tests[40][6];
        static struct seccomp_check checks[20];
        static struct seccomp_rule rules[300];
        size_t calls_count, largest = 0;
        const struct seccomp_call *calls = seccomp_calls(&calls_count);

        random_state = t_seed();
        for (int round = 0; round < 30; round++) {
                struct seccomp_profile profile = {.rules = rules};
                struct compare c = {&profile, 0, (enum seccomp_arch)(round % 2)};
                size_t insns;

                for (size_t i = 0; i < ELEMENTS(checks); i++) {
                        checks[i] = (struct seccomp_check){tests[i], 1 + random_below(6),
                                                           random_below(2),
                                                           (uint16_t)(1 + random_below(40))};
                        for (size_t j = 0; j < checks[i].count; j++)
                                tests[i][j] = (struct seccomp_test){
                                        (uint8_t)random_below(2),
                                        random_below(2) ? UINT32_MAX : 0x10000001,
                                        (uint32_t)argument_values[random_below(16)],
                                        j + 1 < checks[i].count && random_below(3) == 0};
                }
                profile.count = random_below(ELEMENTS(rules));
                for (size_t i = 0; i < profile.count; i++)
                        rules[i] = (struct seccomp_rule){
                                calls[random_below((uint32_t)calls_count)].name, SECCOMP_ALWAYS,
                                random_below(3) ? NULL : &checks[random_below(ELEMENTS(checks))],
                                random_below(9) ? 0 : ENOSYS};
                compile(&c);
                (void)code_of(&c.bpf, &insns);
                largest = insns > largest ? insns : largest;
                for_each_call(c.arch, compare_with_rows, &c);
                buf_release(&c.bpf);
        }
        t_note("largest: %zu instructions", largest);
        t_true(largest > 300); /* so the far jumps were there */
}

TEST(refuses_a_name_that_nobody_knows)
{
        static const struct seccomp_rule rules[] = {
                {"read", SECCOMP_ALWAYS},
                {"raed", SECCOMP_ALWAYS},
        };
        const struct seccomp_profile profile = {.rules = rules, .count = 2};
        struct buf bpf = BUF_INIT(SECCOMP_BPF_BYTES);
        struct coffer_error err = {0};

        t_errno(EINVAL, seccomp_compile(&profile, 0, SECCOMP_NATIVE, &bpf, &err));
        t_has("'raed'", err.msg);
        t_int(0, (int64_t)bpf.size);
}

TEST(survives_every_failed_allocation)
{
        for (unsigned n = 1;; n++) {
                struct buf bpf = BUF_INIT(SECCOMP_BPF_BYTES);
                int r;

                fault_arm(n);
                r = seccomp_compile(&seccomp_workload, 0, SECCOMP_NATIVE, &bpf, NULL);
                if (!fault_disarm()) {
                        t_ok(r);
                        buf_release(&bpf);
                        break;
                }
                t_errno(ENOMEM, r);
                buf_release(&bpf);
        }
}

/* The kernel's turn. */

static struct buf native;

static void compile_native(void)
{
        native = BUF_INIT(SECCOMP_BPF_BYTES);
        t_ok(seccomp_compile(&seccomp_workload, 0, SECCOMP_NATIVE, &native, NULL));
}

static int install(void)
{
        struct coffer_error err = {0};

        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (seccomp_install(native.data, native.size, &err) == 0)
                return 0;
        (void)fprintf(stderr, "# %s\n", err.msg);
        return -1;
}

#define FAILS(code, ...) (errno = 0, syscall(__VA_ARGS__) == -1 && errno == (code))

static int calls_for_real(void)
{
        int pair[2], status;
        pid_t pid;

        NEED(install() == 0);
        NEED(getpid() > 0);
        NEED(FAILS(EAFNOSUPPORT, SYS_socket, AF_VSOCK, SOCK_STREAM, 0));
        NEED(FAILS(EAFNOSUPPORT, SYS_socket, AF_PACKET, SOCK_RAW, 0));
        NEED(FAILS(EAFNOSUPPORT, SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
        NEED(FAILS(EAFNOSUPPORT, SYS_socket, 0x100000000 | AF_VSOCK, SOCK_STREAM, 0));
        NEED(FAILS(EAFNOSUPPORT, SYS_socket, AF_NETLINK, SOCK_RAW, 9)); /* audit */
        NEED(FAILS(EAFNOSUPPORT, SYS_socketpair, AF_TIPC, SOCK_STREAM, 0, pair));
        NEED(syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0) >= 0);
        NEED(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0);
        NEED(syscall(SYS_socket, AF_INET6, SOCK_DGRAM, 0) >= 0);
        NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        NEED(FAILS(EPERM, SYS_unshare, 0x10000000));
        NEED(FAILS(EPERM, SYS_unshare, 0));
        NEED(FAILS(EPERM, SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0));
        NEED(FAILS(ENOSYS, SYS_clone3, NULL, 0));
        NEED(FAILS(EPERM, SYS_ioctl, 0, 0x5412, "x"));
        NEED(FAILS(EPERM, SYS_ioctl, 0, 0xabcdef0000005412, "x"));
        NEED(FAILS(EPERM, SYS_ioctl, 0, 0x541c, "x"));
        NEED(!FAILS(EPERM, SYS_ioctl, 0, FIONREAD, &status));
        NEED(FAILS(EPERM, 425, 8, NULL)); /* io_uring_setup */
        NEED(FAILS(EPERM, SYS_keyctl, 0, 0, 0, 0, 0));
        NEED(FAILS(EPERM, SYS_bpf, 0, NULL, 0));
        NEED(FAILS(ENOSYS, 999));
        NEED(FAILS(ENOSYS, -1));
        NEED(personality(0xffffffff) >= 0);
        NEED(personality(ADDR_NO_RANDOMIZE) >= 0);
        NEED(personality(READ_IMPLIES_EXEC) < 0 && errno == EPERM);
        NEED(FAILS(EPERM, SYS_prctl, 35, 0, 0, 0, 0));          /* PR_SET_MM */
        NEED(FAILS(EPERM, SYS_prctl, 0x10000003e, 0, 0, 0, 0)); /* PR_SCHED_CORE, high bits */
        NEED(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) >= 0);
        pid = fork(); /* libc's way still works */
        if (pid == 0)
                _exit(7);
        NEED(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
        return 0;
}

TEST(the_kernel_agrees)
{
        compile_native();
        t_child(calls_for_real);
        buf_release(&native);
}

#if defined(__x86_64__)
static int call_x32(void)
{
        NEED(install() == 0);
        (void)syscall(X32 + SYS_getpid);
        return 0;
}

static int call_i386(void)
{
        long r;

        (void)signal(SIGSEGV, SIG_DFL); /* cmocka's would end this as if nothing were */
        NEED(install() == 0);
        __asm__ volatile("int $0x80" : "=a"(r) : "a"(20 /* getpid */) : "memory");
        return r > 0 ? 0 : 1;
}

TEST(the_kernel_kills_foreign_entries)
{
        int status;

        compile_native();
        status = child_status(call_x32);
        t_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        status = child_status(call_i386);
        t_true(WIFSIGNALED(status)); /* SIGSEGV where the kernel has no i386 entry at all */
        buf_release(&native);
}
#endif

static int install_timed(void)
{
        struct timespec from, to;

        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        NEED(seccomp_install(native.data, native.size, NULL) == 0);
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        (void)fprintf(stderr, "# %zu instructions, installed in %ld us\n",
                      native.size / sizeof(struct sock_filter),
                      (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
        return 0;
}

TEST(is_small_and_quick_to_install)
{
        compile_native();
        t_true(native.size / sizeof(struct sock_filter) <= INSNS_MAX);
        for (int i = 0; i < 3; i++)
                t_child(install_timed);
        buf_release(&native);
}

static int install_rubbish(void)
{
        static const struct sock_filter endless[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        };
        struct coffer_error err = {0};

        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        NEED(seccomp_install(native.data, 0, &err) == -EINVAL);
        NEED(seccomp_install(native.data, 9, &err) == -EINVAL);
        NEED(seccomp_install(native.data, SECCOMP_BPF_BYTES + 8, &err) == -EINVAL);
        NEED(seccomp_install(endless, sizeof(endless), &err) == -EINVAL);
        NEED(err.kind == COFFER_ERROR_CONTROL && strncmp(err.msg, "seccomp: ", 9) == 0);
        NEED(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
        return 0;
}

TEST(what_is_not_a_filter_is_refused)
{
        compile_native();
        t_child(install_rubbish);
        buf_release(&native);
}
