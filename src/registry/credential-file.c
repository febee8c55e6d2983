/* SPDX-License-Identifier: Apache-2.0 */
/* The files that credentials are kept in. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "base/sys.h"
#include "store/conf.h"
#include "registry/credential.h"
#include "spec/base64.h"
#include "store/file.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define DOCKER_INDEX   "https://index.docker.io/v1/"
#define FILES          4
#define FILE_NAME_MAX  60 /* file_replace() puts a dot before it */

static int docker_file(char path[PATH_MAX])
{
        const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
        int n = 0;

        path[0] = '\0';
        if (config && config[0] != '\0')
                n = snprintf(path, PATH_MAX, "%s/config.json", config);
        else if (home && home[0] == '/')
                n = snprintf(path, PATH_MAX, "%s/.docker/config.json", home);
        return n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* "" for one that there cannot be. */
static int nth_file(unsigned n, char path[PATH_MAX])
{
        const char *dir;
        int size = 0;

        path[0] = '\0';
        switch (n) {
        case 0:
                dir = getenv("REGISTRY_AUTH_FILE");
                return dir && dir[0] ? str_copy(path, PATH_MAX, dir) : 0;
        case 1:
                dir = getenv("XDG_RUNTIME_DIR");
                if (dir && dir[0] == '/')
                        size = snprintf(path, PATH_MAX, "%s/containers/auth.json", dir);
                return size >= PATH_MAX ? -ENAMETOOLONG : 0;
        case 2:
                return conf_own_path(path, PATH_MAX, "containers/auth.json");
        default:
                return docker_file(path);
        }
}

static const char *server_of(const char *host)
{
        return str_eq(host, "docker.io") ? DOCKER_INDEX : host;
}

/* Says nothing found, in its own words, by what is no such object. */
static int ask_helper(const char *helper, const char *host, struct credential *ret,
                      struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct buf said = BUF_INIT(2 * PULL_SECRET_MAX);
        const char *server = server_of(host), *user = "", *secret = "";
        struct json_value root;
        int r = helper_run(helper, "get", server, strlen(server), &said, err);

        if (r == 0 && said.size > 0 && json_parse(said.data, said.size, NULL, &doc, NULL) == 0) {
                root = json_root(doc);
                (void)json_get_string(&root, "Username", JSON_OPTIONAL, &user, NULL);
                (void)json_get_string(&root, "Secret", JSON_OPTIONAL, &secret, NULL);
                if (secret[0] != '\0') {
                        bool token = str_eq(user, "<token>");

                        ret->kind = token ? PULL_SECRET_IDENTITY : PULL_SECRET_PASSWORD;
                        r = str_copy(ret->user, sizeof(ret->user), token ? "" : user);
                        if (r == 0)
                                r = str_copy(ret->secret, sizeof(ret->secret), secret);
                        if (r < 0)
                                (void)error_set(err, r, "use what 'docker-credential-%s' says",
                                                helper);
                }
        }
        if (said.data)
                explicit_bzero(said.data, said.size);
        buf_release(&said);
        return r;
}

static int look_in(const char *path, const char *host, const char *repository,
                   struct credential *ret, struct coffer_error *err)
{
        struct buf text = BUF_INIT(FILE_MAX_BYTES);
        struct credential asked = {.kind = PULL_SECRET_NONE};
        char helper[CREDENTIAL_HELPER_MAX] = "";
        int r = buf_read_file(&text, AT_FDCWD, path);

        if (r == -ENOENT || r == -ENOTDIR || (r == 0 && text.size == 0)) {
                buf_release(&text);
                return 0;
        }
        if (r < 0)
                (void)error_set(err, r, "read '%s'", path);
        else {
                r = credential_parse(text.data, text.size, host, repository, ret, helper, err);
                if (r < 0)
                        (void)error_wrap(err, r, "'%s'", path);
        }
        if (text.data)
                explicit_bzero(text.data, text.size);
        buf_release(&text);
        if (r == 0 && helper[0] != '\0') {
                r = ask_helper(helper, host, &asked, err);
                if (r == 0 && asked.kind != PULL_SECRET_NONE)
                        *ret = asked;
                explicit_bzero(&asked, sizeof(asked));
        }
        return r;
}

int credential_find(const char *host, const char *repository, struct credential *ret,
                    struct coffer_error *err)
{
        char path[PATH_MAX];
        int r = 0;

        *ret = (struct credential){.kind = PULL_SECRET_NONE};
        for (unsigned i = 0; r == 0 && i < FILES && ret->kind == PULL_SECRET_NONE; i++) {
                r = nth_file(i, path);
                if (r == 0 && path[0] != '\0')
                        r = look_in(path, host, repository, ret, err);
        }
        return r;
}

/* ----------------------------------------------------------------------------------- changing */

static int own_file(char path[PATH_MAX], struct coffer_error *err)
{
        int r = nth_file(0, path);

        if (r == 0 && path[0] == '\0')
                r = docker_file(path);
        if (r < 0)
                return error_set(err, r, "find the file for credentials");
        if (path[0] == '\0') {
                r = error_say(err, -ENOENT, COFFER_ERROR_USAGE,
                              "there is no place for credentials: HOME is not set");
                error_hint(err, "set REGISTRY_AUTH_FILE to a file");
        }
        return r;
}

/* Its directory is made, for the user alone. */
static int open_dir_of(char *path, const char **ret_name)
{
        char *slash = strrchr(path, '/');
        int fd;

        *ret_name = slash ? slash + 1 : path;
        if (!slash)
                return sys_open(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
        return fd;
}

static int helper_store(const char *helper, const char *host, const struct credential *c,
                        struct coffer_error *err)
{
        struct buf in = BUF_INIT(4 * PULL_SECRET_MAX), out = BUF_INIT(PULL_SECRET_MAX);
        int r;

        (void)buf_append_str(&in, "{\"ServerURL\":");
        (void)buf_append_json(&in, server_of(host));
        (void)buf_append_str(&in, ",\"Username\":");
        (void)buf_append_json(&in, c->user);
        (void)buf_append_str(&in, ",\"Secret\":");
        (void)buf_append_json(&in, c->secret);
        r = buf_append_str(&in, "}");
        r = r < 0 ? error_set(err, r, "keep the credential")
                  : helper_run(helper, "store", in.data, in.size, &out, err);
        if (r == 0 && out.size > 0) /* it says something only when it did not work */
                r = error_say(err, -EIO, COFFER_ERROR_HOST,
                              "'docker-credential-%s' did not keep the credential", helper);
        if (in.data)
                explicit_bzero(in.data, in.size);
        buf_release(&in);
        buf_release(&out);
        return r;
}

static int encode(const struct credential *c, struct buf *to, struct coffer_error *err)
{
        struct buf pair = BUF_INIT(2 * PULL_SECRET_MAX);
        int r = buf_printf(&pair, "%s:%s", c->user, c->secret);

        if (r == 0)
                r = base64_encode(pair.data, to);
        if (pair.data)
                explicit_bzero(pair.data, pair.size);
        buf_release(&pair);
        return r < 0 ? error_set(err, r, "keep the credential") : 0;
}

/* @auth NULL: take it out; 1 when there was one before. */
static int change(char *path, const char *host, const char *auth, struct coffer_error *err)
{
        struct buf text = BUF_INIT(FILE_MAX_BYTES), changed = BUF_INIT(FILE_MAX_BYTES);
        cleanup_close int dir_fd = -EBADF;
        char whole[PATH_MAX];
        const char *name;
        bool had = false;
        int r;

        (void)str_copy(whole, sizeof(whole), path);
        dir_fd = open_dir_of(path, &name);
        if (strlen(name) > FILE_NAME_MAX)
                r = -ENAMETOOLONG;
        else
                r = dir_fd < 0 ? dir_fd : buf_read_file(&text, dir_fd, name);
        if (r == -ENOENT && dir_fd >= 0)
                r = 0;
        if (r < 0)
                (void)error_set(err, r, "read '%s'", whole);
        if (r == 0) {
                r = credential_edit(text.data ? text.data : "", text.size, host, auth, &changed,
                                    &had, err);
                if (r < 0)
                        (void)error_wrap(err, r, "'%s'", whole);
        }
        if (r == 0 && (auth || had)) {
                r = file_replace(dir_fd, name, changed.data, changed.size, FILE_SYNC);
                if (r < 0)
                        (void)error_set(err, r, "write '%s'", whole);
        }
        if (text.data)
                explicit_bzero(text.data, text.size);
        if (changed.data)
                explicit_bzero(changed.data, changed.size);
        buf_release(&text);
        buf_release(&changed);
        return r < 0 ? r : had;
}

/* The helper that the file names for the registry, or "". */
static int helper_of(const char *path, const char *host, char *ret_helper, struct coffer_error *err)
{
        struct buf text = BUF_INIT(FILE_MAX_BYTES);
        struct credential c;
        int r = buf_read_file(&text, AT_FDCWD, path);

        ret_helper[0] = '\0';
        if (r == -ENOENT || r == -ENOTDIR || (r == 0 && text.size == 0))
                r = 0;
        else if (r < 0)
                (void)error_set(err, r, "read '%s'", path);
        else {
                r = credential_parse(text.data, text.size, host, "", &c, ret_helper, err);
                if (r < 0)
                        (void)error_wrap(err, r, "'%s'", path);
                explicit_bzero(&c, sizeof(c));
        }
        if (text.data)
                explicit_bzero(text.data, text.size);
        buf_release(&text);
        return r;
}

int credential_store(const char *host, const struct credential *c, char *ret_where,
                     struct coffer_error *err)
{
        struct buf auth = BUF_INIT(4 * PULL_SECRET_MAX);
        char path[PATH_MAX], helper[CREDENTIAL_HELPER_MAX];
        int r = own_file(path, err);

        if (r == 0)
                r = helper_of(path, host, helper, err);
        if (r < 0)
                return r;
        if (helper[0] != '\0') {
                (void)snprintf(ret_where, PATH_MAX, "docker-credential-%s", helper);
                return helper_store(helper, host, c, err);
        }
        (void)str_copy(ret_where, PATH_MAX, path);
        r = encode(c, &auth, err);
        if (r == 0)
                r = change(path, host, auth.data, err);
        if (auth.data)
                explicit_bzero(auth.data, auth.size);
        buf_release(&auth);
        return r < 0 ? r : 0;
}

int credential_erase(const char *host, char *ret_where, struct coffer_error *err)
{
        struct buf out = BUF_INIT(PULL_SECRET_MAX);
        char path[PATH_MAX], helper[CREDENTIAL_HELPER_MAX];
        const char *server = server_of(host);
        int r = own_file(path, err);

        if (r == 0)
                r = helper_of(path, host, helper, err);
        if (r < 0)
                return r;
        if (helper[0] != '\0') {
                (void)snprintf(ret_where, PATH_MAX, "docker-credential-%s", helper);
                r = helper_run(helper, "erase", server, strlen(server), &out, err);
                buf_release(&out);
                return r;
        }
        (void)str_copy(ret_where, PATH_MAX, path);
        r = change(path, host, NULL, err);
        if (r == 0)
                return error_say(err, -ENOENT, COFFER_ERROR_OTHER, "'%s' has no credential for %s",
                                 ret_where, host);
        return r < 0 ? r : 0;
}
