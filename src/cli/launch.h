/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What run, create and exec have in common: from options to a spec, from a process to an exit
 * status.
 */

#include "cli/command.h"
#include "cli/pulling.h"
#include "cli/session.h"

/**
 * struct launch - options of run, create, start -a, attach and exec
 * @spec:        fields for coffer_spec_set()
 * @env_files:   --env-file
 * @cidfile:     --cidfile, or NULL
 * @detach_keys: --detach-keys
 * @detach:      -d
 * @attach:      start -a
 * @restart:     start --restart
 * @interactive: start -i
 * @no_stdin:    attach --no-stdin
 * @sig_proxy:   --sig-proxy
 * @pull:        --pull, --platform and -q of run and create
 */
struct launch {
        struct opt_pairs spec;
        struct strv env_files;
        const char *cidfile;
        const char *detach_keys;
        bool detach;
        bool attach;
        bool restart;
        bool interactive;
        bool no_stdin;
        bool sig_proxy;
        struct pull_args pull;
};

#define LAUNCH_INIT   ((struct launch){.sig_proxy = true, .detach_keys = KEYS_DEFAULT})
#define LAUNCH(field) offsetof(struct launch, field)

/* Rows that several tables have. */
#define LAUNCH_OPT_DETACH_KEYS                                                      \
        {                                                                           \
                "detach-keys", 0, "KEYS", opt_string, LAUNCH(detach_keys),          \
                        "keys that detach from the terminal (default " KEYS_DEFAULT \
                        "; \"\": none)"                                             \
        }
#define LAUNCH_OPT_ENV_FILE                                                         \
        {                                                                           \
                "env-file", 0, "FILE", opt_list, LAUNCH(env_files),                 \
                        "set environment variables from a file of NAME=value lines" \
        }
#define LAUNCH_OPT_PLATFORM                                                   \
        {                                                                     \
                "platform", 0, "PLATFORM", opt_string, LAUNCH(pull.platform), \
                        "pull the image for OS/ARCHITECTURE[/VARIANT]"        \
        }
#define LAUNCH_OPT_PULL                                                                    \
        {                                                                                  \
                "pull", 0, "POLICY", opt_string, LAUNCH(pull.policy),                      \
                        "ask the registry always, for a newer one, when missing, or never" \
        }
#define LAUNCH_OPT_QUIET                                          \
        {                                                         \
                "quiet", 'q', NULL, opt_flag, LAUNCH(pull.quiet), \
                        "say nothing while the image is pulled"   \
        }
#define LAUNCH_OPT_SIG_PROXY                                            \
        {                                                               \
                "sig-proxy", 0, NULL, opt_flag, LAUNCH(sig_proxy),      \
                        "pass signals on to the process (default true)" \
        }

void launch_release(struct launch *l);

/** launch_flag() - the last value of a switch among the fields; false when it was not given */
bool launch_flag(const struct launch *l, const char *name);

/**
 * launch_spec() - fill a spec from the options
 * @l:        the options
 * @command:  NULL-terminated; one "--" before it is dropped
 * @ret_spec: free with coffer_spec_free()
 * @err:      what is wrong
 *
 * Return: 0 or a negative errno.
 */
int launch_spec(const struct launch *l, char **command, struct coffer_spec **ret_spec,
                struct coffer_error *err);

/**
 * launch_session() - the session's options, checked
 * @l:          the options
 * @tty:        the process has a terminal
 * @read_stdin: it reads our stdin
 * @ret_o:      written
 * @err:        keys that are none, or a stdin that is no terminal
 *
 * Return: 0 or a negative errno.
 */
int launch_session(const struct launch *l, bool tty, bool read_stdin, struct session_options *ret_o,
                   struct coffer_error *err);

/**
 * launch_follow() - wait for a process to start, be connected to it, and say how it ended
 * @in:          for errors
 * @call:        what was begun; taken
 * @o:           session options
 * @signal_fd:   of session_catch(); borrowed
 * @name:        of the box, for the line that says why it failed
 * @ret_started: false: it never ran; may be NULL
 *
 * Return: the exit status.
 */
int launch_follow(const struct invocation *in, struct coffer_call *call,
                  const struct session_options *o, int signal_fd, const char *name,
                  bool *ret_started);

/** launch_status() - the exit status for how a process ended; warns when the box failed */
int launch_status(const struct coffer_exit *end, const char *name);
