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
 * @lesson_fd:      where a forked process tells the stem what it read of its user; -1 without one
 * @bounding_stays: the bounding set cannot be cleared here, and the caller said that it may stay
 */
struct inside {
        struct msg_setup setup;
        int devpts_fd;
        int null_fd;
        int userns_fd;
        int exe_fd;
        int lesson_fd;
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
 * stem_ask_exec() - ask for a further process, cloned into main's namespaces
 * @stem_fd:   from stem_start()
 * @socket_fd: of the process; borrowed
 * @early:     what it is to run lies in the socket, whole
 *
 * Return: 0, or a negative errno.
 */
int stem_ask_exec(int stem_fd, int socket_fd, bool early);

/**
 * stem_answer() - the next answer, in the order of the questions
 *
 * Return: 0; -EAGAIN: none yet; -ECHILD: the stem is dead; or why there is no process, with words:
 * -ESRCH when main is dead (the kernel says ENOMEM then).
 */
int stem_answer(int stem_fd, pid_t *ret_pid, struct coffer_error *err);

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

struct known_user;

/**
 * workload_hear() - the same by halves: hear what an exec is to run, in the stem
 *
 * Context: SPAWN lies in the socket.  Released with workload_forget() by whoever goes on.
 */
int workload_hear(const struct inside *in, int socket_fd, struct coffer_error *err);

/**
 * workload_may_share() - may this process run in the stem's memory until its execve()?
 * @known: who a process was found to be before
 *
 * It may when it reads nothing foreign on its way: user and groups are known, and it executes.
 */
bool workload_may_share(const struct known_user *known);

/** workload_go_on() - be what was heard */
_Noreturn void workload_go_on(void);
void workload_forget(void);

/* ------------------------------------------------------------------------------- user.c */

#define USER_GROUPS_MAX 256
#define USER_TEXT_MAX   256

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

/** struct file_stamp - which file it was, and which content; all zero: there was none */
struct file_stamp {
        uint64_t dev;
        uint64_t ino;
        uint64_t size;
        int64_t changed_ns;
};

enum { USER_PASSWD, USER_GROUP, USER_FILES };

/**
 * struct known_user - what a text was found to mean, and in which files
 * @text: as of user_resolve(), without further groups
 */
struct known_user {
        char text[USER_TEXT_MAX];
        struct file_stamp files[USER_FILES];
        struct user user;
};

/**
 * user_resolve() - read the box's /etc/passwd and /etc/group
 * @text:      "", "name", "uid", "name:group", … as docker run --user
 * @groups:    further supplementary groups, names or numbers
 * @ret_user:  who that is
 * @ret_files: which files were read
 * @err:       words
 *
 * Context: in the box, already confined to its root; the files are foreign.
 */
int user_resolve(const char *text, const struct strv *groups, struct user *ret_user,
                 struct file_stamp ret_files[USER_FILES], struct coffer_error *err);

/** user_make_known() - false when it cannot be: too long, or a file has just been written */
bool user_make_known(const char *text, const struct user *user,
                     const struct file_stamp files[USER_FILES], struct known_user *ret_known);

/** user_is_known() - do text and files still say the same?  Looks at the files and reads none */
bool user_is_known(const struct known_user *known, const char *text, const struct strv *groups);

/** user_check_known() - is what came over a socket a struct known_user? */
bool user_check_known(const struct known_user *known, size_t size);

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
