/* SPDX-License-Identifier: Apache-2.0 */

/*
 * In a box: makes every system call, and compares what the box's filter does with the rows of
 * src/sandbox/seccomp-workload.c.
 *
 * An EPERM of the filter looks like one of the kernel, so answers alone prove nothing.  A child
 * puts a second filter on itself that says "ask the tracer" to everything.  The kernel runs all
 * filters and takes the strictest answer, and both "errno" and "kill" are stricter than "ask": so
 * the tracer, which is us, hears of exactly those calls that the box's filter lets through, from
 * the kernel and by name of our filter; and has each of them skipped with an answer that no filter
 * gives.  A call that comes back without us having been asked was answered by the box's filter.
 * None is ever carried out, so all numbers can be tried with any arguments, also outside a box.
 */

#include <errno.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/str.h>
#include <sandbox/seccomp-numbers.h>
#include <sandbox/seccomp.h>
#include <sandbox/test-seccomp-rows.h>

#define CASES_MAX 20000
#define OUR_MARK  0xc0f  /* our filter's word to its tracer */
#define SKIPPED   0x5afe /* what a skipped call returns; no filter answers so */
#define ERRNO_MAX 4095
#define WRONG_MAX 30 /* so many are told one by one */

/* How a call ended, beside SECCOMP_RET_ALLOW, _ERRNO | errno and _KILL_PROCESS. */
#define UNTRIED  0x10001U
#define ODD      0x10002U /* an answer that nobody gives */
#define ENDED_BY 0x10100U /* | signal */
#define NO_ENTRY (ENDED_BY | SIGSEGV)

struct call_case {
        struct seccomp_data data;
        bool by_int80;
        uint32_t want;
        uint32_t got;
};

static struct {
        struct call_case cases[CASES_MAX];
        size_t count;
        size_t at;     /* the child's: which one it makes */
        long returned; /* the child's */
        bool asked;    /* the tracer's: of the one at hand */
        bool ready;    /* the child's: its filter is there */
} * m;

/* ------------------------------------------------------------------------------ the cases */

static void add_case(const struct seccomp_data *data, bool by_int80, uint32_t want)
{
        if (m->count == CASES_MAX) {
                fprintf(stderr, "matrix: more cases than CASES_MAX\n");
                exit(2);
        }
        m->cases[m->count++] = (struct call_case){
                .data = *data, .by_int80 = by_int80, .want = want, .got = UNTRIED};
}

static void add_native(const struct seccomp_data *data, void *arg)
{
        const uint64_t *caps = arg;

        add_case(data, false, expected(&seccomp_workload, *caps, SECCOMP_NATIVE, data));
}

static void add_cases(uint64_t caps)
{
        for_each_call(SECCOMP_NATIVE, add_native, &caps);
#ifdef __x86_64__
        for (uint32_t nr = 0; nr < NUMBERS_TRIED; nr++) {
                struct seccomp_data data = {.nr = (int)(X32 | nr), .arch = AUDIT_ARCH_X86_64};

                add_native(&data, &caps);
        }
        for (uint32_t nr = 0; nr < NUMBERS_TRIED; nr++) {
                struct seccomp_data data = {.nr = (int)nr, .arch = AUDIT_ARCH_I386};

                add_case(&data, true, expected(&seccomp_workload, caps, SECCOMP_NATIVE, &data));
        }
#endif
}

/* ------------------------------------------------------------------------------ the child */

static long call_int80(long nr)
{
#ifdef __x86_64__
        long answer = nr;

        __asm__ volatile("int $0x80"
                         : "+a"(answer)
                         : "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
                         : "memory", "r8", "r9", "r10", "r11");
        return answer;
#else
        return -ENOSYS;
#endif
}

