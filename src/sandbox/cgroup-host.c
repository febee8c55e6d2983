/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/cgroup-host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

/* linux/magic.h */
#define MAGIC_V1 0x27e0eb
#define MAGIC_V2 0x63677270

/* What a hybrid host's v2 tree is mounted on has been settled by systemd. */
static const char *const v2_roots[] = {CGROUP_V1_ROOT, CGROUP_V1_ROOT "/unified"};

static const char *const controller_names[CGROUP_CONTROLLER_COUNT] = {"memory", "pids", "cpu",
                                                                      "freezer"};

const char *cgroup_controller_name(enum cgroup_controller controller)
{
        return controller_names[controller];
}

static bool is_mount_of(const char *path, unsigned long magic)
{
        struct statfs fs;

        return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

int cgroup_write(int dir_fd, const char *name, const char *value)
{
        cleanup_close int fd = sys_open(dir_fd, name, O_WRONLY);

        return fd < 0 ? fd : sys_write_all(fd, value, strlen(value));
}

int cgroup_read(int dir_fd, const char *name, char *to, size_t size)
{
        cleanup_close int fd = sys_open(dir_fd, name, O_RDONLY);
        ssize_t n;

        if (fd < 0)
                return fd;
        n = sys_read_full(fd, to, size - 1);
        if (n < 0)
                return (int)n;
        if (n > 0 && to[n - 1] == '\n')
                n--;
        to[n] = '\0';
        return 0;
}

int cgroup_find_key(const char *text, const char *key, uint64_t *ret_value)
{
        size_t length = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                char number[24];
                size_t digits;

                line += *line == '\n';
                if (strncmp(line, key, length) != 0 || line[length] != ' ')
                        continue;
                line += length + 1;
                digits = strspn(line, "0123456789");
                if (digits >= sizeof(number))
                        return -ERANGE;
                memcpy(number, line, digits);
                number[digits] = '\0';
                return str_to_u64(number, UINT64_MAX, ret_value);
        }
        return -ENODATA;
}

int cgroup_read_number(int dir_fd, const char *name, const char *key, uint64_t *ret_value)
{
        char text[4096];
        int r = cgroup_read(dir_fd, name, text, sizeof(text));

        if (r < 0)
                return r;
        return key ? cgroup_find_key(text, key, ret_value)
                   : str_to_u64(text, UINT64_MAX, ret_value);
}

bool cgroup_has_word(const char *text, const char *word)
{
        size_t length = strlen(word);

        while (*text != '\0') {
                size_t n = strcspn(text, " \n");

                if (n == length && strncmp(text, word, n) == 0)
                        return true;
                text += n;
                text += strspn(text, " \n");
        }
        return false;
}

/* The caller's own directory of the v2 tree: the line "0::/path"; "" for its root. */
static int own_path(char *to, size_t size)
{
        char text[8192];
        const char *line;
        size_t length;
        int r = cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));

        if (r < 0)
                return r;
        line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
        if (!line)
                return -ENOENT;
        line = strchr(line, '/');
        length = strcspn(line, "\n");
        if (length >= size)
                return -ENAMETOOLONG;
        memcpy(to, line, length);
        to[length == 1 ? 0 : length] = '\0';
        return 0;
}

int cgroup_parents(char (*to)[CGROUP_PATH_MAX])
{
        uid_t uid = geteuid();
        int r;

        if (uid == 0)
                to[0][0] = '\0';
        else
                (void)snprintf(to[0], CGROUP_PATH_MAX, "/user.slice/user-%u.slice/user@%u.service",
                               uid, uid);
        r = own_path(to[1], CGROUP_PATH_MAX);
        if (r < 0)
                return r;
        return str_eq(to[0], to[1]) ? 1 : 2;
}

int cgroup_open_v2_dir(const char *root, const char *path)
{
        char whole[CGROUP_PATH_MAX + 64];

        (void)snprintf(whole, sizeof(whole), "%s%s", root, path);
        return sys_open(AT_FDCWD, whole, O_RDONLY | O_DIRECTORY);
}

