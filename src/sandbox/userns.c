/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "sandbox/userns-parts.h"

#define SUBID_FILE_MAX (1024 * 1024)

struct msg_idmap idmap_for_range(uint32_t base, uint32_t supervisor)
{
        return (struct msg_idmap){
                .kind = IDMAP_ROOT,
                .uid_base = base,
                .gid_base = base,
                .count = IDMAP_IDS,
                .supervisor_uid = supervisor,
                .supervisor_gid = supervisor,
        };
}

static void release(struct buf *b)
{
        buf_release(b);
}

/* One line "owner:start:count" of subuid(5) that belongs to the caller and is long enough. */
static bool line_matches(char *line, const char *name, const char *id, uint64_t *ret_start)
{
        char *start = strchr(line, ':');
        char *count = start ? strchr(start + 1, ':') : NULL;
        uint64_t n;

        if (!count)
                return false;
        *start++ = '\0';
        *count++ = '\0';
        if (!(name && str_eq(line, name)) && !str_eq(line, id))
                return false;
        if (str_to_u64(start, UINT32_MAX, ret_start) < 0 || str_to_u64(count, UINT32_MAX, &n) < 0)
                return false;
        /* The last id is the supervisor's, and (uid_t)-1 is nobody's. */
        return n >= IDMAP_IDS && *ret_start < UINT32_MAX - IDMAP_IDS + 1;
}

bool userns_find_range(const char *file, const char *name, uint32_t id, uint32_t *ret_start)
{
        cleanup_with(release) struct buf text = BUF_INIT(SUBID_FILE_MAX);
        char id_text[16];
        char *save = NULL;

        if (buf_read_file(&text, AT_FDCWD, file) < 0 || !text.data)
                return false;
        (void)snprintf(id_text, sizeof(id_text), "%" PRIu32, id);
        for (char *line = strtok_r(text.data, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save)) {
                uint64_t start = 0;

                if (!line_matches(line, name, id_text, &start))
                        continue;
                *ret_start = (uint32_t)start;
                return true;
        }
        return false;
}

static const char *find_tool(const char *const paths[2])
{
        for (int i = 0; i < 2; i++)
                if (access(paths[i], X_OK) == 0)
                        return paths[i];
        return NULL;
}

static const char *const newuidmap_paths[2] = {"/usr/bin/newuidmap", "/usr/local/bin/newuidmap"};
static const char *const newgidmap_paths[2] = {"/usr/bin/newgidmap", "/usr/local/bin/newgidmap"};

/* One line "inside outside count" of uid_map. */
static bool line_covers(const char *line, uint64_t base, uint64_t count)
{
        char *end;
        uint64_t inside = strtoull(line, &end, 10);
        uint64_t length;

        (void)strtoull(end, &end, 10);
        length = strtoull(end, NULL, 10);
        return inside <= base && base + count <= inside + length;
}

