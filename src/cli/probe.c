/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"
#include "cli/host.h"

#define SUBIDS_WANTED 65535

const char *probe_state_name(enum probe_state state)
{
        static const char *const names[] = {"enforced", "degraded", "off"};

        return names[state];
}

__attribute__((format(printf, 3, 4))) static void
say(struct probe_result *result, enum probe_state state, const char *format, ...)
{
        va_list ap;

        result->state = state;
        va_start(ap, format);
        (void)vsnprintf(result->detail, sizeof(result->detail), format, ap);
        va_end(ap);
}

static void fix(struct probe_result *result, const char *text)
{
        (void)snprintf(result->fix, sizeof(result->fix), "%s", text);
}

/* Runs @fn in a child; 0, or the negative errno that it answers. */
static int in_child(int (*fn)(void))
{
        int status;
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(-fn());
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* A number in a file of /proc/sys; -1 when there is no such setting. */
static int64_t setting(const char *path)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(64);
        uint64_t value;

        if (buf_read_file(&b, AT_FDCWD, path) < 0 || !b.data)
                return -1;
        b.data[strcspn(b.data, "\n")] = '\0';
        return str_to_u64(b.data, INT64_MAX, &value) == 0 ? (int64_t)value : -1;
}

static int try_userns(void)
{
        return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

static void probe_userns(struct probe_result *result)
{
        static const struct {
                const char *path;
                int64_t bad;
                const char *fix;
        } reasons[] = {
                {"/proc/sys/kernel/unprivileged_userns_clone",             0,
                 "sysctl kernel.unprivileged_userns_clone=1"                                                         },
                {"/proc/sys/user/max_user_namespaces",                     0, "sysctl user.max_user_namespaces=15000"},
                {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1,
                 "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for coffer"                    },
        };
        int r = in_child(try_userns);

        if (r == 0) {
                say(result, PROBE_ENFORCED, "made one");
                return;
        }
        say(result, PROBE_OFF, "make a user namespace: %s", strerror(-r));
        fix(result, "run coffer where user namespaces are allowed");
        for (size_t i = 0; i < ELEMENTS(reasons); i++)
                if (setting(reasons[i].path) == reasons[i].bad)
                        fix(result, reasons[i].fix);
}

/* The longest range of the caller in /etc/subuid or /etc/subgid. */
static uint64_t subids(const char *path, const char *name)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(1024 * 1024);
        char number[24];
        uint64_t most = 0;

        (void)snprintf(number, sizeof(number), "%u", getuid());
        if (buf_read_file(&b, AT_FDCWD, path) < 0 || !b.data)
                return 0;
        for (char *line = b.data, *next; line; line = next) {
                char *first = strchr(line, ':'), *count;
                uint64_t n;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                count = first ? strchr(first + 1, ':') : NULL;
                if (!count)
                        continue;
                *first = '\0';
                if ((str_eq(line, name) || str_eq(line, number)) &&
                    str_to_u64(count + 1, UINT32_MAX, &n) == 0 && n > most)
                        most = n;
        }
        return most;
}

static bool in_path(const char *program)
{
        cleanup_free char *path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
        char *rest = path, *dir;
        char file[4096];

        while (path && (dir = strsep(&rest, ":")))
                if (snprintf(file, sizeof(file), "%s/%s", dir, program) < (int)sizeof(file) &&
                    access(file, X_OK) == 0)
                        return true;
        return false;
}

static void probe_idmap(struct probe_result *result)
{
        char name[256];
        uint64_t uids, gids;

        if (host_is_root()) {
                say(result, PROBE_ENFORCED, "root: an own range of 65536 ids for each box");
                return;
        }
        host_user_name(name, sizeof(name));
        uids = subids("/etc/subuid", name);
        gids = subids("/etc/subgid", name);
        if (!in_path("newuidmap") || !in_path("newgidmap")) {
                say(result, PROBE_DEGRADED, "single id: there is no newuidmap");
                fix(result, "install the package uidmap");
        } else if (uids < SUBIDS_WANTED || gids < SUBIDS_WANTED) {
                say(result, PROBE_DEGRADED,
                    "single id: %llu ids in /etc/subuid and %llu in /etc/subgid",
                    (unsigned long long)uids, (unsigned long long)gids);
                fix(result, "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER");
        } else {
                say(result, PROBE_ENFORCED, "%llu subordinate ids", (unsigned long long)uids);
        }
}

static int write_text(const char *path, const char *text)
{
        cleanup_close int fd = sys_open(AT_FDCWD, path, O_WRONLY);

        return fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
}

