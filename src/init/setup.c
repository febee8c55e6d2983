/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From an empty set of namespaces to a box that waits for its command.  The order matters:
 *
 *   1  the stem is forked and gives up its rights meanwhile    stem.c
 *   2  open all sources while the host's mounts are there          mount.c
 *   3  build the new root on a scratch tmpfs                       mount.c
 *   4  the stem enters the box's Landlock domain and clones main, PID 1 of the inner PID
 *      namespace; it makes the box's procfs (only it can) and the inner user namespace
 *                                                                  workload.c
 *   5  procfs is attached, the root entered
 *   6  main gets its ids and closes nested user namespaces while the old root is detached, then
 *      /proc is masked
 *   7  the supervisor gives up its rights                          self.c
 */

#include "init/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "init/self.h"
#include "proto/channel.h"
#include "sandbox/caps.h"
#include "sandbox/landlock.h"
#include "sandbox/mount.h"
#include "sandbox/netns.h"

#define SETUP_TIMEOUT_MS 30000

struct build {
        struct box_inside *box;
        struct msg_setup *setup;
        struct frame frame; /* the SETUP frame with the sources' descriptors */
        struct mount_root root;
        int main_dir_fd; /* main in the host's procfs */
        int ruleset_fd;
        struct strv *posture;
        struct coffer_error bounding; /* why its set cannot be cleared */
        struct coffer_error *err;
};

static int receive(struct build *b)
{
        int r = channel_recv(INIT_SOCKET_FD, &b->frame, SETUP_TIMEOUT_MS);

        if (r == 0 && b->frame.header.type != PROTO_SETUP)
                r = -EBADMSG;
        if (r == 0)
                r = frame_decode(&b->frame, b->setup);
        if (r == 0 && b->frame.fd_count != 0 && b->frame.fd_count != b->setup->sources.count)
                r = -EBADMSG;
        if (r == 0 && b->setup->bpf.size == 0)
                r = -EBADMSG; /* nothing runs without a filter */
        return r < 0 ? error_set(b->err, r, "read how to build the box") : 0;
}

/* What the shim could not open for us, not being root, we open as root of our namespace. */
static int open_sources(struct build *b)
{
        const struct msg_source *sources = b->setup->sources.items;

        for (size_t i = b->frame.fd_count; i < b->setup->sources.count; i++) {
                int r = mount_open_source(&sources[i], -1, &b->frame.fds[i], b->err);

                if (r < 0)
                        return r;
                b->frame.fd_count = i + 1;
        }
        return 0;
}

