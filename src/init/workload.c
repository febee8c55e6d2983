/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a process of the box does between clone() and execve().  The order is the table below, and
 * its reasons are in DESIGN's words in ARCHITECTURE.md ("Confinement").  A step that fails ends
 * the process: its one answer is an ERROR frame.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "init/init.h"
#include "proto/channel.h"
#include "sandbox/caps.h"
#include "sandbox/ids.h"
#include "sandbox/mount.h"
#include "sandbox/rlimit.h"
#include "sandbox/seccomp.h"

#define EXIT_COFFER         125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND      127

struct job {
        const struct inside *in;
        bool is_main;
        int socket_fd;
        bool heard;
        struct msg_process p;
        bool user_is_known;
        struct user user;
        struct stdio stdio;
        bool in_directory;
        struct coffer_error err;
};

static int answer_supervisor(struct job *j, enum proto_type type, const int *fds, size_t count,
                             const void *message)
{
        int r = channel_send(j->socket_fd, type, 0, message, fds, count, -1);

        return r < 0 ? error_set(&j->err, r, "answer the supervisor") : 0;
}

static int await(struct job *j, enum proto_type type, struct frame *f)
{
        int r = channel_recv(j->socket_fd, f, -1);

        if (r == 0 && f->header.type != (uint16_t)type)
                r = -EBADMSG;
        return r < 0 ? error_set(&j->err, r, "hear from the supervisor") : 0;
}

static int await_ok(struct job *j)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;

        return await(j, PROTO_OK, &f);
}

/* ------------------------------------------------------------- namespaces, main and exec */

/* No namespace of ours below this one: closes what nested user namespaces open (KERNEL 24). */
static int close_nested_userns(struct job *j)
{
        cleanup_close int fd = sys_open(AT_FDCWD, "/proc/sys/user/max_user_namespaces", O_RDWR);
        char now[2] = "";
        int r = fd < 0 ? fd : sys_write_all(fd, "0\n", 2);

        if (r < 0)
                return error_set(&j->err, r, "close nested user namespaces");
        if (pread(fd, now, sizeof(now), 0) != sizeof(now) || memcmp(now, "0\n", 2) != 0)
                return error_say(&j->err, -EPERM, COFFER_ERROR_CONTROL,
                                 "nested-userns: were closed and stayed open");
        return 0;
}

/* Over all ids of the box at once, since it is set where the inner user namespace is made. */
static int limit_processes(struct job *j)
{
        struct rlimit now, limit;

        if (j->in->setup.processes_max == 0)
                return 0;
        if (getrlimit(RLIMIT_NPROC, &now) < 0)
                return error_set(&j->err, -errno, "read the process limit");
        limit.rlim_cur = limit.rlim_max = j->in->setup.processes_max < now.rlim_max
                                                  ? j->in->setup.processes_max
                                                  : now.rlim_max;
        if (setrlimit(RLIMIT_NPROC, &limit) < 0)
                return error_set(&j->err, -errno, "limit the number of processes");
        return 0;
}

static int make_namespaces(struct job *j)
{
        struct msg_ready ready = {0};
        cleanup_close int proc_fd = -EBADF;
        int r = FAULT_OF("main", "procfs");

        if (r < 0)
                return error_set(&j->err, r, "make procfs");
        r = mount_make_proc(&proc_fd, &j->err);
        if (r == 0)
                r = limit_processes(j);
        if (r == 0 && unshare(CLONE_NEWUSER) < 0)
                r = error_set(&j->err, -errno, "create the inner user namespace");
        if (r == 0)
                r = answer_supervisor(j, PROTO_READY, &proc_fd, 1, &ready);
        close_fd(&proc_fd);
        if (r == 0)
                r = await_ok(j); /* the id maps are written, the root is entered */
        return r;
}

static int join_namespaces(struct job *j)
{
        int r = FAULT_OF("exec", "join");

        if (r == 0 && setns(j->in->userns_fd, CLONE_NEWUSER) < 0)
                r = -errno;
        return r < 0 ? error_set(&j->err, r, "enter the user namespace of the box") : 0;
}

static int become_box_root(struct job *j)
{
        const struct msg_setup *setup = &j->in->setup;

        /* Outer id 0, whatever the box calls it; capabilities over the inner namespace stay. */
        if (setresgid(setup->inner_gid, setup->inner_gid, setup->inner_gid) < 0 ||
            setresuid(setup->inner_uid, setup->inner_uid, setup->inner_uid) < 0)
                return error_set(&j->err, -errno, "become root of the box");
        return 0;
}

static int enter(struct job *j)
{
        int r = j->is_main ? make_namespaces(j) : join_namespaces(j);

        if (r == 0)
                r = become_box_root(j);
        if (r < 0 || !j->is_main)
                return r;
        /* The inner namespace is ours alone to write; then nobody in the box may look at us. */
        r = close_nested_userns(j);
        if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                r = error_set(&j->err, -errno, "become undumpable");
        return r == 0 ? answer_supervisor(j, PROTO_OK, NULL, 0, NULL) : r;
}

