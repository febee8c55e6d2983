/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"

#define CONF_MAX_BYTES ((size_t)64 * 1024)
#define HOSTS_MAX      1024

static int set_list(void *to, const char *value)
{
        struct strv *list = to;
        int r = 0;

        strv_release(list);
        while (r == 0 && *value) {
                cleanup_free char *item = NULL;
                size_t size;

                value += strspn(value, ", \t");
                size = strcspn(value, ", \t");
                if (size == 0)
                        break;
                item = strndup(value, size);
                r = !item ? -ENOMEM : list->count >= HOSTS_MAX ? -E2BIG : strv_add(list, item);
                value += size;
        }
        return r;
}

static int set_count(void *to, const char *value)
{
        uint64_t number;
        int r = str_to_u64(value, 3600, &number);

        if (r == 0 && number == 0)
                r = -ERANGE;
        if (r == 0)
                *(uint32_t *)to = (uint32_t)number;
        return r;
}

static const struct {
        const char *name;
        const char *variable;
        size_t field;
        int (*set)(void *to, const char *value);
} options[] = {
        {"insecure_registries", "COFFER_INSECURE_REGISTRIES",
         offsetof(struct registry_config,                                                      insecure), set_list },
        {"private_registries",  "COFFER_PRIVATE_REGISTRIES",
         offsetof(struct registry_config,                                                      private),  set_list },
        {"pull_stall_seconds",  "COFFER_PULL_STALL_SECONDS",
         offsetof(struct registry_config,                                                      stall_s),  set_count},
        {"pull_attempts",       "COFFER_PULL_ATTEMPTS",       offsetof(struct registry_config, attempts),
         set_count                                                                                                 },
};

struct reading {
        struct registry_config *config;
        const char *path;
        struct coffer_error *err;
        int code;
};

static int refuse(struct reading *r, int code)
{
        r->code = code;
        error_hint(r->err, "see coffer-image(1) for what can stand there");
        return 0; /* inih's "no" */
}

static int handle(void *data, const char *section, const char *name, const char *value)
{
        struct reading *r = data;
        int code;

        if (r->code < 0)
                return 0;
        if (section[0] != '\0')
                return refuse(r, error_say(r->err, -EINVAL, COFFER_ERROR_USAGE,
                                           "'%s': there is no section '%.40s'", r->path, section));
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                if (!str_eq(options[i].name, name))
                        continue;
                code = options[i].set((char *)r->config + options[i].field, value);
                if (code == 0)
                        return 1;
                return refuse(r, error_say(r->err, code, COFFER_ERROR_USAGE,
                                           "'%s': option '%s' cannot be '%.40s'", r->path, name,
                                           value));
        }
        return refuse(r, error_say(r->err, -EINVAL, COFFER_ERROR_USAGE,
                                   "'%s': there is no option '%.40s'", r->path, name));
}

static int read_file(struct registry_config *c, const char *path, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(CONF_MAX_BYTES);
        struct reading reading = {.config = c, .path = path, .err = err};
        int r = buf_read_file(&text, AT_FDCWD, path);

        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return error_set(err, r, "read '%s'", path);
        if (text.size == 0)
                return 0;
        if (memchr(text.data, '\0', text.size))
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%s' is no text", path);
        r = ini_parse_string(text.data, handle, &reading);
        if (reading.code < 0)
                return reading.code;
        return r == 0 ? 0
                      : error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                  "line %d of '%s' is not NAME = VALUE", r, path);
}

int config_path(char *to, size_t size, const char *path)
{
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int n = 0;

        to[0] = '\0';
        if (config && config[0] == '/')
                n = snprintf(to, size, "%s/%s", config, path);
        else if (home && home[0] == '/')
                n = snprintf(to, size, "%s/.config/%s", home, path);
        return (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int registry_config_read(struct registry_config *ret, struct coffer_error *err)
{
        struct registry_config c = {.stall_s = 30, .attempts = 5};
        char own[PATH_MAX];
        int r = read_file(&c, "/etc/coffer/coffer.conf", err);

        if (r == 0)
                r = config_path(own, sizeof(own), "coffer/coffer.conf");
        if (r == 0 && own[0] != '\0')
                r = read_file(&c, own, err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(options); i++) {
                const char *value = getenv(options[i].variable);

                if (!value)
                        continue;
                r = options[i].set((char *)&c + options[i].field, value);
                if (r < 0)
                        (void)error_say(err, r, COFFER_ERROR_USAGE, "%s cannot be '%.100s'",
                                        options[i].variable, value);
        }
        if (r < 0) {
                registry_config_release(&c);
                return r;
        }
        *ret = c;
        return 0;
}

void registry_config_release(struct registry_config *c)
{
        strv_release(&c->insecure);
        strv_release(&c->private);
}

bool registry_config_has(const struct strv *list, const char *host)
{
        const char *colon = strrchr(host, ':');
        size_t bare = colon && !strchr(colon, ']') ? (size_t)(colon - host) : strlen(host);

        for (size_t i = 0; i < list->count; i++)
                if (str_eq(list->items[i], host) ||
                    (strlen(list->items[i]) == bare && strncmp(list->items[i], host, bare) == 0))
                        return true;
        return false;
}
