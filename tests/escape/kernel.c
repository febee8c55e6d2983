/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel itself: its knobs in /proc and /sys, and the system calls that the filter leaves out.
 * Arguments are such that the kernel looks at the caller's rights first and then has nothing to do.
 */

#include "attack.h"

#include <base/str.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>

/* Knobs that everybody may write where they are not read-only: they reach the caller only. */
static bool try_knob(const char *path, mode_t mode, void *data)
{
        return S_ISREG(mode) && sweep_add(data, open_and_close(path, O_WRONLY), path);
}

static int write_below(struct attempt *a)
{
        struct sweep s = SWEEP(a);

        (void)walk(a->attack->arg, 8, try_knob, &s);
        return sweep_end(&s);
}

static bool is_cgroup(const struct mount *m)
{
        return str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2");
}

static int write_cgroup(struct attempt *a)
{
        static struct mount mounts[MOUNTS_MAX];
        struct sweep s = SWEEP(a);
        int count = mounts_read(mounts, ELEMENTS(mounts));

        if (count < 0)
                return attempt_say(a, NOTHING, "mountinfo: %s", ending_name(count));
        for (int i = 0; i < count; i++)
                if (is_cgroup(&mounts[i]) && walk(mounts[i].point, 1, try_knob, &s))
                        break;
        return sweep_end(&s);
}

/* A masked file is empty, a masked directory has no entries. */
static bool shows_something(const char *path)
{
        char byte;
        struct stat st;
        ssize_t n;
        int fd;

        if (stat(path, &st) < 0)
                return false;
        if (S_ISDIR(st.st_mode))
                return st.st_nlink > 2 || open_and_close(path, O_RDONLY | O_DIRECTORY) < 0;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return false;
        n = read(fd, &byte, 1);
        (void)close(fd);
        return n > 0;
}

static bool any_entry(const char *path, mode_t mode, void *data)
{
        return true;
}

static int masked_paths(struct attempt *a)
{
        static const char *const paths[] = {
                "/proc/kcore",       "/proc/keys",        "/proc/timer_list", "/proc/latency_stats",
                "/proc/sched_debug", "/proc/timer_stats", "/proc/kpageflags", "/proc/kpagecount",
        };
        static const char *const dirs[] = {"/proc/acpi", "/proc/scsi", "/proc/asound",
                                           "/sys/firmware", "/sys/devices/virtual/powercap"};

        for (size_t i = 0; i < ELEMENTS(paths); i++)
                if (shows_something(paths[i]))
                        return attempt_say(a, DONE, "%s", paths[i]);
        for (size_t i = 0; i < ELEMENTS(dirs); i++)
                if (walk(dirs[i], 1, any_entry, NULL))
                        return attempt_say(a, DONE, "%s", dirs[i]);
        return HELD;
}

/* Addresses of the kernel, all zero for those who may not know them. */
static int kernel_symbols(struct attempt *a)
{
        char text[4096];
        ssize_t n = read_text("/proc/kallsyms", text, sizeof(text));

        if (n < 0)
                return (int)n;
        for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strtoull(line, NULL, 16) != 0)
                        return attempt_say(a, DONE, "%.16s", line);
        }
        return HELD;
}

static union bpf_attr array_map = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
static struct perf_event_attr cpu_clock = {.type = PERF_TYPE_SOFTWARE,
                                           .size = sizeof(cpu_clock),
                                           .config = PERF_COUNT_SW_CPU_CLOCK,
                                           .exclude_kernel = 1,
                                           .exclude_hv = 1};
static struct io_uring_params ring;
static struct timex no_offset = {.modes = ADJ_SETOFFSET};
static char log_text[64];
static unsigned long lsm_ids[64];
static unsigned lsm_size = sizeof(lsm_ids);

