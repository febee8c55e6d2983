/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar-pack.h"

#include <linux/capability.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/test-tree.h"
#include "fault.h"
#include "t.h"

/* What a user may make too; times with fractions, before 1970, names that are long and no text. */
static const char make_tree[] =
        "umask 022; mkdir -p src/dir/empty src/closed; echo one >src/file; : >src/nothing;"
        "head -c 200000 /dev/urandom >src/large; ln src/large src/dir/same; ln -s file src/link;"
        "ln -s /nowhere/at/all src/dangling; mkfifo src/pipe; chmod 04751 src/file;"
        "chmod 1777 src/dir/empty; touch -hd @1234567890.123456789 src/link src/file;"
        "touch -d @-5.25 src/nothing; touch -d @99 src/large;"
        "n=$(printf '%0200d' 7); mkdir -p src/$n/$n; echo deep >src/$n/$n/$n; ln -s $n/$n src/far;"
        "printf x >\"src/$(printf 'a\\377b c\\nd')\"; chmod 0500 src/closed";

/* To libarchive 3.6, "-5.25" is 4.75 seconds before 1970; GNU tar, Python and Go agree with POSIX.
 */
static const char libarchive_time[] = "touch -d @-5 src/nothing";

struct complaints {
        unsigned count;
        char last[COFFER_ERROR_MSG_MAX];
};

static void note_complaint(void *data, const struct coffer_error *err)
{
        struct complaints *c = data;

        c->count++;
        memcpy(c->last, err->msg, sizeof(c->last));
}

static struct tar_pack_spec spec_of(const struct tree *t, const char *path, const char *name,
                                    int out_fd)
{
        return (struct tar_pack_spec){
                .dir_fd = t->fd,
                .path = path,
                .resolve = RESOLVE_IN_ROOT,
                .name = name,
                .out_fd = out_fd,
        };
}

static int pack_to_file(const struct tree *t, const char *path, const char *name)
{
        int fd = tree_file("", 0);
        const struct tar_pack_spec spec = spec_of(t, path, name, fd);
        struct coffer_error err = {0};

        if (tar_pack(&spec, &err) != 0)
                t_str("", err.msg);
        return fd;
}

/* The names in an archive, one a line. */
static char *names_in(const struct tree *t, int fd)
{
        char archive[32];

        (void)snprintf(archive, sizeof(archive), "/proc/%d/fd/%d", getpid(), fd);
        return tree_ask(t, "bsdtar -tf \"$1\"", archive);
}

static void extracts_alike(const char *program, const char *script)
{
        struct tree t;
        char archive[32];
        int fd;

        tree_need(program);
        tree_make(&t);
        t_int(0, tree_sh(&t, make_tree));
        if (str_eq(program, "bsdtar"))
                t_int(0, tree_sh(&t, libarchive_time));
        if (tree_is_root())
                t_int(0, tree_sh(&t, "mknod src/null c 1 3; mknod src/loop b 7 300;"
                                     "chown 70000:4294967294 src/dir; chown -h 3:4 src/link"));
        fd = pack_to_file(&t, "src", "src");
        (void)snprintf(archive, sizeof(archive), "/proc/%d/fd/%d", getpid(), fd);
        t_int(0, tree_sh_to(&t, script, archive, STDERR_FILENO));
        t_str(tree_list(&t, "src"), tree_list(&t, "out/src"));
        (void)close(fd);
        tree_remove(&t);
}

TEST(writes_what_gnu_tar_extracts_as_it_was)
{
        extracts_alike("tar", "mkdir out; tar -C out -xpf \"$1\" --numeric-owner");
}

TEST(writes_what_bsdtar_extracts_as_it_was)
{
        extracts_alike("bsdtar", "mkdir out; bsdtar -C out -xpf \"$1\" --numeric-owner");
}

