/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/cgroup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "sandbox/cgroup-host.h"

#define CPU_PERIOD_USEC 100000
#define CPU_MILLI_MIN   10 /* the kernel wants a quota of 1 ms at least */

static const char *const leaf_names[CGROUP_LEAF_COUNT] = {"init", "load"};

void cgroup_init(struct cgroup *cg)
{
        *cg = (struct cgroup){.mode = CGROUP_NONE, .parent_fd = -EBADF, .box_fd = -EBADF};
        for (size_t i = 0; i < CGROUP_LEAF_COUNT; i++)
                cg->leaf_fd[i] = cg->procs_fd[i] = -EBADF;
        for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
                cg->v1_fd[i] = cg->v1_procs_fd[i] = -EBADF;
}

void cgroup_release(struct cgroup *cg)
{
        if (cg->name[0] == '\0') /* zero-initialised or released: no descriptor of ours in it */
                return;
        close_fd(&cg->parent_fd);
        close_fd(&cg->box_fd);
        for (size_t i = 0; i < CGROUP_LEAF_COUNT; i++) {
                close_fd(&cg->leaf_fd[i]);
                close_fd(&cg->procs_fd[i]);
        }
        for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
                close_fd(&cg->v1_fd[i]);
                close_fd(&cg->v1_procs_fd[i]);
        }
        cgroup_init(cg);
}

static int set_name(struct cgroup *cg, const char *box_id, struct coffer_error *err)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

        if (box_id[0] == '\0' || box_id[strspn(box_id, allowed)] != '\0' ||
            strlen(box_id) > CGROUP_NAME_MAX - sizeof("coffer-"))
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%s' is not a box id", box_id);
        (void)snprintf(cg->name, sizeof(cg->name), "coffer-%s", box_id);
        return 0;
}

static int open_made_dir(int parent_fd, const char *name, int *ret_fd, int *ret_procs_fd)
{
        cleanup_close int fd = sys_open(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (fd < 0)
                return fd;
        if (ret_procs_fd) {
                int procs_fd = sys_open(fd, "cgroup.procs", O_WRONLY);

                if (procs_fd < 0)
                        return procs_fd;
                *ret_procs_fd = procs_fd;
        }
        *ret_fd = take_fd(&fd);
        return 0;
}

/* The directory @name in @parent_fd and its cgroup.procs, made when @make says so. */
static int open_dir(int parent_fd, const char *name, bool make, int *ret_fd, int *ret_procs_fd)
{
        int r;

        if (make && mkdirat(parent_fd, name, 0755) < 0)
                return -errno;
        r = open_made_dir(parent_fd, name, ret_fd, ret_procs_fd);
        if (r < 0 && make)
                (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
        return r;
}

static int open_leaf(struct cgroup *cg, enum cgroup_leaf leaf, bool make)
{
        if (cg->leaf_fd[leaf] >= 0)
                return 0;
        return open_dir(cg->box_fd, leaf_names[leaf], make, &cg->leaf_fd[leaf],
                        &cg->procs_fd[leaf]);
}

static int make_v2(struct cgroup *cg, const struct cgroup_host *host, struct coffer_error *err)
{
        int r;

        cg->parent_fd = cgroup_open_v2_dir(host->v2_root, host->v2_parent);
        if (cg->parent_fd < 0)
                return error_set(err, cg->parent_fd, "open %s%s", host->v2_root, host->v2_parent);

        r = open_dir(cg->parent_fd, cg->name, true, &cg->box_fd, NULL);
        if (r < 0)
                return error_set(err, r, "make the cgroup %s%s/%s", host->v2_root, host->v2_parent,
                                 cg->name);
        cg->mode = CGROUP_V2;

        r = open_leaf(cg, CGROUP_LOAD, true);
        if (r == 0 && cg->limited)
                r = open_leaf(cg, CGROUP_INIT, true);
        if (r < 0)
                return error_set(err, r, "make a leaf of the cgroup %s", cg->name);
        return 0;
}

static int make_v1(struct cgroup *cg, enum cgroup_controller c, struct coffer_error *err)
{
        cleanup_close int root_fd = cg->v1_fd[c] < 0 ? cgroup_open_v1_root(c) : -EBADF;
        int r;

        if (cg->v1_fd[c] >= 0)
                return 0;
        r = root_fd < 0 ? root_fd
                        : open_dir(root_fd, cg->name, true, &cg->v1_fd[c], &cg->v1_procs_fd[c]);
        if (r < 0)
                return error_set(err, r, "make the cgroup %s/%s/%s", CGROUP_V1_ROOT,
                                 cgroup_controller_name(c), cg->name);
        cg->mode = CGROUP_V1;
        return 0;
}

/* Lets the directories in dir_fd have a controller. */
static int hand_down(int dir_fd, enum cgroup_controller c)
{
        const char *name = cgroup_controller_name(c);
        char text[256];
        int r = cgroup_read(dir_fd, "cgroup.subtree_control", text, sizeof(text));

        if (r < 0 || cgroup_has_word(text, name))
                return r;
        (void)snprintf(text, sizeof(text), "+%s", name);
        return cgroup_write(dir_fd, "cgroup.subtree_control", text);
}

static int write_number(int dir_fd, const char *name, uint64_t value)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, value);
        return cgroup_write(dir_fd, name, text);
}

