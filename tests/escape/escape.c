/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include "attack.h"

#include <base/str.h>

#include <signal.h>
#include <stdio.h>

static const struct attack *const areas[] = {
        proc_attacks, mounts_attacks, devices_attacks, kernel_attacks, namespaces_attacks,
        ids_attacks,  net_attacks,    tty_attacks,     files_attacks,  host_attacks,
};

static struct {
        unsigned refused;
        unsigned escaped;
        unsigned wrong;
        unsigned nothing;
        unsigned proven;
} count;

const struct attack *attack_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(areas); i++)
                for (const struct attack *attack = areas[i]; attack->name != NULL; attack++)
                        if (str_eq(attack->name, name))
                                return attack;
        return NULL;
}

int attack_each(int (*fn)(const struct attack *attack))
{
        int sum = 0;

        for (size_t i = 0; i < ELEMENTS(areas); i++)
                for (const struct attack *attack = areas[i]; attack->name != NULL; attack++)
                        sum += fn(attack);
        return sum;
}

static void print_intended(const struct attack *attack, const char *separator)
{
        for (size_t i = 0; i < ELEMENTS(attack->intended) && attack->intended[i] != DONE; i++)
                printf("%s%s", i == 0 ? "" : separator, ending_name(attack->intended[i]));
}

static int list_name(const struct attack *attack)
{
        printf("%s\n", attack->name);
        return 0;
}

static int list_by_the_host(const struct attack *attack)
{
        if (attack->setting == BY_THE_HOST)
                printf("%s\n", attack->name);
        return 0;
}

static int list_markdown_row(const struct attack *attack)
{
        printf("| `%s` | %s | %s | %s | ", attack->name, attack->technique, attack->what,
               attack->control);
        print_intended(attack, ", ");
        printf(" |\n");
        return 0;
}

static int list(const char *how)
{
        if (how == NULL)
                return attack_each(list_name);
        if (str_eq(how, "--by-the-host"))
                return attack_each(list_by_the_host);
        if (!str_eq(how, "--markdown"))
                return 2;

        printf("# Attacks that a box withstands\n\n"
               "Made by `escape list --markdown` from the tables in `tests/escape/`; a test keeps "
               "the two equal.\nEach attempt is first shown to succeed where the control is off, "
               "then refused in a box with the\nending in the last column: an errno; `held`, it "
               "looked and did not find what must not be there;\n`SIGSYS`, the kernel ended the "
               "caller.\n\n"
               "| attack | technique | what it tries | refused by | ending |\n"
               "| --- | --- | --- | --- | --- |\n");
        return attack_each(list_markdown_row);
}

static int run(const struct attack *attack)
{
        struct attempt a = {.attack = attack};

        if (attack->setting == BY_THE_HOST)
                return 0;

        attempt_make(&a, false);
        if (a.code == DONE) {
                count.escaped++;
                printf("ESCAPED %s %s\n", attack->name, a.detail);
                return 1;
        }
        if (a.code == NOTHING) {
                count.nothing++;
                printf("proves-nothing %s %s\n", attack->name, a.detail);
                return 0;
        }
        if (attempt_intended(attack, a.code)) {
                count.refused++;
                printf("refused %s %s (intended)%s%s\n", attack->name, ending_name(a.code),
                       a.detail[0] != '\0' ? " " : "", a.detail);
                return 0;
        }
        count.wrong++;
        printf("WRONG %s %s (intended ", attack->name, ending_name(a.code));
        print_intended(attack, " or ");
        printf(") %s\n", a.detail);
        return 1;
}

static int prove(const struct attack *attack)
{
        struct attempt a = {.attack = attack};

        if (attack->setting == BY_THE_HOST)
                return 0;

        attempt_prove(&a);
        if (a.code == DONE) {
                count.proven++;
                printf("proven %s %s\n", attack->name, a.detail);
                return 0;
        }
        count.nothing++;
        printf("proves-nothing %s here: %s%s%s\n", attack->name, ending_name(a.code),
               a.detail[0] != '\0' ? " " : "", a.detail);
        return 1;
}

static int each_named(char **names, int (*fn)(const struct attack *attack))
{
        int sum = 0;

        if (str_eq(names[0], "all"))
                return attack_each(fn);
        for (; *names != NULL; names++) {
                const struct attack *attack = attack_find(*names);

                if (attack == NULL) {
                        fprintf(stderr, "escape: no attack is called '%s'\n", *names);
                        return 1;
                }
                sum += fn(attack);
        }
        return sum;
}

static int run_main(char **names)
{
        const char *why = NULL;
        int bad;

        if (!in_a_box(&why)) {
                fprintf(stderr, "escape: will not run outside a box: %s\n", why);
                return 2;
        }
        bad = each_named(names, run);
        printf("escape: %u refused, %u escaped, %u prove nothing, %u refused in the wrong way\n",
               count.refused, count.escaped, count.nothing, count.wrong);
        return bad > 0 ? 1 : 0;
}

static int prove_main(char **names)
{
        (void)each_named(names, prove);
        printf("escape: %u proven, %u prove nothing here\n", count.proven, count.nothing);
        return 0;
}

_Noreturn static int hold_main(void)
{
        for (;;)
                (void)pause();
}

static int usage(void)
{
        fprintf(stderr, "usage: escape list [--markdown|--by-the-host]\n"
                        "       escape run NAME...|all       in a box\n"
                        "       escape prove NAME...|all     where the controls are off\n"
                        "       escape bait DIR WORD SOCKET  on the host, until stdin ends\n"
                        "       escape swap A B              on the host, until killed\n"
                        "       escape watch-exe STOP-FILE   in a box, during execs\n"
                        "       escape without CALL ERRNO COMMAND...  on the host\n"
                        "       escape rights|who|hold\n");
        return 2;
}

int main(int argc, char **argv)
{
        const char *verb = argc > 1 ? argv[1] : "";

        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        if (str_eq(verb, "list") && argc <= 3)
                return list(argv[2]);
        if (str_eq(verb, "run") && argc >= 3)
                return run_main(argv + 2);
        if (str_eq(verb, "prove") && argc >= 3)
                return prove_main(argv + 2);
        if (str_eq(verb, "bait") && argc == 5)
                return bait_main(argv[2], argv[3], argv[4]);
        if (str_eq(verb, "swap") && argc == 4)
                return swap_main(argv[2], argv[3]);
        if (str_eq(verb, "watch-exe") && argc == 3)
                return watch_exe_main(argv[2]);
        if (str_eq(verb, "who") && argc == 2)
                return who_main();
        if (str_eq(verb, "rights") && argc == 2)
                return rights_main();
        if (str_eq(verb, "without") && argc >= 5)
                return without_main(argv[2], (unsigned)atoi(argv[3]), argv + 4);
        if (str_eq(verb, "hold") && argc == 2)
                return hold_main();
        return usage();
}
