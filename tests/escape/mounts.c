/* SPDX-License-Identifier: Apache-2.0 */

/* The mount tree: adding to it, uncovering what is masked, leaving it. */

#include "attack.h"

#include <base/str.h>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct new_mount {
        const char *source;
        const char *type;
        unsigned long flags;
        const char *options;
};

/* On the root, which is there in every box; nothing is resolved that the box could have made. */
static int try_mount(struct attempt *a)
{
        const struct new_mount *m = a->attack->arg;

        return mount(m->source, "/", m->type, m->flags, m->options) < 0 ? -errno : DONE;
}

static const struct new_mount tmpfs_mount = {"none", "tmpfs", 0, NULL};
static const struct new_mount proc_mount = {"none", "proc", 0, NULL};
static const struct new_mount bind_mount = {"/", NULL, MS_BIND | MS_REC, NULL};
static const struct new_mount shared_mount = {NULL, NULL, MS_REC | MS_SHARED, NULL};
static const struct new_mount cgroup_mount = {"none", "cgroup", 0, "memory"};

static int mount_kernel_types(struct attempt *a)
{
        static const char *const types[] = {"sysfs",      "cgroup2",     "devtmpfs", "debugfs",
                                            "securityfs", "binfmt_misc", "tracefs",  "bpf",
                                            "mqueue",     "devpts",      "ramfs",    "pstore"};
        struct sweep s = SWEEP(a);

        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (sweep_add(&s, mount("none", "/", types[i], 0, NULL) < 0 ? -errno : DONE,
                              types[i]))
                        break;
        return sweep_end(&s);
}

static const struct mount_attr read_write = {.attr_clr = MOUNT_ATTR_RDONLY};

CALL_ROW(fsopen_call, SYS_fsopen, 0, 0, (long)"tmpfs", 0);
CALL_ROW(fspick_call, SYS_fspick, 0, 0, AT_FDCWD, (long)"/", 0);
CALL_ROW(open_tree_call, SYS_open_tree, 0, 0, AT_FDCWD, (long)"/", OPEN_TREE_CLONE | AT_RECURSIVE);
CALL_ROW(move_mount_call, SYS_move_mount, EBADF, ENOENT, -1, (long)"", -1, (long)"",
         MOVE_MOUNT_F_EMPTY_PATH);
CALL_ROW(mount_setattr_call, SYS_mount_setattr, EBADF, 0, -1, (long)"", AT_EMPTY_PATH,
         (long)&read_write, sizeof(read_write));
CALL_ROW(pivot_root_call, SYS_pivot_root, 0, 0, (long)".", (long)".");
CALL_ROW(chroot_call, SYS_chroot, 0, 0, (long)".");

static int arrange_in_tmp(void)
{
        return chdir("/tmp") < 0 ? -errno : 0;
}

static bool has_option(const char *options, const char *name)
{
        size_t length = strlen(name);

        for (const char *p = options; p != NULL; p = strchr(p, ',')) {
                p += *p == ',';
                if (strncmp(p, name, length) == 0 && (p[length] == ',' || p[length] == '\0'))
                        return true;
        }
        return false;
}

static struct mount mounts[MOUNTS_MAX];

static int remount_rw(struct attempt *a)
{
        struct sweep s = SWEEP(a);
        int count = mounts_read(mounts, ELEMENTS(mounts));

        if (count < 0)
                return attempt_say(a, NOTHING, "mountinfo: %s", ending_name(count));
        for (int i = count - 1; i >= 0; i--) {
                const char *point = mounts[i].point;

                if (has_option(mounts[i].options, "ro") &&
                    sweep_add(&s,
                              mount(NULL, point, NULL, MS_REMOUNT | MS_BIND, NULL) < 0 ? -errno
                                                                                       : DONE,
                              point))
                        break;
        }
        return sweep_end(&s);
}

static int arrange_read_only(void)
{
        if (mkdir("/tmp/ro", 0700) < 0 || mount("none", "/tmp/ro", "tmpfs", MS_RDONLY, NULL) < 0)
                return -errno;
        return 0;
}

static int unmount_masks(struct attempt *a)
{
        struct sweep s = SWEEP(a);
        int count = mounts_read(mounts, ELEMENTS(mounts));

        if (count < 0)
                return attempt_say(a, NOTHING, "mountinfo: %s", ending_name(count));
        for (int i = count - 1; i >= 0; i--) {
                const char *point = mounts[i].point;

                if (!str_eq(point, "/") &&
                    sweep_add(&s, umount2(point, MNT_DETACH) < 0 ? -errno : DONE, point))
                        break;
        }
        return sweep_end(&s);
}

