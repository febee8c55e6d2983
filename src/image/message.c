/* SPDX-License-Identifier: Apache-2.0 */
#include "image/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One string of a config: an environment value, a label. */
#define STRING_MAX ((size_t)256 * 1024)
#define LIST_MAX   16384

void image_manifest_release(struct image_manifest *m)
{
        free(m->layers);
        image_config_release(&m->config);
        *m = (struct image_manifest){0};
}

bool image_is_digest(const char *hex)
{
        return strlen(hex) == IMAGE_DIGEST_HEX &&
               strspn(hex, "0123456789abcdef") == IMAGE_DIGEST_HEX;
}

const char *image_layer_media(enum image_form form)
{
        static const char *const types[] = {
                [IMAGE_FORM_PLAIN] = "application/vnd.oci.image.layer.v1.tar",
                [IMAGE_FORM_GZIP] = "application/vnd.oci.image.layer.v1.tar+gzip",
                [IMAGE_FORM_ZSTD] = "application/vnd.oci.image.layer.v1.tar+zstd",
        };

        return types[form];
}

/* The order of these tables is the format. */
static const size_t list_fields[] = {
        offsetof(struct image_config, entrypoint),  offsetof(struct image_config, cmd),
        offsetof(struct image_config, env),         offsetof(struct image_config, volumes),
        offsetof(struct image_config, labels),      offsetof(struct image_config, exposed_ports),
        offsetof(struct image_config, health_test), offsetof(struct image_config, shell),
};
static const size_t string_fields[] = {
        offsetof(struct image_config, user),        offsetof(struct image_config, working_dir),
        offsetof(struct image_config, stop_signal), offsetof(struct image_config, architecture),
        offsetof(struct image_config, os),          offsetof(struct image_config, variant),
        offsetof(struct image_config, created),     offsetof(struct image_config, author),
};
static const size_t number_fields[] = {
        offsetof(struct image_config, health_ns[0]),   offsetof(struct image_config, health_ns[1]),
        offsetof(struct image_config, health_ns[2]),   offsetof(struct image_config, health_ns[3]),
        offsetof(struct image_config, health_retries),
};

static void put_u32(struct buf *to, size_t number)
{
        uint32_t n = (uint32_t)number;

        (void)buf_append(to, &n, sizeof(n));
}

static void put_string(struct buf *to, const char *s)
{
        size_t size = s ? strlen(s) : 0;

        put_u32(to, size);
        (void)buf_append(to, s ? s : "", size);
}

int message_encode(const struct image_manifest *m, struct buf *to)
{
        const char *config = (const char *)&m->config;

        (void)buf_append(to, m->id, sizeof(m->id));
        put_u32(to, m->layer_count);
        (void)buf_append(to, m->layers, m->layer_count * sizeof(*m->layers));

        for (size_t i = 0; i < ELEMENTS(list_fields); i++) {
                const struct strv *list = (const void *)(config + list_fields[i]);

                put_u32(to, list->count);
                for (size_t j = 0; j < list->count; j++)
                        put_string(to, list->items[j]);
        }
        for (size_t i = 0; i < ELEMENTS(string_fields); i++)
                put_string(to, *(char *const *)(const void *)(config + string_fields[i]));
        for (size_t i = 0; i < ELEMENTS(number_fields); i++)
                (void)buf_append(to, config + number_fields[i], sizeof(uint64_t));
        return to->failed;
}

static bool is_blob(const struct image_blob *b)
{
        return b->digest[IMAGE_DIGEST_HEX] == '\0' && image_is_digest(b->digest) &&
               b->size <= INT64_MAX;
}

int image_listing_check(const struct image_listing *l)
{
        if (l->digest[IMAGE_DIGEST_HEX] != '\0' || !image_is_digest(l->digest) || l->index > 1 ||
            l->docker > 1 || l->count > (l->index ? 0 : IMAGE_LAYERS_MAX) || !is_blob(&l->first))
                return -EBADMSG;
        for (size_t i = 0; i < l->count; i++)
                if (!is_blob(&l->layers[i]))
                        return -EBADMSG;
        return 0;
}

struct reader {
        const char *at;
        size_t left;
};

static int take(struct reader *in, void *to, size_t size)
{
        if (size > in->left)
                return -EBADMSG;
        if (size > 0)
                memcpy(to, in->at, size);
        in->at += size;
        in->left -= size;
        return 0;
}

static int take_count(struct reader *in, size_t max, size_t *ret_count)
{
        uint32_t count = 0;
        int r = take(in, &count, sizeof(count));

        if (r < 0 || count > max)
                return -EBADMSG;
        *ret_count = count;
        return 0;
}

static int take_string(struct reader *in, char **ret_string)
{
        size_t size;
        char *s;

        if (take_count(in, STRING_MAX, &size) < 0 || size > in->left ||
            (size > 0 && memchr(in->at, '\0', size)))
                return -EBADMSG;
        s = malloc(size + 1);
        if (!s)
                return -ENOMEM;
        (void)take(in, s, size);
        s[size] = '\0';
        *ret_string = s;
        return 0;
}

static int take_digest(const char *field, bool may_be_empty)
{
        if (field[IMAGE_DIGEST_HEX] != '\0')
                return -EBADMSG;
        if (may_be_empty && field[0] == '\0')
                return 0;
        return image_is_digest(field) ? 0 : -EBADMSG;
}

static int take_layers(struct reader *in, struct image_manifest *m)
{
        size_t count;
        int r = take_count(in, IMAGE_LAYERS_MAX, &count);

        if (r < 0 || count == 0)
                return r;
        m->layers = calloc(count, sizeof(*m->layers));
        if (!m->layers)
                return -ENOMEM;
        m->layer_count = count;
        r = take(in, m->layers, count * sizeof(*m->layers));
        for (size_t i = 0; r == 0 && i < count; i++) {
                const struct image_layer *l = &m->layers[i];

                r = take_digest(l->diff_id, false);
                if (r == 0)
                        r = take_digest(l->blob, true);
                if (l->offset > INT64_MAX || l->size > INT64_MAX - l->offset)
                        r = -EBADMSG;
        }
        return r;
}

static int take_config(struct reader *in, struct image_config *config)
{
        char *base = (char *)config;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(list_fields); i++) {
                struct strv *list = (void *)(base + list_fields[i]);
                size_t count = 0;

                r = take_count(in, LIST_MAX, &count);
                for (size_t j = 0; r == 0 && j < count; j++) {
                        char *s = NULL;

                        r = take_string(in, &s);
                        if (r == 0)
                                r = strv_take(list, s);
                }
        }
        for (size_t i = 0; r == 0 && i < ELEMENTS(string_fields); i++)
                r = take_string(in, (char **)(void *)(base + string_fields[i]));
        for (size_t i = 0; r == 0 && i < ELEMENTS(number_fields); i++)
                r = take(in, base + number_fields[i], sizeof(uint64_t));
        return r;
}

int message_decode(const void *data, size_t size, struct image_manifest *ret_m)
{
        struct reader in = {.at = data, .left = size};
        struct image_manifest m = {0};
        int r;

        r = take(&in, m.id, sizeof(m.id));
        if (r == 0)
                r = take_digest(m.id, false);
        if (r == 0)
                r = take_layers(&in, &m);
        if (r == 0)
                r = take_config(&in, &m.config);
        if (r == 0 && in.left > 0)
                r = -EBADMSG;
        if (r < 0) {
                image_manifest_release(&m);
                return r;
        }
        *ret_m = m;
        return 0;
}
