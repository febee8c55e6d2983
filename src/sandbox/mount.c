/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/mount.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "sandbox/target.h"

/* <linux/mount.h> and musl's <sys/mount.h> cannot both name these. */
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

#define OVERLAY_OPTION_MAX 4096

static int attach(int mount_fd, int target_fd)
{
        return sys_move_mount(mount_fd, "", target_fd, "",
                              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int set_attr(int mount_fd, uint64_t attrs, bool recursive)
{
        struct mount_attr attr = {.attr_set = attrs};

        if (attrs == 0)
                return 0;
        return sys_mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
                                 &attr);
}

int mount_open_source(const struct msg_source *s, int idmap_fd, int *ret_fd,
                      struct coffer_error *err)
{
        cleanup_close int path_fd = -EBADF;
        cleanup_close int fd = -EBADF;
        bool recursive = (s->flags & SOURCE_RECURSIVE) != 0;
        struct mount_attr attr = {
                .attr_set = (s->flags & SOURCE_READ_ONLY ? MOUNT_ATTR_RDONLY : 0) |
                            (idmap_fd >= 0 ? MOUNT_ATTR_IDMAP : 0),
                .userns_fd = idmap_fd >= 0 ? (uint64_t)idmap_fd : 0,
        };
        int r;

        path_fd = sys_openat2(AT_FDCWD, s->path, O_PATH, 0, RESOLVE_NO_SYMLINKS);
        if (path_fd < 0)
                return error_set(err, path_fd, "open '%s'", s->path);
        fd = sys_open_tree(path_fd, "",
                           AT_EMPTY_PATH | OPEN_TREE_CLONE | (recursive ? AT_RECURSIVE : 0));
        if (fd < 0)
                return error_set(err, fd, "clone the mount of '%s'", s->path);
        if (attr.attr_set == 0)
                goto done;

        r = sys_mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr);
        if (r < 0 && idmap_fd >= 0) {
                (void)error_set(err, r, "map the ids of the mount of '%s'", s->path);
                error_hint(
                        err,
                        "its file system has no id-mapped mounts; copy it to ext4, xfs or btrfs");
                return r;
        }
        if (r < 0)
                return error_set(err, r, "set the attributes of the mount of '%s'", s->path);
done:
        *ret_fd = take_fd(&fd);
        return 0;
}

static int attach_at(struct mount_root *root, int mount_fd, const char *target, bool is_dir)
{
        cleanup_close int target_fd = -EBADF;
        int r = target_open(root->root_fd, target, is_dir, is_dir ? 0755 : 0644, &target_fd);

        return r < 0 ? r : attach(mount_fd, target_fd);
}

/* --------------------------------------------------------------------------- file systems */

/* Options "a=b,c" by fsconfig, one at a time. */
static int configure(int fs_fd, const char *options)
{
        char text[OVERLAY_OPTION_MAX];
        char *save = NULL;

        if (str_copy(text, sizeof(text), options) < 0)
                return -E2BIG;
        for (char *o = strtok_r(text, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
                char *value = strchr(o, '=');
                int r;

                if (value)
                        *value++ = '\0';
                r = value ? sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, o, value, 0)
                          : sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, o, NULL, 0);
                if (r < 0)
                        return r;
        }
        return sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int make_fs(const char *type, const char *options, uint64_t attrs, int *ret_fd)
{
        cleanup_close int fs_fd = sys_fsopen(type);
        int r;

        if (fs_fd < 0)
                return fs_fd;
        r = configure(fs_fd, options);
        if (r < 0)
                return r;
        r = sys_fsmount(fs_fd, (unsigned)attrs);
        if (r < 0)
                return r;
        *ret_fd = r;
        return 0;
}

static int mount_fs(struct mount_root *root, const struct msg_mount_op *op, const char *type,
                    int *ret_fd)
{
        cleanup_close int fd = -EBADF;
        int r = make_fs(type, op->data, op->flags, &fd);

        if (r == 0)
                r = attach_at(root, fd, op->target, true);
        if (r == 0 && ret_fd)
                *ret_fd = take_fd(&fd);
        return r;
}

/* -------------------------------------------------------------------------------- the ops */

struct build {
        const struct msg_setup *setup;
        int *source_fds;
        struct mount_root *root;
};

