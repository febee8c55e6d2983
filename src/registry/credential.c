/* SPDX-License-Identifier: Apache-2.0 */
/* The text of config.json and auth.json: foreign enough, since other programs write it. */
#include "registry/credential.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "spec/base64.h"

/* How a key of auths spells a registry: with a scheme, with the path of an API, or bare. */
static size_t bare_key(const char *key, const char **ret_at)
{
        static const char *const schemes[] = {"https://", "http://"};
        static const char *const apis[] = {"/v1/", "/v2/", "/v1", "/v2", "/"};
        size_t size;

        for (size_t i = 0; i < ELEMENTS(schemes); i++)
                if (str_after(key, schemes[i]))
                        key = str_after(key, schemes[i]);
        size = strlen(key);
        for (size_t i = 0; i < ELEMENTS(apis); i++) {
                size_t n = strlen(apis[i]);

                if (size > n && memcmp(key + size - n, apis[i], n) == 0) {
                        size -= n;
                        break;
                }
        }
        *ret_at = key;
        return size;
}

/* How much of host/repository the key says; 0: it is another's. */
static size_t matches(const char *key, const char *host, const char *repository)
{
        const char *at;
        size_t size = bare_key(key, &at), length = strlen(host);

        if (str_eq(host, "docker.io") && size >= 15 && memcmp(at, "index.docker.io", 15) == 0) {
                at += strlen("index.");
                size -= strlen("index.");
        }
        if (size < length || memcmp(at, host, length) != 0)
                return 0;
        if (size == length)
                return length;
        if (at[length] != '/')
                return 0;
        at += length + 1;
        size -= length + 1;
        if (strlen(repository) < size || memcmp(at, repository, size) != 0 ||
            (repository[size] != '\0' && repository[size] != '/'))
                return 0;
        return length + 1 + size;
}

static int take(char *to, size_t size, const char *from)
{
        for (const char *p = from; *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        return -EINVAL; /* it becomes part of a header */
        return str_copy(to, size, from);
}

static int read_pair(const char *auth, struct credential *c)
{
        char *pair = NULL, *colon;
        int r = base64_decode(auth, &pair);

        if (r < 0)
                return r;
        colon = strchr(pair, ':');
        if (colon)
                *colon = '\0';
        r = colon ? take(c->user, sizeof(c->user), pair) : -EINVAL;
        if (r == 0)
                r = take(c->secret, sizeof(c->secret), colon + 1);
        if (r == 0)
                c->kind = PULL_SECRET_PASSWORD;
        explicit_bzero(pair, strlen(pair));
        if (colon)
                explicit_bzero(colon + 1, strlen(colon + 1));
        free(pair);
        return r;
}

static int read_entry(const struct json_value *entry, struct credential *ret)
{
        static const struct {
                const char *key;
                enum pull_secret kind;
        } tokens[] = {
                {"identitytoken", PULL_SECRET_IDENTITY},
                {"registrytoken", PULL_SECRET_BEARER  },
        };
        struct credential c = {.kind = PULL_SECRET_NONE};
        const char *auth = "", *user = "", *password = "";
        int r = 0;

        (void)json_get_string(entry, "auth", JSON_OPTIONAL, &auth, NULL);
        (void)json_get_string(entry, "username", JSON_OPTIONAL, &user, NULL);
        (void)json_get_string(entry, "password", JSON_OPTIONAL, &password, NULL);
        if (auth[0] != '\0')
                r = read_pair(auth, &c);
        else if (user[0] != '\0') {
                r = take(c.user, sizeof(c.user), user);
                if (r == 0)
                        r = take(c.secret, sizeof(c.secret), password);
                c.kind = PULL_SECRET_PASSWORD;
        }
        for (size_t i = 0; r == 0 && i < ELEMENTS(tokens); i++) {
                const char *token = "";

                (void)json_get_string(entry, tokens[i].key, JSON_OPTIONAL, &token, NULL);
                if (token[0] == '\0')
                        continue;
                r = take(c.secret, sizeof(c.secret), token);
                c.kind = tokens[i].kind;
        }
        if (r == 0)
                *ret = c;
        explicit_bzero(&c, sizeof(c));
        return r < 0 ? -EINVAL : 0;
}

/* It becomes part of a program's name. */
static int take_helper(const char *name, char *ret_helper)
{
        if (name[0] == '\0' || name[0] == '.' || name[0] == '-' ||
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
                    strlen(name))
                return -EINVAL;
        return str_copy(ret_helper, CREDENTIAL_HELPER_MAX, name);
}

static int find_helper(const struct json_value *root, const char *host, char *ret_helper)
{
        struct json_value helpers = json_member(root, "credHelpers"), member;
        const char *name = NULL;
        void *iter = NULL;

        ret_helper[0] = '\0';
        (void)json_get_string(root, "credsStore", JSON_OPTIONAL, &name, NULL);
        while (json_next(&helpers, &iter, &member))
                if (matches(member.key, host, "") > 0)
                        (void)json_to_string(&member, JSON_OPTIONAL, &name, NULL);
        return name && name[0] != '\0' ? take_helper(name, ret_helper) : 0;
}

/* Never with the parser's own words: they quote what stands there. */
static int parse(const char *text, size_t size, struct json_t **ret_doc, struct coffer_error *err)
{
        struct json_value root;
        int r = json_parse(text, size, NULL, ret_doc, NULL);

        if (r < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "it is not JSON");
        root = json_root(*ret_doc);
        if (json_want_object(&root, JSON_REQUIRED, NULL) < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "it is not a JSON object");
        return 0;
}

int credential_parse(const char *text, size_t size, const char *host, const char *repository,
                     struct credential *ret, char *ret_helper, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root, auths, member;
        void *iter = NULL;
        size_t best = 0;
        int r = parse(text, size, &doc, err);

        *ret = (struct credential){.kind = PULL_SECRET_NONE};
        if (r < 0)
                return r;
        root = json_root(doc);
        if (find_helper(&root, host, ret_helper) < 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "it names a helper that can be none");
        auths = json_member(&root, "auths");
        while (json_next(&auths, &iter, &member)) {
                size_t said = matches(member.key, host, repository);

                if (said <= best)
                        continue;
                if (read_entry(&member, ret) < 0)
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "its entry for %s cannot be read", host);
                best = said;
        }
        return 0;
}