static int build_root(struct build *b)
{
        int r = mount_build(b->setup, b->frame.fds, &b->root, b->err);

        frame_release(&b->frame);
        if (r < 0)
                return r;
        b->box->inside.devpts_fd = take_fd(&b->root.devpts_fd);
        /* The box's own, so that /proc/self/fd says /dev/null. */
        b->box->inside.null_fd = sys_openat2(b->root.root_fd, "dev/null", O_RDWR, 0,
                                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (b->box->inside.null_fd < 0)
                return error_set(b->err, b->box->inside.null_fd, "open /dev/null of the box");
        return 0;
}

static int name_host(struct build *b)
{
        const char *name = b->setup->hostname;

        if (sethostname(name, strlen(name)) < 0)
                return error_set(b->err, -errno, "set the hostname '%s'", name);
        return netns_loopback_up(b->err);
}

/*
 * The host's procfs, which is there until the old root is detached.  It numbers processes as the
 * host does: main's directory is found by its pidfd.
 */
static int open_main_dir(struct build *b)
{
        cleanup_close int pidfd = sys_pidfd_open(b->box->main_pid);
        char path[32];
        pid_t pid = 0;
        int r = pidfd < 0 ? pidfd : sys_pidfd_pid(pidfd, &pid);

        if (r == 0) {
                (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
                b->main_dir_fd = sys_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
                r = b->main_dir_fd < 0 ? b->main_dir_fd : 0;
        }
        return r < 0 ? error_set(b->err, r, "find main in /proc") : 0;
}

static int landlock(struct build *b)
{
        int abi = landlock_abi();
        int r = landlock_box_domain(b->root.root_fd, NULL, &b->ruleset_fd, b->err);

        if (r == 0)
                return strv_addf(
                        b->posture,
                        "landlock\tenforced\tABI %d: the box's root, %s; a mount was refused", abi,
                        abi >= 6 ? "signals, abstract sockets" : "no scopes before ABI 6");
        if (!strv_has(&b->setup->allow_degraded, "landlock")) {
                error_hint(b->err,
                           "this kernel has no Landlock; --allow-degraded landlock runs without");
                return r;
        }
        return strv_addf(b->posture, "landlock\tdegraded\t%s", b->err->msg);
}

/* In a child, since it is done for good: what it says, or nothing when all were dropped. */
static int try_clear_bounding(struct coffer_error *ret_why)
{
        int ends[2];
        ssize_t n;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                struct coffer_error why = {0};

                if (caps_clear_bounding(0, &why) < 0)
                        (void)sys_write_all(ends[1], &why, sizeof(why));
                else
                        (void)sys_write_all(ends[1], "", 1);
                _exit(0);
        }
        (void)close(ends[1]);
        n = pid < 0 ? -1 : sys_read_full(ends[0], ret_why, sizeof(*ret_why));
        (void)close(ends[0]);
        if (pid > 0)
                (void)waitpid(pid, NULL, 0);
        return n == 1 ? 1 : n == (ssize_t)sizeof(*ret_why) ? 0 : -EIO;
}

/* Only where it may be lacking is it tried beforehand: else main finds out, and does not start. */
static int bounding_set(struct build *b)
{
        int r = strv_has(&b->setup->allow_degraded, "bounding-set")
                        ? try_clear_bounding(&b->bounding)
                        : 1;

        b->box->inside.bounding_stays = r == 0;
        return r < 0 ? error_set(b->err, r, "try to clear the bounding set") : 0;
}

static int start_stem(struct build *b)
{
        return stem_start(&b->box->inside, &b->box->stem_fd, &b->box->stem_pid, b->err);
}

/*
 * Where limits need it the shim moves the stem into the box's cgroup, once: main and every exec
 * are then born there (moving a process takes 10 ms).
 */
static int ask_for_placing(struct build *b)
{
        cleanup_close int pidfd = -EBADF;
        int r;

        if (!b->setup->place_processes)
                return 0;
        pidfd = sys_pidfd_open(b->box->stem_pid);
        r = pidfd < 0 ? pidfd
                      : channel_send(INIT_SOCKET_FD, PROTO_PLACE, 0, NULL, &pidfd, 1,
                                     SETUP_TIMEOUT_MS);
        return r < 0 ? error_set(b->err, r, "have the stem placed in its cgroup") : 0;
}

static int await_placing(struct build *b)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        int r;

        if (!b->setup->place_processes)
                return 0;
        r = channel_recv(INIT_SOCKET_FD, &f, SETUP_TIMEOUT_MS);
        if (r == 0 && f.header.type != PROTO_OK)
                r = -EBADMSG;
        return r < 0 ? error_set(b->err, r, "have the stem placed in its cgroup") : 0;
}

/* ------------------------------------------------------------------------------ main */

static int clone_main(struct build *b)
{
        int ends[2];
        int r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(b->err, -errno, "create a socket for main");
        b->box->main_fd = ends[0];
        r = stem_clone_main(b->box->stem_fd, &b->box->inside, b->ruleset_fd, ends[1],
                            &b->box->main_pid, b->err);
        (void)close(ends[1]);
        close_fd(&b->ruleset_fd);
        close_fd(&b->box->inside.devpts_fd);
        close_fd(&b->box->inside.null_fd);
        return r;
}

