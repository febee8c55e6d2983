/* SPDX-License-Identifier: Apache-2.0 */
#include "store/claim.h"

#include <coffer/error.h>

#include "store/lock.h"
#include "store/test-store.h"

#define A "aaaaaaaaaaaa"
#define B "bbbbbbbbbbbb"

TEST(a_name_is_taken_once)
{
        struct scratch s = scratch_begin();
        struct coffer_error err;
        char id[BOX_ID_CHARS + 1];

        (void)close(scratch_box(&s, A));
        (void)close(scratch_box(&s, B));
        t_ok(claim_name(s.home, "web", A, NULL));
        t_errno(EEXIST, claim_name(s.home, "web", B, &err));
        t_int(COFFER_ERROR_EXISTS, err.kind);
        t_has(A, err.msg);
        t_ok(claim_lookup(s.home, "web", id));
        t_str(A, id);
        t_errno(ENOENT, claim_lookup(s.home, "we", id));

        claim_release_name(s.home, "web", B); /* not his */
        t_ok(claim_lookup(s.home, "web", id));
        claim_release_name(s.home, "web", A);
        t_ok(claim_name(s.home, "web", B, NULL));
        scratch_end(&s);
}

TEST(a_claim_without_a_directory_is_replaced)
{
        struct scratch s = scratch_begin();
        char id[BOX_ID_CHARS + 1];

        (void)close(scratch_box(&s, B));
        t_ok(claim_name(s.home, "web", A, NULL));
        t_ok(claim_name(s.home, "web", B, NULL));
        t_ok(claim_lookup(s.home, "web", id));
        t_str(B, id);
        scratch_end(&s);
}

TEST(what_is_no_claim_is_not_followed)
{
        static const char *const targets[] = {"../../etc/passwd", "AAAAAAAAAAAA", "aaaa", "."};
        struct scratch s = scratch_begin();
        char id[BOX_ID_CHARS + 1];

        for (size_t i = 0; i < ELEMENTS(targets); i++) {
                t_ok(symlinkat(targets[i], s.home->names_fd, "x"));
                t_errno(EBADMSG, claim_lookup(s.home, "x", id));
                t_ok(unlinkat(s.home->names_fd, "x", 0));
        }
        scratch_end(&s);
}

TEST(ranges_run_out_and_come_back)
{
        struct scratch s = scratch_begin();
        struct coffer_error err;
        bool seen[3] = {false};
        uint32_t index = 9;

        (void)close(scratch_box(&s, A));
        for (int i = 0; i < 3; i++) {
                t_ok(claim_index(s.home, 3, A, &index, NULL));
                t_true(index < 3 && !seen[index]);
                seen[index] = true;
        }
        t_errno(ENOSPC, claim_index(s.home, 3, A, &index, NULL));
        (void)close(scratch_box(&s, B));
        t_errno(ENOSPC, claim_index(s.home, 3, B, &index, &err));
        claims_release(s.home, &(struct claims){.index = 1}, A);
        t_ok(claim_index(s.home, 3, B, &index, &err));
        t_int(1, index);
        scratch_end(&s);
}

/* Where the disk is full there is no room for a file of our own, and yet it must be possible. */
TEST(releasing_a_claim_makes_no_file)
{
        const struct claims claims = {.index = 0, .name = "web"};
        struct scratch s = scratch_begin();
        uint32_t index = 9;

        (void)close(scratch_box(&s, A));
        t_ok(claim_name(s.home, "web", A, NULL));
        t_ok(claim_index(s.home, 1, A, &index, NULL));
        claims_release(s.home, &claims, A);
        t_ok(unlinkat(s.home->fd, "names", AT_REMOVEDIR));
        t_ok(unlinkat(s.home->fd, "ids", AT_REMOVEDIR));
        scratch_end(&s);
}

TEST(claims_are_noted_and_read_back)
{
        static const char *const bad[] = {"", "x", "7", "-1:x", "1:a/b", "1:.", "99999999999:x"};
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);
        struct claims c = {.index = 7, .name = "web"};
        struct claims d;

        t_errno(ENOENT, claims_read(fd, &d));
        t_ok(claims_write(fd, &c));
        t_ok(claims_read(fd, &d));
        t_int(7, d.index);
        t_str("web", d.name);
        c = (struct claims){.index = CLAIM_NO_INDEX, .name = "other"};
        t_ok(claims_write(fd, &c));
        t_ok(claims_read(fd, &d));
        t_true(d.index == CLAIM_NO_INDEX);
        t_str("other", d.name);

        for (size_t i = 1; i < ELEMENTS(bad); i++) {
                t_note("'%s'", bad[i]);
                t_ok(unlinkat(fd, "claims", 0));
                t_ok(symlinkat(bad[i], fd, "claims"));
                t_errno(EBADMSG, claims_read(fd, &d));
        }
        (void)close(fd);
        scratch_end(&s);
}

TEST(one_lock_at_a_time)
{
        struct scratch s = scratch_begin();
        int dir_fd = scratch_box(&s, A);
        int first, second;

        t_int(0, box_lock_is_held(dir_fd));
        t_ok(box_lock_take(dir_fd, A, &first));
        t_int(1, box_lock_is_held(dir_fd));
        t_int(1, box_lock_is_held_at(s.home->boxes_fd, A));
        t_errno(EAGAIN, box_lock_take(dir_fd, A, &second));
        (void)close(first);
        t_int(0, box_lock_is_held(dir_fd));
        t_int(0, box_lock_is_held_at(s.home->boxes_fd, A));

        /* The directory was moved to the trash, or its lock was removed. */
        t_ok(renameat(s.home->boxes_fd, A, s.home->boxes_fd, ".trash-" A));
        t_errno(ENOENT, box_lock_take(dir_fd, A, &second));
        (void)close(scratch_box(&s, A));
        t_errno(ENOENT, box_lock_take(dir_fd, A, &second));
        (void)close(dir_fd);
        scratch_end(&s);
}

/* Deleted, garbage, or a stranger's: the boxes' own directories have the claims. */
TEST(what_is_missing_in_names_and_ids_is_put_back)
{
        static const char id[] = "aaaaaaaaaaaa", other[] = "bbbbbbbbbbbb";
        struct claims claims = {.name = "web", .index = 7};
        struct scratch s = scratch_begin();
        char owner[BOX_ID_CHARS + 1];
        int fd = scratch_box(&s, id);

        (void)close(scratch_box(&s, other));
        t_ok(claims_write(fd, &claims));
        t_ok(claims_restore_all(s.home));
        t_ok(claim_lookup(s.home, "web", owner));
        t_str(id, owner);
        t_true(exists(s.home->ids_fd, "7"));

        t_ok(unlinkat(s.home->names_fd, "web", 0));
        t_ok(symlinkat("not an id", s.home->names_fd, "web"));
        t_ok(unlinkat(s.home->ids_fd, "7", 0));
        t_ok(symlinkat("cccccccccccc", s.home->ids_fd, "7")); /* of a box that is gone */
        t_ok(claims_restore(s.home, &claims, id));
        t_ok(claim_lookup(s.home, "web", owner));
        t_str(id, owner);

        t_ok(unlinkat(s.home->names_fd, "web", 0));
        t_ok(symlinkat(other, s.home->names_fd, "web"));
        t_errno(EEXIST, claims_restore(s.home, &claims, id));
        t_ok(claim_lookup(s.home, "web", owner));
        t_str(other, owner);
        (void)close(fd);
        scratch_end(&s);
}