/* A mount with a master gets what the host mounts later; a shared one gives what the box mounts. */
static int propagation(struct attempt *a)
{
        int count = mounts_read(mounts, ELEMENTS(mounts));

        if (count < 0)
                return attempt_say(a, NOTHING, "mountinfo: %s", ending_name(count));
        for (int i = 0; i < count; i++)
                if (strstr(mounts[i].optional, "master:") != NULL ||
                    strstr(mounts[i].optional, "shared:") != NULL)
                        return attempt_say(a, DONE, "%.80s is %s", mounts[i].point,
                                           mounts[i].optional);
        return attempt_say(a, HELD, "%d mounts", count);
}

static int arrange_shared(void)
{
        return mount(NULL, "/tmp", NULL, MS_SHARED, NULL) < 0 ? -errno : 0;
}

/* Paths of the host are worth knowing to who gets half a step out; they also name the user. */
static int host_paths(struct attempt *a)
{
        static const char *const files[] = {"/proc/self/mountinfo", "/proc/self/mounts",
                                            "/proc/self/mountstats"};
        static char text[65536];
        const char *paths = fact("HOST_PATHS");
        char path[1024];

        if (paths == NULL)
                return attempt_say(a, NOTHING, "no path is named");
        for (; *paths != '\0'; paths += strcspn(paths, ":"), paths += *paths == ':') {
                (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(paths, ":"), paths);
                for (size_t i = 0; i < ELEMENTS(files); i++)
                        if (read_text(files[i], text, sizeof(text)) > 0 &&
                            strstr(text, path) != NULL)
                                return attempt_say(a, DONE, "%s in %s", path, files[i]);
        }
        return HELD;
}

static int arrange_host_path(void)
{
        const char *paths = fact("HOST_PATHS");
        char path[1024];

        if (paths == NULL)
                return 0;
        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(paths, ":"), paths);
        return mount(path, "/tmp", "tmpfs", 0, NULL) < 0 ? -errno : 0;
}

const struct attack mounts_attacks[] = {
        ATTACK("mount-tmpfs", "mount(2)", "mounts a tmpfs over the root", "seccomp, Landlock",
               try_mount, &tmpfs_mount, FRESH, NULL, -EPERM),
        ATTACK("mount-proc", "mount(2)", "mounts a procfs without masks", "seccomp, Landlock",
               try_mount, &proc_mount, FRESH, NULL, -EPERM),
        ATTACK("mount-bind", "mount(2)", "binds the root over itself", "seccomp, Landlock",
               try_mount, &bind_mount, FRESH, NULL, -EPERM),
        ATTACK("mount-shared", "mount propagation", "makes its mounts shared", "seccomp, Landlock",
               try_mount, &shared_mount, FRESH, NULL, -EPERM),
        ATTACK("mount-cgroup", "CVE-2022-0492",
               "mounts a cgroup v1 hierarchy for its release_agent", "seccomp, Landlock", try_mount,
               &cgroup_mount, FRESH, NULL, -EPERM),
        ATTACK("mount-kernel-types", "mount(2)", "mounts sysfs, cgroup2, debugfs, bpf and others",
               "seccomp, Landlock", mount_kernel_types, NULL, FRESH, NULL, -EPERM),
        ATTACK("fsopen", "new mount API", "makes a file system without mount(2)", "seccomp",
               try_call, &fsopen_call, FRESH, NULL, -EPERM),
        ATTACK("fspick", "new mount API", "takes the root's file system to change it", "seccomp",
               try_call, &fspick_call, FRESH, NULL, -EPERM),
        ATTACK("open-tree", "new mount API", "clones the mount tree", "seccomp", try_call,
               &open_tree_call, FRESH, NULL, -EPERM),
        ATTACK("move-mount", "new mount API", "moves a mount", "seccomp, Landlock", try_call,
               &move_mount_call, FRESH, NULL, -EPERM),
        ATTACK("mount-setattr", "new mount API", "makes a read-only mount writable", "seccomp",
               try_call, &mount_setattr_call, FRESH, NULL, -EPERM),
        ATTACK("remount-rw", "MS_REMOUNT", "makes each read-only mount writable",
               "seccomp, locked mounts", remount_rw, NULL, FRESH, arrange_read_only, -EPERM),
        ATTACK("unmount-masks", "umount2(2)", "takes each mount away, masks of /proc too",
               "seccomp, locked mounts", unmount_masks, NULL, FRESH, NULL, -EPERM),
        ATTACK("pivot-root", "pivot_root(2)", "changes the root of the mount namespace",
               "seccomp, Landlock", try_call, &pivot_root_call, FRESH, arrange_in_tmp, -EPERM),
        ATTACK("chroot", "chroot(2) and ..",
               "takes a root that the working directory is outside of",
               "seccomp, no CAP_SYS_CHROOT", try_call, &chroot_call, FRESH, NULL, -EPERM),
        ATTACK("propagation", "shared mounts", "finds a mount that follows or feeds the host's",
               "private mounts", propagation, NULL, FRESH, arrange_shared, HELD),
        ATTACK("host-paths", "mountinfo", "reads paths of the host in its mounts",
               "overlay made of detached mounts", host_paths, NULL, FRESH, arrange_host_path, HELD),
        {NULL},
};
