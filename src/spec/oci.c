/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/oci.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "spec/value.h"

#define LOG_FILES_MAX 1000
#define VERSION_MAX   64

static const char *const here_words[] = {"off", "rw", "ro", NULL};
static const char *const network_words[] = {"none", NULL};

static bool is_clean_path(const char *value)
{
        cleanup_free char *path = NULL;

        return value_path(value, &path) == 0 && str_eq(path, value);
}

static bool is_version(const char *value)
{
        return *value != '\0' && strlen(value) <= VERSION_MAX;
}

#define AT(field)            .offset = offsetof(struct spec, field)
#define BETWEEN(least, most) .min = (least), .max = (most)

const struct oci_row oci_rows[] = {
        {"image",                OCI_TEXT,      AT(image),          .key = "image"          },
        {"imageId",              OCI_TEXT,      AT(image_id),       .check = value_is_digest},
        {"layers",               OCI_LIST,      AT(layers),         .check = value_is_digest},
        {"name",                 OCI_TEXT,      AT(name),           .key = "name"           },
        {"labels",               OCI_LIST,      AT(labels),         .key = "label"          },
        {"user",                 OCI_TEXT,      AT(user),           .key = "user"           },
        {"groupAdd",             OCI_LIST,      AT(group_add),      .key = "group-add"      },
        {"capAdd",               OCI_LIST,      AT(cap_add),        .key = "cap-add"        },
        {"capDrop",              OCI_LIST,      AT(cap_drop),       .key = "cap-drop"       },
        {"addHost",              OCI_LIST,      AT(add_host),       .key = "add-host"       },
        {"allowDegraded",        OCI_LIST,      AT(allow_degraded), .key = "allow-degraded" },
        {"network",              OCI_WORD,      AT(network),        .words = network_words  },
        {"here",                 OCI_WORD,      AT(here),           .words = here_words     },
        {"hereDir",              OCI_TEXT,      AT(here_dir),       .check = is_clean_path  },
        {"openStdin",            OCI_BOOL,      AT(open_stdin)    },
        {"remove",              OCI_BOOL,    AT(remove)                  },
        {"init",              OCI_BOOL,                           AT(init)         },
        {"shmBytes",             OCI_U64,                AT(shm_bytes),                                  BETWEEN(1,                         INT64_MAX)},
        {"logMaxBytes",     OCI_U64,         AT(log_max_bytes),         BETWEEN(1,                    INT64_MAX)},
        {"logFiles",               OCI_U32, AT(log_files),          BETWEEN(1,      LOG_FILES_MAX)},
        {"stopSignal",           OCI_U32,       AT(stop_signal),    BETWEEN(1,64)},
        {"stopGraceMs",                      OCI_U32,                       AT(stop_grace_ms),             BETWEEN(0,      SPEC_DURATION_MAX_MS)},
        {"timeoutMs", OCI_U32,              AT(timeout_ms),                      BETWEEN(0,      SPEC_DURATION_MAX_MS)},
        {"createdBy",             OCI_TEXT,     AT(created_by),  .check = is_version               },
};

const size_t oci_row_count = ELEMENTS(oci_rows);
