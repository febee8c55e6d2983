/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"

static struct termios before;
static int raw_fd = -1; /* borrowed; -1: nothing is raw */

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGXCPU};

static void on_fatal(int signal)
{
        terminal_restore();
        (void)raise(signal); /* SA_RESETHAND: ends us now, with the right status */
}

static int set_raw(int fd)
{
        struct termios raw = before;

        cfmakeraw(&raw);
        while (tcsetattr(fd, TCSADRAIN, &raw) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int terminal_raw(int fd)
{
        static bool prepared;
        int r;

        if (raw_fd >= 0)
                return 0;
        if (tcgetattr(fd, &before) < 0)
                return -errno;
        if (!prepared) {
                struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};

                for (size_t i = 0; i < ELEMENTS(fatal_signals); i++)
                        (void)sigaction(fatal_signals[i], &sa, NULL);
                if (atexit(terminal_restore) != 0)
                        return -ENOMEM;
                prepared = true;
        }
        raw_fd = fd;
        r = set_raw(fd);
        if (r < 0)
                terminal_restore();
        return r;
}

void terminal_again(void)
{
        if (raw_fd >= 0)
                (void)set_raw(raw_fd);
}

void terminal_restore(void)
{
        int saved_errno = errno;
        int fd = raw_fd;

        raw_fd = -1;
        if (fd >= 0)
                while (tcsetattr(fd, TCSADRAIN, &before) < 0 && errno == EINTR)
                        ;
        errno = saved_errno;
}

bool terminal_size(uint32_t *ret_rows, uint32_t *ret_columns)
{
        struct winsize size;

        for (int fd = 0; fd <= 2; fd++) {
                if (ioctl(fd, TIOCGWINSZ, &size) < 0)
                        continue;
                *ret_rows = size.ws_row;
                *ret_columns = size.ws_col;
                return true;
        }
        return false;
}