/* One frame of the expected type from main, or the ERROR it sent instead. */
static int hear_main(struct build *b, enum proto_type type, struct frame *f)
{
        int r = channel_recv(b->box->main_fd, f, SETUP_TIMEOUT_MS);

        if (r == 0 && f->header.type == PROTO_ERROR)
                return frame_error(f, b->err);
        if (r == -ENODATA || r == -ECONNRESET)
                return error_say(b->err, r, COFFER_ERROR_CONTROL, "main died in mid-setup");
        if (r == 0 && f->header.type != (uint16_t)type)
                r = -EBADMSG;
        return r < 0 ? error_set(b->err, r, "hear from main") : 0;
}

static int attach_proc(struct build *b)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        int r = hear_main(b, PROTO_READY, &f);

        if (r == 0 && f.fd_count != 1)
                r = error_set(b->err, -EBADMSG, "get procfs from main");
        if (r == 0)
                r = mount_attach_proc(b->setup, &b->root, f.fds[0], b->err);
        return r;
}

static int enter_root(struct build *b)
{
        return mount_enter(b->setup, &b->root, b->err);
}

/*
 * Workloads see the outer ids, but for two things: the supervisor's is not among them, and in a
 * host box the caller (outer 0) keeps the number he has outside.
 */
static int write_map(struct build *b, const char *name, uint32_t self)
{
        cleanup_close int fd = -EBADF;
        uint32_t count = b->setup->id_count;
        char text[128];
        int r;

        /* A line must lie within one line of the outer map, which may have a seam after id 0. */
        if (count == 1)
                (void)snprintf(text, sizeof(text), "%" PRIu32 " 0 1\n", self);
        else if (self == 0)
                (void)snprintf(text, sizeof(text), "0 0 1\n1 1 %" PRIu32 "\n", count - 1);
        else if (self >= count - 1)
                (void)snprintf(text, sizeof(text), "0 1 %" PRIu32 "\n%" PRIu32 " 0 1\n", count - 1,
                               self);
        else
                (void)snprintf(text, sizeof(text),
                               "0 1 %" PRIu32 "\n%" PRIu32 " 0 1\n%" PRIu32 " %" PRIu32 " %" PRIu32
                               "\n",
                               self, self, self + 1, self + 1, count - self - 1);

        fd = sys_open(b->main_dir_fd, name, O_WRONLY);
        r = fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
        return r < 0 ? error_set(b->err, r, "write the %s of the box", name) : 0;
}

static int map_main(struct build *b)
{
        int r = write_map(b, "uid_map", b->setup->inner_uid);

        if (r == 0)
                r = write_map(b, "gid_map", b->setup->inner_gid);
        if (r == 0) {
                r = channel_send(b->box->main_fd, PROTO_OK, 0, NULL, NULL, 0, SETUP_TIMEOUT_MS);
                if (r < 0)
                        return error_set(b->err, r, "tell main its ids");
        }
        return r;
}

/* Meanwhile main becomes root of the box and closes nested user namespaces. */
static int leave_host(struct build *b)
{
        return mount_leave(&b->root, b->err);
}

static int await_main(struct build *b)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;

        return hear_main(b, PROTO_OK, &f);
}

/*
 * The network namespace belongs to the outer user namespace, so root of the box has no
 * CAP_NET_BIND_SERVICE over it: there, every port is everybody's (ip-sysctl in the kernel's docs).
 */
