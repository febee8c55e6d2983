/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

struct buf;
struct coffer_error;

/*
 * What a box should be.  A spec is filled by spec_set() (every flag of the command line and
 * coffer_spec_set() go through it), completed with what the image says, and kept as an OCI
 * runtime configuration.  In order:
 *
 *      spec_init(), spec_set() …, spec_apply_image(), spec_complete(), spec_validate(),
 *      spec_to_json()
 *
 * Strings are NULL when not given.
 */

#define SPEC_ARG_MAX_BYTES      (128 * 1024 - 1) /* of one argument or variable: MAX_ARG_STRLEN */
#define SPEC_ARGS_MAX_BYTES     (1024 * 1024)    /* of all arguments, their NULs counted */
#define SPEC_ENV_MAX_BYTES      (1024 * 1024)    /* of all variables, their NULs counted */
#define SPEC_LABELS_MAX_BYTES   (256 * 1024)     /* of all labels, their NULs counted */
#define SPEC_ENV_MAX            16384            /* variables */
#define SPEC_MOUNTS_MAX         512
#define SPEC_LIST_MAX           1024 /* entries of any other repeatable option */
#define SPEC_PATH_MAX           4095
#define SPEC_NAME_MAX           128 /* characters of a box's or volume's name */
#define SPEC_HOSTNAME_MAX       64
#define SPEC_JSON_MAX_BYTES     (16 * 1024 * 1024)
#define SPEC_UNLIMITED          UINT64_MAX
#define SPEC_DURATION_MAX_MS    (UINT32_MAX - 1) /* 49 days; what -1 ("for ever") becomes */
#define SPEC_GRACE_DEFAULT_MS   10000
#define SPEC_SHM_DEFAULT_BYTES  (64ULL * 1024 * 1024)
#define SPEC_MEMORY_MIN_BYTES   (6ULL * 1024 * 1024) /* as Docker */
#define SPEC_LOG_MAX_BYTES      (16ULL * 1024 * 1024)
#define SPEC_LOG_FILES          3
#define SPEC_HEALTH_INTERVAL_MS 30000 /* these five as Docker's */
#define SPEC_HEALTH_TIMEOUT_MS  30000
#define SPEC_HEALTH_START_MS    0    /* the start period */
#define SPEC_HEALTH_STEP_MS     5000 /* between probes during it */
#define SPEC_HEALTH_RETRIES     3
#define SPEC_PATH_DEFAULT       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum spec_mount_kind {
        SPEC_BIND,
        SPEC_VOLUME,
        SPEC_TMPFS,
};

/**
 * struct spec_mount - one mount that was asked for; always nosuid and nodev
 * @kind:       what is mounted
 * @source:     owned.  Bind: a host path that begins with "/" or "."; the library makes it
 *              absolute before spec_to_json().  Volume: its name, or NULL for one made for this
 *              box.  Tmpfs: NULL.
 * @target:     owned; absolute, without "..", "." and double slashes
 * @read_only:  nothing may be written
 * @no_exec:    nothing may be executed; the default of a tmpfs
 * @no_copy:    volume: do not fill an empty one with what the image has at @target
 * @from_image: volume: the image declared it, nobody asked for it
 * @size_bytes: tmpfs: at most this; 0 leaves it to the kernel (half of the memory)
 * @inodes:     tmpfs: at most this many files; 0 leaves it to the kernel
 * @mode:       tmpfs: of its root directory, 01777 unless given
 * @uid:        tmpfs: owner of its root directory, an id of the box
 * @gid:        tmpfs: group of its root directory, an id of the box
 */
struct spec_mount {
        enum spec_mount_kind kind;
        char *source; /* owned */
        char *target; /* owned */
        bool read_only;
        bool no_exec;
        bool no_copy;
        bool from_image;
        uint64_t size_bytes;
        uint64_t inodes;
        uint32_t mode;
        uint32_t uid;
        uint32_t gid;
};

struct spec_mounts {
        struct spec_mount *items; /* owned */
        size_t count;
};

/**
 * struct spec_ulimit - one resource limit
 * @resource: RLIMIT_*
 * @soft:     SPEC_UNLIMITED equals RLIM_INFINITY
 * @hard:     as @soft, and not below it
 */
struct spec_ulimit {
        uint32_t resource;
        uint64_t soft;
        uint64_t hard;
};

#define SPEC_ULIMITS_MAX 16 /* there are no more resources than this */

