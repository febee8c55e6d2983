/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/change.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/json.h"
#include "spec/value.h"

#define BLANKS   " \t"
#define PORT_MAX 65535
#define SHELL    "/bin/sh", "-c"

static int senseless(struct coffer_error *err, const char *why)
{
        return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "%s", why);
}

/* One word off *@s, without its quotes; @to has room for all of it. */
static int next_word(const char **s, char *to)
{
        char quote = '\0';

        *s += strspn(*s, BLANKS);
        for (; **s != '\0' && (quote || !strchr(BLANKS, **s)); (*s)++) {
                if (**s == '\\' && quote != '\'' && (*s)[1] != '\0')
                        *to++ = *++*s;
                else if (quote == **s)
                        quote = '\0';
                else if (!quote && (**s == '"' || **s == '\''))
                        quote = **s;
                else
                        *to++ = **s;
        }
        *to = '\0';
        return quote ? -EINVAL : 0;
}

static int split(const char *s, struct strv *ret_words, struct coffer_error *err)
{
        cleanup_free char *word = malloc(strlen(s) + 1);
        int r = word ? 0 : -ENOMEM;

        while (r == 0 && s[strspn(s, BLANKS)] != '\0') {
                if (next_word(&s, word) < 0)
                        return senseless(err, "a quote is not closed");
                r = strv_add(ret_words, word);
        }
        return r < 0 ? error_set(err, r, "read a change") : 0;
}

/* ["a", "b"]: 1 with the list; 0: it is no such list. */
static int read_array(const char *s, struct strv *ret_list, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;
        int r;

        if (*s != '[')
                return 0;
        r = json_parse(s, strlen(s), NULL, &doc, err);
        if (r == 0) {
                root = json_root(doc);
                r = json_to_strv(&root, JSON_REQUIRED, ret_list, err);
        }
        if (r < 0) {
                error_kind(err, COFFER_ERROR_USAGE);
                return r;
        }
        return 1;
}

/* -------------------------------------------------------------------------------- instructions */

static int set_argv(struct strv *to, const char *rest, struct coffer_error *err)
{
        static const char *const shell[] = {SHELL};
        int r;

        strv_release(to);
        r = read_array(rest, to, err);
        if (r != 0)
                return r < 0 ? r : 0;
        for (size_t i = 0; r == 0 && i < ELEMENTS(shell); i++)
                r = strv_add(to, shell[i]);
        if (r == 0)
                r = strv_add(to, rest);
        return r < 0 ? error_set(err, r, "read a change") : 0;
}

static int set_cmd(struct image_config *c, const char *rest, struct coffer_error *err)
{
        return set_argv(&c->cmd, rest, err);
}

static int set_entrypoint(struct image_config *c, const char *rest, struct coffer_error *err)
{
        return set_argv(&c->entrypoint, rest, err);
}

/* NAME=value NAME=value …, or the old form NAME value. */
static int set_pairs(struct strv *to, const char *rest, struct coffer_error *err)
{
        cleanup_with(strv_release) struct strv words = {.items = NULL};
        int r = split(rest, &words, err);

        if (r == 0 && words.count > 1 && !strchr(words.items[0], '=')) {
                const char *value = rest + strcspn(rest, BLANKS);

                r = strv_set(to, words.items[0], value + strspn(value, BLANKS));
                return r < 0 ? error_set(err, r, "read a change") : 0;
        }
        for (size_t i = 0; r == 0 && i < words.count; i++) {
                char *equals = strchr(words.items[i], '=');

                if (!equals || equals == words.items[i])
                        return senseless(err, "it is not NAME=VALUE");
                *equals = '\0';
                r = strv_set(to, words.items[i], equals + 1);
                if (r < 0)
                        return error_set(err, r, "read a change");
        }
        return r;
}

static int set_env(struct image_config *c, const char *rest, struct coffer_error *err)
{
        return set_pairs(&c->env, rest, err);
}

static int set_label(struct image_config *c, const char *rest, struct coffer_error *err)
{
        return set_pairs(&c->labels, rest, err);
}

