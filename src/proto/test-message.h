/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tests and fuzz targets: messages by their table, whatever they are. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/messages.h"

#define TEST_TYPES_MAX 64

/* Every type that carries something; returns how many. */
static inline size_t message_types(uint16_t types[TEST_TYPES_MAX])
{
        static uint16_t known[TEST_TYPES_MAX]; /* asking for 65,536 of them takes a while */
        static size_t count;

        for (unsigned type = 0; known[0] == 0 && type <= UINT16_MAX; type++)
                if (proto_table((uint16_t)type) && count < TEST_TYPES_MAX)
                        types[count++] = (uint16_t)type;
        if (known[0] == 0)
                memcpy(known, types, sizeof(known[0]) * count);
        memcpy(types, known, sizeof(known[0]) * count);
        return count;
}

/* A message of this table, all zero; on the heap, so that a sanitizer guards its borders. */
static inline void *message_new(const struct wire_table *table)
{
        void *message = calloc(1, table->struct_bytes);

        if (!message)
                abort();
        return message;
}

static inline void message_free(const struct wire_table *table, void *message)
{
        wire_release(table, message);
        free(message);
}

/* No string and NULL in an encoder's input mean the same as "". */
static inline bool strings_equal(const char *a, const char *b)
{
        return strcmp(a ? a : "", b ? b : "") == 0;
}

static inline bool strvs_equal(const struct strv *a, const struct strv *b)
{
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (!strings_equal(a->items[i], b->items[i]))
                        return false;
        return true;
}

static inline bool messages_equal(const struct wire_table *table, const void *a, const void *b);

static inline bool lists_equal(const struct wire_table *item, const struct wire_list *a,
                               const struct wire_list *b)
{
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (!messages_equal(item, (const char *)a->items + i * item->struct_bytes,
                                    (const char *)b->items + i * item->struct_bytes))
                        return false;
        return true;
}

static inline bool fields_equal(const struct wire_field *f, const void *a, const void *b)
{
        const struct buf *x = a, *y = b;

        switch (f->kind) {
        case WIRE_U32:
                return memcmp(a, b, 4) == 0;
        case WIRE_U64:
                return memcmp(a, b, 8) == 0;
        case WIRE_STR:
                return strings_equal(*(char *const *)a, *(char *const *)b);
        case WIRE_BYTES:
                return x->size == y->size &&
                       (x->size == 0 || memcmp(x->data, y->data, x->size) == 0);
        case WIRE_STRV:
                return strvs_equal(a, b);
        case WIRE_LIST:
                return lists_equal(f->item, a, b);
        }
        return false;
}

static inline bool messages_equal(const struct wire_table *table, const void *a, const void *b)
{
        for (size_t i = 0; i < table->field_count; i++) {
                const struct wire_field *f = &table->fields[i];

                if (!fields_equal(f, (const char *)a + f->offset, (const char *)b + f->offset))
                        return false;
        }
        return true;
}

/* What a decoder promises of whatever it accepted: strings are there, buffers within bounds. */
static inline bool message_is_sound(const struct wire_table *table, const void *message)
{
        for (size_t i = 0; i < table->field_count; i++) {
                const struct wire_field *f = &table->fields[i];
                const void *at = (const char *)message + f->offset;
                const struct wire_list *list = at;

                if (f->kind == WIRE_STR &&
                    (!*(char *const *)at || strlen(*(char *const *)at) > f->max))
                        return false;
                if (f->kind == WIRE_BYTES && ((const struct buf *)at)->size > f->max)
                        return false;
                if (f->kind == WIRE_STRV && ((const struct strv *)at)->count > f->max)
                        return false;
                for (size_t j = 0; f->kind == WIRE_LIST && j < list->count; j++)
                        if (!message_is_sound(f->item, (const char *)list->items +
                                                               j * f->item->struct_bytes))
                                return false;
        }
        return true;
}
