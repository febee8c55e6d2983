/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "init/init.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/*
 * Terminals are made in the box's own devpts through a descriptor of it that the supervisor has
 * kept: whatever the box does to its /dev, the slave is the one the kernel says (TIOCGPTPEER).
 */
static int make_tty(const struct inside *in, const struct msg_process *p, uid_t uid,
                    struct stdio *s, struct coffer_error *err)
{
        cleanup_close int master = -EBADF;
        cleanup_close int slave = -EBADF;
        struct winsize size = {.ws_row = (unsigned short)p->rows,
                               .ws_col = (unsigned short)p->cols};
        int unlock = 0;

        if (in->devpts_fd < 0)
                return error_say(err, -ENODEV, COFFER_ERROR_OTHER, "the box has no terminals");
        master = sys_open(in->devpts_fd, "ptmx", O_RDWR | O_NOCTTY);
        if (master < 0)
                return error_set(err, master, "open a terminal in the box");
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return error_set(err, -errno, "unlock the terminal");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return error_set(err, -errno, "open the terminal's other end");
        if (p->rows > 0 && ioctl(slave, TIOCSWINSZ, &size) < 0)
                return error_set(err, -errno, "set the size of the terminal");
        /* The group is devpts' own, tty, where that is mapped; leave it. */
        if (fchown(slave, uid, (gid_t)-1) < 0 || fchmod(slave, 0620) < 0)
                return error_set(err, -errno, "give the terminal to its user");

        for (int i = 0; i < 3; i++) {
                s->near[i] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
                if (s->near[i] < 0)
                        return error_set(err, -errno, "duplicate the terminal");
        }
        s->far[0] = take_fd(&master);
        s->far_count = 1;
        s->mask = PROTO_TTY;
        s->tty = true;
        return 0;
}

/* The process' end is @near_end of the pipe. */
static int make_pipe(struct stdio *s, int number, int near_end, uid_t uid, gid_t gid)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        s->near[number] = ends[near_end];
        s->far[s->far_count++] = ends[1 - near_end];
        s->mask |= 1U << number;
        /* So that /dev/stdout can be opened again by whom it was made for. */
        return fchown(ends[0], uid, gid) < 0 ? -errno : 0;
}

int stdio_make(const struct inside *in, const struct msg_process *p, uid_t uid, gid_t gid,
               struct stdio *ret_stdio, struct coffer_error *err)
{
        struct stdio s = {
                .near = {-1, -1, -1},
                  .far = {-1, -1, -1}
        };
        int r = 0;

        if (p->flags & PROCESS_TTY) {
                r = make_tty(in, p, uid, &s, err);
                if (r == 0)
                        *ret_stdio = s;
                return r;
        }
        for (int i = 0; r == 0 && i < 3; i++) {
                bool wanted = i == 0 ? (p->flags & PROCESS_STDIN) != 0
                                     : (p->flags & PROCESS_DETACHED) == 0;

                if (wanted)
                        r = make_pipe(&s, i, i == 0 ? 0 : 1, uid, gid);
                else
                        s.near[i] = fcntl(in->null_fd, F_DUPFD_CLOEXEC, 3);
                if (r == 0 && s.near[i] < 0)
                        r = -errno;
        }
        if (r < 0)
                return error_set(err, r, "make the standard streams");
        *ret_stdio = s;
        return 0;
}

int stdio_install(struct stdio *s, struct coffer_error *err)
{
        for (int i = 0; i < 3; i++) {
                if (dup2(s->near[i], i) < 0)
                        return error_set(err, -errno, "install the standard streams");
                close_fd(&s->near[i]);
        }
        for (size_t i = 0; i < s->far_count; i++)
                close_fd(&s->far[i]);
        if (s->tty && ioctl(0, TIOCSCTTY, 0) < 0)
                return error_set(err, -errno, "make the terminal the controlling one");
        return 0;
}
