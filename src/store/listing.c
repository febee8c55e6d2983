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

#define ALIGNMENT sizeof(uint64_t)

static const char magic[8] = "coffer 2";

/* Before the entries.  All behind @sum is summed up. */
struct head {
        char magic[sizeof(magic)];
        uint64_t sum;
        uint64_t size; /* of the whole file */
        uint64_t count;
        uint64_t entry_bytes;
        struct here here;
};

#define SUMMED_FROM offsetof(struct head, size)

/* Where an entry has a pointer: in the file a place in the texts. */
static const size_t texts[] = {
        offsetof(struct listing_entry, name),          offsetof(struct listing_entry, image),
        offsetof(struct listing_entry, command),       offsetof(struct listing_entry, state),
        offsetof(struct listing_entry, reason),        offsetof(struct listing_entry, health),
        offsetof(struct listing_entry, restart),       offsetof(struct listing_entry, labels.first),
        offsetof(struct listing_entry, volumes.first),
};
_Static_assert(sizeof(uint64_t) == sizeof(const char *), "a place fits where a pointer was");
_Static_assert(sizeof(struct head) % ALIGNMENT == 0, "entries are aligned");

/*
 * It tells a torn file, not a forged one; who may write here may write anything.  Each step can
 * be undone, so that no single word can change without changing the sum.
 */
static uint64_t sum_of(const char *data, size_t size)
{
        uint64_t sum = 0xcbf29ce484222325ULL, word;

        for (size_t i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
                memcpy(&word, data + i, sizeof(word));
                sum = ((sum << 29 | sum >> 35) ^ word) * 0x9e3779b97f4a7c15ULL;
        }
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
        free(listing->data);
        *listing = (struct listing){.data = NULL};
}

bool listing_has(const struct listing_strv *list, const char *wanted)
{
        const char *s = list->first;

        for (uint64_t i = 0; i < list->count; i++, s += strlen(s) + 1)
                if (str_eq(s, wanted))
                        return true;
        return false;
}

/* -------------------------------------------------------------------------------------- reading */

/* The last byte of the texts is a NUL, so whatever begins in them ends there. */
static bool is_whole(const struct listing_strv *list, const char *end)
{
        const char *s = list->first;

        for (uint64_t i = 0; i < list->count; i++) {
                if (s >= end)
                        return false;
                s += strlen(s) + 1;
        }
        return true;
}

static bool locate(struct listing_entry *e, const char *text, const char *end)
{
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                char *at = (char *)e + texts[i];
                const char *s;
                uint64_t place;

                memcpy(&place, at, sizeof(place));
                if (place >= (uint64_t)(end - text))
                        return false;
                s = text + place;
                memcpy(at, &s, sizeof(s));
        }
        return e->id[sizeof(e->id) - 1] == '\0' && is_whole(&e->labels, end) &&
               is_whole(&e->volumes, end);
}

/* All of the file, which has @size bytes, or less when somebody cuts it meanwhile. */
static bool read_all(int fd, char *data, size_t size, struct head *ret_head)
{
        struct head head;

        if (sys_read_full(fd, data, size) != (ssize_t)size)
                return false;
        memcpy(&head, data, sizeof(head));
        *ret_head = head;
        return memcmp(head.magic, magic, sizeof(magic)) == 0 && head.size == size &&
               head.entry_bytes == sizeof(struct listing_entry) && head.count <= LISTING_MAX &&
               head.count * head.entry_bytes < size - sizeof(head) && data[size - 1] == '\0' &&
               head.sum == sum_of(data + SUMMED_FROM, size - SUMMED_FROM);
}

static bool is_here(const struct head *head, const struct here *here)
{
        return memcmp(head->here.boot_id, here->boot_id, sizeof(here->boot_id)) == 0 &&
               head->here.pid_ns == here->pid_ns;
}

