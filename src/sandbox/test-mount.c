/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "sandbox/test-child.h"
#include "t.h"

/*
 * The scene of each test: a user, mount and PID namespace, and a tmpfs on /mnt with
 *
 *      image/          the lowest layer of an overlay: what an attacker has packed
 *      box/upper work  the writable layer
 *      outside/        what nobody in the box may reach, with a file "secret"
 *      source/         what is bound, with a file "file"
 */
#define SOURCES_MAX 8
#define OPS_MAX     32

static struct {
        struct msg_setup setup;
        struct msg_source sources[SOURCES_MAX];
        struct msg_mount_op ops[OPS_MAX];
        int fds[SOURCES_MAX];
        struct mount_root root;
        struct coffer_error err;
        char *lower[2];
        int upper_fd;
} s;

static bool put_file(const char *path, const char *text)
{
        cleanup_close int fd = sys_open_mode(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0644);

        return fd >= 0 && sys_write_all(fd, text, strlen(text)) == 0;
}

static int make_scene(void)
{
        static const char *const dirs[] = {"image",     "image/etc", "image/usr", "box",
                                           "box/upper", "box/work",  "outside",   "source"};

        WANT(single_id_namespace(CLONE_NEWNS) == 0);
        WANT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        WANT(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
        (void)umask(0);
        NEED(chdir("/mnt") == 0);
        for (size_t i = 0; i < ELEMENTS(dirs); i++)
                NEED(mkdir(dirs[i], 0755) == 0);
        NEED(put_file("outside/secret", "of the host"));
        NEED(put_file("source/file", "of the source"));
        NEED(put_file("image/file", "of the image"));
        s.root = MOUNT_ROOT_INIT;
        s.setup.sources.items = s.sources;
        s.setup.ops.items = s.ops;
        s.upper_fd = sys_open(AT_FDCWD, "/mnt/box/upper", O_RDONLY | O_DIRECTORY);
        NEED(s.upper_fd >= 0);
        return 0;
}

static uint32_t add_source(const char *path, uint32_t flags)
{
        s.sources[s.setup.sources.count] =
                (struct msg_source){.path = (char *)(uintptr_t)path, .flags = flags};
        return (uint32_t)s.setup.sources.count++;
}

static void add_op(enum mount_op_kind kind, const char *target, const char *data, uint64_t flags)
{
        s.ops[s.setup.ops.count++] = (struct msg_mount_op){
                .kind = kind,
                .target = (char *)(uintptr_t)target,
                .data = (char *)(uintptr_t)data,
                .flags = flags,
        };
}

static void add_bind(const char *path, uint32_t source_flags, const char *target, uint64_t flags)
{
        uint32_t source = add_source(path, source_flags);

        add_op(MOUNT_OP_BIND, target, "", flags);
        s.ops[s.setup.ops.count - 1].source = source;
}

/* The image as the lower layer and box/ as the upper, where the kernel has that. */
static int use_overlay(void)
{
        static char index[] = "0";

        NEED(mkdir("probe", 0755) == 0 && mkdir("probe/u", 0755) == 0);
        NEED(mkdir("probe/w", 0755) == 0 && mkdir("probe/m", 0755) == 0);
        WANT(mount("overlay", "probe/m", "overlay", 0,
                   "lowerdir=image,upperdir=probe/u,workdir=probe/w,userxattr") == 0);
        NEED(umount("probe/m") == 0);
        (void)add_source("/mnt/image", 0);
        s.setup.overlay_upper = add_source("/mnt/box", 0);
        s.lower[0] = index;
        s.setup.overlay_lower = (struct strv){s.lower, 1};
        return 0;
}

static int build(void)
{
        for (size_t i = 0; i < s.setup.sources.count; i++) {
                int r = mount_open_source(&s.sources[i], -1, &s.fds[i], &s.err);

                if (r < 0)
                        return r;
        }
        return mount_build(&s.setup, s.fds, &s.root, &s.err);
}

/* One step in a fresh process, since what is built stays; its answer. */
static int answer_of(enum mount_op_kind kind, const char *target, const char *data)
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                add_op(kind, target, data,
                       kind == MOUNT_OP_DIR || kind == MOUNT_OP_FILE ? 0755 : 0);
                _exit(-build() & 0xff);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -ECHILD;
        return -WEXITSTATUS(status);
}

static bool exists(int dir_fd, const char *path)
{
        struct stat st;

        return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A file of the new root, by a path without symlinks. */
static bool holds(const char *path, const char *text)
{
        cleanup_close int fd = sys_openat2(s.root.root_fd, path, O_RDONLY, 0, RESOLVE_NO_SYMLINKS);
        char got[256] = "";

        return fd >= 0 && sys_read_full(fd, got, sizeof(got) - 1) >= 0 && str_eq(got, text);
}

static int count_entries(int dir_fd)
{
        DIR *dir = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 3));
        int count = 0;

        if (!dir)
                return -1;
        rewinddir(dir);
        while (readdir(dir))
                count++;
        (void)closedir(dir);
        return count - 2;
}

