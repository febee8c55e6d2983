/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "cli/cmd.h"

#define PASSWORD_MAX 16384

struct login_args {
        const char *user;
        bool password_stdin;
};

#define LOGIN(field) offsetof(struct login_args, field)

static const struct opt login_opts[] = {
        {"password-stdin",       0, NULL, opt_flag, LOGIN(password_stdin),
         "read the password from standard input"},
        {"username",                  'u', "USER", opt_string, LOGIN(user), "who you are there"},
        {0},
};

/* All of standard input; the newline that `echo` puts behind it is not part of it. */
static int read_stdin(char *password)
{
        ssize_t n = sys_read_full(STDIN_FILENO, password, PASSWORD_MAX);

        if (n < 0 || n >= PASSWORD_MAX)
                return n < 0 ? (int)n : -E2BIG;
        password[n] = '\0';
        if (n > 0 && password[n - 1] == '\n')
                password[--n] = '\0';
        if (n > 0 && password[n - 1] == '\r')
                password[n - 1] = '\0';
        return 0;
}

static int read_line(FILE *tty, char *to, size_t size)
{
        if (!fgets(to, (int)size, tty))
                return -EPIPE;
        to[strcspn(to, "\r\n")] = '\0';
        return 0;
}

/* As getpass(3), which is bounded too low. */
static int ask(char *user, size_t user_size, char *password)
{
        FILE *tty = fopen("/dev/tty", "r+e");
        struct termios before, silent;
        int r = 0;

        if (!tty)
                return -errno;
        if (user[0] == '\0') {
                (void)fputs("Username: ", tty);
                r = read_line(tty, user, user_size);
        }
        if (r == 0 && tcgetattr(fileno(tty), &before) == 0) {
                silent = before;
                silent.c_lflag &= ~(tcflag_t)ECHO;
                (void)tcsetattr(fileno(tty), TCSAFLUSH, &silent);
                (void)fputs("Password: ", tty);
                r = read_line(tty, password, PASSWORD_MAX);
                (void)tcsetattr(fileno(tty), TCSAFLUSH, &before);
                (void)fputs("\n", tty);
        }
        (void)fclose(tty);
        return r;
}

static int cmd_login(struct invocation *in)
{
        static char password[PASSWORD_MAX + 1];
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) char *where = NULL;
        struct login_args a = {0};
        struct coffer_error err = {0};
        char user[256] = "";
        int status, r;

        if (!command_begin(in, &a))
                return in->status;
        if (a.user && str_copy(user, sizeof(user), a.user) < 0)
                return command_usage(in, NULL, "the user's name is too long");
        if (a.password_stdin && user[0] == '\0')
                return command_usage(in, NULL, "--password-stdin needs --username");
        r = a.password_stdin ? read_stdin(password) : ask(user, sizeof(user), password);
        if (r < 0)
                return command_usage(in, "give --username and --password-stdin",
                                     "no password could be read: %s", strerror(-r));
        status = command_open_home(in, &runtime);
        if (status == 0 && coffer_registry_login(runtime, in->argc > 0 ? in->argv[0] : NULL, user,
                                                 password, &where, &err) < 0)
                status = command_fail(in, &err);
        explicit_bzero(password, sizeof(password));
        if (status == 0) {
                (void)fprintf(stderr, "The credential is kept in %s\n", where);
                (void)puts("Login Succeeded");
        }
        return status;
}

static int cmd_logout(struct invocation *in)
{
        cleanup_with(coffer_release) char *where = NULL;
        struct login_args a = {0};
        struct coffer_error err = {0};

        if (!command_begin(in, &a))
                return in->status;
        if (coffer_registry_logout(in->argc > 0 ? in->argv[0] : NULL, &where, &err) < 0)
                return command_fail(in, &err);
        (void)printf("Removed the credential for %s from %s\n",
                     in->argc > 0 ? in->argv[0] : "docker.io", where);
        return 0;
}

const struct command command_login = {
        .name = "login",
        .args = "[HOST[:PORT]]",
        .summary = "Try a credential for a registry and keep it",
        .opts = login_opts,
        .max_args = 1,
        .run = cmd_login,
};

const struct command command_logout = {
        .name = "logout",
        .args = "[HOST[:PORT]]",
        .summary = "Forget a credential",
        .max_args = 1,
        .run = cmd_logout,
};
