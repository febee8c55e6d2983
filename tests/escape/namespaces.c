/* SPDX-License-Identifier: Apache-2.0 */

/* Namespaces: making new ones, entering others, and being in one of the host's. */

#include "attack.h"

#include <base/str.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};

CALL_ROW(unshare_user, SYS_unshare, 0, 0, CLONE_NEWUSER);
CALL_ROW(unshare_mount, SYS_unshare, 0, 0, CLONE_NEWNS);
CALL_ROW(unshare_pid, SYS_unshare, 0, 0, CLONE_NEWPID);
CALL_ROW(unshare_net, SYS_unshare, 0, 0, CLONE_NEWNET);
CALL_ROW(unshare_ipc, SYS_unshare, 0, 0, CLONE_NEWIPC);
CALL_ROW(unshare_uts, SYS_unshare, 0, 0, CLONE_NEWUTS);
CALL_ROW(unshare_cgroup, SYS_unshare, 0, 0, CLONE_NEWCGROUP);
CALL_ROW(unshare_time, SYS_unshare, 0, 0, CLONE_NEWTIME);
CALL_ROW(clone3_null, SYS_clone3, EINVAL, 0, 0, 0);

static int clone_user(struct attempt *a)
{
        long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

        if (pid == 0)
                _exit(0);
        return pid < 0 ? -errno : DONE;
}

/* The upper half of the flags is no concern of the kernel's and must be none of the filter's. */
static int clone_user_high(struct attempt *a)
{
        long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD | (1L << 40), 0, 0, 0, 0);

        if (pid == 0)
                _exit(0);
        return pid < 0 ? -errno : DONE;
}

static int clone3_user(struct attempt *a)
{
        struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
        long pid = syscall(SYS_clone3, &args, sizeof(args));

        if (pid == 0)
                _exit(0);
        return pid < 0 ? -errno : DONE;
}

static int user_limit(struct attempt *a)
{
        char text[32];
        ssize_t n = read_text("/proc/sys/user/max_user_namespaces", text, sizeof(text));

        if (n < 0)
                return (int)n;
        return atoi(text) == 0 ? HELD : attempt_say(a, DONE, "%d allowed", atoi(text));
}

static int setns_path(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int r = 0;

        if (fd < 0 || setns(fd, 0) < 0)
                r = -errno;
        if (fd >= 0)
                (void)close(fd);
        return r;
}

static int setns_own(struct attempt *a)
{
        return setns_path("/proc/self/ns/uts");
}

static bool is_foreign(const char *path, const char *kind)
{
        char mine[32];
        struct stat theirs;
        struct stat ours;

        (void)snprintf(mine, sizeof(mine), "/proc/self/ns/%s", kind);
        return stat(path, &theirs) == 0 && stat(mine, &ours) == 0 && theirs.st_ino != ours.st_ino;
}

/* Each namespace file in /proc that is not one's own, through any process. */
static int setns_foreign(struct attempt *a)
{
        struct sweep s = SWEEP(a);
        const struct dirent *entry;
        bool stop = false;
        DIR *proc = opendir("/proc");

        if (proc == NULL)
                return attempt_say(a, NOTHING, "/proc: %s", ending_name(-errno));
        while (!stop && (entry = readdir(proc)) != NULL)
                for (size_t i = 0; i < ELEMENTS(kinds) && !stop; i++) {
                        char path[300];

                        if (atoi(entry->d_name) <= 0)
                                continue;
                        (void)snprintf(path, sizeof(path), "/proc/%s/ns/%s", entry->d_name,
                                       kinds[i]);
                        if (is_foreign(path, kinds[i]))
                                stop = sweep_add(&s, setns_path(path), path);
                }
        (void)closedir(proc);
        return sweep_end(&s);
}

static int arrange_foreign(void)
{
        pid_t pid;

        if (unshare(CLONE_NEWUTS) < 0)
                return -errno;
        pid = hold_fork("other");
        if (pid < 0)
                return pid;
        return unshare(CLONE_NEWUTS) < 0 ? -errno : 0;
}

static int shared_with_host(struct attempt *a)
{
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char name[16];
                char path[32];
                char mine[64] = "";
                const char *host;

                (void)snprintf(name, sizeof(name), "NS_%s", kinds[i]);
                (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
                host = fact(name);
                if (host == NULL)
                        return attempt_say(a, NOTHING, "the host's %s is not known", kinds[i]);
                if (readlink(path, mine, sizeof(mine) - 1) < 0)
                        return -errno;
                if (str_eq(mine, host))
                        return attempt_say(a, DONE, "%s is the host's", mine);
        }
        return HELD;
}

