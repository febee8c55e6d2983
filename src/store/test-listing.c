/* SPDX-License-Identifier: Apache-2.0 */
#include "store/listing.h"

#include <string.h>

#include "base/buf.h"
#include "store/file.h"
#include "store/test-store.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct listing_entry entry_of(const char *id, const struct stat *dir)
{
        struct listing_entry e = {
                .id = TEXT(id),
                .name = TEXT("web"),
                .image = TEXT("host"),
                .command = TEXT("sleep 1"),
                .state = TEXT("stopped"),
                .reason = TEXT(""),
                .created_ns = 1,
                .started_ns = 2,
                .finished_ns = 3,
                .exit_code = 7,
        };

        listing_stamp(&e, dir);
        return e;
}

static struct stat look(const struct scratch *s, const char *id)
{
        struct stat st;

        t_ok(fstatat(s->home->boxes_fd, id, &st, AT_SYMLINK_NOFOLLOW));
        return st;
}

/* One box that is in the listing. */
static struct stat listed(struct scratch *s, const char *id)
{
        struct listing_entry e;
        struct stat dir;

        (void)close(scratch_box(s, id));
        dir = look(s, id);
        e = entry_of(id, &dir);
        t_ok(listing_write(s->home, &e, 1));
        return dir;
}

static bool is_known(const struct scratch *s, const char *id)
{
        struct stat dir = look(s, id);
        struct listing listing;
        bool found;

        listing_read(s->home, &listing);
        found = listing_find(&listing, id, &dir) != NULL;
        listing_release(&listing);
        return found;
}

TEST(what_was_written_is_found_and_what_begins_like_it_is_not)
{
        static const char *const ids[] = {"cccccccccccc", "aaaaaaaaaaaa", "bbbbbbbbbbbb"};
        struct scratch s = scratch_begin();
        struct listing_entry entries[ELEMENTS(ids)], *found;
        struct listing listing;
        struct stat dir;

        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                (void)close(scratch_box(&s, ids[i]));
                dir = look(&s, ids[i]);
                entries[i] = entry_of(ids[i], &dir);
                t_ok(strv_add(&entries[i].labels, ids[i]));
        }
        t_ok(listing_write(s.home, entries, ELEMENTS(ids)));
        listing_read(s.home, &listing);
        t_int(ELEMENTS(ids), listing.entries.count);
        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                dir = look(&s, ids[i]);
                found = listing_find(&listing, ids[i], &dir);
                t_true(found != NULL);
                t_str(ids[i], found->id);
                t_str(ids[i], found->labels.items[0]);
                t_str("sleep 1", found->command);
                t_int(7, found->exit_code);
                t_true(listing_find(&listing, "aaaaaaaaaaa", &dir) == NULL);
                t_true(listing_find(&listing, "aaaaaaaaaaab", &dir) == NULL);
                strv_release(&entries[i].labels);
        }
        listing_release(&listing);
        scratch_end(&s);
}

/* Each is what some program does to a box. */
TEST(a_directory_that_changed_is_not_found)
{
        static const char id[] = "aaaaaaaaaaaa";
        struct scratch s = scratch_begin();
        int fd;

        (void)listed(&s, id);
        t_true(is_known(&s, id));
        fd = t_ok(sys_open(s.home->boxes_fd, id, O_RDONLY | O_DIRECTORY));
        /* The clock of a file system may stand still meanwhile; that is what LISTING_CALM_NS is
         * for. */
        do
                t_ok(file_replace(fd, "identity", "", 0, 0));
        while (is_known(&s, id));

        (void)close(fd);
        (void)listed(&s, "bbbbbbbbbbbb");
        t_ok(unlinkat(s.home->boxes_fd, "bbbbbbbbbbbb", AT_REMOVEDIR));
        do {
                t_ok(mkdirat(s.home->boxes_fd, "bbbbbbbbbbbb", 0700));
                if (!is_known(&s, "bbbbbbbbbbbb"))
                        break;
                t_ok(unlinkat(s.home->boxes_fd, "bbbbbbbbbbbb", AT_REMOVEDIR));
        } while (true);
        scratch_end(&s);
}

TEST(only_what_has_been_calm_for_long_enough_makes_an_entry)
{
        struct stat then = {
                .st_ino = 1, .st_ctim = {.tv_sec = 100, .tv_nsec = 5}
        };
        const uint64_t changed = 100000000005ULL;
        struct stat later = then;

        t_false(listing_can_hold(&then, &then, changed));
        t_false(listing_can_hold(&then, &then, changed - 1000)); /* the clock was set back */
        t_false(listing_can_hold(&then, &then, changed + LISTING_CALM_NS));
        t_true(listing_can_hold(&then, &then, changed + LISTING_CALM_NS + 1));
        later.st_ctim.tv_nsec++;
        t_false(listing_can_hold(&then, &later, changed + 2 * LISTING_CALM_NS));
        later = then;
        later.st_ino++;
        t_false(listing_can_hold(&then, &later, changed + 2 * LISTING_CALM_NS));
}

/* Every byte wrong, and every length: nothing is read, nothing breaks. */
TEST(a_damaged_listing_is_no_listing)
{
        static const char id[] = "aaaaaaaaaaaa";
        struct scratch s = scratch_begin();
        struct buf text = BUF_INIT(LISTING_MAX_BYTES);
        struct listing listing;

        (void)listed(&s, id);
        t_ok(buf_read_file(&text, s.home->fd, "listing"));
        for (size_t i = 0; i < text.size; i++) {
                text.data[i] ^= 1;
                t_ok(file_replace(s.home->fd, "listing", text.data, text.size, 0));
                t_false(is_known(&s, id));
                text.data[i] ^= 1;
                t_ok(file_replace(s.home->fd, "listing", text.data, i, 0));
                t_false(is_known(&s, id));
        }
        t_ok(file_replace(s.home->fd, "listing", text.data, text.size, 0));
        t_true(is_known(&s, id));
        t_ok(unlinkat(s.home->fd, "listing", 0));
        t_ok(mkdirat(s.home->fd, "listing", 0700));
        listing_read(s.home, &listing);
        t_int(0, listing.entries.count);
        buf_release(&text);
        scratch_end(&s);
}

/* Right in itself, but not sorted: a search would miss what is there. */
TEST(a_listing_with_one_box_twice_is_no_listing)
{
        static const char id[] = "aaaaaaaaaaaa";
        struct scratch s = scratch_begin();
        struct stat dir = listed(&s, id);
        struct listing_entry twice[2] = {entry_of(id, &dir), entry_of(id, &dir)};

        t_ok(listing_write(s.home, twice, 2));
        t_false(is_known(&s, id));
        scratch_end(&s);
}
