/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/oci.h"

#include "spec/value.h"

#define LOG_FILES_MAX 1000
#define VERSION_MAX   64

static const char *const here_words[] = {"off", "rw", "ro", NULL};
static const char *const network_words[] = {"none", NULL};

static bool is_argument(const char *value)
{
        return strlen(value) <= SPEC_ARG_MAX_BYTES;
}

static bool is_version(const char *value)
{
        return *value != '\0' && strlen(value) <= VERSION_MAX;
}

#define ROW(name, what, field) \
        .member = (name), .kind = (what), .offset = offsetof(struct spec, field)

/* Values that an option reads, or a check of our own. */
#define TEXT(name, field, option)                           \
        {                                                   \
                ROW(name, OCI_TEXT, field), .key = (option) \
        }
#define LIST(name, field, option)                           \
        {                                                   \
                ROW(name, OCI_LIST, field), .key = (option) \
        }
#define CHECKED(name, what, field, fn)                \
        {                                             \
                ROW(name, what, field), .check = (fn) \
        }
#define BOOL(name, field)                  \
        {                                  \
                ROW(name, OCI_BOOL, field) \
        }
#define NUMBER(name, what, field, lo, hi)                        \
        {                                                        \
                ROW(name, what, field), .min = (lo), .max = (hi) \
        }
#define WORD(name, field, list)                             \
        {                                                   \
                ROW(name, OCI_WORD, field), .words = (list) \
        }

const struct oci_row oci_rows[] = {
        TEXT("image", image, "image"),
        CHECKED("imageId", OCI_TEXT, image_id, value_is_digest),
        CHECKED("layers", OCI_LIST, layers, value_is_digest),
        TEXT("name", name, "name"),
        LIST("labels", labels, "label"),
        TEXT("user", user, "user"),
        LIST("groupAdd", group_add, "group-add"),
        LIST("capAdd", cap_add, "cap-add"),
        LIST("capDrop", cap_drop, "cap-drop"),
        LIST("addHost", add_host, "add-host"),
        LIST("allowDegraded", allow_degraded, "allow-degraded"),
        LIST("require", require, "require"),
        WORD("network", network, network_words),
        WORD("here", here, here_words),
        CHECKED("hereDir", OCI_TEXT, here_dir, value_is_path),
        BOOL("openStdin", open_stdin),
        BOOL("remove", remove),
        TEXT("restart", restart, "restart"),
        TEXT("audit", audit, "audit"),
        BOOL("init", init),
        NUMBER("shmBytes", OCI_U64, shm_bytes, 1, INT64_MAX),
        NUMBER("logMaxBytes", OCI_U64, log_max_bytes, 1, INT64_MAX),
        NUMBER("logFiles", OCI_U32, log_files, 1, LOG_FILES_MAX),
        NUMBER("stopSignal", OCI_U32, stop_signal, 1, 64),
        NUMBER("stopGraceMs", OCI_U32, stop_grace_ms, 0, SPEC_DURATION_MAX_MS),
        NUMBER("timeoutMs", OCI_U32, timeout_ms, 0, SPEC_DURATION_MAX_MS),
        CHECKED("createdBy", OCI_TEXT, created_by, is_version),
};

const size_t oci_row_count = ELEMENTS(oci_rows);

const struct oci_row oci_health_rows[] = {
        BOOL("off", health.off),
        CHECKED("test", OCI_LIST, health.test, is_argument),
        CHECKED("shell", OCI_LIST, health.shell, is_argument),
        NUMBER("intervalMs", OCI_U32, health.interval_ms, 0, SPEC_DURATION_MAX_MS),
        NUMBER("timeoutMs", OCI_U32, health.timeout_ms, 0, SPEC_DURATION_MAX_MS),
        NUMBER("startPeriodMs", OCI_U32, health.start_period_ms, 0, SPEC_DURATION_MAX_MS),
        NUMBER("startIntervalMs", OCI_U32, health.start_interval_ms, 0, SPEC_DURATION_MAX_MS),
        NUMBER("retries", OCI_U32, health.retries, 0, INT32_MAX),
};

const size_t oci_health_row_count = ELEMENTS(oci_health_rows);

bool oci_has_health(const struct spec *s)
{
        return s->health.off || s->health.shell.count > 0 || spec_health_has_settings(&s->health);
}