static bool use(const struct head *head, const struct here *here, struct listing *listing)
{
        const char *text = (const char *)(listing->entries + head->count);
        const char *end = listing->data + head->size;

        for (size_t i = 0; i < head->count; i++) {
                struct listing_entry *e = &listing->entries[i];

                if (!locate(e, text, end) || (i > 0 && by_id(e - 1, e) >= 0))
                        return false;
                /* No directory has that: of another boot, the number of a shim says nothing. */
                if (e->shim_inode != 0 && !is_here(head, here))
                        e->inode = 0;
        }
        listing->count = head->count;
        return true;
}

void listing_read(const struct home *home, const struct here *here, struct listing *ret_listing)
{
        cleanup_close int fd = sys_open(home->fd, "listing", O_RDONLY | O_NOFOLLOW);
        struct listing listing = {.data = NULL};
        struct head head;
        struct stat st;

        *ret_listing = listing;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
            st.st_size <= (off_t)sizeof(head) || st.st_size > (off_t)LISTING_MAX_BYTES ||
            st.st_size % (off_t)ALIGNMENT != 0)
                return;
        listing.data = malloc((size_t)st.st_size);
        if (!listing.data)
                return;
        listing.entries = (void *)(listing.data + sizeof(head));
        if (read_all(fd, listing.data, (size_t)st.st_size, &head) && use(&head, here, &listing))
                *ret_listing = listing;
        else
                listing_release(&listing);
}

static uint64_t ctime_ns(const struct stat *st)
{
        return (uint64_t)st->st_ctim.tv_sec * 1000000000U + (uint64_t)st->st_ctim.tv_nsec;
}

const struct listing_entry *listing_find(const struct listing *listing, const char *id,
                                         const struct stat *dir)
{
        size_t low = 0, high = listing->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct listing_entry *e = &listing->entries[middle];
                int order = strcmp(id, e->id);

                if (order == 0)
                        return e->inode == dir->st_ino && e->ctime_ns == ctime_ns(dir) ? e : NULL;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
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

/* -------------------------------------------------------------------------------------- writing */

static size_t strv_bytes(const struct listing_strv *list)
{
        const char *s = list->first;

        for (uint64_t i = 0; i < list->count; i++)
                s += strlen(s) + 1;
        return (size_t)(s - list->first);
}

/* Text for the entry, and in the entry the places of it. */
static void append_texts(struct listing_entry *e, struct buf *text)
{
        const size_t lists[] = {strv_bytes(&e->labels), strv_bytes(&e->volumes)};

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                char *at = (char *)e + texts[i];
                size_t list = ELEMENTS(texts) - i; /* the two last are lists */
                const char *s;
                uint64_t place = text->size;

                memcpy(&s, at, sizeof(s));
                (void)buf_append(text, s, list <= 2 ? lists[2 - list] : strlen(s) + 1);
                memcpy(at, &place, sizeof(place));
        }
}

int listing_write(const struct home *home, const struct here *here, struct listing_entry *entries,
                  size_t count)
{
        static const char zeros[ALIGNMENT] = "";
        cleanup_with(release_buf) struct buf file = BUF_INIT(LISTING_MAX_BYTES);
        cleanup_with(release_buf) struct buf text = BUF_INIT(LISTING_MAX_BYTES);
        struct head head = {.count = count, .entry_bytes = sizeof(*entries), .here = *here};

        if (count > 1)
                qsort(entries, count, sizeof(*entries), by_id);
        memcpy(head.magic, magic, sizeof(magic));
        (void)buf_append(&file, &head, sizeof(head));
        for (size_t i = 0; i < count; i++) {
                struct listing_entry e = entries[i];

                append_texts(&e, &text);
                (void)buf_append(&file, &e, sizeof(e));
        }
        /* Whole words, the last byte a NUL. */
        (void)buf_append(&text, zeros, ALIGNMENT - text.size % ALIGNMENT);
        (void)buf_append(&file, text.data, text.size);
        if (file.failed < 0 || text.failed < 0)
                return file.failed < 0 ? file.failed : text.failed;
        head.size = file.size;
        memcpy(file.data, &head, sizeof(head));
        head.sum = sum_of(file.data + SUMMED_FROM, file.size - SUMMED_FROM);
        memcpy(file.data, &head, sizeof(head));
        return file_replace(home->fd, "listing", file.data, file.size, 0);
}
