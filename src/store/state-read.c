/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/sys.h"

static void release_buf(struct buf *b)
{
        buf_release(b);
}

static int get_text(const struct json_value *root, const char *key, char *to, size_t size,
                    struct coffer_error *err)
{
        const char *s = "";
        int r = json_get_string(root, key, JSON_OPTIONAL, &s, err);

        if (r < 0)
                return r;
        return str_copy(to, size, s) < 0 ? error_set(err, -EBADMSG, "read %s of a state", key) : 0;
}

static int get_u32(const struct json_value *root, const char *key, uint32_t max, uint32_t *to,
                   struct coffer_error *err)
{
        uint64_t number = 0;
        int r = json_get_u64(root, key, JSON_OPTIONAL, max, &number, err);

        if (r == 0)
                *to = (uint32_t)number;
        return r;
}

static int get_row(const struct json_value *row, struct strv *to, struct coffer_error *err)
{
        const char *control = "", *wanted = "", *state = "", *detail = "";
        int r = json_get_string(row, "control", JSON_REQUIRED, &control, err);

        if (r == 0)
                r = json_get_string(row, "wanted", JSON_OPTIONAL, &wanted, err);
        if (r == 0)
                r = json_get_string(row, "state", JSON_REQUIRED, &state, err);
        if (r == 0)
                r = json_get_string(row, "detail", JSON_OPTIONAL, &detail, err);
        if (r == 0)
                r = strv_addf(to, "%s\t%s\t%s\t%s", control, wanted, state, detail);
        return r;
}

static int get_posture(const struct json_value *root, struct strv *to, struct coffer_error *err)
{
        struct json_value rows = json_member(root, "posture");
        int r = json_want_array(&rows, JSON_OPTIONAL, err);

        if (r == 0 && json_count(&rows) > STATE_POSTURE_MAX)
                r = json_say(&rows, err, "is too long");
        for (size_t i = 0; r == 0 && i < json_count(&rows); i++) {
                struct json_value row = json_item(&rows, i);

                r = get_row(&row, to, err);
        }
        return r;
}

static int get_record(const struct json_value *root, struct box_record *to,
                      struct coffer_error *err)
{
        int r = get_text(root, "state", to->state, sizeof(to->state), err);

        if (r == 0)
                r = get_text(root, "reason", to->reason, sizeof(to->reason), err);
        if (r == 0)
                r = get_text(root, "error", to->error, sizeof(to->error), err);
        if (r == 0)
                r = get_u32(root, "pid", INT32_MAX, &to->pid, err);
        if (r == 0)
                r = json_get_u64(root, "pid_inode", JSON_OPTIONAL, UINT64_MAX, &to->pid_inode, err);
        if (r == 0)
                r = json_get_u64(root, "pid_start", JSON_OPTIONAL, UINT64_MAX, &to->pid_start, err);
        if (r == 0)
                r = json_get_u64(root, "created_ns", JSON_OPTIONAL, UINT64_MAX, &to->created_ns,
                                 err);
        if (r == 0)
                r = json_get_u64(root, "started_ns", JSON_OPTIONAL, UINT64_MAX, &to->started_ns,
                                 err);
        if (r == 0)
                r = json_get_u64(root, "finished_ns", JSON_OPTIONAL, UINT64_MAX, &to->finished_ns,
                                 err);
        if (r == 0)
                r = get_u32(root, "exit_code", 255, &to->exit_code, err);
        if (r == 0)
                r = json_get_bool(root, "oom_killed", JSON_OPTIONAL, &to->oom_killed, err);
        if (r == 0)
                r = json_get_bool(root, "timed_out", JSON_OPTIONAL, &to->timed_out, err);
        if (r == 0)
                r = json_get_bool(root, "stop_asked", JSON_OPTIONAL, &to->stop_asked, err);
        if (r == 0)
                r = get_u32(root, "restart_count", UINT32_MAX, &to->restart_count, err);
        if (r == 0)
                r = get_text(root, "health", to->health, sizeof(to->health), err);
        if (r == 0)
                r = get_posture(root, &to->posture, err);
        return r;
}

int state_parse(const char *text, size_t size, struct box_record *ret_record,
                struct coffer_error *err)
{
        static const struct json_limits limits = {STATE_BYTES_MAX, 4, 1024};
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        cleanup_with(box_record_release) struct box_record record = {0};
        struct json_value root;
        uint64_t version = 0;
        int r = json_parse(text, size, &limits, &doc, err);

        if (r == 0) {
                root = json_root(doc);
                r = json_get_u64(&root, "version", JSON_REQUIRED, UINT32_MAX, &version, err);
        }
        if (r == 0 && version != 1)
                r = error_say(err, -EBADMSG, COFFER_ERROR_VERSION,
                              "the state was written by a newer coffer");
        if (r == 0)
                r = get_record(&root, &record, err);
        if (r == 0 && record.state[0] == '\0')
                r = error_set(err, -EBADMSG, "read a state");
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        *ret_record = record;
        record = (struct box_record){0};
        return 0;
}

int state_read(int box_dir_fd, struct box_record *ret_record, struct coffer_error *err)
{
        cleanup_with(release_buf) struct buf text = BUF_INIT(STATE_BYTES_MAX);
        int r = buf_read_file(&text, box_dir_fd, "state.json");

        if (r < 0)
                return error_set(err, r == -E2BIG ? -EBADMSG : r, "read the state of the box");
        return state_parse(text.data, text.size, ret_record, err);
}
