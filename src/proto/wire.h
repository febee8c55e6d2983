/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * A message is a C struct and a table of its fields; encoder, decoder and bounds come from the
 * table.  Little-endian, no padding:
 *
 *   u32, u64    4 or 8 bytes
 *   str         u32 length, the bytes, one NUL that the length does not count; no NUL inside
 *   bytes       u32 length, the bytes
 *   strv        u32 count, that many str
 *   list        u32 count, that many nested messages, each without a length
 *
 * A decoder reads exactly its fields; what is missing at the end is zero, so that a newer
 * minor version may append fields, and what is left over is ignored for the same reason.
 */

enum wire_kind {
        WIRE_U32,   /* uint32_t */
        WIRE_U64,   /* uint64_t */
        WIRE_STR,   /* char *, owned; NULL is encoded as empty and decoded as "" */
        WIRE_BYTES, /* struct buf */
        WIRE_STRV,  /* struct strv */
        WIRE_LIST,  /* struct wire_list of structs described by .item */
};

struct wire_table;

/**
 * struct wire_field - one row
 * @name:   for documentation and error texts
 * @kind:   how it is encoded
 * @offset: where it lives in the C struct
 * @max:    largest length (str, bytes) or count (strv, list); STRV items are bounded by
 * WIRE_STR_MAX
 * @item:   for WIRE_LIST
 */
struct wire_field {
        const char *name;
        enum wire_kind kind;
        size_t offset;
        uint32_t max;
        const struct wire_table *item;
};

struct wire_table {
        const char *name;
        size_t struct_bytes;
        const struct wire_field *fields;
        size_t field_count;
};

/**
 * struct wire_list - an array of structs of one kind
 * @items: owned; each item as its table says
 * @count: how many
 */
struct wire_list {
        void *items; /* owned */
        size_t count;
};

#define WIRE_STR_MAX  (256 * 1024)
#define WIRE_LIST_MAX 4096

/** wire_encode() - append @message as @table says; 0, -E2BIG (a field over its maximum) or -ENOMEM
 */
int wire_encode(struct buf *to, const struct wire_table *table, const void *message);

/**
 * wire_decode() - fill @message from @data
 * @message: overwritten; on failure it is left zeroed with nothing owned
 *
 * Return: 0, -EBADMSG (truncated inside a field, over a maximum, NUL inside a string) or -ENOMEM.
 */
int wire_decode(const void *data, size_t size, const struct wire_table *table, void *message);

/** wire_release() - free what a decoded (or hand-made) message owns and zero it */
void wire_release(const struct wire_table *table, void *message);