/* From the root of a tree that holds d/f, d/up -> .., l -> d, abs -> /d, bad -> ../../etc. */
static const struct {
        const char *path;
        const char *name;
        bool follow;
        const char *listing; /* NULL: -ENOENT, "": -ENOTDIR */
} places[] = {
        {"d",           "d",   false, "d/\nd/f\nd/up\n"      },
        {"/d",          "d",   false, "d/\nd/f\nd/up\n"      },
        {"d/.",         ".",   false, "./\n./f\n./up\n"      },
        {"d",           "",    false, "f\nup\n"              },
        {"d",           "x",   false, "x/\nx/f\nx/up\n"      },
        {"d/f",         "g",   false, "g\n"                  },
        {"l",           "l",   false, "l\n"                  },
        {"l/",          "l",   false, "l/\nl/f\nl/up\n"      },
        {"l/.",         ".",   false, "./\n./f\n./up\n"      },
        {"l/f",         "f",   false, "f\n"                  },
        {"l",           "l",   true,  "l/\nl/f\nl/up\n"      },
        {"abs",         "abs", true,  "abs/\nabs/f\nabs/up\n"},
        {"../../d/f",   "f",   false, "f\n"                  },
        {"d/up/l/up/l", "l",   false, "l\n"                  },
        {"bad",         "bad", false, "bad\n"                },
        {"bad",         "bad", true,  NULL                   },
        {"bad/passwd",  "x",   false, NULL                   },
        {"missing",     "x",   false, NULL                   },
        {"d/f/x",       "x",   false, ""                     },
        {"d/f/",        "f",   false, ""                     },
        {"d/f",         "",    false, ""                     },
};

TEST(finds_what_a_path_means_inside_the_root_only)
{
        struct tree t;

        tree_need("bsdtar");
        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir d; echo >d/f; ln -s .. d/up; ln -s d l; ln -s /d abs;"
                             "ln -s ../../etc bad"));
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                int fd = tree_file("", 0);
                struct tar_pack_spec spec = spec_of(&t, places[i].path, places[i].name, fd);
                struct coffer_error err = {0};
                int r;

                t_note("%s as '%s'", places[i].path, places[i].name);
                spec.follow = places[i].follow;
                r = tar_pack(&spec, &err);
                if (!places[i].listing || places[i].listing[0] == '\0') {
                        t_int(places[i].listing ? -ENOTDIR : -ENOENT, r);
                        t_str("", tree_text(fd));
                } else {
                        t_int(0, r);
                        t_str(places[i].listing, names_in(&t, fd));
                }
                (void)close(fd);
        }
        tree_remove(&t);
}

TEST(makes_the_same_archive_of_the_same_files)
{
        struct tree t;
        int one, two;

        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir a b; for i in 3 1 2 10; do echo $i >a/$i; done;"
                             "for i in 10 2 3 1; do cp -p a/$i b/$i; done; touch -d @1 a b"));
        one = pack_to_file(&t, "a", "x");
        two = pack_to_file(&t, "b", "x");
        t_int(lseek(one, 0, SEEK_END), lseek(two, 0, SEEK_END));
        t_mem(tree_text(one), tree_text(two), (size_t)lseek(one, 0, SEEK_END));
        (void)close(one);
        (void)close(two);
        tree_remove(&t);
}

/* An alarm ends the test as failed if the FIFO is opened. */
TEST(never_opens_a_fifo_and_leaves_sockets_out)
{
        struct tree t;
        int fd;

        tree_need("bsdtar");
        tree_make(&t);
        t_int(0, mkdirat(t.fd, "d", 0755));
        t_int(0, mknodat(t.fd, "d/pipe", S_IFIFO | 0644, 0));
        t_int(0, mknodat(t.fd, "d/socket", S_IFSOCK | 0644, 0));
        (void)alarm(20);
        fd = pack_to_file(&t, "d", "d");
        t_str("d/\nd/pipe\n", names_in(&t, fd));
        (void)close(fd);
        fd = pack_to_file(&t, "d/pipe", "pipe");
        t_str("pipe\n", names_in(&t, fd));
        (void)close(fd);
        fd = pack_to_file(&t, "d/socket", "socket");
        t_str("", names_in(&t, fd));
        (void)alarm(0);
        (void)close(fd);
        tree_remove(&t);
}

