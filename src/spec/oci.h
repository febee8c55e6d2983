/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "spec/spec.h"

/*
 * What reading and writing the OCI configuration share: the members of its "coffer" section, as
 * rows.  The rest of the document is laid out in oci-write.c.
 */

#define OCI_VERSION       "1.0.2"
#define OCI_FORMAT        1         /* of "coffer"; raised when what follows changes */
#define OCI_NO_LIMIT      INT64_MAX /* RLIM_INFINITY has no place in a JSON integer */
#define OCI_OWN_MOUNTS    6         /* come first in "mounts" and are in every box */
#define OCI_CPU_PERIOD_US 100000
#define OCI_FROM_IMAGE    "from-image" /* option of a volume: struct spec_mount.from_image */

enum oci_kind {
        OCI_TEXT, /* char *; left out when NULL */
        OCI_LIST, /* struct strv */
        OCI_BOOL,
        OCI_U32,
        OCI_U64,
        OCI_WORD, /* an enum, by its words */
};

/**
 * struct oci_row - one member of "coffer"
 * @member: its name
 * @kind:   what it is
 * @offset: of the field in struct spec
 * @key:    for spec_set(), which checks each value that is read; NULL when no option sets it
 * @check:  for a text or list without @key: whether a value may stand there
 * @min:    of a number
 * @max:    of a number
 * @words:  of an enum, by value, ended by NULL
 */
struct oci_row {
        const char *member;
        enum oci_kind kind;
        size_t offset;
        const char *key;
        bool (*check)(const char *value);
        uint64_t min;
        uint64_t max;
        const char *const *words;
};

/* "health" in "coffer" is there when something of it was given, and then has all its members. */
extern const struct oci_row oci_health_rows[];
extern const size_t oci_health_row_count;

/** oci_has_health() - whether there is something to write */
bool oci_has_health(const struct spec *s);

extern const struct oci_row oci_rows[];
extern const size_t oci_row_count;
