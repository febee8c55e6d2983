/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/sys.h"
#include "sandbox/caps.h"
#include "sandbox/test-child.h"

/*
 * The scene of each test: an own user, mount and PID namespace with a tmpfs on /tmp: /tmp/box with
 * a file and two directories, /tmp/outside with a file.
 */
struct scene {
        int root_fd;
        int outside_fd; /* as if it had leaked into the box */
};

static struct scene scene;

static int touch(const char *path)
{
        int fd = sys_open_mode(AT_FDCWD, path, O_CREAT | O_WRONLY, 0600);

        return fd < 0 ? fd : close(fd);
}

static int set_scene(void)
{
        if (single_id_namespace(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
            mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/box", 0700) < 0 ||
            mkdir("/tmp/box/a", 0700) < 0 || mkdir("/tmp/box/b", 0700) < 0 ||
            mkdir("/tmp/box/proc", 0700) < 0 || mkdir("/tmp/outside", 0700) < 0 ||
            touch("/tmp/box/a/file") < 0 || touch("/tmp/outside/file") < 0)
                return -1;
        scene.root_fd = sys_open(AT_FDCWD, "/tmp/box", O_PATH | O_DIRECTORY);
        scene.outside_fd = sys_open(AT_FDCWD, "/tmp/outside", O_RDONLY | O_DIRECTORY);
        return scene.root_fd < 0 || scene.outside_fd < 0 ? -1 : 0;
}

static int enter(const struct landlock_rules *rules)
{
        struct coffer_error err = {0};
        int fd, r;

        r = landlock_box_domain(scene.root_fd, rules, &fd, &err);
        if (r == 0) {
                (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                r = landlock_enforce(fd, &err);
                (void)close(fd);
        }
        if (r < 0)
                (void)fprintf(stderr, "# %s (%s)\n", err.msg, err.hint);
        return r;
}

static int confines_files(void)
{
        int fd;

        WANT(landlock_abi() > 0 && set_scene() == 0);
        NEED(enter(NULL) == 0);

        fd = sys_open(AT_FDCWD, "/tmp/box/a/file", O_RDWR);
        NEED(fd >= 0);
        NEED(mkdir("/tmp/box/new", 0700) == 0 && unlink("/tmp/box/a/file") == 0);
        NEED(symlink("x", "/tmp/box/link") == 0 && mkfifo("/tmp/box/fifo", 0600) == 0);

        NEED(sys_open(scene.outside_fd, "file", O_RDONLY) == -EACCES);
        NEED(sys_open(AT_FDCWD, "/tmp/outside/file", O_WRONLY) == -EACCES);
        NEED(sys_open(AT_FDCWD, "/proc/self/status", O_RDONLY) == -EACCES);
        NEED(sys_open(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY) == -EACCES);
        NEED(mkdirat(scene.outside_fd, "new", 0700) < 0 && errno == EACCES);
        NEED(unlinkat(scene.outside_fd, "file", 0) < 0 && errno == EACCES);
        return 0;
}

TEST(nothing_but_the_root_can_be_reached)
{
        t_child(confines_files);
}

static int renames(void)
{
        WANT(landlock_abi() >= 2 && set_scene() == 0);
        NEED(enter(NULL) == 0);
        NEED(rename("/tmp/box/a/file", "/tmp/box/b/file") == 0);
        NEED(link("/tmp/box/b/file", "/tmp/box/a/file") == 0);
        NEED(renameat(scene.root_fd, "b/file", scene.outside_fd, "got-out") < 0);
        NEED(errno == EACCES || errno == EXDEV);
        return 0;
}

TEST(files_move_within_the_root_only)
{
        t_child(renames);
}

static int abstract_socket(struct sockaddr_un *address, socklen_t *size)
{
        static const char name[] = "\0coffer-test-landlock";

        *address = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(address->sun_path, name, sizeof(name));
        *size = offsetof(struct sockaddr_un, sun_path) + sizeof(name);
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int scopes(void)
{
        struct sockaddr_un address;
        socklen_t size;
        int server, client;

        WANT(landlock_abi() >= 6 && set_scene() == 0);
        server = abstract_socket(&address, &size);
        WANT(unshare(CLONE_NEWNET) == 0);
        server = abstract_socket(&address, &size);
        WANT(bind(server, (struct sockaddr *)&address, size) == 0 && listen(server, 1) == 0);
        client = abstract_socket(&address, &size);
        WANT(connect(client, (struct sockaddr *)&address, size) == 0); /* works before */
        WANT(kill(getppid(), 0) == 0);

        NEED(enter(NULL) == 0);
        client = abstract_socket(&address, &size);
        NEED(connect(client, (struct sockaddr *)&address, size) < 0 && errno == EPERM);
        NEED(kill(getppid(), 0) < 0 && errno == EPERM);
        NEED(kill(getpid(), 0) == 0);
        return 0;
}

TEST(signals_and_abstract_sockets_stay_inside)
{
        t_child(scopes);
}

static int path_rules(void)
{
        struct landlock_rule items[] = {
                {.access = LANDLOCK_READ},
                {.access = LANDLOCK_WRITE},
                {.access = LANDLOCK_WRITE},
        };
        const struct landlock_rules rules = {items, ELEMENTS(items)};

        WANT(landlock_abi() > 0 && set_scene() == 0 && touch("/tmp/box/single") == 0);
        items[0].fd = sys_open(scene.root_fd, "a", O_PATH);
        items[1].fd = sys_open(scene.root_fd, "b", O_PATH);
        items[2].fd = sys_open(scene.root_fd, "single", O_PATH); /* a file, not a directory */
        NEED(enter(&rules) == 0);

        NEED(sys_open(AT_FDCWD, "/tmp/box/a/file", O_RDONLY) >= 0);
        NEED(sys_open(AT_FDCWD, "/tmp/box/a/file", O_WRONLY) == -EACCES);
        NEED(touch("/tmp/box/a/new") == -EACCES);
        NEED(touch("/tmp/box/b/new") == 0);
        NEED(sys_open(AT_FDCWD, "/tmp/box/single", O_RDWR) >= 0);
        NEED(touch("/tmp/box/new") == -EACCES);
        return 0;
}

TEST(path_rules_narrow_it)
{
        t_child(path_rules);
}

/* What the first process of a box does: make a procfs that somebody outside then attaches. */
static int make_proc(int to_parent)
{
        char status[64] = "";
        int fs_fd, mount_fd, fd, r;

        if (enter(NULL) < 0)
                return 2;
        fs_fd = sys_fsopen("proc");
        if (fs_fd < 0 || sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return 3;
        mount_fd = sys_fsmount(fs_fd, MOUNT_ATTR_NOSUID);
        if (mount_fd < 0)
                return 4;
        if (sys_open(mount_fd, "self/status", O_RDONLY) != -EACCES)
                return 5;
        r = sys_move_mount(mount_fd, "", AT_FDCWD, "/tmp/box/proc", MOVE_MOUNT_F_EMPTY_PATH);
        if (r != -EPERM)
                return 6;
        if (sys_write_all(to_parent, &mount_fd, sizeof(mount_fd)) < 0 ||
            sys_read(to_parent, &r, sizeof(r)) != sizeof(r))
                return 7;
        fd = sys_open(AT_FDCWD, "/tmp/box/proc/self/status", O_RDONLY);
        if (fd < 0 || sys_read_full(fd, status, sizeof(status) - 1) <= 0)
                return 8;
        return strncmp(status, "Name:", 5) == 0 ? 0 : 9;
}

static int proc_for_a_box(void)
{
        int sockets[2], number, pidfd, mount_fd, status;
        pid_t pid;

        WANT(landlock_abi() > 0 && set_scene() == 0);
        WANT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
        pid = fork(); /* PID 1 of the new namespace */
        if (pid == 0)
                _exit(make_proc(sockets[1]));
        (void)close(sockets[1]);
        if (sys_read(sockets[0], &number, sizeof(number)) == sizeof(number)) {
                pidfd = sys_pidfd_open(pid);
                mount_fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
                NEED(mount_fd >= 0);
                NEED(sys_move_mount(mount_fd, "", AT_FDCWD, "/tmp/box/proc",
                                    MOVE_MOUNT_F_EMPTY_PATH) == 0);
                NEED(sys_write_all(sockets[0], &number, sizeof(number)) == 0);
        }
        NEED(waitpid(pid, &status, 0) == pid);
        if (status != 0)
                (void)fprintf(stderr, "# the box's first process: status %#x\n", status);
        NEED(status == 0);
        return 0;
}

TEST(a_process_of_the_domain_can_make_its_procfs)
{
        t_child(proc_for_a_box);
}

static int without_no_new_privs(void)
{
        struct coffer_error err = {0};
        int fd;

        WANT(landlock_abi() > 0 && single_id_namespace(0) == 0 && caps_set(0, NULL) == 0);
        scene.root_fd = sys_open(AT_FDCWD, "/", O_PATH);
        NEED(landlock_box_domain(scene.root_fd, NULL, &fd, &err) == 0);
        NEED(landlock_enforce(fd, &err) == -EPERM);
        NEED(err.kind == COFFER_ERROR_CONTROL);
        return 0;
}

TEST(no_new_privs_must_be_set_before)
{
        t_child(without_no_new_privs);
}

/*
 * Other kernels, played by a seccomp listener: it answers the question for the version, all else
 * goes through to the real one.
 */
static int notify_version(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 0, 3), /* landlock_create_ruleset */
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), /* the version is asked for */
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {ELEMENTS(filter), filter};

        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                            &program);
}

/* Answers until the asking process has ended. */
static void serve_version(int listener, int64_t value, int error)
{
        struct seccomp_notif ask = {0};

        while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) == 0) {
                struct seccomp_notif_resp answer = {.id = ask.id, .val = value, .error = error};

                if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
                        return;
                memset(&ask, 0, sizeof(ask));
        }
}

