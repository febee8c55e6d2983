/* SPDX-License-Identifier: Apache-2.0 */
#include "image/contents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/helper.h"

#define COPY_BYTES ((size_t)256 * 1024)

static int senseless(struct coffer_error *err)
{
        return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                         "coffer-unpack gave an answer that makes no sense");
}

static bool is_blob(const struct contents *c, const struct contents_blob *b)
{
        if (b->digest[IMAGE_DIGEST_HEX] != '\0' || !image_is_digest(b->digest) || b->made > 1 ||
            b->size > INT64_MAX || b->offset > INT64_MAX - b->size)
                return false;
        return !b->made || b->offset + b->size <= c->header.bytes;
}

int contents_check(struct contents *c)
{
        size_t left = c->answer.size;
        const char *at = c->answer.data;

        if (left < sizeof(c->header))
                return -EBADMSG;
        memcpy(&c->header, at, sizeof(c->header));
        at += sizeof(c->header);
        left -= sizeof(c->header);
        if (c->header.images > CONTENTS_IMAGES_MAX || c->header.blobs > CONTENTS_BLOBS_MAX ||
            c->header.bytes > left ||
            left - c->header.bytes != c->header.images * sizeof(*c->images) +
                                              (size_t)c->header.blobs * sizeof(*c->blobs))
                return -EBADMSG;
        c->blobs = (const void *)at;
        at += c->header.blobs * sizeof(*c->blobs);
        c->images = (const void *)at;
        c->made = at + c->header.images * sizeof(*c->images);
        for (uint32_t i = 0; i < c->header.images; i++)
                if (c->images[i].top[IMAGE_DIGEST_HEX] != '\0' ||
                    !image_is_digest(c->images[i].top) ||
                    !memchr(c->images[i].name, '\0', CONTENTS_NAME_MAX))
                        return -EBADMSG;
        for (uint32_t i = 0; i < c->header.blobs; i++)
                if (!is_blob(c, &c->blobs[i]))
                        return -EBADMSG;
        return 0;
}

int contents_read(const struct image_store *store, int archive_fd, struct contents *ret,
                  struct coffer_error *err)
{
        struct unpack_request req = {.job = UNPACK_CONTENTS, .ownership = store->ownership};
        struct contents c = {.answer = BUF_INIT(UNPACK_ANSWER_MAX)};
        cleanup_close int fd = -EBADF;
        int r = helper_start(store->program_dir, &req, archive_fd, -1, store->userns_fd, &fd, err);

        if (r == 0)
                r = helper_answer(fd, &c.answer, err);
        if (r == 0 && contents_check(&c) < 0)
                r = senseless(err);
        if (r < 0) {
                contents_release(&c);
                return r;
        }
        *ret = c;
        return 0;
}

void contents_release(struct contents *c)
{
        buf_release(&c->answer);
        *c = (struct contents){.images = NULL};
}

static const struct contents_blob *find(const struct contents *c, const char *digest)
{
        for (uint32_t i = 0; i < c->header.blobs; i++)
                if (str_eq(c->blobs[i].digest, digest))
                        return &c->blobs[i];
        return NULL;
}

static int copy_range(int from_fd, uint64_t offset, uint64_t size, int to_fd)
{
        cleanup_free char *bytes = malloc(COPY_BYTES);
        int r = bytes ? 0 : -ENOMEM;

        while (r == 0 && size > 0) {
                size_t want = size < COPY_BYTES ? (size_t)size : COPY_BYTES;
                ssize_t n = pread(from_fd, bytes, want, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG;
                r = sys_write_all(to_fd, bytes, (size_t)n);
                offset += (uint64_t)n;
                size -= (uint64_t)n;
        }
        return r;
}

int contents_copy(const struct contents *c, int archive_fd, const char *digest, uint64_t size,
                  uint64_t max, int to_fd, struct coffer_error *err)
{
        const struct contents_blob *blob = find(c, digest);
        int r;

        if (!blob)
                return error_say(err, -ENOENT, COFFER_ERROR_IMAGE,
                                 "blob sha256:%s is not in the archive", digest);
        if (size != UINT64_MAX && blob->size != size)
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "blob sha256:%s has %llu bytes, but should have %llu", digest,
                                 (unsigned long long)blob->size, (unsigned long long)size);
        if (blob->size > max)
                return error_say(err, -E2BIG, COFFER_ERROR_IMAGE,
                                 "blob sha256:%s has more than %llu bytes", digest,
                                 (unsigned long long)max);
        r = blob->made ? sys_write_all(to_fd, c->made + blob->offset, (size_t)blob->size)
                       : copy_range(archive_fd, blob->offset, blob->size, to_fd);
        if (r == -EBADMSG)
                return error_say(err, r, COFFER_ERROR_IMAGE, "the archive is cut short");
        return r < 0 ? error_set(err, r, "copy blob %.12s out of the archive", digest) : 0;
}

static bool is_sums(const struct unpack_sums *s)
{
        return s->blob[IMAGE_DIGEST_HEX] == '\0' && image_is_digest(s->blob) &&
               s->diff_id[IMAGE_DIGEST_HEX] == '\0' && image_is_digest(s->diff_id) &&
               s->form < IMAGE_FORMS;
}

int contents_spool(const struct image_store *store, int fd, int to_fd, struct unpack_sums *ret,
                   struct coffer_error *err)
{
        struct unpack_request req = {.job = UNPACK_SPOOL, .ownership = store->ownership};
        struct buf answer = BUF_INIT(sizeof(*ret));
        cleanup_close int answer_fd = -EBADF;
        int r = helper_start(store->program_dir, &req, fd, to_fd, store->userns_fd, &answer_fd,
                             err);

        if (r == 0)
                r = helper_answer(answer_fd, &answer, err);
        if (r == 0 && answer.size != sizeof(*ret))
                r = senseless(err);
        if (r == 0) {
                memcpy(ret, answer.data, sizeof(*ret));
                if (!is_sums(ret))
                        r = senseless(err);
        }
        buf_release(&answer);
        return r;
}
