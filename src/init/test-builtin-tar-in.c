/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/tar-write.h"
#include "fault.h"
#include "init/test-builtin.h"
#include "t.h"

#define ENTRIES_MAX 4

/* A file has its own path as content. */
struct row {
        enum tar_type type;
        const char *path;
        const char *link;
        uint32_t mode;
        uint64_t uid;
};

static int archive_of(const struct row *rows, size_t count)
{
        struct buf b = BUF_INIT((size_t)16 * 1024 * 1024);
        int fd;

        for (size_t i = 0; i < count && rows[i].path; i++) {
                bool file = rows[i].type == TAR_FILE;
                const struct tar_entry e = {
                        .type = rows[i].type,
                        .path = rows[i].path,
                        .link = rows[i].link ? rows[i].link : "",
                        .mode = rows[i].mode ? rows[i].mode : 0755,
                        .uid = rows[i].uid,
                        .size = file ? strlen(rows[i].path) : 0,
                        .mtime_sec = 86400,
                        .mtime_nsec = 5,
                        .device_major = 1,
                        .device_minor = 3,
                };

                t_ok(tar_write_header(&b, &e));
                if (file) {
                        t_ok(buf_append_str(&b, e.path));
                        t_ok(tar_write_padding(&b, e.size));
                }
        }
        t_ok(tar_write_end(&b));
        fd = tree_file(b.data, b.size);
        buf_release(&b);
        return fd;
}

/* Extracts into "/" DIR with the tree as root; what it said is in @ret_said. */
static int extract(const struct tree *t, const char *dir, int in_fd, unsigned where,
                   char **ret_said)
{
        struct builtin_run b = {
                .run = builtin_tar_in,
                .argv = {"tar-in", dir, "--own", "0:0"},
                .where = BUILTIN_IN_TREE | where,
                .in_fd = in_fd,
                .out_fd = STDERR_FILENO,
        };
        int status = builtin_test(t, &b);

        (void)close(in_fd);
        *ret_said = b.said;
        return status;
}

/* ---------------------------------------------------------------- what others have written */

static const char make_tree[] =
        "umask 022; mkdir -p src/dir/empty src/closed/below; echo one >src/file; : >src/nothing;"
        "head -c 300000 /dev/urandom >src/large; ln src/large src/dir/same; ln -s file src/link;"
        "ln -s /nowhere/at/all src/dangling; mkfifo src/pipe; chmod 04751 src/file;"
        "echo x >src/closed/below/f; chmod 1777 src/dir/empty;"
        "touch -hd @1234567890.123456789 src/link src/file src/dir; touch -d @99 src/large;"
        "n=$(printf '%090d' 7); mkdir -p src/$n; echo deep >src/$n/$n;"
        "truncate -s 3000000 src/sparse; printf mid | dd of=src/sparse bs=1 seek=1500000 "
        "conv=notrunc"
        " 2>/dev/null; touch -d @5.5 src/dir/empty; chmod 0500 src/closed/below src/closed";

/* Formats without fractions of seconds get times that have none. */
static const struct {
        const char *program;
        const char *script;
        bool fractions;
} writers[] = {
        {"tar",    "tar --format=gnu -cf ar -C src .",                         false},
        {"tar",    "tar --format=gnu -S -cf ar -C src .",                      false},
        {"tar",    "tar --format=pax -cf ar -C src .",                         true },
        {"tar",    "tar --format=pax -S --sparse-version=0.0 -cf ar -C src .", true },
        {"tar",    "tar --format=pax -S --sparse-version=0.1 -cf ar -C src .", true },
        {"tar",    "tar --format=pax -S --sparse-version=1.0 -cf ar -C src .", true },
        {"bsdtar", "bsdtar --format=pax -cf ar -C src .",                      true },
        {"bsdtar", "bsdtar --format=ustar -cf ar -C src .",                    false},
        {"bsdtar", "bsdtar --format=gnutar -cf ar -C src .",                   false},
};