static int open_low_ports(struct build *b)
{
        cleanup_close int fd = sys_open_beneath(
                b->root.root_fd, "proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY);
        int r = fd < 0 ? fd : sys_write_all(fd, "0\n", 2);

        return r < 0 ? error_set(b->err, r, "open the low ports of the box") : 0;
}

static int mask_proc(struct build *b)
{
        return mount_mask(b->setup, &b->root, b->err);
}

/* For every later exec: main's namespaces, which the stem joins. */
static int hand_over_namespaces(struct build *b)
{
        cleanup_close int pidns_fd = -EBADF;
        cleanup_close int userns_fd = -EBADF;
        int r;

        pidns_fd = sys_open(b->main_dir_fd, "ns/pid", O_RDONLY);
        userns_fd = sys_open(b->main_dir_fd, "ns/user", O_RDONLY);
        close_fd(&b->main_dir_fd);
        if (pidns_fd < 0 || userns_fd < 0)
                return error_set(b->err, pidns_fd < 0 ? pidns_fd : userns_fd,
                                 "open the namespaces of main");
        r = stem_enter(b->box->stem_fd, pidns_fd, userns_fd);
        return r < 0 ? error_set(b->err, r, "have the stem join main's namespaces") : 0;
}

static int give_up_rights(struct build *b)
{
        return self_become_supervisor(b->setup, b->err);
}

static int tell_posture(struct build *b)
{
        bool outside = b->setup->supervisor_outside != 0;

        (void)strv_addf(b->posture, "pidns\tenforced\tmain is PID 1; the supervisor is not in it");
        (void)strv_addf(b->posture, "mount-root\tenforced\t%s",
                        b->setup->root_read_only ? "own root, read-only" : "own root");
        if (b->box->inside.bounding_stays)
                (void)strv_addf(b->posture, "bounding-set\tdegraded\t%s", b->bounding.msg);
        else
                (void)strv_addf(b->posture,
                                "bounding-set\tenforced\tread back bit by bit before each execve");
        (void)strv_addf(b->posture,
                        "capabilities\tenforced\tno ambient, no inheritable ones; a way back to "
                        "root was tried, in each process");
        (void)strv_addf(b->posture, "no-new-privs\tenforced\tread back before each execve");
        (void)strv_addf(
                b->posture,
                "seccomp\tenforced\tallow-list, %zu instructions; a call was refused before "
                "each execve",
                b->setup->bpf.size / 8);
        if (b->setup->processes_max > 0)
                (void)strv_addf(
                        b->posture,
                        "cgroup.pids\tenforced\t%u processes over all ids of the box together, "
                        "RLIMIT_NPROC of its user namespace",
                        b->setup->processes_max - SETUP_OWN_PROCESSES);
        else
                (void)strv_addf(b->posture, "cgroup.pids\toff\tno limit asked for");
        (void)strv_addf(b->posture, "nested-userns\tenforced\tmax_user_namespaces 0, read back");
        return strv_addf(b->posture,
                         "supervisor\tenforced\t%s; keeps SYS_ADMIN SETPCAP SETUID SETGID "
                         "KILL over the box",
                         outside ? "id outside the box's map" : "shares the id of box root");
}

static const struct {
        const char *what;
        int (*run)(struct build *b);
} steps[] = {
        {"receive",       receive             },
        {"bounding set",  bounding_set        },
        {"stem",          start_stem          },
        {"ask placing",   ask_for_placing     },
        {"sources",       open_sources        },
        {"root",          build_root          },
        {"hostname",      name_host           },
        {"landlock",      landlock            },
        {"placing",       await_placing       },
        {"main",          clone_main          },
        {"main in /proc", open_main_dir       },
        {"procfs",        attach_proc         },
        {"pivot",         enter_root          },
        {"ids of main",   map_main            },
        {"old root",      leave_host          },
        {"main's ids",    await_main          },
        {"low ports",     open_low_ports      },
        {"masks",         mask_proc           },
        {"namespaces",    hand_over_namespaces},
        {"rights",        give_up_rights      },
        {"posture",       tell_posture        },
};
FAULT_STEPS(init, "setup", steps, what);

int setup_box(struct box_inside *box, struct strv *ret_posture, struct coffer_error *err)
{
        struct build b = {
                .box = box,
                .setup = &box->inside.setup,
                .frame = FRAME_INIT,
                .root = MOUNT_ROOT_INIT,
                .main_dir_fd = -EBADF,
                .ruleset_fd = -EBADF,
                .posture = ret_posture,
                .err = err,
        };
        int r = 0;

        box->inside.devpts_fd = -EBADF;
        box->inside.userns_fd = -EBADF;
        for (size_t i = 0; r == 0 && i < ELEMENTS(steps); i++) {
                r = fault_step(err, "setup", steps[i].what);
                if (r == 0)
                        r = steps[i].run(&b);
        }
        return r;
}
