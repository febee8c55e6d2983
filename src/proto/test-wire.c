/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <errno.h>

#include "fault.h"
#include "proto/test-message.h"
#include "t.h"

#define OUT_MAX (256 * PROTO_PAYLOAD_MAX)

/* xorshift64*: seeded by t_seed(), the same everywhere */
static uint64_t chance_state;

static uint64_t chance(uint64_t below)
{
        chance_state ^= chance_state >> 12;
        chance_state ^= chance_state << 25;
        chance_state ^= chance_state >> 27;
        return chance_state * 0x2545f4914f6cdd1dULL % below;
}

static void chance_start(void)
{
        chance_state = t_seed() * 2 + 1;
}

static size_t some_length(uint32_t max)
{
        size_t most = chance(8) == 0 ? 300 : 8;

        return chance(most < max ? most : (uint64_t)max + 1);
}

static char *some_string(uint32_t max)
{
        size_t length = some_length(max);
        char *s = malloc(length + 1);

        t_true(s != NULL);
        for (size_t i = 0; i < length; i++)
                s[i] = (char)(1 + chance(255));
        s[length] = '\0';
        return s;
}

static void fill_message(const struct wire_table *table, void *message);

static void fill_list(const struct wire_field *f, struct wire_list *list)
{
        list->count = chance(4);
        list->items = calloc(list->count + 1, f->item->struct_bytes);
        t_true(list->items != NULL);
        for (size_t i = 0; i < list->count; i++)
                fill_message(f->item, (char *)list->items + i * f->item->struct_bytes);
}

static void fill_field(const struct wire_field *f, void *at)
{
        char *s;

        switch (f->kind) {
        case WIRE_U32:
                *(uint32_t *)at = (uint32_t)chance(UINT64_MAX);
                break;
        case WIRE_U64:
                *(uint64_t *)at = chance(UINT64_MAX);
                break;
        case WIRE_STR:
                *(char **)at = some_string(f->max);
                break;
        case WIRE_BYTES:
                s = some_string(f->max);
                *(struct buf *)at = BUF_INIT(f->max);
                t_ok(buf_append(at, s, strlen(s)));
                free(s);
                break;
        case WIRE_STRV:
                for (size_t n = chance(5); n > 0; n--)
                        t_ok(strv_take(at, some_string(1024)));
                break;
        case WIRE_LIST:
                fill_list(f, at);
                break;
        }
}

static void fill_message(const struct wire_table *table, void *message)
{
        for (size_t i = 0; i < table->field_count; i++)
                fill_field(&table->fields[i], (char *)message + table->fields[i].offset);
}

static void *some_message(const struct wire_table *table)
{
        void *message = message_new(table);

        fill_message(table, message);
        return message;
}

/* Decodes a copy of exactly these bytes, so that a sanitizer sees a read past the end. */
static int decode_exactly(const struct wire_table *table, const void *data, size_t size,
                          void *message)
{
        void *exact = malloc(size ? size : 1);
        int r;

        t_true(exact != NULL);
        if (size > 0)
                memcpy(exact, data, size);
        r = wire_decode(exact, size, table, message);
        free(exact);
        return r;
}

static bool is_zero(const void *data, size_t size)
{
        const char *c = data;

        for (size_t i = 0; i < size; i++)
                if (c[i] != 0)
                        return false;
        return true;
}

/* The first @count fields alone, as an older version would have sent them. */
static struct wire_table first_fields(const struct wire_table *table, size_t count)
{
        struct wire_table t = *table;

        t.field_count = count;
        return t;
}

static void each_table(void (*check)(const struct wire_table *table))
{
        uint16_t types[TEST_TYPES_MAX];
        size_t count = message_types(types);

        chance_start();
        for (size_t i = 0; i < count; i++) {
                t_note("%s", proto_table(types[i])->name);
                check(proto_table(types[i]));
        }
}

TEST(knows_every_type_by_name_and_no_other)
{
        uint16_t types[TEST_TYPES_MAX];

        t_int(15, (int64_t)message_types(types));
        t_str("HELLO", proto_type_name(PROTO_HELLO));
        t_str("PLACE", proto_type_name(PROTO_PLACE));
        t_str("?", proto_type_name(0));
        t_str("?", proto_type_name(9));
        t_str("?", proto_type_name(UINT16_MAX));
        t_null(proto_table(0));
        t_null(proto_table(PROTO_OK));
        t_null(proto_table(UINT16_MAX));
}

