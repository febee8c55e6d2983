/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/ids.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#include "sandbox/caps.h"
#include "sandbox/test-child.h"

/* Root here, and of more than its own id (not as in `unshare -r`)? */
static bool has_many_ids(void)
{
        (void)setfsuid(12345);
        return geteuid() == 0 && setfsuid(0) == 12345;
}

static int groups_as_root(void)
{
        static const gid_t some[] = {3000, 7, 7, 12};
        enum ids_groups answer = IDS_GROUPS_DENIED;
        struct coffer_error err = {0};
        gid_t have[8];

        WANT(has_many_ids());
        NEED(ids_set_groups(some, ELEMENTS(some), &answer, &err) == 0);
        NEED(answer == IDS_GROUPS_SET && getgroups(8, have) == 4);
        NEED(ids_set_groups(NULL, 0, &answer, &err) == 0);
        NEED(getgroups(8, have) == 0);
        return 0;
}

TEST(groups_are_exactly_those_asked_for)
{
        t_child(groups_as_root);
}

static int groups_denied(void)
{
        static const gid_t other[] = {0, 0}; /* more than anybody has who has one group */
        enum ids_groups answer = IDS_GROUPS_SET;
        struct coffer_error err = {0};

        WANT(geteuid() != 0 || syscall(SYS_setgroups, 1, &(gid_t){4242}) == 0);
        WANT(getgroups(0, NULL) != 2);
        WANT(single_id_namespace(0) == 0);
        NEED(ids_set_groups(other, 2, &answer, &err) == 0);
        NEED(answer == IDS_GROUPS_DENIED);
        return 0;
}

TEST(a_denying_namespace_is_an_answer)
{
        t_child(groups_denied);
}

static int groups_without_right(void)
{
        static const gid_t other[] = {4242, 4243};
        enum ids_groups answer = IDS_GROUPS_DENIED;
        struct coffer_error err = {0};

        WANT(geteuid() != 0 || syscall(SYS_setgroups, 1, &(gid_t){4242}) == 0);
        NEED(caps_set(0, NULL) == 0);
        NEED(ids_set_groups(other, 2, &answer, &err) == -EPERM);
        NEED(answer == IDS_GROUPS_DENIED && err.code == -EPERM); /* untouched */
        return 0;
}

TEST(groups_need_setgid)
{
        t_child(groups_without_right);
}

TEST(too_many_groups_are_refused)
{
        static gid_t many[IDS_GROUPS_MAX + 1];
        enum ids_groups answer;

        t_errno(E2BIG, ids_set_groups(many, ELEMENTS(many), &answer, NULL));
}

static int become_user(void)
{
        struct coffer_error err = {0};

        WANT(has_many_ids());
        NEED(ids_become(12345, 54321, &err) == 0);
        NEED(getuid() == 12345 && geteuid() == 12345 && getgid() == 54321 && getegid() == 54321);
        NEED(caps_set(0, &err) == 0);
        NEED(ids_verify_no_return(12345, 54321, &err) == 0);
        NEED(getuid() == 12345 && geteuid() == 12345);
        return 0;
}

TEST(becomes_a_user_for_good)
{
        t_child(become_user);
}

/* As a set-uid program that kept its saved id. */
static int half_way(void)
{
        struct coffer_error err = {0};

        WANT(has_many_ids());
        WANT(syscall(SYS_setresuid, 12345, 12345, 0) == 0);
        NEED(ids_verify_no_return(12345, 0, &err) == -EPERM);
        NEED(err.kind == COFFER_ERROR_CONTROL);
        return 0;
}

static int group_half_way(void)
{
        WANT(has_many_ids());
        WANT(syscall(SYS_setresgid, 12345, 12345, 0) == 0);
        WANT(syscall(SYS_setresuid, 12345, 12345, 12345) == 0);
        NEED(ids_verify_no_return(12345, 12345, NULL) == -EPERM);
        return 0;
}

static int kept_capability(void)
{
        struct coffer_error err = {0};

        WANT(geteuid() == 0);
        NEED(ids_become(0, 0, &err) == 0);
        NEED(ids_verify_no_return(0, 0, &err) == 0); /* root has nowhere to return to */
        NEED(ids_verify_no_return(77, 77, &err) == -EPERM);
        return 0;
}

TEST(a_way_back_is_found)
{
        t_child(half_way);
        t_child(group_half_way);
        t_child(kept_capability);
}

static int become_unmapped(void)
{
        struct coffer_error err = {0};

        WANT(single_id_namespace(0) == 0);
        NEED(ids_become(5, 0, &err) == -EINVAL);
        NEED(strstr(err.msg, "become user 5") == err.msg);
        NEED(ids_become(0, 5, &err) == -EINVAL);
        NEED(ids_become(0, 0, &err) == 0);
        return 0;
}

TEST(an_unmapped_id_is_refused)
{
        t_child(become_unmapped);
}
