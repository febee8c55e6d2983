/* SPDX-License-Identifier: Apache-2.0 */

/*
 * On the host, as whoever runs the boxes: a process, sockets, shared memory and files that no box
 * may see, and an ear for signals.  Prints them as ESCAPE_NAME=value, then "ready"; says "heard" or
 * "quiet" to each line it is sent; removes them when its stdin ends.
 */

#include "escape.h"

#include <base/cleanup.h>
#include <base/str.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static volatile sig_atomic_t heard;

/* SIGURG does nothing to who does not listen for it, so that sending it to everybody is harmless.
 */
static void on_signal(int sig)
{
        heard = 1;
}

static int listen_abstract(const char *word)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(word));
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(word) > sizeof(address.sun_path) - 2)
                return -1;
        memcpy(address.sun_path + 1, word, strlen(word));
        if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 64) < 0)
                return -1;
        printf("ESCAPE_ABSTRACT=%s\n", word);
        return fd;
}

/* A socket with a name in a volume: who connects is handed a directory of the host. */
static int listen_named(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
                return -1;
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0777) < 0 ||
            listen(fd, 64) < 0)
                return -1;
        printf("ESCAPE_SOCKET=%s\n", path);
        return fd;
}

static void hand_over(int listen_fd, int dir_fd)
{
        cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        char byte = 'd';
        struct iovec data = {.iov_base = &byte, .iov_len = 1};
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);

        if (fd < 0 || head == NULL)
                return;
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &dir_fd, sizeof(int));
        (void)sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int listen_loopback(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 64) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &length) < 0)
                return -1;
        printf("ESCAPE_PORT=%u\n", ntohs(address.sin_port));
        return fd;
}

static int make_shm(key_t key)
{
        int id = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);

        if (id >= 0)
                printf("ESCAPE_SHM_KEY=%d\n", key);
        return id;
}

static int make_file(const char *name, const char *path)
{
        cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        if (fd < 0)
                return -1;
        printf("ESCAPE_%s=%s\n", name, path);
        return 0;
}

static int print_namespaces(void)
{
        static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};

        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char path[64];
                char link[64] = "";

                (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
                if (readlink(path, link, sizeof(link) - 1) < 0)
                        return -1;
                printf("ESCAPE_NS_%s=%s\n", kinds[i], link);
        }
        return 0;
}

/* Each line on stdin asks whether a signal came since the last one. */
static void answer_until_end(int listen_fd, int dir_fd)
{
        struct pollfd fds[] = {
                {.fd = STDIN_FILENO, .events = POLLIN},
                {.fd = listen_fd,    .events = POLLIN},
        };
        char line[16];

        for (;;) {
                if (poll(fds, ELEMENTS(fds), -1) < 0)
                        continue; /* a signal: the ear has it */
                if (fds[1].revents != 0)
                        hand_over(listen_fd, dir_fd);
                if (fds[0].revents == 0)
                        continue;
                if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
                        return;
                printf("%s\n", heard ? "heard" : "quiet");
                heard = 0;
        }
}

int bait_main(const char *dir, const char *word, const char *socket_path)
{
        static const int patient[] = {SIGHUP, SIGINT, SIGTERM};
        char shm_path[300];
        char file_path[600];
        char host[256] = "";
        int listen_fd = -EBADF;
        int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int shm_id;
        int r = 1;

        (void)snprintf(shm_path, sizeof(shm_path), "/dev/shm/%s", word);
        (void)snprintf(file_path, sizeof(file_path), "%s/%s", dir, word);
        /* It ends with its stdin, so that what it made is always removed. */
        for (size_t i = 0; i < ELEMENTS(patient); i++)
                (void)signal(patient[i], SIG_IGN);
        if (signal(SIGURG, on_signal) == SIG_ERR || gethostname(host, sizeof(host) - 1) < 0)
                return 1;

        shm_id = make_shm((key_t)(0x10000000 | getpid()));
        if (shm_id >= 0 && dir_fd >= 0)
                listen_fd = listen_named(socket_path);
        if (listen_fd >= 0 && listen_abstract(word) >= 0 && listen_loopback() >= 0 &&
            make_file("SHM_PATH", shm_path) == 0 && make_file("CANARY", file_path) == 0 &&
            print_namespaces() == 0) {
                printf("ESCAPE_HOST_PID=%d\nESCAPE_WORD=%s\nESCAPE_CANARY_NAME=%s\n"
                       "ESCAPE_HOSTNAME=%s\nready\n",
                       getpid(), word, word, host);
                r = 0;
                answer_until_end(listen_fd, dir_fd);
        }
        if (shm_id >= 0)
                (void)shmctl(shm_id, IPC_RMID, NULL);
        (void)unlink(shm_path);
        (void)unlink(socket_path);
        return r;
}
