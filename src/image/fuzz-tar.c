/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "image/extract-parts.h"
#include "base/tar.h"

DEFINE_FREEP(struct tar, tar_free)

struct memory {
        const uint8_t *data;
        size_t left;
};

static ssize_t read_memory(void *data, void *to, size_t size, struct coffer_error *err)
{
        struct memory *m = data;

        if (size > m->left)
                size = m->left;
        if (size > 0)
                memcpy(to, m->data, size);
        m->data += size;
        m->left -= size;
        return (ssize_t)size;
}

static void check_path(const char *name)
{
        static const struct extract_spec spec = {.layer = true};
        const struct extract x = {.spec = &spec};
        struct entry_path path;

        if (extract_parse(&x, name, &path, NULL) < 0)
                return;
        fuzz_assert(path.whole[0] != '/' && !strstr(path.whole, "//"));
        fuzz_assert(strcmp(path.whole, "..") != 0 && strncmp(path.whole, "../", 3) != 0);
        fuzz_assert(!strstr(path.whole, "/../") && !strchr(path.last, '/'));
        fuzz_assert(strcmp(path.last, "..") != 0 && strcmp(path.last, ".") != 0);
}

static void check_entry(struct tar *tar, const struct tar_entry *e)
{
        uint64_t end = 0;
        size_t piece = 1;

        fuzz_assert(e->path[0] != '\0' && strlen(e->path) <= TAR_PATH_MAX);
        fuzz_assert(strlen(e->link) <= TAR_PATH_MAX && (e->mode & ~07777U) == 0);
        fuzz_assert(e->xattr_count <= TAR_XATTRS_MAX && e->mtime_nsec < 1000000000);
        check_path(e->path);
        check_path(e->link);

        while (piece > 0) {
                const void *data = NULL;
                uint64_t offset = 0;

                if (tar_content(tar, &data, &piece, &offset, NULL) < 0)
                        return;
                fuzz_assert(piece == 0 || (offset >= end && offset + piece <= e->size) ||
                            e->type != TAR_FILE);
                end = piece > 0 ? offset + piece : end;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        cleanup_with(tar_freep) struct tar *tar = NULL;
        struct memory memory = {.data = data, .left = size};
        const struct tar_source source = {.read = read_memory, .data = &memory};
        const struct tar_entry *e;
        struct coffer_error err = {0};
        size_t entries = 0;
        int r;

        if (tar_new(&source, false, &tar) < 0)
                abort();
        while ((r = tar_next(tar, &e, &err)) > 0) {
                fuzz_assert(++entries <= size / TAR_BLOCK);
                if (entries % 3 != 0) /* the others are gone over */
                        check_entry(tar, e);
        }
        fuzz_assert((r < 0) == (err.msg[0] != '\0'));
        return 0;
}
