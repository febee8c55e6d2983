/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"
#include "cli/cause.h"
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

/* What did not work, why, and what to do about it. */
static void blame(struct probe_result *result, const char *control, const char *what, int code)
{
        struct cause_facts facts;
        const struct cause *cause;

        cause_gather(&facts);
        cause = cause_find(control, code, &facts);
        say(result, PROBE_OFF, "%s: %s%s%s", what, strerror(-code), cause->why[0] ? "; " : "",
            cause->why);
        fix(result, cause->fix);
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

static int try_userns(void)
{
        return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

static void probe_userns(struct probe_result *result)
{
        int r = in_child(try_userns);

        if (r == 0)
                say(result, PROBE_ENFORCED, "made one");
        else
                blame(result, "userns", "make a user namespace", r);
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
        blame(result, "overlay", "mount an overlay in a user namespace", r);
}

/* As a process of a box does it: all in a user namespace, and every bit looked at again. */
static int try_bounding(void)
{
        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;
        for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
                    prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
                        return -errno;
        for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
                if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
                        return -EPERM;
        return 0;
}

static void probe_bounding(struct probe_result *result)
{
        int r;

        if (!has_userns(result))
                return;
        r = in_child(try_bounding);
        if (r == 0)
                say(result, PROBE_ENFORCED, "dropped all and read back each");
        else
                blame(result, "bounding-set", "clear the bounding set", r);
}

static int try_no_new_privs(void)
{
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}

static void probe_no_new_privs(struct probe_result *result)
{
        int r = in_child(try_no_new_privs);

        if (r == 0)
                say(result, PROBE_ENFORCED, "set and read back");
        else
                blame(result, "no-new-privs", "set no_new_privs", r);
}

/* A domain in which no directory may be read; then reading one. */
static int try_landlock(void)
{
        const uint64_t handled = LANDLOCK_ACCESS_FS_READ_DIR;
        long ruleset = syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
        int fd;

        if (ruleset < 0)
                return -errno;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_landlock_restrict_self, (int)ruleset, 0) < 0)
                return -errno;
        fd = sys_open(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
        return fd == -EACCES ? 0 : -EPERM;
}

static void probe_landlock(struct probe_result *result)
{
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        int r = abi < 0 ? -errno : in_child(try_landlock);

        if (r == 0)
                say(result, PROBE_ENFORCED, "ABI %ld: a directory was refused%s", abi,
                    abi < 6 ? "; 6 and later also scope signals and abstract sockets" : "");
        else
                blame(result, "landlock", "enter a Landlock domain", r);
}

/* A filter that refuses one call; then that call. */
static int try_seccomp(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = ELEMENTS(filter), .filter = filter};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                return -errno;
        return syscall(SYS_personality, 0xffffffff) < 0 && errno == EDOM ? 0 : -EPERM;
}

static void probe_seccomp(struct probe_result *result)
{
        int r = in_child(try_seccomp);

        if (r == 0)
                say(result, PROBE_ENFORCED, "a filter refused a call");
        else
                blame(result, "seccomp", "install a filter", r);
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
        blame(result, "nftables", "ask nf_tables", r);
}

/* A machine of our own: /dev/kvm may be there and make none. */
static void probe_kvm(struct probe_result *result)
{
        cleanup_close int fd = sys_open(AT_FDCWD, "/dev/kvm", O_RDWR);
        cleanup_close int vm_fd = -EBADF;

        if (fd >= 0) {
                vm_fd = ioctl(fd, KVM_CREATE_VM, 0);
                if (vm_fd >= 0)
                        say(result, PROBE_ENFORCED, "made a machine; no engine uses it yet");
                else
                        blame(result, "kvm", "make a machine by /dev/kvm, which nothing needs",
                              -errno);
                return;
        }
        blame(result, "kvm", "open /dev/kvm, which nothing needs", fd);
}

const struct probe probes[] = {
        {"userns",            true, probe_userns},
        {"idmap",       false, probe_idmap},
        {"overlay",             true, probe_overlay},
        {"bounding-set",        true, probe_bounding},
        {"no-new-privs",           true, probe_no_new_privs},
        {"landlock",      true, probe_landlock},
        {"seccomp",      true, probe_seccomp},
        {"nftables",     false, probe_nft},
        {"kvm",      false, probe_kvm},
        {0},
};
