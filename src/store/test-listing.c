/* SPDX-License-Identifier: Apache-2.0 */
#include "store/listing.h"

#include <string.h>

#include "base/buf.h"
#include "store/file.h"
#include "store/test-store.h"

static const struct here here = {.boot_id = "4e1b4a8b-1111-2222-3333-444444444444", .pid_ns = 5};

static struct listing_entry entry_of(const char *id, const struct stat *dir)
{
        struct listing_entry e = {
                .name = "web",
                .image = "host",
                .command = "sleep 1",
                .state = "stopped",
                .reason = "",
                .health = "",
                .restart = "no",
                .labels = {"",         0},
                .volumes = {"one\0two", 2},
                .created_ns = 1,
                .started_ns = 2,
                .finished_ns = 3,
                .exit_code = 7,
        };

        t_ok(str_copy(e.id, sizeof(e.id), id));
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
        t_ok(listing_write(s->home, &here, &e, 1));
        return dir;
}

static bool is_known(const struct scratch *s, const char *id)
{
        struct stat dir = look(s, id);
        struct listing listing;
        bool found;

        listing_read(s->home, &here, &listing);
        found = listing_find(&listing, id, &dir) != NULL;
        listing_release(&listing);
        return found;
}

TEST(what_was_written_is_found_and_what_begins_like_it_is_not)
{
        static const char *const ids[] = {"cccccccccccc", "aaaaaaaaaaaa", "bbbbbbbbbbbb"};
        struct scratch s = scratch_begin();
        struct listing_entry entries[ELEMENTS(ids)];
        const struct listing_entry *found;
        struct listing listing;
        struct stat dir;

        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                (void)close(scratch_box(&s, ids[i]));
                dir = look(&s, ids[i]);
                entries[i] = entry_of(ids[i], &dir);
                entries[i].labels = (struct listing_strv){ids[i], 1};
        }
        t_ok(listing_write(s.home, &here, entries, ELEMENTS(ids)));
        listing_read(s.home, &here, &listing);
        t_int(ELEMENTS(ids), listing.count);
        for (size_t i = 0; i < ELEMENTS(ids); i++) {
                dir = look(&s, ids[i]);
                found = listing_find(&listing, ids[i], &dir);
                t_true(found != NULL);
                t_str(ids[i], found->id);
                t_int(1, (int)found->labels.count);
                t_true(listing_has(&found->labels, ids[i]));
                t_false(listing_has(&found->labels, ids[(i + 1) % ELEMENTS(ids)]));
                t_true(listing_has(&found->volumes, "one") && listing_has(&found->volumes, "two"));
                t_false(listing_has(&found->volumes, ""));
                t_str("sleep 1", found->command);
                t_int(7, found->exit_code);
                t_true(listing_find(&listing, "aaaaaaaaaaa", &dir) == NULL);
                t_true(listing_find(&listing, "aaaaaaaaaaab", &dir) == NULL);
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
        listing_read(s.home, &here, &listing);
        t_int(0, listing.count);
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

        t_ok(listing_write(s.home, &here, twice, 2));
        t_false(is_known(&s, id));
        scratch_end(&s);
}

TEST(a_box_that_runs_is_in_the_listing_of_its_boot_and_pid_namespace_alone)
{
        static const char id[] = "aaaaaaaaaaaa";
        struct scratch s = scratch_begin();
        struct stat dir = listed(&s, id);
        struct listing_entry e = entry_of(id, &dir);
        struct here elsewhere[2] = {here, here};
        struct listing listing;

        elsewhere[0].boot_id[0] = 'f';
        elsewhere[1].pid_ns++;
        for (int runs = 0; runs < 2; runs++) {
                e.shim_inode = runs ? 77 : 0;
                t_ok(listing_write(s.home, &here, &e, 1));
                t_true(is_known(&s, id));
                for (size_t i = 0; i < ELEMENTS(elsewhere); i++) {
                        listing_read(s.home, &elsewhere[i], &listing);
                        t_int(1, listing.count);
                        t_true((listing_find(&listing, id, &dir) == NULL) == (runs == 1));
                        listing_release(&listing);
                }
        }
        scratch_end(&s);
}
