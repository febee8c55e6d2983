/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coffer-unpack: whatever parses the bytes of an image does it here, one job per process, told and
 * answered over descriptor 3 (message.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/sys.h"
#include "image/blobs.h"
#include "image/copy.h"
#include "image/extract.h"
#include "image/inspect.h"
#include "image/message.h"
#include "image/purge.h"
#include "image/stream.h"
#include "image/unpack.h"

DEFINE_FREEP(struct tar, tar_free)

/* A few KiB at a time would do, but its digest is of the whole. */
static int list(const struct unpack_request *req, struct buf *answer, struct coffer_error *err)
{
        static struct image_listing listing; /* 20 KiB */
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        int r = buf_read_fd(&text, UNPACK_FD_SOURCE);

        if (r < 0)
                (void)error_set(err, r, "read the manifest");
        else
                r = inspect_listing(text.data ? text.data : "", text.size, req->platform, &listing,
                                    err);
        buf_release(&text);
        if (r == 0 && req->text[0] != '\0' && !str_eq(listing.digest, req->text))
                r = error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                              "the manifest's digest is sha256:%s, but should be sha256:%s",
                              listing.digest, req->text);
        if (r == 0) {
                r = buf_append(answer, &listing, sizeof(listing));
                if (r < 0)
                        (void)error_set(err, r, "answer");
        }
        return r;
}

static int verify(const struct unpack_request *req, struct coffer_error *err)
{
        struct buf text = BUF_INIT(INSPECT_JSON_MAX);
        char got[IMAGE_DIGEST_HEX + 1];
        int r = buf_read_fd(&text, UNPACK_FD_SOURCE);

        if (r == 0)
                r = stream_digest(text.data ? text.data : "", text.size, got);
        buf_release(&text);
        if (r < 0)
                return error_set(err, r, "read a blob");
        if (!str_eq(got, req->blob))
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "the digest of a blob is sha256:%s, but should be sha256:%s", got,
                                 req->blob);
        return 0;
}

static int describe(const struct unpack_request *req, struct buf *answer, struct coffer_error *err)
{
        bool archive = req->job == UNPACK_OCI_ARCHIVE || req->job == UNPACK_DOCKER;
        struct image_manifest m = {0};
        struct blobs blobs;
        unsigned char magic[4];
        int r;

        if (archive && pread(UNPACK_FD_SOURCE, magic, 4, 0) == 4 &&
            ((magic[0] == 0x1f && magic[1] == 0x8b) || memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)) {
                r = error_say(err, -EOPNOTSUPP, COFFER_ERROR_IMAGE,
                              "the archive as a whole is compressed");
                error_hint(err, "take it in with 'coffer load', or decompress it first");
                return r;
        }
        r = blobs_open(UNPACK_FD_SOURCE, archive, &blobs, err);
        if (r < 0)
                return r;
        blobs.incomplete = req->job == UNPACK_STORED;
        if (req->job == UNPACK_DOCKER)
                r = inspect_docker(&blobs, req->text, &m, err);
        else if (req->job == UNPACK_STORED)
                r = inspect_stored(&blobs, req->text, req->flags & UNPACK_ANY_PLATFORM, &m, err);
        else
                r = inspect_oci(&blobs, req->text, &m, err);
        blobs_close(&blobs);
        if (r < 0)
                return r;

        r = message_encode(&m, answer);
        image_manifest_release(&m);
        if (r == -E2BIG)
                return error_say(err, r, COFFER_ERROR_IMAGE,
                                 "the image's config has more than %zu bytes", answer->max_bytes);
        return r < 0 ? error_set(err, r, "answer") : 0;
}

static int contents(struct buf *answer, struct coffer_error *err)
{
        struct blobs blobs;
        int r = blobs_open(UNPACK_FD_SOURCE, true, &blobs, err);

        if (r < 0)
                return r;
        r = inspect_contents(&blobs, answer, err);
        blobs_close(&blobs);
        return r;
}

static int spool(struct buf *answer, struct coffer_error *err)
{
        static unsigned char bytes[64 * 1024];
        cleanup_with(stream_freep) struct stream *stream = NULL;
        const struct stream_spec from = {
                .fd = UNPACK_FD_SOURCE,
                .size = STREAM_TO_END,
                .blob = "",
                .sums = true,
                .diff_id = "",
                .max_bytes = EXTRACT_BYTES_MAX,
                .hangup_fd = UNPACK_FD_SOCKET,
        };
        struct unpack_sums sums;
        ssize_t n = 1;
        int r = stream_new(&from, &stream, err);

        while (r == 0 && n > 0) {
                n = stream_read(stream, bytes, sizeof(bytes), err);
                r = n < 0 ? (int)n : 0;
                if (n > 0 && (r = sys_write_all(UNPACK_FD_TARGET, bytes, (size_t)n)) < 0)
                        (void)error_set(err, r, "keep what is read");
        }
        if (r == 0)
                r = stream_finish(stream, err);
        if (r < 0)
                return r;
        stream_sums(stream, &sums);
        r = buf_append(answer, &sums, sizeof(sums));
        return r < 0 ? error_set(err, r, "answer") : 0;
}

