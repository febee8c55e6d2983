/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "fault.h"
#include "sandbox/userns-parts.h"
#include "t.h"

/* --------------------------------------------------------------------------------- subuid */

static bool find_in(const char *text, size_t size, const char *name, uint32_t id,
                    uint32_t *ret_start)
{
        char path[] = "/tmp/coffer-test-subid-XXXXXX";
        cleanup_close int fd = t_ok(mkostemp(path, O_CLOEXEC));
        bool found;

        t_ok(sys_write_all(fd, text, size));
        found = userns_find_range(path, name, id, ret_start);
        (void)unlink(path);
        return found;
}

static const struct {
        const char *text;
        int64_t start; /* -1: no range */
} subids[] = {
        {"ann:100000:65536\n",                                 100000    },
        {"ann:100000:65536",                                   100000    },
        {"1000:100000:65536\n",                                100000    },
        {"bob:1:65536\nann:165536:65536\n",                    165536    },
        {"ann:100000:1000\nann:200000:65536\n",                200000    },
        {"ann:100000:65536\nann:200000:65536\n",               100000    },
        {"\n\n# ann:1:65536\nann:300000:1000000\n",            300000    },
        {"junk\nann\nann:\nann:1\nann:1:\nann:400000:65536\n", 400000    },
        {"ann:4294901759:65536\n",                             4294901759}, /* up to the last id there is, 2^32 - 2 */

        {"",                                                   -1        },
        {"\n",                                                 -1        },
        {"ann",                                                -1        },
        {"ann:",                                               -1        },
        {"ann::",                                              -1        },
        {"ann:100000",                                         -1        },
        {"ann:100000:",                                        -1        },
        {"ann::65536\n",                                       -1        },
        {"ann:100000:65535\n",                                 -1        },
        {"ann:100000:0\n",                                     -1        },
        {"ann:100000:65536:1\n",                               -1        },
        {"ann:100000:65536 \n",                                -1        },
        {"ann:100000:65536\r\n",                               -1        },
        {"ann: 100000:65536\n",                                -1        },
        {" ann:100000:65536\n",                                -1        },
        {"ann :100000:65536\n",                                -1        },
        {"Ann:100000:65536\n",                                 -1        },
        {"anna:100000:65536\n",                                -1        },
        {"an:100000:65536\n",                                  -1        },
        {"bob:100000:65536\n",                                 -1        },
        {"10000:100000:65536\n",                               -1        },
        {"01000:100000:65536\n",                               -1        },
        {"100:100000:65536\n",                                 -1        },
        {":100000:65536\n",                                    -1        },
        {"#ann:100000:65536\n",                                -1        },
        {"ann:-1:65536\n",                                     -1        },
        {"ann:+1:65536\n",                                     -1        },
        {"ann:0x186a0:65536\n",                                -1        },
        {"ann:1e5:65536\n",                                    -1        },
        {"ann:100000:-1\n",                                    -1        },
        {"ann:4294967296:65536\n",                             -1        },
        {"ann:100000:4294967296\n",                            -1        },
        {"ann:18446744073709551616:65536\n",                   -1        },
        {"ann:100000:18446744073709617152\n",                  -1        },
        {"ann:4294901760:65536\n",                             -1        }, /* its last id would be (uid_t)-1 */
        {"ann:4294967295:65536\n",                             -1        }, /* and these wrap */
        {"ann:4294950000:65536\n",                             -1        },
};

TEST(a_range_is_found_only_on_a_whole_line_of_the_callers)
{
        for (size_t i = 0; i < ELEMENTS(subids); i++) {
                uint32_t start = 77;
                bool found = find_in(subids[i].text, strlen(subids[i].text), "ann", 1000, &start);

                t_note("%s", subids[i].text);
                t_int(subids[i].start >= 0, found);
                t_int(subids[i].start >= 0 ? subids[i].start : 77, start);
        }
}

TEST(a_caller_without_a_name_has_a_range_by_his_number_only)
{
        uint32_t start = 0;

        t_true(find_in("1000:5000:65536\n", 16, NULL, 1000, &start));
        t_int(5000, start);
        t_false(find_in("ann:5000:65536\n", 15, NULL, 1000, &start));
        t_false(find_in(":5000:65536\n", 12, NULL, 1000, &start));
        t_false(find_in("(null):5000:65536\n", 18, NULL, 1000, &start));
}