/* Files of sysfs say 4096 bytes and have fewer. */
TEST(fills_a_file_that_became_shorter)
{
        struct complaints c = {0};
        struct tree root = {.path = "/", .fd = sys_open(AT_FDCWD, "/sys/kernel", O_PATH)};
        struct tar_pack_spec spec;
        struct coffer_error err;
        struct stat st;
        int fd = tree_file("", 0);

        if (root.fd < 0 || fstatat(root.fd, "mm/transparent_hugepage/enabled", &st, 0) < 0)
                t_skip("needs sysfs with transparent_hugepage");
        t_int(4096, st.st_size);
        spec = spec_of(&root, "mm/transparent_hugepage/enabled", "f", fd);
        spec.complain = note_complaint;
        spec.data = &c;
        t_int(1, tar_pack(&spec, &err));
        t_int(1, c.count);
        t_has("'f'", c.last);
        t_has("shorter", c.last);
        /* Its time may need a pax header. */
        t_int((st.st_mtim.tv_nsec ? 3 : 1) * 512 + 4096 + 1024, lseek(fd, 0, SEEK_END));
        (void)close(fd);
        (void)close(root.fd);
}

TEST(makes_nothing_of_a_directory_of_the_kernel)
{
        static const char *const paths[] = {"/proc", "/proc/self/fd", "/sys"};
        struct tree root = {.path = "/", .fd = sys_open(AT_FDCWD, "/", O_PATH)};

        tree_need("bsdtar");
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                int fd = pack_to_file(&root, paths[i], "d");

                t_note("%s", paths[i]);
                t_str("d/\n", names_in(&root, fd));
                (void)close(fd);
        }
        (void)close(root.fd);
}

static void drop_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {{0}, {0}};

        if (syscall(SYS_capset, &header, data) < 0)
                _exit(126);
}

TEST(goes_on_past_what_it_may_not_read)
{
        struct tree t;
        int fd;
        pid_t pid;

        tree_need("bsdtar");
        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir -p d/b; echo >d/a; echo >d/b/in; echo >d/c; echo >d/e;"
                             "chmod 0 d/b d/c"));
        fd = tree_file("", 0);
        pid = fork();
        if (pid == 0) {
                struct complaints c = {0};
                struct tar_pack_spec spec = spec_of(&t, "d", "d", fd);
                struct coffer_error err;

                spec.complain = note_complaint;
                spec.data = &c;
                drop_capabilities();
                if (tar_pack(&spec, &err) != 1 || c.count != 2)
                        _exit(1);
                _exit(strcmp(c.last, "archive 'd/c': Permission denied") != 0);
        }
        t_int(0, tree_wait(pid));
        t_str("d/\nd/a\nd/b/\nd/e\n", names_in(&t, fd));
        (void)close(fd);
        tree_remove(&t);
}

TEST(stops_at_a_depth)
{
        struct complaints c = {0};
        int fd = tree_file("", 0);
        struct tar_pack_spec spec;
        struct coffer_error err;
        struct tree t;
        int at;

        tree_make(&t);
        at = fcntl(t.fd, F_DUPFD_CLOEXEC, 0);
        for (unsigned i = 0; i <= TAR_PACK_DEPTH_MAX; i++) {
                int next;

                t_int(0, mkdirat(at, "d", 0755));
                next = sys_open(at, "d", O_RDONLY | O_DIRECTORY);
                t_ok(next);
                (void)close(at);
                at = next;
        }
        (void)close(at);
        spec = spec_of(&t, "d", "d", fd);
        spec.complain = note_complaint;
        spec.data = &c;
        t_int(1, tar_pack(&spec, &err));
        t_int(1, c.count);
        t_has("Too many levels", c.last);
        (void)close(fd);
        tree_remove(&t);
}

