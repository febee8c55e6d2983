/* SPDX-License-Identifier: Apache-2.0 */

/* The terminal: typing into it from inside, and whose it is. */

#include "attack.h"

#include <base/str.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define HIGH_BIT     (1UL << 32)
#define TIOCL_GETSEL 3
#define N_TTY_NUMBER 0

struct request {
        unsigned long number;
        int argument;
        int reached; /* the errno of a terminal that was asked and is of the wrong kind */
};

static const struct request sti = {TIOCSTI, '\n', 0};
static const struct request sti_high = {TIOCSTI | HIGH_BIT, '\n', 0};
static const struct request line_discipline = {TIOCSETD, N_TTY_NUMBER, 0};
static const struct request console_paste = {TIOCLINUX, TIOCL_GETSEL, ENOTTY};
static const struct request console_paste_high = {TIOCLINUX | HIGH_BIT, TIOCL_GETSEL, ENOTTY};

/* By number: the C library must not cut the upper half off. */
static int try_request(struct attempt *a)
{
        const struct request *request = a->attack->arg;
        int argument = request->argument;
        int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
        int r;

        if (fd < 0)
                return attempt_say(a, NOTHING, "no terminal: %s", ending_name(-errno));
        r = syscall(SYS_ioctl, fd, request->number, &argument) < 0 ? -errno : DONE;
        if (r == -request->reached)
                r = attempt_say(a, DONE, "let in");
        (void)close(fd);
        return r;
}

/* A session with a pseudo-terminal of its own, as the one to type into. */
static int arrange_terminal(void)
{
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        int slave;

        if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
                return -errno;
        if (setsid() < 0)
                return -errno;
        slave = open(ptsname(master), O_RDWR | O_CLOEXEC);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
                return -errno;
        for (int fd = 0; fd <= 2; fd++)
                if (dup2(slave, fd) < 0)
                        return -errno;
        return 0;
}

/* Each terminal among 0, 1 and 2 must be one of the box's own devpts, by file system and number. */
static int host_terminal(struct attempt *a)
{
        struct stat st;
        bool any = false;

        for (int fd = 0; fd <= 2; fd++) {
                char path[64];
                struct stat own;

                if (!isatty(fd) || fstat(fd, &st) < 0)
                        continue;
                any = true;
                (void)snprintf(path, sizeof(path), "/dev/pts/%u", (unsigned)(st.st_rdev & 0xff));
                if (stat(path, &own) < 0 || own.st_dev != st.st_dev || own.st_rdev != st.st_rdev)
                        return attempt_say(a, DONE, "%d is no terminal of this devpts", fd);
        }
        return any ? HELD : attempt_say(a, NOTHING, "no terminal");
}

static int arrange_host_terminal(void)
{
        int r = arrange_terminal();

        if (r < 0)
                return r;
        return mount("devpts", "/dev/pts", "devpts", 0, "newinstance") < 0 ? -errno : 0;
}

const struct attack tty_attacks[] = {
        ATTACK("type-ahead", "CVE-2017-5226", "types into its terminal with TIOCSTI", "seccomp",
               try_request, &sti, FRESH, arrange_terminal, -EPERM),
        ATTACK("type-ahead-high", "CVE-2019-10063", "the same with a bit above the request's 32",
               "seccomp on masked arguments", try_request, &sti_high, FRESH, arrange_terminal,
               -EPERM),
        ATTACK("console-paste", "TIOCLINUX", "pastes into a console", "seccomp", try_request,
               &console_paste, FRESH, arrange_terminal, -EPERM),
        ATTACK("console-paste-high", "CVE-2019-10063", "the same with a bit above the request's 32",
               "seccomp on masked arguments", try_request, &console_paste_high, FRESH,
               arrange_terminal, -EPERM),
        ATTACK("line-discipline", "TIOCSETD", "loads a driver for its terminal", "seccomp",
               try_request, &line_discipline, FRESH, arrange_terminal, -EPERM),
        ATTACK("host-terminal", "inherited terminal", "has a terminal of the host",
               "pseudo-terminals made in the box's devpts", host_terminal, NULL, FRESH,
               arrange_host_terminal, HELD),
        {NULL},
};
