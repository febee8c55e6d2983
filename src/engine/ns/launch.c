/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The `ns` engine as the shim sees it: cgroup, clone into new namespaces, id maps, then
 * coffer-init is executed inside and is told by one SETUP frame what to build.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "engine/ns/launch-parts.h"
#include "engine/ns/left.h"
#include "proto/channel.h"
#include "sandbox/mount.h"
#include "sandbox/userns.h"
#include "spec/control.h"

#define SETUP_TIMEOUT_MS 30000
#define INIT_STACK_BYTES (32 * 1024)
#define FROZEN_AFTER_MS  700 /* ten times what a start takes */

struct launch {
        const char *box_id;
        int box_dir_fd;
        int init_exe_fd;
        const struct msg_start *start;
        bool sibling;
        const struct engine_gate *gate; /* NULL once it was asked */
        bool refused;                   /* by it */
        struct msg_setup setup;
        struct engine_box *box;
        struct ns_data *data;
        pid_t pid;
        int their_socket_fd;
        bool shares_memory; /* the supervisor with us, until it executes coffer-init */
        int init_error;     /* negative errno of why it did not */
        int source_fds[PROTO_FDS_MAX];
        size_t source_count;
        struct coffer_error *err;
};

static bool as_root(const struct launch *l)
{
        return l->start->idmap.kind == IDMAP_ROOT;
}

static int decode(struct launch *l)
{
        int r = wire_decode(l->start->setup.data, l->start->setup.size, &msg_setup_table,
                            &l->setup);

        if (r == 0 && l->setup.sources.count > PROTO_FDS_MAX)
                r = -EBADMSG;
        return r < 0 ? error_set(l->err, r, "read how to build the box") : 0;
}

/* Root of a container often has not what root has. */
static void hint_as_root(const struct launch *l, int code)
{
        if (as_root(l) && (code == -EPERM || code == -EACCES))
                error_hint(l->err, "root lacks capabilities here, such as CAP_SYS_ADMIN: start "
                                   "coffer with all of them, or as an ordinary user");
}

static int say_as_root(const struct launch *l, int code, const char *what)
{
        (void)error_set(l->err, code, "%s", what);
        hint_as_root(l, code);
        return code;
}

/*
 * Under a single-id map setgroups(2) is forbidden (user_namespaces(7)), and the groups that the
 * caller is in besides his own stay with every process of the box: docker, kvm, sudo, …
 */
static int check_groups(struct launch *l)
{
        gid_t groups[256];
        char names[160] = "";
        size_t used = 0;
        int n;

        if (l->start->idmap.kind != IDMAP_SINGLE)
                return 0;
        n = getgroups(ELEMENTS(groups), groups);
        if (n < 0)
                return error_set(l->err, -errno, "read the caller's groups");
        for (int i = 0; i < n; i++) {
                const struct group *g = getgrgid(groups[i]);

                if (groups[i] == getegid() || used >= sizeof(names))
                        continue;
                used += (size_t)(g ? snprintf(names + used, sizeof(names) - used, " %s", g->gr_name)
                                   : snprintf(names + used, sizeof(names) - used, " %u",
                                              groups[i]));
        }
        if (used == 0)
                return strv_addf(&l->box->posture, "idmap\tenforced\tsingle id");
        if (control_listed(&l->start->may_lack, "idmap"))
                return strv_addf(&l->box->posture,
                                 "idmap\tdegraded\tsingle id; the box keeps the groups%s", names);
        (void)error_say(l->err, -EPERM, COFFER_ERROR_CONTROL,
                        "idmap: without a range of ids the box would keep your groups%s", names);
        error_hint(l->err, "add a range to /etc/subuid and /etc/subgid (usermod --add-subuids), or "
                           "--allow-degraded idmap");
        return -EPERM;
}

/* ------------------------------------------------------------------- what the host lends */