static int op_bind(struct build *b, const struct msg_mount_op *op)
{
        const struct msg_source *sources = b->setup->sources.items;
        const struct msg_source *s;
        struct stat st;
        int fd, r;

        if (op->source >= b->setup->sources.count)
                return -EINVAL;
        s = &sources[op->source];
        fd = b->source_fds[op->source];
        if (fstat(fd, &st) < 0)
                return -errno;
        r = set_attr(fd, op->flags, (s->flags & SOURCE_RECURSIVE) != 0);
        return r < 0 ? r : attach_at(b->root, fd, op->target, S_ISDIR(st.st_mode));
}

static int op_tmpfs(struct build *b, const struct msg_mount_op *op)
{
        return mount_fs(b->root, op, "tmpfs", NULL);
}

static int op_sysfs(struct build *b, const struct msg_mount_op *op)
{
        return mount_fs(b->root, op, "sysfs", NULL);
}

static int op_mqueue(struct build *b, const struct msg_mount_op *op)
{
        return mount_fs(b->root, op, "mqueue", NULL);
}

static int op_devpts(struct build *b, const struct msg_mount_op *op)
{
        return mount_fs(b->root, op, "devpts", &b->root->devpts_fd);
}

static int op_device(struct build *b, const struct msg_mount_op *op)
{
        const char *path = str_after(op->data, "/");
        cleanup_close int fd = -EBADF;
        struct stat st;
        int r;

        if (!path)
                return -EINVAL;
        fd = sys_open_tree(b->root->old_fd, path, OPEN_TREE_CLONE);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
                return -ENODEV;
        r = set_attr(fd, op->flags, false);
        return r < 0 ? r : attach_at(b->root, fd, op->target, false);
}

static int op_symlink(struct build *b, const struct msg_mount_op *op)
{
        cleanup_close int parent_fd = -EBADF;
        char path[PATH_MAX];
        char *slash;
        int r;

        if (str_copy(path, sizeof(path), op->target) < 0)
                return -ENAMETOOLONG;
        slash = strrchr(path, '/');
        if (!slash)
                return -EINVAL;
        *slash = '\0';
        r = target_open(b->root->root_fd, path[0] ? path : "/", true, 0755, &parent_fd);
        if (r < 0)
                return r;
        if (symlinkat(op->data, parent_fd, slash + 1) < 0 && errno != EEXIST)
                return -errno;
        return 0;
}

static int op_dir(struct build *b, const struct msg_mount_op *op)
{
        cleanup_close int fd = -EBADF;

        return target_open(b->root->root_fd, op->target, true, (mode_t)op->flags, &fd);
}