static int on_kernel_with(int64_t abi, int error, int (*run)(void))
{
        int status;
        pid_t server, pid;

        WANT(set_scene() == 0);
        pid = fork(); /* the domain's process: PID 1, and its child serves it */
        if (pid == 0) {
                int listener = notify_version();

                if (listener < 0)
                        _exit(CHILD_CANNOT);
                server = fork(); /* asks nothing itself */
                if (server == 0) {
                        serve_version(listener, abi, error);
                        _exit(0);
                }
                (void)close(listener);
                _exit(run());
        }
        NEED(waitpid(pid, &status, 0) == pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int as_abi_1(void)
{
        NEED(landlock_abi() == 1);
        NEED(enter(NULL) == 0);
        NEED(sys_open(AT_FDCWD, "/tmp/outside/file", O_RDONLY) == -EACCES);
        NEED(sys_open(AT_FDCWD, "/tmp/box/a/file", O_RDWR) >= 0);
        NEED(rename("/tmp/box/a/file", "/tmp/box/b/file") < 0 && errno == EXDEV);
        NEED(truncate("/tmp/outside/file", 0) == 0); /* not handled before ABI 3 */
        return 0;
}

static int as_abi_3(void)
{
        NEED(enter(NULL) == 0);
        NEED(rename("/tmp/box/a/file", "/tmp/box/b/file") == 0);
        NEED(truncate("/tmp/outside/file", 0) < 0 && errno == EACCES);
        NEED(truncate("/tmp/box/b/file", 0) == 0);
        return 0;
}

static int as_newer(void)
{
        NEED(landlock_abi() == 99);
        NEED(enter(NULL) == 0);
        NEED(sys_open(AT_FDCWD, "/tmp/outside/file", O_RDONLY) == -EACCES);
        return 0;
}

static int as_none(void)
{
        struct coffer_error err = {0};
        int fd = -1;

        NEED(landlock_abi() == -EOPNOTSUPP);
        NEED(landlock_box_domain(scene.root_fd, NULL, &fd, &err) == -EOPNOTSUPP);
        NEED(fd == -1 && err.kind == COFFER_ERROR_CONTROL);
        NEED(strstr(err.msg, "landlock: ") == err.msg && strstr(err.hint, "lsm="));
        return 0;
}

static int on_abi_1(void)
{
        return on_kernel_with(1, 0, as_abi_1);
}

static int on_abi_3(void)
{
        return on_kernel_with(3, 0, as_abi_3);
}

static int on_newer(void)
{
        WANT(landlock_abi() >= 6);
        return on_kernel_with(99, 0, as_newer);
}

static int on_none(void)
{
        return on_kernel_with(0, -EOPNOTSUPP, as_none);
}

TEST(works_from_abi_1_on)
{
        if (landlock_abi() < 3)
                t_skip("needs a kernel with Landlock ABI 3, has %d", landlock_abi());
        t_child(on_abi_1);
        t_child(on_abi_3);
        t_child(on_newer);
}

TEST(a_kernel_without_it_is_refused_by_name)
{
        t_child(on_none);
}