static void check_round_trip(const struct wire_table *table)
{
        for (int round = 0; round < 200; round++) {
                struct buf out = BUF_INIT(OUT_MAX), again = BUF_INIT(OUT_MAX);
                void *message = some_message(table), *decoded = message_new(table);

                t_ok(wire_encode(&out, table, message));
                t_ok(decode_exactly(table, out.data, out.size, decoded));
                t_true(messages_equal(table, message, decoded));
                t_true(message_is_sound(table, decoded));
                t_ok(wire_encode(&again, table, decoded));
                t_int((int64_t)out.size, (int64_t)again.size);
                t_mem(out.data, again.data, out.size);
                message_free(table, message);
                message_free(table, decoded);
                buf_release(&out);
                buf_release(&again);
        }
}

TEST(every_message_round_trips)
{
        each_table(check_round_trip);
}

static void check_appended(const struct wire_table *table)
{
        struct buf out = BUF_INIT(OUT_MAX);
        void *message = some_message(table), *decoded = message_new(table);

        t_ok(wire_encode(&out, table, message));
        t_ok(buf_append(&out, "\xff\xff\xff\xff\0more", 9));
        t_ok(decode_exactly(table, out.data, out.size, decoded));
        t_true(messages_equal(table, message, decoded));
        message_free(table, message);
        message_free(table, decoded);
        buf_release(&out);
}

TEST(what_a_newer_version_appends_is_ignored)
{
        each_table(check_appended);
}

/* The end is at a border between fields, or it is an error: at every byte. */
static void check_truncations(const struct wire_table *table, const void *message)
{
        struct buf out = BUF_INIT(OUT_MAX);
        size_t border = 0, fields = 0;

        t_ok(wire_encode(&out, table, message));
        for (size_t n = 0; n < out.size; n++) {
                void *decoded = message_new(table);
                int r = decode_exactly(table, out.data, n, decoded);

                if (n == border) {
                        struct wire_table got = first_fields(table, fields);
                        struct wire_table next = first_fields(table, ++fields);
                        struct buf part = BUF_INIT(OUT_MAX);
                        void *nothing = message_new(table);

                        t_ok(r);
                        t_true(message_is_sound(table, decoded));
                        t_true(messages_equal(&got, message, decoded));
                        /* All that follows is as in a message of which nothing was sent. */
                        for (size_t i = fields - 1; i < table->field_count; i++)
                                t_true(fields_equal(&table->fields[i],
                                                    (char *)nothing + table->fields[i].offset,
                                                    (char *)decoded + table->fields[i].offset));
                        t_ok(wire_encode(&part, &next, message));
                        border = part.size;
                        buf_release(&part);
                        free(nothing);
                } else {
                        t_errno(EBADMSG, r);
                        t_true(is_zero(decoded, table->struct_bytes));
                }
                message_free(table, decoded);
        }
        t_int((int64_t)table->field_count, (int64_t)fields);
        buf_release(&out);
}

static void check_ends(const struct wire_table *table)
{
        for (int round = 0; round < 5; round++) {
                void *message = some_message(table);

                check_truncations(table, message);
                message_free(table, message);
        }
}

TEST(a_message_ends_between_two_fields_or_is_refused)
{
        each_table(check_ends);
}

static void check_nothing(const struct wire_table *table)
{
        void *decoded = message_new(table);

        memset(decoded, 0xaa, table->struct_bytes);
        t_ok(wire_decode(NULL, 0, table, decoded));
        t_true(message_is_sound(table, decoded));
        message_free(table, decoded);
}

TEST(strings_are_there_even_when_nothing_was_sent)
{
        each_table(check_nothing);
}

TEST(a_string_that_is_null_is_sent_as_empty)
{
        struct msg_process sent = {.flags = 7}, got;
        struct buf out = BUF_INIT(OUT_MAX);

        t_ok(wire_encode(&out, &msg_process_table, &sent));
        t_ok(wire_decode(out.data, out.size, &msg_process_table, &got));
        t_str("", got.cwd);
        t_str("", got.user);
        t_int(7, got.flags);
        wire_release(&msg_process_table, &got);
        buf_release(&out);
}

/* A field alone, with this length or count before @left bytes that could be its content. */
static void check_forged(const struct wire_field *f, uint32_t number, size_t left)
{
        struct wire_table one = {"one", f->offset + 64, f, 1};
        struct buf data = BUF_INIT(OUT_MAX);
        void *decoded = message_new(&one);
        int r;

        t_ok(buf_append(&data, &number, sizeof(number)));
        for (size_t i = 0; i < left; i++)
                t_ok(buf_append(&data, "", 1));
        fault_arm(1);
        r = wire_decode(data.data, data.size, &one, decoded);
        t_false(fault_disarm()); /* nothing was allocated that could have failed */
        t_errno(EBADMSG, r);
        t_true(is_zero(decoded, one.struct_bytes));
        free(decoded);
        buf_release(&data);
}

