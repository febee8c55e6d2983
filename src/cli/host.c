/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

static bool is_fs(const char *path, long magic)
{
        struct statfs fs;

        return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

/* A v2 tree without memory and pids, beside v1, can place and kill, but limits nothing. */
static bool has_controllers(const char *path)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(4096);

        return buf_read_file(&b, AT_FDCWD, path) == 0 && b.data && strstr(b.data, "memory");
}

const char *host_cgroup_mode(void)
{
        bool v1 = is_fs("/sys/fs/cgroup/memory", CGROUP_SUPER_MAGIC);
        bool v2 = is_fs("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC) &&
                  has_controllers("/sys/fs/cgroup/cgroup.controllers");
        bool beside = is_fs("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC);

        if (v2)
                return "v2";
        if (v1)
                return beside ? "v1 and v2" : "v1";
        return "none";
}

static const struct utsname *uts(void)
{
        static struct utsname name;

        if (name.release[0] == '\0')
                (void)uname(&name);
        return &name;
}

const char *host_kernel(void)
{
        return uts()->release;
}

const char *host_machine(void)
{
        return uts()->machine;
}

bool host_is_root(void)
{
        return geteuid() == 0;
}

/* Not by NSS, which a static program would have to load. */
void host_user_name(char *to, size_t size)
{
        cleanup_with(buf_release) struct buf b = BUF_INIT(1024 * 1024);
        char *rest;

        to[0] = '\0';
        if (buf_read_file(&b, AT_FDCWD, "/etc/passwd") < 0 || !b.data)
                return;
        rest = b.data;
        for (char *line; (line = strsep(&rest, "\n"));) {
                const char *name = strsep(&line, ":");
                const char *uid = strsep(&line, ":") ? strsep(&line, ":") : NULL;
                uint64_t number;

                if (uid && str_to_u64(uid, UINT32_MAX, &number) == 0 && number == getuid() &&
                    str_copy(to, size, name) == 0)
                        return;
        }
}