static int extract(const struct unpack_request *req, struct extract_stats *ret_stats,
                   struct coffer_error *err)
{
        bool layer = req->job == UNPACK_LAYER;
        cleanup_with(stream_freep) struct stream *stream = NULL;
        cleanup_with(tar_freep) struct tar *tar = NULL;
        const struct stream_spec from = {
                .fd = UNPACK_FD_SOURCE,
                .offset = req->offset,
                .size = layer ? req->size : STREAM_TO_END,
                .blob = req->blob,
                .diff_id = req->diff_id,
                .max_bytes = EXTRACT_BYTES_MAX,
                .hangup_fd = UNPACK_FD_SOCKET,
        };
        const struct extract_spec to = {
                .root_fd = UNPACK_FD_TARGET,
                .layer = layer,
                .overwrite = req->flags & IMAGE_COPY_OVERWRITE,
                .ownership = layer ? (enum image_ownership)req->ownership : IMAGE_OWN_CALLER,
                .rename_first = req->text[0] != '\0' ? req->text : NULL,
                .max_entries = EXTRACT_ENTRIES_MAX,
                .max_bytes = EXTRACT_BYTES_MAX,
        };
        struct tar_source source = {.read = stream_read};
        int r;

        r = stream_new(&from, &stream, err);
        if (r < 0)
                return r;
        source.data = stream;
        r = tar_new(&source, !layer, &tar);
        if (r < 0)
                return error_set(err, r, "read the tar stream");
        r = extract_tar(tar, &to, ret_stats, err);
        if (r == 0)
                r = stream_finish(stream, err);
        return r;
}

/* One sync for all of the layer's files; the rename that follows makes it real. */
static int unpack_layer(const struct unpack_request *req, struct extract_stats *ret_stats,
                        struct coffer_error *err)
{
        int r = extract(req, ret_stats, err);

        if (r == 0 && syncfs(UNPACK_FD_TARGET) < 0)
                r = error_set(err, -errno, "sync the layer");
        if (r < 0)
                (void)purge_dir(UNPACK_FD_TARGET);
        return r;
}

static int run_job(const struct unpack_request *req, struct buf *answer, struct coffer_error *err)
{
        struct extract_stats stats = {0};
        struct unpack_done done;
        int r;

        switch (req->job) {
        case UNPACK_OCI_DIR:
        case UNPACK_OCI_ARCHIVE:
        case UNPACK_DOCKER:
        case UNPACK_STORED:
                return describe(req, answer, err);
        case UNPACK_MANIFEST:
                return list(req, answer, err);
        case UNPACK_CONTENTS:
                return contents(answer, err);
        case UNPACK_SPOOL:
                return spool(answer, err);
        case UNPACK_LAYER:
                r = unpack_layer(req, &stats, err);
                break;
        case UNPACK_COPY:
                r = extract(req, &stats, err);
                break;
        case UNPACK_REMOVE:
                r = purge_dir(UNPACK_FD_TARGET);
                if (r < 0)
                        (void)error_set(err, r, "remove a directory's files");
                break;
        case UNPACK_VERIFY:
                r = verify(req, err);
                break;
        default:
                return error_set(err, -EINVAL, "do job %u", req->job);
        }
        if (r < 0)
                return r;
        done = (struct unpack_done){
                .entries = stats.entries,
                .bytes = stats.bytes,
                .skipped = stats.skipped,
                .dropped = stats.dropped,
        };
        r = buf_append(answer, &done, sizeof(done));
        return r < 0 ? error_set(err, r, "answer") : 0;
}

static int send_all(const void *data, size_t size)
{
        const char *p = data;

        while (size > 0) {
                ssize_t n = send(UNPACK_FD_SOCKET, p, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

static int answer_with(int code, const struct buf *answer, const struct coffer_error *err)
{
        struct unpack_header header = {
                .magic = UNPACK_MAGIC,
                .code = code,
                .size = code < 0 ? sizeof(*err) : (uint32_t)answer->size,
        };
        int r = send_all(&header, sizeof(header));

        if (r == 0)
                r = code < 0 ? send_all(err, sizeof(*err)) : send_all(answer->data, answer->size);
        return r;
}

static int read_request(struct unpack_request *ret_req)
{
        struct stat st;

        if (fstat(UNPACK_FD_SOCKET, &st) < 0 || !S_ISSOCK(st.st_mode) ||
            sys_read_full(UNPACK_FD_SOCKET, ret_req, sizeof(*ret_req)) != sizeof(*ret_req) ||
            ret_req->magic != UNPACK_MAGIC)
                return -EPROTO;
        if (ret_req->blob[IMAGE_DIGEST_HEX] != '\0' || ret_req->diff_id[IMAGE_DIGEST_HEX] != '\0' ||
            ret_req->text[UNPACK_TEXT_MAX - 1] != '\0' ||
            ret_req->platform[UNPACK_PLATFORM_MAX - 1] != '\0')
                return -EPROTO;
        return 0;
}

int main(void)
{
        struct buf answer = BUF_INIT(UNPACK_ANSWER_MAX);
        struct unpack_request req;
        struct coffer_error err = {0};
        sigset_t none;
        int r;

        /* child.h: the program starts with everything blocked. */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)umask(0);

        if (read_request(&req) < 0) {
                (void)fprintf(stderr, "coffer-unpack is started by coffer, not by hand\n");
                return 2;
        }
        json_seed();
        r = stream_prepare();
        if (r < 0)
                r = error_set(&err, r, "load the digest code");
        if (r == 0)
                r = unpack_confine(&req, &err);
        if (r == 0)
                r = run_job(&req, &answer, &err);
        /* Exit handlers of libraries have nothing left to do here. */
        _exit(answer_with(r, &answer, &err) < 0 ? 1 : 0);
}