static int make_dir(struct launch *l, int dir_fd, const char *name)
{
        uid_t uid = as_root(l) ? l->start->idmap.uid_base : (uid_t)-1;

        if (mkdirat(dir_fd, name, 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        if (fchmodat(dir_fd, name, 0755, 0) < 0) /* our umask is strict */
                return -errno;
        return fchownat(dir_fd, name, uid, as_root(l) ? l->start->idmap.gid_base : (gid_t)-1,
                        AT_SYMLINK_NOFOLLOW) < 0
                       ? -errno
                       : 0;
}

/* fs/ holds upper and work: it alone is shown to the box's mounts, never the directory above. */
static int prepare_upper(struct launch *l)
{
        cleanup_close int fs_fd = -EBADF;
        int r;

        if (l->setup.overlay_lower.count == 0)
                return 0;
        r = make_dir(l, l->box_dir_fd, "fs");
        if (r == 0) {
                fs_fd = sys_open_beneath(l->box_dir_fd, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW);
                r = fs_fd < 0 ? fs_fd : make_dir(l, fs_fd, "upper");
        }
        if (r == 0)
                r = make_dir(l, fs_fd, "work");
        return r < 0 ? say_as_root(l, r, "make the writable layer of the box") : 0;
}

static int create_cgroup(struct launch *l, const struct cgroup_limits *limits)
{
        int r = cgroup_create(l->box_id, limits, &l->data->cgroup, l->err);

        if (r == -EEXIST) { /* we hold its lock */
                r = hold_remove_leftover(l->box_id, l->err);
                if (r == 0)
                        r = cgroup_create(l->box_id, limits, &l->data->cgroup, l->err);
        }
        return r;
}

/* What cannot be set is left out where that was allowed by name; else the box does not start. */
static int create_without(struct launch *l, struct cgroup_limits *limits, int code)
{
        bool memory = limits->memory_bytes && control_listed(&l->start->may_lack, "cgroup.memory");
        bool cpu = limits->cpu_milli && control_listed(&l->start->may_lack, "cgroup.cpu");

        if (!memory && !cpu)
                return code;
        if (memory)
                (void)strv_addf(&l->box->posture, "cgroup.memory\tdegraded\t%s", l->err->msg);
        if (cpu)
                (void)strv_addf(&l->box->posture, "cgroup.cpu\tdegraded\t%s", l->err->msg);
        limits->memory_bytes = memory ? 0 : limits->memory_bytes;
        limits->cpu_milli = cpu ? 0 : limits->cpu_milli;
        if (limits->memory_bytes || limits->cpu_milli)
                return create_cgroup(l, limits);
        cgroup_init(&l->data->cgroup);
        return 0;
}

static int make_cgroup(struct launch *l)
{
        const struct msg_limits *m = &l->start->limits;
        struct cgroup_limits limits = {
                .memory_bytes = m->memory_bytes,
                .cpu_milli = m->cpu_millis,
        }; /* how many processes is a limit of the inner user namespace: setup.processes_max */
        bool asked = m->memory_bytes || m->cpu_millis;
        int r = 0;

        /* 0.3 ms of a start for nothing: the PID namespace ends the box, and there is no limit. */
        if (asked || cgroup_is_unified())
                r = create_cgroup(l, &limits);
        if (r < 0)
                r = create_without(l, &limits, r);
        if (r < 0)
                return r;
        l->data->memory_bytes = limits.memory_bytes;
        l->data->cpu_millis = limits.cpu_milli;
        if (limits.memory_bytes || !m->memory_bytes)
                hold_tell_limit(&l->box->posture, &l->data->cgroup, CGROUP_MEMORY,
                                limits.memory_bytes, "");
        if (limits.cpu_milli || !m->cpu_millis)
                hold_tell_limit(&l->box->posture, &l->data->cgroup, CGROUP_CPU, limits.cpu_milli,
                                "");
        return 0;
}

/* ----------------------------------------------------------------------------- the clone */

/* A mount of coffer-init alone, read-only: no /proc/PID/exe of the box leads to a writable file. */
static int lend_exe(int from_fd, int *ret_fd)
{
        struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};

        *ret_fd = sys_open_tree(from_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
        if (*ret_fd < 0)
                return *ret_fd;
        return sys_mount_setattr(*ret_fd, "", AT_EMPTY_PATH, &attr);
}

/* In the box's mount namespace the descriptor from outside cannot be cloned; its path can. */
static int lend_exe_by_path(int from_fd, int *ret_fd)
{
        char link[64], path[4096];
        ssize_t n;
        cleanup_close int fd = -EBADF;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", from_fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        fd = sys_open(AT_FDCWD, path, O_PATH);
        return fd < 0 ? fd : lend_exe(fd, ret_fd);
}

/*
 * The new process until it executes coffer-init.  It shares the shim's memory, where it can, and
 * runs beside it: a copy of the page tables and the faults that follow from it are 0.7 ms of a
 * start where faults are dear.  So it makes system calls only, keeps its results on its own stack,
 * and says what failed in init_error; errno, which is shared, is written by a call that fails, and
 * then the start has failed.
 */
static _Noreturn void run_init(struct launch *l)
{
        static char name[] = "coffer-init";
        char *argv[] = {name, NULL};
        char *envp[] = {fault_environment(), NULL};
        int exe_fd = l->box->pinned_fds[ENGINE_PINNED_EXE];
        char go;
        int r;

        (void)close(l->box->socket_fd);
        /* Until the id maps are written this process is nobody. */
        if (sys_read(l->their_socket_fd, &go, 1) != 1)
                _exit(1);
        r = FAULT_OF("newborn", "ids");
        /* What a shim ignores a box must not: that survives execve(2). */
        (void)signal(SIGPIPE, SIG_DFL);
        (void)signal(SIGHUP, SIG_DFL);
        (void)signal(SIGXFSZ, SIG_DFL);
        /* Refused under a single-id map; what that leaves open is a row of the posture. */
        (void)setgroups(0, NULL);
        if (r == 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                r = -errno;
        if (r == 0 && !as_root(l))
                r = lend_exe_by_path(l->init_exe_fd, &exe_fd);
        if (r == 0 && dup2(l->their_socket_fd, CHILD_FIRST_FD) < 0)
                r = -errno;
        /* It gives this one back with READY, so that nobody has to wait for its end. */
        if (r == 0 && !as_root(l) && dup2(exe_fd, CHILD_FIRST_FD + 1) < 0)
                r = -errno;
        if (r == 0)
                r = FAULT_OF("newborn", "execve");
        if (r == 0) {
                (void)syscall(SYS_execveat, exe_fd, "", argv, envp, AT_EMPTY_PATH);
                r = -errno;
        }
        if (l->shares_memory) {
                l->init_error = r;
        } else {
                (void)error_set(l->err, r, "start coffer-init in the box");
                (void)channel_send_error(l->their_socket_fd, 0, l->err, SETUP_TIMEOUT_MS);
        }
        _exit(1);
}

static int enter_init(void *data)
{
        run_init(data);
}

#define NAMESPACES                                                                                 \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
         CLONE_NEWCGROUP)

/* clone3(2) alone can place a child in a cgroup, and has no way to give it a stack in C. */
static pid_t clone_into(struct launch *l, int cgroup_fd)
{
        struct clone_args args = {
                .flags = NAMESPACES | CLONE_PIDFD | CLONE_INTO_CGROUP,
                .pidfd = (uint64_t)(uintptr_t)&l->box->pidfd,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t)cgroup_fd,
        };
        pid_t pid;

        if (l->sibling) { /* its exit signal is that of ours */
                args.flags |= CLONE_PARENT;
                args.exit_signal = 0;
        }
        pid = sys_clone3(&args);
        if (pid == 0)
                run_init(l);
        return pid;
}

static pid_t clone_sharing(struct launch *l)
{
        static _Alignas(16) char stack[INIT_STACK_BYTES];
        int parent = l->sibling ? CLONE_PARENT : 0;
        pid_t pid;

        l->shares_memory = true;
        pid = clone(enter_init, stack + sizeof(stack),
                    NAMESPACES | CLONE_VM | CLONE_PIDFD | parent | SIGCHLD, l, &l->box->pidfd);
        return pid < 0 ? -errno : pid;
}

static int clone_supervisor(struct launch *l)
{
        int cgroup_fd = cgroup_birth_fd(&l->data->cgroup);
        int ends[2];
        int r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(l->err, -errno, "create the supervisor's socket");
        l->box->socket_fd = ends[0];
        l->their_socket_fd = ends[1];
        if (as_root(l)) {
                r = lend_exe(l->init_exe_fd, &l->box->pinned_fds[ENGINE_PINNED_EXE]);
                if (r < 0)
                        return say_as_root(l, r, "prepare coffer-init");
        }

        l->pid = cgroup_fd >= 0 ? clone_into(l, cgroup_fd) : clone_sharing(l);
        (void)close(ends[1]);
        if (l->pid >= 0)
                return 0;
        r = l->pid;
        (void)error_set(l->err, r, "create the namespaces of the box");
        error_kind(l->err, COFFER_ERROR_HOST);
        error_hint(l->err, "user namespaces may be off: see user.max_user_namespaces, "
                           "kernel.unprivileged_userns_clone, AppArmor; coffer doctor tells");
        return r;
}

static int write_maps(struct launch *l)
{
        int r = userns_write_maps(l->pid, &l->start->idmap, l->err);

        hint_as_root(l, r);
        if (r == 0) {
                r = sys_write_all(l->box->socket_fd, "", 1);
                if (r < 0)
                        (void)error_set(l->err, r, "let the supervisor go on");
        }
        return r;
}

/* ----------------------------------------------------------------------------- the sources */

/* What costs time to take apart: about twenty mounts, a network stack, message queues. */
static void pin_namespaces(struct launch *l)
{
        static const char *const names[ENGINE_PINNED_EXE] = {"mnt", "net", "ipc"};

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                char path[64];

                (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)l->pid, names[i]);
                l->box->pinned_fds[i] = sys_open(AT_FDCWD, path, O_RDONLY);
        }
}

