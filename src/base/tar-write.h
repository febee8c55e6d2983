/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/tar.h"

/*
 * The other direction of tar.h: ustar, with a pax header before an entry for what ustar has no
 * room for.  Only memory; files are tar-pack.h's business.
 */

/**
 * tar_write_header() - append the blocks that come before an entry's content
 * @to: grows by a multiple of TAR_BLOCK; after a failure it is as it was
 * @e:  the path of a directory ends in '/'; the content of a sparse file cannot be told
 *
 * Return: 0, -E2BIG when names and attributes have more than TAR_EXTENDED_MAX bytes (or @to has no
 * room), -ERANGE for a device number that tar cannot hold, -ENOMEM.
 */
int tar_write_header(struct buf *to, const struct tar_entry *e);

/** tar_write_padding() - append what follows @size bytes of content, up to the next block */
int tar_write_padding(struct buf *to, uint64_t size);

/** tar_write_end() - append the end of the archive */
int tar_write_end(struct buf *to);
