/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A tar reader over memory, for tests and fuzz targets. */

#include <string.h>

#include "base/tar.h"

struct tar_memory {
        const unsigned char *data;
        size_t left;
};

static inline ssize_t tar_memory_read(void *data, void *to, size_t size, struct coffer_error *err)
{
        struct tar_memory *m = data;

        (void)err;
        if (size > m->left)
                size = m->left;
        if (size > 0)
                memcpy(to, m->data, size);
        m->data += size;
        m->left -= size;
        return (ssize_t)size;
}

/* 0 or -ENOMEM; @m is borrowed until tar_free(). */
static inline int tar_memory_new(struct tar_memory *m, bool require_end, struct tar **ret_tar)
{
        const struct tar_source source = {.read = tar_memory_read, .data = m};

        return tar_new(&source, require_end, ret_tar);
}
