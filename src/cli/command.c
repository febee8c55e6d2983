/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

#define OPTS_MAX 96

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct opt *)a)->name, ((const struct opt *)b)->name);
}

const struct opt *command_opts(const struct command *c)
{
        static struct opt table[OPTS_MAX];
        size_t count = 0;

        for (const struct opt *o = c->opts; o && o->name; o++) {
                assert(count + 1 < OPTS_MAX);
                table[count++] = *o;
        }
        for (size_t i = 0; c->spec_fields; i++) {
                const struct coffer_spec_field *f = coffer_spec_fields(i);

                if (!f)
                        break;
                if (!(f->flags & c->spec_fields))
                        continue;
                assert(count + 1 < OPTS_MAX);
                table[count++] = (struct opt){.name = f->name,
                                              .letter = f->letter,
                                              .arg = f->metavar,
                                              .set = opt_pair,
                                              .where = c->spec_where,
                                              .help = f->help,
                                              .optional = f->flags & COFFER_FIELD_OPTIONAL};
        }
        table[count] = (struct opt){0};
        qsort(table, count, sizeof(table[0]), by_name);
        return table;
}

void command_report(const struct coffer_error *err)
{
        char text[sizeof(err->msg) + sizeof(err->hint) + 32];
        int n = snprintf(text, sizeof(text), "coffer: %s\n%s%s%s", err->msg,
                         err->hint[0] ? "hint: " : "", err->hint, err->hint[0] ? "\n" : "");

        /* In one piece, so that the lines of parallel calls do not mix. */
        (void)sys_write_all(STDERR_FILENO, text, (size_t)n);
}

void command_warn(const char *format, ...)
{
        char text[1024] = "coffer: ";
        size_t used = strlen(text);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text + used, sizeof(text) - used - 1, format, ap);
        va_end(ap);
        used = strlen(text);
        text[used] = '\n';
        (void)sys_write_all(STDERR_FILENO, text, used + 1);
}

static int status_of(const struct invocation *in, const struct coffer_error *err)
{
        if (!in->carries)
                return err->kind == COFFER_ERROR_USAGE ? EXIT_USAGE : EXIT_FAILED;
        switch (err->kind) {
        case COFFER_ERROR_NOT_FOUND:
                return EXIT_NOT_FOUND;
        case COFFER_ERROR_NOT_EXECUTABLE:
                return EXIT_NOT_EXECUTABLE;
        default:
                return EXIT_COFFER;
        }
}

int command_fail(const struct invocation *in, const struct coffer_error *err)
{
        command_report(err);
        return status_of(in, err);
}

int command_usage(const struct invocation *in, const char *hint, const char *format, ...)
{
        struct coffer_error err = {.code = -EINVAL, .kind = COFFER_ERROR_USAGE};
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(err.msg, sizeof(err.msg), format, ap);
        va_end(ap);
        if (hint)
                error_hint(&err, "%s", hint);
        else
                error_hint(&err, "see 'coffer %s --help'", in->command->name);
        return command_fail(in, &err);
}

static int check_count(const struct invocation *in)
{
        const struct command *c = in->command;
        int wanted = in->argc < c->min_args ? c->min_args : c->max_args;

        if (in->argc >= c->min_args && in->argc <= c->max_args)
                return 0;
        if (c->max_args == 0)
                return command_usage(in, NULL, "'coffer %s' takes no arguments", c->name);
        return command_usage(in, NULL, "'coffer %s' takes %s %d argument%s", c->name,
                             c->min_args == c->max_args ? "exactly"
                             : in->argc < c->min_args   ? "at least"
                                                        : "at most",
                             wanted, wanted == 1 ? "" : "s");
}

bool command_begin(struct invocation *in, void *args)
{
        struct opt_parse p = {
                .opts = command_opts(in->command),
                .args = args,
                .options_first = in->command->options_first,
                .argv = in->argv,
                .argc = in->argc,
        };
        struct coffer_error err = {0};

        if (opt_parse(&p, &err) < 0) {
                if (!err.hint[0])
                        error_hint(&err, "see 'coffer %s --help'", in->command->name);
                in->status = command_fail(in, &err);
                return false;
        }
        if (p.help) {
                help_command(in->command);
                in->status = 0;
                return false;
        }
        in->argc = p.argc;
        in->status = check_count(in);
        return in->status == 0;
}

int command_open_home(const struct invocation *in, struct coffer_runtime **ret_runtime)
{
        struct coffer_error err = {0};

        *ret_runtime = NULL;
        if (coffer_runtime_open(NULL, ret_runtime, &err) < 0)
                return command_fail(in, &err);
        return 0;
}
