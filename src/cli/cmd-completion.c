/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cmd.h"

/*
 * Completion for shells, written from the option tables: which commands there are, which flags
 * each has and which of them take a value.  Names of boxes and volumes are asked for when they
 * are needed.
 */

static const char *words_name(enum words words)
{
        static const char *const names[] = {
                [WORDS_NONE] = "none", [WORDS_BOX] = "box",       [WORDS_RUNNING] = "running",
                [WORDS_IDLE] = "idle", [WORDS_VOLUME] = "volume", [WORDS_IMAGE] = "image",
                [WORDS_COPY] = "copy", [WORDS_SHELL] = "shell",   [WORDS_STORED] = "stored",
                [WORDS_FILE] = "file",
        };

        return names[words];
}

static size_t first_word(const char *name)
{
        return strcspn(name, " ");
}

static bool begins_as(const struct command *a, const struct command *b)
{
        size_t size = first_word(a->name);

        return first_word(b->name) == size && strncmp(a->name, b->name, size) == 0;
}

/* First words: of commands, or of groups only; a group's commands stand beside each other. */
static void print_first_words(bool groups_only)
{
        for (size_t i = 0; commands[i]; i++) {
                const struct command *c = commands[i];
                size_t size = first_word(c->name);

                if ((i == 0 || !begins_as(commands[i - 1], c)) && (c->name[size] || !groups_only))
                        (void)printf(" %.*s", (int)size, c->name);
                if (c->alias && !groups_only)
                        (void)printf(" %s", c->alias);
        }
}

static void print_group(const struct command *first)
{
        (void)printf("        '%.*s')\n"
                     "                _coffer_flags='--help'\n"
                     "                _coffer_values=\n"
                     "                _coffer_words=subcommand\n"
                     "                _coffer_subcommands='",
                     (int)first_word(first->name), first->name);
        for (size_t i = 0; commands[i]; i++)
                if (begins_as(first, commands[i]))
                        (void)printf(" %s", commands[i]->name + first_word(first->name) + 1);
        (void)printf("'\n                ;;\n");
}

static void print_flags(const struct opt *opts, bool only_with_value)
{
        for (const struct opt *o = opts; o->name; o++) {
                if (only_with_value && !opt_takes_value(o))
                        continue;
                (void)printf(" --%s", o->name);
                if (o->letter)
                        (void)printf(" -%c", o->letter);
        }
        if (!only_with_value)
                (void)printf(" --help");
}

/* A table in the shell's own words: bash and zsh read the same. */
static void print_table(void)
{
        (void)printf("_coffer_commands='");
        print_first_words(false);
        (void)printf("'\n_coffer_groups='");
        print_first_words(true);
        (void)printf("'\n_coffer_table() {\n        case $1 in\n");
        for (size_t i = 0; commands[i]; i++) {
                const struct command *c = commands[i];

                if (c->name[first_word(c->name)] && (i == 0 || !begins_as(commands[i - 1], c)))
                        print_group(c);
                (void)printf("        '%s'", c->name);
                if (c->alias)
                        (void)printf(" | '%s'", c->alias);
                (void)printf(")\n                _coffer_flags='");
                print_flags(command_opts(c), false);
                (void)printf("'\n                _coffer_values='");
                print_flags(command_opts(c), true);
                (void)printf("'\n                _coffer_words=%s\n                ;;\n",
                             words_name(c->words));
        }
        (void)printf("        *) return 1 ;;\n"
                     "        esac\n"
                     "}\n");
}

/*
 * Which command it is, whether the word is a flag's value, and what may stand there.  Read by bash
 * and zsh alike: no arrays but the positional parameters, and every word list split by the reader.
 */
