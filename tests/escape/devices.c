/* SPDX-License-Identifier: Apache-2.0 */

/* Device nodes: making them, and any that lies about. */

#include "attack.h"

#include <base/str.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct node {
        mode_t type;
        unsigned major;
        unsigned minor;
};

static const struct node mem_node = {S_IFCHR, 1, 1};
static const struct node kmsg_node = {S_IFCHR, 1, 11};
static const struct node disk_node = {S_IFBLK, 8, 0};
static const struct node loop_node = {S_IFBLK, 7, 0};

static int make_node(struct attempt *a)
{
        const struct node *node = a->attack->arg;
        static const char *const where[] = {"/tmp/escape-node", "/escape-node",
                                            "/dev/shm/escape-node"};
        struct sweep s = SWEEP(a);

        for (size_t i = 0; i < ELEMENTS(where); i++) {
                int r = mknod(where[i], node->type | 0666, makedev(node->major, node->minor));

                r = r < 0 ? -errno : DONE;
                if (r == DONE)
                        (void)unlink(where[i]);
                if (r != -ENOENT && sweep_add(&s, r, where[i]))
                        break;
        }
        return sweep_end(&s);
}

/* What a box may have; whatever else opens belongs to the host. */
static const struct {
        unsigned major;
        unsigned minor_first;
        unsigned minor_last;
} usual[] = {
        {1,   3, 3      }, /* null */
        {1,   5, 5      }, /* zero */
        {1,   7, 9      }, /* full, random, urandom */
        {5,   0, 0      }, /* tty: one's own controlling terminal */
        {5,   2, 2      }, /* ptmx */
        {136, 0, 1 << 20}, /* devpts */
};

static bool is_usual(mode_t mode, dev_t dev)
{
        for (size_t i = 0; i < ELEMENTS(usual); i++)
                if (S_ISCHR(mode) && major(dev) == usual[i].major &&
                    minor(dev) >= usual[i].minor_first && minor(dev) <= usual[i].minor_last)
                        return true;
        return false;
}

static bool try_device(const char *path, mode_t mode, void *data)
{
        struct stat st;

        if ((!S_ISCHR(mode) && !S_ISBLK(mode)) || lstat(path, &st) < 0 ||
            is_usual(st.st_mode, st.st_rdev))
                return false;
        return sweep_add(data, open_and_close(path, O_RDONLY), path);
}

/* Never the host's /dev: opening a watchdog there starts it. */
static const char *device_top = "/";

static int find_device(struct attempt *a)
{
        struct sweep s = SWEEP(a);

        (void)walk(device_top, 12, try_device, &s);
        return sweep_end(&s);
}

static int arrange_device(void)
{
        if (mknod("/tmp/mem", S_IFCHR | 0666, makedev(1, 11)) < 0)
                return -errno;
        device_top = "/tmp";
        return 0;
}

/* The two nodes that everybody uses without looking: somebody else's file in their place? */
static int replaced_null(struct attempt *a)
{
        struct stat st;

        if (stat("/dev/null", &st) < 0)
                return -errno;
        if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                return attempt_say(a, DONE, "mode %o, device %u:%u", st.st_mode, major(st.st_rdev),
                                   minor(st.st_rdev));
        return HELD;
}

static int arrange_no_null(void)
{
        struct stat st;

        if (chroot("/tmp") < 0 || mkdir("/dev", 0755) < 0)
                return -errno;
        if (mknod("/dev/null", S_IFREG | 0666, 0) < 0 || stat("/dev/null", &st) < 0)
                return -errno;
        return 0;
}

const struct attack devices_attacks[] = {
        ATTACK("mknod-mem", "mknod(2)", "makes a node of the machine's memory", "user namespace",
               make_node, &mem_node, FRESH, NULL, -EPERM, -EACCES, -EROFS),
        ATTACK("mknod-kmsg", "mknod(2)", "makes a node of the kernel's log", "user namespace",
               make_node, &kmsg_node, FRESH, NULL, -EPERM, -EACCES, -EROFS),
        ATTACK("mknod-disk", "mknod(2)", "makes a node of the first disk", "user namespace",
               make_node, &disk_node, FRESH, NULL, -EPERM, -EACCES, -EROFS),
        ATTACK("mknod-loop", "mknod(2)", "makes a node of a loop device", "user namespace",
               make_node, &loop_node, FRESH, NULL, -EPERM, -EACCES, -EROFS),
        ATTACK("find-device", "device nodes in the image",
               "opens every node that is not a usual one", "nodev, no such node", find_device, NULL,
               FRESH, arrange_device, HELD, -EACCES, -EPERM, -ENXIO),
        ATTACK("replaced-null", "CVE-2025-31133", "finds a file of the image as /dev/null",
               "own /dev, nodes checked by number", replaced_null, NULL, FRESH, arrange_no_null,
               HELD),
        ATTACK("dev-mem", "/dev/mem", "reads the machine's memory", "own /dev", try_read,
               "/dev/mem", PLAIN, NULL, -ENOENT),
        ATTACK("dev-kmsg", "/dev/kmsg", "writes to the kernel's log", "own /dev", try_write,
               "/dev/kmsg", PLAIN, NULL, -ENOENT),
        ATTACK("dev-kvm", "/dev/kvm", "makes virtual machines", "own /dev", try_read, "/dev/kvm",
               PLAIN, NULL, -ENOENT),
        ATTACK("dev-fuse", "/dev/fuse", "serves file systems", "own /dev", try_read, "/dev/fuse",
               PLAIN, NULL, -ENOENT),
        ATTACK("dev-tun", "/dev/net/tun", "makes network interfaces", "own /dev", try_read,
               "/dev/net/tun", PLAIN, NULL, -ENOENT),
        ATTACK("dev-vsock", "/dev/vsock", "talks to the hypervisor", "own /dev", try_read,
               "/dev/vsock", PLAIN, NULL, -ENOENT),
        ATTACK("dev-loop-control", "/dev/loop-control", "takes a loop device", "own /dev", try_read,
               "/dev/loop-control", PLAIN, NULL, -ENOENT),
        {NULL},
};