static void read_mounts(struct buf *to)
{
        t_ok(buf_read_file(to, AT_FDCWD, "/proc/self/mountinfo"));
}

/* Runs the child, and sees that of all its mounts none came back to us. */
static void t_mounts(int (*run)(void))
{
        struct buf before = BUF_INIT(1024 * 1024), after = BUF_INIT(1024 * 1024);

        read_mounts(&before);
        t_child(run);
        read_mounts(&after);
        t_str(before.data, after.data);
        buf_release(&before);
        buf_release(&after);
}

#define TEST_IN_SCENE(claim, run) \
        TEST(claim)               \
        {                         \
                t_mounts(run);    \
        }

/* --------------------------------------------------------------------------------- sources */

static const struct {
        const char *path;
        int code;
} sources[] = {
        {"/mnt/source",            0      },
        {"/mnt/source/file",       0      },
        {"/mnt//source/../source", 0      },
        {"/mnt/to-dir",            ELOOP  },
        {"/mnt/to-dir/",           ELOOP  },
        {"/mnt/to-dir/file",       ELOOP  },
        {"/mnt/to-file",           ELOOP  },
        {"/mnt/to-up",             ELOOP  },
        {"/mnt/source/../to-dir",  ELOOP  },
        {"/proc/self/cwd",         ELOOP  },
        {"/proc/self/root/mnt",    ELOOP  },
        {"/mnt/dangling",          ELOOP  },
        {"/mnt/missing",           ENOENT },
        {"/mnt/source/file/",      ENOTDIR},
        {"/mnt/source/file/x",     ENOTDIR},
        {"",                       ENOENT },
};

static int sources_without_symlinks(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(symlink("source", "to-dir") == 0 && symlink("/mnt/source/file", "to-file") == 0);
        NEED(symlink("../mnt/source", "to-up") == 0 && symlink("missing", "dangling") == 0);
        for (size_t i = 0; i < ELEMENTS(sources); i++) {
                struct msg_source source = {.path = (char *)(uintptr_t)sources[i].path};
                struct coffer_error err = {0};
                int fd = -1;

                (void)fprintf(stderr, "# '%s'\n", sources[i].path);
                r = mount_open_source(&source, -1, &fd, &err);
                NEED(r == -sources[i].code);
                NEED((r < 0) == (fd < 0) && (r == 0 || strstr(err.msg, "open '")));
                if (fd >= 0)
                        (void)close(fd);
        }
        return 0;
}

TEST_IN_SCENE(a_source_with_a_symlink_in_its_path_is_refused, sources_without_symlinks)

static int source_is_read_only(void)
{
        struct msg_source source = {.path = (char *)(uintptr_t) "/mnt/source",
                                    .flags = SOURCE_READ_ONLY | SOURCE_RECURSIVE};
        int fd, r = make_scene();

        if (r != 0)
                return r;
        NEED(mkdir("source/sub", 0755) == 0);
        NEED(mount("tmpfs", "source/sub", "tmpfs", 0, NULL) == 0);
        NEED(mount_open_source(&source, -1, &fd, NULL) == 0);
        NEED(mkdirat(fd, "x", 0755) < 0 && errno == EROFS);
        NEED(mkdirat(fd, "sub/x", 0755) < 0 && errno == EROFS); /* what lies below it too */
        NEED(fcntl(fd, F_GETFD) == FD_CLOEXEC);
        NEED(mkdir("source/x", 0755) == 0 && mkdir("source/sub/x", 0755) == 0); /* the copy is */
        return 0;
}

TEST_IN_SCENE(a_read_only_source_is_so_all_the_way_down, source_is_read_only)

static int source_is_not_mapped(void)
{
        struct msg_source source = {.path = (char *)(uintptr_t) "/proc"};
        struct coffer_error err = {0};
        int userns_fd, fd = -1, r = make_scene();

        if (r != 0)
                return r;
        userns_fd = sys_open(AT_FDCWD, "/proc/self/ns/user", O_RDONLY);
        NEED(mount_open_source(&source, userns_fd, &fd, &err) < 0 && fd == -1);
        NEED(strstr(err.msg, "map the ids of the mount of '/proc'") && err.hint[0]);
        return 0;
}

TEST_IN_SCENE(a_file_system_without_id_mapped_mounts_is_refused_with_a_hint, source_is_not_mapped)

/* --------------------------------------------------------------------------------- targets */

