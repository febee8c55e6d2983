/* SPDX-License-Identifier: Apache-2.0 */

/* Other processes: the host's, the supervisor, those of other boxes. */

#include "attack.h"
#include "escape.h"

#include <base/str.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PIDS_MAX 65536

/* Calls fn for each number in /proc, until it returns true. */
static bool each_pid(bool (*fn)(struct attempt *a, pid_t pid, const char *dir), struct attempt *a)
{
        const struct dirent *entry;
        bool stop = false;
        DIR *proc = opendir("/proc");

        if (proc == NULL)
                return false;
        while (!stop && (entry = readdir(proc)) != NULL) {
                char dir[300];
                pid_t pid = (pid_t)atoi(entry->d_name);

                if (pid <= 0)
                        continue;
                (void)snprintf(dir, sizeof(dir), "/proc/%s", entry->d_name);
                stop = fn(a, pid, dir);
        }
        (void)closedir(proc);
        return stop;
}

static ssize_t read_of(const char *dir, const char *file, char *text, size_t size)
{
        char path[320];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
        return read_text(path, text, size);
}

/* Arguments are apart by NUL; the bait's word is one of them. */
static bool has_the_word(struct attempt *a, pid_t pid, const char *dir)
{
        const char *word = fact("WORD");
        char args[4096];
        ssize_t n = read_of(dir, "cmdline", args, sizeof(args));

        for (ssize_t i = 0; i < n; i += (ssize_t)strlen(args + i) + 1)
                if (str_eq(args + i, word)) {
                        (void)attempt_say(a, DONE, "pid %d is the host's", pid);
                        return true;
                }
        return false;
}

static int see_host(struct attempt *a)
{
        if (fact("WORD") == NULL)
                return attempt_say(a, NOTHING, "no host process is named");
        return each_pid(has_the_word, a) ? DONE : HELD;
}

static bool is_coffers(struct attempt *a, pid_t pid, const char *dir)
{
        char comm[64];

        if (read_of(dir, "comm", comm, sizeof(comm)) < 0 || str_after(comm, "coffer-") == NULL)
                return false;
        comm[strcspn(comm, "\n")] = '\0';
        (void)attempt_say(a, DONE, "pid %d is %s", pid, comm);
        return true;
}

static int see_supervisor(struct attempt *a)
{
        return each_pid(is_coffers, a) ? DONE : HELD;
}

static int arrange_supervisor(void)
{
        pid_t pid = hold_fork("coffer-init");

        return pid < 0 ? pid : 0;
}

/* A procfs made outside counts its processes in an outer PID namespace too. */
static int outer_procfs(struct attempt *a)
{
        char pids[128];
        char self[32] = "";
        int r = status_field("NSpid", pids, sizeof(pids));

        if (r < 0)
                return r;
        if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
                return -errno;
        if (strcspn(pids, " \t") != strlen(pids) || atoi(self) != getpid())
                return attempt_say(a, DONE, "pid %d is '%s' in /proc", getpid(), pids);
        return HELD;
}