struct spec_ulimits {
        struct spec_ulimit items[SPEC_ULIMITS_MAX];
        size_t count;
};

enum spec_here {
        SPEC_HERE_OFF,
        SPEC_HERE_RW,
        SPEC_HERE_RO,
};

/* The door is not built yet: a box has no interface but loopback. */
enum spec_network {
        SPEC_NETWORK_NONE,
};

/**
 * struct spec_entrypoint - what runs before the arguments
 * @set:  given; the image's entrypoint and command are then not used, even when @argv is empty
 * @argv: owned
 */
struct spec_entrypoint {
        bool set;
        struct strv argv; /* owned */
};

/**
 * struct spec_health - how to find out whether the box does its work
 * @test:              owned; as in Docker's images: "CMD" and an argv, or "CMD-SHELL" and a text
 * for
 *                     @shell; empty: not given
 * @shell:             owned; what the image wants texts to be run by; empty: /bin/sh -c
 * @interval_ms:       between the end of a probe and the next; 0 in this and what follows: not
 *                     given, SPEC_HEALTH_* applies
 * @timeout_ms:        how long a probe may take
 * @start_period_ms:   how long failures are no failures
 * @start_interval_ms: as @interval_ms, during the start period
 * @retries:           how many failures in a row make the box unhealthy
 * @off:               no probes, whatever the image says
 */
struct spec_health {
        struct strv test;  /* owned */
        struct strv shell; /* owned */
        uint32_t interval_ms;
        uint32_t timeout_ms;
        uint32_t start_period_ms;
        uint32_t start_interval_ms;
        uint32_t retries;
        bool off;
};

/**
 * struct spec - everything that was asked for
 * @image:          owned; the reference as given
 * @image_id:       owned; digest of the image's configuration; NULL for host and dir:; the
 *                  library fills it, so that a later start does not follow a tag that moved
 * @layers:         owned; diff-ids, lowest first; filled as @image_id
 * @entrypoint:     see above
 * @args:           owned; what follows the image, else the image's command; main's arguments are
 *                  @entrypoint and then these: spec_argv()
 * @env:            owned; "NAME=value", no name twice
 * @workdir:        owned; absolute
 * @user:           owned; "name", "uid", "name:group", …; as given
 * @group_add:      owned; names or numbers
 * @hostname:       owned; the box's id unless given
 * @name:           owned; as given at creation (it may change later, elsewhere)
 * @labels:         owned; "key=value", no key twice (they may change later, elsewhere)
 * @mounts:         owned; sorted by spec_complete() so that a parent comes before its children
 * @ulimits:        no resource twice
 * @cap_add:        owned; "CAP_CHOWN", … or "ALL"; spec_caps_root() in caps.h sums them up
 * @cap_drop:       owned; likewise
 * @add_host:       owned; "name:address", the address without brackets
 * @health:         see above
 * @allow_degraded: owned; names of controls, or of groups of them
 * @require:        owned; likewise
 * @restart:        owned; as restart_format() writes it, NULL for no (it may change later,
 *                  elsewhere)
 * @audit:          owned; "best-effort": go on when the audit log cannot be written; NULL: no
 *                  process is started then
 * @here_dir:       owned; the directory for @here; NULL until the library fills in the caller's
 * @created_by:     owned; coffer's version
 * @memory_bytes:   0: no limit
 * @cpu_millis:     thousandths of a cpu; 0: no limit
 * @pids_max:       0: not given, the default applies; SPEC_UNLIMITED: none at all
 * @shm_bytes:      size of /dev/shm
 * @log_max_bytes:  of one log file
 * @log_files:      how many of them
 * @stop_signal:    0: not given, SIGTERM
 * @stop_grace_ms:  between it and SIGKILL
 * @timeout_ms:     how long main may live; 0: for ever
 * @here:           the caller's directory in the box, at its own path
 * @network:        which way out
 * @tty:            main gets a terminal
 * @open_stdin:     main gets a stdin, else /dev/null
 * @remove:         the box is removed after it stopped
 * @read_only:      the root is
 * @init:           a reaper runs as PID 1 before main
 */
