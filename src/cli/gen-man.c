/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a manual page: what is written by hand in man/NAME.1.in, with these lines replaced by
 * what the option tables say:
 *
 *      @SYNOPSIS COMMAND@      how it is called
 *      @OPTIONS COMMAND@       its options
 *      @COMMANDS@              all commands in one line each
 *
 * and @VERSION@ anywhere.  Run by the build; writes scdoc(5) to standard output.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/command.h"

#define PAGE_MAX (1024 * 1024)

/* Text as it is: scdoc's own characters escaped. */
static void print_plain(const char *s)
{
        for (; *s; s++) {
                if (strchr("_*\\#<>", *s))
                        (void)putchar('\\');
                (void)putchar(*s);
        }
}

static const struct command *command_named(const char *name)
{
        for (size_t i = 0; commands[i]; i++)
                if (str_eq(commands[i]->name, name))
                        return commands[i];
        (void)fprintf(stderr, "gen-man: there is no command '%s'\n", name);
        exit(EXIT_FAILED);
}

/* Words in capitals stand for something and are underlined; the rest is typed as it is. */
static void print_args(const char *args)
{
        while (*args) {
                size_t size = strspn(args, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
                char word[2] = {*args, '\0'};

                if (size > 0) {
                        (void)printf("_%.*s_", (int)size, args);
                        args += size;
                        /* An underline ends where no letter follows. */
                        continue;
                }
                print_plain(word);
                args++;
        }
}

static void print_synopsis(const char *name)
{
        const struct command *c = command_named(name);

        (void)printf("*coffer %s*%s%s", c->name, command_opts(c)->name ? " [_OPTIONS_]" : "",
                     c->args[0] ? " " : "");
        print_args(c->args);
        (void)putchar('\n');
}

static void print_option(const struct opt *o)
{
        if (o->letter)
                (void)printf("*-%c*, ", o->letter);
        (void)printf("*--%s*", o->name);
        if (o->arg) {
                (void)printf(o->optional ? "\\[=_" : " _");
                print_plain(o->arg);
                (void)printf(o->optional ? "_\\]" : "_");
        }
        (void)printf("\n\t");
        /* A sentence, so that it reads as one behind its option. */
        (void)putchar(toupper((unsigned char)o->help[0]));
        print_plain(o->help + 1);
        (void)printf(".\n\n");
}

static void print_options(const char *name)
{
        for (const struct opt *o = command_opts(command_named(name)); o->name; o++)
                print_option(o);
        (void)printf("*--help*\n\tShow a summary and exit.\n");
}

static void print_commands(const char *name)
{
        for (size_t i = 0; commands[i]; i++) {
                const struct command *c = commands[i];
                const char *blank = strchr(c->name, ' ');

                (void)printf("*coffer-%.*s*(1)\n\t*coffer %s*: ",
                             blank ? (int)(blank - c->name) : (int)strlen(c->name), c->name,
                             c->name);
                print_plain(c->summary);
                (void)printf(".\n\n");
        }
}

/* "@KEY rest@" alone on a line; returns whether it was one of ours. */
static bool print_directive(const char *line)
{
        static const struct {
                const char *key;
                void (*print)(const char *rest);
        } directives[] = {
                {"@SYNOPSIS ", print_synopsis},
                {"@OPTIONS ",  print_options },
                {"@COMMANDS",  print_commands},
        };
        size_t size = strlen(line);

        if (size < 2 || line[size - 1] != '@')
                return false;
        for (size_t i = 0; i < ELEMENTS(directives); i++) {
                const char *rest = str_after(line, directives[i].key);
                cleanup_free char *name = rest ? strndup(rest, strlen(rest) - 1) : NULL;

                if (!name)
                        continue;
                directives[i].print(name);
                return true;
        }
        return false;
}

static void print_line(const char *line)
{
        const char *version;

        if (print_directive(line))
                return;
        while ((version = strstr(line, "@VERSION@"))) {
                (void)printf("%.*s%s", (int)(version - line), line, coffer_version());
                line = version + strlen("@VERSION@");
        }
        (void)puts(line);
}

int main(int argc, char **argv)
{
        cleanup_with(buf_release) struct buf page = BUF_INIT(PAGE_MAX);
        int r = argc == 2 ? buf_read_file(&page, AT_FDCWD, argv[1]) : -EINVAL;

        if (r < 0 || !page.data) {
                (void)fprintf(stderr, "usage: gen-man FILE (%s)\n", strerror(-r));
                return EXIT_USAGE;
        }
        for (char *line = page.data, *next; line && *line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                print_line(line);
        }
        return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}
