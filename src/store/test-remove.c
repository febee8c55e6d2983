/* SPDX-License-Identifier: Apache-2.0 */
#include "store/remove.h"

#include "store/file.h"
#include "store/test-store.h"

#define A "aaaaaaaaaaaa"
#define B "bbbbbbbbbbbb"

static void make_chain(int fd, unsigned depth)
{
        int at = t_ok(dup(fd));

        for (unsigned i = 0; i < depth; i++) {
                int next;

                t_ok(file_replace(at, "file", "x", 1, FILE_NEW));
                t_ok(mkdirat(at, "directory-with-a-name", 0700));
                next = t_ok(sys_open(at, "directory-with-a-name", O_RDONLY | O_DIRECTORY));
                (void)close(at);
                at = next;
        }
        (void)close(at);
}

TEST(a_tree_deeper_than_path_max_and_the_stack_goes)
{
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);
        int before;

        make_chain(fd, 5000);
        (void)close(fd);
        before = t_open_fds();
        t_ok(tree_remove(s.home->boxes_fd, A));
        t_int(before, t_open_fds());
        t_false(exists(s.home->boxes_fd, A));
        scratch_end(&s);
}

TEST(symlinks_are_removed_and_not_followed)
{
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);

        t_ok(file_replace(s.home->fd, "precious", "x", 1, 0));
        t_ok(symlinkat("../../precious", fd, "file"));
        t_ok(symlinkat("../..", fd, "dir"));
        t_ok(symlinkat("..", s.home->fd, "top"));
        t_ok(tree_remove(s.home->boxes_fd, A));
        t_ok(tree_remove(s.home->fd, "top"));
        t_true(exists(s.home->fd, "precious"));
        t_ok(tree_remove(s.home->fd, "nothing"));
        (void)close(fd);
        scratch_end(&s);
}

TEST(directories_without_any_right_go_too)
{
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);
        int sub;

        t_ok(mkdirat(fd, "a", 0700));
        sub = t_ok(sys_open(fd, "a", O_RDONLY | O_DIRECTORY));
        make_chain(sub, 3);
        t_ok(fchmodat(sub, "directory-with-a-name/directory-with-a-name", 0, 0));
        t_ok(fchmodat(sub, "directory-with-a-name", 0500, 0));
        t_ok(fchmodat(fd, "a", 0, 0));
        t_ok(tree_remove(s.home->boxes_fd, A));
        (void)close(sub);
        (void)close(fd);
        scratch_end(&s);
}

/* Stands for the child in a box's user namespace. */
static int as_other(void *as_data, int (*fn)(void *data), void *data)
{
        int *calls = as_data;

        (void)fn;
        (void)data;
        (*calls)++;
        return -EPERM;
}

TEST(a_box_goes_with_its_claims)
{
        struct scratch s = scratch_begin();
        struct claims claims = {.index = 3, .name = "web"};
        int fd = scratch_box(&s, A);
        char id[BOX_ID_CHARS + 1];
        int calls = 0;

        t_ok(claim_name(s.home, "web", A, NULL));
        t_ok(symlinkat(A, s.home->ids_fd, "3"));
        t_ok(claims_write(fd, &claims));
        make_chain(fd, 4);
        t_ok(box_remove_files(s.home, A, as_other, &calls));
        t_int(0, calls); /* nobody else was needed */
        t_false(exists(s.home->boxes_fd, A));
        t_false(exists(s.home->boxes_fd, ".trash-" A));
        t_errno(ENOENT, claim_lookup(s.home, "web", id));
        t_false(exists(s.home->ids_fd, "3"));
        t_ok(box_remove_files(s.home, A, as_other, &calls)); /* again */
        (void)close(fd);
        scratch_end(&s);
}

/* Cut short before the claims were noted, or when the directory had gone. */
TEST(claims_that_are_noted_nowhere_go_with_their_box)
{
        struct scratch s = scratch_begin();
        char id[BOX_ID_CHARS + 1];

        (void)close(scratch_box(&s, A));
        (void)close(scratch_box(&s, B));
        t_ok(claim_name(s.home, "web", A, NULL));
        t_ok(claim_name(s.home, "other", B, NULL));
        t_ok(symlinkat(A, s.home->ids_fd, "3"));
        t_ok(symlinkat(B, s.home->ids_fd, "4"));
        t_ok(box_remove_files(s.home, A, NULL, NULL));
        t_errno(ENOENT, claim_lookup(s.home, "web", id));
        t_false(exists(s.home->ids_fd, "3"));
        t_ok(claim_lookup(s.home, "other", id));
        t_str(B, id);
        t_true(exists(s.home->ids_fd, "4"));

        t_ok(renameat(s.home->boxes_fd, B, s.home->boxes_fd, ".trash-" B));
        t_int(1, box_sweep(s.home, NULL, NULL));
        t_errno(ENOENT, claim_lookup(s.home, "other", id));
        t_false(exists(s.home->ids_fd, "4"));
        scratch_end(&s);
}

TEST(a_removal_that_was_cut_short_is_finished)
{
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);

        (void)close(scratch_box(&s, B));
        make_chain(fd, 2);
        t_ok(renameat(s.home->boxes_fd, A, s.home->boxes_fd, ".trash-" A));
        t_int(1, box_sweep(s.home, NULL, NULL));
        t_int(0, box_sweep(s.home, NULL, NULL));
        t_false(exists(s.home->boxes_fd, ".trash-" A));
        t_true(exists(s.home->boxes_fd, B));
        (void)close(fd);
        scratch_end(&s);
}