/* Names of more than TAR_PATH_MAX bytes: what has them is left out, and its neighbours are not. */
TEST(leaves_out_names_that_are_too_long)
{
        static const char script[] =
                "n=$(printf '%0250d' 1); mkdir d; cd d;"
                "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do mkdir $n; cd -P $n; done;"
                "echo >$n; echo >short";
        struct complaints c = {0};
        int fd = tree_file("", 0);
        struct tar_pack_spec spec;
        struct coffer_error err;
        struct tree t;
        char *listing;

        tree_need("bsdtar");
        tree_make(&t);
        t_int(0, tree_sh(&t, script));
        spec = spec_of(&t, "d", "d", fd);
        spec.complain = note_complaint;
        spec.data = &c;
        t_int(1, tar_pack(&spec, &err));
        t_int(1, c.count);
        t_has("too long", c.last);
        listing = names_in(&t, fd);
        t_has("/short\n", listing);
        (void)close(fd);
        tree_remove(&t);
}

TEST(keeps_attributes_of_the_user_and_no_others)
{
        static const unsigned char capability[20] = {0, 0, 0, 2, 0, 4}; /* net_bind_service, v2 */
        struct tree t;
        char path[64], value[64];
        bool root = tree_is_root();
        int fd;

        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir d; echo x >d/f; ln d/f d/g"));
        (void)snprintf(path, sizeof(path), "%s/d/f", t.path);
        if (setxattr(path, "user.note", "a\0b", 3, 0) < 0)
                t_skip("needs a file system with user.* attributes");
        t_int(0, setxattr(path, "user.overlay.opaque", "y", 1, 0));
        (void)snprintf(path, sizeof(path), "%s/d", t.path);
        t_int(0, setxattr(path, "user.dir", "", 0, 0));
        (void)snprintf(path, sizeof(path), "%s/d/f", t.path);
        if (root)
                t_int(0, setxattr(path, "security.capability", capability, 20, 0));

        fd = pack_to_file(&t, "d", "d");
        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
        t_int(0, tree_sh_to(&t, "mkdir out; tar -C out -xpf \"$1\" --xattrs --xattrs-include='*'",
                            path, STDERR_FILENO));
        (void)close(fd);
        (void)snprintf(path, sizeof(path), "%s/out/d/f", t.path);
        t_int(3, getxattr(path, "user.note", value, sizeof(value)));
        t_mem("a\0b", value, 3);
        t_int(-1, getxattr(path, "user.overlay.opaque", value, sizeof(value)));
        t_int(root ? 20 : -1, getxattr(path, "security.capability", value, sizeof(value)));
        (void)snprintf(path, sizeof(path), "%s/out/d", t.path);
        t_int(0, getxattr(path, "user.dir", value, sizeof(value)));
        tree_remove(&t);
}

