/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "proto/wire.h"

/*
 * Every message between our programs.  Frame: the header below, little-endian, then the payload.
 * "C" client (libcoffer), "S" shim, "I" coffer-init.  Descriptors travel with a frame by
 * SCM_RIGHTS; which ones is said at the row.
 */

#define PROTO_MAJOR             1
#define PROTO_MINOR             1
#define PROTO_PAYLOAD_MAX       (1024 * 1024)
#define PROTO_FDS_MAX           128
#define PROTO_NONCE_BYTES       16
#define PROTO_NONCE_ASKED_BYTES 8 /* the part of it that a client shows; the rest is answered */

struct proto_header {
        uint32_t length; /* of the payload */
        uint16_t type;   /* enum proto_type */
        uint16_t flags;  /* 0; kept for the vm engine's streams */
        uint32_t stream; /* which process: 0 main, else the number of an exec (S<->I) */
        uint32_t sequence;
};

/*
 * Types below 16 are frozen: they never change while PROTO_MAJOR may, so that any client can
 * list, inspect, stop, kill and remove a box of any version.
 */
enum proto_type {
        PROTO_HELLO = 1,  /* both ways, first frame: struct msg_hello */
        PROTO_ERROR = 2,  /* answer: struct msg_error */
        PROTO_OK = 3,     /* answer without a payload */
        PROTO_INFO = 4,   /* C->S no payload; S->C struct msg_info */
        PROTO_SIGNAL = 5, /* C->S, S->I: struct msg_signal; C->S is answered OK or ERROR; S->I is
                           * for all of an exec's process group, which is to go with it */
        PROTO_STOP = 6,   /* C->S: struct msg_stop; answered by EXITED when the box is gone */
        PROTO_WAIT = 7,   /* C->S no payload: EXITED will come when main ends */
        PROTO_EXITED = 8, /* S->C, I->S: struct msg_exited */

        PROTO_START = 16,   /* C->S on the launch socket: struct msg_start; fds: box directory,
                               coffer-init */
        PROTO_STARTED = 17, /* S->C answer to START and EXEC, I->S answer to SPAWN: struct
                             * msg_started; fds: see enum proto_stdio */
        PROTO_EXEC = 18,    /* C->S: struct msg_process; answered STARTED or ERROR, later EXITED */
        PROTO_ATTACH = 19,  /* C->S: struct msg_attach; answered STARTED, later EXITED */
        PROTO_RESIZE = 20,  /* C->S: struct msg_resize, of main's terminal */
        PROTO_DETACH = 21,  /* C->S no payload: the exec of this connection lives on without it, or
                             * the owner of a foreground box leaves it running; answered OK */
        PROTO_PAUSE = 24,   /* C->S no payload (minor 1); answered OK or ERROR */
        PROTO_UNPAUSE = 25, /* C->S no payload (minor 1); answered OK or ERROR */
        PROTO_UPDATE = 26,  /* C->S: struct msg_update (minor 1); answered OK or ERROR */

        PROTO_SETUP =
                32, /* S->I: struct msg_setup; fds: one per source marked fd, then coffer's own */
        PROTO_READY = 33, /* I->S: struct msg_ready: the root is built, the stem is confined; fds:
                             pidfd of main, and the mount of coffer-init if it came along */
        PROTO_SPAWN = 34, /* S->I: struct msg_process; answered STARTED or ERROR, later EXITED */
        PROTO_PLACE =
                35, /* I->S no payload; fd: pidfd of a waiting process; answered OK or ERROR */
};

/*
 * Which descriptors come with STARTED, in this order, bit set means present.  They are the far
 * ends: pipes made inside the box, or the master of a terminal made in the box's devpts.
 *
 * A client gets the master itself for an exec with a terminal.  Main's output also goes to its
 * log, so START and ATTACH always give pipes, of the shim; with a terminal STDOUT carries
 * everything and RESIZE sets the size.
 */
enum proto_stdio {
        PROTO_STDIN = 1,
        PROTO_STDOUT = 2,
        PROTO_STDERR = 4,
        PROTO_TTY = 8, /* instead of the three */
};

struct msg_hello {
        uint32_t major;
        uint32_t minor;
        char *version; /* of coffer, for people */
        char *box_id;
        struct buf
                nonce; /* PROTO_NONCE_BYTES; from a client that asks at once, the first of them */
};