static int arrange_outer_procfs(void)
{
        pid_t pid;
        int status = 0;

        if (unshare(CLONE_NEWPID) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                return 0;
        (void)waitpid(pid, &status, 0);
        _exit(0);
}

/*
 * Everything that a signal reaches must be one of ours (the runner starts boxes with this program
 * only) and be seen in /proc.
 */
static int signal_stranger(struct attempt *a)
{
        char mine[4096];
        unsigned ours = 0;

        if (read_text("/proc/self/cmdline", mine, sizeof(mine)) <= 0)
                return attempt_say(a, NOTHING, "/proc/self/cmdline is empty");
        for (pid_t pid = 1; pid <= PIDS_MAX; pid++) {
                char dir[32];
                char args[4096];
                ssize_t n;

                if (kill(pid, 0) < 0 && errno != EPERM)
                        continue;
                (void)snprintf(dir, sizeof(dir), "/proc/%d", pid);
                n = read_of(dir, "cmdline", args, sizeof(args));
                if (n < 0 && kill(pid, 0) < 0 && errno == ESRCH)
                        continue; /* gone since */
                if (n < 0)
                        return attempt_say(a, DONE, "pid %d is there and hidden", pid);
                if (n > 0 && !str_eq(args, mine))
                        return attempt_say(a, DONE, "pid %d is '%.100s'", pid, args);
                ours++;
        }
        return attempt_say(a, HELD, "reaches %u of its own", ours);
}

static int arrange_stranger(void)
{
        pid_t pid = hold_start("/proc/self/exe", "stranger");

        return pid < 0 ? pid : 0;
}

enum touch { TOUCH_KILL, TOUCH_PIDFD, TOUCH_PTRACE, TOUCH_READ, TOUCH_WRITE, TOUCH_KCMP };

static const enum touch touch_kill = TOUCH_KILL, touch_pidfd = TOUCH_PIDFD,
                        touch_ptrace = TOUCH_PTRACE, touch_read = TOUCH_READ,
                        touch_write = TOUCH_WRITE, touch_kcmp = TOUCH_KCMP;

static long touch(enum touch how, pid_t pid)
{
        char byte = 0;
        struct iovec here = {.iov_base = &byte, .iov_len = 1};
        struct iovec there = {.iov_base = NULL, .iov_len = 1};

        switch (how) {
        case TOUCH_KILL:
                return kill(pid, 0);
        case TOUCH_PIDFD:
                return syscall(SYS_pidfd_open, pid, 0);
        case TOUCH_PTRACE:
                return ptrace(PTRACE_SEIZE, pid, 0, 0);
        case TOUCH_READ:
                return process_vm_readv(pid, &here, 1, &there, 1, 0);
        case TOUCH_WRITE:
                return process_vm_writev(pid, &here, 1, &there, 1, 0);
        case TOUCH_KCMP:
                return syscall(SYS_kcmp, getpid(), pid, 0, 0, 0);
        }
        return -1;
}

/* The host's pid, taken as a number: in the box it is nobody or one of the box's own. */
static int touch_host(struct attempt *a)
{
        long pid = fact_number("HOST_PID");
        char dir[32];

        if (pid < 0 || fact("WORD") == NULL)
                return attempt_say(a, NOTHING, "no host process is named");
        (void)snprintf(dir, sizeof(dir), "/proc/%ld", pid);
        if (kill((pid_t)pid, 0) == 0 && !has_the_word(a, (pid_t)pid, dir))
                return attempt_say(a, NOTHING, "%ld is a process of the box", pid);

        /* EFAULT: the other side's address 0 was looked up, so it was let in. */
        if (touch(*(const enum touch *)a->attack->arg, (pid_t)pid) >= 0 || errno == EFAULT)
                return attempt_say(a, DONE, "reached pid %ld", pid);
        return -errno;
}

/* A program that the box's own tree has is the box's to write. */
static bool is_of_the_box(const char *target, const struct stat *st)
{
        struct stat own;

        return stat(target, &own) == 0 && own.st_ino == st->st_ino && own.st_dev == st->st_dev;
}

/*
 * What somebody else runs must not be open to writing: CVE-2019-5736 replaced the runtime's
 * binary through /proc/PID/exe.  ETXTBSY is as bad as success, as it ends with the process.
 */
static int open_exe(const char *dir)
{
        char path[320];
        char target[512] = "";
        struct stat st;
        int fd;
        int r;

        (void)snprintf(path, sizeof(path), "%s/exe", dir);
        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (fstat(fd, &st) < 0 || readlink(path, target, sizeof(target) - 1) < 0)
                r = -errno;
        else if (is_of_the_box(target, &st))
                r = -EPERM;
        else
                r = open_and_close(path, O_WRONLY);
        (void)close(fd);
        return r;
}

/*
 * One of coffer's own programs that shows what it runs can be traced and its descriptors opened
 * (CVE-2016-9962): the kernel asks the same question for all three.
 */
static bool shows_coffer(const char *dir)
{
        char path[320];
        char target[256] = "";

        (void)snprintf(path, sizeof(path), "%s/exe", dir);
        return readlink(path, target, sizeof(target) - 1) > 0 &&
               (strstr(target, "coffer-init") != NULL || strstr(target, "coffer-shim") != NULL ||
                strstr(target, "memfd:") != NULL);
}

static bool exe_is_open(struct attempt *a, pid_t pid, const char *dir)
{
        int r = open_exe(dir);

        if (r == 0 || r == -ETXTBSY)
                (void)attempt_say(a, DONE, "writing %s/exe: %s", dir, ending_name(r));
        else if (shows_coffer(dir))
                (void)attempt_say(a, DONE, "%s is coffer's and shows it", dir);
        else
                return false;
        return true;
}

static int overwrite_exe(struct attempt *a)
{
        return each_pid(exe_is_open, a) ? DONE : HELD;
}

static int arrange_foreign_exe(void)
{
        int r = copy_self("/tmp/foreign", 0755);
        pid_t pid;

        if (r < 0)
                return r;
        pid = hold_start("/tmp/foreign", "foreign");
        if (pid < 0)
                return pid;
        return unlink("/tmp/foreign") < 0 ? -errno : 0;
}

int watch_exe_main(const char *stop)
{
        struct attempt a = {0};
        unsigned long rounds = 0;

        printf("watching\n");
        while (access(stop, F_OK) < 0) {
                rounds++;
                if (each_pid(exe_is_open, &a)) {
                        printf("ESCAPED exec-exe %s\n", a.detail);
                        return 1;
                }
        }
        printf("held exec-exe %lu rounds\n", rounds);
        return 0;
}

static int lower_oom_score(struct attempt *a)
{
        static const char path[] = "/proc/self/oom_score_adj";
        char now[32];
        char lower[32];
        ssize_t n = read_text(path, now, sizeof(now));
        int fd;
        int r = 0;

        if (n < 0)
                return (int)n;
        if (atoi(now) <= -1000)
                return attempt_say(a, DONE, "it is %d", atoi(now));
        (void)snprintf(lower, sizeof(lower), "%d", atoi(now) - 1);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, lower, strlen(lower)) < 0)
                r = -errno;
        if (fd >= 0)
                (void)close(fd);
        return r;
}

