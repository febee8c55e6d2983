/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#define ENV_FILE_MAX_BYTES (4 * 1024 * 1024)
#define DETACH_TIMEOUT_MS  10000

void launch_release(struct launch *l)
{
        opt_pairs_release(&l->spec);
        strv_release(&l->env_files);
}

bool launch_flag(const struct launch *l, const char *name)
{
        for (size_t i = l->spec.names.count; i-- > 0;)
                if (str_eq(l->spec.names.items[i], name))
                        return str_eq(l->spec.values.items[i], "true");
        return false;
}

/* NAME alone is the caller's own value; a variable that he has not is left out, as in Docker. */
static int set_env(struct coffer_spec *spec, const char *variable, struct coffer_error *err)
{
        const char *value = strchr(variable, '=') ? NULL : getenv(variable);
        cleanup_free char *whole = NULL;

        if (strchr(variable, '=') || variable[0] == '\0')
                return coffer_spec_set(spec, "env", variable, err);
        if (!value)
                return 0;
        if (asprintf(&whole, "%s=%s", variable, value) < 0)
                return error_set(err, -ENOMEM, "set a variable");
        return coffer_spec_set(spec, "env", whole, err);
}

static int env_line(struct coffer_spec *spec, const char *path, unsigned number, char *line,
                    struct coffer_error *err)
{
        size_t name;
        int r;

        while (*line == ' ' || *line == '\t')
                line++;
        if (*line == '\0' || *line == '#')
                return 0;
        name = strcspn(line, "=");
        if (name == 0 || memchr(line, ' ', name) || memchr(line, '\t', name)) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "line %u of '%s' names no variable", number, path);
                error_hint(err, "write NAME=value, or NAME alone for the value that you have");
                return -EINVAL;
        }
        r = set_env(spec, line, err);
        return r < 0 ? error_wrap(err, r, "line %u of '%s'", number, path) : 0;
}

static int env_file(struct coffer_spec *spec, const char *path, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(ENV_FILE_MAX_BYTES);
        int r = buf_read_file(&b, AT_FDCWD, path);
        unsigned number = 1;

        if (r < 0) {
                (void)error_set(err, r, "read '%s'", path);
                error_kind(err, COFFER_ERROR_USAGE);
                error_hint(err, "--env-file wants a file of NAME=value lines");
                return r;
        }
        if (b.size > 0 && memchr(b.data, '\0', b.size))
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%s' is no text", path);
        for (char *line = b.data; line && r == 0; number++) {
                char *end = strchr(line, '\n');
                char *next = end ? end + 1 : NULL;

                if (end) {
                        *end = '\0';
                        if (end > line && end[-1] == '\r')
                                end[-1] = '\0';
                }
                r = env_line(spec, path, number, line, err);
                line = next;
        }
        return r;
}

int launch_spec(const struct launch *l, char **command, struct coffer_spec **ret_spec,
                struct coffer_error *err)
{
        cleanup_with(coffer_spec_freep) struct coffer_spec *spec = NULL;
        int r = coffer_spec_new(&spec, err);

        for (size_t i = 0; r == 0 && i < l->env_files.count; i++)
                r = env_file(spec, l->env_files.items[i], err);
        for (size_t i = 0; r == 0 && i < l->spec.names.count; i++) {
                const char *name = l->spec.names.items[i], *value = l->spec.values.items[i];

                r = str_eq(name, "env") ? set_env(spec, value, err)
                                        : coffer_spec_set(spec, name, value, err);
        }
        if (r < 0)
                return r;

        if (*command && str_eq(*command, "--"))
                command++;
        if (*command) {
                r = coffer_spec_set_command(spec, (const char *const *)command, err);
                if (r < 0)
                        return r;
        }
        *ret_spec = take_ptr(spec);
        return 0;
}

int launch_session(const struct launch *l, bool tty, bool read_stdin, struct session_options *ret_o,
                   struct coffer_error *err)
{
        struct session_options o = {
                .tty = tty, .read_stdin = read_stdin, .sig_proxy = l->sig_proxy};

        if (keys_parse(l->detach_keys, &o.detach_keys) < 0) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                "invalid argument \"%s\" for \"--detach-keys\" flag",
                                l->detach_keys);
                error_hint(err, "write single characters or ctrl-X, with commas between them");
                return -EINVAL;
        }
        *ret_o = o;
        return session_check(&o, err);
}

int launch_status(const struct coffer_exit *end, const char *name)
{
        if (end->reason[0])
                command_warn("box %s failed: %s", name, end->reason);
        return end->timed_out ? EXIT_TIMED_OUT : end->status;
}

static int end_session(const struct invocation *in, struct coffer_process *process,
                       const struct session_end *end, const char *name)
{
        struct coffer_error err = {0};

        switch (end->how) {
        case SESSION_DETACHED:
                if (coffer_process_detach(process, DETACH_TIMEOUT_MS, &err) < 0)
                        return command_fail(in, &err);
                command_warn("detached; box %s goes on", name);
                return 0;
        case SESSION_HUNG_UP:
                return EXIT_SIGNAL + end->signal;
        default:
                return launch_status(&end->exit, name);
        }
}

int launch_follow(const struct invocation *in, struct coffer_call *call,
                  const struct session_options *o, int signal_fd, const char *name,
                  bool *ret_started)
{
        cleanup_with(coffer_call_freep) struct coffer_call *c = call;
        cleanup_with(coffer_process_freep) struct coffer_process *process = NULL;
        struct coffer_error err = {0};
        struct session_end end;
        int signal = 0;
        int r;

        if (ret_started)
                *ret_started = false;
        r = session_await(c, signal_fd, &signal, &err);
        if (r == -EINTR && signal)
                return EXIT_SIGNAL + signal;
        if (r == 0)
                r = coffer_call_take_process(c, &process);
        if (r < 0)
                return command_fail(in, &err);
        c = coffer_call_free(c);

        if (ret_started)
                *ret_started = true;
        if (session_run(process, o, signal_fd, &end, &err) < 0)
                return command_fail(in, &err);
        return end_session(in, process, &end, name);
}