static int targets_through_symlinks(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(symlink("/etc", "image/absolute") == 0);
        NEED(symlink("../../../../../etc", "image/upwards") == 0);
        NEED(symlink("usr", "image/relative") == 0);
        NEED(symlink("absolute", "image/twice") == 0);
        NEED(symlink("/mnt/outside", "image/out") == 0);
        NEED(mkdir("image/mnt", 0755) == 0 && mkdir("image/mnt/outside", 0755) == 0);
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_FILE, "/absolute/coffer-a", "a", 0644);
        add_op(MOUNT_OP_FILE, "/upwards/coffer-b", "b", 0644);
        add_op(MOUNT_OP_FILE, "relative/c", "c", 0644);
        add_op(MOUNT_OP_FILE, "/twice/../relative/../twice/coffer-d", "d", 0644);
        add_op(MOUNT_OP_FILE, "/../../coffer-e", "e", 0644);
        add_op(MOUNT_OP_FILE, "/out/secret", "the box's own", 0644);
        add_op(MOUNT_OP_DIR, "/out/made", "", 0755);
        add_bind("/mnt/source", 0, "/relative", 0);
        NEED(build() == 0);
        NEED(holds("etc/coffer-a", "a") && holds("etc/coffer-b", "b"));
        NEED(holds("etc/coffer-d", "d") && holds("coffer-e", "e"));
        NEED(holds("usr/file", "of the source")); /* over usr/c */
        NEED(holds("mnt/outside/secret", "the box's own") &&
             exists(s.root.root_fd, "mnt/outside/made"));
        /* And on the host nothing. */
        NEED(!exists(AT_FDCWD, "/etc/coffer-a") && !exists(AT_FDCWD, "/etc/coffer-b"));
        NEED(!exists(AT_FDCWD, "/etc/coffer-d") && !exists(AT_FDCWD, "/coffer-e"));
        NEED(!exists(AT_FDCWD, "/mnt/outside/made"));
        return 0;
}

TEST_IN_SCENE(a_target_through_symlinks_stays_in_the_root, targets_through_symlinks)

static const struct {
        enum mount_op_kind kind;
        const char *target;
        const char *data;
        int code;
} refused[] = {
  /* what is there is of another kind */
        {MOUNT_OP_TMPFS,   "/file",         "",                    ENOTDIR},
        {MOUNT_OP_DIR,     "/file",         "",                    ENOTDIR},
        {MOUNT_OP_TMPFS,   "/file/x",       "",                    ENOTDIR},
        {MOUNT_OP_FILE,    "/file/x",       "text",                ENOTDIR},
        {MOUNT_OP_SYMLINK, "/file/x",       "text",                ENOTDIR},
        {MOUNT_OP_FILE,    "/usr",          "text",                EISDIR },
        {MOUNT_OP_FILE,    "/new/",         "text",                EISDIR },
        {MOUNT_OP_FILE,    "/",             "text",                EISDIR },
        {MOUNT_OP_DEVICE,  "/usr",          "/dev/null",           EISDIR },
        {MOUNT_OP_TMPFS,   "/to-file",      "",                    ENOTDIR},
        {MOUNT_OP_FILE,    "/to-usr",       "text",                EISDIR },
 /* symlinks that lead nowhere, or to where nothing is in the box */
        {MOUNT_OP_FILE,    "/dangling",     "text",                ENOENT },
        {MOUNT_OP_FILE,    "/dangling/x",   "text",                ENOENT },
        {MOUNT_OP_TMPFS,   "/dangling",     "",                    ENOENT },
        {MOUNT_OP_DIR,     "/dangling/x/y", "",                    ENOENT },
        {MOUNT_OP_FILE,    "/out/secret",   "text",                ENOENT },
        {MOUNT_OP_TMPFS,   "/out",          "",                    ENOENT },
        {MOUNT_OP_FILE,    "/magic/etc/x",  "text",                ENOENT },
        {MOUNT_OP_FILE,    "/loop",         "text",                ELOOP  },
        {MOUNT_OP_DIR,     "/loop/x",       "",                    ELOOP  },
 /* steps that make no sense */
        {MOUNT_OP_SYMLINK, "no-slash",      "text",                EINVAL },
        {MOUNT_OP_DEVICE,  "/null",         "/dev/none",           ENOENT },
        {MOUNT_OP_DEVICE,  "/null",         "/mnt/outside/secret", ENODEV },
        {MOUNT_OP_DEVICE,  "/null",         "/mnt/outside",        ENODEV },
        {MOUNT_OP_DEVICE,  "/null",         "",                    EINVAL },
        {MOUNT_OP_DEVICE,  "/null",         "dev/null",            EINVAL },
        {MOUNT_OP_TMPFS,   "/usr",          "size=x",              EINVAL },
        {MOUNT_OP_TMPFS,   "/usr",          "nosuchoption",        EINVAL },
        {MOUNT_OP_COUNT,   "/usr",          "",                    EINVAL },
};