/* Memory and swap together, or CGROUP_UNLIMITED. */
static uint64_t memory_and_swap(const struct cgroup_limits *l)
{
        uint64_t total;

        if (l->memory_swap_bytes != 0)
                return l->memory_swap_bytes;
        return __builtin_mul_overflow(l->memory_bytes, 2, &total) ? CGROUP_UNLIMITED : total;
}

/* Some kernels do not count swap: then only who has asked for a swap limit is refused. */
static int judge_swap(struct cgroup *cg, const struct cgroup_limits *l, int r)
{
        cg->swap_limited = r == 0;
        return r == -ENOENT && l->memory_swap_bytes == 0 ? 0 : r;
}

/* 0 takes a limit away: then @none is written. */
static int write_limit(int dir_fd, const char *name, uint64_t value, const char *none)
{
        return value ? write_number(dir_fd, name, value) : cgroup_write(dir_fd, name, none);
}

static int limit_memory_v2(struct cgroup *cg, int fd, const struct cgroup_limits *l)
{
        uint64_t total = memory_and_swap(l);
        int r = write_limit(fd, "memory.max", l->memory_bytes, "max");

        if (r == 0)
                r = cgroup_write(fd, "memory.oom.group", l->memory_bytes ? "1" : "0");
        if (r < 0 || total == CGROUP_UNLIMITED)
                return r;
        return judge_swap(cg, l,
                          write_limit(fd, "memory.swap.max", total - l->memory_bytes,
                                      l->memory_bytes ? "0" : "max"));
}

/* Memory is never above memory and swap together: so that one goes out of the way first. */
static int limit_memory_v1(struct cgroup *cg, int fd, const struct cgroup_limits *l)
{
        uint64_t total = memory_and_swap(l);
        int r = write_limit(fd, "memory.limit_in_bytes", l->memory_bytes, "-1");

        if (r == -EINVAL && cgroup_write(fd, "memory.memsw.limit_in_bytes", "-1") == 0)
                r = write_limit(fd, "memory.limit_in_bytes", l->memory_bytes, "-1");
        if (r < 0 || total == CGROUP_UNLIMITED)
                return r;
        return judge_swap(cg, l, write_limit(fd, "memory.memsw.limit_in_bytes", total, "-1"));
}

static int limit_cpu_v2(struct cgroup *cg, int fd, const struct cgroup_limits *l)
{
        char text[64];

        if (l->cpu_milli == 0)
                return cgroup_write(fd, "cpu.max", "max");
        (void)snprintf(text, sizeof(text), "%" PRIu64 " %d", l->cpu_milli * CPU_PERIOD_USEC / 1000,
                       CPU_PERIOD_USEC);
        return cgroup_write(fd, "cpu.max", text);
}

static int limit_cpu_v1(struct cgroup *cg, int fd, const struct cgroup_limits *l)
{
        int r = write_number(fd, "cpu.cfs_period_us", CPU_PERIOD_USEC);

        return r < 0 ? r
                     : write_limit(fd, "cpu.cfs_quota_us", l->cpu_milli * CPU_PERIOD_USEC / 1000,
                                   "-1");
}

static int limit_pids(struct cgroup *cg, int fd, const struct cgroup_limits *l)
{
        return write_limit(fd, "pids.max", l->pids_max, "max");
}

