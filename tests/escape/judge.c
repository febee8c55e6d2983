/* SPDX-License-Identifier: Apache-2.0 */
#include "attack.h"

#include <base/cleanup.h>
#include <base/str.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define ATTEMPT_MAX_MS 60000

static const struct {
        int code;
        const char *name;
} endings[] = {
        {DONE,             "done"           },
        {HELD,             "held"           },
        {NOTHING,          "not-tried"      },
        {KILLED,           "SIGSYS"         },
        {DIED,             "died"           },
        {-EACCES,          "EACCES"         },
        {-EAFNOSUPPORT,    "EAFNOSUPPORT"   },
        {-EAGAIN,          "EAGAIN"         },
        {-EBADF,           "EBADF"          },
        {-EBUSY,           "EBUSY"          },
        {-ECHILD,          "ECHILD"         },
        {-ECONNREFUSED,    "ECONNREFUSED"   },
        {-EEXIST,          "EEXIST"         },
        {-EFAULT,          "EFAULT"         },
        {-EINVAL,          "EINVAL"         },
        {-EIO,             "EIO"            },
        {-ELOOP,           "ELOOP"          },
        {-ENETUNREACH,     "ENETUNREACH"    },
        {-ENODEV,          "ENODEV"         },
        {-ENOENT,          "ENOENT"         },
        {-ENOEXEC,         "ENOEXEC"        },
        {-ENOKEY,          "ENOKEY"         },
        {-ENOMEM,          "ENOMEM"         },
        {-ENOSPC,          "ENOSPC"         },
        {-ENOSYS,          "ENOSYS"         },
        {-ENOTDIR,         "ENOTDIR"        },
        {-ENOTTY,          "ENOTTY"         },
        {-ENXIO,           "ENXIO"          },
        {-EOPNOTSUPP,      "EOPNOTSUPP"     },
        {-EPERM,           "EPERM"          },
        {-EPROTONOSUPPORT, "EPROTONOSUPPORT"},
        {-EROFS,           "EROFS"          },
        {-ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"},
        {-ESRCH,           "ESRCH"          },
        {-ETXTBSY,         "ETXTBSY"        },
        {-EXDEV,           "EXDEV"          },
};

const char *ending_name(int code)
{
        static char number[24];

        for (size_t i = 0; i < ELEMENTS(endings); i++)
                if (endings[i].code == code)
                        return endings[i].name;

        (void)snprintf(number, sizeof(number), "errno-%d", -code);
        return number;
}

int attempt_say(struct attempt *a, int code, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        (void)vsnprintf(a->detail, sizeof(a->detail), format, args);
        va_end(args);
        return code;
}

bool attempt_intended(const struct attack *attack, int code)
{
        for (size_t i = 0; i < ELEMENTS(attack->intended) && attack->intended[i] != DONE; i++)
                if (attack->intended[i] == code)
                        return true;
        return false;
}

bool sweep_add(struct sweep *s, int code, const char *what)
{
        bool odd = code != DONE && !attempt_intended(s->a->attack, code);

        if (code == DONE || s->tries == 0 || (odd && !s->odd)) {
                s->code = code;
                (void)attempt_say(s->a, code, "%s", what);
        }
        s->odd |= odd;
        s->tries++;
        return code == DONE;
}

int sweep_end(struct sweep *s)
{
        if (s->code != DONE && !s->odd && s->tries > 0)
                (void)attempt_say(s->a, s->code, "%zu tries", s->tries);
        return s->code;
}

/* In the child.  What it says goes through the pipe; a killed child says nothing. */
static void answer(struct attempt *a, bool arranged, int out_fd)
{
        int r = 0;

        if (arranged && a->attack->arrange != NULL)
                r = a->attack->arrange();
        if (r < 0)
                a->code = attempt_say(a, NOTHING, "arranging it: %s", ending_name(r));
        else
                a->code = a->attack->run(a);

        if (write(out_fd, a, sizeof(*a)) != (ssize_t)sizeof(*a))
                _exit(1);
        _exit(0);
}

static void read_answer(struct attempt *a, pid_t pid, int in_fd)
{
        struct pollfd wait_for = {.fd = in_fd, .events = POLLIN};
        struct attempt got;
        int status = 0;

        if (poll(&wait_for, 1, ATTEMPT_MAX_MS) == 1 &&
            read(in_fd, &got, sizeof(got)) == (ssize_t)sizeof(got)) {
                (void)waitpid(pid, &status, 0);
                *a = got;
                return;
        }

        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
                a->code = KILLED;
        else if (WIFSIGNALED(status))
                a->code = attempt_say(a, DIED, "signal %d", WTERMSIG(status));
        else
                a->code = attempt_say(a, DIED, "no answer");
}

void attempt_make(struct attempt *a, bool arranged)
{
        cleanup_close int in_fd = -EBADF;
        cleanup_close int out_fd = -EBADF;
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0) {
                a->code = attempt_say(a, NOTHING, "pipe: %s", ending_name(-errno));
                return;
        }
        in_fd = fds[0];
        out_fd = fds[1];

        a->detail[0] = '\0';
        (void)fflush(NULL);
        pid = fork();
        if (pid < 0) {
                a->code = attempt_say(a, NOTHING, "fork: %s", ending_name(-errno));
                return;
        }
        if (pid == 0) {
                close_fd(&in_fd);
                answer(a, arranged, out_fd);
        }
        close_fd(&out_fd);
        read_answer(a, pid, in_fd);
}
