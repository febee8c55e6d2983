/* SPDX-License-Identifier: Apache-2.0 */
/* What a client accepts of coffer-unpack, which may have been taken over. */
#include "t.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "image/contents.h"
#include "image/helper.h"
#include "image/message.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void fill(struct image_manifest *m)
{
        *m = (struct image_manifest){.id = DIGEST, .layer_count = 2};
        m->layers = calloc(2, sizeof(*m->layers));
        t_true(m->layers);
        m->layers[0] = (struct image_layer){.diff_id = DIGEST, .blob = DIGEST, .size = 7};
        m->layers[1] = (struct image_layer){.diff_id = DIGEST, .offset = 512, .size = 1};
        t_ok(strv_add(&m->config.cmd, "sh"));
        t_ok(strv_add(&m->config.cmd, ""));
        t_ok(strv_add(&m->config.env, "A=b"));
        m->config.user = strdup("1:2");
        t_ok(strv_add(&m->config.health_test, "CMD"));
        m->config.health_ns[SPEC_HEALTH_TIMES - 1] = 7;
        m->config.health_retries = UINT64_MAX;
}

TEST(what_is_said_is_heard)
{
        struct buf b = BUF_INIT(UNPACK_ANSWER_MAX);
        struct image_manifest m, got;

        fill(&m);
        t_ok(message_encode(&m, &b));
        t_ok(message_decode(b.data, b.size, &got));
        t_str(DIGEST, got.id);
        t_int(2, (int64_t)got.layer_count);
        t_mem(m.layers, got.layers, 2 * sizeof(*m.layers));
        t_int(2, (int64_t)got.config.cmd.count);
        t_str("sh", got.config.cmd.items[0]);
        t_str("", got.config.cmd.items[1]);
        t_str("A=b", got.config.env.items[0]);
        t_str("1:2", got.config.user);
        t_str("", got.config.working_dir);
        t_str("CMD", got.config.health_test.items[0]);
        t_int(7, (int64_t)got.config.health_ns[SPEC_HEALTH_TIMES - 1]);
        t_true(got.config.health_retries == UINT64_MAX);
        image_manifest_release(&m);
        image_manifest_release(&got);
        buf_release(&b);
}

TEST(every_cut_and_every_changed_byte_is_survived)
{
        struct buf b = BUF_INIT(UNPACK_ANSWER_MAX);
        struct image_manifest m, got;

        fill(&m);
        t_ok(message_encode(&m, &b));
        for (size_t i = 0; i < b.size; i++) {
                char kept = b.data[i];

                t_errno(EBADMSG, message_decode(b.data, i, &got));
                for (unsigned bit = 0; bit < 8; bit++) {
                        b.data[i] = (char)(kept ^ (1 << bit));
                        if (message_decode(b.data, b.size, &got) < 0)
                                continue;
                        t_true(image_is_digest(got.id));
                        for (size_t j = 0; j < got.layer_count; j++)
                                t_true(image_is_digest(got.layers[j].diff_id));
                        image_manifest_release(&got);
                }
                b.data[i] = kept;
        }
        t_ok(buf_append(&b, "x", 1));
        t_errno(EBADMSG, message_decode(b.data, b.size, &got));
        image_manifest_release(&m);
        buf_release(&b);
}

