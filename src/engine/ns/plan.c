/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ns/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/ns/plan-parts.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp.h"
#include "sandbox/userns.h"
#include "spec/caps.h"
#include "spec/spec.h"

#define DEFAULT_PROCESSES   4096
#define DEFAULT_NOFILE_SOFT 1024
#define DEFAULT_NOFILE_HARD 524288
#define NODEV_NOSUID        (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)
#define NO_THING            (NODEV_NOSUID | MOUNT_ATTR_NOEXEC)

static void *grow(struct plan *p, struct wire_list *list, size_t item_bytes)
{
        void *items;

        if (p->r < 0)
                return NULL;
        items = realloc(list->items, (list->count + 1) * item_bytes);
        if (!items) {
                p->r = -ENOMEM;
                return NULL;
        }
        list->items = items;
        memset((char *)items + list->count * item_bytes, 0, item_bytes);
        return (char *)items + list->count++ * item_bytes;
}

static char *copy(struct plan *p, const char *s)
{
        char *c = strdup(s ? s : "");

        if (!c)
                p->r = -ENOMEM;
        return c;
}

uint32_t plan_source(struct plan *p, const char *path, uint32_t flags)
{
        struct msg_source *s = grow(p, &p->setup->sources, sizeof(*s));

        if (!s)
                return 0;
        if (p->setup->sources.count > PROTO_FDS_MAX - 4) {
                p->r = -E2BIG;
                return 0;
        }
        s->path = copy(p, path);
        s->flags = flags;
        s->store_base = p->root->store_base;
        return (uint32_t)p->setup->sources.count - 1;
}

static void add_op(struct plan *p, enum mount_op_kind kind, uint32_t source, const char *target,
                   const char *data, uint64_t flags)
{
        struct msg_mount_op *op = grow(p, &p->setup->ops, sizeof(*op));

        if (!op)
                return;
        op->kind = kind;
        op->source = source;
        op->target = copy(p, target);
        op->data = copy(p, data);
        op->flags = flags;
}

void plan_op(struct plan *p, enum mount_op_kind kind, const char *target, const char *data,
             uint64_t flags)
{
        add_op(p, kind, 0, target, data, flags);
}

void plan_bind(struct plan *p, uint32_t source, const char *target, uint64_t flags)
{
        add_op(p, MOUNT_OP_BIND, source, target, NULL, flags);
}

/* ------------------------------------------------------------------------------- the root */

static void add_lower(struct plan *p, const char *path, uint32_t flags)
{
        uint32_t source = plan_source(p, path, flags);

        if (p->r == 0)
                p->r = strv_addf(&p->setup->overlay_lower, "%" PRIu32, source);
}

static void add_upper(struct plan *p)
{
        char path[4096];

        if (snprintf(path, sizeof(path), "%s/fs", p->root->box_dir) >= (int)sizeof(path)) {
                p->r = -ENAMETOOLONG;
                return;
        }
        p->setup->overlay_upper = plan_source(p, path, 0);
        /* What a --rm box writes is thrown away: no need to have it on the disk at the end. */
        p->setup->overlay_volatile = p->spec->remove;
}

static void add_root(struct plan *p)
{
        const struct strv *layers = p->root->layer_dirs;

        switch (p->root->kind) {
        case NS_ROOT_HOST:
                plan_host_root(p);
                return;
        case NS_ROOT_DIR:
                add_lower(p, p->root->dir, SOURCE_IDMAP_BOX | SOURCE_RECURSIVE);
                break;
        case NS_ROOT_LAYERS:
                /* overlayfs has the uppermost first */
                for (size_t i = layers->count; i-- > 0;)
                        add_lower(p, layers->items[i], SOURCE_IDMAP_STORE);
                break;
        }
        add_upper(p);
}

/* ------------------------------------------------------------- /dev, /proc, /sys, /etc files */

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