TEST(extracts_what_gnu_tar_and_bsdtar_write)
{
        for (size_t i = 0; i < ELEMENTS(writers); i++) {
                struct tree t;
                char path[64];
                struct builtin_run b = {
                        .run = builtin_tar_in,
                        .argv = {"tar-in", path},
                        .out_fd = STDERR_FILENO,
                };

                t_note("%s", writers[i].script);
                tree_need(writers[i].program);
                tree_make(&t);
                t_int(0, tree_sh(&t, make_tree));
                if (tree_is_root())
                        t_int(0, tree_sh(&t, "mknod src/null c 1 3; chown 7:70000 src/dir;"
                                             "chown -h 3:4 src/link src/pipe"));
                if (!writers[i].fractions)
                        t_int(0, tree_sh(&t, "find src -depth -exec touch -hd @77 {} +"));
                t_int(0, tree_sh(&t, writers[i].script));
                t_int(0, tree_sh(&t, "mkdir out"));

                (void)snprintf(path, sizeof(path), "%s/ar", t.path);
                b.in_fd = sys_open(AT_FDCWD, path, O_RDONLY);
                t_ok(b.in_fd);
                (void)snprintf(path, sizeof(path), "%s/out", t.path);
                t_int(0, builtin_test(&t, &b));
                t_str("", b.said);
                (void)close(b.in_fd);
                t_str(tree_list(&t, "src"), tree_list(&t, "out"));
                tree_remove(&t);
        }
}

/* ------------------------------------------------------------------------ what it refuses */

/*
 * A box with in/ to be extracted into; out/f must stay as it is, and so must in/dir and in/file.
 * in/up is a symlink to ../out, in/abs to /out, in/self to ".", in/loop to itself.
 */
static const char make_box[] =
        "umask 022; chmod 755 .; mkdir -p in/dir out; echo kept >out/f; echo kept >in/file;"
        "echo kept >in/dir/f; ln -s ../out in/up; ln -s /out in/abs; ln -s . in/self;"
        "ln -s loop in/loop; ln -s nowhere in/dangling";

#define ELSEWHERE "lies behind a symbolic link that leads elsewhere\n"

static const struct {
        struct row rows[ENTRIES_MAX];
        const char *said; /* its end */
} hostile[] = {
        {{{TAR_FILE, "../out/f"}},                                                                 "it has '..' in its name\n"                          },
        {{{TAR_FILE, "dir/../../out/f"}},                                                          "it has '..' in its name\n"                          },
        {{{TAR_FILE, "dir/.."}},                                                                   "it has '..' in its name\n"                          },
        {{{TAR_DIR, ".."}},                                                                        "it has '..' in its name\n"                          },
        {{{TAR_FILE, "up/f"}},                                                                     ELSEWHERE                                            },
        {{{TAR_FILE, "abs/f"}},                                                                    ELSEWHERE                                            },
        {{{TAR_DIR, "up/new/"}},                                                                   ELSEWHERE                                            },
        {{{TAR_SYMLINK, "up/new", "f"}},                                                           ELSEWHERE                                            },
        {{{TAR_HARDLINK, "up/new", "file"}},                                                       "Invalid cross-device link\n"                        },
        {{{TAR_FIFO, "up/new"}},                                                                   ELSEWHERE                                            },
        {{{TAR_FILE, "self/self/up/f"}},                                                           ELSEWHERE                                            },
        {{{TAR_SYMLINK, "l", "/out"}, {TAR_FILE, "l/f"}},                                          ELSEWHERE                                            },
        {{{TAR_SYMLINK, "l", ".."}, {TAR_FILE, "l/out/f"}},                                        ELSEWHERE                                            },
        {{{TAR_SYMLINK, "l", "up"}, {TAR_FILE, "l/f"}},                                            ELSEWHERE                                            },
        {{{TAR_DIR, "n/"}, {TAR_FILE, "n/a"}, {TAR_SYMLINK, "n/l", "../up"}, {TAR_FILE, "n/l/f"}},
         ELSEWHERE                                                                                                                                      },
        {{{TAR_FILE, "loop/f"}},                                                                   "Too many levels of symbolic links\n"                },
        {{{TAR_FILE, "dangling/f"}},                                                               "File exists\n"                                      },
        {{{TAR_FILE, "file/f"}},                                                                   "Not a directory\n"                                  },
        {{{TAR_FILE, "dir"}},                                                                      "it is no directory, and would replace one\n"        },
        {{{TAR_SYMLINK, "dir", "file"}},                                                           "it is no directory, and would replace one\n"        },
        {{{TAR_FIFO, "dir"}},                                                                      "it is no directory, and would replace one\n"        },
        {{{TAR_HARDLINK, "dir", "file"}},                                                          "it is no directory, and would replace one\n"        },
        {{{TAR_DIR, "file/"}},                                                                     "it is a directory, and would replace what is none\n"},
        {{{TAR_DIR, "self/"}},                                                                     "it is a directory, and would replace what is none\n"},
        {{{TAR_DIR, "up/"}},                                                                       "it is a directory, and would replace what is none\n"},
        {{{TAR_FILE, "."}},                                                                        "it has no name\n"                                   },
        {{{TAR_SYMLINK, "./.", "x"}},                                                              "it has no name\n"                                   },
        {{{TAR_HARDLINK, "h", "missing"}},                                                         "it is a hard link to what is not there\n"           },
        {{{TAR_HARDLINK, "h", "file/x"}},                                                          "it is a hard link to what is not there\n"           },
        {{{TAR_HARDLINK, "h", "../out/f"}},                                                        "it is a hard link to a name that cannot be\n"       },
        {{{TAR_HARDLINK, "h", "."}},                                                               "it is a hard link to a name that cannot be\n"       },
        {{{TAR_HARDLINK, "h", "up/f"}},                                                            "Invalid cross-device link\n"                        },
        {{{TAR_HARDLINK, "h", "abs/f"}},                                                           "Invalid cross-device link\n"                        },
        {{{TAR_HARDLINK, "h", "dir"}},                                                             "Operation not permitted\n"                          },
};

