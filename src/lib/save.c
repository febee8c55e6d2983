/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Images of the store as an OCI archive: the blobs as they lie there, an index, and for readers of
 * docker-archive the list that Docker adds.  All that is to be in it is looked for before the first
 * byte is written.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <coffer/image.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/tar-write.h"
#include "image/document.h"
#include "image/stored.h"
#include "lib/emit.h"
#include "lib/images.h"

#define BLOB_DIR   "blobs/sha256/"
#define COPY_BYTES ((size_t)256 * 1024)

/* An image, once for all of its names. */
struct saved {
        char stored[IMAGE_DIGEST_HEX + 1]; /* its manifest in the store */
        struct image_blob manifest;        /* in the archive */
        struct buf made;                   /* its text, when the store's is not the one */
        struct image_listing listing;      /* 20 KiB */
        struct strv names;                 /* in full */
};

struct saving {
        struct image_store store;
        struct blobstore blobs;
        struct saved *images; /* owned */
        size_t count;
        struct image_blob *written; /* owned; each blob goes once */
        size_t written_count;
        char *bytes; /* owned; for copying */
        int lock_fd; /* owned */
        int fd;      /* borrowed */
        struct coffer_error *err;
};

static void saving_release(struct saving *s)
{
        for (size_t i = 0; i < s->count; i++) {
                buf_release(&s->images[i].made);
                strv_release(&s->images[i].names);
        }
        free(s->images);
        free(s->written);
        free(s->bytes);
        close_fd(&s->lock_fd);
        blobstore_close(&s->blobs);
        images_close(&s->store);
}

/* ------------------------------------------------------------------------------------- look first
 */

/* OCI's in place of Docker's: only media types differ. */
static int make_manifest(struct saving *s, struct saved *image)
{
        struct document_layer layers[IMAGE_LAYERS_MAX];
        int r;

        for (uint32_t i = 0; i < image->listing.count; i++) {
                cleanup_close int fd = blobstore_read(&s->blobs, image->listing.layers[i].digest);

                if (fd < 0)
                        return error_set(s->err, fd, "open layer %.12s",
                                         image->listing.layers[i].digest);
                layers[i] = (struct document_layer){
                        .blob = image->listing.layers[i],
                        .form = document_form(fd),
                };
        }
        image->made = BUF_INIT(DOCUMENT_MAX);
        r = document_manifest(&image->made, &image->listing.first, layers, image->listing.count);
        if (r < 0)
                return error_set(s->err, r, "write a manifest");
        image->manifest.size = image->made.size;
        return document_digest(&s->store, &image->made, image->manifest.digest, s->err);
}

static int check_blobs(struct saving *s, const struct saved *image, const char *reference)
{
        const struct image_blob *missing = NULL;

        if (!blobstore_has(&s->blobs, image->listing.first.digest, image->listing.first.size))
                missing = &image->listing.first;
        for (uint32_t i = 0; i < image->listing.count && !missing; i++)
                if (!blobstore_has(&s->blobs, image->listing.layers[i].digest,
                                   image->listing.layers[i].size))
                        missing = &image->listing.layers[i];
        if (!missing)
                return 0;
        (void)error_say(s->err, -ENOENT, COFFER_ERROR_IMAGE,
                        "blob sha256:%.12s of image '%.120s' is not in the store any more",
                        missing->digest, reference);
        error_hint(s->err, "pull or load the image again");
        return -ENOENT;
}

static int read_image(struct saving *s, const struct image_ref *ref, const char *reference,
                      struct saved *image)
{
        cleanup_close int fd = blobstore_read(&s->blobs, ref->manifest);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(s->err, fd < 0 ? fd : -errno, "open the manifest of '%.120s'",
                                 reference);
        *image = (struct saved){.manifest = {.size = (uint64_t)st.st_size}};
        (void)str_copy(image->stored, sizeof(image->stored), ref->manifest);
        (void)str_copy(image->manifest.digest, sizeof(image->manifest.digest), ref->manifest);
        r = stored_listing(&s->store, fd, ref->manifest, "", &image->listing, s->err);
        if (r == 0)
                r = check_blobs(s, image, reference);
        return r == 0 && image->listing.docker ? make_manifest(s, image) : r;
}

static int add_name(struct saving *s, struct saved *image, const struct image_name *name)
{
        char text[NAME_TEXT_MAX];
        int r;

        if (name->host[0] == '\0' || name->tag[0] == '\0')
                return 0;
        (void)snprintf(text, sizeof(text), "%s/%s:%s", name->host, name->repository, name->tag);
        for (size_t i = 0; i < image->names.count; i++)
                if (str_eq(image->names.items[i], text))
                        return 0;
        r = strv_add(&image->names, text);
        return r < 0 ? error_set(s->err, r, "save an image") : 0;
}

