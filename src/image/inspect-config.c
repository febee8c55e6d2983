/* SPDX-License-Identifier: Apache-2.0 */
/* The config of an image: OCI's, which Docker's is the model of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "image/inspect-parts.h"
#include "image/inspect.h"

#define STRING_BYTES_MAX ((size_t)256 * 1024)
#define LIST_ITEMS_MAX   16384

const char *inspect_digest(const char *digest)
{
        const char *hex = str_after(digest, "sha256:");

        return hex && image_is_digest(hex) ? hex : NULL;
}

static int check_list(const struct json_value *value, const struct strv *list,
                      struct coffer_error *err)
{
        if (list->count > LIST_ITEMS_MAX)
                return json_say(value, err, "has too many items");
        for (size_t i = 0; i < list->count; i++)
                if (strlen(list->items[i]) > STRING_BYTES_MAX)
                        return json_say(value, err, "has an item of more than 256 KiB");
        return 0;
}

static int read_list(const struct json_value *value, struct strv *to, struct coffer_error *err)
{
        int r = json_to_strv(value, JSON_OPTIONAL, to, err);

        return r < 0 ? r : check_list(value, to, err);
}

static int read_env(const struct json_value *value, struct strv *to, struct coffer_error *err)
{
        int r = read_list(value, to, err);

        for (size_t i = 0; r == 0 && i < to->count; i++) {
                struct json_value item = json_item(value, i);

                if (strcspn(to->items[i], "=") == 0 || !strchr(to->items[i], '='))
                        r = json_say(&item, err, "is not NAME=value");
        }
        return r;
}

/* {"80/tcp": {}}: a set, written as an object. */
static int read_keys(const struct json_value *value, struct strv *to, struct coffer_error *err)
{
        struct json_value member;
        void *iter = NULL;
        int r = json_want_object(value, JSON_OPTIONAL, err);

        while (r == 0 && json_next(value, &iter, &member)) {
                r = strv_add(to, member.key);
                if (r < 0)
                        return error_set(err, r, "read the config");
        }
        return r < 0 ? r : check_list(value, to, err);
}

static int read_labels(const struct json_value *value, struct strv *to, struct coffer_error *err)
{
        struct json_value member;
        void *iter = NULL;
        int r = json_want_object(value, JSON_OPTIONAL, err);

        while (r == 0 && json_next(value, &iter, &member)) {
                const char *text = "";

                r = json_to_string(&member, JSON_OPTIONAL, &text, err);
                if (r < 0)
                        return r;
                r = strv_addf(to, "%s=%s", member.key, text);
                if (r < 0)
                        return error_set(err, r, "read the config");
        }
        return r < 0 ? r : check_list(value, to, err);
}

static int read_string(const struct json_value *value, char **to, struct coffer_error *err)
{
        const char *s = "";
        int r = json_to_string(value, JSON_OPTIONAL, &s, err);

        if (r < 0)
                return r;
        if (strlen(s) > STRING_BYTES_MAX)
                return json_say(value, err, "has more than 256 KiB");
        *to = strdup(s);
        return *to ? 0 : error_set(err, -ENOMEM, "read the config");
}

static const struct {
        const char *key;
        size_t field;
        int (*read)(const struct json_value *value, struct strv *to, struct coffer_error *err);
} lists[] = {
        {"Entrypoint",   offsetof(struct image_config, entrypoint),    read_list  },
        {"Cmd",          offsetof(struct image_config, cmd),           read_list  },
        {"Env",          offsetof(struct image_config, env),           read_env   },
        {"Volumes",      offsetof(struct image_config, volumes),       read_keys  },
        {"Labels",       offsetof(struct image_config, labels),        read_labels},
        {"ExposedPorts", offsetof(struct image_config, exposed_ports), read_keys  },
        {"Shell",        offsetof(struct image_config, shell),         read_list  },
};

struct string_field {
        const char *key;
        size_t field;
};

static const struct string_field strings[] = {
        {"User",       offsetof(struct image_config, user)       },
        {"WorkingDir", offsetof(struct image_config, working_dir)},
        {"StopSignal", offsetof(struct image_config, stop_signal)},
};

/* Docker's, in whose images alone it is; times are nanoseconds. */
static int read_health(const struct json_value *config, struct image_config *to,
                       struct coffer_error *err)
{
        static const struct {
                const char *key;
                size_t field;
        } numbers[] = {
                {"Interval",      offsetof(struct image_config, health_ns[0])  },
                {"Timeout",       offsetof(struct image_config, health_ns[1])  },
                {"StartPeriod",   offsetof(struct image_config, health_ns[2])  },
                {"StartInterval", offsetof(struct image_config, health_ns[3])  },
                {"Retries",       offsetof(struct image_config, health_retries)},
        };
        struct json_value health = json_member(config, "Healthcheck");
        struct json_value test = json_member(&health, "Test");
        char *base = (char *)to;
        int r = json_want_object(&health, JSON_OPTIONAL, err);