static long make_call(const struct call_case *c)
{
        const uint64_t *a = (const uint64_t *)(const void *)c->data.args;
        long r;

        if (c->by_int80)
                return call_int80(c->data.nr);
        r = syscall(c->data.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        return r == -1 ? -errno : r;
}

static uint32_t how_it_returned(void)
{
        if (m->asked)
                return m->returned == SKIPPED ? SECCOMP_RET_ALLOW : ODD;
        return m->returned < 0 && m->returned >= -ERRNO_MAX
                       ? SECCOMP_RET_ERRNO | (uint32_t)-m->returned
                       : ODD;
}

/* From here on every system call of the child is a case, until none is left. */
_Noreturn static void child(size_t from)
{
        struct sock_filter ask[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | OUR_MARK)};
        struct sock_fprog program = {1, ask};

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) < 0 || raise(SIGSTOP) != 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                _exit(1);
        m->ready = true;
        for (m->at = from; m->at < m->count; m->at++) {
                struct call_case *c = &m->cases[m->at];

                m->asked = false;
                m->returned = make_call(c);
                c->got = how_it_returned();
        }
        _exit(0);
}

/* ----------------------------------------------------------------------------- the tracer */

static bool trace(long request, pid_t pid, long addr, void *data)
{
        return syscall(SYS_ptrace, request, pid, addr, data) >= 0;
}

/* The call is not made, and returns SKIPPED. */
static bool skip_call(pid_t pid)
{
        struct iovec part;
#ifdef __x86_64__
        struct user_regs_struct regs;

        part = (struct iovec){&regs, sizeof(regs)};
        if (!trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part))
                return false;
        regs.orig_rax = (unsigned long long)-1;
        regs.rax = SKIPPED;
        return trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
#else
        struct user_regs_struct regs;
        int nr = -1;

        part = (struct iovec){&nr, sizeof(nr)};
        if (!trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part))
                return false;
        part = (struct iovec){&regs, sizeof(regs)};
        if (!trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part))
                return false;
        regs.regs[0] = SKIPPED;
        return trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
#endif
}

/* Our filter asks; its own word, so that no other event is taken for it. */
static bool asked(pid_t pid)
{
        unsigned long mark = 0;

        if (!trace(PTRACE_GETEVENTMSG, pid, 0, &mark) || mark != OUR_MARK || !m->ready)
                return false;
        if (m->at == m->count)
                return true; /* its exit */
        m->asked = true;
        return skip_call(pid);
}

/* Until it ends: its wait status, or -1 when tracing failed. */
static int follow(pid_t pid)
{
        int status, signal;

        for (;;) {
                if (waitpid(pid, &status, 0) != pid)
                        return -1;
                if (WIFEXITED(status) || WIFSIGNALED(status))
                        return status;
                signal = WSTOPSIG(status);
                if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
                        signal = 0;
                        if (!asked(pid))
                                return -1;
                } else if (signal == SIGSTOP) {
                        signal = 0;
                        if (!trace(PTRACE_SETOPTIONS, pid, 0,
                                   (void *)(PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)))
                                return -1;
                }
                if (!trace(PTRACE_CONT, pid, 0, (void *)(long)signal))
                        return -1;
        }
}

static uint32_t how_it_died(int status)
{
        if (m->asked || !WIFSIGNALED(status))
                return ODD;
        return WTERMSIG(status) == SIGSYS ? SECCOMP_RET_KILL_PROCESS
                                          : ENDED_BY | (uint32_t)WTERMSIG(status);
}

/* A child goes through the cases until one kills it; the next child goes on behind that. */
static bool make_all(void)
{
        for (size_t from = 0; from < m->count; from = m->at + 1) {
                pid_t pid;
                int status;

                m->ready = false;
                m->at = from;
                pid = fork();
                if (pid == 0)
                        child(from);
                status = pid < 0 ? -1 : follow(pid);
                if (status == -1 || !m->ready) {
                        (void)fprintf(stderr, "matrix: cannot trace a child: %s\n",
                                      strerror(errno));
                        return false;
                }
                if (m->at == m->count)
                        break;
                m->cases[m->at].got = how_it_died(status);
        }
        return true;
}

/* ----------------------------------------------------------------------------- the report */