static int targets_that_are_refused(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(symlink("/file", "image/to-file") == 0 && symlink("usr", "image/to-usr") == 0);
        NEED(symlink("missing", "image/dangling") == 0 && symlink("loop", "image/loop") == 0);
        NEED(symlink("/mnt/outside", "image/out") == 0);
        NEED(symlink("/proc/self/root", "image/magic") == 0);
        r = use_overlay();
        if (r != 0)
                return r;
        NEED(answer_of(MOUNT_OP_DIR, "/usr", "") == 0);
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                (void)fprintf(stderr, "# %u at '%s' of '%s'\n", refused[i].kind, refused[i].target,
                              refused[i].data);
                NEED(answer_of(refused[i].kind, refused[i].target, refused[i].data) ==
                     -refused[i].code);
        }
        NEED(count_entries(sys_open(AT_FDCWD, "/mnt/outside", O_RDONLY)) == 1);
        return 0;
}

TEST_IN_SCENE(a_target_that_is_something_else_or_nothing_is_refused, targets_that_are_refused)

static int bind_answer(const char *path, const char *target, uint32_t index)
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                add_bind(path, 0, target, 0);
                if (index)
                        s.ops[s.setup.ops.count - 1].source = index;
                _exit(-build() & 0xff);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -ECHILD;
        return -WEXITSTATUS(status);
}

static int binds_that_are_refused(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        NEED(bind_answer("/mnt/source", "/usr", 0) == 0);
        NEED(bind_answer("/mnt/source/file", "/file", 0) == 0);
        NEED(bind_answer("/mnt/source", "/file", 0) == -ENOTDIR);
        NEED(bind_answer("/mnt/source/file", "/usr", 0) == -EISDIR);
        NEED(bind_answer("/mnt/source", "/usr", 3) == -EINVAL); /* there are three */
        NEED(bind_answer("/mnt/source", "/usr", UINT32_MAX) == -EINVAL);
        return 0;
}

TEST_IN_SCENE(a_bind_of_another_kind_or_of_no_source_is_refused, binds_that_are_refused)

static int error_names_the_step(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        add_op(MOUNT_OP_FILE, "/a/file", "text", 0644);
        add_op(MOUNT_OP_TMPFS, "/a/file", "", 0);
        r = build();
        NEED(r == -ENOTDIR && s.err.code == r);
        NEED(strstr(s.err.msg, "mount tmpfs at '/a/file'"));
        NEED(s.root.root_fd < 0); /* nothing is handed out */
        return 0;
}

TEST_IN_SCENE(a_step_that_cannot_be_done_says_which_and_where, error_names_the_step)

static int missing_parts_are_made(void)
{
        struct stat st;
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_FILE, "/x/y//z/file", "text", 0640);
        add_op(MOUNT_OP_DIR, "//a/./b/c", "", 0701);
        add_op(MOUNT_OP_TMPFS, "/usr/new/tmpfs", "mode=700", 0);
        add_bind("/mnt/source/file", 0, "/n/file", 0);
        add_op(MOUNT_OP_SYMLINK, "/s/link", "/anywhere/../at all", 0);
        add_op(MOUNT_OP_SYMLINK, "/file", "/etc/passwd", 0);
        NEED(build() == 0);
        NEED(holds("x/y/z/file", "text") && holds("n/file", "of the source"));
        NEED(fstatat(s.root.root_fd, "x/y/z/file", &st, 0) == 0 && (st.st_mode & 07777) == 0640);
        NEED(fstatat(s.root.root_fd, "x/y", &st, 0) == 0 && (st.st_mode & 07777) == 0755);
        NEED(fstatat(s.root.root_fd, "a/b/c", &st, 0) == 0 && (st.st_mode & 07777) == 0701);
        NEED(fstatat(s.root.root_fd, "a/b", &st, 0) == 0 && (st.st_mode & 07777) == 0755);
        NEED(fstatat(s.root.root_fd, "usr/new/tmpfs", &st, 0) == 0 && (st.st_mode & 07777) == 0700);
        NEED(fstatat(s.root.root_fd, "s/link", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
             S_ISLNK(st.st_mode));
        NEED(holds("file", "of the image"));  /* what stands there is left alone */
        NEED(count_entries(s.upper_fd) == 5); /* x a usr n s: and the image is as it was */
        NEED(!exists(AT_FDCWD, "/mnt/image/x") && !exists(AT_FDCWD, "/mnt/image/usr/new"));
        return 0;
}

TEST_IN_SCENE(missing_parts_of_a_target_are_made_in_the_writable_layer, missing_parts_are_made)

/* ---------------------------------------------------------------------- /proc, /sys and /dev */

static int kernel_dirs_of_a_hostile_image(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(symlink("/etc", "image/proc") == 0);
        NEED(symlink("../../mnt/outside", "image/dev") == 0);
        NEED(put_file("image/sys", "a file"));
        NEED(rmdir("image/etc") == 0 && symlink("/usr", "image/etc") == 0);
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_TMPFS, "/dev", "mode=755", 0);
        add_op(MOUNT_OP_FILE, "/dev/made", "text", 0644);
        add_op(MOUNT_OP_TMPFS, "/proc", "mode=711", 0);
        add_op(MOUNT_OP_TMPFS, "/sys", "mode=711", 0);
        add_op(MOUNT_OP_FILE, "/etc/hosts", "of the box", 0644);
        NEED(build() == 0);
        NEED(holds("dev/made", "text") && holds("etc/hosts", "of the box"));
        NEED(!exists(s.root.root_fd, "usr/hosts") && !exists(AT_FDCWD, "/mnt/outside/made"));
        NEED(count_entries(s.upper_fd) == 0);
        return 0;
}