static void check_forged_fields(const struct wire_table *table)
{
        for (size_t i = 0; i < table->field_count; i++) {
                const struct wire_field *f = &table->fields[i];

                if (f->kind == WIRE_U32 || f->kind == WIRE_U64)
                        continue;
                if (f->item)
                        check_forged_fields(f->item);
                check_forged(f, UINT32_MAX, 100);
                check_forged(f, UINT32_MAX - 3, 100);
                check_forged(f, (uint32_t)1 << 31, 100);
                check_forged(f, f->max + 1, 100);
                check_forged(f, f->max, 0);
                check_forged(f, 1, 0);
                if (f->max > 100)
                        check_forged(f, 101, 100);
        }
}

TEST(a_forged_length_or_count_is_refused_before_anything_is_allocated)
{
        each_table(check_forged_fields);
}

TEST(a_count_that_fits_what_was_sent_is_refused_when_its_items_do_not)
{
        /* No sources, and 4096 mount steps of one byte each. */
        uint32_t counts[2] = {0, WIRE_LIST_MAX};
        struct buf data = BUF_INIT(OUT_MAX);
        struct msg_setup decoded;

        t_ok(buf_append(&data, counts, sizeof(counts)));
        for (int i = 0; i < WIRE_LIST_MAX; i++)
                t_ok(buf_append(&data, "\xff", 1));
        t_errno(EBADMSG, wire_decode(data.data, data.size, &msg_setup_table, &decoded));
        t_true(is_zero(&decoded, sizeof(decoded)));
        buf_release(&data);
}

/* A string of three bytes as field @f of its message, with one byte of it set to @byte. */
static int decode_string_with(const struct wire_field *f, size_t at, char byte)
{
        struct wire_table one = {"one", f->offset + 64, f, 1};
        char data[] = "\3\0\0\0abc";
        char with_count[] = "\1\0\0\0\3\0\0\0abc";
        void *decoded = message_new(&one);
        int r;

        data[4 + at] = byte;
        with_count[8 + at] = byte;
        r = f->kind == WIRE_STR ? decode_exactly(&one, data, sizeof(data), decoded)
                                : decode_exactly(&one, with_count, sizeof(with_count), decoded);
        message_free(&one, decoded);
        return r;
}

static void check_nul(const struct wire_table *table)
{
        for (size_t i = 0; i < table->field_count; i++) {
                const struct wire_field *f = &table->fields[i];

                if (f->item)
                        check_nul(f->item);
                if (f->kind != WIRE_STR && f->kind != WIRE_STRV)
                        continue;
                t_ok(decode_string_with(f, 0, 'x'));
                t_ok(decode_string_with(f, 2, '\xff'));
                for (size_t at = 0; at < 3; at++)
                        t_errno(EBADMSG, decode_string_with(f, at, '\0'));
                t_errno(EBADMSG, decode_string_with(f, 3, 'd')); /* not terminated */
        }
}

TEST(no_string_has_a_nul_inside_or_lacks_the_one_at_its_end)
{
        each_table(check_nul);
}

/* What one byte that was changed on the way can do: nothing but another sound message. */
static void check_changed_bytes(const struct wire_table *table)
{
        struct buf out = BUF_INIT(OUT_MAX);
        void *message = some_message(table);

        t_ok(wire_encode(&out, table, message));
        for (int round = 0; round < 2000; round++) {
                size_t at = chance(out.size);
                char saved = out.data[at];
                void *decoded = message_new(table);
                int r;

                out.data[at] = (char)chance(256);
                r = decode_exactly(table, out.data, out.size, decoded);
                if (r == 0)
                        t_true(message_is_sound(table, decoded));
                else
                        t_errno(EBADMSG, r);
                message_free(table, decoded);
                out.data[at] = saved;
        }
        message_free(table, message);
        buf_release(&out);
}

TEST(a_byte_that_was_changed_is_refused_or_means_another_message)
{
        each_table(check_changed_bytes);
}

/* ------------------------------------------------------------------------------- maxima */

