/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sandbox/ids.h"
#include "sandbox/test-child.h"

#define SOME (CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_NET_BIND_SERVICE))

/* Full rights over a user namespace of our own: works for root and user alike. */
static int own_user_namespace(void)
{
        return unshare(CLONE_NEWUSER);
}

static uint64_t status_mask(const char *key)
{
        char line[256];
        unsigned long long mask = UINT64_MAX;
        FILE *f = fopen("/proc/self/status", "re");

        while (f && fgets(line, sizeof(line), f))
                if (strncmp(line, key, strlen(key)) == 0)
                        mask = strtoull(line + strlen(key), NULL, 16);
        if (f)
                (void)fclose(f);
        return mask;
}

TEST(formats_masks)
{
        char text[64];

        caps_format(text, sizeof(text), 0);
        t_str("none", text);
        caps_format(text, sizeof(text), SOME);
        t_str("CAP_CHOWN CAP_NET_BIND_SERVICE", text);
        caps_format(text, sizeof(text), CAPS_BIT(63));
        t_str("63", text);
        caps_format(text, sizeof(text), CAPS_ALL);
        t_str("all", text);
        caps_format(text, sizeof(text), CAPS_ALL & ~SOME);
        t_str("all but CAP_CHOWN CAP_NET_BIND_SERVICE", text);
        caps_format(text, sizeof(text), 0xff);
        t_str("CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER…", text);
        caps_format(text, 8, 0xff);
        t_str("…", text);
}

static int clear_in_namespace(void)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        NEED(status_mask("CapBnd:") & CAPS_BIT(CAP_SYS_ADMIN));
        NEED(caps_clear_bounding(SOME, &err) == 0);
        NEED(status_mask("CapBnd:") == SOME);
        NEED(caps_clear_bounding(0, &err) == 0);
        NEED(status_mask("CapBnd:") == 0);
        NEED(err.code == 0);
        return 0;
}

TEST(clears_the_bounding_set)
{
        t_child(clear_in_namespace);
}

static int clear_without_setpcap(void)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        NEED(caps_set(CAPS_BIT(CAP_SYS_ADMIN), &err) == 0);
        NEED(caps_clear_bounding(SOME, &err) == -EPERM);
        NEED(err.kind == COFFER_ERROR_CONTROL && err.code == -EPERM);
        NEED(strncmp(err.msg, "bounding-set: ", 14) == 0);
        NEED(strstr(err.msg, "left: all but CAP_CHOWN CAP_NET_BIND_SERVICE") != NULL);
        NEED(strstr(err.hint, "CAP_SETPCAP") != NULL);
        return 0;
}

TEST(a_missing_setpcap_is_refused_and_named)
{
        t_child(clear_without_setpcap);
}

/* A filter that answers prctl(@option) with an errno. */
static int block_prctl(unsigned option, unsigned code)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {ELEMENTS(filter), filter};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -1;
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int clear_under_filter(void)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        WANT(block_prctl(PR_CAPBSET_DROP, EPERM) == 0);
        NEED(caps_clear_bounding(0, &err) == -EPERM);
        NEED(strstr(err.msg, "left: all") != NULL);
        NEED(strstr(err.hint, "seccomp") != NULL);
        return 0;
}

TEST(a_filter_that_refuses_the_drop_is_named)
{
        t_child(clear_under_filter);
}

static int clear_under_lying_drop(void)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        WANT(block_prctl(PR_CAPBSET_DROP, 0) == 0); /* "done", and nothing was */
        NEED(caps_clear_bounding(SOME, &err) == -EPERM);
        NEED(status_mask("CapBnd:") != SOME);
        return 0;
}

TEST(a_drop_that_does_nothing_is_found_out)
{
        t_child(clear_under_lying_drop);
}

static int clear_under_blind_read(void)
{
        WANT(own_user_namespace() == 0);
        WANT(block_prctl(PR_CAPBSET_READ, EINVAL) == 0);
        NEED(caps_clear_bounding(0, NULL) == -EPERM);
        return 0;
}

TEST(a_set_that_cannot_be_read_counts_as_full)
{
        t_child(clear_under_blind_read);
}

static int clear_what_is_clear(void)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        NEED(caps_clear_bounding(0, &err) == 0);
        NEED(caps_set(0, &err) == 0);
        NEED(caps_clear_bounding(0, &err) == 0); /* EPERM for each, and all are gone */
        return 0;
}

TEST(a_refusal_is_fine_where_nothing_is_left)
{
        t_child(clear_what_is_clear);
}

static int set_some(void)
{
        struct coffer_error err = {0};
        uint64_t mask;

        WANT(own_user_namespace() == 0);
        NEED(caps_set(SOME, &err) == 0);
        NEED(caps_effective(&mask) == 0 && mask == SOME);
        NEED(status_mask("CapPrm:") == SOME && status_mask("CapEff:") == SOME);
        NEED(status_mask("CapInh:") == 0 && status_mask("CapAmb:") == 0);
        NEED(caps_set(CAPS_ALL, &err) == -EPERM);
        NEED(err.kind == COFFER_ERROR_CONTROL);
        NEED(strstr(err.msg, "capabilities: ") == err.msg);
        NEED(strstr(err.msg, "all but CAP_CHOWN") != NULL);
        NEED(status_mask("CapEff:") == SOME);
        NEED(caps_set(0, &err) == 0);
        NEED(status_mask("CapPrm:") == 0);
        return 0;
}

TEST(sets_exactly_what_was_asked)
{
        t_child(set_some);
}

static int empties_ambient(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];

        WANT(own_user_namespace() == 0);
        WANT(syscall(SYS_capget, &header, data) == 0);
        data[0].inheritable = data[0].permitted;
        WANT(syscall(SYS_capset, &header, data) == 0);
        WANT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
        NEED(status_mask("CapAmb:") != 0 && status_mask("CapInh:") != 0);
        NEED(caps_set(SOME, NULL) == 0);
        NEED(status_mask("CapAmb:") == 0 && status_mask("CapInh:") == 0);
        return 0;
}

TEST(inheritable_and_ambient_end_up_empty)
{
        t_child(empties_ambient);
}

static int lock_for(bool non_root)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        NEED(caps_lock_securebits(non_root, &err) == 0);
        NEED(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 && errno == EPERM);
        NEED(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) < 0);
        NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) < 0);
        NEED((prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & 1) == (non_root ? 1 : 0)); /* NOROOT */
        NEED((prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & 4) == 0); /* NO_SETUID_FIXUP, never */
        return 0;
}

static int lock_for_root(void)
{
        return lock_for(false);
}

static int lock_for_user(void)
{
        return lock_for(true);
}

static int lock_without_setpcap(void)
{
        struct coffer_error err = {0};

        WANT(own_user_namespace() == 0);
        NEED(caps_set(0, &err) == 0);
        NEED(caps_lock_securebits(true, &err) == -EPERM);
        NEED(err.kind == COFFER_ERROR_CONTROL && strstr(err.hint, "CAP_SETPCAP"));
        return 0;
}

TEST(securebits_are_locked)
{
        t_child(lock_for_root);
        t_child(lock_for_user);
        t_child(lock_without_setpcap);
}