TEST(a_file_that_cannot_be_read_has_no_range)
{
        static const char nul[] = "\0ann:5000:65536\n";
        uint32_t start = 77;
        struct buf large = BUF_INIT(4 * 1024 * 1024);

        t_false(userns_find_range("/nonexistent/subuid", "ann", 1000, &start));
        t_false(userns_find_range("/", "ann", 1000, &start));
        t_false(find_in(nul, sizeof(nul) - 1, "ann", 1000, &start));

        while (large.size < 1024 * 1024)
                t_ok(buf_append_str(&large, "bob:1:65536\n"));
        t_ok(buf_append_str(&large, "ann:5000:65536\n"));
        t_false(find_in(large.data, large.size, "ann", 1000, &start));
        buf_release(&large);
        t_int(77, start);
        fault_arm(1);
        t_false(find_in("ann:5000:65536\n", 15, "ann", 1000, &start));
        t_true(fault_disarm());
}

/* ----------------------------------------------------------------------------------- maps */

static const struct {
        uint32_t kind;
        uint32_t count;
        uint32_t self, base, supervisor;
        const char *text;
} maps[] = {
        {IDMAP_ROOT,   65536,      0,          2000000,    1999999,    "0 2000000 65536\n65536 1999999 1\n"        },
        {IDMAP_ROOT,   65536,      0,          2000000,    0,          "0 2000000 65536\n"                         },
        {IDMAP_USER,   65536,      1000,       100000,     165535,     "0 1000 1\n1 100000 65535\n65536 165535 1\n"},
        {IDMAP_USER,   65536,      1000,       100000,     0,          "0 1000 1\n1 100000 65535\n"                },
        {IDMAP_SINGLE, 1,          1000,       0,          0,          "0 1000 1\n"                                },
        {IDMAP_SINGLE, 1,          0,          0,          0,          "0 0 1\n"                                   },
        {IDMAP_USER,   UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
         "0 4294967295 1\n1 4294967295 4294967294\n4294967295 4294967295 1\n"                                      },
};

TEST(a_map_has_one_line_for_each_part_of_it)
{
        for (size_t i = 0; i < ELEMENTS(maps); i++) {
                struct msg_idmap map = {.kind = maps[i].kind, .count = maps[i].count};
                char text[USERNS_MAP_MAX];

                userns_map_lines(&map, maps[i].self, maps[i].base, maps[i].supervisor, text);
                t_str(maps[i].text, text);
        }
}

TEST(a_range_of_root_lies_at_its_base_and_its_supervisor_outside)
{
        struct msg_idmap map = idmap_for_range(3000000, 999);

        t_int(IDMAP_ROOT, map.kind);
        t_int(IDMAP_IDS, map.count);
        t_true(map.uid_base == 3000000 && map.gid_base == 3000000);
        t_true(map.supervisor_uid == 999 && map.supervisor_gid == 999);
}

TEST(the_map_of_a_caller_is_his_range_or_himself)
{
        struct msg_idmap map;

        t_ok(idmap_for_caller(&map, NULL));
        if (map.kind == IDMAP_SINGLE) {
                t_int(1, map.count);
                t_int(0, map.supervisor_uid);
                return;
        }
        t_int(IDMAP_USER, map.kind);
        t_int(IDMAP_IDS, map.count);
        t_int(map.uid_base + IDMAP_IDS - 1, map.supervisor_uid);
        t_int(map.gid_base + IDMAP_IDS - 1, map.supervisor_gid);
}

/* ------------------------------------------------------------------------------ namespaces */

static struct msg_idmap single_map(void)
{
        return (struct msg_idmap){.kind = IDMAP_SINGLE, .count = 1};
}

static int open_or_skip(const struct msg_idmap *map)
{
        struct coffer_error err = {0};
        int fd = -1;

        if (userns_open(map, &fd, &err) < 0)
                t_skip("%s", err.msg);
        return fd;
}

/* The largest map that this caller can have; skips when there is none at all. */
static struct msg_idmap best_map(void)
{
        struct msg_idmap map = idmap_for_range(2000000, 1999999);
        cleanup_close int fd = -1;

        if (geteuid() != 0)
                t_ok(idmap_for_caller(&map, NULL));
        if (userns_open(&map, &fd, NULL) == 0)
                return map;
        map = single_map();
        fd = open_or_skip(&map);
        return map;
}

