/* SPDX-License-Identifier: Apache-2.0 */
#include "image/name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "image/message.h"

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM  DIGITS LOWER
#define TOTAL_MAX \
        255 /* of host and repository together; one directory of the store has this name */

static int refuse(struct coffer_error *err, const char *text, const char *why, const char *hint)
{
        int r = error_say(err, -EINVAL, COFFER_ERROR_USAGE, "image '%.160s' %s", text, why);

        if (hint)
                error_hint(err, "%s", hint);
        return r;
}

static int check_port(const char *port)
{
        uint64_t number;
        int r = str_to_u64(port, 65535, &number);

        return r < 0 || number == 0 || port[0] == '0' ? -EINVAL : 0;
}

static int check_address6(const char *host)
{
        size_t size = strspn(host + 1, DIGITS "abcdefABCDEF:.");

        if (size < 2 || host[1 + size] != ']')
                return -EINVAL;
        host += size + 2;
        return *host == '\0' ? 0 : *host == ':' ? check_port(host + 1) : -EINVAL;
}

int name_check_host(const char *host)
{
        const char *at = host;

        if (*at == '[')
                return check_address6(at);
        do {
                size_t size = strspn(at, ALNUM UPPER "-");

                if (size == 0 || *at == '-' || at[size - 1] == '-')
                        return -EINVAL;
                at += size;
        } while (*at == '.' && *++at);
        if (*at == ':')
                return check_port(at + 1);
        return *at == '\0' && at > host && at[-1] != '.' ? 0 : -EINVAL;
}

/* Letters and digits with single separators between them: '.', '_', '__' or any number of '-'. */
static int check_component(const char *at, size_t size)
{
        const char *end = at + size;

        for (;;) {
                size_t n = strspn(at, ALNUM);

                if (n == 0 || at >= end)
                        return -EINVAL;
                at += n;
                if (at >= end)
                        return 0;
                if (*at == '-')
                        at += strspn(at, "-");
                else if (at[0] == '_' && at[1] == '_')
                        at += 2;
                else if (*at == '_' || *at == '.')
                        at++;
                else
                        return -EINVAL;
        }
}

static int check_repository(const char *repository)
{
        const char *at = repository;

        for (;;) {
                size_t size = strcspn(at, "/");

                if (check_component(at, size) < 0)
                        return -EINVAL;
                if (at[size] == '\0')
                        return 0;
                at += size + 1;
        }
}

static int check_tag(const char *tag)
{
        size_t size = strlen(tag);

        return size == 0 || size > 128 || tag[0] == '.' || tag[0] == '-' ||
                               strspn(tag, ALNUM UPPER "_.-") != size
                       ? -EINVAL
                       : 0;
}

static bool is_host(const char *text, size_t size)
{
        if (size == strlen("localhost") && memcmp(text, "localhost", size) == 0)
                return true;
        for (size_t i = 0; i < size; i++)
                if (text[i] == '.' || text[i] == ':' || (text[i] >= 'A' && text[i] <= 'Z'))
                        return true;
        return false;
}

/* "@sha256:…" and ":tag" off the end of @rest. */
static int cut_ends(char *rest, struct image_name *n, const char *text, struct coffer_error *err)
{
        char *at = strchr(rest, '@'), *colon;

        if (at) {
                const char *hex = str_after(at + 1, "sha256:");

                if (!hex || !image_is_digest(hex))
                        return refuse(err, text, "has a digest that is not sha256 in hex",
                                      "write @sha256: and 64 digits");
                (void)str_copy(n->digest, sizeof(n->digest), hex);
                *at = '\0';
        }
        colon = strrchr(rest, ':');
        if (colon && !strchr(colon, '/')) {
                if (check_tag(colon + 1) < 0)
                        return refuse(err, text, "has a tag that can be none",
                                      "tags are letters, digits, '_', '.' and '-', at most 128");
                (void)str_copy(n->tag, sizeof(n->tag), colon + 1);
                *colon = '\0';
        }
        if (n->tag[0] == '\0' && n->digest[0] == '\0')
                (void)str_copy(n->tag, sizeof(n->tag), "latest");
        return 0;
}

int name_parse(const char *text, struct image_name *ret_name, struct coffer_error *err)
{
        static const char form[] = "write it as [HOST[:PORT]/]NAME[:TAG], all in small letters";
        const char *bare = str_after(text, "docker://");
        struct image_name n = {0};
        char rest[NAME_TEXT_MAX];
        const char *library;
        size_t first;
        int r;

        if (str_copy(rest, sizeof(rest), bare ? bare : text) < 0)
                return refuse(err, text, "has a name that is too long", NULL);
        first = strcspn(rest, "/");
        if (rest[first] == '/' && is_host(rest, first)) {
                if (first >= sizeof(n.host))
                        return refuse(err, text, "has a name that is too long", NULL);
                memcpy(n.host, rest, first);
                memmove(rest, rest + first + 1, strlen(rest + first + 1) + 1);
        } else {
                (void)str_copy(n.host, sizeof(n.host), "docker.io");
        }
        if (name_check_host(n.host) < 0)
                return refuse(err, text, "names a registry that cannot be one", form);
        if (str_eq(n.host, "index.docker.io"))
                (void)str_copy(n.host, sizeof(n.host), "docker.io");
        r = cut_ends(rest, &n, text, err);
        if (r < 0)
                return r;
        if (check_repository(rest) < 0)
                return refuse(err, text, "has a name that can be none", form);
        /* Docker's own images are shown without their "library/". */
        library = str_eq(n.host, "docker.io") ? str_after(rest, "library/") : NULL;
        if (image_is_digest(library ? library : rest))
                return refuse(err, text, "looks like an id, and names are no ids", NULL);
        r = snprintf(n.repository, sizeof(n.repository), "%s%s",
                     str_eq(n.host, "docker.io") && !strchr(rest, '/') ? "library/" : "", rest);
        if (r >= (int)sizeof(n.repository) || strlen(n.host) + 1 + (size_t)r > TOTAL_MAX)
                return refuse(err, text, "has a name that is too long", NULL);
        *ret_name = n;
        return 0;
}

void name_repository(const struct image_name *name, char *to)
{
        const char *library = str_after(name->repository, "library/");

        if (!str_eq(name->host, "docker.io"))
                (void)snprintf(to, NAME_TEXT_MAX, "%s/%s", name->host, name->repository);
        else
                (void)snprintf(to, NAME_TEXT_MAX, "%s",
                               library && !strchr(library, '/') ? library : name->repository);
}

void name_format(const struct image_name *name, char *to)
{
        size_t used;

        name_repository(name, to);
        used = strlen(to);
        if (name->tag[0] != '\0')
                (void)snprintf(to + used, NAME_TEXT_MAX - used, ":%s", name->tag);
        else
                (void)snprintf(to + used, NAME_TEXT_MAX - used, "@sha256:%s", name->digest);
}