typedef int set_limit(struct cgroup *cg, int fd, const struct cgroup_limits *l);

static const struct {
        enum cgroup_controller controller;
        const char *option;
        size_t field;
        set_limit *set_v2;
        set_limit *set_v1;
} limit_rows[] = {
        {CGROUP_MEMORY, "--memory",     offsetof(struct cgroup_limits, memory_bytes), limit_memory_v2,
         limit_memory_v1},
        {CGROUP_CPU,    "--cpus",       offsetof(struct cgroup_limits, cpu_milli),    limit_cpu_v2,
         limit_cpu_v1   },
        {CGROUP_PIDS,   "--pids-limit", offsetof(struct cgroup_limits, pids_max),     limit_pids,
         limit_pids     },
};

static bool is_asked(const struct cgroup_limits *l, size_t row)
{
        const void *field = (const char *)l + limit_rows[row].field;

        return *(const uint64_t *)field != 0;
}

static int refuse_limit(const struct cgroup_host *host, size_t row, struct coffer_error *err)
{
        const char *name = cgroup_controller_name(limit_rows[row].controller);

        (void)error_say(err, -EOPNOTSUPP, COFFER_ERROR_CONTROL,
                        "cgroup: %s cannot be set: no %s controller can be used here",
                        limit_rows[row].option, name);
        if (geteuid() != 0 && host->v2_root)
                error_hint(err,
                           "run it by systemd-run --user --scope coffer ... or as root, or use "
                           "--allow-degraded cgroup");
        else if (geteuid() != 0)
                error_hint(err, "run it as root (cgroup v1 limits are root's), or use "
                                "--allow-degraded cgroup");
        else if (host->v2_busy)
                error_hint(err,
                           "move all processes of the cgroup '%s/' into one below it, or use "
                           "--allow-degraded cgroup",
                           host->v2_parent);
        else
                error_hint(err, "mount %s with the %s controller, or use --allow-degraded cgroup",
                           CGROUP_V1_ROOT, name);
        return -EOPNOTSUPP;
}

static int set_limit_row(struct cgroup *cg, const struct cgroup_host *host,
                         const struct cgroup_limits *limits, size_t row, struct coffer_error *err)
{
        enum cgroup_controller c = limit_rows[row].controller;
        int r;

        if (cg->box_fd >= 0 && (host->v2_controllers & (1U << c))) {
                r = hand_down(cg->parent_fd, c);
                if (r == 0)
                        r = hand_down(cg->box_fd, c);
                if (r == 0)
                        r = limit_rows[row].set_v2(cg, cg->leaf_fd[CGROUP_LOAD], limits);
        } else if (host->v1_controllers & (1U << c)) {
                r = make_v1(cg, c, err);
                if (r < 0)
                        return r;
                r = limit_rows[row].set_v1(cg, cg->v1_fd[c], limits);
        } else {
                return refuse_limit(host, row, err);
        }
        if (r < 0) {
                (void)error_set(err, r, "cgroup: set %s", limit_rows[row].option);
                error_kind(err, COFFER_ERROR_CONTROL);
        }
        return r;
}

static int set_limits(struct cgroup *cg, const struct cgroup_host *host,
                      const struct cgroup_limits *limits, struct coffer_error *err)
{
        int r;

        for (size_t row = 0; row < ELEMENTS(limit_rows); row++) {
                if (!is_asked(limits, row))
                        continue;
                r = set_limit_row(cg, host, limits, row, err);
                if (r < 0)
                        return r;
        }
        /* Without a v2 tree, what a limit counts is also what can be paused. */
        if (cg->mode == CGROUP_V1 && cg->box_fd < 0 &&
            (host->v1_controllers & (1U << CGROUP_FREEZER)))
                return make_v1(cg, CGROUP_FREEZER, err);
        return 0;
}

static int check_limits(const struct cgroup_limits *l, struct coffer_error *err)
{
        if (l->cpu_milli != 0 && (l->cpu_milli < CPU_MILLI_MIN || l->cpu_milli > 100000000))
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "cgroup: --cpus must be between 0.01 and 100000");
        if (l->memory_swap_bytes != 0 && l->memory_bytes == 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "cgroup: --memory-swap needs --memory");
        if (l->memory_swap_bytes != 0 && l->memory_swap_bytes < l->memory_bytes)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                 "cgroup: --memory-swap is less than --memory");
        return 0;
}

