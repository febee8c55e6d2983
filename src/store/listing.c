/* SPDX-License-Identifier: Apache-2.0 */
#include "store/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "store/file.h"

#define READ_AHEAD 32768

static const char magic[8] = "coffer 1";

#define FIELD(f, kind, max)                                            \
        {                                                              \
#f, kind, offsetof(struct listing_entry, f), max, NULL \
        }

static const struct wire_field entry_fields[] = {
        FIELD(id, WIRE_STR, BOX_ID_CHARS),
        FIELD(inode, WIRE_U64, 0),
        FIELD(ctime_ns, WIRE_U64, 0),
        FIELD(name, WIRE_STR, BOX_NAME_MAX),
        FIELD(index, WIRE_U32, 0),
        FIELD(image, WIRE_STR, WIRE_STR_MAX),
        FIELD(command, WIRE_STR, WIRE_STR_MAX),
        FIELD(labels, WIRE_STRV, STRV_MAX),
        FIELD(volumes, WIRE_STRV, STRV_MAX),
        FIELD(state, WIRE_STR, WIRE_STR_MAX),
        FIELD(reason, WIRE_STR, WIRE_STR_MAX),
        FIELD(created_ns, WIRE_U64, 0),
        FIELD(started_ns, WIRE_U64, 0),
        FIELD(finished_ns, WIRE_U64, 0),
        FIELD(exit_code, WIRE_U32, 0),
        FIELD(tty, WIRE_U32, 0),
        FIELD(remove, WIRE_U32, 0),
};
static const struct wire_table entry_table = {"listing_entry", sizeof(struct listing_entry),
                                              entry_fields, ELEMENTS(entry_fields)};

static const struct wire_field listing_fields[] = {
        {"entries", WIRE_LIST, offsetof(struct listing, entries), LISTING_MAX, &entry_table},
};
static const struct wire_table listing_table = {"listing", sizeof(struct listing), listing_fields,
                                                ELEMENTS(listing_fields)};

/* Before the entries. */
struct head {
        char magic[sizeof(magic)];
        uint64_t size;
        uint64_t sum;
};

/* FNV-1a: it tells a torn file, not a forged one; who may write here may write anything. */
static uint64_t sum_of(const char *data, size_t size)
{
        uint64_t sum = 0xcbf29ce484222325ULL;

        for (size_t i = 0; i < size; i++)
                sum = (sum ^ (uint8_t)data[i]) * 0x100000001b3ULL;
        return sum;
}

static int by_id(const void *a, const void *b)
{
        return strcmp(((const struct listing_entry *)a)->id, ((const struct listing_entry *)b)->id);
}

static void release_buf(struct buf *b)
{
        buf_release(b);
}

void listing_release(struct listing *listing)
{
        wire_release(&listing_table, listing);
}

static bool is_sorted(const struct listing *listing)
{
        const struct listing_entry *entries = listing->entries.items;

        for (size_t i = 1; i < listing->entries.count; i++)
                if (by_id(&entries[i - 1], &entries[i]) >= 0)
                        return false;
        return true;
}

void listing_read(const struct home *home, struct listing *ret_listing)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(LISTING_MAX_BYTES);
        cleanup_close int fd = sys_open(home->fd, "listing", O_RDONLY | O_NOFOLLOW);
        const char *body;
        struct head head;
        struct stat st;

        *ret_listing = (struct listing){
                .entries = {NULL, 0}
        };
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
            st.st_size > (off_t)(LISTING_MAX_BYTES - READ_AHEAD))
                return;
        /* Room for all at once, and for the read that finds the end. */
        if (!buf_space(&text, (size_t)st.st_size + READ_AHEAD) || buf_read_fd(&text, fd) < 0 ||
            text.size < sizeof(head))
                return;
        memcpy(&head, text.data, sizeof(head));
        body = text.data + sizeof(head);
        if (memcmp(head.magic, magic, sizeof(magic)) != 0 ||
            head.size != text.size - sizeof(head) || head.sum != sum_of(body, head.size) ||
            wire_decode(body, head.size, &listing_table, ret_listing) < 0)
                return;
        if (!is_sorted(ret_listing))
                listing_release(ret_listing);
}

static uint64_t ctime_ns(const struct stat *st)
{
        return (uint64_t)st->st_ctim.tv_sec * 1000000000U + (uint64_t)st->st_ctim.tv_nsec;
}

struct listing_entry *listing_find(const struct listing *listing, const char *id,
                                   const struct stat *dir)
{
        const struct listing_entry wanted = {.id = (char *)(uintptr_t)id};
        struct listing_entry *found =
                listing->entries.count == 0
                        ? NULL
                        : bsearch(&wanted, listing->entries.items, listing->entries.count,
                                  sizeof(wanted), by_id);

        if (!found || found->inode != dir->st_ino || found->ctime_ns != ctime_ns(dir))
                return NULL;
        return found;
}

bool listing_can_hold(const struct stat *before, const struct stat *after, uint64_t now_ns)
{
        return before->st_ino == after->st_ino && ctime_ns(before) == ctime_ns(after) &&
               ctime_ns(before) + LISTING_CALM_NS < now_ns;
}

void listing_stamp(struct listing_entry *entry, const struct stat *dir)
{
        entry->inode = dir->st_ino;
        entry->ctime_ns = ctime_ns(dir);
}

int listing_write(const struct home *home, struct listing_entry *entries, size_t count)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(LISTING_MAX_BYTES);
        const struct listing listing = {
                .entries = {entries, count}
        };
        struct head head = {.size = 0};
        int r;

        if (count > 1)
                qsort(entries, count, sizeof(*entries), by_id);
        memcpy(head.magic, magic, sizeof(magic));
        (void)buf_append(&text, &head, sizeof(head));
        r = wire_encode(&text, &listing_table, &listing);
        if (r < 0)
                return r;
        if (text.failed < 0)
                return text.failed;
        head.size = text.size - sizeof(head);
        head.sum = sum_of(text.data + sizeof(head), head.size);
        memcpy(text.data, &head, sizeof(head));
        return file_replace(home->fd, "listing", text.data, text.size, 0);
}