struct msg_error {
        uint32_t code; /* a positive errno */
        uint32_t kind; /* enum coffer_error_kind */
        char *msg;
        char *hint;
};

struct msg_info {
        char *state;       /* a word of the box states */
        uint32_t main_pid; /* in the host's PID namespace; 0 when main does not run */
        uint32_t exec_count;
        struct strv posture; /* as in struct msg_ready */
};

struct msg_signal {
        uint32_t signal;
};

struct msg_stop {
        uint32_t signal;   /* 0: the box's own */
        uint32_t grace_ms; /* UINT32_MAX: the box's own */
};

struct msg_exited {
        uint32_t status; /* 0 to 255, or 128 + signal */
        uint32_t oom_killed;
        uint32_t timed_out; /* --timeout ended it */
        char *reason;       /* "" or why the box failed: "supervisor died" */
};

enum proto_start_flags {
        START_FOREGROUND = 1, /* the box ends when this connection does */
        START_REMOVE = 2,     /* --rm */
        START_STDIN_ONCE = 4, /* stdin closes when the first attached client leaves */
        START_NO_MAIN_LOG =
                8, /* a helper run (cp, export of a stopped box): output only to the client */
        START_HELPER = 16, /* not a run of the box: state.json stays as it was */
        START_HELD = 32,   /* a control may be missing: main waits until that is written down */
        START_AUDIT_BEST_EFFORT = 64, /* go on when the audit log cannot be written */
};

/*
 * How ids of the box map to ids of the host.  Box ids 0 … count-1; the supervisor's id is count.
 * As root: host = base + id.  As a user: 0 is the caller, the rest his subordinate range.
 */
struct msg_idmap {
        uint32_t kind;     /* enum idmap_kind of sandbox/userns.h */
        uint32_t uid_base; /* root: base of the range; user: first subordinate uid */
        uint32_t gid_base;
        uint32_t count;          /* ids of the box, 0 included; 1 for a single-id map */
        uint32_t supervisor_uid; /* host id, or 0: none, the supervisor shares box root's id */
        uint32_t supervisor_gid;
};

struct msg_limits {
        uint64_t memory_bytes; /* 0: no limit */
        uint64_t cpu_millis;   /* thousandths of a cpu; 0: no limit */
        uint64_t pids_max;     /* 0: no limit asked */
};

/* Where a mount comes from.  Opened by the shim when it is root, else by coffer-init. */
enum proto_source_flags {
        SOURCE_READ_ONLY = 1,
        SOURCE_RECURSIVE = 2,
        SOURCE_IDMAP_BOX = 4,   /* ids on disk are host ids 0 … : the box sees them as its own */
        SOURCE_IDMAP_STORE = 8, /* ids on disk lie in the store's range */
        SOURCE_IDMAP_OPTIONAL = 16, /* where the file system cannot, its ids show as nobody */
};

struct msg_source {
        char *path; /* absolute, canonical; symlinks in it are refused */
        uint32_t flags;
        uint32_t store_base; /* for SOURCE_IDMAP_STORE: first host id of the store */
};

/* One step of building the root; see sandbox/mount.h for what each does with its fields. */
struct msg_mount_op {
        uint32_t kind;   /* enum mount_op_kind */
        uint32_t source; /* index into msg_setup.sources, for those that have one */
        char *target;    /* beneath the new root */
        char *data;      /* options, file content, link text */
        uint64_t flags;  /* MOUNT_ATTR_*, or a mode */
};

struct msg_rlimit {
        uint32_t resource;
        uint64_t soft;
        uint64_t hard;
};

/* Counted by msg_setup.processes_max besides the box's: the supervisor and the stem. */
#define SETUP_OWN_PROCESSES 2

struct msg_setup {
        struct wire_list sources;  /* struct msg_source */
        struct wire_list ops;      /* struct msg_mount_op, in order */
        struct strv overlay_lower; /* indices of sources as decimal text, uppermost first */
        uint32_t overlay_upper;    /* index of the source that holds upper/ and work/ */
        uint32_t overlay_volatile;
        uint32_t root_read_only;
        char *hostname;
        uint32_t processes_max; /* RLIMIT_NPROC over all ids of the box */
        struct buf bpf;         /* struct sock_filter[] for every workload process */
        uint32_t id_count;      /* as msg_idmap.count */
        uint32_t inner_uid; /* the box id that outer id 0 is: 0, or in a host box the caller's */
        uint32_t inner_gid;
        uint32_t place_processes;    /* ask with PLACE before main is cloned (cgroup limits) */
        uint32_t supervisor_outside; /* the supervisor has an id outside the workloads' map */
        struct strv allow_degraded;
};