static bool map_is(const char *name, const struct msg_idmap *map, uint32_t self, uint32_t base,
                   uint32_t supervisor)
{
        struct buf b = BUF_INIT(4096);
        char text[USERNS_MAP_MAX], line[64];
        const char *want = text;
        bool same = true;

        userns_map_lines(map, self, base, supervisor, text);
        if (buf_read_file(&b, AT_FDCWD, name) < 0)
                return false;
        for (char *save = NULL, *l = strtok_r(b.data, "\n", &save); l && same;
             l = strtok_r(NULL, "\n", &save)) {
                unsigned in, out, n;

                same = sscanf(l, "%u %u %u", &in, &out, &n) == 3;
                (void)snprintf(line, sizeof(line), "%u %u %u\n", in, out, n);
                want = same ? str_after(want, line) : NULL;
                same = want != NULL;
        }
        buf_release(&b);
        return same && *want == '\0';
}

struct who {
        struct msg_idmap map;
        uint32_t uid, gid;
};

static int check_identity(void *data)
{
        const struct who *w = data;

        if (geteuid() != 0 || getuid() != 0 || getegid() != 0 || getgid() != 0)
                return 1;
        if (!map_is("/proc/self/uid_map", &w->map, w->uid, w->map.uid_base, w->map.supervisor_uid))
                return 2;
        if (!map_is("/proc/self/gid_map", &w->map, w->gid, w->map.gid_base, w->map.supervisor_gid))
                return 3;
        if (w->map.kind == IDMAP_SINGLE)
                return setgroups(0, NULL) == 0 ? 4 : 0; /* denied, since it could shed a group */
        return setgroups(0, NULL) < 0 || setresuid(1000, 1000, 1000) < 0 || geteuid() != 1000 ? 5
                                                                                              : 0;
}

static void check_namespace(struct msg_idmap map)
{
        struct who w = {map, geteuid(), getegid()};
        cleanup_close int fd = open_or_skip(&map);

        t_int(FD_CLOEXEC, fcntl(fd, F_GETFD));
        t_int(0, userns_run(fd, check_identity, &w));
}

TEST(a_namespace_of_one_id_is_the_callers)
{
        check_namespace(single_map());
}

TEST(a_namespace_has_the_ids_of_its_map)
{
        check_namespace(best_map());
}

TEST(a_map_that_the_kernel_refuses_is_an_error_and_leaves_nothing)
{
        struct msg_idmap wrong = {.kind = IDMAP_ROOT, .uid_base = UINT32_MAX - 10, .count = 100};
        int fd = -1, before = t_open_fds();
        struct coffer_error err = {0};

        t_true(userns_open(&wrong, &fd, &err) < 0);
        t_has(err.code == -ENOSPC ? "create a user namespace" : "write the id maps", err.msg);
        t_int(-1, fd);
        t_int(before, t_open_fds());
        wrong.count = 0;
        t_true(userns_open(&wrong, &fd, &err) < 0);
        t_true(userns_open_shifted(0, UINT32_MAX - 1, 10, &fd, &err) < 0);
        t_int(-1, fd);
        t_int(before, t_open_fds());
}

TEST(a_range_that_is_not_the_callers_is_refused_with_a_hint)
{
        struct msg_idmap map = {
                .kind = IDMAP_USER, .uid_base = 1, .gid_base = 1, .count = IDMAP_IDS};
        struct coffer_error err = {0};
        int fd = -1;

        if (access("/usr/bin/newuidmap", X_OK) < 0)
                t_skip("needs newuidmap");
        t_errno(EPERM, userns_open(&map, &fd, &err)); /* of root too: no line is his */
        t_has("newuidmap refused", err.msg);
        t_has("/etc/subuid", err.hint);
        t_int(-1, fd);
}

/* -------------------------------------------------------------------------------- results */

static int give(void *data)
{
        return *(int *)data;
}

static const struct {
        int given;
        int result;
} results[] = {
        {0,          0         },
        {1,          1         },
        {77,         77        },
        {126,        126       },
        {127,        127       },
        {-1,         -1        },
        {-EPERM,     -EPERM    },
        {-EINTR,     -EINTR    },
        {-ENOTEMPTY, -ENOTEMPTY},
        {-127,       -127      },
        {-128,       -EIO      },
        {-EDQUOT,    -EDQUOT   },
        {-EHWPOISON, -EIO      }, /* 133: does not fit */
        {-256,       -EIO      },
        {-4095,      -EIO      },
        {INT_MIN,    -EIO      },
};

TEST(what_the_function_returned_is_the_result)
{
        struct msg_idmap map = single_map();
        cleanup_close int fd = open_or_skip(&map);
        int before = t_open_fds();

        for (size_t i = 0; i < ELEMENTS(results); i++) {
                int given = results[i].given;

                t_int(results[i].result, userns_run(-1, give, &given));
                t_int(results[i].result, userns_run(fd, give, &given));
        }
        t_int(before, t_open_fds());
}

