/* SPDX-License-Identifier: Apache-2.0 */

/* Who hears a request before he has shown the nonce, and who does not. */

#include "lib/test-lib.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "proto/channel.h"
#include "store/identity.h"
#include "store/lock.h"
#include "store/state.h"

static int open_dir(struct lab *lab, const struct coffer_box *box)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/boxes/%s", lab->home, coffer_box_id(box));
        return t_ok(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static struct sockaddr_un address_of(int dir_fd)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock",
                       dir_fd);
        return address;
}

static void send_hello(int fd, const char *id, const uint8_t *nonce, size_t size)
{
        struct msg_hello hello = {
                .major = PROTO_MAJOR,
                .version = (char *)(uintptr_t)coffer_version(),
                .box_id = (char *)(uintptr_t)id,
                .nonce = {.data = (char *)(uintptr_t)nonce, .size = size},
        };

        t_ok(channel_send(fd, PROTO_HELLO, 0, &hello, NULL, 0, LONG_MS));
}

/* Answers HELLO with a nonce that is not the record's; what is heard until the client hangs up. */
static uint8_t hear_one(int listen_fd, const char *id)
{
        static const uint8_t wrong[PROTO_NONCE_BYTES];
        int fd = t_ok(accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC));
        struct frame f = FRAME_INIT;
        uint8_t count = 0;

        while (channel_recv(fd, &f, LONG_MS) == 0) {
                if (count++ == 0)
                        send_hello(fd, id, wrong, sizeof(wrong));
                frame_release(&f);
        }
        (void)close(fd);
        return count;
}

struct pretender {
        const char *version; /* in the record; NULL: ours */
        bool other_pid;      /* the record names another process */
        uint8_t hears;       /* frames */
};

static _Noreturn void pretend(const struct pretender *p, int dir_fd, const char *id, int tell_fd)
{
        struct sockaddr_un address = address_of(dir_fd);
        int listen_fd = t_ok(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        struct identity identity;
        uint8_t heard = 0;

        t_ok(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)));
        t_ok(listen(listen_fd, 8));
        t_ok(identity_of_self(id, p->version ? p->version : coffer_version(), &identity));
        if (p->other_pid)
                identity.pid = (uint32_t)getppid();
        t_ok(identity_write(dir_fd, &identity));
        t_int(1, write(tell_fd, &heard, 1)); /* ready */
        for (;;) {
                heard = hear_one(listen_fd, id);
                t_int(1, write(tell_fd, &heard, 1));
        }
}

TEST(only_the_process_of_the_record_hears_a_request_before_its_nonce_is_known)
{
        static const struct pretender cases[] = {
                {NULL,    false, 2},
                {NULL,    true,  1},
                {"0.0.1", false, 1},
        };
        struct lab lab = lab_begin();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_box *box = lab_box(&lab, "true", NULL);
                struct box_record record = {.state = "running", .started_ns = 1};
                int dir_fd = open_dir(&lab, box);
                int lock_fd, status, tell[2];
                uint8_t heard;
                pid_t pid;

                t_note("row %zu", i);
                t_ok(state_write(dir_fd, &record, false));
                t_ok(box_lock_take(dir_fd, coffer_box_id(box), &lock_fd));
                t_ok(pipe(tell));
                pid = t_ok(fork());
                if (pid == 0)
                        pretend(&cases[i], dir_fd, coffer_box_id(box), tell[1]);
                (void)close(tell[1]);
                t_int(1, read(tell[0], &heard, 1));

                /* Whatever it is sent, without the nonce nothing that it says counts. */
                t_errno(EBUSY, coffer_box_kill(box, SIGKILL, LONG_MS, &lab.err));
                t_int(1, read(tell[0], &heard, 1));
                t_int(cases[i].hears, heard);

                (void)kill(pid, SIGKILL);
                t_int(pid, waitpid(pid, &status, 0));
                t_true(WIFSIGNALED(status));
                (void)close(tell[0]);
                (void)close(lock_fd);
                (void)close(dir_fd);
                lab_remove(&lab, box);
        }
        lab_end(&lab);
}

TEST(a_shim_takes_no_request_that_is_meant_for_another_instance)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(&lab, "exec sleep 1000");
        int dir_fd = open_dir(&lab, box);
        struct sockaddr_un address = address_of(dir_fd);
        struct identity identity;

        t_ok(identity_read(dir_fd, &identity));
        for (int is_right = 0; is_right <= 1; is_right++) {
                int fd = t_ok(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
                struct frame f = FRAME_INIT;

                uint8_t nonce[PROTO_NONCE_BYTES];

                memcpy(nonce, identity.nonce, sizeof(nonce));
                nonce[0] ^= is_right ? 0 : 0x80;
                t_ok(connect(fd, (struct sockaddr *)&address, sizeof(address)));
                send_hello(fd, identity.id, nonce, PROTO_NONCE_ASKED_BYTES);
                (void)channel_send(fd, PROTO_INFO, 0, NULL, NULL, 0, LONG_MS);
                if (is_right) {
                        t_ok(channel_recv(fd, &f, LONG_MS));
                        t_int(PROTO_HELLO, f.header.type);
                        frame_release(&f);
                        t_ok(channel_recv(fd, &f, LONG_MS));
                        t_int(PROTO_INFO, f.header.type);
                } else {
                        t_true(channel_recv(fd, &f, LONG_MS) < 0);
                }
                frame_release(&f);
                (void)close(fd);
        }
        (void)close(dir_fd);
        lab_remove(&lab, box);
        lab_end(&lab);
}
