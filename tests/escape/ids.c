/* SPDX-License-Identifier: Apache-2.0 */

/* Users, groups, capabilities: having more than was given, or getting it back. */

#include "attack.h"
#include "escape.h"

#include <base/str.h>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define NOBODY    65534
#define CAP_COUNT 64

static int caps_of(const char *set, unsigned long long *ret_mask)
{
        char text[32];
        int r = status_field(set, text, sizeof(text));

        if (r == 0)
                *ret_mask = strtoull(text, NULL, 16);
        return r;
}

static int caps_empty(struct attempt *a)
{
        unsigned long long mask = 0;
        int r = caps_of(a->attack->arg, &mask);

        if (r < 0)
                return r;
        return mask == 0 ? HELD : attempt_say(a, DONE, "%llx", mask);
}

/* Exactly what the runner asked for: a bit less would break programs, a bit more is a way out. */
static int caps_exact(struct attempt *a)
{
        const char *set = a->attack->arg;
        const char *wanted = fact(str_eq(set, "CapBnd") ? "BOUND" : "CAPS");
        unsigned long long mask = 0;
        int r = caps_of(set, &mask);

        if (r < 0)
                return r;
        if (wanted == NULL)
                return attempt_say(a, NOTHING, "no set is named");
        return mask == strtoull(wanted, NULL, 16)
                       ? HELD
                       : attempt_say(a, DONE, "%llx, not %s", mask, wanted);
}

static int raise_caps(unsigned long long inheritable)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];

        if (syscall(SYS_capget, &head, data) < 0)
                return -errno;
        data[0].inheritable |= (unsigned)inheritable;
        data[1].inheritable |= (unsigned)(inheritable >> 32);
        return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int arrange_inheritable(void)
{
        return raise_caps(1ULL << CAP_CHOWN);
}

/* CVE-2022-24769's class: what is inheritable and ambient would survive an exec by another user. */
static int raise_ambient(struct attempt *a)
{
        unsigned long long mask = 0;
        int r = caps_of("CapPrm", &mask);

        if (r < 0)
                return r;
        if (mask == 0)
                return attempt_say(a, NOTHING, "has no capability to raise");
        for (unsigned long cap = 0; cap < CAP_COUNT; cap++) {
                if ((mask & (1ULL << cap)) == 0)
                        continue;
                r = raise_caps(1ULL << cap);
                if (r == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
                        r = -errno;
                return r;
        }
        return HELD;
}

static int arrange_ambient(void)
{
        int r = arrange_inheritable();

        if (r < 0)
                return r;
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) < 0 ? -errno : 0;
}

static int keep_caps(struct attempt *a)
{
        return prctl(PR_SET_KEEPCAPS, 1) < 0 ? -errno : DONE;
}

static int open_securebits(struct attempt *a)
{
        unsigned wanted = SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                          SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
        int bits = prctl(PR_GET_SECUREBITS);

        if (bits < 0)
                return -errno;
        if (geteuid() != 0)
                wanted |= SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;
        if (((unsigned)bits & wanted) != wanted || (bits & SECBIT_NO_SETUID_FIXUP) != 0)
                return attempt_say(a, DONE, "%x, not %x", bits, wanted);
        return HELD;
}

static int new_privileges(struct attempt *a)
{
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? HELD : DONE;
}

int who_main(void)
{
        unsigned long long mask = 0;

        if (caps_of("CapEff", &mask) < 0)
                return 1;
        printf("%u %016llx\n", geteuid(), mask);
        return 0;
}

/* Runs a program as nobody and reads back who it became. */
static int who_becomes(const char *path, unsigned *ret_uid, unsigned long long *ret_caps)
{
        char text[64] = "";
        int status = 0;
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                if (geteuid() == 0 &&
                    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                     setresuid(NOBODY, NOBODY, NOBODY) < 0))
                        _exit(1);
                if (dup2(fds[1], STDOUT_FILENO) < 0)
                        _exit(1);
                (void)execl(path, path, "who", (char *)NULL);
                _exit(1);
        }
        (void)close(fds[1]);
        if (pid > 0)
                (void)!read(fds[0], text, sizeof(text) - 1);
        (void)close(fds[0]);
        (void)waitpid(pid, &status, 0);
        return sscanf(text, "%u %llx", ret_uid, ret_caps) == 2 ? 0 : -ENOEXEC;
}