/* The way an ordinary user's box does it: in a user namespace, with userxattr. */
static int try_overlay(void)
{
        char uid_map[32], gid_map[32];

        (void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
        (void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return -errno;
        if (write_text("/proc/self/setgroups", "deny") < 0 ||
            write_text("/proc/self/uid_map", uid_map) < 0 ||
            write_text("/proc/self/gid_map", gid_map) < 0)
                return -EPERM;
        if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/lower", 0700) < 0 ||
            mkdir("/tmp/upper", 0700) < 0 || mkdir("/tmp/work", 0700) < 0 ||
            mkdir("/tmp/root", 0700) < 0 ||
            mount("overlay", "/tmp/root", "overlay", 0,
                  "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr") < 0)
                return -errno;
        return 0;
}

static bool has_userns(struct probe_result *result)
{
        if (in_child(try_userns) == 0)
                return true;
        say(result, PROBE_OFF, "not tried: there are no user namespaces");
        return false;
}

static void probe_overlay(struct probe_result *result)
{
        int r;

        if (!has_userns(result))
                return;
        r = in_child(try_overlay);
        if (r == 0) {
                say(result, PROBE_ENFORCED, "mounted one in a user namespace");
                return;
        }
        say(result, PROBE_OFF, "mount an overlay in a user namespace: %s", strerror(-r));
        fix(result, r == -ENODEV ? "modprobe overlay" : "use a kernel of version 5.11 or later");
}

static void probe_cgroup(struct probe_result *result)
{
        const char *mode = host_cgroup_mode();

        say(result, str_eq(mode, "none") ? PROBE_OFF : PROBE_ENFORCED, "cgroups: %s%s", mode,
            str_eq(mode, "none") ? ", so --memory, --cpus and --pids-limit are refused" : "");
        if (str_eq(mode, "none"))
                fix(result, "mount cgroup2 with its controllers on /sys/fs/cgroup");
}

static void probe_landlock(struct probe_result *result)
{
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        if (abi > 0) {
                say(result, PROBE_ENFORCED, "ABI %ld%s", abi,
                    abi < 6 ? "; 6 and later also scope signals and abstract sockets" : "");
                return;
        }
        say(result, PROBE_OFF, "ask for Landlock: %s", strerror(errno));
        fix(result, "boot with landlock in lsm=, on a kernel of version 5.13 or later");
}

static void probe_seccomp(struct probe_result *result)
{
        uint32_t action = SECCOMP_RET_KILL_PROCESS;

        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
                say(result, PROBE_ENFORCED, "filters can kill a process");
                return;
        }
        say(result, PROBE_OFF, "ask for seccomp: %s", strerror(errno));
        fix(result, "use a kernel with CONFIG_SECCOMP_FILTER");
}

/* Asks nf_tables for its generation in a network namespace of our own. */
static int try_nft(void)
{
        struct {
                struct nlmsghdr head;
                struct nfgenmsg gen;
        } ask = {
                .head = {.nlmsg_len = sizeof(ask),
                         .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
                         .nlmsg_flags = NLM_F_REQUEST},
        };
        union {
                struct nlmsghdr head;
                char bytes[1024];
        } answer = {0};
        struct timeval limit = {.tv_sec = 2};
        int fd;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return -errno;
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        if (send(fd, &ask, sizeof(ask), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
                return -errno;
        if (answer.head.nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *)NLMSG_DATA(&answer.head))->error;
        return 0;
}

static void probe_nft(struct probe_result *result)
{
        int r;

        if (!has_userns(result))
                return;
        r = in_child(try_nft);
        if (r == 0) {
                say(result, PROBE_ENFORCED, "nf_tables answers in a network namespace");
                return;
        }
        say(result, PROBE_OFF, "ask nf_tables: %s", strerror(-r));
        fix(result, "modprobe nf_tables");
}

static void probe_kvm(struct probe_result *result)
{
        cleanup_close int fd = sys_open(AT_FDCWD, "/dev/kvm", O_RDWR);

        if (fd >= 0)
                say(result, PROBE_ENFORCED, "/dev/kvm can be opened; no engine uses it yet");
        else
                say(result, PROBE_OFF, "open /dev/kvm: %s; nothing needs it", strerror(-fd));
}

const struct probe probes[] = {
        {"userns",       true, probe_userns},
        {"idmap",  false, probe_idmap},
        {"overlay",        true, probe_overlay},
        {"cgroup",   false, probe_cgroup},
        {"landlock",      true, probe_landlock},
        {"seccomp", true, probe_seccomp},
        {"nftables",       false, probe_nft},
        {"kvm",  false, probe_kvm},
        {0    },
};
