/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

struct scan {
        const char *at;
        const char *end;
};

static bool is_token_char(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip(struct scan *s, const char *set)
{
        while (s->at < s->end && *s->at != '\0' && strchr(set, *s->at))
                s->at++;
}

static size_t token(struct scan *s, const char **ret_at)
{
        *ret_at = s->at;
        while (s->at < s->end && is_token_char(*s->at))
                s->at++;
        return (size_t)(s->at - *ret_at);
}

static bool is_word(const char *at, size_t size, const char *word)
{
        return strlen(word) == size && strncasecmp(at, word, size) == 0;
}

/* A value goes to @to, or nowhere when that is NULL; controls have no place in one. */
static int put(char *to, size_t size, size_t *used, char c)
{
        if ((unsigned char)c < ' ' || c == 0x7f)
                return -EBADMSG;
        if (!to)
                return 0;
        if (*used + 1 >= size)
                return -EBADMSG;
        to[(*used)++] = c;
        to[*used] = '\0';
        return 0;
}

static int quoted(struct scan *s, char *to, size_t size)
{
        size_t used = 0;
        int r = 0;

        for (s->at++; r == 0 && s->at < s->end && *s->at != '"'; s->at++) {
                if (*s->at == '\\' && ++s->at == s->end)
                        return -EBADMSG;
                r = put(to, size, &used, *s->at);
        }
        if (r < 0 || s->at == s->end)
                return -EBADMSG;
        s->at++;
        return 0;
}

static int value(struct scan *s, char *to, size_t size)
{
        size_t used = 0, length;
        const char *at;
        int r = 0;

        if (to)
                to[0] = '\0';
        if (s->at < s->end && *s->at == '"')
                return quoted(s, to, size);
        length = token(s, &at);
        for (size_t i = 0; r == 0 && i < length; i++)
                r = put(to, size, &used, at[i]);
        return length == 0 ? -EBADMSG : r;
}

/* NAME=VALUE, …; what is not followed by '=' begins the next challenge. */
static int parameters(struct scan *s, struct challenge *c)
{
        const struct {
                const char *name;
                char *to;
                size_t size;
        } known[] = {
                {"realm",   c->realm,   sizeof(c->realm)  },
                {"service", c->service, sizeof(c->service)},
                {"scope",   c->scope,   sizeof(c->scope)  },
        };

        for (;;) {
                struct scan before;
                const char *name;
                char *to = NULL;
                size_t length, size = 0;

                skip(s, " \t,");
                before = *s;
                length = token(s, &name);
                if (length == 0)
                        return s->at == s->end ? 0 : -EBADMSG;
                skip(s, " \t");
                if (s->at == s->end || *s->at != '=') {
                        *s = before;
                        return 0;
                }
                s->at++;
                skip(s, " \t");
                for (size_t i = 0; i < ELEMENTS(known); i++)
                        if (is_word(name, length, known[i].name)) {
                                to = known[i].to;
                                size = known[i].size;
                        }
                if (to && to[0] != '\0')
                        return -EBADMSG; /* which of the two would it be? */
                if (value(s, to, size) < 0)
                        return -EBADMSG;
        }
}

/* Negotiate and its like may carry one bare token68 instead. */
static void skip_token68(struct scan *s)
{
        struct scan at = *s;
        const char *start;

        while (at.at < at.end && (is_token_char(*at.at) || *at.at == '/'))
                at.at++;
        start = at.at;
        while (at.at < at.end && *at.at == '=')
                at.at++;
        skip(&at, " \t");
        if (start > s->at && (at.at == at.end || *at.at == ','))
                *s = at;
}

int challenge_parse(const char *text, size_t size, struct challenge *ret_challenge)
{
        struct scan s = {.at = text, .end = text + size};
        struct challenge best = {0};

        for (;;) {
                struct challenge c = {0};
                const char *scheme;
                size_t length;

                skip(&s, " \t,");
                if (s.at == s.end)
                        break;
                length = token(&s, &scheme);
                if (length == 0)
                        return -EBADMSG;
                if (is_word(scheme, length, "bearer"))
                        c.scheme = CHALLENGE_BEARER;
                else if (is_word(scheme, length, "basic"))
                        c.scheme = CHALLENGE_BASIC;
                skip(&s, " \t");
                if (!c.scheme)
                        skip_token68(&s);
                if (parameters(&s, &c) < 0)
                        return -EBADMSG;
                if (c.scheme == CHALLENGE_BEARER && c.realm[0] == '\0')
                        return -EBADMSG;
                if (c.scheme > best.scheme)
                        best = c;
        }
        if (!best.scheme)
                return -EPROTONOSUPPORT;
        *ret_challenge = best;
        return 0;
}