static bool ends_in(const char *text, const char *end)
{
        size_t size = strlen(text), end_size = strlen(end);

        return size >= end_size && str_eq(text + size - end_size, end);
}

TEST(refuses_whatever_would_touch_something_else)
{
        static const char unharmed[] =
                "for f in out/f in/file in/dir/f; do [ \"$(cat $f)\" = kept ]; done;"
                "[ \"$(ls out)\" = f ]; [ \"$(ls in/dir)\" = f ]; [ $(stat -c %h out/f) = 1 ]";

        for (size_t i = 0; i < ELEMENTS(hostile); i++) {
                struct tree t;
                char *said;

                t_note("%zu: %s", i, hostile[i].rows[0].path);
                tree_make(&t);
                t_int(0, tree_sh(&t, make_box));
                t_int(1, extract(&t, "/in", archive_of(hostile[i].rows, ENTRIES_MAX), 0, &said));
                if (!ends_in(said, hostile[i].said))
                        t_str(hostile[i].said, said);
                t_int(0, tree_sh(&t, unharmed));
                tree_remove(&t);
        }
}

TEST(refuses_an_owner_that_cannot_be)
{
        static const uint64_t ids[] = {UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX};

        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                const struct row row = {TAR_FILE, "f", .uid = ids[i]};
                struct tree t;
                struct builtin_run b = {
                        .run = builtin_tar_in,
                        .argv = {"tar-in", t.path},
                        .in_fd = archive_of(&row, 1),
                        .out_fd = STDERR_FILENO,
                };

                tree_make(&t);
                t_int(1, builtin_test(&t, &b));
                t_str("extract 'f': it belongs to an id that does not exist\n", b.said);
                (void)close(b.in_fd);
                tree_remove(&t);
        }
}

TEST(notices_an_archive_that_is_cut_short)
{
        static const struct row rows[] = {
                {TAR_FILE, "f"}
        };
        static const off_t sizes[] = {0, 1, 511, 512, 513, 1023, 1024, 1536};

        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                int fd = archive_of(rows, 1);
                struct tree t;
                char *said;

                t_note("%ld bytes of 2048", (long)sizes[i]);
                tree_make(&t);
                t_int(0, tree_sh(&t, make_box));
                t_int(0, ftruncate(fd, sizes[i]));
                t_int(1, extract(&t, "/in", fd, 0, &said));
                t_has("malformed tar stream", said);
                tree_remove(&t);
        }
}