enum proto_process_flags {
        PROCESS_TTY = 1,
        PROCESS_STDIN = 2,    /* stdin is a pipe; else /dev/null */
        PROCESS_REAPER = 4,   /* --init: a reaper runs before it as PID 1 */
        PROCESS_DETACHED = 8, /* exec -d: output goes nowhere, ends with the box only */
        PROCESS_BUILTIN = 16, /* argv[0] names a builtin of coffer-init: tar-out, tar-in */
};

struct msg_process {
        uint32_t flags;
        struct strv argv;
        struct strv env;
        char *cwd;
        char *user;               /* as -u: "", name, uid, user:group */
        struct strv groups;       /* supplementary: names or numbers (--group-add) */
        uint64_t caps_root;       /* set for uid 0 */
        uint64_t caps_user;       /* set for any other id */
        struct wire_list rlimits; /* struct msg_rlimit */
        uint32_t rows;
        uint32_t cols;
        uint32_t timeout_ms; /* --timeout; 0: none */
        uint32_t umask;
};

/* How the shim finds out whether the box is well; no argv: not at all. */
struct msg_health {
        struct strv argv; /* run as main is: its user, directory, environment and limits */
        uint32_t interval_ms;
        uint32_t timeout_ms;
        uint32_t start_period_ms;
        uint32_t start_interval_ms;
        uint32_t retries;
};

struct msg_start {
        uint32_t flags; /* enum proto_start_flags */
        struct msg_idmap idmap;
        struct msg_limits limits;
        uint32_t stop_signal;
        uint32_t stop_grace_ms;
        uint64_t log_max_bytes; /* per file */
        uint32_t log_files;
        struct buf setup;   /* an encoded struct msg_setup, handed on as it is */
        struct buf process; /* an encoded struct msg_process */
        char *created_by;   /* coffer's version */
        uint32_t attach;    /* enum proto_stdio: which streams the client wants */
        char *name;         /* for logs and events */
        struct strv labels;
        char *image;
        uint64_t created_ns;      /* when the box was made, nanoseconds since 1970 */
        struct msg_health health; /* since 1.1 */
        uint32_t restart;         /* enum restart_kind of spec/restart.h; since 1.1 */
        uint32_t restart_max;     /* of on-failure; 0: without end */
        struct strv may_lack;     /* controls that --allow-degraded named */
};

struct msg_started {
        uint32_t pid;   /* in the host's PID namespace (S->C), in the outer one (I->S) */
        uint32_t stdio; /* enum proto_stdio: which descriptors came along */
};

struct msg_ready {
        struct strv posture; /* "control\tstate\tdetail" */
};

struct msg_attach {
        uint32_t stdio; /* enum proto_stdio wanted */
};

struct msg_resize {
        uint32_t rows;
        uint32_t cols;
};

/*
 * What an UPDATE is about: limits, and the restart policy.  One for a box that was started without
 * is answered -EUNATCH when the shim cannot follow it in this run, and then nothing was done.
 */
enum proto_update { UPDATE_MEMORY = 1, UPDATE_CPU = 2, UPDATE_PIDS = 4, UPDATE_RESTART = 8 };

struct msg_update {
        uint32_t which;        /* enum proto_update */
        uint64_t memory_bytes; /* 0: no limit; so the others */
        uint64_t cpu_millis;
        uint64_t pids_max;
        uint32_t restart; /* enum restart_kind */
        uint32_t restart_max;
};

extern const struct wire_table msg_hello_table, msg_error_table, msg_info_table, msg_signal_table,
        msg_stop_table, msg_exited_table, msg_start_table, msg_started_table, msg_ready_table,
        msg_attach_table, msg_resize_table, msg_setup_table, msg_process_table, msg_update_table;

/** proto_type_name() - "EXEC"; "?" for a number that is not in the table */
const char *proto_type_name(uint16_t type);
/** proto_table() - what a frame of @type carries; NULL when it carries nothing or is unknown */
const struct wire_table *proto_table(uint16_t type);
