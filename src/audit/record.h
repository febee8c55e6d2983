/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

struct buf;
struct msg_update;

/*
 * One record of the audit log: an event of OCSF 1.8.0, as one line of JSON.
 *
 *      {"metadata":{"sequence":7,…},…,"unmapped":{…,"prev":"<SHA-256 of line 6>"}}
 *
 * OCSF has a place for what it does not know, `unmapped`; `prev` stands there, and last, so that
 * it is found without a parser.  The hash is of a whole line with its newline; before the first
 * record it is AUDIT_NO_HASH.
 *
 * Of a command the program and the number of its arguments are told, never the arguments, which
 * may be secrets; of the environment nothing.
 */

#define AUDIT_OCSF_VERSION "1.8.0"
#define AUDIT_LINE_MAX     16384 /* with the newline */
#define AUDIT_TEXT_MAX     512   /* bytes of anything that somebody chose; the rest is cut off */
#define AUDIT_NO_HASH      "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_HASH_CHARS   SHA256_HEX_CHARS

enum audit_event {
        AUDIT_START,
        AUDIT_RESTART,
        AUDIT_STOP,
        AUDIT_PAUSE,
        AUDIT_UNPAUSE,
        AUDIT_REMOVE,
        AUDIT_UPDATE,
        AUDIT_LAUNCH,    /* a process is about to be started */
        AUDIT_TERMINATE, /* it has ended */
        AUDIT_DEGRADED,  /* a control is missing, by permission */
        AUDIT_LOST,      /* the log is not as its head says */
        AUDIT_REPAIR,    /* what a killed monitor left was put in order; nothing is missing */
        AUDIT_EVENT_COUNT
};

/**
 * struct audit_subject - what all records of one writer have in common
 * @id:      of the box
 * @name:    of the box
 * @image:   its reference
 * @app:     the program that writes
 * @boot_id: of this boot; may be NULL
 * @host:    this machine's name
 * @uid:     as whom the program runs
 */
struct audit_subject {
        const char *id;
        const char *name;
        const char *image;
        const char *app;
        const char *boot_id;
        const char *host;
        uint32_t uid;
};

/**
 * struct audit_process - for AUDIT_LAUNCH and AUDIT_TERMINATE
 * @role:   "main", "exec", "health", "helper"
 * @launch: sequence of its AUDIT_LAUNCH; 0: this record is it, or it could not be written
 * @pid:    in the host's PID namespace; 0: not known
 * @path:   what is executed, as it was given; NULL: not known any more
 * @argc:   how many arguments, the program's name among them
 * @user:   as whom, as it was given; NULL or "": the image's
 * @status: 0 to 255, or 128 + signal
 */
struct audit_process {
        const char *role;
        uint64_t launch;
        uint32_t pid;
        const char *path;
        uint32_t argc;
        const char *user;
        uint32_t status;
};

/**
 * struct audit_record - what happened
 * @event:   which
 * @failed:  it was tried, and did not come to be; or the box ended as failed
 * @detail:  why, in words; NULL: nothing to say
 * @process: of a process
 * @control: AUDIT_DEGRADED: which, and @detail is the posture's; AUDIT_LOST: a word for what
 * @limits:  of AUDIT_UPDATE, where numbers are known; NULL: @detail says it
 */
struct audit_record {
        enum audit_event event;
        bool failed;
        const char *detail;
        struct audit_process process;
        const char *control;
        const struct msg_update *limits;
};

/**
 * struct audit_place - where in the chain a record stands
 * @time_ms:  since 1970
 * @sequence: the first is 1
 * @prev:     hash of the line before
 * @dropped:  how many records could not be written so far
 */
struct audit_place {
        uint64_t time_ms;
        uint64_t sequence;
        const char *prev;
        uint64_t dropped;
};

/** audit_format() - append the line with its newline; 0, -E2BIG or -ENOMEM */
int audit_format(struct buf *to, const struct audit_subject *who, const struct audit_record *record,
                 const struct audit_place *place);

/**
 * struct audit_line - what the chain needs of a line
 * @sequence: its number
 * @prev:     hash of the line before
 * @lost:     it is an AUDIT_LOST
 */
struct audit_line {
        uint64_t sequence;
        char prev[AUDIT_HASH_CHARS + 1];
        bool lost;
};

/**
 * audit_line_read() - find them
 * @line:  with its newline
 * @bytes: of it
 *
 * Foreign bytes: whoever owns the home may have written anything there.
 *
 * Return: 0, or -EBADMSG when it is no line of ours.
 */
int audit_line_read(const char *line, size_t bytes, struct audit_line *ret);
