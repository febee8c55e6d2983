/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "init/init.h"
#include "sandbox/test-child.h"
#include "t.h"

static struct inside inside_new(void)
{
        struct inside in = {.devpts_fd = -1, .userns_fd = -1};

        in.null_fd = t_ok(sys_open(AT_FDCWD, "/dev/null", O_RDWR));
        return in;
}

static void close_all(struct stdio *s)
{
        for (int i = 0; i < 3; i++)
                close_fd(&s->near[i]);
        for (size_t i = 0; i < s->far_count; i++)
                close_fd(&s->far[i]);
}

static bool is_null(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* What goes in at one end comes out at the other. */
static bool connected(int from, int to)
{
        char c = 0;

        return write(from, "x", 1) == 1 && read(to, &c, 1) == 1 && c == 'x';
}

static const struct {
        uint32_t flags;
        uint32_t mask;
        size_t far_count;
} forms[] = {
        {0,                                PROTO_STDOUT | PROTO_STDERR,               2},
        {PROCESS_STDIN,                    PROTO_STDIN | PROTO_STDOUT | PROTO_STDERR, 3},
        {PROCESS_DETACHED,                 0,                                         0},
        {PROCESS_DETACHED | PROCESS_STDIN, PROTO_STDIN,                               1},
};

TEST(the_far_ends_are_those_of_the_mask_in_its_order)
{
        struct inside in = inside_new();
        int before = t_open_fds();

        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                struct msg_process p = {.flags = forms[i].flags};
                struct stdio s;
                size_t next = 0;

                t_ok(stdio_make(&in, &p, geteuid(), getegid(), &s, NULL));
                t_int(forms[i].mask, s.mask);
                t_int((int64_t)forms[i].far_count, (int64_t)s.far_count);
                t_false(s.tty);
                if (s.mask & PROTO_STDIN)
                        t_true(connected(s.far[next++], s.near[0]));
                else
                        t_true(is_null(s.near[0]));
                for (int n = 1; n < 3; n++)
                        if (s.mask & (1U << n))
                                t_true(connected(s.near[n], s.far[next++]));
                        else
                                t_true(is_null(s.near[n]));
                close_all(&s);
                t_int(before, t_open_fds());
        }
        close_fd(&in.null_fd);
}

TEST(every_descriptor_is_close_on_exec_and_none_is_a_standard_one)
{
        struct inside in = inside_new();
        struct msg_process p = {.flags = PROCESS_STDIN};
        struct stdio s;

        t_ok(stdio_make(&in, &p, geteuid(), getegid(), &s, NULL));
        for (int i = 0; i < 3; i++) {
                t_true(s.near[i] > 2 && s.far[i] > 2);
                t_int(FD_CLOEXEC, fcntl(s.near[i], F_GETFD));
                t_int(FD_CLOEXEC, fcntl(s.far[i], F_GETFD));
        }
        close_all(&s);
        close_fd(&in.null_fd);
}

TEST(a_pipe_belongs_to_whom_it_was_made_for)
{
        struct inside in = inside_new();
        struct msg_process p = {.flags = PROCESS_STDIN};
        struct stdio s;
        struct stat st;

        if (stdio_make(&in, &p, 1234, 1235, &s, NULL) < 0)
                t_skip("needs the right to give files away");
        for (int i = 0; i < 3; i++) {
                t_ok(fstat(s.near[i], &st));
                t_int(1234, st.st_uid);
                t_int(1235, st.st_gid);
        }
        close_all(&s);
        close_fd(&in.null_fd);
}

