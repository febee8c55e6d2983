/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Structs with nested lists: deeper than this no table goes. */
#define DEPTH_MAX 4

struct reader {
        const uint8_t *at;
        size_t left;
};

static void *field_at(const struct wire_field *f, void *message)
{
        return (char *)message + f->offset;
}

static int put_u32(struct buf *to, uint32_t v)
{
        uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

        return buf_append(to, b, sizeof(b));
}

static int put_u64(struct buf *to, uint64_t v)
{
        (void)put_u32(to, (uint32_t)v);
        return put_u32(to, (uint32_t)(v >> 32));
}

static int put_str(struct buf *to, const char *s, uint32_t max)
{
        size_t n = s ? strlen(s) : 0;

        if (n > max)
                return -E2BIG;
        (void)put_u32(to, (uint32_t)n);
        (void)buf_append(to, s ? s : "", n);
        return buf_append(to, "", 1);
}

static int put_strv(struct buf *to, const struct strv *v, uint32_t max)
{
        int r;

        if (v->count > max)
                return -E2BIG;
        r = put_u32(to, (uint32_t)v->count);
        for (size_t i = 0; r == 0 && i < v->count; i++)
                r = put_str(to, v->items[i], WIRE_STR_MAX);
        return r;
}

static int put_list(struct buf *to, const struct wire_field *f, const struct wire_list *list)
{
        int r;

        if (list->count > f->max)
                return -E2BIG;
        r = put_u32(to, (uint32_t)list->count);
        for (size_t i = 0; r == 0 && i < list->count; i++)
                r = wire_encode(to, f->item, (char *)list->items + i * f->item->struct_bytes);
        return r;
}

static int put_bytes(struct buf *to, const struct buf *b, uint32_t max)
{
        if (b->size > max)
                return -E2BIG;
        (void)put_u32(to, (uint32_t)b->size);
        return buf_append(to, b->data, b->size);
}

static int put_field(struct buf *to, const struct wire_field *f, const void *at)
{
        switch (f->kind) {
        case WIRE_U32:
                return put_u32(to, *(const uint32_t *)at);
        case WIRE_U64:
                return put_u64(to, *(const uint64_t *)at);
        case WIRE_STR:
                return put_str(to, *(char *const *)at, f->max);
        case WIRE_BYTES:
                return put_bytes(to, at, f->max);
        case WIRE_STRV:
                return put_strv(to, at, f->max);
        case WIRE_LIST:
                return put_list(to, f, at);
        }
        return -EINVAL;
}

int wire_encode(struct buf *to, const struct wire_table *table, const void *message)
{
        for (size_t i = 0; i < table->field_count; i++) {
                const struct wire_field *f = &table->fields[i];
                int r = put_field(to, f, (const char *)message + f->offset);

                if (r < 0)
                        return r;
        }
        return to->failed;
}

/* The end of the data before a field begins is "zero"; inside a field it is an error. */
static int get_u32(struct reader *in, uint32_t *ret)
{
        if (in->left < 4)
                return -EBADMSG;
        *ret = (uint32_t)in->at[0] | (uint32_t)in->at[1] << 8 | (uint32_t)in->at[2] << 16 |
               (uint32_t)in->at[3] << 24;
        in->at += 4;
        in->left -= 4;
        return 0;
}

static int get_u64(struct reader *in, uint64_t *ret)
{
        uint32_t low, high;

        if (get_u32(in, &low) < 0 || get_u32(in, &high) < 0)
                return -EBADMSG;
        *ret = (uint64_t)high << 32 | low;
        return 0;
}

static int get_str(struct reader *in, uint32_t max, char **ret)
{
        uint32_t n;
        char *s;

        if (get_u32(in, &n) < 0 || n > max || in->left < (size_t)n + 1)
                return -EBADMSG;
        if (memchr(in->at, '\0', (size_t)n + 1) != in->at + n)
                return -EBADMSG;
        s = strdup((const char *)in->at);
        if (!s)
                return -ENOMEM;
        in->at += (size_t)n + 1;
        in->left -= (size_t)n + 1;
        *ret = s;
        return 0;
}