TEST_IN_SCENE(an_image_whose_kernel_directories_are_symlinks_has_directories,
              kernel_dirs_of_a_hostile_image)

static const struct {
        const char *target;
        int code;
} in_dev[] = {
        {"/dev/link",       ELOOP},
        {"/dev/link/x",     ELOOP},
        {"dev/link",        ELOOP},
        {"//dev//link",     ELOOP},
        {"/dev/dir/link/x", ELOOP},
        {"/dev/dangling",   ELOOP},
        {"/dev/up/x",       ELOOP},
        {"/proc/link",      ELOOP}, /* /proc itself is one */
        {"/proc",           ELOOP},
        {"/device/link/x",  0    }, /* not /dev: inside the root as everywhere */
        {"/dev/dir/x",      0    },
};

static int symlinks_in_kernel_dirs(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        add_op(MOUNT_OP_DIR, "/target", "", 0755);
        add_op(MOUNT_OP_DIR, "/dev/dir", "", 0755);
        add_op(MOUNT_OP_SYMLINK, "/dev/link", "/target", 0);
        add_op(MOUNT_OP_SYMLINK, "/dev/dir/link", "/target", 0);
        add_op(MOUNT_OP_SYMLINK, "/dev/dangling", "/nothing", 0);
        add_op(MOUNT_OP_SYMLINK, "/dev/up", "..", 0);
        add_op(MOUNT_OP_SYMLINK, "/device/link", "/target", 0);
        add_op(MOUNT_OP_SYMLINK, "/proc", "/target", 0);
        for (size_t i = 0; i < ELEMENTS(in_dev); i++) {
                (void)fprintf(stderr, "# '%s'\n", in_dev[i].target);
                NEED(answer_of(MOUNT_OP_FILE, in_dev[i].target, "text") == -in_dev[i].code);
                NEED(answer_of(MOUNT_OP_DIR, in_dev[i].target, "") == -in_dev[i].code);
        }
        return 0;
}

TEST_IN_SCENE(no_symlink_is_followed_in_the_kernel_directories, symlinks_in_kernel_dirs)

/* ----------------------------------------------------------------------------- what is made */

static int skeleton_leaves_nothing(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(rmdir("image/etc") == 0); /* an image that has nothing */
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_PROC, "/proc", "", 0);
        add_op(MOUNT_OP_TMPFS, "/sys", "", 0);
        add_op(MOUNT_OP_TMPFS, "/dev", "mode=755", 0);
        add_op(MOUNT_OP_DEVICE, "/dev/null", "/dev/null", 0);
        add_op(MOUNT_OP_SYMLINK, "/dev/fd", "/proc/self/fd", 0);
        add_op(MOUNT_OP_TMPFS, "/dev/shm", "mode=1777", 0);
        add_op(MOUNT_OP_FILE, "/etc/hostname", "h", 0644);
        add_op(MOUNT_OP_FILE, "/etc/hosts", "h", 0644);
        add_op(MOUNT_OP_FILE, "/etc/resolv.conf", "h", 0644);
        add_op(MOUNT_OP_MASK, "/proc/cpuinfo", "", 0);
        NEED(build() == 0);
        NEED(count_entries(s.upper_fd) == 0);
        NEED(exists(s.root.root_fd, "etc/hosts") && exists(s.root.root_fd, "dev/shm"));
        /* Nor is the scratch part of what the box sees. */
        NEED(!exists(s.root.root_fd, "skel") && !exists(s.root.root_fd, "file0"));
        return 0;
}

TEST_IN_SCENE(what_every_box_has_leaves_nothing_in_the_writable_layer, skeleton_leaves_nothing)

static int image_is_not_written(void)
{
        cleanup_close int fd = -EBADF;
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        NEED(build() == 0);
        fd = sys_open(s.root.root_fd, "file", O_WRONLY | O_TRUNC);
        NEED(fd >= 0 && sys_write_all(fd, "changed", 7) == 0);
        NEED(unlinkat(s.root.root_fd, "usr", AT_REMOVEDIR) == 0);
        NEED(mkdirat(s.root.root_fd, "usr", 0700) == 0); /* KERNEL: EIO without userxattr */
        NEED(exists(AT_FDCWD, "/mnt/box/upper/file") && holds("file", "changed"));
        s.root.root_fd = sys_open(AT_FDCWD, "/mnt/image", O_PATH);
        NEED(holds("file", "of the image"));
        return 0;
}