static const struct {
        const char *argv[5];
        int status;
        const char *said;
} places[] = {
        {{"/none"},                        2,   "/none: no such file or directory\n"                  },
        {{"/in/dangling"},                 2,   "/in/dangling: no such file or directory\n"           },
        {{"/in/file"},                     2,   "/in/file: not a directory\n"                         },
        {{"/in/file/x"},                   2,   "/in/file/x: not a directory\n"                       },
        {{"/in/loop"},                     1,   "open '/in/loop': Too many levels of symbolic links\n"},
        {{NULL},                           125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--own"},                 125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--own", "1"},            125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--own", "1:"},           125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--own", "-1:1"},         125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--own", "4294967295:0"}, 125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--own", "0:0", "x"},     125, "usage: tar-in DIR [--own UID:GID]\n"                 },
        {{"/in", "--mine", "0:0"},         125, "usage: tar-in DIR [--own UID:GID]\n"                 },
};

TEST(wants_a_directory)
{
        struct tree t;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                struct builtin_run b = {
                        .run = builtin_tar_in,
                        .argv = {"tar-in", places[i].argv[0], places[i].argv[1], places[i].argv[2],
                                 places[i].argv[3]},
                        .where = BUILTIN_IN_TREE,
                        .in_fd = -1,
                        .out_fd = STDERR_FILENO,
                };

                t_note("%zu", i);
                t_int(places[i].status, builtin_test(&t, &b));
                t_str(places[i].said, b.said);
        }
        tree_remove(&t);
}

/* -------------------------------------------------------------------------- what it does */

TEST(replaces_files_and_links_but_never_writes_through_them)
{
        static const struct row rows[] = {
                {TAR_FILE,    "file"},
                {TAR_FILE,    "up"  },
                {TAR_SYMLINK, "abs",  "x"},
                {TAR_FIFO,           "self"         }
        };
        struct tree t;
        char *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, tree_sh(&t, "ln in/file in/other"));
        t_int(0, extract(&t, "/in", archive_of(rows, ELEMENTS(rows)), 0, &said));
        t_str("", said);
        t_int(0, tree_sh(&t, "[ $(cat in/file) = file ]; [ $(cat in/other) = kept ];"
                             "[ ! -L in/up ]; [ $(cat in/up) = up ]; [ $(cat out/f) = kept ];"
                             "[ $(readlink in/abs) = x ]; [ -p in/self ]"));
        tree_remove(&t);
}

TEST(follows_links_that_stay_inside)
{
        static const struct row below[] = {
                {TAR_FILE, "self/self/dir/g"},
                {TAR_FILE, "a//./b/c"       }
        };
        static const struct row root[] = {
                {TAR_FILE, "in/abs/g"},
                {TAR_FILE, "in/up/h" }
        };
        struct tree t;
        char *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, extract(&t, "/in", archive_of(below, 2), 0, &said));
        t_str("", said);
        t_int(0, tree_sh(&t, "[ -f in/dir/g ]; [ -f in/a/b/c ]"));
        t_int(0, extract(&t, "/", archive_of(root, 2), 0, &said));
        t_str("", said);
        t_int(0, extract(&t, "/in/up/..", archive_of(root, 2), 0, &said));
        t_str("", said);
        t_int(0, tree_sh(&t, "[ -f out/g ]; [ -f out/h ]"));
        t_int(0, extract(&t, "/in/abs", archive_of(below + 1, 1), 0, &said));
        t_int(0, tree_sh(&t, "[ -f out/a/b/c ]"));
        tree_remove(&t);
}

/* Without capabilities even root cannot write below a directory of mode 0500, once it has it. */
TEST(closes_directories_when_nothing_more_goes_below)
{
        static const struct row rows[] = {
                {TAR_DIR,       "a/", .mode = 0500},
                {TAR_FILE,             "a/f"         },
                {TAR_DIR,             "a/b/",  .mode = 0500},
                {TAR_FILE, "a/b/f"   }
        };
        struct tree t;
        char *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, extract(&t, "/in", archive_of(rows, ELEMENTS(rows)), BUILTIN_WEAK, &said));
        t_str("", said);
        t_str("500 86400\n500 86400\n", tree_ask(&t, "stat -c '%a %Y' in/a in/a/b", ""));
        tree_remove(&t);
}

TEST(closes_directories_after_a_failure_too)
{
        static const struct row rows[] = {
                {TAR_DIR,       "dir/", .mode = 0711},
                {TAR_DIR,             "a/",             .mode = 0755},
                {TAR_FILE, "a/f"},
                {TAR_FILE,        "../x"                   }
        };
        struct tree t;
        char *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(1, extract(&t, "/in", archive_of(rows, ELEMENTS(rows)), 0, &said));
        t_str("711 86400\n755 86400\n", tree_ask(&t, "stat -c '%a %Y' in/dir in/a", ""));
        tree_remove(&t);
}

