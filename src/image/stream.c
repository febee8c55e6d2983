/* SPDX-License-Identifier: Apache-2.0 */
#include "image/stream.h"

#include <assert.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/image.h"

#define INPUT_BYTES ((size_t)128 * 1024)
#define DROP_BYTES  ((size_t)16 * 1024)

struct stream {
        int fd;
        int hangup_fd;
        uint64_t offset;
        uint64_t left;
        uint64_t out_left;
        uint64_t max_bytes;
        enum image_form form;
        unsigned char *input; /* owned */
        size_t position, filled;
        bool input_ended;
        bool frame_ended;              /* gzip, zstd: nothing of a member has been read yet */
        struct inflate_state *inflate; /* owned */
        ZSTD_DCtx *zstd;               /* owned */
        EVP_MD_CTX *blob_hash;         /* owned */
        EVP_MD_CTX *diff_hash;         /* owned; NULL when the bytes are the blob's */
        char blob[IMAGE_DIGEST_HEX + 1];
        char diff_id[IMAGE_DIGEST_HEX + 1];
        struct unpack_sums sums;
};

static EVP_MD *sha256;

int stream_prepare(void)
{
        if (sha256)
                return 0;
        if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
                return -ENOMEM;
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        return sha256 ? 0 : -ENOMEM;
}

static EVP_MD_CTX *hash_new(void)
{
        EVP_MD_CTX *hash = stream_prepare() == 0 ? EVP_MD_CTX_new() : NULL;

        if (hash && EVP_DigestInit_ex2(hash, sha256, NULL) != 1) {
                EVP_MD_CTX_free(hash);
                hash = NULL;
        }
        return hash;
}

static int hash_hex(EVP_MD_CTX *hash, char *ret_hex)
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;

        if (EVP_DigestFinal_ex(hash, digest, &size) != 1 || size != IMAGE_DIGEST_HEX / 2)
                return -EIO;
        for (unsigned i = 0; i < size; i++)
                (void)snprintf(ret_hex + (size_t)2 * i, 3, "%02x", digest[i]);
        return 0;
}

int stream_digest(const void *data, size_t size, char *ret_hex)
{
        EVP_MD_CTX *hash = hash_new();
        int r = -ENOMEM;

        if (hash && EVP_DigestUpdate(hash, data, size) == 1)
                r = hash_hex(hash, ret_hex);
        EVP_MD_CTX_free(hash);
        return r;
}

/* A file is always ready; a pipe is waited for, but not longer than somebody waits for us. */
static bool hung_up(const struct stream *s)
{
        struct pollfd p[2] = {
                {.fd = s->hangup_fd, .events = POLLRDHUP},
                {.fd = s->fd,        .events = POLLIN   },
        };
        nfds_t count = s->left == STREAM_TO_END ? 2 : 1;

        while (poll(p, count, count == 2 ? -1 : 0) < 0 && errno == EINTR)
                ;
        return p[0].revents & (POLLHUP | POLLRDHUP | POLLERR);
}

static ssize_t read_stored(struct stream *s, void *to, size_t size, struct coffer_error *err)
{
        ssize_t n;

        if (s->left == 0)
                return 0;
        if (hung_up(s))
                return error_set(err, -EPIPE, "go on for nobody");
        if (s->left == STREAM_TO_END) {
                n = sys_read(s->fd, to, size);
        } else {
                if (size > s->left)
                        size = (size_t)s->left;
                do
                        n = pread(s->fd, to, size, (off_t)s->offset);
                while (n < 0 && errno == EINTR);
                n = n < 0 ? -errno : n;
        }
        if (n < 0)
                return error_set(err, (int)n, "read the layer");
        if (n == 0 && s->left != STREAM_TO_END)
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "the layer is cut short: %llu bytes are missing",
                                 (unsigned long long)s->left);
        if (s->left != STREAM_TO_END) {
                s->left -= (uint64_t)n;
                s->offset += (uint64_t)n;
        }
        s->sums.stored_bytes += (uint64_t)n;
        if (s->blob_hash && EVP_DigestUpdate(s->blob_hash, to, (size_t)n) != 1)
                return error_set(err, -EIO, "hash the layer");
        return n;
}

/* Keeps what is in the buffer and adds to it. */
static int fill(struct stream *s, struct coffer_error *err)
{
        ssize_t n;

        if (s->position == s->filled)
                s->position = s->filled = 0;
        if (s->input_ended || s->filled == INPUT_BYTES)
                return 0;
        n = read_stored(s, s->input + s->filled, INPUT_BYTES - s->filled, err);
        if (n < 0)
                return (int)n;
        s->input_ended = n == 0;
        s->filled += (size_t)n;
        return 0;
}