static const char *ending(uint32_t how, char *text, size_t size)
{
        if (how == SECCOMP_RET_ALLOW)
                return "reaches the kernel";
        if (how == SECCOMP_RET_KILL_PROCESS)
                return "killed";
        if ((how & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
                (void)snprintf(text, size, "refused: %s", strerror((int)(how & SECCOMP_RET_DATA)));
        else if ((how & ENDED_BY) == ENDED_BY)
                (void)snprintf(text, size, "ended by signal %u", how & 0xff);
        else
                (void)snprintf(text, size, "%s", how == UNTRIED ? "was not tried" : "odd answer");
        return text;
}

static const char *call_name(const struct seccomp_data *data)
{
        size_t count;
        const struct seccomp_call *calls = seccomp_calls(&count);

        for (size_t i = 0; data->arch == audit_arch[SECCOMP_NATIVE] && i < count; i++)
                if (calls[i].number[SECCOMP_NATIVE] == data->nr)
                        return calls[i].name;
        return "?";
}

static void tell_wrong(const struct call_case *c)
{
        char is[64], should[64];

        printf("WRONG %s %#x (%s) with %#llx, %#llx, %#llx: %s; the table: %s\n",
               c->by_int80 ? "i386" : "call", (unsigned)c->data.nr, call_name(&c->data),
               (unsigned long long)c->data.args[0], (unsigned long long)c->data.args[1],
               (unsigned long long)c->data.args[2], ending(c->got, is, sizeof(is)),
               ending(c->want, should, sizeof(should)));
}

/*
 * What no filter is asked about: the kernel keeps its trampolines for probes to itself (uretprobe
 * since 6.14, uprobe since 6.18), and answers who did not come by one; and an i386 entry that the
 * kernel was built without.
 */
static bool is_past_filters(const struct call_case *c, bool has_i386)
{
        if (c->by_int80)
                return !has_i386 && c->got == NO_ENTRY;
        if (c->want != SECCOMP_RET_ALLOW)
                return false;
        return (c->data.nr == seccomp_number(SECCOMP_NATIVE, "uretprobe") &&
                c->got == (ENDED_BY | SIGILL)) ||
               (c->data.nr == seccomp_number(SECCOMP_NATIVE, "uprobe") &&
                c->got == (SECCOMP_RET_ERRNO | ENXIO));
}

static int report(bool has_i386)
{
        size_t wrong = 0, reach = 0, refused = 0, killed = 0, past = 0;

        for (size_t i = 0; i < m->count; i++) {
                struct call_case *c = &m->cases[i];

                if (is_past_filters(c, has_i386)) {
                        past++;
                        continue;
                }
                reach += c->got == SECCOMP_RET_ALLOW;
                refused += (c->got & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
                killed += c->got == SECCOMP_RET_KILL_PROCESS;
                if (c->got != c->want && ++wrong <= WRONG_MAX)
                        tell_wrong(c);
        }
        printf("matrix: %zu calls compared, %zu wrong: %zu reach the kernel, %zu refused, "
               "%zu killed; %zu that this kernel shows no filter\n",
               m->count - past, wrong, reach, refused, killed, past);
        return wrong > 0 ? 1 : 0;
}

/* Has this kernel the 32-bit entry at all?  Asked outside a box, where no filter is. */
static int i386_main(void)
{
        int status = 1;
        pid_t pid = fork();

        if (pid == 0)
                _exit(call_int80(20 /* getpid */) > 0 ? 0 : 1);
        return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
        bool has_i386;

        if (argc == 2 && str_eq(argv[1], "i386"))
                return i386_main();
        if (argc == 2 && str_eq(argv[1], "hold"))
                return pause();
        if (argc != 3) {
                (void)fprintf(stderr,
                              "usage: matrix CAPS i386|no-i386  in a box whose root keeps CAPS\n"
                              "       matrix i386               outside: is there such an entry?\n"
                              "       matrix hold               wait\n");
                return 2;
        }
        has_i386 = str_eq(argv[2], "i386");
        m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED) {
                fprintf(stderr, "matrix: no memory\n");
                return 2;
        }
        add_cases(strtoull(argv[1], NULL, 16));
        (void)fflush(NULL);
        return make_all() ? report(has_i386) : 2;
}