TEST(lets_the_last_entry_of_a_directory_win_and_leaves_the_top_alone)
{
        static const struct row rows[] = {
                {TAR_DIR,  "./",          .mode = 0700},
                {TAR_DIR,  "dir",         .mode = 0700},
                {TAR_FILE, "dir/f"      },
                {TAR_DIR, "dir//", .mode = 01755            }
        };
        struct tree t;
        char *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, extract(&t, "/in", archive_of(rows, ELEMENTS(rows)), 0, &said));
        t_str("755\n1755\n", tree_ask(&t, "stat -c %a in in/dir", ""));
        tree_remove(&t);
}

TEST(gives_everything_to_one_owner_when_told_to)
{
        static const struct row rows[] = {
                {TAR_DIR,   "a/",  .uid = 9                },
                {TAR_FILE,  "a/f", .uid = UINT64_C(1) << 40, .mode = 04755},
                {TAR_SYMLINK,         "a/l",    "f",               .uid = 9},
                {TAR_FIFO, "a/p",      .uid = 9        }
        };
        struct builtin_run b = {
                .run = builtin_tar_in,
                .argv = {"tar-in", "/in", "--own", "5:70000"},
                .where = BUILTIN_IN_TREE,
                .in_fd = archive_of(rows, ELEMENTS(rows)),
                .out_fd = STDERR_FILENO,
        };
        struct tree t;

        if (!tree_is_root())
                t_skip("needs root");
        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, builtin_test(&t, &b));
        t_str("", b.said);
        t_str("5:70000 755\n5:70000 4755\n5:70000 777\n5:70000 755\n",
              tree_ask(&t, "cd in; stat -c '%u:%g %a' a a/f a/l a/p", ""));
        (void)close(b.in_fd);
        tree_remove(&t);
}

TEST(keeps_what_cannot_be_given_away_and_says_so)
{
        static const struct row rows[] = {
                {TAR_DIR,            "a/",          .uid = 3000000000},
                {TAR_FILE,                  "a/f",                        .uid = 3000000000, .mode = 06755},
                {TAR_SYMLINK, "a/l","f", .uid = 3000000000},
                {TAR_FILE,        "a/ours"               }
        };
        struct builtin_run b = {
                .run = builtin_tar_in,
                .argv = {"tar-in", "/in"},
                .where = BUILTIN_IN_TREE | BUILTIN_SINGLE_ID,
                .in_fd = archive_of(rows, ELEMENTS(rows)),
                .out_fd = STDERR_FILENO,
        };
        struct tree t;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, tree_sh(&t, "chmod 777 in"));
        t_int(0, builtin_test(&t, &b));
        t_str("note: 3 entries could not be given to their owners\n", b.said);
        t_str("755\n", tree_ask(&t, "stat -c %a in/a/f", ""));
        (void)close(b.in_fd);
        tree_remove(&t);
}

TEST(leaves_out_devices_that_it_may_not_make)
{
        static const struct row rows[] = {
                {TAR_CHAR,         "null" },
                {TAR_BLOCK_DEVICE, "file" },
                {TAR_FILE,         "after"}
        };
        struct tree t;
        char *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, extract(&t, "/in", archive_of(rows, ELEMENTS(rows)), BUILTIN_WEAK, &said));
        t_str("extract 'null': it is a device, which cannot be made here: left out\n"
              "extract 'file': it is a device, which cannot be made here: left out\n",
              said);
        t_int(0, tree_sh(&t, "[ ! -e in/null ]; [ $(cat in/file) = kept ]; [ -f in/after ]"));
        tree_remove(&t);
}

TEST(leaves_a_device_alone_that_is_there_already)
{
        static const struct row rows[] = {
                {TAR_CHAR, "null", .mode = 0600}
        };
        struct tree t;
        char *said;

        if (!tree_is_root())
                t_skip("needs root");
        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        t_int(0, tree_sh(&t, "mknod -m 666 in/null c 1 3"));
        t_int(0, extract(&t, "/in", archive_of(rows, 1), BUILTIN_WEAK, &said));
        t_str("", said);
        t_str("666 1 3\n", tree_ask(&t, "stat -c '%a %t %T' in/null", ""));
        tree_remove(&t);
}