static int make_file(int dir_fd, const char *name, const struct msg_mount_op *op)
{
        cleanup_close int fd = sys_open_mode(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
        int r = fd < 0 ? fd : sys_write_all(fd, op->data, strlen(op->data));

        if (r == 0 && fchmod(fd, (mode_t)op->flags) < 0)
                r = -errno;
        return r;
}

/* A file directly in /etc of an overlay is made below it, which saves a mount each. */
static bool is_in_skeleton(const struct msg_setup *setup, const struct msg_mount_op *op)
{
        const char *name = str_after(op->target, "/etc/");

        return op->kind == MOUNT_OP_FILE && setup->overlay_lower.count > 0 && name &&
               name[0] != '\0' && name[0] != '.' && strlen(name) < 64 && !strchr(name, '/');
}

static int op_file(struct build *b, const struct msg_mount_op *op)
{
        cleanup_close int tree_fd = -EBADF;
        char name[32];
        int r;

        if (is_in_skeleton(b->setup, op))
                return 0;
        (void)snprintf(name, sizeof(name), "file%u", b->root->files++);
        r = make_file(b->root->scratch_fd, name, op);
        if (r < 0)
                return r;
        tree_fd = sys_open_tree(b->root->scratch_fd, name, OPEN_TREE_CLONE);
        return tree_fd < 0 ? tree_fd : attach_at(b->root, tree_fd, op->target, false);
}

/* What happens with procfs happens later. */
static int op_later(struct build *b, const struct msg_mount_op *op)
{
        (void)b;
        (void)op;
        return 0;
}

static const struct {
        const char *what;
        int (*run)(struct build *b, const struct msg_mount_op *op);
} ops[MOUNT_OP_COUNT] = {
        [MOUNT_OP_BIND] = {"bind",             op_bind   },
        [MOUNT_OP_TMPFS] = {"mount tmpfs",      op_tmpfs  },
        [MOUNT_OP_SYSFS] = {"mount sysfs",      op_sysfs  },
        [MOUNT_OP_MQUEUE] = {"mount mqueue",     op_mqueue },
        [MOUNT_OP_DEVPTS] = {"mount devpts",     op_devpts },
        [MOUNT_OP_DEVICE] = {"bind device",      op_device },
        [MOUNT_OP_SYMLINK] = {"create symlink",   op_symlink},
        [MOUNT_OP_DIR] = {"create directory", op_dir    },
        [MOUNT_OP_FILE] = {"bind made file",   op_file   },
        [MOUNT_OP_PROC] = {"mount procfs",     op_later  },
        [MOUNT_OP_MASK] = {"mask",             op_later  },
        [MOUNT_OP_READ_ONLY] = {"make read-only",   op_later  },
};

/* ------------------------------------------------------------------------------ the root */

static int attach_named(struct mount_root *root, int mount_fd, const char *name)
{
        cleanup_close int dir_fd = -EBADF;

        if (mkdirat(root->scratch_fd, name, 0755) < 0)
                return -errno;
        dir_fd = sys_open(root->scratch_fd, name, O_PATH | O_DIRECTORY);
        return dir_fd < 0 ? dir_fd : attach(mount_fd, dir_fd);
}

/*
 * What every box has, as the uppermost lower layer: the mount points are there whatever the image
 * is and whoever owns it, nothing of ours ends up in the box's writable layer, and an image whose
 * /proc or /dev is a symlink has a directory there after all.
 */
static int make_skeleton(const struct msg_setup *setup, struct mount_root *root)
{
        static const char *const dirs[] = {"skel", "skel/proc", "skel/sys", "skel/dev", "skel/etc"};
        const struct msg_mount_op *list = setup->ops.items;

        for (size_t i = 0; i < ELEMENTS(dirs); i++)
                if (mkdirat(root->scratch_fd, dirs[i], 0755) < 0)
                        return -errno;
        for (size_t i = 0; i < setup->ops.count; i++) {
                char path[128];
                int r;

                if (!is_in_skeleton(setup, &list[i]))
                        continue;
                (void)snprintf(path, sizeof(path), "skel%s", list[i].target);
                r = make_file(root->scratch_fd, path, &list[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Layers get short names below the scratch, which is the working directory meanwhile. */
static int attach_layers(const struct msg_setup *setup, const int *source_fds,
                         struct mount_root *root, char *lower, size_t size)
{
        size_t used = (size_t)snprintf(lower, size, "skel");

        for (size_t i = 0; i < setup->overlay_lower.count; i++) {
                uint64_t source;
                char name[32];
                int r = str_to_u64(setup->overlay_lower.items[i], setup->sources.count - 1,
                                   &source);

                if (r < 0)
                        return r;
                (void)snprintf(name, sizeof(name), "l%zu", i);
                r = attach_named(root, source_fds[source], name);
                if (r < 0)
                        return r;
                r = snprintf(lower + used, size - used, ":%s", name);
                if (r < 0 || (size_t)r >= size - used)
                        return -E2BIG;
                used += (size_t)r;
        }
        return 0;
}

static int make_overlay(const struct msg_setup *setup, const int *source_fds,
                        struct mount_root *root, int *ret_fd)
{
        cleanup_close int fs_fd = -EBADF;
        char lower[OVERLAY_OPTION_MAX];
        int r;

        if (setup->overlay_upper >= setup->sources.count)
                return -EINVAL;
        r = make_skeleton(setup, root);
        if (r == 0)
                r = attach_layers(setup, source_fds, root, lower, sizeof(lower));
        if (r == 0)
                r = attach_named(root, source_fds[setup->overlay_upper], "u");
        if (r < 0)
                return r;
        if (fchdir(root->scratch_fd) < 0)
                return -errno;
        fs_fd = sys_fsopen("overlay");
        if (fs_fd < 0)
                return fs_fd;
        r = sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir", lower, 0);
        if (r == 0)
                r = sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "upperdir", "u/upper", 0);
        if (r == 0)
                r = sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "workdir", "u/work", 0);
        if (r == 0)
                r = sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
        if (r == 0 && setup->overlay_volatile)
                r = sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
        if (r == 0)
                r = sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
        if (r == 0)
                r = sys_fsmount(fs_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (r < 0)
                return r;
        *ret_fd = r;
        return 0;
}

static int make_root(const struct msg_setup *setup, const int *source_fds, struct mount_root *root,
                     struct coffer_error *err)
{
        cleanup_close int fd = -EBADF;
        int r;

        if (setup->overlay_lower.count > 0)
                r = make_overlay(setup, source_fds, root, &fd);
        else
                r = make_fs("tmpfs", "mode=755,size=64m", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                            &fd);
        if (r < 0) {
                (void)error_set(err, r, "make the root file system of the box");
                if (setup->overlay_lower.count > 0)
                        error_hint(err,
                                   "the home must be on a file system that can hold an overlay "
                                   "upper (ext4, xfs, btrfs, tmpfs from 6.6)");
                return r;
        }
        r = attach_named(root, fd, "root");
        if (r < 0)
                return error_set(err, r, "attach the root file system of the box");
        root->root_fd = take_fd(&fd);
        return 0;
}

/*
 * Over a directory of the old root that nobody needs any more.  Not over "/": whoever's root is
 * covered counts as chrooted, and may make no user namespace.
 */
static int attach_scratch(struct mount_root *root)
{
        static const char *const places[] = {"tmp", "run", "mnt", "usr"};
        int r = -ENOENT;

        for (size_t i = 0; r == -ENOENT && i < ELEMENTS(places); i++) {
                cleanup_close int fd = sys_open(root->old_fd, places[i], O_PATH | O_DIRECTORY);

                r = fd < 0 ? fd : attach(root->scratch_fd, fd);
        }
        return r;
}

static int open_host(struct mount_root *root, struct coffer_error *err)
{
        cleanup_close int null_fd = -EBADF;
        struct stat st;
        int r;

        /* Ours is a copy of the host's mounts; nothing below may travel back. */
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return error_set(err, -errno, "make the mounts of the box private");
        root->old_fd = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
        if (root->old_fd < 0)
                return error_set(err, root->old_fd, "open the host's root");

        null_fd = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE);
        if (null_fd < 0 || fstat(null_fd, &st) < 0)
                return error_set(err, null_fd < 0 ? null_fd : -errno, "clone /dev/null");
        if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                return error_say(err, -ENODEV, COFFER_ERROR_HOST,
                                 "the host's /dev/null is not char 1:3");
        root->null_fd = take_fd(&null_fd);

        r = make_fs("tmpfs", "mode=755,size=16m", MOUNT_ATTR_NOSUID, &root->scratch_fd);
        if (r == 0)
                r = attach_scratch(root);
        return r < 0 ? error_set(err, r, "mount the scratch tmpfs") : 0;
}

static int say_step(const struct msg_mount_op *op, int code, struct coffer_error *err)
{
        (void)error_set(err, code, "%s at '%s'", ops[op->kind].what, op->target);
        if (code == -ENOTDIR)
                error_hint(err, "a directory goes over a directory: there is a file at the target "
                                "or on the way to it");
        else if (code == -EISDIR)
                error_hint(err, "a file goes over a file: name the target with the file's name");
        else if (code == -ELOOP)
                error_hint(err, "there is a symlink on the way, which is not followed there");
        else if (code == -EROFS || code == -EACCES || code == -EPERM)
                error_hint(err, "the target cannot be made there: make it in the image, or choose "
                                "another");
        return code;
}

int mount_build(const struct msg_setup *setup, int *source_fds, struct mount_root *ret_root,
                struct coffer_error *err)
{
        const struct msg_mount_op *list = setup->ops.items;
        struct mount_root root = MOUNT_ROOT_INIT;
        struct build b = {.setup = setup, .source_fds = source_fds, .root = &root};
        int r;

        r = open_host(&root, err);
        if (r == 0)
                r = make_root(setup, source_fds, &root, err);
        for (size_t i = 0; r == 0 && i < setup->ops.count; i++) {
                if (list[i].kind >= MOUNT_OP_COUNT)
                        return error_say(err, -EINVAL, COFFER_ERROR_OTHER, "unknown mount step %u",
                                         list[i].kind);
                r = ops[list[i].kind].run(&b, &list[i]);
                if (r < 0)
                        return say_step(&list[i], r, err);
        }
        if (r == 0)
                *ret_root = root;
        return r;
}

/* ----------------------------------------------------------------------------- procfs, end */

int mount_make_proc(int *ret_fd, struct coffer_error *err)
{
        int r = make_fs("proc", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                        ret_fd);

        if (r == -EPERM) {
                (void)error_say(err, r, COFFER_ERROR_HOST, "mount procfs: Operation not permitted");
                error_hint(err,
                           "this container's own /proc is masked; with podman or docker give it "
                           "--security-opt unmask=ALL (systempaths=unconfined)");
                return r;
        }
        return r < 0 ? error_set(err, r, "mount procfs") : 0;
}

static int mask(struct mount_root *root, const struct msg_mount_op *op)
{
        cleanup_close int target_fd = target_resolve(root->root_fd, op->target);
        cleanup_close int fd = -EBADF;
        struct stat st;
        int r;

        if (target_fd == -ENOENT || target_fd == -EACCES)
                return 0;
        if (target_fd < 0)
                return target_fd;
        if (fstat(target_fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode)) {
                r = make_fs("tmpfs", "size=0,mode=755",
                            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                    MOUNT_ATTR_NOEXEC,
                            &fd);
                if (r < 0)
                        return r;
        } else if (root->null_used) {
                fd = sys_open_tree(root->null_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
                if (fd < 0)
                        return fd;
        } else {
                /* Before 6.15 only a mount that is attached can be cloned, so this one goes first.
                 */
                root->null_used = true;
                return attach(root->null_fd, target_fd);
        }
        return attach(fd, target_fd);
}

static int make_read_only(struct mount_root *root, const struct msg_mount_op *op)
{
        cleanup_close int target_fd = target_resolve(root->root_fd, op->target);
        cleanup_close int fd = -EBADF;
        int r;

        if (target_fd == -ENOENT || target_fd == -EACCES)
                return 0;
        if (target_fd < 0)
                return target_fd;
        fd = sys_open_tree(target_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
        if (fd < 0)
                return fd;
        r = set_attr(fd, MOUNT_ATTR_RDONLY, true);
        return r < 0 ? r : attach(fd, target_fd);
}

int mount_attach_proc(const struct msg_setup *setup, struct mount_root *root, int proc_fd,
                      struct coffer_error *err)
{
        const struct msg_mount_op *list = setup->ops.items;

        for (size_t i = 0; i < setup->ops.count; i++) {
                int r;

                if (list[i].kind != MOUNT_OP_PROC)
                        continue;
                r = attach_at(root, proc_fd, list[i].target, true);
                if (r < 0)
                        return error_set(err, r, "mount procfs at '%s'", list[i].target);
        }
        return 0;
}

int mount_mask(const struct msg_setup *setup, struct mount_root *root, struct coffer_error *err)
{
        const struct msg_mount_op *list = setup->ops.items;

        for (size_t i = 0; i < setup->ops.count; i++) {
                int r = 0;

                if (list[i].kind == MOUNT_OP_MASK)
                        r = mask(root, &list[i]);
                else if (list[i].kind == MOUNT_OP_READ_ONLY)
                        r = make_read_only(root, &list[i]);
                if (r < 0)
                        return error_set(err, r, "%s at '%s'", ops[list[i].kind].what,
                                         list[i].target);
        }
        close_fd(&root->root_fd);
        close_fd(&root->null_fd);
        return 0;
}

int mount_enter(const struct msg_setup *setup, struct mount_root *root, struct coffer_error *err)
{
        int r = set_attr(root->root_fd, setup->root_read_only ? MOUNT_ATTR_RDONLY : 0, false);

        if (r < 0)
                return error_set(err, r, "make the root read-only");
        if (fchdir(root->root_fd) < 0)
                return error_set(err, -errno, "enter the new root");
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                return error_set(err, -errno, "pivot_root");
        return 0;
}

int mount_leave(struct mount_root *root, struct coffer_error *err)
{
        /* The old root, the scratch on top of it, now lies over the new one (pivot_root(2)). */
        if (umount2(".", MNT_DETACH) < 0)
                return error_set(err, -errno, "detach the old root");
        if (chdir("/") < 0)
                return error_set(err, -errno, "enter the new root");
        close_fd(&root->old_fd);
        close_fd(&root->scratch_fd);
        return 0;
}
