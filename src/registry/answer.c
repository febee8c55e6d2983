/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "registry/transfer.h"

#define RETRY_MAX_S 3600

void answer_reset(struct answer *a)
{
        buf_release(&a->words);
        *a = (struct answer){.range_start = UINT64_MAX, .words = BUF_INIT(WORDS_MAX_BYTES)};
}

static void take_ask(struct answer *a, const char *value, size_t size)
{
        struct challenge ask;
        int r = challenge_parse(value, size, &ask);

        if (r == -EBADMSG)
                a->bad_ask = true;
        if (r < 0 || (a->has_ask && ask.scheme <= a->ask.scheme))
                return;
        a->ask = ask;
        a->has_ask = true;
}

static void take_location(struct answer *a, const char *value, size_t size)
{
        if (size >= sizeof(a->location) || memchr(value, '\0', size))
                return; /* as if it were not there: then the redirect leads nowhere */
        memcpy(a->location, value, size);
        a->location[size] = '\0';
}

/* "bytes 100-199/200" */
static void take_range(struct answer *a, const char *value, size_t size)
{
        char text[64];
        uint64_t start;

        if (size >= sizeof(text) || size < 6 || strncasecmp(value, "bytes ", 6) != 0)
                return;
        memcpy(text, value + 6, size - 6);
        text[size - 6] = '\0';
        text[strcspn(text, "-")] = '\0';
        if (str_to_u64(text, INT64_MAX, &start) == 0)
                a->range_start = start;
}

static void take_retry(struct answer *a, const char *value, size_t size)
{
        char text[16];
        uint64_t seconds;

        if (size >= sizeof(text))
                return; /* a date: our own back-off will do */
        memcpy(text, value, size);
        text[size] = '\0';
        if (str_to_u64(text, RETRY_MAX_S, &seconds) == 0)
                a->retry_s = (unsigned)seconds;
}

static const struct {
        const char *name;
        void (*take)(struct answer *a, const char *value, size_t size);
} headers[] = {
        {"www-authenticate:", take_ask     },
        {"location:",         take_location},
        {"content-range:",    take_range   },
        {"retry-after:",      take_retry   },
};

int answer_header(struct answer *a, const char *line, size_t size)
{
        if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
                size_t bytes = a->bytes;

                answer_reset(a); /* the one before was "100 Continue" or a proxy's */
                a->bytes = bytes;
        }
        a->bytes += size;
        if (a->bytes > HEADERS_MAX_BYTES)
                return -E2BIG;
        for (size_t i = 0; i < ELEMENTS(headers); i++) {
                size_t name = strlen(headers[i].name);
                const char *value = line + name, *end = line + size;

                if (size < name || strncasecmp(line, headers[i].name, name) != 0)
                        continue;
                while (value < end && (*value == ' ' || *value == '\t'))
                        value++;
                while (end > value && strchr(" \t\r\n", end[-1]) && end[-1] != '\0')
                        end--;
                headers[i].take(a, value, (size_t)(end - value));
        }
        return 0;
}

void words_printable(char *to, size_t size, const char *from)
{
        size_t used = 0;

        for (; *from && used + 1 < size; from++)
                if ((unsigned char)*from >= ' ' && (unsigned char)*from < 0x7f)
                        to[used++] = *from;
        to[used] = '\0';
}

void words_of_registry(const struct buf *body, char *to, size_t size)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        const char *message = "";
        struct json_value root, errors, first;

        to[0] = '\0';
        if (body->size == 0 || json_parse(body->data, body->size, NULL, &doc, NULL) < 0)
                return;
        root = json_root(doc);
        errors = json_member(&root, "errors");
        first = json_item(&errors, 0);
        (void)json_get_string(&first, "message", JSON_OPTIONAL, &message, NULL);
        words_printable(to, size, message);
}