TEST(sets_attributes_of_the_user_and_no_others)
{
        struct buf b = BUF_INIT((size_t)64 * 1024);
        struct tar_entry e = {.type = TAR_FILE, .path = "f", .link = "", .mode = 0644};
        struct tree t;
        char path[64], value[8], *said;

        tree_make(&t);
        t_int(0, tree_sh(&t, make_box));
        (void)snprintf(path, sizeof(path), "%s/in/file", t.path);
        if (setxattr(path, "user.x", "", 0, 0) < 0)
                t_skip("needs a file system with user.* attributes");
        e.xattrs[0] = (struct tar_xattr){"user.a", "1", 1};
        e.xattrs[1] = (struct tar_xattr){"user.overlay.redirect", "2", 1};
        e.xattrs[2] = (struct tar_xattr){"trusted.overlay.opaque", "y", 1};
        e.xattrs[3] = (struct tar_xattr){"security.capability", "nonsense", 8};
        e.xattr_count = 4;
        t_ok(tar_write_header(&b, &e));
        t_ok(tar_write_end(&b));
        t_int(0, extract(&t, "/in", tree_file(b.data, b.size), 0, &said));
        t_str("", said);
        (void)snprintf(path, sizeof(path), "%s/in/f", t.path);
        t_int(1, getxattr(path, "user.a", value, sizeof(value)));
        t_int(-1, getxattr(path, "user.overlay.redirect", value, sizeof(value)));
        t_int(-1, getxattr(path, "trusted.overlay.opaque", value, sizeof(value)));
        t_int(-1, getxattr(path, "security.capability", value, sizeof(value)));
        buf_release(&b);
        tree_remove(&t);
}

/* GNU tar fills up to 10 KiB and more, and its user must not see it die of SIGPIPE. */
TEST(reads_on_after_the_end)
{
        static char padding[1 << 20];
        static const struct row rows[] = {
                {TAR_FILE, "f"}
        };
        struct builtin_run b = {.run = builtin_tar_in, .out_fd = STDERR_FILENO};
        int fd = archive_of(rows, 1), ends[2];
        struct tree t;
        pid_t pid;

        tree_make(&t);
        t_int(0, pipe2(ends, O_CLOEXEC));
        pid = fork();
        if (pid == 0) {
                char *archive = tree_text(fd);

                (void)signal(SIGPIPE, SIG_DFL);
                (void)close(ends[0]);
                if (sys_write_all(ends[1], archive, 2048) < 0 ||
                    sys_write_all(ends[1], padding, sizeof(padding)) < 0)
                        _exit(1);
                _exit(0);
        }
        (void)close(ends[1]);
        b.in_fd = ends[0];
        b.argv[0] = "tar-in";
        b.argv[1] = t.path;
        t_int(0, builtin_test(&t, &b));
        (void)close(ends[0]);
        t_int(0, tree_wait(pid));
        (void)close(fd);
        tree_remove(&t);
}

static unsigned fault_at;

/* 0: nothing was left to break, and it went well. */
static int run_with_fault(char *const *argv)
{
        int status;
        bool struck;

        fault_arm(fault_at);
        status = builtin_tar_in(argv);
        struck = fault_disarm();
        return struck ? (status == BUILTIN_FAILED ? 50 : 51) : status;
}

TEST(survives_each_failing_allocation)
{
        static const struct row rows[] = {
                {TAR_DIR,      "a/" },
                {TAR_FILE,     "a/b"},
                {TAR_HARDLINK, "a/c", "a/b"},
                {TAR_DIR,            "d/e/"          }
        };
        int status = 50;

        for (fault_at = 1; status == 50; fault_at++) {
                struct tree t;
                struct builtin_run b = {
                        .run = run_with_fault,
                        .argv = {"tar-in", t.path},
                        .in_fd = archive_of(rows, ELEMENTS(rows)),
                        .out_fd = STDERR_FILENO,
                };

                tree_make(&t);
                status = builtin_test(&t, &b);
                if (status == 50)
                        t_has("Cannot allocate memory", b.said);
                (void)close(b.in_fd);
                tree_remove(&t);
        }
        t_int(0, status);
        t_true(fault_at > 4);
}
