/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "t.h"

/* A directory with "in/file", symlinks that lead out of it, and ones that stay. */
struct tree {
        char path[64];
        int fd;
};

static void tree_init(struct tree *t)
{
        (void)snprintf(t->path, sizeof(t->path), "%s/coffer-sys.XXXXXX",
                       access("/tmp", W_OK) == 0 ? "/tmp" : ".");
        t_true(mkdtemp(t->path) != NULL);
        t->fd = t_ok(sys_open(AT_FDCWD, t->path, O_RDONLY | O_DIRECTORY));
        t_ok(mkdirat(t->fd, "in", 0700));
        t_ok(close(t_ok(sys_open_beneath_mode(t->fd, "in/file", O_CREAT | O_RDWR, 0600))));
        t_ok(symlinkat("file", t->fd, "in/stays"));
        t_ok(symlinkat("/etc", t->fd, "in/absolute"));
        t_ok(symlinkat("../../..", t->fd, "in/climbs"));
        t_ok(symlinkat("/in/file", t->fd, "in/rooted"));
}

static void tree_release(struct tree *t)
{
        static const char *const names[] = {"in/file", "in/stays", "in/absolute", "in/climbs",
                                            "in/rooted"};

        for (size_t i = 0; i < ELEMENTS(names); i++)
                t_ok(unlinkat(t->fd, names[i], 0));
        t_ok(unlinkat(t->fd, "in", AT_REMOVEDIR));
        t_ok(close(t->fd));
        t_ok(rmdir(t->path));
}

TEST(nothing_beneath_leads_out)
{
        static const struct {
                const char *path;
                int expected; /* 0: opens */
        } cases[] = {
                {"in/file",            0       },
                {"in/stays",           0       },
                {"in/../in/file",      0       },
                {"..",                 -EXDEV  },
                {"../x",               -EXDEV  },
                {"in/../../x",         -EXDEV  },
                {"/etc/passwd",        -EXDEV  },
                {"in/absolute/passwd", -EXDEV  },
                {"in/climbs",          -EXDEV  },
                {"in/rooted",          -EXDEV  },
                {"in/none",            -ENOENT },
                {"in/file/x",          -ENOTDIR},
                {"",                   -ENOENT },
        };
        struct tree t;

        tree_init(&t);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int fd = sys_open_beneath(t.fd, cases[i].path, O_RDONLY);

                t_note("'%s'", cases[i].path);
                t_int(cases[i].expected, fd < 0 ? fd : 0);
                close_fd(&fd);
        }
        tree_release(&t);
}

TEST(in_root_reads_absolute_names_inside)
{
        static const struct {
                const char *path;
                int expected;
        } cases[] = {
                {"/in/file",           0      },
                {"in/rooted",          0      },
                {"../../in/file",      0      },
                {"in/climbs/in/file",  0      },
                {"in/absolute/passwd", -ENOENT},
                {"/etc/passwd",        -ENOENT},
        };
        struct tree t;

        tree_init(&t);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int fd = sys_open_in_root(t.fd, cases[i].path, O_RDONLY);

                t_note("'%s'", cases[i].path);
                t_int(cases[i].expected, fd < 0 ? fd : 0);
                close_fd(&fd);
        }
        tree_release(&t);
}

TEST(magic_links_are_refused)
{
        int fd = t_ok(sys_open(AT_FDCWD, "/proc/self", O_RDONLY | O_DIRECTORY));

        t_errno(ELOOP, sys_open_beneath(fd, "exe", O_RDONLY));
        t_errno(ELOOP, sys_open_beneath(fd, "fd/0", O_RDONLY));
        t_errno(ELOOP, sys_open_in_root(fd, "cwd", O_RDONLY));
        t_ok(close(fd));
}

static bool is_cloexec(int fd)
{
        return (t_ok(fcntl(fd, F_GETFD)) & FD_CLOEXEC) != 0;
}

TEST(descriptors_are_close_on_exec_from_birth)
{
        int dir = t_ok(sys_open(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY));
        const int fds[] = {
                dir,
                t_ok(sys_open_beneath(dir, "stat", O_RDONLY)),
                t_ok(sys_open_in_root(dir, "stat", O_RDONLY)),
                t_ok(sys_pidfd_open(getpid())),
                t_ok(sys_memfd_sealed("x", "", 0)),
        };

        for (size_t i = 0; i < ELEMENTS(fds); i++) {
                t_note("case %zu", i);
                t_true(is_cloexec(fds[i]));
        }
        for (size_t i = ELEMENTS(fds); i-- > 0;)
                t_ok(close(fds[i]));
}

