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

#define PASSWD_MAX 4096
#define READ_ONLY  (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* On a merged-/usr system these are symlinks, which are made again; else they are bound. */
static const char *const top_dirs[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

static const char *const etc_files[] = {
        "/etc/nsswitch.conf", "/etc/ld.so.cache", "/etc/ssl/certs",
        "/etc/alternatives",  "/etc/localtime",
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

/* Root, the caller by his own name, and nobody: no other account of the host is told. */
static void make_accounts(struct plan *p)
{
        const struct ns_root *r = p->root;
        char text[PASSWD_MAX];
        bool is_root = r->caller_uid == 0;
        int n;

        n = snprintf(text, sizeof(text), "root:x:0:0:root:/root:/bin/sh\n");
        if (!is_root)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%s:x:%u:%u::%s:/bin/sh\n",
                              r->caller_name, r->caller_uid, r->caller_gid, r->caller_home);
        (void)snprintf(text + n, sizeof(text) - (size_t)n,
                       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
        plan_op(p, MOUNT_OP_FILE, "/etc/passwd", text, 0644);

        n = snprintf(text, sizeof(text), "root:x:0:\ntty:x:5:\n");
        if (!is_root && r->caller_gid != 5)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%s:x:%u:\n", r->caller_name,
                              r->caller_gid);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "nogroup:x:65534:\n");
        plan_op(p, MOUNT_OP_FILE, "/etc/group", text, 0644);
}

static void make_home(struct plan *p)
{
        /* Outer id 0 is the caller, so a tmpfs of the supervisor's is his. */
        plan_op(p, MOUNT_OP_TMPFS, "/root", "mode=700,size=50%",
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (!str_eq(p->root->caller_home, "/root") && p->root->caller_home[1] != '\0')
                plan_op(p, MOUNT_OP_TMPFS, p->root->caller_home, "mode=700,size=50%",
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
