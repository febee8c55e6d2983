/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The `host` root: the host's programs and libraries, read-only, and nothing else of the host.
 * What of /etc is shown is a list; nothing on it holds a secret.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "engine/ns/plan-parts.h"
#include "sandbox/userns.h"

#define ACCOUNTS_MAX (64 * 1024)
#define READ_ONLY    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* On a merged-/usr system these are symlinks, which are made again; else they are bound. */
static const char *const top_dirs[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

/* Without openssl.cnf and java.security neither program does anything. */
static const char *const etc_files[] = {
        "/etc/nsswitch.conf",
        "/etc/ld.so.cache",
        "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf",
        "/etc/alternatives",
        "/etc/localtime",
        "/etc/java-17-openjdk/security",
        "/etc/java-21-openjdk/security",
        "/etc/java-25-openjdk/security",
};

static const struct {
        const char *target;
        const char *options;
} empty_dirs[] = {
        {"/tmp",     "mode=1777,size=50%"},
        {"/run",     "mode=755,size=10%" },
        {"/var/tmp", "mode=1777,size=50%"},
};

static void copy_symlink(struct plan *p, const char *path)
{
        char text[PATH_MAX];
        ssize_t n = readlink(path, text, sizeof(text) - 1);

        if (n < 0)
                return;
        text[n] = '\0';
        plan_op(p, MOUNT_OP_SYMLINK, path, text, 0);
}

static void show(struct plan *p, const char *path)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return;
        if (S_ISLNK(st.st_mode))
                copy_symlink(p, path);
        else
                plan_bind(p,
                          plan_source(p, path,
                                      SOURCE_READ_ONLY | SOURCE_RECURSIVE | SOURCE_IDMAP_BOX |
                                              SOURCE_IDMAP_OPTIONAL),
                          path, READ_ONLY);
}

static void add_file(struct plan *p, const char *path, struct buf *text)
{
        if (text->failed < 0 && p->r == 0)
                p->r = text->failed;
        plan_op(p, MOUNT_OP_FILE, path, text->data, 0644);
        buf_release(text);
}

/* Root, the caller by his own name, and nobody: no other account of the host is told. */
static void make_accounts(struct plan *p)
{
        struct buf passwd = BUF_INIT(ACCOUNTS_MAX);
        struct buf group = BUF_INIT(ACCOUNTS_MAX);
        const struct ns_root *r = p->root;
        bool is_root = r->caller_uid == 0;

        (void)buf_append_str(&passwd, "root:x:0:0:root:/root:/bin/sh\n");
        if (!is_root)
                (void)buf_printf(&passwd, "%s:x:%u:%u::%s:/bin/sh\n", r->caller_name, r->caller_uid,
                                 r->caller_gid, r->caller_home);
        (void)buf_append_str(&passwd,
                             "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
        add_file(p, "/etc/passwd", &passwd);

        (void)buf_append_str(&group, "root:x:0:\ntty:x:5:\n");
        if (!is_root && r->caller_gid != 5)
                (void)buf_printf(&group, "%s:x:%u:\n", r->caller_name, r->caller_gid);
        (void)buf_append_str(&group, "nogroup:x:65534:\n");
        add_file(p, "/etc/group", &group);
}

/* System users live in places like /bin, /usr/sbin and /proc: a tmpfs there would hide them. */
static bool may_be_covered(const char *home)
{
        static const char *const others[] = {"/usr", "/etc", "/dev", "/proc", "/sys", "/root"};

        for (size_t i = 0; i < ELEMENTS(top_dirs) + ELEMENTS(others); i++) {
                const char *dir =
                        i < ELEMENTS(top_dirs) ? top_dirs[i] : others[i - ELEMENTS(top_dirs)];
                const char *rest = str_after(home, dir);

                if (rest && (*rest == '\0' || *rest == '/'))
                        return false;
        }
        return home[0] == '/' && home[1] != '\0';
}

static void make_home(struct plan *p)
{
        const char *home = p->root->caller_home;

        /* Outer id 0 is the caller, so a tmpfs of the supervisor's is his. */
        plan_op(p, MOUNT_OP_TMPFS, "/root", "mode=700,size=50%",
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (may_be_covered(home))
                plan_op(p, MOUNT_OP_TMPFS, home, "mode=700,size=50%",
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

void plan_host_root(struct plan *p)
{
        for (size_t i = 0; i < ELEMENTS(empty_dirs); i++)
                plan_op(p, MOUNT_OP_TMPFS, empty_dirs[i].target, empty_dirs[i].options,
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        show(p, "/usr");
        for (size_t i = 0; i < ELEMENTS(top_dirs); i++)
                show(p, top_dirs[i]);
        make_accounts(p);
        for (size_t i = 0; i < ELEMENTS(etc_files); i++)
                show(p, etc_files[i]);
        make_home(p);
}