/* Writable places, in the order in which they tend to be there. */
static int copy_somewhere(mode_t mode, const char **ret_path)
{
        static const char *const paths[] = {"/tmp/escape-set", "/escape-set",
                                            "/var/tmp/escape-set"};
        int r = -ENOENT;

        for (size_t i = 0; i < ELEMENTS(paths) && r < 0; i++) {
                (void)unlink(paths[i]);
                r = copy_self(paths[i], mode);
                *ret_path = paths[i];
        }
        return r;
}

/* Somebody else than root runs a program that belongs to root and says "run me as root". */
static int setuid_program(struct attempt *a)
{
        const char *path = fact("SUID");
        unsigned uid = 0;
        unsigned long long caps = 0;
        bool own = false;
        int r = 0;

        if (geteuid() == 0) {
                r = copy_somewhere(04755, &path);
                own = true;
        }
        if (r < 0 || path == NULL)
                return attempt_say(a, NOTHING, "no setuid program%s%s", r < 0 ? ": " : "",
                                   r < 0 ? ending_name(r) : "");
        r = who_becomes(path, &uid, &caps);
        if (own)
                (void)unlink(path);
        if (r < 0)
                return attempt_say(a, NOTHING, "%s did not run as somebody else", path);
        return uid == 0 || caps != 0 ? attempt_say(a, DONE, "is %u with %llx", uid, caps)
                                     : attempt_say(a, HELD, "stays %u", uid);
}

static int file_capability(struct attempt *a)
{
        const struct {
                unsigned magic;
                unsigned permitted_low, inheritable_low, permitted_high, inheritable_high;
        } cap = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, 1U << CAP_CHOWN, 0, 0, 0};
        const char *path = NULL;
        unsigned uid = 0;
        unsigned long long caps = 0;
        int r = copy_somewhere(0755, &path);

        if (r == 0 && setxattr(path, "security.capability", &cap, sizeof(cap), 0) < 0)
                r = -errno;
        if (r == 0)
                r = who_becomes(path, &uid, &caps);
        if (path != NULL)
                (void)unlink(path);
        if (r < 0)
                return attempt_say(a, NOTHING, "no such program can be made: %s", ending_name(r));
        return caps != 0 ? attempt_say(a, DONE, "%u with %llx", uid, caps) : HELD;
}

static int back_to_root(struct attempt *a)
{
        static const char *const how[] = {"setresuid", "setuid", "setresgid", "setgroups"};
        const gid_t root = 0;
        struct sweep s = SWEEP(a);

        if (geteuid() == 0)
                return attempt_say(a, NOTHING, "is root of its box");
        for (size_t i = 0; i < ELEMENTS(how); i++) {
                int r = i == 0   ? setresuid(0, 0, 0)
                        : i == 1 ? setuid(0)
                        : i == 2 ? setresgid(0, 0, 0)
                                 : setgroups(1, &root);

                if (sweep_add(&s, r < 0 ? -errno : DONE, how[i]))
                        break;
        }
        return sweep_end(&s);
}

static int arrange_saved_root(void)
{
        return setresuid((uid_t)-1, NOBODY, (uid_t)-1) < 0 ? -errno : 0;
}

/* An id beyond the box's map would be a stranger's on the host, perhaps the supervisor's. */
static int foreign_id(struct attempt *a)
{
        static const uid_t ids[] = {65536, 65537, 100000, 165536, 1000000, 4000000};
        struct sweep s = SWEEP(a);
        char words[32];

        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                (void)snprintf(words, sizeof(words), "id %u", ids[i]);
                if (sweep_add(&s, setresuid(ids[i], ids[i], ids[i]) < 0 ? -errno : DONE, words))
                        break;
        }
        return sweep_end(&s);
}

static bool is_listed(const char *list, gid_t gid)
{
        for (const char *p = list; *p != '\0'; p += strcspn(p, ","), p += *p == ',')
                if (strtoul(p, NULL, 10) == gid)
                        return true;
        return false;
}