static const char shared_code[] =
        "# _coffer_offer CURRENT WORD... - what may stand where CURRENT is, one a line\n"
        "_coffer_offer() {\n"
        "        local current=$1 name= previous= word\n"
        "        shift\n"
        "        for word in \"$@\"; do\n"
        "                previous=$word\n"
        "                case $word in\n"
        "                -*) continue ;;\n"
        "                esac\n"
        "                if [ -z \"$name\" ]; then\n"
        "                        name=$word\n"
        "                else\n"
        "                        case \"$_coffer_groups \" in\n"
        "                        *\" $name \"*) name=\"$name $word\" ;;\n"
        "                        esac\n"
        "                fi\n"
        "        done\n"
        "        if [ -z \"$name\" ]; then\n"
        "                printf '%s\\n' \"$_coffer_commands --help --version\" | tr ' ' '\\n'\n"
        "                return\n"
        "        fi\n"
        "        _coffer_table \"$name\" || return 0\n"
        "        case \"$_coffer_values \" in\n"
        "        *\" $previous \"*) echo '<file>'; return ;;\n"
        "        esac\n"
        "        case $current in\n"
        "        -*) printf '%s\\n' \"$_coffer_flags\" | tr ' ' '\\n'; return ;;\n"
        "        esac\n"
        "        case $_coffer_words in\n"
        "        box) coffer ps -a --format '{{.Names}}' 2>/dev/null ;;\n"
        "        running) coffer ps --format '{{.Names}}' 2>/dev/null ;;\n"
        "        idle)\n"
        "                coffer ps -a -f status=created -f status=exited -f status=failed \\\n"
        "                        --format '{{.Names}}' 2>/dev/null\n"
        "                ;;\n"
        "        volume) coffer volume ls -q 2>/dev/null ;;\n"
        "        image) printf '%s\\n' host dir: oci: oci-archive: docker-archive:; echo '<file>' "
        ";;\n"
        "        stored) coffer images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null ;;\n"
        "        file) echo '<file>' ;;\n"
        "        copy) coffer ps -a --format '{{.Names}}:' 2>/dev/null; echo '<file>' ;;\n"
        "        shell) printf '%s\\n' bash zsh fish ;;\n"
        "        subcommand) printf '%s\\n' \"$_coffer_subcommands\" | tr ' ' '\\n' ;;\n"
        "        esac\n"
        "}\n";

static void print_bash(void)
{
        (void)printf("# Completion of coffer for bash: source <(coffer completion bash)\n");
        print_table();
        (void)fputs(shared_code, stdout);
        (void)fputs(
                "_coffer() {\n"
                "        local current=${COMP_WORDS[COMP_CWORD]} offer\n"
                "        offer=$(_coffer_offer \"$current\" \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
                "        COMPREPLY=()\n"
                "        case $'\\n'$offer$'\\n' in\n"
                "        *$'\\n<file>\\n'*)\n"
                "                compopt -o filenames 2>/dev/null\n"
                "                mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                "                offer=${offer%'<file>'}\n"
                "                ;;\n"
                "        esac\n"
                "        mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY \\\n"
                "                < <(compgen -W \"$offer\" -- \"$current\")\n"
                "}\n"
                "complete -F _coffer coffer\n",
                stdout);
}

static void print_zsh(void)
{
        (void)printf("#compdef coffer\n"
                     "# Completion of coffer for zsh: source <(coffer completion zsh)\n");
        print_table();
        (void)fputs(shared_code, stdout);
        (void)fputs("_coffer() {\n"
                    "        local -a offer\n"
                    "        offer=(${(f)\"$(_coffer_offer \"$PREFIX\" ${words[2,CURRENT-1]})\"})\n"
                    "        if (( ${offer[(Ie)<file>]} )); then\n"
                    "                _files\n"
                    "                offer=(${offer:#<file>})\n"
                    "        fi\n"
                    "        compadd -S '' -a offer\n"
                    "}\n"
                    "compdef _coffer coffer\n",
                    stdout);
}

/* A text in single quotes, as fish reads it. */
static void print_fish_text(const char *s)
{
        (void)putchar('\'');
        for (; *s; s++) {
                if (*s == '\'' || *s == '\\')
                        (void)putchar('\\');
                (void)putchar(*s);
        }
        (void)putchar('\'');
}

static void print_fish_condition(const struct command *c)
{
        size_t size = first_word(c->name);

        (void)printf("complete -c coffer -n '__fish_seen_subcommand_from %.*s%s%s", (int)size,
                     c->name, c->alias && !c->name[size] ? " " : "",
                     c->alias && !c->name[size] ? c->alias : "");
        if (c->name[size])
                (void)printf("; and __fish_seen_subcommand_from %s", c->name + size + 1);
        if (c->name[size] && c->alias)
                (void)printf("; or __fish_seen_subcommand_from %s", c->alias);
        (void)printf("' ");
}

