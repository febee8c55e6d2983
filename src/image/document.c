/* SPDX-License-Identifier: Apache-2.0 */
#include "image/document.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/contents.h"

static void put(struct buf *to, const char *media, const struct image_blob *blob)
{
        (void)buf_printf(to, "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%llu}", media,
                         blob->digest, (unsigned long long)blob->size);
}

int document_manifest(struct buf *to, const struct image_blob *config,
                      const struct document_layer *layers, size_t count)
{
        (void)buf_append_str(to, "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_MEDIA_MANIFEST
                                 "\",\"config\":");
        put(to, IMAGE_MEDIA_CONFIG, config);
        (void)buf_append_str(to, ",\"layers\":[");
        for (size_t i = 0; i < count; i++) {
                (void)buf_append_str(to, i > 0 ? "," : "");
                put(to, image_layer_media(layers[i].form), &layers[i].blob);
        }
        (void)buf_append_str(to, "]}");
        return to->failed;
}

enum image_form document_form(int fd)
{
        unsigned char magic[4] = {0};
        ssize_t n = pread(fd, magic, sizeof(magic), 0);

        if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
                return IMAGE_FORM_GZIP;
        if (n == 4 && (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ||
                       ((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, "\x2a\x4d\x18", 3) == 0)))
                return IMAGE_FORM_ZSTD;
        return IMAGE_FORM_PLAIN;
}

int document_digest(const struct image_store *store, const struct buf *text, char *ret_hex,
                    struct coffer_error *err)
{
        cleanup_close int fd = sys_memfd_sealed("coffer-document", text->data, text->size);
        struct unpack_sums sums;
        int r = fd < 0 ? fd : lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;

        if (r < 0)
                return error_set(err, r, "hash a document");
        r = contents_spool(store, fd, -1, &sums, err);
        return r < 0 ? r : str_copy(ret_hex, IMAGE_DIGEST_HEX + 1, sums.blob);
}
