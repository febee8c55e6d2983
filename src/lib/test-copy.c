/* SPDX-License-Identifier: Apache-2.0 */

/* Docker's rules for cp, row by row, both ways; and volumes. */

#include "lib/test-lib.h"

#include <sys/wait.h>

/* A directory on the host: d/f, d/sub/g, a file x, an empty directory e. */
static void make_tree(const struct lab *lab)
{
        static const char *const dirs[] = {"d", "d/sub", "e"};
        static const char *const files[] = {"d/f", "d/sub/g", "x"};
        char path[256];

        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", lab->home, dirs[i]);
                t_ok(mkdir(path, 0755));
        }
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                int fd;

                (void)snprintf(path, sizeof(path), "%s/%s", lab->home, files[i]);
                fd = t_ok(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
                t_int(3, write(fd, "abc", 3));
                (void)close(fd);
        }
}

static int run_in(struct lab *lab, struct coffer_box *box, const char *line)
{
        const char *argv[] = {"/bin/sh", "-c", line, NULL};
        struct coffer_process *p;
        struct coffer_spec *spec;
        struct coffer_exit end;

        lab_ok(lab, coffer_spec_new(&spec, &lab->err));
        lab_ok(lab, coffer_spec_set_command(spec, argv, &lab->err));
        lab_ok(lab, coffer_spec_set(spec, "user", "0:0", &lab->err)); /* whose the copies are */
        lab_ok(lab, coffer_exec_start(box, spec, LONG_MS, &p, &lab->err));
        lab_ok(lab, coffer_process_wait(p, LONG_MS, &end, &lab->err));
        (void)coffer_process_free(p);
        (void)coffer_spec_free(spec);
        return end.status;
}

static void remove_tree(const struct lab *lab, const char *name)
{
        char path[256];
        pid_t pid;
        int status;

        (void)snprintf(path, sizeof(path), "%s/%s", lab->home, name);
        pid = fork();
        if (pid == 0) {
                (void)execl("/bin/rm", "rm", "-rf", path, NULL);
                _exit(1);
        }
        t_int(pid, waitpid(pid, &status, 0));
        t_int(0, status);
}

/* The box has /tmp/dir, a directory, and /tmp/file before each row. */
TEST(copying_in_follows_the_rules)
{
        static const struct {
                const char *from, *to, *expect;
                int code;
        } cases[] = {
                {"x",      "/tmp/dir",          "test -f /tmp/dir/x",                    0      },
                {"x",      "/tmp/dir/",         "test -f /tmp/dir/x",                    0      },
                {"x",      "/tmp/dir/y",        "test -f /tmp/dir/y",                    0      },
                {"x",      "/tmp/file",         "test \"$(cat /tmp/file)\" = abc",       0      },
                {"d",      "/tmp/dir",          "test -f /tmp/dir/d/sub/g",              0      },
                {"d",      "/tmp/new",          "test -f /tmp/new/f -a ! -e /tmp/new/d", 0      },
                {"d/.",    "/tmp/dir",          "test -f /tmp/dir/f -a ! -e /tmp/dir/d", 0      },
                {"d/.",    "/tmp/new",          "test -f /tmp/new/f",                    0      },
                {"e",      "tmp/new",           "test -d /tmp/new",                      0      },
                {"x",      "/tmp/dir/../dir/z", "test -f /tmp/dir/z",                    0      },
                {"x",      "/tmp/no/",          "test ! -e /tmp/no",                     ENOTDIR},
                {"x",      "/tmp/no/y",         "test ! -e /tmp/no",                     ENOENT },
                {"absent", "/tmp/dir",          "test ! -e /tmp/dir/absent",             ENOENT },
                {"d",      "/tmp/file",         "test -f /tmp/file",                     EIO    },
        };
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(&lab, "exec sleep 1000");

        make_tree(&lab);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char path[256];
                int r;

                t_note("%s to %s", cases[i].from, cases[i].to);
                t_int(0, run_in(&lab, box,
                                "cd /tmp && rm -rf dir file new no && mkdir dir && echo > file"));
                (void)snprintf(path, sizeof(path), "%s/%s", lab.home, cases[i].from);
                r = coffer_copy_in(box, path, cases[i].to, 0, LONG_MS, &lab.err);
                if (cases[i].code == 0)
                        lab_ok(&lab, r);
                else
                        t_errno(cases[i].code, r);
                t_int(0, run_in(&lab, box, cases[i].expect));
        }
        lab_remove(&lab, box);
        remove_tree(&lab, "d");
        remove_tree(&lab, "e");
        remove_tree(&lab, "x");
        lab_end(&lab);
}