static bool map_covers(const char *file, uint64_t base, uint64_t count)
{
        cleanup_with(release) struct buf text = BUF_INIT(SUBID_FILE_MAX);
        char *save = NULL;

        if (buf_read_file(&text, AT_FDCWD, file) < 0 || !text.data)
                return false;
        for (char *l = strtok_r(text.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
                if (line_covers(l, base, count))
                        return true;
        return false;
}

bool idmap_is_mapped(uint32_t base, uint32_t count)
{
        return map_covers("/proc/self/uid_map", base, count) &&
               map_covers("/proc/self/gid_map", base, count);
}

int idmap_for_caller(struct msg_idmap *ret_map, struct coffer_error *err)
{
        struct msg_idmap map = {.kind = IDMAP_SINGLE, .count = 1};
        const struct passwd *pw = getpwuid(getuid());
        const char *name = pw ? pw->pw_name : NULL;
        uint32_t uid_start, gid_start;

        (void)err;
        if (find_tool(newuidmap_paths) && find_tool(newgidmap_paths) &&
            userns_find_range("/etc/subuid", name, (uint32_t)getuid(), &uid_start) &&
            userns_find_range("/etc/subgid", name, (uint32_t)getuid(), &gid_start) &&
            map_covers("/proc/self/uid_map", uid_start, IDMAP_IDS) &&
            map_covers("/proc/self/gid_map", gid_start, IDMAP_IDS)) {
                /* Box 1 … 65535 take all but the last id of the range: that is the supervisor's. */
                map = (struct msg_idmap){
                        .kind = IDMAP_USER,
                        .uid_base = uid_start,
                        .gid_base = gid_start,
                        .count = IDMAP_IDS,
                        .supervisor_uid = uid_start + IDMAP_IDS - 1,
                        .supervisor_gid = gid_start + IDMAP_IDS - 1,
                };
        }
        *ret_map = map;
        return 0;
}

void userns_map_lines(const struct msg_idmap *map, uint32_t self, uint32_t base,
                      uint32_t supervisor, char text[USERNS_MAP_MAX])
{
        int n;

        if (map->kind == IDMAP_ROOT)
                n = snprintf(text, USERNS_MAP_MAX, "0 %" PRIu32 " %" PRIu32 "\n", base, map->count);
        else if (map->kind == IDMAP_USER)
                n = snprintf(text, USERNS_MAP_MAX, "0 %" PRIu32 " 1\n1 %" PRIu32 " %" PRIu32 "\n",
                             self, base, map->count - 1);
        else
                n = snprintf(text, USERNS_MAP_MAX, "0 %" PRIu32 " 1\n", self);

        if (supervisor != 0)
                (void)snprintf(text + n, (size_t)(USERNS_MAP_MAX - n),
                               "%" PRIu32 " %" PRIu32 " 1\n", map->count, supervisor);
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
        cleanup_close int fd = -EBADF;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        fd = sys_open(AT_FDCWD, path, O_WRONLY);
        return fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
}

static int run_tool(const char *path, pid_t pid, char *map)
{
        static char *const empty_env[] = {NULL};
        cleanup_close int pidfd = -EBADF;
        char pid_text[16];
        char *argv[16] = {(char *)(uintptr_t)path, pid_text};
        size_t argc = 2;
        char *save = NULL;
        struct child_spec spec = {
                .path = path, .argv = argv, .envp = empty_env, .stdio = {-1, -1, -1}
        };
        int r;

        (void)snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
        for (char *w = strtok_r(map, " \n", &save); w && argc < 15;
             w = strtok_r(NULL, " \n", &save))
                argv[argc++] = w;

        r = child_spawn(&spec, &pidfd);
        return r < 0 ? r : child_wait(pidfd);
}

struct tool_run {
        pid_t pid;
        char *uids;
        char *gids;
};

/* Our own child, since an unseen one would not stay so when it execs: nobody may wait for it. */
static int run_tools(void *data)
{
        const struct tool_run *t = data;
        int r;

        (void)signal(SIGCHLD, SIG_DFL); /* ignored, its end could not be waited for */
        r = run_tool(find_tool(newuidmap_paths), t->pid, t->uids);
        if (r == 0)
                r = run_tool(find_tool(newgidmap_paths), t->pid, t->gids);
        return r > 0 ? -EPERM : r;
}

static int map_by_tools(pid_t pid, char *uids, char *gids, struct coffer_error *err)
{
        struct tool_run t = {pid, uids, gids};
        int r = userns_run(-1, run_tools, &t);

        if (r == 0)
                return 0;
        (void)error_say(err, r, COFFER_ERROR_HOST,
                        "map the caller's subordinate ids: newuidmap refused them: %s",
                        strerror(-r));
        error_hint(err, "see /etc/subuid and /etc/subgid; newuidmap must be setuid root");
        return r;
}

int userns_write_maps(pid_t pid, const struct msg_idmap *map, struct coffer_error *err)
{
        char uids[USERNS_MAP_MAX], gids[USERNS_MAP_MAX];
        int r = 0;

        userns_map_lines(map, (uint32_t)getuid(), map->uid_base, map->supervisor_uid, uids);
        userns_map_lines(map, (uint32_t)getgid(), map->gid_base, map->supervisor_gid, gids);
        if (map->kind == IDMAP_USER)
                return map_by_tools(pid, uids, gids, err);

        if (map->kind == IDMAP_SINGLE)
                r = write_proc(pid, "setgroups", "deny");
        if (r == 0)
                r = write_proc(pid, "uid_map", uids);
        if (r == 0)
                r = write_proc(pid, "gid_map", gids);
        return r < 0 ? error_set(err, r, "write the id maps of a user namespace") : 0;
}

/* A child nobody's wait sees: exit signal 0, and it never execs (KERNEL notes in ARCHITECTURE). */
static pid_t fork_unseen(uint64_t flags, int *ret_pidfd)
{
        struct clone_args args = {
                .flags = flags | CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        };

        return sys_clone3(&args);
}

static int open_by_child(int (*write_maps)(pid_t pid, const void *data, struct coffer_error *err),
                         const void *data, int *ret_fd, struct coffer_error *err)
{
        cleanup_close int pidfd = -EBADF;
        cleanup_close int alive_fd = -EBADF;
        int ends[2];
        char path[64];
        pid_t pid;
        int fd, r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set(err, -errno, "create a pipe");
        pid = fork_unseen(CLONE_NEWUSER, &pidfd);
        if (pid == 0) {
                /* Waits for the end of its parent, whatever that is. */
                (void)close(ends[1]);
                (void)sys_read(ends[0], path, 1);
                _exit(0);
        }
        (void)close(ends[0]);
        alive_fd = ends[1];
        if (pid < 0) {
                (void)error_set(err, pid, "create a user namespace");
                error_hint(err, "user namespaces may be off: see user.max_user_namespaces");
                return pid;
        }

        r = write_maps(pid, data, err);
        if (r == 0) {
                (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
                fd = sys_open(AT_FDCWD, path, O_RDONLY);
                r = fd < 0 ? error_set(err, fd, "open a user namespace") : 0;
                if (r == 0)
                        *ret_fd = fd;
        }
        (void)sys_pidfd_send_signal(pidfd, SIGKILL);
        (void)child_wait(pidfd);
        return r;
}

static int write_idmap(pid_t pid, const void *data, struct coffer_error *err)
{
        return userns_write_maps(pid, data, err);
}

int userns_open(const struct msg_idmap *map, int *ret_fd, struct coffer_error *err)
{
        return open_by_child(write_idmap, map, ret_fd, err);
}

static int write_shift(pid_t pid, const void *data, struct coffer_error *err)
{
        int r = write_proc(pid, "uid_map", data);

        if (r == 0)
                r = write_proc(pid, "gid_map", data);
        return r < 0 ? error_set(err, r, "write the id maps of a user namespace") : 0;
}

int userns_open_shifted(uint32_t from, uint32_t to, uint32_t count, int *ret_fd,
                        struct coffer_error *err)
{
        char text[USERNS_MAP_MAX];

        (void)snprintf(text, sizeof(text), "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", from, to,
                       count);
        return open_by_child(write_shift, text, ret_fd, err);
}

static _Noreturn void run_in_child(int userns_fd, int (*fn)(void *data), void *data)
{
        int r = 0;

        if (userns_fd >= 0 && (setns(userns_fd, CLONE_NEWUSER) < 0 || setresgid(0, 0, 0) < 0 ||
                               setresuid(0, 0, 0) < 0))
                r = -errno;
        if (r == 0)
                r = fn(data);
        /* The result is a byte: errno numbers above 127 are not used by what runs here. */
        _exit(r < 0 ? 256 + (r < -127 ? -EIO : r) : r & 0x7f);
}

int userns_run(int userns_fd, int (*fn)(void *data), void *data)
{
        cleanup_close int pidfd = -EBADF;
        siginfo_t info = {0};
        pid_t pid = fork_unseen(0, &pidfd);

        if (pid == 0)
                run_in_child(userns_fd, fn, data);
        if (pid < 0)
                return pid;
        while (waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | __WALL) < 0)
                if (errno != EINTR)
                        return -errno;
        if (info.si_code != CLD_EXITED)
                return -EINTR;
        return info.si_status > 127 ? info.si_status - 256 : info.si_status;
}