/* In a mount namespace of its own: v is another tmpfs, m a file mounted on a file, p procfs. */
static int pack_mounts(struct tree *t, bool one_mount, int out_fd)
{
        static const char *const targets[] = {"v", "m", "p"};
        struct tar_pack_spec spec;
        struct coffer_error err;
        char at[ELEMENTS(targets)][64], other[64];

        if (tree_unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 77;
        for (size_t i = 0; i < ELEMENTS(targets); i++)
                (void)snprintf(at[i], sizeof(at[i]), "%s/d/%s", t->path, targets[i]);
        (void)snprintf(other, sizeof(other), "%s/other", t->path);
        if (mount("none", at[0], "tmpfs", 0, NULL) < 0 ||
            mount(other, at[1], NULL, MS_BIND, NULL) < 0 ||
            mount("/proc", at[2], NULL, MS_BIND | MS_REC, NULL) < 0 ||
            tree_sh(t, "echo >d/v/in") != 0)
                return 77;
        t->fd = sys_open(AT_FDCWD, t->path, O_PATH); /* the other is of the other namespace */
        spec = spec_of(t, "d", "d", out_fd);
        spec.one_mount = one_mount;
        return tar_pack(&spec, &err) == 0 ? 0 : 1;
}

static void packs_mounts(bool one_mount, const char *listing, const char *file)
{
        int fd = tree_file("", 0), status;
        char archive[32];
        struct tree t;
        pid_t pid;

        tree_need("bsdtar");
        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir -p d/v d/p; echo hidden >d/m; echo mounted >other; echo >d/z"));
        pid = fork();
        if (pid == 0)
                _exit(pack_mounts(&t, one_mount, fd));
        status = tree_wait(pid);
        if (status == 77) {
                tree_remove(&t);
                t_skip("needs to mount");
        }
        t_int(0, status);
        t_str(listing, names_in(&t, fd));
        (void)snprintf(archive, sizeof(archive), "/proc/%d/fd/%d", getpid(), fd);
        t_str(file, tree_ask(&t, "bsdtar -xOf \"$1\" d/m", archive));
        (void)close(fd);
        tree_remove(&t);
}

TEST(stays_on_one_mount_when_told_to)
{
        packs_mounts(true, "d/\nd/m\nd/p/\nd/v/\nd/z\n", "");
}

TEST(goes_into_mounts_but_not_into_those_of_the_kernel)
{
        packs_mounts(false, "d/\nd/m\nd/p/\nd/v/\nd/v/in\nd/z\n", "mounted\n");
}

TEST(tells_what_the_output_answers)
{
        struct coffer_error err = {0};
        struct tar_pack_spec spec;
        struct tree t;
        int ends[2], full;

        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir d; head -c 1000000 /dev/zero >d/f"));
        t_int(0, pipe2(ends, O_CLOEXEC));
        (void)close(ends[0]);
        (void)signal(SIGPIPE, SIG_IGN);
        spec = spec_of(&t, "d", "d", ends[1]);
        t_errno(EPIPE, tar_pack(&spec, &err));
        (void)close(ends[1]);

        full = sys_open(AT_FDCWD, "/dev/full", O_WRONLY);
        t_ok(full);
        spec = spec_of(&t, "d", "d", full);
        t_errno(ENOSPC, tar_pack(&spec, &err));
        t_str("write the archive: No space left on device", err.msg);
        (void)close(full);
        tree_remove(&t);
}

TEST(survives_each_failing_allocation)
{
        struct tree t;
        int fds;

        tree_make(&t);
        t_int(0, tree_sh(&t, "mkdir -p d/e; n=$(printf '%0150d' 7); : >d/$n"));
        for (unsigned i = 0; i < 300; i++) { /* more than the table of links has at first */
                char one[32], two[32];

                (void)snprintf(one, sizeof(one), "d/e/%u", i);
                (void)snprintf(two, sizeof(two), "d/e/l%u", i);
                t_int(0, mknodat(t.fd, one, S_IFREG | 0600, 0));
                t_int(0, linkat(t.fd, one, t.fd, two, 0));
        }
        fds = t_open_fds();
        for (unsigned n = 1;; n++) {
                int fd = tree_file("", 0);
                const struct tar_pack_spec spec = spec_of(&t, "d", "d", fd);
                struct coffer_error err = {0};
                bool struck;
                int r;

                fault_arm(n);
                r = tar_pack(&spec, &err);
                struck = fault_disarm();
                (void)close(fd);
                t_int(fds, t_open_fds());
                if (!struck) {
                        t_int(0, r);
                        t_true(n > 10);
                        break;
                }
                /* One that libc asked for, of a directory, is a complaint about that directory. */
                t_true(r == -ENOMEM || r == 1);
        }
        tree_remove(&t);
}
