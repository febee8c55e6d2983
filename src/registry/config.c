/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "store/conf.h"

#define HOSTS_MAX 1024

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

/* The lines before the first section; each one that sets an option replaces what was set before. */
static int take(struct registry_config *to, const struct conf *conf, struct coffer_error *err)
{
        for (size_t n = 0; n < conf->count; n++) {
                const struct conf_entry *e = &conf->items[n];
                size_t i = 0;
                int r;

                if (e->section[0] != '\0')
                        continue;
                while (i < ELEMENTS(options) && !str_eq(options[i].name, e->name))
                        i++;
                if (i == ELEMENTS(options))
                        return conf_refuse(conf, e, -EINVAL, err, "there is no option '%.40s'",
                                           e->name);
                r = options[i].set((char *)to + options[i].field, e->value);
                if (r < 0)
                        return conf_refuse(conf, e, r, err, "option '%s' cannot be '%.40s'",
                                           e->name, e->value);
        }
        return 0;
}

int registry_config_read(struct registry_config *ret, struct coffer_error *err)
{
        struct registry_config c = {.stall_s = 30, .attempts = 5};
        struct conf conf;
        int r = conf_read(&conf, err);

        if (r < 0)
                return r;
        r = take(&c, &conf, err);
        conf_release(&conf);
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