#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461 /* newer than Debian 12's headers; the same everywhere */
#endif
#define USER_MODE_ONLY        1
#define PROCESS_KEYRING       (-2)
#define SESSION_KEYRING_JOIN  1
#define KEYRING_ID            0
#define USER_KEYRING          (-4)
#define READ_IMPLIES_EXEC_BIT 0x0400000
#define CORE_SCHEDULING       62 /* PR_SCHED_CORE; not in musl 1.2.3 */
#define LOG_READ_ALL          3
#define REPORT_FID            0x200

CALL_ROW(add_key_call, SYS_add_key, 0, 0, (long)"user", (long)"escape", (long)"x", 1,
         PROCESS_KEYRING);
CALL_ROW(request_key_call, SYS_request_key, ENOKEY, 0, (long)"user", (long)"escape", 0, 0);
CALL_ROW(keyctl_join_call, SYS_keyctl, 0, 0, SESSION_KEYRING_JOIN, 0);
CALL_ROW(keyctl_user_call, SYS_keyctl, 0, 0, KEYRING_ID, USER_KEYRING, 1);
CALL_ROW(bpf_call, SYS_bpf, 0, 0, BPF_MAP_CREATE, (long)&array_map, sizeof(array_map));
CALL_ROW(perf_call, SYS_perf_event_open, 0, 0, (long)&cpu_clock, 0, -1, -1, 0);
CALL_ROW(userfaultfd_call, SYS_userfaultfd, 0, 0, USER_MODE_ONLY);
CALL_ROW(io_uring_call, SYS_io_uring_setup, 0, 0, 1, (long)&ring);
CALL_ROW(kexec_call, SYS_kexec_load, EINVAL, 0, 0, 0, 0, -1);
CALL_ROW(kexec_file_call, SYS_kexec_file_load, EBADF, 0, -1, -1, 0, 0, 0);
CALL_ROW(init_module_call, SYS_init_module, ENOEXEC, EFAULT, 0, 0, (long)"");
CALL_ROW(finit_module_call, SYS_finit_module, EBADF, 0, -1, (long)"", 0);
CALL_ROW(delete_module_call, SYS_delete_module, ENOENT, 0, (long)"escape", 0);
CALL_ROW(swapon_call, SYS_swapon, ENOENT, 0, (long)"/escape-absent", 0);
CALL_ROW(swapoff_call, SYS_swapoff, ENOENT, 0, (long)"/escape-absent");
CALL_ROW(quotactl_call, SYS_quotactl, ENOENT, ENODEV, 0x80000200, (long)"/escape-absent", 0, 0);
CALL_ROW(acct_call, SYS_acct, ENOENT, 0, (long)"/escape-absent");
CALL_ROW(settimeofday_call, SYS_settimeofday, 0, 0, 0, 0);
CALL_ROW(clock_settime_call, SYS_clock_settime, EINVAL, EFAULT, 0, 0);
CALL_ROW(adjtimex_call, SYS_adjtimex, 0, 0, (long)&no_offset);
CALL_ROW(reboot_call, SYS_reboot, EINVAL, 0, 0, 0, 0, 0);
CALL_ROW(syslog_call, SYS_syslog, 0, 0, LOG_READ_ALL, (long)log_text, sizeof(log_text));
CALL_ROW(fanotify_call, SYS_fanotify_init, 0, 0, FAN_CLASS_NOTIF | REPORT_FID, O_RDONLY);
CALL_ROW(personality_call, SYS_personality, 0, 0, READ_IMPLIES_EXEC_BIT);
CALL_ROW(prctl_map_call, SYS_prctl, EINVAL, 0, PR_SET_MM, PR_SET_MM_MAP_SIZE, (long)log_text);
CALL_ROW(prctl_map_high_call, SYS_prctl, EINVAL, 0, 0x100000000 | PR_SET_MM, PR_SET_MM_MAP_SIZE,
         (long)log_text);