static int change(void *data)
{
        *(int *)data = 99;
        return chdir("/") < 0 || setenv("COFFER_TEST_CHILD", "1", 1) < 0 ? -errno : 0;
}

TEST(the_function_changes_nothing_of_the_caller)
{
        int value = 1;
        char before[PATH_MAX], after[PATH_MAX];

        t_true(getcwd(before, sizeof(before)) != NULL);
        t_int(0, userns_run(-1, change, &value));
        t_int(1, value);
        t_true(getcwd(after, sizeof(after)) != NULL);
        t_str(before, after);
        t_null(getenv("COFFER_TEST_CHILD"));
}

static int not_called(void *data)
{
        (void)data;
        return 42;
}

TEST(without_the_namespace_the_function_does_not_run)
{
        cleanup_close int file = t_ok(sys_open(AT_FDCWD, "/dev/null", O_RDONLY));
        cleanup_close int own = t_ok(sys_open(AT_FDCWD, "/proc/self/ns/user", O_RDONLY));

        t_errno(EINVAL, userns_run(file, not_called, NULL));
        t_errno(EBADF, userns_run(12345, not_called, NULL));
        t_errno(EINVAL, userns_run(own, not_called, NULL)); /* one is in it already */
}

static int die(void *data)
{
        struct sigaction act = {.sa_handler = SIG_DFL};

        (void)sigaction(*(int *)data, &act, NULL);
        (void)raise(*(int *)data);
        return 0;
}

TEST(a_child_that_dies_is_an_error_whatever_killed_it)
{
        int signals[] = {SIGKILL, SIGTERM, SIGABRT, SIGSEGV, SIGPIPE};

        for (size_t i = 0; i < ELEMENTS(signals); i++)
                t_errno(EINTR, userns_run(-1, die, &signals[i]));
}

/* ------------------------------------------------------------------- the calling program */

static volatile sig_atomic_t child_signals;

static void on_sigchld(int signal)
{
        (void)signal;
        child_signals = child_signals + 1;
}

/* Everything that this file does with children, once. */
static void use_children(const struct msg_idmap *map)
{
        cleanup_close int fd = -1;
        int given = 5, killed = SIGKILL;

        t_ok(userns_open(map, &fd, NULL));
        t_int(5, userns_run(fd, give, &given));
        t_int(5, userns_run(-1, give, &given));
        t_errno(EINTR, userns_run(-1, die, &killed));
}

TEST(the_calling_programs_waits_and_handlers_see_nothing)
{
        struct sigaction act = {.sa_handler = on_sigchld}, old;
        struct msg_idmap map = best_map();
        int status;

        t_ok(sigaction(SIGCHLD, &act, &old));
        use_children(&map);
        t_errno(ECHILD, waitpid(-1, &status, WNOHANG) < 0 ? -errno : 0);
        t_ok(sigaction(SIGCHLD, &old, NULL));
        t_int(0, child_signals);
}

TEST(a_calling_program_that_ignores_its_children_is_served_too)
{
        struct sigaction act = {.sa_handler = SIG_IGN}, old;
        struct msg_idmap map = best_map();

        t_ok(sigaction(SIGCHLD, &act, &old));
        use_children(&map);
        t_ok(sigaction(SIGCHLD, &old, NULL));
}

TEST(a_child_of_the_calling_programs_own_is_left_alone)
{
        struct msg_idmap map = best_map();
        int status = 0, ends[2];
        pid_t pid;

        t_ok(pipe2(ends, O_CLOEXEC));
        pid = fork();
        if (pid == 0)
                _exit(23);
        t_true(pid > 0);
        (void)close(ends[1]);
        t_int(0, read(ends[0], &status, 1)); /* it has ended */
        (void)close(ends[0]);
        use_children(&map);
        t_true(waitpid(-1, &status, 0) == pid);
        t_true(WIFEXITED(status) && WEXITSTATUS(status) == 23);
}

/* ---------------------------------------------------------------------------------- shift */

TEST(a_shifted_namespace_maps_one_range_to_another)
{
        cleanup_close int fd = -1;
        struct coffer_error err = {0};

        if (userns_open_shifted(1000, 2000000, 65536, &fd, &err) < 0)
                t_skip("%s", err.msg);
        t_true(fd > 2);
        t_int(FD_CLOEXEC, fcntl(fd, F_GETFD));
        /* Root has no id in it, so nobody may enter it as one. */
        t_errno(EINVAL, userns_run(fd, not_called, NULL));
}