struct spec {
        char *image;        /* owned */
        char *image_id;     /* owned */
        struct strv layers; /* owned */
        struct spec_entrypoint entrypoint;
        struct strv args;          /* owned */
        struct strv env;           /* owned */
        char *workdir;             /* owned */
        char *user;                /* owned */
        struct strv group_add;     /* owned */
        char *hostname;            /* owned */
        char *name;                /* owned */
        struct strv labels;        /* owned */
        struct spec_mounts mounts; /* owned */
        struct spec_ulimits ulimits;
        struct spec_health health;
        struct strv cap_add;        /* owned */
        struct strv cap_drop;       /* owned */
        struct strv add_host;       /* owned */
        struct strv allow_degraded; /* owned */
        struct strv require;        /* owned */
        char *restart;              /* owned */
        char *audit;                /* owned */
        char *here_dir;             /* owned */
        char *created_by;           /* owned */
        uint64_t memory_bytes;
        uint64_t cpu_millis;
        uint64_t pids_max;
        uint64_t shm_bytes;
        uint64_t log_max_bytes;
        uint32_t log_files;
        uint32_t stop_signal;
        uint32_t stop_grace_ms;
        uint32_t timeout_ms;
        enum spec_here here;
        enum spec_network network;
        bool tty;
        bool open_stdin;
        bool remove;
        bool read_only;
        bool init;
};

/** spec_init() - overwrite @s with the defaults; release with spec_release() */
void spec_init(struct spec *s);
/** spec_release() - free what @s owns and give it the defaults again */
void spec_release(struct spec *s);
/** spec_free() - release and free a spec from malloc; NULL is fine; returns NULL */
struct spec *spec_free(struct spec *s);
DEFINE_FREEP(struct spec, spec_free)

/* The options, as rows: spec_set(), the help text and the man page come from them. */
enum spec_field_kind {
        SPEC_FIELD_SET,      /* takes a value, the last one counts */
        SPEC_FIELD_APPEND,   /* takes a value, may be repeated */
        SPEC_FIELD_FLAG,     /* "true" or "false"; true when no value is given */
        SPEC_FIELD_OPTIONAL, /* a value may follow after "=" only */
        SPEC_FIELD_OPERAND,  /* not a flag: the image, an argument */
};

/**
 * struct spec_field - one option
 * @key:    the long flag's name
 * @letter: the short flag of run and create; 0 for none
 * @kind:   how values are given
 * @secret: values may be secret, error texts do not repeat them
 * @exec:   means something for one more process in a running box, too
 * @update: may be changed in a box that is there already
 * @arg:    what the value is called in help; NULL for a flag
 * @help:   one line, no full stop
 * @offset: of the field in struct spec
 * @parse:  checks @value and stores it at @to, which is @offset in @s; words, without the key
 */
struct spec_field {
        const char *key;
        char letter;
        enum spec_field_kind kind;
        bool secret;
        bool exec;
        bool update;
        const char *arg;
        const char *help;
        size_t offset;
        int (*parse)(struct spec *s, void *to, const char *value, struct coffer_error *err);
};

/** spec_fields() - all rows, in the order of the alphabet; the pointer stays valid */
const struct spec_field *spec_fields(size_t *ret_count);
/** spec_field_find() - the row of a key; NULL when there is none */
const struct spec_field *spec_field_find(const char *key);

/**
 * spec_set() - set one option
 * @s:     where to
 * @key:   a long flag's name ("memory"), or "image", "arg"
 * @value: copied; NULL or "" means true for a flag; "" takes back a name, user, path, …
 * @err:   what is wrong with it, in one line
 *
 * Return: 0; -ENOENT (no such key), -EINVAL, -ERANGE, -E2BIG, -EEXIST (a target twice), -ENOTSUP
 * (Coffer has no such thing, or not yet) or -ENOMEM, with @s as it was.
 */
int spec_set(struct spec *s, const char *key, const char *value, struct coffer_error *err);

/**
 * spec_validate() - find options that contradict each other, and lists over their limits
 * @s:   as given by the caller, completed or not
 * @err: the first contradiction
 *
 * Return: 0, -EINVAL or -E2BIG.
 */
int spec_validate(const struct spec *s, struct coffer_error *err);

/* The order of struct spec_image_defaults.health_ns. */
enum spec_health_time {
        SPEC_HEALTH_INTERVAL,
        SPEC_HEALTH_TIMEOUT,
        SPEC_HEALTH_START_PERIOD,
        SPEC_HEALTH_START_INTERVAL,
        SPEC_HEALTH_TIMES
};