static void put_member(struct buf *to, const char *key, const char *value)
{
        if (to->size > 0 && to->data[to->size - 1] != '{')
                (void)buf_append_str(to, ",");
        (void)buf_append_json(to, key);
        (void)buf_append_str(to, ":");
        (void)buf_append_str(to, value);
}

static void copy_member(struct buf *to, const struct json_value *member)
{
        struct buf value = BUF_INIT(JSON_MAX_BYTES);

        if (json_write(member, 0, &value) < 0)
                to->failed = value.failed < 0 ? value.failed : -ENOMEM;
        else
                put_member(to, member->key, value.data);
        buf_release(&value);
}

static void edit_auths(const struct json_value *auths, const char *host, const char *auth,
                       struct buf *to, bool *had)
{
        const char *key = str_eq(host, "docker.io") ? "https://index.docker.io/v1/" : host;
        struct json_value member;
        void *iter = NULL;

        (void)buf_append_str(to, "{");
        while (json_next(auths, &iter, &member)) {
                if (matches(member.key, host, "") > 0)
                        *had = true;
                else
                        copy_member(to, &member);
        }
        if (auth) {
                struct buf entry = BUF_INIT(2 * PULL_SECRET_MAX);

                (void)buf_append_str(&entry, "{\"auth\":");
                (void)buf_append_json(&entry, auth);
                (void)buf_append_str(&entry, "}");
                if (entry.failed < 0)
                        to->failed = entry.failed;
                else
                        put_member(to, key, entry.data);
                buf_release(&entry);
        }
        (void)buf_append_str(to, "}");
}

static int write_pretty(const struct buf *flat, struct buf *to)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;
        int r = flat->failed;

        if (r == 0)
                r = json_parse(flat->data, flat->size, NULL, &doc, NULL);
        if (r < 0)
                return r;
        root = json_root(doc);
        r = json_write(&root, 8, to);
        return r < 0 ? r : buf_append_str(to, "\n");
}

int credential_edit(const char *text, size_t size, const char *host, const char *auth,
                    struct buf *to, bool *ret_had, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct buf flat = BUF_INIT(JSON_MAX_BYTES), auths_text = BUF_INIT(JSON_MAX_BYTES);
        struct json_value root, auths, member;
        bool had = false;
        void *iter = NULL;
        int r = parse(size > 0 ? text : "{}", size > 0 ? size : 2, &doc, err);

        if (r < 0)
                return r;
        root = json_root(doc);
        auths = json_member(&root, "auths");
        edit_auths(&auths, host, auth, &auths_text, &had);
        (void)buf_append_str(&flat, "{");
        while (json_next(&root, &iter, &member))
                if (!str_eq(member.key, "auths"))
                        copy_member(&flat, &member);
        if (auths_text.failed < 0)
                flat.failed = auths_text.failed;
        else
                put_member(&flat, "auths", auths_text.data);
        (void)buf_append_str(&flat, "}");
        r = write_pretty(&flat, to);
        buf_release(&auths_text);
        buf_release(&flat);
        if (r < 0)
                return error_set(err, r, "change it");
        if (ret_had)
                *ret_had = had;
        return 0;
}
