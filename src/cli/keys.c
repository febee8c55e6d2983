/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/keys.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static int parse_key(const char *key, size_t size, char *ret_byte)
{
        static const char control[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
        const char *at;

        if (size == 1) {
                *ret_byte = *key;
                return 0;
        }
        if (size != 6 || strncmp(key, "ctrl-", 5) != 0)
                return -EINVAL;
        at = strchr(control, key[5]);
        if (!at || *at == '\0')
                return -EINVAL;
        *ret_byte = (char)(at - control);
        return 0;
}

int keys_parse(const char *text, struct keys *ret_keys)
{
        struct keys k = {0};

        while (*text) {
                const char *comma = strchr(text + 1, ','); /* a comma may be a key itself */
                size_t size = comma ? (size_t)(comma - text) : strlen(text);

                if (k.count == KEYS_MAX || parse_key(text, size, &k.sequence[k.count++]) < 0)
                        return -EINVAL;
                text += size;
                if (*text == ',' && *++text == '\0')
                        return -EINVAL;
        }
        *ret_keys = k;
        return 0;
}

/*
 * How much of the sequence the held keys and @c are together: the longest beginning of the
 * sequence that they end with.
 */
static size_t fall_back(const struct keys *k, char c)
{
        for (size_t n = k->typed; n > 0; n--)
                if (memcmp(k->sequence, k->sequence + k->typed - (n - 1), n - 1) == 0 &&
                    k->sequence[n - 1] == c)
                        return n;
        return 0;
}

bool keys_filter(struct keys *k, const char *in, size_t size, char *out, size_t *ret_size)
{
        size_t used = 0;

        for (size_t i = 0; i < size; i++) {
                size_t kept;

                if (k->count > 0 && in[i] == k->sequence[k->typed]) {
                        if (++k->typed == k->count) {
                                k->typed = 0;
                                *ret_size = used;
                                return true;
                        }
                        continue;
                }
                kept = fall_back(k, in[i]);
                /* The held keys are the sequence's own; all but the kept ones go on. */
                memcpy(out + used, k->sequence, k->typed);
                used += k->typed;
                out[used++] = in[i];
                used -= kept;
                k->typed = kept;
        }
        *ret_size = used;
        return false;
}