TEST(copying_out_follows_the_rules)
{
        static const struct {
                const char *from, *to, *expect;
                int code;
        } cases[] = {
                {"/tmp/x",    "o",       "o/x",       0      },
                {"/tmp/x",    "o/",      "o/x",       0      },
                {"/tmp/x",    "o/y",     "o/y",       0      },
                {"/tmp/x",    "o/file",  "o/file",    0      },
                {"/tmp/d",    "o",       "o/d/sub/g", 0      },
                {"/tmp/d",    "o/n",     "o/n/sub/g", 0      },
                {"/tmp/d",    "o/n/",    "o/n/sub/g", 0      },
                {"/tmp/d/.",  "o",       "o/sub/g",   0      },
                {"tmp/d/.",   "o/n",     "o/n/sub/g", 0      },
                {"/tmp/x",    "o/n/",    NULL,        ENOENT },
                {"/tmp/x",    "o/n/y",   NULL,        ENOENT },
                {"/tmp/x",    "o/file/", NULL,        ENOTDIR},
                {"/tmp/none", "o",       NULL,        ENOENT },
                {"/tmp/x/.",  "o",       NULL,        ENOENT },
        };
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(&lab, "cd /tmp && mkdir -p d/sub && echo > d/sub/g && "
                                                   "echo > x && exec sleep 1000");
        char path[256];

        t_int(0, run_in(&lab, box, "until test -e /tmp/x; do sleep 0.01; done"));
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int r;

                t_note("%s to %s", cases[i].from, cases[i].to);
                (void)snprintf(path, sizeof(path), "%s/o", lab.home);
                t_ok(mkdir(path, 0700));
                (void)snprintf(path, sizeof(path), "%s/o/file", lab.home);
                t_ok(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
                (void)snprintf(path, sizeof(path), "%s/%s", lab.home, cases[i].to);
                r = coffer_copy_out(box, cases[i].from, path, 0, LONG_MS, &lab.err);
                if (cases[i].code == 0)
                        lab_ok(&lab, r);
                else
                        t_errno(cases[i].code, r);
                if (cases[i].expect)
                        t_true(lab_has(&lab, cases[i].expect));
                remove_tree(&lab, "o");
        }
        lab_remove(&lab, box);
        lab_end(&lab);
}

/* A link of the box's leads to nothing on the host, whichever way. */
TEST(a_box_cannot_lead_a_copy_astray)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(
                &lab, "cd /tmp && ln -s /etc/passwd link && ln -s .. up && exec sleep 1000");
        char path[256], text[64];
        struct stat st;

        t_int(0, run_in(&lab, box, "until test -L /tmp/up; do sleep 0.01; done"));
        (void)snprintf(path, sizeof(path), "%s/o", lab.home);
        t_ok(mkdir(path, 0700));
        lab_ok(&lab, coffer_copy_out(box, "/tmp/link", path, 0, LONG_MS, &lab.err));
        (void)snprintf(path, sizeof(path), "%s/o/link", lab.home);
        t_ok(lstat(path, &st));
        t_true(S_ISLNK(st.st_mode));
        t_int(11, readlink(path, text, sizeof(text)));
        (void)snprintf(path, sizeof(path), "%s/o/followed", lab.home);
        lab_ok(&lab,
               coffer_copy_out(box, "/tmp/link", path, COFFER_COPY_FOLLOW, LONG_MS, &lab.err));
        t_ok(lstat(path, &st));
        t_true(S_ISREG(st.st_mode));
        remove_tree(&lab, "o");
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(volumes_outlive_their_boxes)
{
        const char *keys[] = {"volume", "data:/data", NULL};
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "echo hi > /data/f", keys);
        struct coffer_volume_info **infos;
        struct coffer_exit end;
        size_t count;

        lab_ok(&lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        lab_ok(&lab, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        t_int(0, end.status);
        t_errno(EBUSY, coffer_volume_remove(lab.rt, "data", &lab.err));
        t_has(coffer_box_id(box), lab.err.msg);
        lab_remove(&lab, box);

        box = lab_box(&lab, "test \"$(cat /data/f)\" = hi", keys);
        lab_ok(&lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        lab_ok(&lab, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        t_int(0, end.status);
        lab_remove(&lab, box);

        lab_ok(&lab, coffer_volume_create(lab.rt, NULL, NULL, NULL, &lab.err));
        t_errno(EINVAL, coffer_volume_create(lab.rt, "../x", NULL, NULL, &lab.err));
        lab_ok(&lab, coffer_volume_list(lab.rt, &infos, &count, &lab.err));
        t_int(2, (int)count);
        t_str("data", infos[1]->name);
        coffer_free(infos);
        t_int(1, coffer_volume_prune(lab.rt, 0, NULL, NULL, &lab.err));
        t_int(1, coffer_volume_prune(lab.rt, COFFER_PRUNE_ALL, NULL, NULL, &lab.err));
        t_errno(ENOENT, coffer_volume_remove(lab.rt, "data", &lab.err));
        lab_end(&lab);
}