TEST(a_sealed_memfd_can_only_be_read)
{
        char back[6] = {0};
        int fd = t_ok(sys_memfd_sealed("t", "bytes", 5));

        t_int(5, sys_read_full(fd, back, sizeof(back)));
        t_str("bytes", back);
        t_errno(EPERM, (int)sys_write(fd, "x", 1));
        t_int(-1, ftruncate(fd, 0));
        t_int(EPERM, errno);
        t_true(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
        t_int(-1, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
        t_int(EPERM, errno);
        t_ok(close(fd));
}

TEST(reads_to_the_end_across_short_reads)
{
        char back[8] = {0};
        int fds[2];

        t_ok(pipe2(fds, O_CLOEXEC));
        t_ok(sys_write_all(fds[1], "abc", 3));
        t_int(2, sys_read_full(fds[0], back, 2));
        t_ok(close(fds[1]));
        t_int(1, sys_read_full(fds[0], back, sizeof(back)));
        t_int(0, sys_read_full(fds[0], back, sizeof(back)));
        t_int(-EBADF, sys_read_full(-1, back, 1));
        t_ok(close(fds[0]));
}

static int drained_fd;
static volatile size_t drained_bytes;

/* The pipe is emptied only here, so that each write gets stuck until a signal interrupts it. */
static void drain(int sig)
{
        static char bytes[1 << 16];
        int saved_errno = errno;
        ssize_t n = read(drained_fd, bytes, sizeof(bytes));

        if (n > 0)
                drained_bytes += (size_t)n;
        errno = saved_errno;
}

TEST(writes_all_of_it_although_signals_interrupt)
{
        static const char bytes[1 << 20];
        struct sigaction action = {.sa_handler = drain}; /* no SA_RESTART */
        struct itimerval tick = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
        struct itimerval off = {0};
        int fds[2];

        t_ok(pipe2(fds, O_CLOEXEC));
        t_ok(fcntl(fds[0], F_SETFL, O_NONBLOCK));
        drained_fd = fds[0];
        t_ok(sigaction(SIGALRM, &action, NULL));
        t_ok(setitimer(ITIMER_REAL, &tick, NULL));
        t_ok(sys_write_all(fds[1], bytes, sizeof(bytes)));
        t_ok(setitimer(ITIMER_REAL, &off, NULL));

        for (size_t before = 0; before != drained_bytes;) {
                before = drained_bytes;
                drain(SIGALRM);
        }
        t_int(sizeof(bytes), (int64_t)drained_bytes);
        t_ok(close(fds[0]));
        t_ok(close(fds[1]));
}

TEST(writing_to_a_full_pipe_is_an_answer_not_a_loop)
{
        static const char bytes[1 << 17];
        int fds[2];

        t_ok(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
        t_errno(EAGAIN, sys_write_all(fds[1], bytes, sizeof(bytes)));
        t_ok(close(fds[0]));
        t_ok(close(fds[1]));
}

/* As if the kernel did not know the call; for children of the test only. */
static int block_call(unsigned number)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = ELEMENTS(code), .filter = code};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* In a child, because it closes what the test program itself needs. */
static int close_range_in_child(unsigned flags, bool blocked)
{
        pid_t pid = fork();
        int status;

        t_true(pid >= 0);
        if (pid == 0) {
                int keep = dup(2), gone = dup(2), above = fcntl(2, F_DUPFD, 500);

                if (blocked && block_call(SYS_close_range) < 0)
                        _exit(5);
                if (sys_close_range((unsigned)gone, (unsigned)above, flags) < 0)
                        _exit(1);
                if (fcntl(keep, F_GETFD) != 0)
                        _exit(2);
                if (flags & CLOSE_RANGE_CLOEXEC)
                        _exit(fcntl(gone, F_GETFD) == FD_CLOEXEC &&
                                              fcntl(above, F_GETFD) == FD_CLOEXEC
                                      ? 0
                                      : 3);
                _exit(fcntl(gone, F_GETFD) < 0 && fcntl(above, F_GETFD) < 0 ? 0 : 4);
        }
        t_int(pid, waitpid(pid, &status, 0));
        return WEXITSTATUS(status);
}

TEST(closes_a_range_and_nothing_else)
{
        t_int(0, close_range_in_child(0, false));
        t_int(0, close_range_in_child(CLOSE_RANGE_CLOEXEC, false));
}

TEST(closes_a_range_also_before_5_9)
{
        t_int(0, close_range_in_child(0, true));
        t_int(0, close_range_in_child(CLOSE_RANGE_CLOEXEC, true));
}

TEST(signals_the_process_and_no_other)
{
        struct clone_args args = {.exit_signal = SIGCHLD, .flags = CLONE_PIDFD};
        int pidfd = -1;
        pid_t pid;

        args.pidfd = (uint64_t)(uintptr_t)&pidfd;
        pid = t_ok(sys_clone3(&args));
        if (pid == 0)
                for (;;)
                        (void)pause();
        t_ok(sys_pidfd_send_signal(pidfd, SIGTERM));
        t_int(128 + SIGTERM, child_wait(pidfd));
        t_errno(ESRCH, sys_pidfd_send_signal(pidfd, 0));
        t_errno(ESRCH, sys_pidfd_open(pid));
        t_ok(close(pidfd));
}