static int pipe_of_another(void)
{
        struct inside in = inside_new();
        struct msg_process p = {.flags = 0};
        struct coffer_error err;
        struct stdio s = {.mask = 99};

        WANT(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
        NEED(stdio_make(&in, &p, 0, 0, &s, &err) == -EPERM);
        NEED(strstr(err.msg, "standard streams") && s.mask == 99);
        return 0;
}

TEST(who_may_not_give_a_pipe_away_gets_none)
{
        t_child(pipe_of_another);
}

TEST(a_box_without_terminals_gives_none)
{
        struct inside in = inside_new();
        struct msg_process p = {.flags = PROCESS_TTY};
        struct coffer_error err;
        struct stdio s = {.mask = 99};

        t_errno(ENODEV, stdio_make(&in, &p, geteuid(), getegid(), &s, &err));
        t_has("no terminals", err.msg);
        t_int(99, s.mask); /* and not pipes instead */
        close_fd(&in.null_fd);
}

/* ------------------------------------------------------------- in a devpts of the test's own */

static struct inside in_box;

/* A user and mount namespace, and a devpts that nobody else has. */
static int make_devpts(void)
{
        WANT(single_id_namespace(CLONE_NEWNS) == 0);
        WANT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        WANT(mount("tmpfs", "/tmp", "tmpfs", 0, "mode=755") == 0);
        NEED(mkdir("/tmp/pts", 0755) == 0);
        WANT(mount("devpts", "/tmp/pts", "devpts", 0, "newinstance,mode=620,ptmxmode=666") == 0);
        in_box = (struct inside){.userns_fd = -1};
        in_box.devpts_fd = sys_open(AT_FDCWD, "/tmp/pts", O_PATH | O_DIRECTORY);
        NEED(in_box.devpts_fd >= 0);
        return 0;
}

static int a_terminal(struct stdio *s, uint32_t rows, uint32_t cols)
{
        struct msg_process p = {.flags = PROCESS_TTY | PROCESS_STDIN, .rows = rows, .cols = cols};
        int r = make_devpts();

        if (r != 0)
                return r;
        NEED(stdio_make(&in_box, &p, 0, 0, s, NULL) == 0);
        return 0;
}

static int terminal_is_of_the_box(void)
{
        struct winsize size = {0};
        struct stat devpts, slave;
        struct stdio s;
        int r = a_terminal(&s, 33, 111);

        if (r != 0)
                return r;
        NEED(s.tty && s.mask == PROTO_TTY && s.far_count == 1);
        NEED(fstat(in_box.devpts_fd, &devpts) == 0);
        for (int i = 0; i < 3; i++) {
                NEED(isatty(s.near[i]) && s.near[i] > 2);
                NEED(fcntl(s.near[i], F_GETFD) == FD_CLOEXEC);
                NEED(fstat(s.near[i], &slave) == 0);
                NEED(slave.st_dev == devpts.st_dev);
                NEED((slave.st_mode & 07777) == 0620 && slave.st_uid == 0);
        }
        NEED(fcntl(s.far[0], F_GETFD) == FD_CLOEXEC);
        NEED(ioctl(s.near[0], TIOCGWINSZ, &size) == 0);
        NEED(size.ws_row == 33 && size.ws_col == 111);
        NEED(stat("/tmp/pts/0", &slave) == 0);
        return 0;
}

TEST(a_terminal_is_made_in_the_devpts_of_the_box)
{
        t_child(terminal_is_of_the_box);
}

/* What the box did to its /dev does not matter: the slave is not looked up by a name. */
static int terminal_survives_a_covered_devpts(void)
{
        struct msg_process p = {.flags = PROCESS_TTY};
        struct stat devpts, slave;
        struct stdio s;
        int r = make_devpts();

        if (r != 0)
                return r;
        NEED(mount("tmpfs", "/tmp/pts", "tmpfs", 0, "mode=755") == 0);
        NEED(stdio_make(&in_box, &p, 0, 0, &s, NULL) == 0);
        NEED(fstat(in_box.devpts_fd, &devpts) == 0 && fstat(s.near[1], &slave) == 0);
        NEED(slave.st_dev == devpts.st_dev);
        return 0;
}

TEST(a_terminal_is_the_kernels_answer_and_not_a_path)
{
        t_child(terminal_survives_a_covered_devpts);
}

static int terminal_becomes_the_controlling_one(void)
{
        struct stdio s;
        int far, r = a_terminal(&s, 0, 0);
        char c = 0;

        if (r != 0)
                return r;
        far = fcntl(s.far[0], F_DUPFD_CLOEXEC, 100);
        NEED(far >= 0);
        WANT(setsid() > 0 || getsid(0) == getpid());
        NEED(stdio_install(&s, NULL) == 0);
        for (int i = 0; i < 3; i++)
                NEED(isatty(i) && fcntl(i, F_GETFD) == 0 && s.near[i] < 0);
        NEED(s.far[0] < 0); /* the master does not stay with the process */
        NEED(tcgetsid(0) == getpid());
        NEED(write(far, "a\n", 2) == 2 && read(0, &c, 1) == 1 && c == 'a');
        return 0;
}

TEST(a_terminal_becomes_the_controlling_one_and_its_master_is_closed)
{
        t_child(terminal_becomes_the_controlling_one);
}

static int pipes_are_installed(void)
{
        struct inside in = inside_new();
        struct msg_process p = {.flags = PROCESS_STDIN};
        struct stdio s;
        int far[3], again;
        char c = 0;

        NEED(stdio_make(&in, &p, geteuid(), getegid(), &s, NULL) == 0);
        for (int i = 0; i < 3; i++)
                NEED((far[i] = fcntl(s.far[i], F_DUPFD_CLOEXEC, 100)) >= 0);
        NEED(stdio_install(&s, NULL) == 0);
        for (int i = 0; i < 3; i++)
                NEED(fcntl(i, F_GETFD) == 0 && s.near[i] < 0 && s.far[i] < 0);
        NEED(connected(far[0], 0) && connected(1, far[1]));
        again = sys_open(AT_FDCWD, "/proc/self/fd/1", O_WRONLY);
        NEED(again >= 0 && connected(again, far[1]));
        (void)close(again);
        /* Nothing else of ours holds an end: with 1 closed its reader sees the end. */
        (void)close(1);
        NEED(read(far[1], &c, 1) == 0);
        return 0;
}

TEST(pipes_become_the_standard_descriptors_and_nothing_else_holds_them)
{
        t_child(pipes_are_installed);
}

static int no_controlling_terminal_without_a_session(void)
{
        struct coffer_error err;
        struct stdio s;
        int r = a_terminal(&s, 0, 0);

        if (r != 0)
                return r;
        /* We are a member of a session that is another's: the kernel refuses. */
        NEED(getsid(0) != getpid());
        NEED(stdio_install(&s, &err) < 0);
        NEED(strstr(err.msg, "controlling"));
        return 0;
}

TEST(a_process_without_a_session_of_its_own_is_refused_a_terminal)
{
        t_child(no_controlling_terminal_without_a_session);
}
