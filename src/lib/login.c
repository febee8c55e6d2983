/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <coffer/image.h>

#include "base/error.h"
#include "image/name.h"
#include "lib/handle.h"
#include "lib/pull.h"
#include "registry/credential.h"

static int read_host(const char *registry, char *to, size_t size, struct coffer_error *err)
{
        const char *host = registry && registry[0] ? registry : "docker.io";
        int r;

        if (str_after(host, "https://"))
                host = str_after(host, "https://");
        r = str_copy(to, size, host);
        if (r == 0 && to[0] && to[strlen(to) - 1] == '/')
                to[strlen(to) - 1] = '\0';
        if (r == 0)
                r = name_check_host(to);
        if (r < 0) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%.120s' is no registry", host);
                error_hint(err, "write HOST or HOST:PORT");
                return -EINVAL;
        }
        return str_eq(to, "index.docker.io") ? str_copy(to, size, "docker.io") : 0;
}

static int try_out(struct coffer_runtime *rt, const char *host, const struct credential *c,
                   struct coffer_error *err)
{
        struct pull_open *open = calloc(1, sizeof(*open));
        struct pull_get get = {.id = 1, .kind = PULL_LOGIN, .max_bytes = PULL_MANIFEST_BYTES_MAX};
        struct registry_config config;
        cleanup_close int fd = -EBADF;
        int r = open ? registry_config_read(&config, err) : error_set(err, -ENOMEM, "log in");

        if (r == 0) {
                (void)str_copy(open->host, sizeof(open->host), host);
                (void)str_copy(open->user, sizeof(open->user), c->user);
                (void)str_copy(open->secret, sizeof(open->secret), c->secret);
                open->secret_kind = c->kind;
                r = pull_connect(rt->program_dir, &config, open, &fd, err);
                registry_config_release(&config);
                explicit_bzero(open, sizeof(*open));
        }
        free(open);
        return r < 0 ? r : pull_small(fd, &get, -1, NULL, err);
}

static int give_back(int r, const char *where, char **ret_where, struct coffer_error *err)
{
        if (r < 0 || !ret_where)
                return r;
        *ret_where = strdup(where);
        return *ret_where ? 0 : error_set(err, -ENOMEM, "tell where the credential is");
}

int coffer_registry_login(struct coffer_runtime *runtime, const char *registry, const char *user,
                          const char *password, char **ret_where, struct coffer_error *err)
{
        struct credential *c;
        char host[PULL_HOST_MAX], where[PATH_MAX];
        int r;

        REQUIRE(runtime && user && password, err);
        r = read_host(registry, host, sizeof(host), err);
        if (r < 0)
                return r;
        if (user[0] == '\0' || strchr(user, ':') || password[0] == '\0')
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "a user without a colon and a password are needed");
        c = calloc(1, sizeof(*c));
        if (!c)
                return error_set(err, -ENOMEM, "log in");
        c->kind = PULL_SECRET_PASSWORD;
        r = str_copy(c->user, sizeof(c->user), user);
        if (r == 0)
                r = str_copy(c->secret, sizeof(c->secret), password);
        r = r < 0 ? error_set(err, r, "use the credential") : try_out(runtime, host, c, err);
        if (r == 0)
                r = credential_store(host, c, where, err);
        else
                (void)error_wrap(err, r, "log in to %s", host);
        explicit_bzero(c, sizeof(*c));
        free(c);
        return give_back(r, where, ret_where, err);
}

int coffer_registry_logout(const char *registry, char **ret_where, struct coffer_error *err)
{
        char host[PULL_HOST_MAX], where[PATH_MAX];
        int r = read_host(registry, host, sizeof(host), err);

        if (r == 0)
                r = credential_erase(host, where, err);
        return give_back(r, where, ret_where, err);
}