/**
 * struct spec_image_defaults - what an image's configuration says about running it
 * @entrypoint:  owned
 * @cmd:         owned
 * @env:         owned; "NAME=value"
 * @labels:      owned; "key=value"
 * @volumes:     owned; targets
 * @user:        owned; NULL when absent
 * @workdir:     owned; NULL when absent
 * @stop_signal: owned; NULL when absent
 * @health_test: owned; as in struct spec_health, or "NONE"
 * @shell:       owned
 * @health_ns:   interval, timeout, start period, start interval in nanoseconds; 0: not said
 * @health_retries: 0: not said
 */
struct spec_image_defaults {
        struct strv entrypoint;  /* owned */
        struct strv cmd;         /* owned */
        struct strv env;         /* owned */
        struct strv labels;      /* owned */
        struct strv volumes;     /* owned */
        char *user;              /* owned */
        char *workdir;           /* owned */
        char *stop_signal;       /* owned */
        struct strv health_test; /* owned */
        struct strv shell;       /* owned */
        uint64_t health_ns[SPEC_HEALTH_TIMES];
        uint64_t health_retries;
};

void spec_image_defaults_release(struct spec_image_defaults *image);

/**
 * spec_apply_image() - fill what was not given with what the image says, by Docker's rules
 * @s:     the caller's choices; they win
 * @image: foreign: its values are checked as the caller's are
 * @err:   which value of the image is refused
 *
 * An entrypoint that was given drops the image's command; variables and labels are merged by
 * name; a declared volume becomes an anonymous one unless something is mounted there; of a health
 * check each part that was not given comes from the image.
 *
 * Return: 0, -EINVAL, -E2BIG or -ENOMEM; after a failure @s is good for spec_release() only.
 */
int spec_apply_image(struct spec *s, const struct spec_image_defaults *image,
                     struct coffer_error *err);

/**
 * spec_complete() - fill in what neither the caller nor the image said
 * @s:   after spec_apply_image(), or without one for host and dir:
 * @id:  of the box; the hostname unless one was given
 * @err: why it cannot be run
 *
 * Sets hostname, workdir, stop signal and the variables PATH, HOSTNAME and (with a terminal)
 * TERM; HOME is left to coffer-init, which knows the box's passwd.  Sorts the mounts.
 *
 * Return: 0, -EINVAL (no command), -E2BIG or -ENOMEM.
 */
int spec_complete(struct spec *s, const char *id, struct coffer_error *err);

/** spec_health_has_settings() - whether more is given than that there is to be none */
bool spec_health_has_settings(const struct spec_health *h);

/** spec_health_argv() - append what a probe runs, if anything; 0, -ENOMEM or -E2BIG */
int spec_health_argv(const struct spec *s, struct strv *ret_argv);

/** spec_argv() - append entrypoint and arguments to @ret_argv; 0, -ENOMEM or -E2BIG */
int spec_argv(const struct spec *s, struct strv *ret_argv);

/* Ended by NULL: what is hidden and what is read-only in every box, for the mount plan. */
extern const char *const spec_masked_paths[];
extern const char *const spec_read_only_paths[];

/**
 * spec_to_json() - append the spec as an OCI runtime configuration, version 1.0.2
 * @s:   completed; sources of binds and here_dir absolute
 * @out: appended to, one line and a newline
 *
 * What OCI does not know lies below "coffer".  A string that is not UTF-8 is written with
 * U+FFFD in the place of the bad bytes, and its bytes in base64 as "coffer": {"raw": {POINTER:
 * BYTES}}, where POINTER says by RFC 6901 which string is meant.  The type "volume" of a mount is
 * ours.  Capabilities, user, namespaces, masked and read-only paths and the first six mounts
 * follow from the rest; they are written for other tools.
 *
 * Return: 0, -EINVAL (not completed), -E2BIG or -ENOMEM.
 */
int spec_to_json(const struct spec *s, struct buf *out);

/**
 * spec_from_json() - read what spec_to_json() wrote
 * @text: need not end in NUL
 * @size: its bytes
 * @s:    overwritten; on failure it holds the defaults
 * @err:  what is wrong, with its place
 *
 * Strict: a value that is missing, unknown, out of its bounds, of another type, or in
 * contradiction to what follows from the others is an error.
 *
 * Return: 0, -EBADMSG, -E2BIG or -ENOMEM.
 */
int spec_from_json(const char *text, size_t size, struct spec *s, struct coffer_error *err);