int cgroup_open_v1_root(enum cgroup_controller controller)
{
        char path[64];

        (void)snprintf(path, sizeof(path), CGROUP_V1_ROOT "/%s", controller_names[controller]);
        if (!is_mount_of(path, MAGIC_V1))
                return -ENOENT;
        return sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
}

static bool may_write(const char *root, const char *dir, const char *name)
{
        char path[2 * CGROUP_PATH_MAX + 128];

        (void)snprintf(path, sizeof(path), "%s%s%s", root, dir, name);
        return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/*
 * A process may be moved, or cloned, into a directory only by who may write cgroup.procs there and
 * in the nearest directory that is above both ends of the move.
 */
static bool is_usable(const char *root, const char *parent, const char *own)
{
        char above[CGROUP_PATH_MAX];
        size_t common = 0;

        for (size_t i = 0;; i++) {
                if ((parent[i] == '/' || parent[i] == '\0') && (own[i] == '/' || own[i] == '\0'))
                        common = i;
                if (parent[i] != own[i] || parent[i] == '\0')
                        break;
        }
        memcpy(above, parent, common);
        above[common] = '\0';

        return may_write(root, parent, "") && may_write(root, above, "/cgroup.procs");
}

bool cgroup_is_unified(void)
{
        return is_mount_of("/sys/fs/cgroup", MAGIC_V2);
}

void cgroup_find_v2(struct cgroup_host *ret_host)
{
        struct cgroup_host host = {.mode = CGROUP_NONE};
        char parents[CGROUP_PARENTS_MAX][CGROUP_PATH_MAX];
        int count;

        for (size_t i = 0; i < ELEMENTS(v2_roots) && !host.v2_root; i++)
                if (is_mount_of(v2_roots[i], MAGIC_V2))
                        host.v2_root = v2_roots[i];

        count = host.v2_root ? cgroup_parents(parents) : 0;
        for (int i = 0; i < count && !host.v2_usable; i++) {
                if (!is_usable(host.v2_root, parents[i], parents[count - 1]))
                        continue;
                host.v2_usable = true;
                (void)str_copy(host.v2_parent, sizeof(host.v2_parent), parents[i]);
        }
        *ret_host = host;
}

/*
 * A directory hands controllers down or holds processes, not both; the tree's root alone, which has
 * no cgroup.type, is free.  Not even trying matters: to enable pids there works, and turns the
 * directory into a threaded domain whose children nothing can be put into.
 */
static bool may_hand_down(int fd)
{
        char text[16];

        return faccessat(fd, "cgroup.type", F_OK, 0) < 0 ||
               (cgroup_read(fd, "cgroup.procs", text, sizeof(text)) == 0 && text[0] == '\0');
}

static void read_controllers(struct cgroup_host *host)
{
        cleanup_close int fd = cgroup_open_v2_dir(host->v2_root, host->v2_parent);
        const char *file = "cgroup.controllers";
        char offered[256];

        if (fd < 0)
                return;
        host->v2_busy = !may_hand_down(fd);
        if (host->v2_busy)
                file = "cgroup.subtree_control";
        if (cgroup_read(fd, file, offered, sizeof(offered)) < 0)
                return;
        for (unsigned c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
                if (cgroup_has_word(offered, controller_names[c]))
                        host->v2_controllers |= 1U << c;
}

void cgroup_probe(struct cgroup_host *ret_host)
{
        struct cgroup_host host;

        cgroup_find_v2(&host);
        if (host.v2_usable)
                read_controllers(&host);

        for (unsigned c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
                char path[64];

                (void)snprintf(path, sizeof(path), CGROUP_V1_ROOT "/%s", controller_names[c]);
                if (is_mount_of(path, MAGIC_V1) && may_write(path, "", ""))
                        host.v1_controllers |= 1U << c;
        }

        if (host.v2_usable && host.v2_controllers)
                host.mode = CGROUP_V2;
        else if (host.v1_controllers)
                host.mode = CGROUP_V1;
        *ret_host = host;
}