static int add_image(struct saving *s, const char *reference)
{
        struct image_ref ref;
        size_t at = 0;
        int r = stored_find(&s->store, reference, &ref, s->err);

        if (r < 0)
                return r;
        while (at < s->count && !str_eq(s->images[at].stored, ref.manifest))
                at++;
        if (at == s->count) {
                s->count++;
                r = read_image(s, &ref, reference, &s->images[at]);
        }
        return r < 0 ? r : add_name(s, &s->images[at], &ref.name);
}

/* ------------------------------------------------------------------------------------- then write
 */

static int write_bytes(struct saving *s, const void *data, size_t size)
{
        int r = sys_write_all(s->fd, data, size);

        return r < 0 ? error_set(s->err, r, "write the archive") : 0;
}

/* The blocks before an entry's content, or behind it. */
static int write_header(struct saving *s, const char *path, uint64_t size)
{
        bool dir = path[strlen(path) - 1] == '/';
        const struct tar_entry e = {
                .type = dir ? TAR_DIR : TAR_FILE,
                .path = path,
                .link = "",
                .mode = dir ? 0755 : 0644,
                .size = size,
        };
        struct buf head = BUF_INIT(TAR_EXTENDED_MAX);
        int r = tar_write_header(&head, &e);

        r = r < 0 ? error_set(s->err, r, "write the archive")
                  : write_bytes(s, head.data, head.size);
        buf_release(&head);
        return r;
}

static int write_padding(struct saving *s, uint64_t size)
{
        struct buf tail = BUF_INIT(TAR_BLOCK);
        int r = tar_write_padding(&tail, size);

        if (r == 0 && tail.size > 0)
                r = write_bytes(s, tail.data, tail.size);
        buf_release(&tail);
        return r;
}

static int write_file(struct saving *s, const char *path, const struct buf *text)
{
        int r = text->failed < 0 ? error_set(s->err, text->failed, "write the archive")
                                 : write_header(s, path, text->size);

        if (r == 0)
                r = write_bytes(s, text->data, text->size);
        return r < 0 ? r : write_padding(s, text->size);
}

static int copy_blob(struct saving *s, const struct image_blob *blob)
{
        cleanup_close int fd = blobstore_read(&s->blobs, blob->digest);
        uint64_t left = blob->size;
        int r = fd < 0 ? error_set(s->err, fd, "open blob %.12s", blob->digest) : 0;

        while (r == 0 && left > 0) {
                ssize_t n = sys_read(fd, s->bytes, left < COPY_BYTES ? (size_t)left : COPY_BYTES);

                if (n <= 0)
                        return error_set(s->err, n < 0 ? (int)n : -EIO, "read blob %.12s",
                                         blob->digest);
                r = write_bytes(s, s->bytes, (size_t)n);
                left -= (uint64_t)n;
        }
        return r;
}

static int write_blob(struct saving *s, const struct image_blob *blob, const struct buf *made)
{
        char path[sizeof(BLOB_DIR) + IMAGE_DIGEST_HEX];
        int r;

        for (size_t i = 0; i < s->written_count; i++)
                if (str_eq(s->written[i].digest, blob->digest))
                        return 0;
        s->written[s->written_count++] = *blob;
        (void)snprintf(path, sizeof(path), BLOB_DIR "%s", blob->digest);
        if (made && made->size > 0)
                return write_file(s, path, made);
        r = write_header(s, path, blob->size);
        if (r == 0)
                r = copy_blob(s, blob);
        return r < 0 ? r : write_padding(s, blob->size);
}

static void emit_digest(struct buf *to, const char *key, const char *prefix, const char *hex)
{
        char text[32 + IMAGE_DIGEST_HEX];

        (void)snprintf(text, sizeof(text), "%s%s", prefix, hex);
        emit_str(to, key, text);
}

static void emit_entry(struct buf *to, const struct saved *image, const char *name)
{
        emit_open(to, NULL, '{');
        emit_str(to, "mediaType", IMAGE_MEDIA_MANIFEST);
        emit_digest(to, "digest", "sha256:", image->manifest.digest);
        emit_u64(to, "size", image->manifest.size);
        if (name) {
                emit_open(to, "annotations", '{');
                emit_str(to, "io.containerd.image.name", name);
                emit_str(to, "org.opencontainers.image.ref.name", name);
                emit_close(to, '}');
        }
        emit_close(to, '}');
}