static int go_realtime(struct attempt *a)
{
        const struct sched_param param = {.sched_priority = 1};

        return syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param) < 0 ? -errno : DONE;
}

static int go_first(struct attempt *a)
{
        int now = getpriority(PRIO_PROCESS, 0);

        return setpriority(PRIO_PROCESS, 0, now - 1) < 0 ? -errno : DONE;
}

static int arrange_niceness(void)
{
        return setpriority(PRIO_PROCESS, 0, 1) < 0 ? -errno : 0;
}

/* Counts how many processes can be had; each child waits for the pipe to close. */
static int fork_bomb(struct attempt *a)
{
        long limit = fact_number("PROCESSES");
        long forked = 0;
        int fds[2];
        int r = DONE;

        if (limit < 0)
                return attempt_say(a, NOTHING, "no limit is named");
        if (pipe(fds) < 0)
                return attempt_say(a, NOTHING, "pipe: %s", ending_name(-errno));
        while (forked <= limit) {
                pid_t pid = fork();

                if (pid < 0) {
                        r = -errno;
                        break;
                }
                if (pid == 0) {
                        char byte;

                        (void)close(fds[1]);
                        (void)!read(fds[0], &byte, 1);
                        _exit(0);
                }
                forked++;
        }
        (void)close(fds[1]);
        for (long i = 0; i < forked; i++)
                (void)wait(NULL);
        return attempt_say(a, r, "%ld of %ld processes", forked, limit);
}

const struct attack proc_attacks[] = {
        ATTACK("see-host-process", "/proc of the host",
               "finds a process of the host by its arguments", "pid namespace, own procfs",
               see_host, NULL, PLAIN, NULL, HELD),
        ATTACK("see-supervisor", "/proc of the supervisor", "finds a process called coffer-*",
               "inner pid namespace", see_supervisor, NULL, PLAIN, arrange_supervisor, HELD),
        ATTACK("outer-procfs", "procfs of another namespace", "sees outer pids in its own status",
               "procfs made by the first process of the inner pid namespace", outer_procfs, NULL,
               FRESH, arrange_outer_procfs, HELD),
        ATTACK("signal-stranger", "kill(pid, 0) for every number",
               "reaches a process not of the box", "inner pid namespace", signal_stranger, NULL,
               FRESH, arrange_stranger, HELD),
        ATTACK("signal-host", "kill(2)", "signals a process of the host by its number",
               "pid namespace", touch_host, &touch_kill, PLAIN, NULL, -ESRCH),
        ATTACK("pidfd-host", "pidfd_open(2)", "takes a handle of a process of the host",
               "pid namespace", touch_host, &touch_pidfd, PLAIN, NULL, -ESRCH),
        ATTACK("ptrace-host", "PTRACE_SEIZE", "traces a process of the host", "pid namespace",
               touch_host, &touch_ptrace, PLAIN, NULL, -ESRCH),
        ATTACK("vm-read-host", "process_vm_readv(2)", "reads memory of a process of the host",
               "pid namespace", touch_host, &touch_read, PLAIN, NULL, -ESRCH),
        ATTACK("vm-write-host", "process_vm_writev(2)", "writes memory of a process of the host",
               "pid namespace", touch_host, &touch_write, PLAIN, NULL, -ESRCH),
        ATTACK("kcmp-host", "kcmp(2)", "compares kernel objects with a process of the host",
               "seccomp", touch_host, &touch_kcmp, PLAIN, NULL, -EPERM),
        ATTACK("overwrite-exe", "CVE-2019-5736", "opens /proc/*/exe of other programs for writing",
               "supervisor outside the pid namespace, sealed memfd", overwrite_exe, NULL, FRESH,
               arrange_foreign_exe, HELD),
        ATTACK("lower-oom-score", "oom_score_adj", "makes itself the last one to be killed",
               "no CAP_SYS_RESOURCE", lower_oom_score, NULL, PLAIN, NULL, -EACCES, -EPERM, -EROFS),
        ATTACK("realtime", "SCHED_FIFO", "takes a processor for itself", "no CAP_SYS_NICE, rlimits",
               go_realtime, NULL, PLAIN, NULL, -EPERM),
        ATTACK("nice", "setpriority(2)", "runs before the host's processes", "no CAP_SYS_NICE",
               go_first, NULL, PLAIN, arrange_niceness, -EACCES, -EPERM),
        ATTACK("fork-bomb", "fork(2) without end", "has more processes than the box's limit",
               "RLIMIT_NPROC, pids cgroup", fork_bomb, NULL, PLAIN, NULL, -EAGAIN),
        {NULL},
};
