/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What of a posture can be seen from outside, in /proc and in the cgroups, while the box runs. Each
 * control was read back by whoever enforced it, before main was executed; this looks once more,
 * from somebody whom the box cannot have talked into anything.
 */

/** struct posture_process - what /proc/PID/status says; all zero when it could not be read */
struct posture_process {
        bool known;
        pid_t parent;
        unsigned pid_namespaces; /* in how many it has a number, as seen from here */
        pid_t innermost;         /* its number in the last of them */
        unsigned seccomp;        /* 2: filters */
        bool no_new_privs;
        uint64_t inheritable, effective, bounding, ambient;
};

/* Of namespaces: which are not the reader's. */
enum posture_namespace {
        POSTURE_USER,
        POSTURE_PID,
        POSTURE_NET,
        POSTURE_MOUNT,
        POSTURE_NAMESPACES
};
enum posture_answer { POSTURE_UNKNOWN, POSTURE_NO, POSTURE_YES };

/**
 * struct posture_facts - what was found of one box
 * @main:         its main process
 * @supervisor:   main's parent
 * @own:          has main a namespace of its own?
 * @host_root:    is root of the host among the box's ids?
 * @other_links:  has it an interface besides lo?
 * @caps_max:     what a process of the box may hold at most
 * @memory_asked: the limit that it should have, in bytes; 0: none
 * @memory_max:   the limit that its cgroup has; 0: could not be read
 */
struct posture_facts {
        struct posture_process main;
        struct posture_process supervisor;
        enum posture_answer own[POSTURE_NAMESPACES];
        enum posture_answer host_root;
        enum posture_answer other_links;
        uint64_t caps_max;
        uint64_t memory_asked;
        uint64_t memory_max;
};

/** posture_gather() - look; fills all that was not given: what was asked for, and may be held
 * @main_pid: in the PID namespace of /proc
 * @box_id:   names the cgroup
 * @facts:    written
 */
void posture_gather(pid_t main_pid, const char *box_id, struct posture_facts *facts);

/** posture_parse_status() - of the text of /proc/PID/status */
void posture_parse_status(const char *text, struct posture_process *ret);

/**
 * posture_verify() - does a control hold, as far as can be seen?
 * @control: its name
 * @facts:   of the box
 * @to:      what was seen, "" when nothing can be; always terminated
 * @size:    of @to
 *
 * Return: POSTURE_YES, POSTURE_NO, or POSTURE_UNKNOWN where nothing can be seen from outside.
 */
enum posture_answer posture_verify(const char *control, const struct posture_facts *facts, char *to,
                                   size_t size);