/* The compression is told by the first bytes, so that no media type can say otherwise. */
static int find_form(struct stream *s, struct coffer_error *err)
{
        static const struct {
                unsigned char magic[6];
                size_t size;
                enum image_form form;
                const char *refused;
        } forms[] = {
                {{0x1f, 0x8b},                     2, IMAGE_FORM_GZIP,  NULL   },
                {{0x28, 0xb5, 0x2f, 0xfd},         4, IMAGE_FORM_ZSTD,  NULL   },
                {{0xfd, '7', 'z', 'X', 'Z', 0x00}, 6, IMAGE_FORM_PLAIN, "xz"   },
                {{'B', 'Z', 'h'},                  3, IMAGE_FORM_PLAIN, "bzip2"},
        };
        int r = 0;

        while (r == 0 && !s->input_ended && s->filled < sizeof(forms[0].magic))
                r = fill(s, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                if (s->filled < forms[i].size ||
                    memcmp(s->input, forms[i].magic, forms[i].size) != 0)
                        continue;
                if (forms[i].refused)
                        return error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE,
                                         "it is compressed with %s, which is not supported",
                                         forms[i].refused);
                s->form = forms[i].form;
        }
        /* Skippable frames may come first (zstd's seekable and chunked forms). */
        if (s->filled >= 4 && (s->input[0] & 0xf0) == 0x50 &&
            memcmp(s->input + 1, "\x2a\x4d\x18", 3) == 0)
                s->form = IMAGE_FORM_ZSTD;
        return 0;
}

static int prepare_form(struct stream *s)
{
        s->frame_ended = true;
        if (s->form == IMAGE_FORM_GZIP) {
                s->inflate = aligned_alloc(64, (sizeof(*s->inflate) + 63) & ~(size_t)63);
                if (!s->inflate)
                        return -ENOMEM;
                isal_inflate_init(s->inflate);
                s->inflate->crc_flag = ISAL_GZIP;
        }
        if (s->form == IMAGE_FORM_ZSTD) {
                s->zstd = ZSTD_createDCtx();
                if (!s->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax,
                                                                    STREAM_WINDOW_LOG)))
                        return -ENOMEM;
        }
        if (s->form != IMAGE_FORM_PLAIN || !s->blob_hash)
                s->diff_hash = hash_new();
        return s->blob_hash || s->diff_hash ? 0 : -ENOMEM;
}

int stream_new(const struct stream_spec *spec, struct stream **ret_stream, struct coffer_error *err)
{
        cleanup_with(stream_freep) struct stream *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return error_set(err, -ENOMEM, "read the layer");
        s->fd = spec->fd;
        s->hangup_fd = spec->hangup_fd;
        s->offset = spec->offset;
        s->left = spec->size;
        s->out_left = s->max_bytes = spec->max_bytes;
        if (str_copy(s->blob, sizeof(s->blob), spec->blob) < 0 ||
            str_copy(s->diff_id, sizeof(s->diff_id), spec->diff_id) < 0)
                return error_set(err, -EINVAL, "read the layer");

        s->input = malloc(INPUT_BYTES);
        s->blob_hash = s->blob[0] != '\0' || spec->sums ? hash_new() : NULL;
        if (!s->input || ((s->blob[0] != '\0' || spec->sums) && !s->blob_hash))
                return error_set(err, -ENOMEM, "read the layer");

        r = find_form(s, err);
        if (r < 0)
                return r;
        r = prepare_form(s);
        if (r < 0)
                return error_set(err, r, "read the layer");
        *ret_stream = take_ptr(s);
        return 0;
}

struct stream *stream_free(struct stream *s)
{
        if (s) {
                EVP_MD_CTX_free(s->blob_hash);
                EVP_MD_CTX_free(s->diff_hash);
                (void)ZSTD_freeDCtx(s->zstd);
                free(s->inflate);
                free(s->input);
                free(s);
        }
        return NULL;
}

static int bad_compression(struct coffer_error *err, const char *form, const char *why)
{
        return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE, "malformed %s data: %s", form, why);
}

static ssize_t read_plain(struct stream *s, void *to, size_t size, struct coffer_error *err)
{
        size_t have = s->filled - s->position;

        if (have == 0)
                return s->input_ended ? 0 : read_stored(s, to, size, err);
        if (have > size)
                have = size;
        memcpy(to, s->input + s->position, have);
        s->position += have;
        return (ssize_t)have;
}

static int inflate_some(struct stream *s, unsigned char *to, size_t size, size_t *ret_made,
                        struct coffer_error *err)
{
        struct inflate_state *z = s->inflate;
        int r;

