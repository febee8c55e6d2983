/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - the smallest program that makes a confined box
 *
 * What any runtime must at least do, and nothing else: seven new namespaces, an id map, a
 * read-only root with /proc and a small /dev, loopback up, no capabilities, no_new_privs, a
 * seccomp filter.  No options, no state, no log, no limits.  The bench divides by it, so that
 * numbers from different machines can be compared.
 *
 *   floor run ROOT COMMAND...   make a box over the directory ROOT, run COMMAND, pass its status on
 *   floor park ROOT COMMAND...  the same, and print the pid of COMMAND first
 *   floor exec PID COMMAND...   run COMMAND in the box that process PID is in
 *   floor filter                write the seccomp filter to standard output (for bwrap --seccomp)
 *
 * Exit status: the command's, 128 + signal, or 125 when the box could not be made.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#define NAMESPACES                                                                                 \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
         CLONE_NEWCGROUP)

#define EXIT_NO_BOX   125
#define FIRST_HOST_ID 100000 /* box root, where the caller may map a whole range */
#define ID_COUNT      65536

struct box {
        const char *root;
        char **argv; /* NULL-terminated */
        int go_fd;   /* one byte comes here once the id map is written */
};

/* ---- the filter ---- */

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#define CALLS_KNOWN 455 /* from this number on: ENOSYS */

/* What the container world refuses to a process without capabilities. */
/* clang-format off */
static const uint16_t refused[] = {
        SYS_acct, SYS_add_key, SYS_bpf, SYS_chroot, SYS_clock_adjtime, SYS_clock_settime,
        SYS_delete_module, SYS_finit_module, SYS_fsconfig, SYS_fsmount, SYS_fsopen,
        SYS_fspick, SYS_init_module, SYS_io_uring_enter, SYS_io_uring_register,
        SYS_io_uring_setup, SYS_kcmp, SYS_kexec_file_load, SYS_kexec_load, SYS_keyctl,
        SYS_lookup_dcookie, SYS_mount, SYS_mount_setattr, SYS_move_mount, SYS_move_pages,
        SYS_open_by_handle_at, SYS_open_tree, SYS_perf_event_open, SYS_pivot_root,
        SYS_quotactl, SYS_reboot, SYS_request_key, SYS_sethostname, SYS_setns,
        SYS_settimeofday, SYS_swapoff, SYS_swapon, SYS_syslog, SYS_umount2, SYS_unshare,
        SYS_userfaultfd, SYS_vhangup,
};
/* clang-format on */

/* Calls from @first up to the next range's first get @answer. */
struct range {
        uint32_t first;
        uint32_t answer;
};

#define RANGES_MAX (2 * (ELEMENTS(refused) + 1) + 2)
#define INSNS_MAX  (2 * RANGES_MAX + 4)

struct program {
        struct sock_filter insns[INSNS_MAX];
        unsigned short count;
};

/* A binary search: "from this number on to the right, else on with the next instruction". */
static void emit(struct program *p, const struct range *ranges, size_t count)
{
        size_t half = count / 2;
        unsigned short at = p->count++;

        if (count == 1) {
                p->insns[at] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ranges[0].answer);
                return;
        }
        emit(p, ranges, half);
        p->insns[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ranges[half].first,
                                                    (uint8_t)(p->count - at - 1), 0);
        emit(p, ranges + half, count - half);
}

static void compile_filter(struct program *p)
{
        static const struct sock_filter head[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        };
        uint32_t answers[CALLS_KNOWN + 1] = {0};
        struct range ranges[RANGES_MAX] = {{0}};
        size_t count = 0;

        for (size_t i = 0; i < ELEMENTS(refused); i++)
                answers[refused[i]] = SECCOMP_RET_ERRNO | EPERM;
        answers[SYS_clone3] = SECCOMP_RET_ERRNO | ENOSYS; /* its flags cannot be seen */
        answers[CALLS_KNOWN] = SECCOMP_RET_ERRNO | ENOSYS;
        for (uint32_t call = 0; call <= CALLS_KNOWN; call++) {
                uint32_t answer = answers[call] ? answers[call] : SECCOMP_RET_ALLOW;

                if (count == 0 || answer != ranges[count - 1].answer)
                        ranges[count++] = (struct range){call, answer};
        }
        memcpy(p->insns, head, sizeof(head));
        p->count = ELEMENTS(head);
        emit(p, ranges, count);
}

/* ---- the steps; each answers 0, or -1 with errno ---- */

/* Without a range (an ordinary user) setgroups is closed, and there is nothing to give up. */
static int take_ids(const struct box *b)
{
        if (setgroups(0, NULL) < 0 && errno != EPERM)
                return -1;
        return setresgid(0, 0, 0) < 0 ? -1 : setresuid(0, 0, 0);
}

