/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/messages.h"

#include <stddef.h>

/* Bounds.  A frame is 1 MiB at most, so that bounds the sum of whatever is in one. */
#define NAME_MAX_BYTES 256
#define PATH_MAX_BYTES 4096
#define BPF_MAX_BYTES  (32 * 1024)
#define BLOB_MAX_BYTES (900 * 1024)

#define U32(s, f)                                            \
        {                                                    \
#f, WIRE_U32, offsetof(struct s, f), 0, NULL \
        }
#define U64(s, f)                                            \
        {                                                    \
#f, WIRE_U64, offsetof(struct s, f), 0, NULL \
        }
#define STR(s, f, max)                                         \
        {                                                      \
#f, WIRE_STR, offsetof(struct s, f), max, NULL \
        }
#define BYTES(s, f, max)                                         \
        {                                                        \
#f, WIRE_BYTES, offsetof(struct s, f), max, NULL \
        }
#define STRV(s, f, max)                                         \
        {                                                       \
#f, WIRE_STRV, offsetof(struct s, f), max, NULL \
        }
#define LIST(s, f, max)                                                     \
        {                                                                   \
#f, WIRE_LIST, offsetof(struct s, f), max, &s##_##f##_table \
        }

#define TABLE(msg)                                                             \
        {                                                                      \
#msg, sizeof(struct msg), msg##_fields, ELEMENTS(msg##_fields) \
        }

static const struct wire_field msg_hello_fields[] = {
        U32(msg_hello, major),
        U32(msg_hello, minor),
        STR(msg_hello, version, NAME_MAX_BYTES),
        STR(msg_hello, box_id, NAME_MAX_BYTES),
        BYTES(msg_hello, nonce, PROTO_NONCE_BYTES),
};
const struct wire_table msg_hello_table = TABLE(msg_hello);

static const struct wire_field msg_error_fields[] = {
        U32(msg_error, code),
        U32(msg_error, kind),
        STR(msg_error, msg, NAME_MAX_BYTES * 4),
        STR(msg_error, hint, NAME_MAX_BYTES * 4),
};
const struct wire_table msg_error_table = TABLE(msg_error);

static const struct wire_field msg_info_fields[] = {
        STR(msg_info, state, NAME_MAX_BYTES),
        U32(msg_info, main_pid),
        U32(msg_info, exec_count),
        STRV(msg_info, posture, 64),
};
const struct wire_table msg_info_table = TABLE(msg_info);

static const struct wire_field msg_signal_fields[] = {
        U32(msg_signal, signal),
};
const struct wire_table msg_signal_table = TABLE(msg_signal);

static const struct wire_field msg_stop_fields[] = {
        U32(msg_stop, signal),
        U32(msg_stop, grace_ms),
};
const struct wire_table msg_stop_table = TABLE(msg_stop);

static const struct wire_field msg_exited_fields[] = {
        U32(msg_exited, status),
        U32(msg_exited, oom_killed),
        U32(msg_exited, timed_out),
        STR(msg_exited, reason, NAME_MAX_BYTES * 4),
};
const struct wire_table msg_exited_table = TABLE(msg_exited);

static const struct wire_field msg_start_fields[] = {
        U32(msg_start, flags),
        U32(msg_start, idmap.kind),
        U32(msg_start, idmap.uid_base),
        U32(msg_start, idmap.gid_base),
        U32(msg_start, idmap.count),
        U32(msg_start, idmap.supervisor_uid),
        U32(msg_start, idmap.supervisor_gid),
        U64(msg_start, limits.memory_bytes),
        U64(msg_start, limits.cpu_millis),
        U64(msg_start, limits.pids_max),
        U32(msg_start, stop_signal),
        U32(msg_start, stop_grace_ms),
        U64(msg_start, log_max_bytes),
        U32(msg_start, log_files),
        BYTES(msg_start, setup, BLOB_MAX_BYTES),
        BYTES(msg_start, process, BLOB_MAX_BYTES),
        STR(msg_start, created_by, NAME_MAX_BYTES),
        U32(msg_start, attach),
        STR(msg_start, name, NAME_MAX_BYTES),
        STRV(msg_start, labels, 1024),
        STR(msg_start, image, PATH_MAX_BYTES),
        U64(msg_start, created_ns),
        STRV(msg_start, health.argv, STRV_MAX),
        U32(msg_start, health.interval_ms),
        U32(msg_start, health.timeout_ms),
        U32(msg_start, health.start_period_ms),
        U32(msg_start, health.start_interval_ms),
        U32(msg_start, health.retries),
        U32(msg_start, restart),
        U32(msg_start, restart_max),
        STRV(msg_start, may_lack, 64),
};
const struct wire_table msg_start_table = TABLE(msg_start);

static const struct wire_field msg_started_fields[] = {
        U32(msg_started, pid),
        U32(msg_started, stdio),
};
const struct wire_table msg_started_table = TABLE(msg_started);

static const struct wire_field msg_ready_fields[] = {
        STRV(msg_ready, posture, 64),
};
const struct wire_table msg_ready_table = TABLE(msg_ready);