static int hear_job(struct job *j)
{
        cleanup_with(frame_release) struct frame f = FRAME_INIT;
        int r = await(j, PROTO_SPAWN, &f);

        if (r == 0) {
                r = frame_decode(&f, &j->p);
                if (r < 0)
                        (void)error_set(&j->err, r, "read what to run");
        }
        if (r == 0 && j->p.argv.count == 0)
                r = error_say(&j->err, -EINVAL, COFFER_ERROR_USAGE, "no command given");
        return r;
}

/* --------------------------------------------------------------------------- the steps */

static bool is_mapped(const struct job *j, uint32_t id, uint32_t inner_id)
{
        uint32_t count = j->in->setup.id_count;

        return id == inner_id || (count > 1 && id < count);
}

/* The next one need not read what has not changed. */
static void tell_stem(const struct job *j, const struct file_stamp files[USER_FILES])
{
        struct known_user known;

        if (j->in->lesson_fd >= 0 && j->p.groups.count == 0 &&
            user_make_known(j->p.user, &j->user, files, &known))
                (void)send(j->in->lesson_fd, &known, sizeof(known), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int find_user(struct job *j)
{
        struct file_stamp files[USER_FILES];
        int r = user_resolve(j->p.user, &j->p.groups, &j->user, files, &j->err);

        if (r == 0)
                tell_stem(j, files);
        return r;
}

static int set_home(struct job *j)
{
        return strv_get(&j->p.env, "HOME") ? 0 : strv_set(&j->p.env, "HOME", j->user.home);
}

static int step_user(struct job *j)
{
        const struct msg_setup *setup = &j->in->setup;
        int r = j->user_is_known ? 0 : find_user(j);

        if (r < 0)
                return r;
        if (!is_mapped(j, j->user.uid, setup->inner_uid) ||
            !is_mapped(j, j->user.gid, setup->inner_gid)) {
                r = error_say(&j->err, -EINVAL, COFFER_ERROR_USAGE, "the box has no user %u:%u",
                              j->user.uid, j->user.gid);
                error_hint(&j->err, setup->id_count == 1
                                            ? "it has one id only; a range in /etc/subuid and "
                                              "/etc/subgid gives it 65536"
                                            : "its ids are 0 to 65535");
        }
        if (r == 0 && set_home(j) < 0)
                r = error_set(&j->err, -ENOMEM, "set HOME");
        return r;
}

static int step_stdio(struct job *j)
{
        struct msg_started started = {0};
        int r = stdio_make(j->in, &j->p, j->user.uid, j->user.gid, &j->stdio, &j->err);

        if (r < 0)
                return r;
        started.stdio = j->stdio.mask;
        return answer_supervisor(j, PROTO_STARTED, j->stdio.far, j->stdio.far_count, &started);
}

static int step_session(struct job *j)
{
        if (setsid() < 0)
                return error_set(&j->err, -errno, "start a session");
        return stdio_install(&j->stdio, &j->err);
}

static int step_groups(struct job *j)
{
        enum ids_groups answer;
        int r = ids_set_groups(j->user.groups, j->user.group_count, &answer, &j->err);

        if (r < 0 || answer == IDS_GROUPS_SET)
                return r;
        /* With ids to give out, groups can be set: else the caller's would stay. */
        if (j->in->setup.id_count > 1) {
                (void)error_say(&j->err, -EPERM, COFFER_ERROR_CONTROL,
                                "groups: the caller's cannot be given up");
                error_hint(&j->err, "something around coffer refuses setgroups: start it outside "
                                    "that sandbox");
                return -EPERM;
        }
        /* A single-id map: whether that may be was decided before the box was made. */
        if (j->user.group_count == 0)
                return 0;
        return error_say(&j->err, -EPERM, COFFER_ERROR_HOST,
                         "this box has one id only and no supplementary groups");
}

static uint64_t caps_of(const struct job *j)
{
        return j->user.uid == 0 ? j->p.caps_root : j->p.caps_user;
}

static int step_bounding(struct job *j)
{
        int r = caps_clear_bounding(caps_of(j), &j->err);

        if (r == 0 || !j->in->bounding_stays)
                return r;
        j->err = (struct coffer_error){0};
        return 0;
}

static int step_securebits(struct job *j)
{
        return caps_lock_securebits(j->user.uid != 0, &j->err);
}

static int step_ids(struct job *j)
{
        return ids_become(j->user.uid, j->user.gid, &j->err);
}

/*
 * Who is not root holds none, as with Docker: what was added is in the bounding set and in the
 * filter, and comes to life for nobody but root.
 */
static int step_capabilities(struct job *j)
{
        int r = caps_set(j->user.uid == 0 ? j->p.caps_root : 0, &j->err);

        return r < 0 ? r : ids_verify_no_return(j->user.uid, j->user.gid, &j->err);
}

static int step_rlimits(struct job *j)
{
        return rlimit_apply(j->p.rlimits.items, j->p.rlimits.count, NULL, &j->err);
}

/* Everything but 0, 1, 2 and the socket, which execve() closes; the socket becomes 3. */
static int step_close(struct job *j)
{
        int r;

        if (j->socket_fd != 3) {
                if (dup3(j->socket_fd, 3, O_CLOEXEC) < 0)
                        return error_set(&j->err, -errno, "place the status socket");
                j->socket_fd = 3;
        }
        /* A witness, since a sandbox around us may say "done" and do nothing. */
        if (dup3(3, 4, O_CLOEXEC) < 0)
                return error_set(&j->err, -errno, "close descriptors");
        r = sys_close_range(4, ~0U, 0);
        if (r == 0 && fcntl(4, F_GETFD) >= 0)
                return error_say(&j->err, -EPERM, COFFER_ERROR_CONTROL,
                                 "descriptors: were closed and stayed open");
        return r < 0 ? error_set(&j->err, r, "close descriptors") : 0;
}

/*
 * As root of the box, since an image's may be closed to its user (/root), as with Docker; where
 * root is the one who is refused, as on NFS, the user tries again.
 */
static int step_directory_as_root(struct job *j)
{
        j->in_directory = chdir(j->p.cwd[0] ? j->p.cwd : "/") == 0;
        return 0;
}

static int step_directory(struct job *j)
{
        const char *cwd = j->p.cwd[0] ? j->p.cwd : "/";
        char now[4096];

        (void)umask(j->p.umask);
        if (!j->in_directory && chdir(cwd) < 0) {
                int r = -errno;

                (void)error_set(&j->err, r, "enter the working directory '%s'", cwd);
                error_kind(&j->err, COFFER_ERROR_NOT_EXECUTABLE);
                error_hint(&j->err, r == -EACCES
                                            ? "choose another with -w, or another user with -u"
                                            : "create it in the image, or choose another with -w");
                return r;
        }
        /* "(unreachable)/…" when some descriptor led out of the root (CVE-2024-21626). */
        if (!getcwd(now, sizeof(now)) || now[0] != '/') {
                (void)error_say(&j->err, -EXDEV, COFFER_ERROR_CONTROL,
                                "the working directory '%s' is not inside the box", cwd);
                error_hint(&j->err, "name a directory of the box with -w");
                return -EXDEV;
        }
        return 0;
}

static int step_no_new_privs(struct job *j)
{
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(&j->err, -errno, "set no_new_privs");
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return error_say(&j->err, -EPERM, COFFER_ERROR_CONTROL,
                                 "no_new_privs did not stay");
        return 0;
}

static int step_reaper(struct job *j)
{
        int r = j->p.flags & PROCESS_REAPER ? reaper_run((j->p.flags & PROCESS_TTY) != 0) : 0;

        return r < 0 ? error_set(&j->err, r, "start the reaper") : 0;
}

static int step_seccomp(struct job *j)
{
        int r = seccomp_install(j->in->setup.bpf.data, j->in->setup.bpf.size, &j->err);

        if (r < 0)
                return r;
        /* A sandbox around us may say "done" and do nothing.  Only our filter refuses this one. */
        if (personality(READ_IMPLIES_EXEC) >= 0 || errno != EPERM)
                return error_say(&j->err, -EPERM, COFFER_ERROR_CONTROL,
                                 "seccomp: the filter was installed and does not filter");
        return 0;
}

/* ------------------------------------------------------------------------------- the end */

/* As execvp(3): an EACCES on the way is told only when nothing better came. */
static int exec_by_path(char **argv, char **env, const char *path)
{
        char candidate[4096];
        int denied = 0;

        while (*path != '\0') {
                size_t n = strcspn(path, ":");
                int w = snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)n, path,
                                 n ? "/" : "", argv[0]);

                if (w > 0 && (size_t)w < sizeof(candidate)) {
                        (void)execve(candidate, argv, env);
                        if (errno == EACCES)
                                denied = 1;
                        else if (errno != ENOENT && errno != ENOTDIR)
                                return -errno;
                }
                path += n;
                path += *path == ':';
        }
        return denied ? -EACCES : -ENOENT;
}