static int set_string(char **to, const char *rest, struct coffer_error *err)
{
        char *copy = strdup(rest);

        if (!copy)
                return error_set(err, -ENOMEM, "read a change");
        free(*to);
        *to = copy;
        return 0;
}

static int set_user(struct image_config *c, const char *rest, struct coffer_error *err)
{
        return set_string(&c->user, rest, err);
}

static int set_workdir(struct image_config *c, const char *rest, struct coffer_error *err)
{
        return rest[0] == '/' ? set_string(&c->working_dir, rest, err)
                              : senseless(err, "it is not an absolute path");
}

static int set_stopsignal(struct image_config *c, const char *rest, struct coffer_error *err)
{
        uint32_t signal;

        return value_signal(rest, &signal) == 0 ? set_string(&c->stop_signal, rest, err)
                                                : senseless(err, "it is no signal");
}

static int set_volume(struct image_config *c, const char *rest, struct coffer_error *err)
{
        cleanup_with(strv_release) struct strv paths = {.items = NULL};
        int r = read_array(rest, &paths, err);

        if (r == 0)
                r = split(rest, &paths, err);
        for (size_t i = 0; r >= 0 && i < paths.count; i++) {
                if (paths.items[i][0] != '/')
                        return senseless(err, "it is not an absolute path");
                r = strv_add(&c->volumes, paths.items[i]);
        }
        return r < 0 && err->msg[0] == '\0' ? error_set(err, r, "read a change") : r < 0 ? r : 0;
}

static int set_expose(struct image_config *c, const char *rest, struct coffer_error *err)
{
        cleanup_with(strv_release) struct strv ports = {.items = NULL};
        int r = split(rest, &ports, err);

        for (size_t i = 0; r == 0 && i < ports.count; i++) {
                char *slash = strchr(ports.items[i], '/');
                const char *protocol = slash ? slash + 1 : "tcp";
                uint64_t port;

                if (slash)
                        *slash = '\0';
                if (str_to_u64(ports.items[i], PORT_MAX, &port) < 0 || port == 0 ||
                    (!str_eq(protocol, "tcp") && !str_eq(protocol, "udp") &&
                     !str_eq(protocol, "sctp")))
                        return senseless(err, "it is not PORT or PORT/tcp|udp|sctp");
                r = strv_addf(&c->exposed_ports, "%s/%s", ports.items[i], protocol);
                if (r < 0)
                        return error_set(err, r, "read a change");
        }
        return r;
}

static const struct {
        const char *name;
        int (*apply)(struct image_config *c, const char *rest, struct coffer_error *err);
} instructions[] = {
        {"CMD",        set_cmd       },
        {"ENTRYPOINT", set_entrypoint},
        {"ENV",        set_env       },
        {"EXPOSE",     set_expose    },
        {"LABEL",      set_label     },
        {"STOPSIGNAL", set_stopsignal},
        {"USER",       set_user      },
        {"VOLUME",     set_volume    },
        {"WORKDIR",    set_workdir   },
};

int change_apply(struct image_config *config, const char *text, struct coffer_error *err)
{
        struct coffer_error own = {0};
        size_t size = strcspn(text, BLANKS);
        const char *rest = text + size + strspn(text + size, BLANKS);
        int r;

        for (size_t i = 0; i < ELEMENTS(instructions); i++) {
                if (strlen(instructions[i].name) != size ||
                    strncasecmp(instructions[i].name, text, size) != 0)
                        continue;
                r = rest[0] == '\0' ? senseless(&own, "nothing follows it")
                                    : instructions[i].apply(config, rest, &own);
                if (r < 0 && err)
                        *err = own;
                return r < 0 ? error_wrap(err, r, "change '%.120s'", text) : 0;
        }
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%.120s' is no change of an image",
                        text);
        error_hint(err, "one of CMD ENTRYPOINT ENV EXPOSE LABEL STOPSIGNAL USER VOLUME WORKDIR");
        return -EINVAL;
}