static const struct wire_field msg_attach_fields[] = {
        U32(msg_attach, stdio),
};
const struct wire_table msg_attach_table = TABLE(msg_attach);

static const struct wire_field msg_resize_fields[] = {
        U32(msg_resize, rows),
        U32(msg_resize, cols),
};
const struct wire_table msg_resize_table = TABLE(msg_resize);

static const struct wire_field msg_update_fields[] = {
        U32(msg_update, which),    U64(msg_update, memory_bytes), U64(msg_update, cpu_millis),
        U64(msg_update, pids_max), U32(msg_update, restart),      U32(msg_update, restart_max),
};
const struct wire_table msg_update_table = TABLE(msg_update);

static const struct wire_field msg_source_fields[] = {
        STR(msg_source, path, PATH_MAX_BYTES),
        U32(msg_source, flags),
        U32(msg_source, store_base),
};
static const struct wire_table msg_setup_sources_table = TABLE(msg_source);

static const struct wire_field msg_mount_op_fields[] = {
        U32(msg_mount_op, kind),
        U32(msg_mount_op, source),
        STR(msg_mount_op, target, PATH_MAX_BYTES),
        STR(msg_mount_op, data, WIRE_STR_MAX),
        U64(msg_mount_op, flags),
};
static const struct wire_table msg_setup_ops_table = TABLE(msg_mount_op);

static const struct wire_field msg_setup_fields[] = {
        LIST(msg_setup, sources, PROTO_FDS_MAX - 4),
        LIST(msg_setup, ops, WIRE_LIST_MAX),
        STRV(msg_setup, overlay_lower, PROTO_FDS_MAX),
        U32(msg_setup, overlay_upper),
        U32(msg_setup, overlay_volatile),
        U32(msg_setup, root_read_only),
        STR(msg_setup, hostname, NAME_MAX_BYTES),
        U32(msg_setup, processes_max),
        BYTES(msg_setup, bpf, BPF_MAX_BYTES),
        U32(msg_setup, id_count),
        U32(msg_setup, inner_uid),
        U32(msg_setup, inner_gid),
        U32(msg_setup, place_processes),
        U32(msg_setup, supervisor_outside),
        STRV(msg_setup, allow_degraded, 64),
};
const struct wire_table msg_setup_table = TABLE(msg_setup);

static const struct wire_field msg_rlimit_fields[] = {
        U32(msg_rlimit, resource),
        U64(msg_rlimit, soft),
        U64(msg_rlimit, hard),
};
static const struct wire_table msg_process_rlimits_table = TABLE(msg_rlimit);

static const struct wire_field msg_process_fields[] = {
        U32(msg_process, flags),
        STRV(msg_process, argv, STRV_MAX),
        STRV(msg_process, env, STRV_MAX),
        STR(msg_process, cwd, PATH_MAX_BYTES),
        STR(msg_process, user, NAME_MAX_BYTES),
        STRV(msg_process, groups, 1024),
        U64(msg_process, caps_root),
        U64(msg_process, caps_user),
        LIST(msg_process, rlimits, 32),
        U32(msg_process, rows),
        U32(msg_process, cols),
        U32(msg_process, timeout_ms),
        U32(msg_process, umask),
};
const struct wire_table msg_process_table = TABLE(msg_process);

static const struct {
        enum proto_type type;
        const char *name;
        const struct wire_table *table;
} types[] = {
        {PROTO_HELLO,   "HELLO",   &msg_hello_table  },
        {PROTO_ERROR,   "ERROR",   &msg_error_table  },
        {PROTO_OK,      "OK",      NULL              },
        {PROTO_INFO,    "INFO",    &msg_info_table   },
        {PROTO_SIGNAL,  "SIGNAL",  &msg_signal_table },
        {PROTO_STOP,    "STOP",    &msg_stop_table   },
        {PROTO_WAIT,    "WAIT",    NULL              },
        {PROTO_EXITED,  "EXITED",  &msg_exited_table },
        {PROTO_START,   "START",   &msg_start_table  },
        {PROTO_STARTED, "STARTED", &msg_started_table},
        {PROTO_EXEC,    "EXEC",    &msg_process_table},
        {PROTO_ATTACH,  "ATTACH",  &msg_attach_table },
        {PROTO_RESIZE,  "RESIZE",  &msg_resize_table },
        {PROTO_DETACH,  "DETACH",  NULL              },
        {PROTO_PAUSE,   "PAUSE",   NULL              },
        {PROTO_UNPAUSE, "UNPAUSE", NULL              },
        {PROTO_UPDATE,  "UPDATE",  &msg_update_table },
        {PROTO_SETUP,   "SETUP",   &msg_setup_table  },
        {PROTO_READY,   "READY",   &msg_ready_table  },
        {PROTO_SPAWN,   "SPAWN",   &msg_process_table},
        {PROTO_PLACE,   "PLACE",   NULL              },
};

const char *proto_type_name(uint16_t type)
{
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if ((uint16_t)types[i].type == type)
                        return types[i].name;
        return "?";
}

const struct wire_table *proto_table(uint16_t type)
{
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if ((uint16_t)types[i].type == type)
                        return types[i].table;
        return NULL;
}