static void print_fish_words(const struct command *c)
{
        static const char *const offers[] = {
                [WORDS_NONE] = NULL,
                [WORDS_BOX] = "(coffer ps -a --format \"{{.Names}}\" 2>/dev/null)",
                [WORDS_RUNNING] = "(coffer ps --format \"{{.Names}}\" 2>/dev/null)",
                [WORDS_IDLE] = "(coffer ps -a -f status=created -f status=exited -f status=failed "
                               "--format \"{{.Names}}\" 2>/dev/null)",
                [WORDS_VOLUME] = "(coffer volume ls -q 2>/dev/null)",
                [WORDS_IMAGE] = "host dir: oci: oci-archive: docker-archive:",
                [WORDS_COPY] = "(coffer ps -a --format \"{{.Names}}:\" 2>/dev/null)",
                [WORDS_SHELL] = "bash zsh fish",
                [WORDS_STORED] = "(coffer images --format \"{{.Repository}}:{{.Tag}}\" "
                                 "2>/dev/null)",
                [WORDS_FILE] = NULL,
        };

        if (!offers[c->words])
                return;
        print_fish_condition(c);
        (void)printf("%s-a ", c->words == WORDS_IMAGE || c->words == WORDS_COPY ? "" : "-f ");
        print_fish_text(offers[c->words]);
        (void)putchar('\n');
}

static void print_fish(void)
{
        (void)printf("# Completion of coffer for fish: coffer completion fish | source\n"
                     "complete -c coffer -f -n __fish_use_subcommand -l version -s v\n");
        for (size_t i = 0; commands[i]; i++) {
                const struct command *c = commands[i];
                size_t size = first_word(c->name);

                if (c->name[size])
                        (void)printf("complete -c coffer -f -n '__fish_seen_subcommand_from %.*s' "
                                     "-a %s -d ",
                                     (int)size, c->name, c->name + size + 1);
                else
                        (void)printf("complete -c coffer -f -n __fish_use_subcommand -a %s -d ",
                                     c->name);
                print_fish_text(c->summary);
                (void)putchar('\n');
                if (c->name[size] && (i == 0 || !begins_as(commands[i - 1], c)))
                        (void)printf("complete -c coffer -f -n __fish_use_subcommand -a %.*s\n",
                                     (int)size, c->name);
                if (c->name[size] && c->alias) {
                        (void)printf("complete -c coffer -f -n __fish_use_subcommand -a %s -d ",
                                     c->alias);
                        print_fish_text(c->summary);
                        (void)putchar('\n');
                }
                for (const struct opt *o = command_opts(c); o->name; o++) {
                        print_fish_condition(c);
                        (void)printf("-l %s ", o->name);
                        if (o->letter)
                                (void)printf("-s %c ", o->letter);
                        if (opt_takes_value(o))
                                (void)printf("-r ");
                        (void)printf("-d ");
                        print_fish_text(o->help);
                        (void)putchar('\n');
                }
                print_fish_words(c);
        }
}

static int cmd_completion(struct invocation *in)
{
        static const struct {
                const char *shell;
                void (*print)(void);
        } shells[] = {
                {"bash", print_bash},
                {"zsh",  print_zsh },
                {"fish", print_fish}
        };

        if (!command_begin(in, NULL))
                return in->status;
        for (size_t i = 0; i < ELEMENTS(shells); i++) {
                if (str_eq(in->argv[0], shells[i].shell)) {
                        shells[i].print();
                        return 0;
                }
        }
        return command_usage(in, "one of: bash zsh fish", "'%s' is no shell that we know",
                             in->argv[0]);
}

const struct command command_completion = {
        .name = "completion",
        .args = "bash|zsh|fish",
        .summary = "Write completion for a shell",
        .min_args = 1,
        .max_args = 1,
        .words = WORDS_SHELL,
        .run = cmd_completion,
};
