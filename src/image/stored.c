/* SPDX-License-Identifier: Apache-2.0 */
#include "image/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/helper.h"

#define ID_PREFIX_MIN 4

static int senseless(struct coffer_error *err)
{
        return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                         "coffer-unpack gave an answer that makes no sense");
}

static int ask(const struct image_store *store, struct unpack_request *req, int fd,
               struct buf *answer, struct coffer_error *err)
{
        cleanup_close int answer_fd = -EBADF;
        int r;

        req->ownership = store->ownership;
        r = helper_start(store->program_dir, req, fd, -1, store->userns_fd, &answer_fd, err);
        return r < 0 ? r : helper_answer(answer_fd, answer, err);
}

int stored_listing(const struct image_store *store, int fd, const char *digest,
                   const char *platform, struct image_listing *ret, struct coffer_error *err)
{
        struct unpack_request req = {.job = UNPACK_MANIFEST};
        struct buf answer = BUF_INIT(sizeof(*ret));
        int r = str_copy(req.text, sizeof(req.text), digest);

        if (r == 0)
                r = str_copy(req.platform, sizeof(req.platform), platform);
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r < 0)
                return error_set(err, r, "read a manifest");
        r = ask(store, &req, fd, &answer, err);
        if (r == 0 && answer.size != sizeof(*ret))
                r = senseless(err);
        if (r == 0) {
                memcpy(ret, answer.data, sizeof(*ret));
                if (image_listing_check(ret) < 0 ||
                    (digest[0] != '\0' && !str_eq(ret->digest, digest)))
                        r = senseless(err);
        }
        buf_release(&answer);
        return r;
}

int stored_verify(const struct image_store *store, int fd, const char *digest,
                  struct coffer_error *err)
{
        struct unpack_request req = {.job = UNPACK_VERIFY};
        struct buf answer = BUF_INIT(sizeof(struct unpack_done));
        int r = str_copy(req.blob, sizeof(req.blob), digest);

        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r < 0)
                return error_set(err, r, "read a blob");
        r = ask(store, &req, fd, &answer, err);
        buf_release(&answer);
        return r;
}

int stored_describe(const struct image_store *store, int images_fd, const char *digest,
                    struct image_manifest *ret_m, struct coffer_error *err)
{
        struct unpack_request req = {.job = UNPACK_STORED, .flags = UNPACK_ANY_PLATFORM};
        struct buf answer = BUF_INIT(UNPACK_ANSWER_MAX);
        int r = str_copy(req.text, sizeof(req.text), digest);

        if (r == 0)
                r = ask(store, &req, images_fd, &answer, err);
        if (r == 0 && message_decode(answer.data, answer.size, ret_m) < 0)
                r = senseless(err);
        buf_release(&answer);
        return r;
}

int stored_record(const struct image_store *store, const char *digest, struct image_record *ret,
                  struct coffer_error *err)
{
        cleanup_close int images_fd = -EBADF;
        struct image_record record = {.size = 0};
        int r = record_read(store->home_fd, digest, ret);

        if (r == 0)
                return 0;
        if (r != -EBADMSG && r != -ENOENT)
                return error_set(err, r, "read what is known of an image");
        images_fd = sys_open_beneath(store->home_fd, "images", O_RDONLY | O_DIRECTORY);
        if (images_fd < 0)
                return error_set(err, images_fd, "open 'images' in the home");
        r = stored_describe(store, images_fd, digest, &record.manifest, err);
        if (r < 0)
                return r;
        (void)str_copy(record.digest, sizeof(record.digest), digest);
        for (size_t i = 0; i < record.manifest.layer_count; i++)
                record.size += record.manifest.layers[i].size;
        (void)record_write(store->home_fd, &record); /* else it is made the next time, too */
        *ret = record;
        return 0;
}

static int find_by_id(const struct image_store *store, const char *prefix,
                      struct image_ref *ret_ref, struct coffer_error *err)
{
        cleanup_with(strv_release) struct strv digests = {.items = NULL};
        struct image_ref found = {.top = ""};
        char id[IMAGE_DIGEST_HEX + 1] = "";
        int r = record_list(store->home_fd, &digests);

        for (size_t i = 0; r == 0 && i < digests.count; i++) {
                struct image_record record;

                if (record_read(store->home_fd, digests.items[i], &record) < 0)
                        continue;
                if (str_after(record.manifest.id, prefix)) {
                        if (id[0] != '\0' && !str_eq(id, record.manifest.id))
                                r = error_say(err, -ENOTUNIQ, COFFER_ERROR_AMBIGUOUS,
                                              "more than one image has an id that begins with "
                                              "'%s'",
                                              prefix);
                        (void)str_copy(id, sizeof(id), record.manifest.id);
                        (void)str_copy(found.top, sizeof(found.top), digests.items[i]);
                        (void)str_copy(found.manifest, sizeof(found.manifest), digests.items[i]);
                }
                image_record_release(&record);
        }
        if (r == 0 && id[0] == '\0')
                r = -ENOENT;
        if (r == 0)
                *ret_ref = found;
        return r;
}

static bool is_id(const char *text)
{
        size_t size = strlen(text);

        return size >= ID_PREFIX_MIN && size <= IMAGE_DIGEST_HEX &&
               strspn(text, "0123456789abcdef") == size;
}

int stored_find(const struct image_store *store, const char *text, struct image_ref *ret_ref,
                struct coffer_error *err)
{
        const char *hex = str_after(text, "sha256:");
        struct image_name name;
        int r = -ENOENT, parsed = -EINVAL;

        if (!hex && !image_is_digest(text)) {
                parsed = name_parse(text, &name, err);
                if (parsed < 0)
                        return parsed;
                r = refs_get(store->home_fd, &name, ret_ref);
        }
        if (r == -ENOENT && is_id(hex ? hex : text))
                r = find_by_id(store, hex ? hex : text, ret_ref, err);
        if (r == -ENOENT) {
                (void)error_say(err, r, COFFER_ERROR_IMAGE, "there is no image '%.160s' here",
                                text);
                if (parsed == 0)
                        error_hint(err, "coffer pull %.100s", text);
        } else if (r < 0 && r != -ENOTUNIQ)
                (void)error_set(err, r, "look for image '%.160s'", text);
        return r;
}