CALL_ROW(prctl_core_call, SYS_prctl, EINVAL, ENODEV, CORE_SCHEDULING, 1, 0, 0, 0);
CALL_ROW(vhangup_call, SYS_vhangup, 0, 0, 0);
CALL_ROW(move_pages_call, SYS_move_pages, 0, 0, 0, 0, 0, 0, 0, 0);
CALL_ROW(migrate_pages_call, SYS_migrate_pages, EINVAL, 0, 0, 0, 0, 0);
CALL_ROW(mempolicy_call, SYS_get_mempolicy, 0, 0, 0, 0, 0, 0, 0);
CALL_ROW(lsm_list_call, SYS_lsm_list_modules, E2BIG, EFAULT, (long)lsm_ids, (long)&lsm_size, 0);
#ifdef __x86_64__
CALL_ROW(ldt_call, SYS_modify_ldt, 0, 0, 0, (long)log_text, sizeof(log_text));
CALL_ROW(sysfs_call, SYS_sysfs, 0, 0, 3);
CALL_ROW(ustat_call, SYS_ustat, EINVAL, EFAULT, 0, 0);
CALL_ROW(iopl_call, SYS_iopl, 0, 0, 3);
CALL_ROW(ioperm_call, SYS_ioperm, 0, 0, 0x80, 1, 1);
#endif

/* shocker: a handle, made or guessed, opens a file that no mount of the box shows. */
static int open_by_handle(struct attempt *a)
{
        struct {
                struct file_handle head;
                char bytes[128];
        } handle = {.head = {.handle_bytes = sizeof(handle.bytes)}};
        int mount_id = 0;
        int dir_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (dir_fd < 0)
                return -errno;
        if (syscall(SYS_name_to_handle_at, dir_fd, "", &handle, &mount_id, AT_EMPTY_PATH) < 0)
                handle.head = (struct file_handle){.handle_bytes = 8, .handle_type = 1};
        r = syscall(SYS_open_by_handle_at, dir_fd, &handle, O_RDONLY) < 0 ? -errno : DONE;
        (void)close(dir_fd);
        return r;
}

#ifdef __x86_64__
#define X32_BIT         0x40000000
#define I386_GETPID     20
#define I386_SOCKETCALL 102

/* The filter's numbers are x86-64's: any other table of numbers would walk past it. */
static int x32_call(struct attempt *a)
{
        return syscall(X32_BIT | SYS_getpid) < 0 ? -errno : DONE;
}

/* A kernel that was built without the entry answers with SIGSEGV. */
static sigjmp_buf no_entry;

static void on_no_entry(int signal)
{
        siglongjmp(no_entry, 1);
}

static long int80(long nr)
{
        long r = nr;

        __asm__ volatile("int $0x80"
                         : "+a"(r)
                         : "b"(0L), "c"(0L)
                         : "memory", "r8", "r9", "r10", "r11");
        return r;
}

static int try_int80(struct attempt *a, long nr, long *ret_answer)
{
        struct sigaction action = {.sa_handler = on_no_entry};

        if (sigsetjmp(no_entry, 1) != 0)
                return attempt_say(a, NOTHING, "no i386 entry in this kernel");
        if (sigaction(SIGSEGV, &action, NULL) < 0)
                return attempt_say(a, NOTHING, "sigaction: %s", ending_name(-errno));
        *ret_answer = int80(nr);
        return 0;
}

static int i386_call(struct attempt *a)
{
        long answer = 0;
        int r = try_int80(a, I386_GETPID, &answer);

        return r != 0 ? r : answer < 0 ? (int)answer : DONE;
}

static int i386_socketcall(struct attempt *a)
{
        long answer = 0;
        int r = try_int80(a, I386_SOCKETCALL, &answer);

        if (r != 0)
                return r;
        return answer == -EINVAL ? attempt_say(a, DONE, "let in") : (int)answer;
}
#endif