TEST_IN_SCENE(what_the_box_writes_is_in_its_layer_and_not_in_the_image, image_is_not_written)

static int nothing_is_setuid_or_device(void)
{
        struct statvfs v;
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        add_bind("/mnt/source", SOURCE_READ_ONLY, "/usr",
                 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        add_op(MOUNT_OP_TMPFS, "/t", "size=64k",
               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        add_op(MOUNT_OP_TMPFS, "/ro", "", MOUNT_ATTR_RDONLY);
        add_op(MOUNT_OP_DEVICE, "/null", "/dev/null", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        NEED(build() == 0);
        NEED(fstatvfs(s.root.root_fd, &v) == 0 && v.f_flag & ST_NOSUID && v.f_flag & ST_NODEV);
        NEED(fchdir(s.root.root_fd) == 0);
        NEED(statvfs("usr", &v) == 0 && v.f_flag & ST_NOSUID && v.f_flag & ST_NODEV &&
             v.f_flag & ST_NOEXEC && v.f_flag & ST_RDONLY);
        NEED(mkdir("usr/x", 0755) < 0 && errno == EROFS);
        NEED(statvfs("t", &v) == 0 && v.f_flag & ST_NOSUID && v.f_flag & ST_NODEV &&
             v.f_flag & ST_NOEXEC && !(v.f_flag & ST_RDONLY));
        NEED(v.f_blocks * v.f_frsize == 64 * 1024);
        NEED(mkdir("ro/x", 0755) < 0 && errno == EROFS);
        NEED(statvfs("null", &v) == 0 && v.f_flag & ST_NOEXEC && v.f_flag & ST_NOSUID);
        NEED(mkdir("/mnt/source/still-writable", 0755) == 0);
        return 0;
}

TEST_IN_SCENE(mounts_have_the_attributes_they_were_given, nothing_is_setuid_or_device)

static int made_files_are_private(void)
{
        cleanup_close int fd = -EBADF;
        struct stat st;
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(mkfifo("image/fifo", 0600) == 0);
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_FILE, "/etc/one", "1", 0644);
        add_op(MOUNT_OP_FILE, "/etc/two", "2", 0600);
        add_op(MOUNT_OP_FILE, "/etc/empty", "", 0444);
        add_op(MOUNT_OP_FILE, "/fifo", "no waiting", 0644);
        add_op(MOUNT_OP_FILE, "/file", "ours", 0644);
        NEED(build() == 0);
        NEED(holds("etc/one", "1") && holds("etc/two", "2") && holds("etc/empty", ""));
        NEED(holds("fifo", "no waiting") && holds("file", "ours"));
        NEED(fstatat(s.root.root_fd, "etc/two", &st, 0) == 0 && st.st_mode == (S_IFREG | 0600));
        fd = sys_open(s.root.root_fd, "file", O_WRONLY | O_TRUNC);
        NEED(fd >= 0 && sys_write_all(fd, "new", 3) == 0);
        s.root.root_fd = sys_open(AT_FDCWD, "/mnt/image", O_PATH);
        NEED(holds("file", "of the image"));
        return 0;
}

TEST_IN_SCENE(made_files_cover_what_is_there_and_change_nothing_of_it, made_files_are_private)

static int devpts_is_kept(void)
{
        struct stat a, b;
        int r = make_scene();

        if (r != 0)
                return r;
        add_op(MOUNT_OP_TMPFS, "/dev", "mode=755", 0);
        add_op(MOUNT_OP_DEVPTS, "/dev/pts", "mode=620,ptmxmode=666",
               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        NEED(build() == 0);
        NEED(s.root.devpts_fd >= 0 && fstat(s.root.devpts_fd, &a) == 0);
        NEED(fstatat(s.root.root_fd, "dev/pts", &b, 0) == 0 && a.st_dev == b.st_dev);
        NEED(stat("/dev/pts", &b) < 0 || a.st_dev != b.st_dev); /* not the host's */
        NEED(count_entries(sys_open(s.root.root_fd, "dev/pts", O_RDONLY)) == 1); /* ptmx */
        return 0;
}

TEST_IN_SCENE(a_box_has_a_devpts_of_its_own_which_the_supervisor_keeps, devpts_is_kept)

/* ---------------------------------------------------------------------------- entering it */

/* Not where the surrounding container masks its own. */
static bool proc_is_there(void)
{
        return mkdir("probe-proc", 0755) == 0 &&
               mount("proc", "probe-proc", "proc", 0, NULL) == 0 && umount("probe-proc") == 0;
}

/* All of it, as coffer-init does, in a PID namespace of the scene's own. */
static int enter(void)
{
        int proc_fd = -1;

        WANT(proc_is_there());
        NEED(build() == 0);
        NEED(mount_make_proc(&proc_fd, &s.err) == 0);
        NEED(mount_attach_proc(&s.setup, &s.root, proc_fd, &s.err) == 0);
        NEED(mount_enter(&s.setup, &s.root, &s.err) == 0);
        NEED(mount_leave(&s.root, &s.err) == 0);
        NEED(mount_mask(&s.setup, &s.root, &s.err) == 0);
        NEED(s.root.root_fd < 0 && s.root.null_fd < 0 && s.root.old_fd < 0 &&
             s.root.scratch_fd < 0);
        return 0;
}

/* Continues as PID 1 of a new PID namespace: what it says is what the scene says. */
static int as_pid_1(int (*run)(void))
{
        int status = 0;
        pid_t pid;

        WANT(unshare(CLONE_NEWPID) == 0);
        pid = fork();
        if (pid == 0)
                _exit(run());
        NEED(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        return WEXITSTATUS(status);
}

static bool is_null(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Every mount there is, is one that a step made. */
static int check_mounts(size_t expected)
{
        struct buf b = BUF_INIT(1024 * 1024);
        size_t count = 0;

        NEED(buf_read_file(&b, AT_FDCWD, "/proc/self/mountinfo") == 0);
        for (const char *c = b.data; (c = strchr(c, '\n')); c++)
                count++;
        if (count != expected)
                (void)fprintf(stderr, "%s", b.data);
        NEED(count == expected);
        NEED(!strstr(b.data, "outside") && !strstr(b.data, "shared:"));
        buf_release(&b);
        return 0;
}

static int masks_hide(void)
{
        struct statvfs v;
        char text[16];
        int fd, r = enter();

        if (r != 0)
                return r;
        NEED(is_null("/file") && is_null("/t/by-link") && is_null("/t/masked"));
        NEED(is_null("/proc/cpuinfo") && exists(AT_FDCWD, "/proc/meminfo"));
        NEED(count_entries(sys_open(AT_FDCWD, "/masked", O_RDONLY | O_DIRECTORY)) == 0);
        NEED(mkdir("/masked/x", 0755) < 0 && errno == EROFS);
        fd = sys_open(AT_FDCWD, "/proc/sys/kernel/hostname", O_RDONLY);
        NEED(fd >= 0 && sys_read(fd, text, sizeof(text)) > 0);
        NEED(fstatvfs(fd, &v) == 0 && v.f_flag & ST_RDONLY);
        NEED(statvfs("/proc", &v) == 0 && !(v.f_flag & ST_RDONLY));
        NEED(mkdir("/shown/x", 0755) < 0 && errno == EROFS);
        NEED(mkdir("/shown/sub/x", 0755) < 0 && errno == EROFS);
        NEED(mkdir("/t/x", 0755) == 0);
        return 0;
}

static int masks_in_scene(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(mkdir("image/masked", 0755) == 0 && put_file("image/masked/secret", "x"));
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_PROC, "/proc", "", 0);
        add_op(MOUNT_OP_TMPFS, "/t", "", 0);
        add_op(MOUNT_OP_FILE, "/t/masked", "secret", 0644);
        add_op(MOUNT_OP_SYMLINK, "/t/by-link", "masked", 0);
        add_op(MOUNT_OP_TMPFS, "/shown", "mode=777", 0);
        add_op(MOUNT_OP_TMPFS, "/shown/sub", "mode=777", 0);
        add_op(MOUNT_OP_MASK, "/proc/cpuinfo", "", 0);
        add_op(MOUNT_OP_MASK, "/file", "", 0);
        add_op(MOUNT_OP_MASK, "/t/by-link", "", 0);
        add_op(MOUNT_OP_MASK, "/masked", "", 0);
        add_op(MOUNT_OP_MASK, "/proc/no-such-file", "", 0);
        add_op(MOUNT_OP_READ_ONLY, "/proc/sys", "", 0);
        add_op(MOUNT_OP_READ_ONLY, "/shown", "", 0);
        add_op(MOUNT_OP_READ_ONLY, "/proc/no-such-dir", "", 0);
        return as_pid_1(masks_hide);
}

TEST_IN_SCENE(masks_hide_files_and_directories_and_read_only_is_so_below, masks_in_scene)

static int old_root_is_gone(void)
{
        struct stat root, up;
        char cwd[PATH_MAX];
        int r = enter();

        if (r != 0)
                return r;
        NEED(getcwd(cwd, sizeof(cwd)) && str_eq(cwd, "/"));
        NEED(stat("/", &root) == 0 && stat("/../..", &up) == 0 && root.st_ino == up.st_ino &&
             root.st_dev == up.st_dev);
        NEED(!exists(AT_FDCWD, "/mnt") && !exists(AT_FDCWD, "/skel") && !exists(AT_FDCWD, "/l0"));
        NEED(exists(AT_FDCWD, "/file") && exists(AT_FDCWD, "/proc/1/status"));
        return check_mounts(4); /* root, proc, /t, /bound */
}

static int old_root_in_scene(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        add_op(MOUNT_OP_PROC, "/proc", "", 0);
        add_op(MOUNT_OP_TMPFS, "/t", "", 0);
        add_bind("/mnt/source", 0, "/bound", 0);
        return as_pid_1(old_root_is_gone);
}

TEST_IN_SCENE(of_the_old_root_and_its_mounts_nothing_is_left, old_root_in_scene)

static int root_is_read_only(void)
{
        int r = enter();

        if (r != 0)
                return r;
        NEED(mkdir("/x", 0755) < 0 && errno == EROFS);
        NEED(sys_open(AT_FDCWD, "/file", O_WRONLY) == -EROFS);
        NEED(mkdir("/t/x", 0755) == 0 && mkdir("/bound/x", 0755) == 0); /* but not these */
        return 0;
}

static int read_only_in_scene(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        s.setup.root_read_only = 1;
        add_op(MOUNT_OP_PROC, "/proc", "", 0);
        add_op(MOUNT_OP_TMPFS, "/t", "", 0);
        add_bind("/mnt/source", 0, "/bound", 0);
        return as_pid_1(root_is_read_only);
}

TEST_IN_SCENE(a_read_only_root_is_so_and_its_mounts_are_what_they_were, read_only_in_scene)

static int mask_through_a_symlink(void)
{
        int proc_fd = -1;

        WANT(proc_is_there());
        NEED(build() == 0);
        NEED(mount_make_proc(&proc_fd, &s.err) == 0);
        NEED(mount_attach_proc(&s.setup, &s.root, proc_fd, &s.err) == 0);
        NEED(mount_enter(&s.setup, &s.root, &s.err) == 0);
        NEED(mount_leave(&s.root, &s.err) == 0);
        NEED(mount_mask(&s.setup, &s.root, &s.err) == -ELOOP);
        NEED(strstr(s.err.msg, "mask at '/proc/self/environ'"));
        return 0;
}

static int mask_symlink_in_scene(void)
{
        int r = make_scene();

        if (r != 0)
                return r;
        add_op(MOUNT_OP_PROC, "/proc", "", 0);
        add_op(MOUNT_OP_MASK, "/proc/self/environ", "", 0); /* hides one process' only */
        return as_pid_1(mask_through_a_symlink);
}

TEST_IN_SCENE(a_mask_that_would_follow_a_symlink_of_procfs_is_refused, mask_symlink_in_scene)

static int covered_null(void)
{
        static const char *const covers[] = {"/mnt/outside/secret", "/dev/zero"};
        int r = make_scene();

        if (r != 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(covers); i++) {
                NEED(mount(covers[i], "/dev/null", NULL, MS_BIND, NULL) == 0);
                NEED(build() == -ENODEV);
                NEED(strstr(s.err.msg, "/dev/null is not char 1:3"));
                NEED(umount("/dev/null") == 0);
        }
        return 0;
}

TEST_IN_SCENE(a_mask_is_not_made_of_what_only_is_called_null, covered_null)

static int nothing_is_shared(void)
{
        struct buf b = BUF_INIT(1024 * 1024);
        int r = make_scene();

        if (r != 0)
                return r;
        NEED(mount(NULL, "/mnt", NULL, MS_SHARED, NULL) == 0);
        NEED(build() == 0);
        NEED(buf_read_file(&b, AT_FDCWD, "/proc/self/mountinfo") == 0);
        NEED(!strstr(b.data, " shared:") && !strstr(b.data, " master:"));
        buf_release(&b);
        return 0;
}

TEST_IN_SCENE(no_mount_travels_in_or_out_of_the_box, nothing_is_shared)

/* ---------------------------------------------------------------------------- bad overlays */

static int overlay_answer(const char *lower, uint32_t upper)
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                s.lower[0] = (char *)(uintptr_t)lower;
                s.setup.overlay_upper = upper;
                _exit(-build() & 0xff);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -ECHILD;
        return -WEXITSTATUS(status);
}

static int overlays_that_are_refused(void)
{
        static const char *const lowers[] = {"-1", "",   "2", "0 ", "0x0", "18446744073709551616",
                                             "l0", "0:/"};
        int r = make_scene();

        if (r != 0)
                return r;
        r = use_overlay();
        if (r != 0)
                return r;
        NEED(overlay_answer("0", 1) == 0);
        for (size_t i = 0; i < ELEMENTS(lowers); i++) {
                (void)fprintf(stderr, "# '%s'\n", lowers[i]);
                r = overlay_answer(lowers[i], 1);
                NEED(r == -EINVAL || r == -ERANGE);
        }
        NEED(overlay_answer("0", 2) == -EINVAL);
        NEED(overlay_answer("0", UINT32_MAX) == -EINVAL);
        NEED(overlay_answer("0", 0) < 0); /* the image has no upper/ */
        s.setup.sources.count = 0;
        NEED(overlay_answer("0", 0) == -EINVAL);
        return 0;
}

TEST_IN_SCENE(an_overlay_of_layers_that_there_are_not_is_refused, overlays_that_are_refused)