static void hint_why_not_run(struct coffer_error *err, int code, bool by_path)
{
        if (code == -ENOENT)
                error_hint(err, by_path ? "the file, or the interpreter it names, is not in the box"
                                        : "it is in no directory of the box's PATH");
        else if (code == -ENOTDIR)
                error_hint(err, "what stands before the last slash is a file");
        else if (code == -EACCES)
                error_hint(err, "it is a directory, or a file that the box's user may not execute; "
                                "see chmod +x");
        else if (code == -ENOEXEC)
                error_hint(err, "a script needs a first line like #!/bin/sh; or a binary is for "
                                "another architecture");
        else if (code == -E2BIG)
                error_hint(err, "pass what is large in a file: -v FILE:/mnt/file:ro");
        else if (code == -EPERM)
                error_hint(err, "a control of the box forbids it, see coffer inspect --posture");
        else if (code == -ELOOP)
                error_hint(err, "the symlinks, or the interpreters, lead to each other");
        else if (code == -EAGAIN)
                error_hint(err, "the box is at its process limit (--pids-limit)");
}

static int start_program(struct job *j)
{
        char **argv = j->p.argv.items;
        char **env = j->p.env.items;
        char *no_env[] = {NULL};
        const char *path = strv_get(&j->p.env, "PATH");
        int r;

        if (!env)
                env = no_env;
        if (j->p.flags & PROCESS_BUILTIN) {
                (void)close(j->socket_fd);
                builtin_run(argv);
        }
        if (strchr(argv[0], '/')) {
                (void)execve(argv[0], argv, env);
                r = -errno;
        } else {
                r = exec_by_path(argv, env, path ? path : "/usr/local/bin:/usr/bin:/bin");
        }
        (void)error_set(&j->err, r, "run '%s'", argv[0]);
        error_kind(&j->err, r == -ENOENT || r == -ENOTDIR ? COFFER_ERROR_NOT_FOUND
                                                          : COFFER_ERROR_NOT_EXECUTABLE);
        hint_why_not_run(&j->err, r, strchr(argv[0], '/') != NULL);
        return r;
}

