/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/** base64_encode() - append the bytes of @s as RFC 4648 has them, with '='; 0, -E2BIG, -ENOMEM */
int base64_encode(const char *s, struct buf *to);

/**
 * base64_decode() - read what base64_encode() wrote, and no other spelling of it
 * @text:  the letters
 * @ret_s: the bytes and a NUL; free()
 *
 * Return: 0, -EINVAL (not base64, bits left over, or a NUL among the bytes) or -ENOMEM.
 */
int base64_decode(const char *text, char **ret_s);