TEST(a_digest_is_64_lower_hex_digits)
{
        t_true(image_is_digest(DIGEST));
        t_false(image_is_digest(""));
        t_false(image_is_digest(DIGEST "0"));
        t_false(image_is_digest(&DIGEST[1]));
        t_false(image_is_digest(
                "../3456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"));
        t_false(image_is_digest(
                "A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
}

TEST(a_failed_allocation_leaves_nothing)
{
        struct buf b = BUF_INIT(UNPACK_ANSWER_MAX);
        struct image_manifest m;

        fill(&m);
        t_ok(message_encode(&m, &b));
        for (unsigned n = 1;; n++) {
                struct image_manifest got = {0};
                int r;

                fault_arm(n);
                r = message_decode(b.data, b.size, &got);
                if (!fault_disarm()) {
                        t_ok(r);
                        image_manifest_release(&got);
                        break;
                }
                t_errno(ENOMEM, r);
                t_null(got.layers);
        }
        image_manifest_release(&m);
        buf_release(&b);
}

/* An answer of these bytes, and then the end of the program. */
static int hear(const void *bytes, size_t size, struct coffer_error *err)
{
        struct buf answer = BUF_INIT(64);
        int pair[2], r;

        t_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        t_ok(sys_write_all(pair[1], bytes, size));
        (void)close(pair[1]);
        r = helper_answer(pair[0], &answer, err);
        (void)close(pair[0]);
        buf_release(&answer);
        return r;
}

TEST(answers_that_make_no_sense_are_refused)
{
        static const struct {
                struct unpack_header header;
                size_t size;
                const char *says;
        } cases[] = {
                {{UNPACK_MAGIC, 0, 0},          0,  "died before"},
                {{UNPACK_MAGIC, 0, 0},          11, "died before"},
                {{0, 0, 0},                     12, "no sense"   },
                {{UNPACK_MAGIC, 1, 0},          12, "no sense"   },
                {{UNPACK_MAGIC, 0, 65},         12, "no sense"   },
                {{UNPACK_MAGIC, 0, UINT32_MAX}, 12, "no sense"   },
                {{UNPACK_MAGIC, -5, 0},         12, "no sense"   },
                {{UNPACK_MAGIC, -5, 511},       12, "no sense"   },
                {{UNPACK_MAGIC, -5, 512},       12, "middle"     },
                {{UNPACK_MAGIC, 0, 64},         12, "middle"     },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};

                t_note("row %zu", i);
                t_errno(EPROTO, hear(&cases[i].header, cases[i].size, &err));
                t_has(cases[i].says, err.msg);
        }
}

TEST(the_helpers_words_are_made_harmless)
{
        struct {
                struct unpack_header header;
                struct coffer_error said;
        } answer = {
                .header = {UNPACK_MAGIC,                 -EBADMSG, sizeof(struct coffer_error)},
                .said = {.kind = COFFER_ERROR_NOT_FOUND},
        };
        struct coffer_error err = {0};

        memset(answer.said.msg, '\033', sizeof(answer.said.msg));
        memset(answer.said.hint, '\n', sizeof(answer.said.hint));
        t_errno(EBADMSG, hear(&answer, sizeof(answer), &err));
        t_int(COFFER_ERROR_OTHER, err.kind);
        t_int(sizeof(err.msg) - 1, (int64_t)strlen(err.msg));
        t_null(strchr(err.msg, '\033'));
        t_null(strchr(err.hint, '\n'));

        answer.header.code = INT32_MIN;
        t_errno(EPROTO, hear(&answer, sizeof(answer), &err));
        answer.header.code = -ENOSPC;
        answer.said.hint[0] = '\0';
        t_errno(ENOSPC, hear(&answer, sizeof(answer), &err));
        t_int(COFFER_ERROR_HOST, err.kind);
        t_has("make room", err.hint);
}

TEST(a_list_of_contents_is_doubted)
{
        struct {
                struct contents_header header;
                struct contents_blob blob;
                struct contents_image image;
                char made[4];
        } good = {
                .header = {.images = 1,  .blobs = 1, .bytes = 4},
                .blob = {.digest = DIGEST,            .made = 1,       .offset = 1, .size = 3},
                .image = {.top = DIGEST, .name = "a:b"},
        };
        static const struct {
                size_t at; /* a byte that is changed */
                char to;
        } rows[] = {
                {offsetof(__typeof__(good), header.images),                  2   },
                {offsetof(__typeof__(good), header.images),                  0   },
                {offsetof(__typeof__(good), header.images) + 3,              127 },
                {offsetof(__typeof__(good), header.blobs),                   0   },
                {offsetof(__typeof__(good), header.blobs) + 3,               127 },
                {offsetof(__typeof__(good), header.bytes),                   3   },
                {offsetof(__typeof__(good), header.bytes) + 7,               127 },
                {offsetof(__typeof__(good), blob.digest),                    'X' },
                {offsetof(__typeof__(good), blob.digest) + IMAGE_DIGEST_HEX, 'a' },
                {offsetof(__typeof__(good), blob.made),                      2   },
                {offsetof(__typeof__(good), blob.offset),                    2   },
                {offsetof(__typeof__(good), blob.offset) + 7,                127 },
                {offsetof(__typeof__(good), blob.size),                      4   },
                {offsetof(__typeof__(good), blob.size) + 7,                  -1  },
                {offsetof(__typeof__(good), image.top),                      '\0'},
                {offsetof(__typeof__(good), image.top) + IMAGE_DIGEST_HEX,   'a' },
        };
        size_t size = offsetof(__typeof__(good), made) + sizeof(good.made);
        struct contents c = {.answer = BUF_INIT(UNPACK_ANSWER_MAX)};

        t_ok(buf_append(&c.answer, &good, size));
        t_ok(contents_check(&c));
        t_str("a:b", c.images[0].name);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                t_note("row %zu", i);
                memcpy(c.answer.data, &good, size);
                c.answer.data[rows[i].at] = rows[i].to;
                t_errno(EBADMSG, contents_check(&c));
        }
        memcpy(c.answer.data, &good, size);
        memset(c.answer.data + offsetof(__typeof__(good), image.name), 'a', CONTENTS_NAME_MAX);
        t_errno(EBADMSG, contents_check(&c));
        memcpy(c.answer.data, &good, size);
        for (; c.answer.size > 0; c.answer.size--)
                if (c.answer.size < size)
                        t_errno(EBADMSG, contents_check(&c));
        contents_release(&c);
}
