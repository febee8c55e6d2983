/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>
#include <stdbool.h>
#include <sys/types.h>

#include "proto/messages.h"

/*
 * coffer-init, from the outside in:
 *
 *   main.c      the supervisor, PID 1 of the outer PID namespace: builds the root, then serves
 *   stem.c      the process from which main and every exec are cloned (one Landlock domain)
 *   workload.c  what a cloned process does until execve(): the confinement, a table of steps
 *   user.c      who a process is to be, from the box's own passwd and group
 *   stdio.c     its pipes or terminal
 *   reaper.c    --init: PID 1 before main
 *   builtin-*.c programs of coffer's own that run as a process of the box
 */

#define INIT_SOCKET_FD 3 /* to the shim */
#define INIT_EXE_FD    4 /* a mount of this program, if it was made inside; goes back with READY */

/**
 * struct inside - what every process cloned from the stem inherits from the supervisor
 * @setup:          as received
 * @devpts_fd:      the box's devpts, -1 for none
 * @null_fd:        /dev/null, read-write
 * @userns_fd:      the inner user namespace; -1 in main, which makes it
 * @exe_fd:         INIT_EXE_FD, or -1
 * @bounding_stays: the bounding set cannot be cleared here, and the caller said that it may stay
 */
struct inside {
        struct msg_setup setup;
        int devpts_fd;
        int null_fd;
        int userns_fd;
        int exe_fd;
        bool bounding_stays;
};

/* ------------------------------------------------------------------------------- stem.c */

/**
 * stem_start() - fork the stem, which gives up its rights while the root is being built
 * @in:      inherited by what it clones
 * @ret_fd:  socket for the calls below
 * @ret_pid: the stem, for reaping
 */
int stem_start(const struct inside *in, int *ret_fd, pid_t *ret_pid, struct coffer_error *err);

/**
 * stem_clone_main() - have it enter its Landlock domain and clone main, in a new PID namespace
 * @stem_fd:    from stem_start()
 * @in:         its devpts_fd and null_fd are handed over
 * @ruleset_fd: the domain; -1 when the box was allowed to run without
 * @socket_fd:  main's socket: there it awaits SPAWN; borrowed
 * @ret_pid:    in the supervisor's PID namespace; main is a child of the supervisor
 */
int stem_clone_main(int stem_fd, const struct inside *in, int ruleset_fd, int socket_fd,
                    pid_t *ret_pid, struct coffer_error *err);

/**
 * stem_clone_exec() - have a further process cloned into main's namespaces
 *
 * Return: 0, -ESRCH when main is dead (the kernel says ENOMEM then), or another negative errno.
 */
int stem_clone_exec(int stem_fd, int socket_fd, pid_t *ret_pid);

/** stem_enter() - tell the stem main's namespaces; unanswered: the first exec tells */
int stem_enter(int stem_fd, int pidns_fd, int userns_fd);

/* --------------------------------------------------------------------------- workload.c */

/**
 * workload_run() - become what a SPAWN frame says
 * @in:        by inheritance
 * @is_main:   PID 1 of the inner PID namespace: makes procfs and the inner user namespace first
 * @socket_fd: to the supervisor.  Main sends its procfs (READY with one descriptor) and awaits
 *             OK twice; then everybody awaits SPAWN, sends STARTED with the far ends of its stdio,
 *             and either ERROR or nothing more
 */
_Noreturn void workload_run(const struct inside *in, bool is_main, int socket_fd);

/* ------------------------------------------------------------------------------- user.c */

#define USER_GROUPS_MAX 256

/**
 * struct user - who a process is to be
 * @home: from the box's passwd, "/" when it has no line there
 */
struct user {
        uid_t uid;
        gid_t gid;
        gid_t groups[USER_GROUPS_MAX];
        size_t group_count;
        char home[1024];
};

/**
 * user_resolve() - read the box's /etc/passwd and /etc/group
 * @text:   "", "name", "uid", "name:group", … as docker run --user
 * @groups: further supplementary groups, names or numbers
 *
 * Context: in the box, already confined to its root; the files are foreign.
 */
int user_resolve(const char *text, const struct strv *groups, struct user *ret_user,
                 struct coffer_error *err);

/** user_resolve_text() - the same with the two files given as text (for tests and fuzzing) */
int user_resolve_text(const char *text, const struct strv *groups, const char *passwd,
                      const char *group, struct user *ret_user, struct coffer_error *err);

/* ------------------------------------------------------------------------------ stdio.c */

/**
 * struct stdio - the standard descriptors of a process, and their far ends
 * @near: what becomes 0, 1, 2
 * @far:  what goes to the client, in the order of enum proto_stdio
 * @mask: enum proto_stdio of @far
 */
struct stdio {
        int near[3];
        int far[3];
        size_t far_count;
        uint32_t mask;
        bool tty;
};

/** stdio_make() - pipes or a terminal of the box's devpts, owned by @uid and @gid */
int stdio_make(const struct inside *in, const struct msg_process *p, uid_t uid, gid_t gid,
               struct stdio *ret_stdio, struct coffer_error *err);
/** stdio_install() - make them 0, 1 and 2, and the controlling terminal */
int stdio_install(struct stdio *s, struct coffer_error *err);

/* ----------------------------------------------------------------------------- reaper.c */

/**
 * reaper_run() - fork; the child returns, the parent reaps until the child ends and exits like it
 * @tty: hand the terminal to the child
 *
 * Return: 0 in the child, or a negative errno.
 */
int reaper_run(bool tty);

/* ---------------------------------------------------------------------------- builtin.c */

/** builtin_exists() - is this the name of a program of coffer's own? */
bool builtin_exists(const char *name);
/** builtin_run() - run it with stdin and stdout; never returns */
_Noreturn void builtin_run(char *const *argv);
