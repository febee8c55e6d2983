/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/faultpoint.h"
#include "cli/command.h"

#define NAMES_MAX    64
#define STDOUT_BYTES 65536

static int unknown_command(char *const *words)
{
        struct coffer_error err = {0};
        const char *names[NAMES_MAX];
        const char *nearest;
        size_t count = 0;
        bool group = command_is_group(words[0]);
        size_t prefix = group ? strlen(words[0]) + 1 : 0;

        for (size_t i = 0; commands[i] && count < NAMES_MAX; i++) {
                const char *name = commands[i]->name;

                if (!group || (strncmp(name, words[0], prefix - 1) == 0 && name[prefix - 1] == ' '))
                        names[count++] = name + prefix;
        }
        if (words[0][0] == '-' || (group && words[1][0] == '-')) {
                (void)error_say(&err, -EINVAL, COFFER_ERROR_USAGE, "unknown flag: %s",
                                words[group ? 1 : 0]);
                error_hint(&err, "flags come after the command; see 'coffer --help'");
                command_report(&err);
                return EXIT_USAGE;
        }
        (void)error_say(&err, -EINVAL, COFFER_ERROR_USAGE, "'%s%s%s' is no command",
                        group ? words[0] : "", group ? " " : "", words[group ? 1 : 0]);
        nearest = opt_nearest(words[group ? 1 : 0], names, count);
        if (nearest)
                error_hint(&err, "did you mean 'coffer %s%s%s'?", group ? words[0] : "",
                           group ? " " : "", nearest);
        else
                error_hint(&err, "see 'coffer%s%s --help'", group ? " " : "",
                           group ? words[0] : "");
        command_report(&err);
        return EXIT_USAGE;
}

static bool asks_for_help(const char *word)
{
        return !word || str_eq(word, "--help") || str_eq(word, "-h") || str_eq(word, "help");
}

static int dispatch(int argc, char **argv)
{
        const struct command *c;
        struct invocation in;
        int used = 0;

        if (asks_for_help(argv[0]) && !(argv[0] && argv[1])) {
                help_all(NULL);
                return 0;
        }
        if (str_eq(argv[0], "help")) {
                c = command_find(argv + 1, &used);
                if (c)
                        help_command(c);
                else if (command_is_group(argv[1]))
                        help_all(argv[1]);
                else
                        return unknown_command(argv + 1);
                return 0;
        }
        if (str_eq(argv[0], "--version") || str_eq(argv[0], "-v")) {
                (void)printf("coffer version %s\n", coffer_version());
                return 0;
        }
        c = command_find(argv, &used);
        if (!c && command_is_group(argv[0]) && asks_for_help(argv[1])) {
                help_all(argv[0]);
                return 0;
        }
        if (!c)
                return unknown_command(argv);

        in = (struct invocation){
                .command = c, .argv = argv + used, .argc = argc - used, .carries = c->carries};
        return c->run(&in);
}

/*
 * A descriptor that is missing would be the next file that is opened, and then be written to as if
 * it were the caller's stdout.
 */
static int fill_standard_fds(void)
{
        for (int fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
                    open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
                        return -EBADF;
        return 0;
}

/*
 * All at once, but for people: a long list is fewer calls, and what cannot be written is noticed by
 * the fflush() at the end.  musl writes a first line at once and forgets how that went.
 */
static void buffer_stdout(void)
{
        static char buffer[STDOUT_BYTES];

        if (!isatty(STDOUT_FILENO))
                (void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

/* 0, or a positive errno. */
static int end_stdout(void)
{
        if (fflush(stdout) != 0)
                return errno;
        return ferror(stdout) ? EIO : 0; /* of an earlier write; why is not known any more */
}

int main(int argc, char **argv)
{
        struct coffer_error err;
        int status, code;

        (void)signal(SIGXFSZ, SIG_IGN); /* EFBIG is an answer, of which we can tell */
        if (argc < 1 || fill_standard_fds() < 0)
                return EXIT_COFFER;
        if (fault_list(argc, argv))
                return 0;
        buffer_stdout();
        status = dispatch(argc - 1, argv + 1);
        code = end_stdout();
        if (code != 0 && code != EPIPE) {
                (void)error_set(&err, -code, "write standard output");
                command_report(&err);
                if (status == 0)
                        status = EXIT_FAILED;
        }
        return status;
}