static int seccomp_off(struct attempt *a)
{
        char mode[16];
        int r = status_field("Seccomp", mode, sizeof(mode));

        if (r < 0)
                return r;
        return str_eq(mode, "2") ? HELD : attempt_say(a, DONE, "mode %s", mode);
}

/* Hanging up is for one's own session: nobody's terminal is ours to end. */
static int arrange_session(void)
{
        return setsid() < 0 ? -errno : 0;
}

#define KNOB -EROFS, -EACCES, -EPERM, -ENOENT
#define CALL(name, trick, what, row) \
        ATTACK(name, trick, what, "seccomp", try_call, row, PLAIN, NULL, -EPERM)

const struct attack kernel_attacks[] = {
        ATTACK("proc-sys", "sysctl", "opens every file of /proc/sys for writing",
               "read-only /proc/sys, user namespace", write_below, "/proc/sys", PLAIN, NULL, KNOB),
        ATTACK("core-pattern", "core_pattern", "names a program that the host runs on a crash",
               "read-only /proc/sys, user namespace", try_write, "/proc/sys/kernel/core_pattern",
               PLAIN, NULL, KNOB),
        ATTACK("modprobe", "modprobe_path", "names a program that the kernel runs as root",
               "read-only /proc/sys, user namespace", try_write, "/proc/sys/kernel/modprobe", PLAIN,
               NULL, KNOB),
        ATTACK("binfmt-misc", "binfmt_misc", "names an interpreter that the host runs",
               "read-only /proc/sys, user namespace", try_write,
               "/proc/sys/fs/binfmt_misc/register", PLAIN, NULL, KNOB),
        ATTACK("overcommit", "vm.*", "changes how the host's memory is given out",
               "read-only /proc/sys, user namespace", try_write, "/proc/sys/vm/overcommit_memory",
               PLAIN, NULL, KNOB),
        ATTACK("sysrq", "sysrq-trigger", "reboots or crashes the host", "read-only, user namespace",
               try_write, "/proc/sysrq-trigger", PLAIN, NULL, KNOB),
        ATTACK("sys", "sysfs", "opens every file of /sys for writing", "read-only /sys",
               write_below, "/sys", PLAIN, NULL, -EROFS, -EACCES, -EPERM, HELD),
        ATTACK("uevent-helper", "uevent_helper", "names a program that the kernel runs as root",
               "read-only /sys", try_write, "/sys/kernel/uevent_helper", PLAIN, NULL, KNOB),
        ATTACK("cgroup", "CVE-2022-0492", "writes limits, release_agent or cgroup.procs",
               "no cgroup mount, or read-only", write_cgroup, NULL, PLAIN, NULL, HELD, -EROFS,
               -EACCES, -EPERM),
        ATTACK("kcore", "/proc/kcore", "reads the kernel's memory", "masked, user namespace",
               masked_paths, NULL, PLAIN, NULL, HELD),
        ATTACK("kallsyms", "/proc/kallsyms", "learns where the kernel lies", "masked",
               kernel_symbols, NULL, PLAIN, NULL, HELD, -ENOENT, -EACCES, -EPERM),
        CALL("add-key", "keyrings", "adds a key: keyrings have no namespace", &add_key_call),
        CALL("request-key", "keyrings", "asks the host for a key", &request_key_call),
        CALL("join-session", "keyrings", "joins a session keyring", &keyctl_join_call),
        CALL("user-keyring", "keyrings", "reaches the user's keyring", &keyctl_user_call),
        CALL("bpf", "bpf(2)", "makes a map", &bpf_call),
        CALL("perf", "perf_event_open(2)", "counts events of a process", &perf_call),
        CALL("userfaultfd", "userfaultfd(2)", "stops the kernel in a copy", &userfaultfd_call),
        CALL("io-uring", "io_uring", "makes a ring that walks past the filter", &io_uring_call),
        ATTACK("open-by-handle", "shocker", "opens a file by its handle", "seccomp", open_by_handle,
               NULL, PLAIN, NULL, -EPERM),
        CALL("kexec", "kexec_load(2)", "loads another kernel", &kexec_call),
        CALL("kexec-file", "kexec_file_load(2)", "loads another kernel", &kexec_file_call),
        CALL("init-module", "init_module(2)", "loads a module", &init_module_call),
        CALL("finit-module", "finit_module(2)", "loads a module", &finit_module_call),
        CALL("delete-module", "delete_module(2)", "removes a module", &delete_module_call),
        CALL("swapon", "swapon(2)", "adds swap", &swapon_call),
        CALL("swapoff", "swapoff(2)", "takes swap away", &swapoff_call),
        CALL("quotactl", "quotactl(2)", "turns quotas on", &quotactl_call),
        CALL("acct", "acct(2)", "records what the host runs", &acct_call),
        CALL("settimeofday", "settimeofday(2)", "sets the clock", &settimeofday_call),
        CALL("clock-settime", "clock_settime(2)", "sets the clock", &clock_settime_call),
        ATTACK("adjtimex", "adjtimex(2)", "shifts the clock", "no CAP_SYS_TIME", try_call,
               &adjtimex_call, PLAIN, NULL, -EPERM),
        CALL("move-pages", "move_pages(2)", "places another process' memory", &move_pages_call),
        CALL("migrate-pages", "migrate_pages(2)", "places another process' memory",
             &migrate_pages_call),
        CALL("mempolicy", "get_mempolicy(2)", "asks where memory lies", &mempolicy_call),
        CALL("lsm-list", "lsm_list_modules(2)", "asks for the host's policies", &lsm_list_call),
        ATTACK("reboot", "reboot(2)", "reboots", "seccomp", try_call, &reboot_call, FRESH, NULL,
               -EPERM),
        CALL("syslog", "syslog(2)", "reads the kernel's log", &syslog_call),
        CALL("fanotify", "fanotify_init(2)", "watches a whole file system", &fanotify_call),
        CALL("personality", "READ_IMPLIES_EXEC", "makes all its memory executable",
             &personality_call),
        CALL("memory-map", "PR_SET_MM", "moves what the host reads as its command line",
             &prctl_map_call),
        CALL("memory-map-high", "CVE-2019-10063's class",
             "the same with a bit above the option's 32", &prctl_map_high_call),
        CALL("core-scheduling", "PR_SCHED_CORE", "keeps the neighbours off its processor",
             &prctl_core_call),
        ATTACK("vhangup", "vhangup(2)", "hangs up a terminal", "seccomp", try_call, &vhangup_call,
               FRESH, arrange_session, -EPERM),
#ifdef __x86_64__
        CALL("modify-ldt", "modify_ldt(2)", "makes 16-bit segments", &ldt_call),
        CALL("sysfs-call", "sysfs(2)", "calls a relic", &sysfs_call),
        CALL("ustat", "ustat(2)", "calls a relic", &ustat_call),
        CALL("iopl", "iopl(2)", "takes the I/O ports", &iopl_call),
        CALL("ioperm", "ioperm(2)", "takes an I/O port", &ioperm_call),
#endif
#ifdef __x86_64__
        ATTACK("x32-call", "x32 system calls", "calls by a table the filter does not know",
               "seccomp", x32_call, NULL, PLAIN, NULL, KILLED),
        ATTACK("i386-call", "int 0x80", "calls by a table the filter does not know", "seccomp",
               i386_call, NULL, PLAIN, NULL, KILLED),
        ATTACK("i386-socketcall", "int 0x80", "makes sockets unseen by the filter", "seccomp",
               i386_socketcall, NULL, PLAIN, NULL, KILLED),
#endif
        ATTACK("seccomp-off", "no filter", "runs without a seccomp filter", "seccomp", seccomp_off,
               NULL, PLAIN, NULL, HELD),
        {NULL},
};