int cgroup_create(const char *box_id, const struct cgroup_limits *limits, struct cgroup *ret_cg,
                  struct coffer_error *err)
{
        struct cgroup_host host;
        struct cgroup cg;
        int r;

        assert(box_id && limits && ret_cg);

        cgroup_init(&cg);
        r = set_name(&cg, box_id, err);
        if (r == 0)
                r = check_limits(limits, err);
        if (r < 0)
                return r;

        for (size_t row = 0; row < ELEMENTS(limit_rows); row++)
                cg.limited |= is_asked(limits, row);

        if (cg.limited)
                cgroup_probe(&host);
        else
                cgroup_find_v2(&host);
        if (host.v2_usable)
                r = make_v2(&cg, &host, err);
        if (r == 0 && cg.limited)
                r = set_limits(&cg, &host, limits, err);
        if (r < 0) {
                /* A directory that was there before is not ours: what was made has a descriptor. */
                (void)cgroup_remove(&cg, NULL);
                return r;
        }

        *ret_cg = cg;
        return 0;
}

/* --------------------------------------------------------------------------- while it runs */

static int begin_change(struct cgroup *cg, const char *box_id, struct cgroup_host *ret_host,
                        struct coffer_error *err)
{
        int r = cg->name[0] == '\0' ? set_name(cg, box_id, err) : 0;

        if (r < 0)
                return r;
        cgroup_probe(ret_host);
        return cg->box_fd < 0 && ret_host->v2_usable ? make_v2(cg, ret_host, err) : 0;
}

static int refuse_change(const struct cgroup_host *host, size_t row, struct coffer_error *err)
{
        int r = refuse_limit(host, row, err);

        if (geteuid() != 0)
                error_hint(err,
                           "limits of a running box need root, or a box that was started by "
                           "systemd-run --user --scope; a box that does not run takes it at its "
                           "next start");
        return r;
}

static bool has_controller(const struct cgroup *cg, const struct cgroup_host *host,
                           enum cgroup_controller c)
{
        return (host->v2_controllers & (1U << c)) || (host->v1_controllers & (1U << c)) ||
               cg->v1_fd[c] >= 0;
}

int cgroup_change(struct cgroup *cg, const char *box_id, const struct cgroup_limits *limits,
                  uint32_t which, struct coffer_error *err)
{
        struct cgroup_host host;
        int r = check_limits(limits, err);

        if (r == 0)
                r = begin_change(cg, box_id, &host, err);
        /* All or nothing, as far as that can be known before. */
        for (size_t row = 0; row < ELEMENTS(limit_rows) && r == 0; row++)
                if (which & (1U << limit_rows[row].controller) && is_asked(limits, row) &&
                    !has_controller(cg, &host, limit_rows[row].controller))
                        r = refuse_change(&host, row, err);
        for (size_t row = 0; row < ELEMENTS(limit_rows) && r == 0; row++) {
                enum cgroup_controller c = limit_rows[row].controller;

                /* No limit where there can be none is what there is. */
                if (which & (1U << c) && (is_asked(limits, row) || has_controller(cg, &host, c)))
                        r = set_limit_row(cg, &host, limits, row, err);
        }
        if (r == 0)
                cg->limited = true;
        return r;
}

int cgroup_want_freezer(struct cgroup *cg, const char *box_id, struct coffer_error *err)
{
        struct cgroup_host host;
        int r;

        if (cg->mode != CGROUP_NONE && (cg->box_fd >= 0 || cg->v1_fd[CGROUP_FREEZER] >= 0))
                return 0;
        r = begin_change(cg, box_id, &host, err);
        if (r < 0 || cg->box_fd >= 0)
                return r;
        if (host.v1_controllers & (1U << CGROUP_FREEZER))
                return make_v1(cg, CGROUP_FREEZER, err);
        return cgroup_refuse_freeze(err);
}