/* A message in which field @f has the length or count @n. */
static void *with_size(const struct wire_table *table, const struct wire_field *f, size_t n)
{
        char *message = message_new(table);
        void *at = message + f->offset;
        size_t item_bytes = f->kind == WIRE_LIST   ? f->item->struct_bytes
                            : f->kind == WIRE_STRV ? sizeof(char *)
                                                   : 1;
        char *content = calloc(n + 1, item_bytes);

        t_true(content != NULL);
        if (f->kind == WIRE_STR)
                *(char **)at = memset(content, 'x', n);
        else if (f->kind == WIRE_BYTES)
                *(struct buf *)at = (struct buf){.data = content, .size = n};
        else if (f->kind == WIRE_STRV)
                *(struct strv *)at = (struct strv){.items = (void *)content, .count = n};
        else
                *(struct wire_list *)at = (struct wire_list){content, n};
        return message;
}

static void check_maximum(const struct wire_table *table, const struct wire_field *f)
{
        struct buf out = BUF_INIT(OUT_MAX), over = BUF_INIT(OUT_MAX);
        void *largest = with_size(table, f, f->max);
        void *larger = with_size(table, f, (size_t)f->max + 1);
        void *decoded = message_new(table);

        t_ok(wire_encode(&out, table, largest));
        t_ok(wire_decode(out.data, out.size, table, decoded));
        t_true(messages_equal(table, largest, decoded));
        t_errno(E2BIG, wire_encode(&over, table, larger));
        message_free(table, decoded);
        message_free(table, largest);
        message_free(table, larger);
        buf_release(&out);
        buf_release(&over);
}

static void check_maxima(const struct wire_table *table)
{
        for (size_t i = 0; i < table->field_count; i++)
                if (table->fields[i].max > 0)
                        check_maximum(table, &table->fields[i]);
}

TEST(the_maximum_of_a_field_is_sent_and_one_more_is_not)
{
        each_table(check_maxima);
}

TEST(an_item_of_a_list_has_a_maximum_of_its_own)
{
        struct buf out = BUF_INIT(OUT_MAX);
        struct msg_source source = {0};
        struct msg_setup setup = {
                .sources = {&source, 1}
        };
        char *longer = calloc(1, WIRE_STR_MAX + 2);
        struct msg_process process = {
                .argv = {&longer, 1}
        };

        t_true(longer != NULL);
        memset(longer, 'x', WIRE_STR_MAX + 1);
        t_errno(E2BIG, wire_encode(&out, &msg_process_table, &process));
        longer[WIRE_STR_MAX] = '\0';
        buf_release(&out);
        t_ok(wire_encode(&out, &msg_process_table, &process));
        buf_release(&out);

        source.path = longer;
        t_errno(E2BIG, wire_encode(&out, &msg_setup_table, &setup));
        longer[4096] = '\0';
        buf_release(&out);
        t_ok(wire_encode(&out, &msg_setup_table, &setup));
        buf_release(&out);
        free(longer);
}

TEST(what_does_not_fit_the_buffer_is_refused)
{
        struct msg_process process = {.cwd = (char *)(uintptr_t) "/a/directory"};
        struct buf out = BUF_INIT(20);

        t_errno(E2BIG, wire_encode(&out, &msg_process_table, &process));
        buf_release(&out);
}

/* ------------------------------------------------------------------------------- memory */

static void check_decoding_faults(const struct wire_table *table)
{
        struct buf out = BUF_INIT(OUT_MAX);
        void *message = some_message(table);

        t_ok(wire_encode(&out, table, message));
        for (unsigned n = 1;; n++) {
                void *decoded = message_new(table);
                int r;

                fault_arm(n);
                r = wire_decode(out.data, out.size, table, decoded);
                if (!fault_disarm()) {
                        t_ok(r);
                        t_true(messages_equal(table, message, decoded));
                        message_free(table, decoded);
                        break;
                }
                t_errno(ENOMEM, r);
                t_true(is_zero(decoded, table->struct_bytes));
                free(decoded);
        }
        message_free(table, message);
        buf_release(&out);
}

TEST(without_memory_nothing_is_decoded_and_nothing_is_kept)
{
        each_table(check_decoding_faults);
}

static void check_encoding_faults(const struct wire_table *table)
{
        void *message = some_message(table);

        for (unsigned n = 1;; n++) {
                struct buf out = BUF_INIT(OUT_MAX);
                int r;

                fault_arm(n);
                r = wire_encode(&out, table, message);
                buf_release(&out);
                if (!fault_disarm()) {
                        t_ok(r);
                        break;
                }
                t_errno(ENOMEM, r);
        }
        message_free(table, message);
}

TEST(without_memory_nothing_is_encoded)
{
        each_table(check_encoding_faults);
}
