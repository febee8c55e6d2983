/* SPDX-License-Identifier: Apache-2.0 */
#include "init/test-builtin.h"

#include <signal.h>

#include "t.h"

/* The root of a box: d/f, l -> d, abs -> /d, bad -> /missing, tricky names. */
static void make_box(struct tree *t)
{
        tree_need("bsdtar");
        tree_make(t);
        t_int(0, tree_sh(t, "chmod 755 .; mkdir d; echo in >d/f; ln -s d l; ln -s /d abs;"
                            "ln -s /missing bad; mkdir -p d/...; chmod -R go+rX ."));
}

static char *listing(const struct tree *t, int fd)
{
        char archive[32];

        (void)snprintf(archive, sizeof(archive), "/proc/%d/fd/%d", getpid(), fd);
        return tree_ask(t, "bsdtar -tf \"$1\"", archive);
}

static const struct {
        const char *argv[4];
        int status;
        const char *expected; /* names in the archive, or what it says */
} rows[] = {
        {{"/d/f"},             0,   "f\n"                                           },
        {{"d/f"},              0,   "f\n"                                           },
        {{"/d"},               0,   "d/\nd/.../\nd/f\n"                             },
        {{"/d/"},              0,   "d/\nd/.../\nd/f\n"                             },
        {{"//d//"},            0,   "d/\nd/.../\nd/f\n"                             },
        {{"/d/."},             0,   "./\n./.../\n./f\n"                             },
        {{"/d/..."},           0,   ".../\n"                                        },
        {{"/d/.../.."},        0,   "./\n./.../\n./f\n"                             },
        {{"/d", "e"},          0,   "e/\ne/.../\ne/f\n"                             },
        {{"/d", ""},           0,   ".../\nf\n"                                     },
        {{"/l"},               0,   "l\n"                                           },
        {{"/l/"},              0,   "l/\nl/.../\nl/f\n"                             },
        {{"/abs/f"},           0,   "f\n"                                           },
        {{"--follow", "/abs"}, 0,   "abs/\nabs/.../\nabs/f\n"                       },
        {{"/bad"},             0,   "bad\n"                                         },
        {{"/"},                0,   "./\n./abs\n./bad\n./d/\n./d/.../\n./d/f\n./l\n"},
        {{""},                 0,   "./\n./abs\n./bad\n./d/\n./d/.../\n./d/f\n./l\n"},
        {{"/..", ""},          0,   "abs\nbad\nd/\nd/.../\nd/f\nl\n"                },
        {{"/no/thing"},        2,   "/no/thing: no such file or directory\n"        },
        {{"no"},               2,   "no: no such file or directory\n"               },
        {{"--follow", "/bad"}, 2,   "/bad: no such file or directory\n"             },
        {{"/bad/"},            2,   "/bad/: no such file or directory\n"            },
        {{"/d/f/x"},           2,   "/d/f/x: not a directory\n"                     },
        {{"/d/f/"},            2,   "/d/f/: not a directory\n"                      },
        {{"/d/f", ""},         2,   "/d/f: not a directory\n"                       },
        {{"a\nb"},             2,   "a?b: no such file or directory\n"              },
        {{NULL},               125, "usage: tar-out [--follow] PATH [NAME]\n"       },
        {{"--follow"},         125, "usage: tar-out [--follow] PATH [NAME]\n"       },
        {{"/d", "e", "f"},     125, "usage: tar-out [--follow] PATH [NAME]\n"       },
};

TEST(names_things_as_docker_cp_does)
{
        struct tree t;

        make_box(&t);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct builtin_run b = {
                        .run = builtin_tar_out,
                        .argv = {"tar-out", rows[i].argv[0], rows[i].argv[1], rows[i].argv[2]},
                        .where = BUILTIN_IN_TREE,
                        .in_fd = -1,
                        .out_fd = tree_file("", 0),
                };

                t_note("%zu: %s", i, rows[i].argv[0] ? rows[i].argv[0] : "nothing");
                t_int(rows[i].status, builtin_test(&t, &b));
                if (rows[i].status == 0) {
                        t_str("", b.said);
                        t_str(rows[i].expected, listing(&t, b.out_fd));
                } else {
                        t_str(rows[i].expected, b.said);
                        t_str("", tree_text(b.out_fd));
                }
                (void)close(b.out_fd);
        }
        tree_remove(&t);
}

TEST(says_what_it_could_not_read_and_goes_on)
{
        struct tree t;
        struct builtin_run b = {
                .run = builtin_tar_out,
                .argv = {"tar-out", "/d"},
                .where = BUILTIN_IN_TREE | BUILTIN_WEAK,
                .in_fd = -1,
                .out_fd = tree_file("", 0),
        };

        make_box(&t);
        t_int(0, tree_sh(&t, "echo >d/e; chmod 0 d/e"));
        t_int(1, builtin_test(&t, &b));
        t_str("archive 'd/e': Permission denied\n", b.said);
        t_str("d/\nd/.../\nd/f\n", listing(&t, b.out_fd));
        (void)close(b.out_fd);
        tree_remove(&t);
}

TEST(does_not_complain_for_ever)
{
        struct tree t;
        struct builtin_run b = {
                .run = builtin_tar_out,
                .argv = {"tar-out", "/d"},
                .where = BUILTIN_IN_TREE | BUILTIN_WEAK,
                .in_fd = -1,
                .out_fd = tree_file("", 0),
        };
        size_t lines = 0;

        make_box(&t);
        t_int(0, tree_sh(&t, "umask 777; i=0; while [ $i -lt 102 ]; do : >d/$i; i=$((i+1)); done"));
        t_int(1, builtin_test(&t, &b));
        for (const char *p = b.said; *p != '\0'; p++)
                lines += *p == '\n';
        t_int(101, (int64_t)lines);
        t_has("\nand 2 more\n", b.said);
        (void)close(b.out_fd);
        tree_remove(&t);
}

TEST(ends_quietly_when_nobody_reads)
{
        struct tree t;
        int ends[2];
        struct builtin_run b = {.run = builtin_tar_out, .in_fd = -1};

        make_box(&t);
        (void)signal(SIGPIPE, SIG_DFL);
        t_int(0, pipe2(ends, O_CLOEXEC));
        (void)close(ends[0]);
        b.out_fd = ends[1];
        b.argv[0] = "tar-out";
        b.argv[1] = t.path;
        t_int(1, builtin_test(&t, &b));
        t_str("", b.said);
        (void)close(ends[1]);
        tree_remove(&t);
}

TEST(says_why_the_archive_could_not_be_written)
{
        struct tree t;
        struct builtin_run b = {.run = builtin_tar_out, .in_fd = -1};

        make_box(&t);
        b.out_fd = sys_open(AT_FDCWD, "/dev/full", O_WRONLY);
        t_ok(b.out_fd);
        b.argv[0] = "tar-out";
        b.argv[1] = t.path;
        t_int(1, builtin_test(&t, &b));
        t_str("write the archive: No space left on device\n", b.said);
        (void)close(b.out_fd);
        tree_remove(&t);
}