        if (s->frame_ended) {
                isal_inflate_reset(z);
                z->crc_flag = ISAL_GZIP;
                s->frame_ended = false;
        }
        z->next_in = s->input + s->position;
        z->avail_in = (uint32_t)(s->filled - s->position);
        z->next_out = to;
        z->avail_out = (uint32_t)size;
        r = isal_inflate(z);
        if (r < 0 || r == ISAL_NEED_DICT)
                return bad_compression(err, "gzip",
                                       r == ISAL_INCORRECT_CHECKSUM ? "wrong checksum"
                                                                    : "not deflate");
        s->position = s->filled - z->avail_in;
        *ret_made = size - z->avail_out;
        s->frame_ended = z->block_state == ISAL_BLOCK_FINISH;
        return 0;
}

static int unzstd_some(struct stream *s, unsigned char *to, size_t size, size_t *ret_made,
                       struct coffer_error *err)
{
        ZSTD_inBuffer in = {.src = s->input, .size = s->filled, .pos = s->position};
        ZSTD_outBuffer out = {.dst = to, .size = size};
        size_t r = ZSTD_decompressStream(s->zstd, &out, &in);

        if (ZSTD_isError(r))
                return bad_compression(err, "zstd", ZSTD_getErrorName(r));
        s->position = in.pos;
        *ret_made = out.pos;
        s->frame_ended = r == 0;
        return 0;
}

static ssize_t read_compressed(struct stream *s, void *to, size_t size, struct coffer_error *err)
{
        size_t made = 0;

        while (made == 0) {
                size_t before = s->position;
                int r = 0;

                if (s->position == s->filled) {
                        r = fill(s, err);
                        before = s->position;
                }
                if (r < 0)
                        return r;
                if (s->position == s->filled && s->input_ended && s->frame_ended)
                        return 0;

                r = s->form == IMAGE_FORM_GZIP ? inflate_some(s, to, size, &made, err)
                                               : unzstd_some(s, to, size, &made, err);
                if (r < 0)
                        return r;
                if (made == 0 && s->position == before && s->input_ended && !s->frame_ended)
                        return bad_compression(err, s->form == IMAGE_FORM_GZIP ? "gzip" : "zstd",
                                               "it is cut short");
        }
        return (ssize_t)made;
}

ssize_t stream_read(void *stream, void *to, size_t size, struct coffer_error *err)
{
        struct stream *s = stream;
        ssize_t n;

        n = s->form == IMAGE_FORM_PLAIN ? read_plain(s, to, size, err)
                                        : read_compressed(s, to, size, err);
        if (n <= 0)
                return n;
        if ((uint64_t)n > s->out_left)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "it unpacks to more than %llu bytes",
                                 (unsigned long long)s->max_bytes);
        s->out_left -= (uint64_t)n;
        if (s->diff_hash && EVP_DigestUpdate(s->diff_hash, to, (size_t)n) != 1)
                return error_set(err, -EIO, "hash the layer");
        return n;
}

static int compare(const char *what, const char *want, const char *got, struct coffer_error *err)
{
        if (str_eq(want, got))
                return 0;
        return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                         "the %s is sha256:%s, but should be sha256:%s", what, got, want);
}

int stream_finish(struct stream *s, struct coffer_error *err)
{
        unsigned char *drop = malloc(DROP_BYTES);
        char *blob = s->sums.blob, *diff_id = s->sums.diff_id;
        ssize_t n = drop ? 1 : error_set(err, -ENOMEM, "read the layer");
        int r = 0;

        while (n > 0)
                n = stream_read(s, drop, DROP_BYTES, err);
        free(drop);
        if (n < 0)
                return (int)n;

        if (s->blob_hash)
                r = hash_hex(s->blob_hash, blob);
        if (r == 0 && s->diff_hash)
                r = hash_hex(s->diff_hash, diff_id);
        if (r < 0)
                return error_set(err, r, "hash the layer");
        if (!s->diff_hash)
                memcpy(diff_id, blob, IMAGE_DIGEST_HEX + 1);
        if (s->blob[0] != '\0')
                r = compare("digest of the layer's blob", s->blob, blob, err);
        if (r == 0 && s->diff_id[0] != '\0')
                r = compare("layer's diff id", s->diff_id, diff_id, err);
        return r;
}

enum image_form stream_form(const struct stream *s)
{
        return s->form;
}

void stream_sums(const struct stream *s, struct unpack_sums *ret)
{
        *ret = s->sums;
        ret->form = s->form;
        ret->bytes = s->max_bytes - s->out_left;
}