static int host_name(struct attempt *a)
{
        char name[256] = "";
        const char *host = fact("HOSTNAME");

        if (host == NULL)
                return attempt_say(a, NOTHING, "the host's name is not known");
        if (gethostname(name, sizeof(name) - 1) < 0)
                return -errno;
        return str_eq(name, host) ? attempt_say(a, DONE, "it is %s", name) : HELD;
}

static int set_host_name(struct attempt *a)
{
        return sethostname("escape", 6) < 0 ? -errno : DONE;
}

static int set_domain_name(struct attempt *a)
{
        return setdomainname("escape", 6) < 0 ? -errno : DONE;
}

static int host_shm(struct attempt *a)
{
        long key = fact_number("SHM_KEY");

        if (key < 0)
                return attempt_say(a, NOTHING, "no key is named");
        return shmget((key_t)key, 0, 0) < 0 ? -errno : DONE;
}

static int host_posix_shm(struct attempt *a)
{
        const char *path = fact("SHM_PATH");

        if (path == NULL)
                return attempt_say(a, NOTHING, "no file is named");
        return open_and_close(path, O_RDONLY);
}

#define UNSHARE(kind, row)                                                                       \
        ATTACK("unshare-" kind, "unshare(2)", "makes a " kind " namespace", "seccomp", try_call, \
               row, FRESH, NULL, -EPERM)

const struct attack namespaces_attacks[] = {
        UNSHARE("user", &unshare_user),
        UNSHARE("mount", &unshare_mount),
        UNSHARE("pid", &unshare_pid),
        UNSHARE("network", &unshare_net),
        UNSHARE("ipc", &unshare_ipc),
        UNSHARE("uts", &unshare_uts),
        UNSHARE("cgroup", &unshare_cgroup),
        UNSHARE("time", &unshare_time),
        ATTACK("clone-user", "clone(2)", "is born in a user namespace with all capabilities",
               "seccomp", clone_user, NULL, FRESH, NULL, -EPERM),
        ATTACK("clone-user-high", "CVE-2019-10063's class",
               "the same with bits above the 32 of the flags", "seccomp on masked arguments",
               clone_user_high, NULL, FRESH, NULL, -EPERM),
        ATTACK("clone3-user", "clone3(2)",
               "the same with flags in memory, where no filter sees them", "seccomp", clone3_user,
               NULL, FRESH, NULL, -ENOSYS),
        ATTACK("clone3-null", "clone3(2)", "calls it with a bad pointer", "seccomp", try_call,
               &clone3_null, PLAIN, NULL, -ENOSYS),
        ATTACK("user-limit", "user.max_user_namespaces", "may make user namespaces at all",
               "limit of 0, set before the first program", user_limit, NULL, PLAIN, NULL, HELD),
        ATTACK("setns-own", "setns(2)", "enters a namespace", "seccomp", setns_own, NULL, FRESH,
               NULL, -EPERM),
        ATTACK("setns-foreign", "setns(2)", "enters each namespace in /proc that is not its own",
               "pid namespace, seccomp", setns_foreign, NULL, FRESH, arrange_foreign, HELD, -EPERM,
               -EACCES),
        ATTACK("shared-namespace", "no isolation", "is in one of the host's seven namespaces",
               "user, mnt, pid, net, ipc, uts and cgroup namespaces", shared_with_host, NULL, PLAIN,
               NULL, HELD),
        ATTACK("host-name", "gethostname(2)", "learns the host's name", "uts namespace", host_name,
               NULL, PLAIN, NULL, HELD),
        ATTACK("sethostname", "sethostname(2)", "renames the machine", "seccomp", set_host_name,
               NULL, FRESH, NULL, -EPERM),
        ATTACK("setdomainname", "setdomainname(2)", "renames the domain", "seccomp",
               set_domain_name, NULL, FRESH, NULL, -EPERM),
        ATTACK("sysv-shm", "shmget(2)", "takes shared memory made on the host", "ipc namespace",
               host_shm, NULL, PLAIN, NULL, -ENOENT),
        ATTACK("posix-shm", "/dev/shm", "opens shared memory made on the host", "own /dev/shm",
               host_posix_shm, NULL, PLAIN, NULL, -ENOENT),
        {NULL},
};