/* After the last change of ids, which clears it. */
static int die_with_parent(const struct box *b)
{
        return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int raise_loopback(const struct box *b)
{
        struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int r;

        if (fd < 0)
                return -1;
        r = ioctl(fd, SIOCSIFFLAGS, &lo);
        return close(fd) < 0 ? -1 : r;
}

static int name_host(const struct box *b)
{
        return sethostname("floor", strlen("floor"));
}

/* A read-only clone of the root on top of itself; we stand in it afterwards. */
static int mount_root(const struct box *b)
{
        struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
        int fd = open_tree(AT_FDCWD, b->root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (fd < 0)
                return -1;
        if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
            move_mount(fd, "", AT_FDCWD, b->root, MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(fd) < 0)
                return -1;
        return close(fd);
}

static int bind_device(const char *name)
{
        char host[32];
        int from, to;

        (void)snprintf(host, sizeof(host), "/dev/%s", name);
        to = open(host + 1, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        from = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (to < 0 || from < 0 ||
            move_mount(from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return -1;
        return close(to) < 0 ? -1 : close(from);
}

static int mount_proc_and_dev(const struct box *b)
{
        static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

        if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
            mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(devices); i++)
                if (bind_device(devices[i]) < 0)
                        return -1;
        return 0;
}

/* The old root ends up on top of the new one, and goes. */
static int enter_root(const struct box *b)
{
        if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return -1;
        return chdir("/");
}

static int drop_capabilities(const struct box *b)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

        /* The first number that the kernel does not know answers EINVAL. */
        for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
                ;
        if (errno != EINVAL)
                return -1;
        return (int)syscall(SYS_capset, &head, none);
}

static int filter_calls(const struct box *b)
{
        struct program p = {0};
        struct sock_fprog prog = {.filter = p.insns};

        compile_filter(&p);
        prog.len = p.count;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -1;
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

struct step {
        const char *name;
        int (*run)(const struct box *b);
};

static const struct step make_steps[] = {
        {"take the box's ids", take_ids          },
        {"die with parent",    die_with_parent   },
        {"raise loopback",     raise_loopback    },
        {"name the host",      name_host         },
        {"mount the root",     mount_root        },
        {"mount /proc, /dev",  mount_proc_and_dev},
        {"enter the root",     enter_root        },
        {"drop capabilities",  drop_capabilities },
        {"install the filter", filter_calls      },
};

static const struct step join_steps[] = {
        {"take the box's ids", take_ids         },
        {"drop capabilities",  drop_capabilities},
        {"install the filter", filter_calls     },
};

/* ---- the commands ---- */

static _Noreturn void give_up(const char *what)
{
        (void)fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
        _exit(EXIT_NO_BOX);
}

static void take_steps(const struct step *steps, size_t count, const struct box *b)
{
        for (size_t i = 0; i < count; i++)
                if (steps[i].run(b) < 0)
                        give_up(steps[i].name);
}

static _Noreturn void be_box(const struct box *b)
{
        char byte;

        if (read(b->go_fd, &byte, 1) != 1)
                _exit(EXIT_NO_BOX);
        take_steps(make_steps, ELEMENTS(make_steps), b);
        (void)execv(b->argv[0], b->argv);
        give_up(b->argv[0]);
}

static void write_proc(pid_t pid, const char *name, const char *text)
{
        char path[64];
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                give_up(path);
        (void)close(fd);
}

/* Root maps a range of its own; a user can only map himself. */
static void map_ids(pid_t pid)
{
        unsigned first = geteuid() == 0 ? FIRST_HOST_ID : geteuid();
        unsigned count = geteuid() == 0 ? ID_COUNT : 1;
        char text[64];

        if (count == 1)
                write_proc(pid, "setgroups", "deny");
        (void)snprintf(text, sizeof(text), "0 %u %u\n", first, count);
        write_proc(pid, "uid_map", text);
        (void)snprintf(text, sizeof(text), "0 %u %u\n", count == 1 ? getegid() : first, count);
        write_proc(pid, "gid_map", text);
}

static int reap(pid_t pid)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        give_up("wait");
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int make_box(const char *root, char **argv, int print_pid)
{
        struct clone_args args = {.flags = NAMESPACES, .exit_signal = SIGCHLD};
        struct box b = {.root = root, .argv = argv};
        int go[2];
        pid_t pid;

        if (pipe2(go, O_CLOEXEC) < 0)
                give_up("pipe");
        b.go_fd = go[0];
        pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                give_up("clone");
        if (pid == 0) {
                (void)close(go[1]);
                be_box(&b);
        }
        map_ids(pid);
        if (write(go[1], "", 1) != 1)
                give_up("let the box go");
        if (print_pid)
                (void)dprintf(STDOUT_FILENO, "%d\n", pid);
        return reap(pid);
}

static int join_box(const char *pid_text, char **argv)
{
        int pidfd = pidfd_open(atoi(pid_text), 0);
        struct box b = {.argv = argv};
        pid_t pid;

        if (pidfd < 0 || setns(pidfd, NAMESPACES) < 0)
                give_up("enter the box");
        (void)close(pidfd);
        take_steps(join_steps, ELEMENTS(join_steps), &b);
        errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
        if (errno != 0)
                give_up(argv[0]);
        return reap(pid);
}

static int write_filter(void)
{
        struct program p = {0};

        compile_filter(&p);
        return fwrite(p.insns, sizeof(p.insns[0]), p.count, stdout) == p.count ? 0 : EXIT_NO_BOX;
}

int main(int argc, char **argv)
{
        if (argc == 2 && strcmp(argv[1], "filter") == 0)
                return write_filter();
        if (argc > 3 && strcmp(argv[1], "run") == 0)
                return make_box(argv[2], argv + 3, 0);
        if (argc > 3 && strcmp(argv[1], "park") == 0)
                return make_box(argv[2], argv + 3, 1);
        if (argc > 3 && strcmp(argv[1], "exec") == 0)
                return join_box(argv[2], argv + 3);
        (void)fputs("usage: floor run|park ROOT COMMAND... | floor exec PID COMMAND... | floor "
                    "filter\n",
                    stderr);
        return EXIT_NO_BOX;
}