static int get_bytes(struct reader *in, uint32_t max, struct buf *b)
{
        uint32_t n;
        int r;

        if (get_u32(in, &n) < 0 || n > max || in->left < n)
                return -EBADMSG;
        *b = BUF_INIT(max);
        r = buf_append(b, in->at, n);
        in->at += n;
        in->left -= n;
        return r;
}

static int get_strv(struct reader *in, uint32_t max, struct strv *v)
{
        uint32_t count;
        int r = get_u32(in, &count);

        if (r < 0 || count > max || count > in->left / 5)
                return -EBADMSG;
        while (r == 0 && count-- > 0) {
                char *s = NULL;

                r = get_str(in, WIRE_STR_MAX, &s);
                if (r == 0)
                        r = strv_take(v, s);
        }
        return r;
}

static int get_message(struct reader *in, const struct wire_table *table, void *message, int depth);

static int get_list(struct reader *in, const struct wire_field *f, struct wire_list *list,
                    int depth)
{
        uint32_t count;
        int r = get_u32(in, &count);

        if (r < 0 || count > f->max || depth >= DEPTH_MAX)
                return -EBADMSG;
        /* Each item takes at least a byte: a forged count allocates no more than was sent. */
        if (count > in->left)
                return -EBADMSG;
        if (count == 0)
                return 0;
        list->items = calloc(count, f->item->struct_bytes);
        if (!list->items)
                return -ENOMEM;
        /* Counted before it is filled, so that a half-filled one is released too. */
        while (r == 0 && list->count < count)
                r = get_message(in, f->item,
                                (char *)list->items + list->count++ * f->item->struct_bytes,
                                depth + 1);
        return r;
}

static int get_field(struct reader *in, const struct wire_field *f, void *at, int depth)
{
        switch (f->kind) {
        case WIRE_U32:
                return get_u32(in, at);
        case WIRE_U64:
                return get_u64(in, at);
        case WIRE_STR:
                return get_str(in, f->max, at);
        case WIRE_BYTES:
                return get_bytes(in, f->max, at);
        case WIRE_STRV:
                return get_strv(in, f->max, at);
        case WIRE_LIST:
                return get_list(in, f, at, depth);
        }
        return -EBADMSG;
}

/* All is zero already; only strings are never NULL. */
static int set_absent(const struct wire_field *f, void *at)
{
        if (f->kind != WIRE_STR)
                return 0;
        *(char **)at = strdup("");
        return *(char **)at ? 0 : -ENOMEM;
}

static int get_message(struct reader *in, const struct wire_table *table, void *message, int depth)
{
        for (size_t i = 0; i < table->field_count; i++) {
                const struct wire_field *f = &table->fields[i];
                int r;

                if (in->left > 0)
                        r = get_field(in, f, field_at(f, message), depth);
                else if (depth > 0)
                        r = -EBADMSG; /* items of a list are whole */
                else
                        r = set_absent(f, field_at(f, message));
                if (r < 0)
                        return r;
        }
        return 0;
}

int wire_decode(const void *data, size_t size, const struct wire_table *table, void *message)
{
        struct reader in = {.at = data, .left = size};
        int r;

        memset(message, 0, table->struct_bytes);
        r = get_message(&in, table, message, 0);
        if (r < 0)
                wire_release(table, message);
        return r;
}

static void release_list(const struct wire_field *f, struct wire_list *list)
{
        for (size_t i = 0; list->items && i < list->count; i++)
                wire_release(f->item, (char *)list->items + i * f->item->struct_bytes);
        free(list->items);
        *list = (struct wire_list){0};
}

static void release_field(const struct wire_field *f, void *at)
{
        switch (f->kind) {
        case WIRE_STR:
                free(*(char **)at);
                break;
        case WIRE_BYTES:
                buf_release(at);
                break;
        case WIRE_STRV:
                strv_release(at);
                break;
        case WIRE_LIST:
                release_list(f, at);
                break;
        case WIRE_U32:
        case WIRE_U64:
                break;
        }
}

void wire_release(const struct wire_table *table, void *message)
{
        for (size_t i = 0; i < table->field_count; i++)
                release_field(&table->fields[i], field_at(&table->fields[i], message));
        memset(message, 0, table->struct_bytes);
}
