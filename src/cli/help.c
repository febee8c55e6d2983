/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/command.h"
#include "cli/print.h"

/* "-d, --detach" or "    --name NAME", with '=' before a value that may be left out. */
static void option_name(const struct opt *o, char *to, size_t size)
{
        char letter[8] = "    ";

        if (o->letter)
                (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        if (!o->arg)
                (void)snprintf(to, size, "%s--%s", letter, o->name);
        else if (opt_takes_value(o))
                (void)snprintf(to, size, "%s--%s %s", letter, o->name, o->arg);
        else
                (void)snprintf(to, size, "%s--%s[=%s]", letter, o->name, o->arg);
}

static void help_options(const struct command *c)
{
        const struct opt *opts = command_opts(c);
        char name[128];
        size_t width = 0;

        for (const struct opt *o = opts; o->name; o++) {
                option_name(o, name, sizeof(name));
                if (print_width(name, strlen(name)) > width)
                        width = print_width(name, strlen(name));
        }
        if (width == 0)
                return;
        (void)printf("\nOptions:\n");
        for (const struct opt *o = opts; o->name; o++) {
                option_name(o, name, sizeof(name));
                (void)printf("  %s%*s   %s\n", name, (int)(width - print_width(name, strlen(name))),
                             "", o->help);
        }
}

void help_command(const struct command *c)
{
        const char *options = command_opts(c)->name ? " [OPTIONS]" : "";

        (void)printf("Usage:  coffer %s%s%s%s\n\n%s\n", c->name, options, c->args[0] ? " " : "",
                     c->args, c->summary);
        if (c->alias)
                (void)printf("\nAliases:\n  coffer %s, coffer %s\n", c->name, c->alias);
        help_options(c);
        (void)fflush(stdout);
}

void help_all(const char *group)
{
        size_t prefix = group ? strlen(group) + 1 : 0;

        if (group)
                (void)printf("Usage:  coffer %s COMMAND\n\nCommands:\n", group);
        else
                (void)printf("Usage:  coffer [OPTIONS] COMMAND\n\n"
                             "Run code that nobody vouches for in boxes\n\nCommands:\n");
        for (size_t i = 0; commands[i]; i++) {
                const struct command *c = commands[i];

                if (group &&
                    (strncmp(c->name, group, prefix - 1) != 0 || c->name[prefix - 1] != ' '))
                        continue;
                (void)printf("  %-*s %s\n", group ? 10 : 15, c->name + prefix, c->summary);
        }
        if (!group)
                (void)printf("\nOptions:\n"
                             "      --help      Show this help\n"
                             "  -v, --version   Show the version\n");
        (void)printf("\nSee 'coffer %s%sCOMMAND --help' for one of them.\n", group ? group : "",
                     group ? " " : "");
        (void)fflush(stdout);
}