static const struct {
        const char *target;
        const char *text;
} dev_links[] = {
        {"/dev/fd",     "/proc/self/fd"  },
        {"/dev/stdin",  "/proc/self/fd/0"},
        {"/dev/stdout", "/proc/self/fd/1"},
        {"/dev/stderr", "/proc/self/fd/2"},
        {"/dev/ptmx",   "pts/ptmx"       },
};

static void add_dev(struct plan *p)
{
        char path[64], host[64], shm[64];
        bool has_tty_group = p->map->count > 5;

        plan_op(p, MOUNT_OP_TMPFS, "/dev", "mode=755,size=64k",
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        for (size_t i = 0; i < ELEMENTS(devices); i++) {
                (void)snprintf(path, sizeof(path), "/dev/%s", devices[i]);
                (void)snprintf(host, sizeof(host), "/dev/%s", devices[i]);
                plan_op(p, MOUNT_OP_DEVICE, path, host, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        }
        for (size_t i = 0; i < ELEMENTS(dev_links); i++)
                plan_op(p, MOUNT_OP_SYMLINK, dev_links[i].target, dev_links[i].text, 0);
        plan_op(p, MOUNT_OP_DEVPTS, "/dev/pts",
                has_tty_group ? "mode=620,ptmxmode=666,gid=5" : "mode=620,ptmxmode=666",
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        (void)snprintf(shm, sizeof(shm), "mode=1777,size=%" PRIu64, p->spec->shm_bytes);
        plan_op(p, MOUNT_OP_TMPFS, "/dev/shm", shm, NO_THING);
        plan_op(p, MOUNT_OP_MQUEUE, "/dev/mqueue", "", NO_THING);
}

/*
 * Where the kernel lies: a host that lets everybody use perf (kernel.perf_event_paranoid below 2)
 * tells everybody.  Docker's list, and with it config.json, has them not.
 */
static const char *const address_paths[] = {"/proc/kallsyms", "/proc/modules"};

static void add_kernel_dirs(struct plan *p)
{
        plan_op(p, MOUNT_OP_PROC, "/proc", "", 0);
        plan_op(p, MOUNT_OP_SYSFS, "/sys", "", NO_THING | MOUNT_ATTR_RDONLY);
        add_dev(p);
        /* The same lists as in config.json. */
        for (size_t i = 0; spec_masked_paths[i]; i++)
                plan_op(p, MOUNT_OP_MASK, spec_masked_paths[i], "", 0);
        for (size_t i = 0; i < ELEMENTS(address_paths); i++)
                plan_op(p, MOUNT_OP_MASK, address_paths[i], "", 0);
        for (size_t i = 0; spec_read_only_paths[i]; i++)
                plan_op(p, MOUNT_OP_READ_ONLY, spec_read_only_paths[i], "", 0);
}

static void add_etc(struct plan *p)
{
        struct buf hosts = BUF_INIT(WIRE_STR_MAX);
        char hostname[256];

        (void)snprintf(hostname, sizeof(hostname), "%s\n", p->spec->hostname);
        (void)buf_printf(&hosts,
                         "127.0.0.1 localhost %s\n::1 localhost ip6-localhost ip6-loopback\n",
                         p->spec->hostname);
        for (size_t i = 0; i < p->spec->add_host.count; i++) {
                const char *name = p->spec->add_host.items[i];
                const char *colon = strchr(name, ':');

                if (colon)
                        (void)buf_printf(&hosts, "%s %.*s\n", colon + 1, (int)(colon - name), name);
        }
        if (hosts.failed < 0)
                p->r = hosts.failed;
        plan_op(p, MOUNT_OP_FILE, "/etc/hostname", hostname, 0644);
        plan_op(p, MOUNT_OP_FILE, "/etc/hosts", hosts.data, 0644);
        plan_op(p, MOUNT_OP_FILE, "/etc/resolv.conf", "# network none: nothing is resolved\n",
                0644);
        buf_release(&hosts);
}

/* ------------------------------------------------------------------------ what was asked for */

static void add_tmpfs(struct plan *p, const struct spec_mount *m)
{
        char options[160];
        int n = snprintf(options, sizeof(options), "mode=%o,uid=%" PRIu32 ",gid=%" PRIu32, m->mode,
                         m->uid, m->gid);

        if (m->size_bytes)
                n += snprintf(options + n, sizeof(options) - (size_t)n, ",size=%" PRIu64,
                              m->size_bytes);
        if (m->inodes)
                (void)snprintf(options + n, sizeof(options) - (size_t)n, ",nr_inodes=%" PRIu64,
                               m->inodes);
        plan_op(p, MOUNT_OP_TMPFS, m->target, options,
                NODEV_NOSUID | (m->no_exec ? MOUNT_ATTR_NOEXEC : 0) |
                        (m->read_only ? MOUNT_ATTR_RDONLY : 0));
}

static void add_mounts(struct plan *p)
{
        for (size_t i = 0; i < p->spec->mounts.count; i++) {
                const struct spec_mount *m = &p->spec->mounts.items[i];
                uint32_t flags = SOURCE_RECURSIVE | SOURCE_IDMAP_BOX;

                if (m->kind == SPEC_TMPFS) {
                        add_tmpfs(p, m);
                        continue;
                }
                if (m->read_only)
                        flags |= SOURCE_READ_ONLY;
                plan_bind(p, plan_source(p, p->root->mount_sources->items[i], flags), m->target,
                          NODEV_NOSUID | (m->no_exec ? MOUNT_ATTR_NOEXEC : 0) |
                                  (m->read_only ? MOUNT_ATTR_RDONLY : 0));
        }
        if (p->spec->here != SPEC_HERE_OFF) {
                uint32_t ro = p->spec->here == SPEC_HERE_RO ? SOURCE_READ_ONLY : 0;

                plan_bind(
                        p,
                        plan_source(p, p->spec->here_dir, SOURCE_RECURSIVE | SOURCE_IDMAP_BOX | ro),
                        p->spec->here_dir, NODEV_NOSUID | (ro ? MOUNT_ATTR_RDONLY : 0));
        }
}

static int add_filter(struct plan *p, struct coffer_error *err)
{
        p->setup->bpf = BUF_INIT(SECCOMP_BPF_BYTES);
        return seccomp_compile(&seccomp_workload, spec_caps_root(p->spec), SECCOMP_NATIVE,
                               &p->setup->bpf, err);
}

/* The supervisor and the stem are counted too, since the limit is of whom they are. */
static uint32_t processes_max(const struct spec *spec)
{
        uint64_t max = spec->pids_max ? spec->pids_max : DEFAULT_PROCESSES;

        if (spec->pids_max == SPEC_UNLIMITED)
                return 0;
        return max > UINT32_MAX - SETUP_OWN_PROCESSES ? UINT32_MAX
                                                      : (uint32_t)max + SETUP_OWN_PROCESSES;
}

int ns_plan_setup(const struct spec *spec, const struct ns_root *root, const struct msg_idmap *map,
                  struct msg_setup *ret_setup, struct coffer_error *err)
{
        struct msg_setup setup = {0};
        struct plan p = {&setup, spec, root, map, 0};
        bool host = root->kind == NS_ROOT_HOST;

        setup.hostname = copy(&p, spec->hostname);
        setup.root_read_only = spec->read_only;
        setup.id_count = map->count;
        setup.supervisor_outside = map->supervisor_uid != 0;
        setup.inner_uid = host ? root->caller_uid : 0;
        setup.inner_gid = host ? root->caller_gid : 0;
        setup.processes_max = processes_max(spec);
        if (p.r == 0)
                p.r = strv_copy(&setup.allow_degraded, &spec->allow_degraded);
        add_root(&p);
        add_kernel_dirs(&p);
        add_etc(&p);
        add_mounts(&p);
        if (p.r < 0) {
                (void)error_set(err, p.r, "plan the root of the box");
                if (p.r == -E2BIG)
                        error_hint(err, "%d layers and mounts together are the most",
                                   PROTO_FDS_MAX - 4);
        } else {
                p.r = add_filter(&p, err);
        }
        if (p.r < 0) {
                wire_release(&msg_setup_table, &setup);
                return p.r;
        }
        *ret_setup = setup;
        return 0;
}

/* --------------------------------------------------------------------------------- processes */

static int add_rlimit(struct msg_process *m, uint32_t resource, uint64_t soft, uint64_t hard)
{
        struct msg_rlimit *items =
                realloc(m->rlimits.items, (m->rlimits.count + 1) * sizeof(*items));

        if (!items)
                return -ENOMEM;
        m->rlimits.items = items;
        items[m->rlimits.count++] = (struct msg_rlimit){resource, soft, hard};
        return 0;
}

static int add_rlimits(struct msg_process *m, const struct spec *box)
{
        bool has_nofile = false;
        int r = 0;

        for (size_t i = 0; r == 0 && i < box->ulimits.count; i++) {
                const struct spec_ulimit *u = &box->ulimits.items[i];

                has_nofile |= u->resource == RLIMIT_NOFILE;
                r = add_rlimit(m, u->resource, u->soft, u->hard);
        }
        if (r == 0 && !has_nofile)
                r = add_rlimit(m, RLIMIT_NOFILE, DEFAULT_NOFILE_SOFT, DEFAULT_NOFILE_HARD);
        return r;
}

/* Without a user of its own a process of a host box is the caller. */
static char *choose_user(const struct spec *box, const struct spec *process,
                         const struct ns_root *root)
{
        char *user = NULL;

        if (process && process->user)
                return strdup(process->user);
        if (box->user)
                return strdup(box->user);
        if (root->kind != NS_ROOT_HOST)
                return strdup("");
        return asprintf(&user, "%u:%u", root->caller_uid, root->caller_gid) < 0 ? NULL : user;
}

static char *choose_cwd(const struct spec *box, const struct spec *process)
{
        if (process && process->workdir)
                return strdup(process->workdir);
        if (box->workdir)
                return strdup(box->workdir);
        return strdup(box->here != SPEC_HERE_OFF ? box->here_dir : "/");
}

static uint32_t process_flags(const struct spec *from, bool is_main)
{
        return (from->tty ? PROCESS_TTY : 0) | (from->open_stdin ? PROCESS_STDIN : 0) |
               (is_main && from->init ? PROCESS_REAPER : 0);
}

int ns_plan_process(const struct spec *box, const struct spec *process, const struct ns_root *root,
                    struct msg_process *ret_process, struct coffer_error *err)
{
        struct msg_process m = {0};
        const struct spec *from = process ? process : box;
        int r;

        m.flags = process_flags(from, !process);
        m.timeout_ms = from->timeout_ms;
        m.umask = 0022;
        m.caps_root = spec_caps_root(box);
        m.caps_user = spec_caps_user(box);
        m.user = choose_user(box, process, root);
        m.cwd = choose_cwd(box, process);
        r = m.user && m.cwd ? 0 : -ENOMEM;
        if (r == 0)
                r = process ? strv_copy(&m.argv, &process->args) : spec_argv(box, &m.argv);
        if (r == 0)
                r = strv_copy(&m.env, &box->env);
        for (size_t i = 0; r == 0 && process && i < process->env.count; i++) {
                const char *eq = strchr(process->env.items[i], '=');
                char *name =
                        eq ? strndup(process->env.items[i], (size_t)(eq - process->env.items[i]))
                           : NULL;

                if (eq)
                        r = name ? strv_set(&m.env, name, eq + 1) : -ENOMEM;
                free(name);
        }
        if (r == 0)
                r = strv_copy(&m.groups, &box->group_add);
        if (r == 0)
                r = add_rlimits(&m, box);
        if (r < 0) {
                wire_release(&msg_process_table, &m);
                return error_set(err, r, "plan a process of the box");
        }
        *ret_process = m;
        return 0;
}