/* CVE-2022-2989's class: a group of the caller that stays, opens his files. */
static int other_groups(struct attempt *a)
{
        const char *wanted = getenv("ESCAPE_GROUPS");
        gid_t groups[256];
        int count = getgroups(ELEMENTS(groups), groups);

        if (wanted == NULL)
                return attempt_say(a, NOTHING, "no list is named");
        if (count < 0)
                return -errno;
        for (int i = 0; i < count; i++)
                if (groups[i] != getegid() && !is_listed(wanted, groups[i]))
                        return attempt_say(a, DONE, "is in group %u", groups[i]);
        return attempt_say(a, HELD, "%d groups", count);
}

static int arrange_group(void)
{
        static const gid_t groups[] = {31337};

        return setgroups(ELEMENTS(groups), groups) < 0 ? -errno : 0;
}

static int core_limit(struct attempt *a)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_CORE, &limit) < 0)
                return -errno;
        return limit.rlim_max == 0 ? HELD : DONE;
}

static int raise_core_limit(struct attempt *a)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_CORE, &limit) < 0)
                return -errno;
        limit.rlim_cur = limit.rlim_max = limit.rlim_max == 0 ? 1 : RLIM_INFINITY;
        return setrlimit(RLIMIT_CORE, &limit) < 0 ? -errno : DONE;
}

const struct attack ids_attacks[] = {
        ATTACK("caps-inheritable", "CVE-2022-24769", "has inheritable capabilities", "capset",
               caps_empty, "CapInh", FRESH, arrange_inheritable, HELD),
        ATTACK("caps-ambient", "ambient set", "has ambient capabilities", "capset", caps_empty,
               "CapAmb", FRESH, arrange_ambient, HELD),
        ATTACK("caps-permitted", "capabilities", "has other capabilities than were given", "capset",
               caps_exact, "CapPrm", FRESH, NULL, HELD),
        ATTACK("caps-effective", "capabilities", "has other capabilities than were given", "capset",
               caps_exact, "CapEff", FRESH, NULL, HELD),
        ATTACK("caps-bounding", "bounding set", "could have other capabilities than were given",
               "bounding set cleared before the ids change", caps_exact, "CapBnd", FRESH, NULL,
               HELD),
        ATTACK("raise-ambient", "ambient set", "raises an ambient capability", "locked securebits",
               raise_ambient, NULL, FRESH, NULL, -EPERM),
        ATTACK("keep-caps", "PR_SET_KEEPCAPS", "keeps capabilities across a change of user",
               "locked securebits", keep_caps, NULL, FRESH, NULL, -EPERM),
        ATTACK("open-securebits", "securebits", "may change how users and capabilities meet",
               "locked securebits", open_securebits, NULL, FRESH, NULL, HELD),
        ATTACK("new-privileges", "no_new_privs", "may gain privileges by exec", "no_new_privs",
               new_privileges, NULL, PLAIN, NULL, HELD),
        ATTACK("setuid-program", "setuid binaries", "becomes root by a setuid program",
               "no_new_privs", setuid_program, NULL, FRESH, NULL, HELD),
        ATTACK("file-capability", "file capabilities", "gets a capability from a file",
               "no_new_privs", file_capability, NULL, FRESH, NULL, HELD),
        ATTACK("back-to-root", "saved ids", "becomes root again after -u",
               "all three ids set, no CAP_SETUID", back_to_root, NULL, FRESH, arrange_saved_root,
               -EPERM),
        ATTACK("foreign-id", "ids beyond the map",
               "takes an id of another box, or the supervisor's",
               "id map of the inner user namespace", foreign_id, NULL, FRESH, NULL, -EINVAL,
               -EPERM),
        ATTACK("other-groups", "CVE-2022-2989", "is in a group that was not given", "setgroups",
               other_groups, NULL, FRESH, arrange_group, HELD),
        ATTACK("core-limit", "core dumps", "may dump core", "RLIMIT_CORE 0", core_limit, NULL,
               PLAIN, NULL, HELD),
        ATTACK("raise-core-limit", "core dumps", "raises its limit", "no CAP_SYS_RESOURCE",
               raise_core_limit, NULL, PLAIN, NULL, -EPERM),
        {NULL},
};