static int open_v2(struct cgroup *cg, const struct cgroup_host *host)
{
        char parents[CGROUP_PARENTS_MAX][CGROUP_PATH_MAX];
        int count = cgroup_parents(parents);

        for (int i = 0; i < count; i++) {
                cleanup_close int fd = cgroup_open_v2_dir(host->v2_root, parents[i]);
                int r = fd < 0 ? fd : open_dir(fd, cg->name, false, &cg->box_fd, NULL);

                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                cg->parent_fd = take_fd(&fd);
                cg->mode = CGROUP_V2;
                for (size_t leaf = 0; leaf < CGROUP_LEAF_COUNT; leaf++) {
                        r = open_leaf(cg, (enum cgroup_leaf)leaf, false);
                        if (r < 0 && r != -ENOENT)
                                return r;
                }
                cg->limited = cg->leaf_fd[CGROUP_INIT] >= 0;
                return 0;
        }
        return 0;
}

int cgroup_open(const char *box_id, struct cgroup *ret_cg, struct coffer_error *err)
{
        struct cgroup_host host;
        struct cgroup cg;
        int r;

        assert(box_id && ret_cg);

        cgroup_init(&cg);
        r = set_name(&cg, box_id, err);
        if (r < 0)
                return r;

        cgroup_probe(&host);
        if (host.v2_root)
                r = open_v2(&cg, &host);
        for (unsigned c = 0; c < CGROUP_CONTROLLER_COUNT && r == 0; c++) {
                cleanup_close int root_fd = cgroup_open_v1_root((enum cgroup_controller)c);

                if (root_fd < 0 || !(host.v1_controllers & (1U << c)))
                        continue;
                r = open_dir(root_fd, cg.name, false, &cg.v1_fd[c], &cg.v1_procs_fd[c]);
                if (r == 0)
                        cg.mode = CGROUP_V1;
                if (r == -ENOENT)
                        r = 0;
        }
        if (r < 0) {
                r = error_set(err, r, "open the cgroup %s", cg.name);
                cgroup_release(&cg);
                return r;
        }
        *ret_cg = cg;
        return 0;
}

int cgroup_birth_fd(const struct cgroup *cg)
{
        return cg->leaf_fd[cg->limited ? CGROUP_INIT : CGROUP_LOAD];
}

int cgroup_place(struct cgroup *cg, enum cgroup_leaf leaf, pid_t pid, struct coffer_error *err)
{
        char text[16];
        int r = 0;

        assert(pid > 0); /* 0 would mean the caller */

        if (cg->mode == CGROUP_NONE)
                return 0;

        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        if (cg->box_fd >= 0) {
                r = open_leaf(cg, leaf, true);
                if (r == 0)
                        r = sys_write_all(cg->procs_fd[leaf], text, strlen(text));
        }
        for (size_t c = 0; c < CGROUP_CONTROLLER_COUNT && r == 0 && leaf == CGROUP_LOAD; c++)
                if (cg->v1_procs_fd[c] >= 0)
                        r = sys_write_all(cg->v1_procs_fd[c], text, strlen(text));

        return r < 0 ? error_set(err, r, "put process %s into the cgroup %s", text, cg->name) : 0;
}

static int remove_dir(int parent_fd, const char *name)
{
        return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_remove(struct cgroup *cg, struct coffer_error *err)
{
        int failed = 0;

        if (cg->name[0] == '\0')
                return 0;

        for (size_t leaf = 0; leaf < CGROUP_LEAF_COUNT && cg->box_fd >= 0; leaf++) {
                int r = remove_dir(cg->box_fd, leaf_names[leaf]);

                if (r < 0)
                        failed = error_set(err, r, "remove the cgroup %s/%s", cg->name,
                                           leaf_names[leaf]);
        }
        if (cg->box_fd >= 0 && failed == 0) {
                int r = remove_dir(cg->parent_fd, cg->name);

                if (r < 0)
                        failed = error_set(err, r, "remove the cgroup %s", cg->name);
        }
        for (unsigned c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
                cleanup_close int root_fd = -EBADF;
                int r;

                if (cg->v1_fd[c] < 0)
                        continue;
                root_fd = cgroup_open_v1_root((enum cgroup_controller)c);
                r = root_fd < 0 ? root_fd : remove_dir(root_fd, cg->name);
                if (r < 0)
                        failed = error_set(err, r, "remove the cgroup %s/%s/%s", CGROUP_V1_ROOT,
                                           cgroup_controller_name((enum cgroup_controller)c),
                                           cg->name);
        }
        cgroup_release(cg);
        return failed;
}
