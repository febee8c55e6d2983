/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/emit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void begin(struct buf *to, const char *key)
{
        char last = to->size > 0 ? to->data[to->size - 1] : '{';

        if (last != '{' && last != '[')
                (void)buf_append(to, ",", 1);
        if (key) {
                (void)buf_append_json(to, key);
                (void)buf_append(to, ":", 1);
        }
}

void emit_open(struct buf *to, const char *key, char bracket)
{
        begin(to, key);
        (void)buf_append(to, &bracket, 1);
}

void emit_close(struct buf *to, char bracket)
{
        (void)buf_append(to, &bracket, 1);
}

void emit_str(struct buf *to, const char *key, const char *value)
{
        begin(to, key);
        (void)buf_append_json(to, value ? value : "");
}

void emit_bool(struct buf *to, const char *key, bool value)
{
        begin(to, key);
        (void)buf_append_str(to, value ? "true" : "false");
}

void emit_u64(struct buf *to, const char *key, uint64_t value)
{
        begin(to, key);
        (void)buf_printf(to, "%" PRIu64, value);
}

void emit_i64(struct buf *to, const char *key, int64_t value)
{
        begin(to, key);
        (void)buf_printf(to, "%" PRIi64, value);
}

void emit_null(struct buf *to, const char *key)
{
        begin(to, key);
        (void)buf_append_str(to, "null");
}

void emit_time(struct buf *to, const char *key, uint64_t time_ns)
{
        time_t seconds = (time_t)(time_ns / 1000000000U);
        char day[64], text[96];
        struct tm tm;

        if (time_ns == 0 || !gmtime_r(&seconds, &tm) ||
            strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
                emit_str(to, key, "0001-01-01T00:00:00Z");
                return;
        }
        (void)snprintf(text, sizeof(text), "%s.%09" PRIu64 "Z", day, time_ns % 1000000000U);
        emit_str(to, key, text);
}

void emit_strv(struct buf *to, const char *key, const struct strv *list)
{
        emit_open(to, key, '[');
        for (size_t i = 0; i < list->count; i++)
                emit_str(to, NULL, list->items[i]);
        emit_close(to, ']');
}

void emit_pairs(struct buf *to, const char *key, const struct strv *list)
{
        emit_open(to, key, '{');
        for (size_t i = 0; i < list->count; i++) {
                const char *equals = strchr(list->items[i], '=');
                char *name = equals ? strndup(list->items[i], (size_t)(equals - list->items[i]))
                                    : strdup(list->items[i]);

                if (!name) {
                        to->failed = -ENOMEM;
                        return;
                }
                emit_str(to, name, equals ? equals + 1 : "");
                free(name);
        }
        emit_close(to, '}');
}
