/* SPDX-License-Identifier: Apache-2.0 */
#include "store/meta.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "store/file.h"

static void release_buf(struct buf *b)
{
        buf_release(b);
}

void box_meta_release(struct box_meta *meta)
{
        free(meta->image);
        free(meta->command);
        strv_release(&meta->labels);
        strv_release(&meta->volumes);
        strv_release(&meta->updates);
        *meta = (struct box_meta){0};
}

static void append_list(struct buf *to, const char *key, const struct strv *list)
{
        (void)buf_printf(to, ",\"%s\":[", key);
        for (size_t i = 0; i < list->count; i++) {
                (void)buf_append_str(to, i > 0 ? "," : "");
                (void)buf_append_json(to, list->items[i]);
        }
        (void)buf_append_str(to, "]");
}

int meta_write(int box_dir_fd, const struct box_meta *meta, unsigned flags)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(META_BYTES_MAX);
        char policy[RESTART_TEXT_MAX];

        (void)buf_append_str(&text, "{\"version\":1,\"image\":");
        (void)buf_append_json(&text, meta->image);
        (void)buf_append_str(&text, ",\"command\":");
        (void)buf_append_json(&text, meta->command);
        (void)buf_printf(&text, ",\"created_ns\":%" PRIu64 ",\"tty\":%s,\"remove\":%s",
                         meta->created_ns, meta->tty ? "true" : "false",
                         meta->remove ? "true" : "false");
        if (meta->restart.kind != RESTART_NO) {
                restart_format(&meta->restart, policy);
                (void)buf_printf(&text, ",\"restart\":\"%s\"", policy);
        }
        append_list(&text, "labels", &meta->labels);
        append_list(&text, "volumes", &meta->volumes);
        if (meta->updates.count > 0)
                append_list(&text, "updates", &meta->updates);
        (void)buf_append_str(&text, "}\n");
        if (text.failed < 0)
                return text.failed;
        return file_replace(box_dir_fd, "meta.json", text.data, text.size, flags);
}

static int get_copy(const struct json_value *root, const char *key, char **ret,
                    struct coffer_error *err)
{
        const char *s;
        int r = json_get_string(root, key, JSON_REQUIRED, &s, err);

        if (r < 0)
                return r;
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

static int get_restart(const struct json_value *root, struct restart_policy *to,
                       struct coffer_error *err)
{
        const char *text = NULL;
        int r = json_get_string(root, "restart", JSON_OPTIONAL, &text, err);

        if (r == 0 && restart_parse(text, to) < 0)
                r = error_set(err, -EBADMSG, "read the restart policy '%.40s'", text);
        return r;
}

static int get_meta(const struct json_value *root, struct box_meta *to, struct coffer_error *err)
{
        int r = get_copy(root, "image", &to->image, err);

        if (r == 0)
                r = get_copy(root, "command", &to->command, err);
        if (r == 0)
                r = json_get_u64(root, "created_ns", JSON_REQUIRED, UINT64_MAX, &to->created_ns,
                                 err);
        if (r == 0)
                r = json_get_bool(root, "tty", JSON_OPTIONAL, &to->tty, err);
        if (r == 0)
                r = json_get_bool(root, "remove", JSON_OPTIONAL, &to->remove, err);
        if (r == 0)
                r = get_restart(root, &to->restart, err);
        if (r == 0)
                r = json_get_strv(root, "labels", JSON_OPTIONAL, &to->labels, err);
        if (r == 0)
                r = json_get_strv(root, "volumes", JSON_OPTIONAL, &to->volumes, err);
        if (r == 0)
                r = json_get_strv(root, "updates", JSON_OPTIONAL, &to->updates, err);
        return r;
}

int meta_read(int box_dir_fd, struct box_meta *ret_meta, struct coffer_error *err)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(META_BYTES_MAX);
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;
        int r = buf_read_file(&text, box_dir_fd, "meta.json");

        if (r < 0)
                return error_set(err, r, "read what is known of the box");
        r = json_parse(text.data, text.size, NULL, &doc, err);
        if (r == 0) {
                root = json_root(doc);
                r = get_meta(&root, &meta, err);
        }
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        *ret_meta = meta;
        meta = (struct box_meta){0};
        return 0;
}
