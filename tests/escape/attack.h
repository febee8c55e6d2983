/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Attempts to get out of a box, or to reach from inside what does not belong to it.  Each is a row:
 * what is tried, what should refuse it, and with which answer.  A refusal proves something only
 * when the same attempt succeeds where the control is off, hence "setting" and "arrange": they say
 * how to make such a place for one throw-away process, with nothing of the host's changed.
 *
 * Attempts are harmless when they succeed: they open for writing without a write, pass arguments
 * that the kernel reads only after it has checked the caller's rights, or undo themselves with
 * their process.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* How an attempt ended: a negative errno (the kernel refused it), or one of these. */
enum {
        DONE = 0,    /* it worked: an escape; also ends a list of intended endings */
        HELD = 1,    /* looked, and what must not be there is not */
        NOTHING = 2, /* could not be tried */
        KILLED = 3,  /* the kernel killed the caller with SIGSYS */
        DIED = 4,    /* some other signal, or no answer in time */
};

/* Where an attempt has to succeed for its refusal to count. */
enum setting {
        PLAIN,       /* a child of the caller, nothing else changed */
        FRESH,       /* new namespaces with every capability, own /proc, empty /tmp */
        BY_THE_HOST, /* tried by tests/escape/run, from outside the box */
};

struct attempt {
        const struct attack *attack;
        int code;
        char detail[200];
};

struct attack {
        const char *name;
        const char *technique; /* a CVE or the name of the trick */
        const char *what;
        const char *control; /* what refuses it */
        int (*run)(struct attempt *a);
        const void *arg;
        enum setting setting;
        int (*arrange)(void); /* makes the place where it succeeds: 0 or negative errno */
        int intended[5];      /* endings that are right in a box; ends with DONE */
};

/* clang-format off */
/* A row: the fields of struct attack in their order, the intended endings last. */
#define ATTACK(name_, technique_, what_, control_, run_, arg_, setting_, arrange_, ...)       \
        {                                                                                     \
                .name = name_, .technique = technique_, .what = what_, .control = control_,   \
                .run = run_, .arg = arg_, .setting = setting_, .arrange = arrange_,           \
                .intended = {__VA_ARGS__}                                                     \
        }
/* clang-format on */

/* One per area; each ends with a row without a name. */
extern const struct attack devices_attacks[];
extern const struct attack files_attacks[];
extern const struct attack host_attacks[];
extern const struct attack ids_attacks[];
extern const struct attack kernel_attacks[];
extern const struct attack mounts_attacks[];
extern const struct attack namespaces_attacks[];
extern const struct attack net_attacks[];
extern const struct attack proc_attacks[];
extern const struct attack tty_attacks[];

/** attack_find() - the row of that name, or NULL */
const struct attack *attack_find(const char *name);

/** attack_each() - call @fn for every row in order; returns the sum of what it returned */
int attack_each(int (*fn)(const struct attack *attack));

/** attempt_say() - put down in words what was met; returns @code so that it can be returned */
int attempt_say(struct attempt *a, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/** attempt_intended() - is @code among the endings that @attack should have in a box? */
bool attempt_intended(const struct attack *attack, int code);

/**
 * attempt_make() - one attempt in a child of its own, with a time limit
 * @a:        attack is set; code and detail are filled in
 * @arranged: call the row's arrange() first
 */
void attempt_make(struct attempt *a, bool arranged);

/** attempt_prove() - the same where the control is off: DONE, or the code and words why not */
void attempt_prove(struct attempt *a);

/** ending_name() - "EPERM", "held", "SIGSYS", … */
const char *ending_name(int code);

/** fact() - what tests/escape/run knows and the box should not, ESCAPE_@name; NULL when absent */
const char *fact(const char *name);

/** fact_number() - the same as a number; -1 when absent */
long fact_number(const char *name);

/** in_a_box() - the runner says so and the PID namespace is not the host's; else @ret_why */
bool in_a_box(const char **ret_why);

/*
 * Many tries that count as one attempt.  The first that works ends it; else the first that ended
 * in a way the row does not intend is reported, so that no odd answer hides among the others.
 */
struct sweep {
        struct attempt *a;
        int code;
        size_t tries;
        bool odd;
};

#define SWEEP(attempt_)                       \
        {                                     \
                .a = (attempt_), .code = HELD \
        }

/** sweep_add() - note how one try on @what ended; true when it worked and the rest may be left */
bool sweep_add(struct sweep *s, int code, const char *what);

/** sweep_end() - the attempt's ending: HELD when there was nothing to try */
int sweep_end(struct sweep *s);

/**
 * walk() - visit everything below a directory, without following symlinks or leaving @depth
 * @top:   where to begin; visited itself only through its entries
 * @depth: how many directories deep
 * @visit: returns true to stop
 * @data:  handed to @visit
 *
 * Return: true when a visit stopped it.  At most WALK_MAX entries are visited.
 */
bool walk(const char *top, int depth, bool (*visit)(const char *path, mode_t mode, void *data),
          void *data);

#define WALK_MAX 200000

/** struct mount - one line of /proc/self/mountinfo */
struct mount {
        char point[512];
        char options[256];
        char optional[128]; /* shared:, master: and so on */
        char type[64];
};

/** mounts_read() - the mounts that the caller sees, newest last; how many, or negative errno */
int mounts_read(struct mount *mounts, size_t max);

#define MOUNTS_MAX 256

/** read_text() - the beginning of a small file, NUL-terminated: its length or negative errno */
ssize_t read_text(const char *path, char *text, size_t size);

/** status_field() - the value of "@name:" in /proc/self/status, 0, or -ENOENT */
int status_field(const char *name, char *value, size_t size);

/** open_and_close() - 0 when @path opens with @flags, else negative errno */
int open_and_close(const char *path, int flags);

/** hold_start() - run @path as @argv0, doing nothing until its parent dies; its pid or negative */
pid_t hold_start(const char *path, const char *argv0);

/** hold_fork() - the same by fork, as a process called @comm */
pid_t hold_fork(const char *comm);

/** copy_self() - a copy of this program, mode @mode; 0 or negative errno */
int copy_self(const char *path, mode_t mode);

/** struct call - a system call by number, for attempts that are nothing else */
struct call {
        long nr;
        long args[6];
        int reached[2]; /* errnos that mean: the kernel let it in and only the arguments are bad */
};

/* clang-format off */
#define CALL_ROW(id, nr_, reached_, or_reached_, ...)                                         \
        static const struct call id = {                                                       \
                .nr = nr_, .args = {__VA_ARGS__}, .reached = {reached_, or_reached_}          \
        }
/* clang-format on */

/** try_call() - the attempt of a row whose arg is a struct call */
int try_call(struct attempt *a);

/** try_read(), try_write() - the attempt of a row whose arg is a path */
int try_read(struct attempt *a);
int try_write(struct attempt *a);