static int open_userns(struct launch *l)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)l->pid);
        l->box->userns_fd = sys_open(AT_FDCWD, path, O_RDONLY);
        pin_namespaces(l);
        return l->box->userns_fd < 0
                       ? error_set(l->err, l->box->userns_fd, "open the user namespace of the box")
                       : 0;
}

static int open_source(struct launch *l, const struct msg_source *s, int *shift_fd, int *ret_fd)
{
        int idmap_fd = -1;
        int r = 0;

        if (s->flags & SOURCE_IDMAP_BOX)
                idmap_fd = l->box->userns_fd;
        if (s->flags & SOURCE_IDMAP_STORE) {
                if (*shift_fd < 0)
                        r = userns_open_shifted(s->store_base, l->start->idmap.uid_base,
                                                l->start->idmap.count, shift_fd, l->err);
                idmap_fd = *shift_fd;
        }
        if (r == 0)
                r = mount_open_source(s, idmap_fd, ret_fd, l->err);
        if (r == -EINVAL && s->flags & SOURCE_IDMAP_OPTIONAL)
                r = mount_open_source(s, -1, ret_fd, l->err);
        return r;
}

/* A user cannot do this here: coffer-init does, in its own mount namespace. */
static int open_sources(struct launch *l)
{
        const struct msg_source *sources = l->setup.sources.items;
        cleanup_close int shift_fd = -EBADF;

        if (!as_root(l))
                return 0;
        for (; l->source_count < l->setup.sources.count; l->source_count++) {
                int r = open_source(l, &sources[l->source_count], &shift_fd,
                                    &l->source_fds[l->source_count]);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* How it ended is not known; nobody else has this socket. */
static int say_died(struct launch *l, int code)
{
        return error_say(l->err, code, COFFER_ERROR_CONTROL, "the supervisor died in mid-setup");
}

static int send_process(struct launch *l)
{
        const struct engine_gate *gate = l->gate;
        int r = 0;

        if (l->start->flags & START_HELD)
                return 0;
        l->gate = NULL;
        if (gate)
                r = gate->open(gate->data, l->err);
        if (r < 0) {
                l->refused = true;
                return r;
        }
        return channel_forward(l->box->socket_fd, PROTO_SPAWN, 0, &l->start->process,
                               SETUP_TIMEOUT_MS);
}

static int send_setup(struct launch *l)
{
        int r;

        l->setup.place_processes = l->data->cgroup.limited;
        l->data->processes_max = l->setup.processes_max;
        r = channel_send(l->box->socket_fd, PROTO_SETUP, 0, &l->setup, l->source_fds,
                         l->source_count, SETUP_TIMEOUT_MS);
        /* What to run goes along at once, so that nobody waits for us; but not past a limit. */
        if (r == 0 && !l->setup.place_processes)
                r = send_process(l);
        if (l->refused)
                return r;
        if (r == -EPIPE || r == -ECONNRESET)
                return say_died(l, r);
        return r < 0 ? error_set(l->err, r, "tell the supervisor how to build the box") : 0;
}

static int place_stem(struct launch *l, const struct frame *f)
{
        pid_t pid = 0;
        int r = f->fd_count == 1 ? sys_pidfd_pid(f->fds[0], &pid) : -EBADMSG;

        if (r < 0)
                return error_set(l->err, r, "find the stem of the box");
        r = cgroup_place(&l->data->cgroup, CGROUP_LOAD, pid, l->err);
        if (r < 0)
                return r;
        r = channel_send(l->box->socket_fd, PROTO_OK, 0, NULL, NULL, 0, SETUP_TIMEOUT_MS);
        if (r == 0)
                r = send_process(l);
        return r < 0 && !l->refused ? error_set(l->err, r, "let the supervisor go on") : r;
}

/* In a directory that somebody froze nothing would ever be heard. */
static int hear_first(struct launch *l, struct frame *f)
{
        int r = channel_recv(l->box->socket_fd, f, FROZEN_AFTER_MS);

        if (r != -ETIMEDOUT)
                return r;
        if (!hold_is_frozen(l->box))
                return channel_recv(l->box->socket_fd, f, SETUP_TIMEOUT_MS);
        (void)error_say(l->err, -EBUSY, COFFER_ERROR_STATE,
                        "the cgroup in which box %s would start is frozen", l->box_id);
        error_hint(l->err, "who wrote 1 to cgroup.freeze there, or above it?");
        return -EBUSY;
}

static int hear_ready(struct launch *l)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        struct msg_ready ready;
        int r = hear_first(l, &f);

        if (r == 0 && f.header.type == PROTO_PLACE) {
                r = place_stem(l, &f);
                frame_release(&f);
                if (r < 0)
                        return r;
                r = channel_recv(l->box->socket_fd, &f, SETUP_TIMEOUT_MS);
        }
        if (r == -EBUSY)
                return r;
        if (r < 0 && l->init_error < 0)
                return error_set(l->err, l->init_error, "start coffer-init in the box");
        if (r < 0)
                return say_died(l, r);
        if (f.header.type == PROTO_ERROR)
                return frame_error(&f, l->err);
        if (f.header.type != PROTO_READY || f.fd_count < 1)
                return error_set(l->err, -EBADMSG, "hear from the supervisor");
        r = frame_decode(&f, &ready);
        if (r < 0)
                return error_set(l->err, r, "hear what is enforced");
        l->box->main_pidfd = frame_take_fd(&f, 0);
        if (f.fd_count > 1)
                l->box->pinned_fds[ENGINE_PINNED_EXE] = frame_take_fd(&f, 1);
        r = strv_copy(&l->box->posture, &ready.posture);
        wire_release(&msg_ready_table, &ready);
        return r;
}

static int describe(struct launch *l)
{
        const struct msg_idmap *map = &l->start->idmap;
        int r = 0;

        (void)strv_addf(&l->box->posture, "engine\tenforced\tns");
        (void)strv_addf(&l->box->posture,
                        "userns\tenforced\tan outer one and one for the workloads");
        if (map->kind == IDMAP_ROOT)
                r = strv_addf(&l->box->posture, "idmap\tenforced\town range of host ids %u to %u",
                              map->uid_base, map->uid_base + map->count - 1);
        else if (map->kind == IDMAP_USER)
                r = strv_addf(&l->box->posture,
                              "idmap\tenforced\tshared: the caller and his subordinate ids");
        (void)strv_addf(&l->box->posture, "netns\tenforced\tloopback only");
        (void)strv_addf(&l->box->posture, "egress\tenforced\tnone: there is no way out");
        return r;
}

/* ------------------------------------------------------------------------------ the table */

static int say_left(const struct engine_box *box, struct coffer_error *err)
{
        char names[128];

        ns_left(box, names, sizeof(names));
        return error_say(err, -EBUSY, COFFER_ERROR_STATE, "%s did not die", names);
}

static int kill_box(struct engine_box *box, struct coffer_error *err)
{
        struct ns_data *data = box->data;
        int r = FAULT("engine.kill");

        /* What a v1 freezer holds does not die, and the supervisor's end waits for it. */
        if (data && data->cgroup.mode != CGROUP_NONE && data->cgroup.v1_fd[CGROUP_FREEZER] >= 0)
                (void)cgroup_thaw(&data->cgroup, NULL);
        if (box->pidfd >= 0) {
                struct pollfd p = {.fd = box->pidfd, .events = POLLIN};

                (void)sys_pidfd_send_signal(box->pidfd, SIGKILL);
                if (poll(&p, 1, KILL_TIMEOUT_MS) <= 0)
                        return say_left(box, err);
                (void)child_wait(box->pidfd); /* a sibling of ours is its parent's to reap */
                close_fd(&box->pidfd);
        }
        if (r < 0)
                return error_set(err, r, "end the processes of the box");
        return data ? cgroup_kill(&data->cgroup, KILL_TIMEOUT_MS, err) : 0;
}

static int release_box(struct engine_box *box, struct coffer_error *err)
{
        struct ns_data *data = box->data;
        int r = FAULT("engine.release");

        if (r < 0)
                (void)error_set(err, r, "release what the box had");
        else if (data)
                r = cgroup_remove(&data->cgroup, err);

        if (data)
                close_fd(&data->events_fd);
        free(data);
        box->data = NULL;
        close_fd(&box->socket_fd);
        close_fd(&box->main_pidfd);
        strv_release(&box->posture);
        return r;
}

static bool oom(const struct engine_box *box)
{
        const struct ns_data *data = box->data;
        bool killed = false;

        return data && cgroup_oom_killed(&data->cgroup, &killed) == 0 && killed;
}

static const struct {
        const char *what;
        int (*run)(struct launch *l);
} steps[] = {
        {"decode",  decode          },
        {"groups",  check_groups    },
        {"upper",   prepare_upper   },
        {"cgroup",  make_cgroup     },
        {"clone",   clone_supervisor},
        {"maps",    write_maps      },
        {"userns",  open_userns     },
        {"sources", open_sources    },
        {"setup",   send_setup      },
        {"ready",   hear_ready      },
        {"posture", describe        },
};
FAULT_STEPS(shim, "launch", steps, what);
FAULT_STEPS(launcher, "launch", steps, what);

static int launch(const char *box_id, int box_dir_fd, int init_exe_fd,
                  const struct msg_start *start, bool sibling, const struct engine_gate *gate,
                  struct engine_box *ret_box, struct coffer_error *err)
{
        struct engine_box box = ENGINE_BOX_INIT;
        struct launch l = {
                .box_id = box_id,
                .box_dir_fd = box_dir_fd,
                .init_exe_fd = init_exe_fd,
                .start = start,
                .sibling = sibling,
                .gate = gate,
                .box = &box,
                .err = err,
        };
        int r = 0;

        l.data = calloc(1, sizeof(*l.data));
        if (!l.data)
                return error_set(err, -ENOMEM, "launch the box");
        box.data = l.data;
        cgroup_init(&l.data->cgroup);
        l.data->events_fd = -EBADF;
        for (size_t i = 0; r == 0 && i < ELEMENTS(steps); i++) {
                ret_box->step = steps[i].what;
                r = fault_step(err, "launch", steps[i].what);
                if (r == 0)
                        r = steps[i].run(&l);
        }

        for (size_t i = 0; i < l.source_count; i++)
                close_fd(&l.source_fds[i]);
        wire_release(&msg_setup_table, &l.setup);
        if (r < 0) {
                (void)kill_box(&box, NULL);
                (void)release_box(&box, NULL);
                engine_box_unpin(&box);
                return r;
        }
        *ret_box = box; /* and no step any more */
        return 0;
}

static int go(const struct engine_box *box, const struct msg_start *start, struct coffer_error *err)
{
        int r = channel_forward(box->socket_fd, PROTO_SPAWN, 0, &start->process, SETUP_TIMEOUT_MS);

        return r < 0 ? error_set(err, r, "let the supervisor go on") : 0;
}

static int adopt(const char *box_id, struct engine_box *box, struct coffer_error *err)
{
        struct ns_data *data = calloc(1, sizeof(*data));
        int r = data ? cgroup_open(box_id, &data->cgroup, err)
                     : error_set(err, -ENOMEM, "take over the box");

        if (r < 0) {
                free(data);
                return r;
        }
        box->data = data;
        return 0;
}

static void forget(struct engine_box *box)
{
        struct ns_data *data = box->data;

        cgroup_release(&data->cgroup);
        free(data);
        box->data = NULL;
        close_fd(&box->socket_fd);
        close_fd(&box->pidfd);
        close_fd(&box->main_pidfd);
        engine_box_unpin(box);
        strv_release(&box->posture);
}

const struct engine engine_ns = {
        .name = "ns",
        .launch = launch,
        .go = go,
        .adopt = adopt,
        .forget = forget,
        .kill = kill_box,
        .release = release_box,
        .oom = oom,
        .freeze = hold_freeze,
        .thaw = hold_thaw,
        .is_frozen = hold_is_frozen,
        .limit = hold_limit,
        .left = ns_left,
};