        if (r == 0)
                r = read_list(&test, &to->health_test, err);
        for (size_t i = 0; r == 0 && i < ELEMENTS(numbers); i++)
                r = json_get_u64(&health, numbers[i].key, JSON_OPTIONAL, INT64_MAX,
                                 (uint64_t *)(void *)(base + numbers[i].field), err);
        return r;
}

static const struct string_field outer_strings[] = {
        {"architecture", offsetof(struct image_config, architecture)},
        {"os",           offsetof(struct image_config, os)          },
        {"variant",      offsetof(struct image_config, variant)     },
        {"created",      offsetof(struct image_config, created)     },
        {"author",       offsetof(struct image_config, author)      },
};

static int read_config(const struct json_value *config, struct image_config *to,
                       struct coffer_error *err)
{
        char *base = (char *)to;
        int r = json_want_object(config, JSON_OPTIONAL, err);

        for (size_t i = 0; r == 0 && i < ELEMENTS(lists); i++) {
                struct json_value value = json_member(config, lists[i].key);

                r = lists[i].read(&value, (void *)(base + lists[i].field), err);
        }
        return r == 0 ? read_health(config, to, err) : r;
}

static int read_strings(const struct json_value *object, struct image_config *to,
                        const struct string_field *fields, size_t count, struct coffer_error *err)
{
        char *base = (char *)to;
        int r = 0;

        for (size_t i = 0; r == 0 && i < count; i++) {
                struct json_value value = json_member(object, fields[i].key);

                r = read_string(&value, (char **)(void *)(base + fields[i].field), err);
        }
        return r;
}

int inspect_check_platform(const struct image_config *config, struct coffer_error *err)
{
        const struct platform here = platform_host();

        if (platform_fits(&here, config->os, config->architecture, ""))
                return 0;
        return error_say(err, -ENOEXEC, COFFER_ERROR_IMAGE,
                         "the image is for %.40s/%.40s, this machine is %s/%s", config->os,
                         config->architecture, here.os, here.architecture);
}

static int read_diff_ids(const struct json_value *root, struct strv *to, struct coffer_error *err)
{
        struct json_value rootfs = json_member(root, "rootfs");
        struct json_value ids = json_member(&rootfs, "diff_ids");
        const char *type = NULL;
        int r = json_get_string(&rootfs, "type", JSON_REQUIRED, &type, err);

        if (r == 0 && !str_eq(type, "layers"))
                r = json_say(&rootfs, err, "is not made of layers");
        if (r == 0)
                r = json_want_array(&ids, JSON_OPTIONAL, err);
        for (size_t i = 0; r == 0 && i < json_count(&ids); i++) {
                struct json_value item = json_item(&ids, i);
                const char *digest = NULL;

                r = json_to_string(&item, JSON_REQUIRED, &digest, err);
                if (r < 0)
                        return r;
                if (!inspect_digest(digest))
                        return json_say(&item, err, "is not a sha256 digest");
                r = strv_add(to, inspect_digest(digest));
                if (r < 0)
                        return error_set(err, r, "read the config");
        }
        return r;
}

int inspect_config(const void *data, size_t size, struct image_config *ret_config,
                   struct strv *ret_diff_ids, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct image_config config = {0};
        struct json_value root, section;
        int r;

        r = json_parse(data, size, NULL, &doc, err);
        if (r < 0)
                return r;
        root = json_root(doc);
        section = json_member(&root, "config");
        r = json_want_object(&root, JSON_REQUIRED, err);
        if (r == 0)
                r = read_strings(&root, &config, outer_strings, ELEMENTS(outer_strings), err);
        if (r == 0)
                r = read_config(&section, &config, err);
        if (r == 0)
                r = read_strings(&section, &config, strings, ELEMENTS(strings), err);
        if (r == 0)
                r = read_diff_ids(&root, ret_diff_ids, err);
        if (r < 0) {
                image_config_release(&config);
                return r;
        }
        *ret_config = config;
        return 0;
}

int inspect_set_diff_ids(struct image_manifest *m, const struct strv *diff_ids,
                         struct coffer_error *err)
{
        if (diff_ids->count != m->layer_count)
                return error_say(err, -EBADMSG, COFFER_ERROR_IMAGE,
                                 "the config has %zu diff ids, the manifest %zu layers",
                                 diff_ids->count, m->layer_count);
        for (size_t i = 0; i < diff_ids->count; i++)
                (void)str_copy(m->layers[i].diff_id, sizeof(m->layers[i].diff_id),
                               diff_ids->items[i]);
        return 0;
}