static void emit_index(const struct saving *s, struct buf *to)
{
        emit_open(to, NULL, '{');
        emit_u64(to, "schemaVersion", 2);
        emit_str(to, "mediaType", IMAGE_MEDIA_INDEX);
        emit_open(to, "manifests", '[');
        for (size_t i = 0; i < s->count; i++) {
                for (size_t k = 0; k < s->images[i].names.count; k++)
                        emit_entry(to, &s->images[i], s->images[i].names.items[k]);
                if (s->images[i].names.count == 0)
                        emit_entry(to, &s->images[i], NULL);
        }
        emit_close(to, ']');
        emit_close(to, '}');
}

static void emit_docker_list(const struct saving *s, struct buf *to)
{
        emit_open(to, NULL, '[');
        for (size_t i = 0; i < s->count; i++) {
                const struct image_listing *l = &s->images[i].listing;

                emit_open(to, NULL, '{');
                emit_digest(to, "Config", BLOB_DIR, l->first.digest);
                if (s->images[i].names.count > 0)
                        emit_strv(to, "RepoTags", &s->images[i].names);
                else
                        emit_null(to, "RepoTags");
                emit_open(to, "Layers", '[');
                for (uint32_t k = 0; k < l->count; k++)
                        emit_digest(to, NULL, BLOB_DIR, l->layers[k].digest);
                emit_close(to, ']');
                emit_close(to, '}');
        }
        emit_close(to, ']');
}

static int write_documents(struct saving *s)
{
        static const struct {
                const char *path;
                void (*emit)(const struct saving *s, struct buf *to);
        } documents[] = {
                {"index.json",    emit_index      },
                {"manifest.json", emit_docker_list},
        };
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        struct buf text = BUF_INIT(DOCUMENT_MAX);
        int r = buf_append(&text, layout, sizeof(layout) - 1);

        r = write_file(s, "oci-layout", &text);
        for (size_t i = 0; r == 0 && i < ELEMENTS(documents); i++) {
                buf_consume(&text, text.size);
                documents[i].emit(s, &text);
                r = write_file(s, documents[i].path, &text);
        }
        buf_release(&text);
        return r;
}

static int write_archive(struct saving *s)
{
        struct buf end = BUF_INIT((size_t)4 * TAR_BLOCK);
        int r = write_documents(s);

        if (r == 0)
                r = write_header(s, "blobs/", 0);
        if (r == 0)
                r = write_header(s, BLOB_DIR, 0);
        for (size_t i = 0; r == 0 && i < s->count; i++) {
                const struct saved *image = &s->images[i];

                r = write_blob(s, &image->manifest, &image->made);
                if (r == 0)
                        r = write_blob(s, &image->listing.first, NULL);
                for (uint32_t k = 0; r == 0 && k < image->listing.count; k++)
                        r = write_blob(s, &image->listing.layers[k], NULL);
        }
        if (r == 0)
                r = tar_write_end(&end);
        if (r == 0)
                r = write_bytes(s, end.data, end.size);
        buf_release(&end);
        return r;
}

static int save(struct saving *s, struct coffer_runtime *rt, const char *const *references)
{
        size_t count = 0;
        int r = images_open(rt, &s->store, s->err);

        while (references[count])
                count++;
        if (r == 0)
                r = images_hold(&s->store, &s->lock_fd, s->err);
        if (r == 0)
                r = blobstore_open(s->store.home_fd, &s->blobs, s->err);
        if (r < 0)
                return r;
        s->images = calloc(count + 1, sizeof(*s->images));
        s->written = calloc((count + 1) * (IMAGE_LAYERS_MAX + 2), sizeof(*s->written));
        s->bytes = malloc(COPY_BYTES);
        if (!s->images || !s->written || !s->bytes)
                return error_set(s->err, -ENOMEM, "save images");
        for (size_t i = 0; r == 0 && i < count; i++)
                r = add_image(s, references[i]);
        return r < 0 ? r : write_archive(s);
}

int coffer_image_save(struct coffer_runtime *runtime, const char *const *references, int fd,
                      struct coffer_error *err)
{
        struct saving s = {
                .store = {.userns_fd = -1      },
                .blobs = { .images_fd = -EBADF, .blobs_fd = -EBADF, .partial_fd = -EBADF},
                .lock_fd = -EBADF,
                .fd = fd,
                .err = err,
        };
        int r;

        REQUIRE(runtime && references && references[0] && fd >= 0, err);
        r = save(&s, runtime, references);
        saving_release(&s);
        return r;
}