/* One row per step, in the order they happen; the posture's word for what it enforces. */
static const struct {
        const char *control;
        int (*run)(struct job *j);
} steps[] = {
        {"user",            step_user             },
        {"stdio",           step_stdio            },
        {"session",         step_session          },
        {"descriptors",     step_close            }, /* before any path can lead through one */
        {"groups",          step_groups           },
        {"bounding-set",    step_bounding         },
        {"securebits",      step_securebits       },
        {"directory first", step_directory_as_root},
        {"ids",             step_ids              },
        {"capabilities",    step_capabilities     },
        {"rlimits",         step_rlimits          },
        {"directory",       step_directory        },
        {"no-new-privs",    step_no_new_privs     },
        {"seccomp",         step_seccomp          }, /* Landlock: the stem's domain, by inheritance */
        {"reaper",          step_reaper           },
        {"execve",          start_program         },
};
FAULT_STEPS(main, "step", steps, control);
FAULT_STEPS(exec, "step", steps, control);

/* Static: a process has one, and it is large.  One that shares the stem's memory has the stem's. */
static struct job job;

static _Noreturn void run(struct job *j)
{
        sigset_t none;
        int r;

        fault_process(j->is_main ? "main" : "exec", true);
        /* The supervisor blocks SIGCHLD; launch.c saw to it that nothing is ignored. */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        r = enter(j);
        if (r == 0 && !j->heard)
                r = hear_job(j);
        for (size_t i = 0; r == 0 && i < ELEMENTS(steps); i++) {
                r = fault_step(&j->err, "step", steps[i].control);
                if (r == 0)
                        r = steps[i].run(j);
        }
        (void)channel_send_error(j->socket_fd, 0, &j->err, -1);
        _exit(j->err.kind == COFFER_ERROR_NOT_FOUND        ? EXIT_NOT_FOUND
              : j->err.kind == COFFER_ERROR_NOT_EXECUTABLE ? EXIT_NOT_EXECUTABLE
                                                           : EXIT_COFFER);
}

_Noreturn void workload_run(const struct inside *in, bool is_main, int socket_fd)
{
        job = (struct job){.in = in, .is_main = is_main, .socket_fd = socket_fd};
        run(&job);
}

int workload_hear(const struct inside *in, int socket_fd, struct coffer_error *err)
{
        int r;

        job = (struct job){.in = in, .socket_fd = socket_fd, .heard = true};
        r = hear_job(&job);
        if (r < 0 && err)
                *err = job.err;
        return r;
}

bool workload_may_share(const struct known_user *known)
{
        if (job.p.flags & (PROCESS_BUILTIN | PROCESS_REAPER) ||
            !user_is_known(known, job.p.user, &job.p.groups))
                return false;
        job.user = known->user;
        job.user_is_known = true;
        /* Here, since the box may kill the process at any time: our heap is not left half-way. */
        return set_home(&job) == 0;
}

_Noreturn void workload_go_on(void)
{
        run(&job);
}

void workload_forget(void)
{
        wire_release(&msg_process_table, &job.p);
}
