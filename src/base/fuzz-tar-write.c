/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever an archive says about an entry, writing it down again says the same. */
#include "base/tar-write.h"

#include <errno.h>
#include <string.h>

#include "base/test-tar.h"
#include "fuzz.h"

static void check_same(const struct tar_entry *a, const struct tar_entry *b)
{
        fuzz_assert(a->type == b->type && a->mode == b->mode);
        fuzz_assert(strcmp(a->path, b->path) == 0 && strcmp(a->link, b->link) == 0);
        fuzz_assert(a->uid == b->uid && a->gid == b->gid);
        fuzz_assert(a->type != TAR_FILE || a->size == b->size);
        fuzz_assert(a->mtime_sec == b->mtime_sec && a->mtime_nsec == b->mtime_nsec);
        fuzz_assert(a->device_major == b->device_major && a->device_minor == b->device_minor);
        fuzz_assert(a->xattr_count == b->xattr_count);
        for (size_t i = 0; i < a->xattr_count; i++) {
                fuzz_assert(strcmp(a->xattrs[i].name, b->xattrs[i].name) == 0);
                fuzz_assert(a->xattrs[i].size == b->xattrs[i].size);
                fuzz_assert(memcmp(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].size) == 0);
        }
}

/* What Linux has no use for need not be written: such times and attributes do not exist. */
static bool can_be_written(const struct tar_entry *e)
{
        if (e->sparse || e->mtime_sec < -(INT64_MAX / 4) || e->mtime_sec > INT64_MAX / 4)
                return false;
        for (size_t i = 0; i < e->xattr_count; i++)
                if (strchr(e->xattrs[i].name, '='))
                        return false;
        return true;
}

static void check_entry(const struct tar_entry *e)
{
        struct buf b = BUF_INIT(8 * TAR_EXTENDED_MAX);
        struct tar_memory again;
        const struct tar_entry *read_back;
        struct tar *tar;
        int r = tar_write_header(&b, e);

        fuzz_assert(r == 0 || (r == -ERANGE && b.size == 0) || (r == -E2BIG && b.size == 0));
        if (r == 0) {
                fuzz_assert(b.size % TAR_BLOCK == 0);
                again = (struct tar_memory){(const unsigned char *)b.data, b.size};
                if (tar_memory_new(&again, false, &tar) < 0)
                        abort();
                fuzz_assert(tar_next(tar, &read_back, NULL) == 1);
                check_same(e, read_back);
                (void)tar_free(tar);
        }
        buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct tar_memory memory = {data, size};
        const struct tar_entry *e;
        struct tar *tar;

        if (tar_memory_new(&memory, false, &tar) < 0)
                abort();
        while (tar_next(tar, &e, NULL) > 0)
                if (can_be_written(e))
                        check_entry(e);
        (void)tar_free(tar);
        return 0;
}
