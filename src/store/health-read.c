/* SPDX-License-Identifier: Apache-2.0 */
#include "store/health.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "store/state.h"

static int get_probe(const struct json_value *v, struct health_log *to, struct coffer_error *err)
{
        struct health_probe probe = {.start_ns = 0};
        const char *output = "";
        int64_t code = 0;
        int r = json_get_u64(v, "start_ns", JSON_REQUIRED, UINT64_MAX, &probe.start_ns, err);

        if (r == 0)
                r = json_get_u64(v, "end_ns", JSON_REQUIRED, UINT64_MAX, &probe.end_ns, err);
        if (r == 0)
                r = json_get_i64(v, "exit_code", JSON_REQUIRED, -1, 255, &code, err);
        if (r == 0)
                r = json_get_string(v, "output", JSON_REQUIRED, &output, err);
        if (r < 0)
                return r;
        probe.exit_code = (int)code;
        probe.output = strdup(output);
        if (!probe.output)
                return error_set(err, -ENOMEM, "read a probe");
        health_log_add(to, &probe);
        return 0;
}

static int parse(const struct buf *text, struct health_log *to, struct coffer_error *err)
{
        static const struct json_limits limits = {STATE_BYTES_MAX, 4, 64};
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root, probes;
        uint64_t version = 0, streak = 0;
        int r = json_parse(text->data, text->size, &limits, &doc, err);

        if (r < 0)
                return r;
        root = json_root(doc);
        probes = json_member(&root, "log");
        r = json_get_u64(&root, "version", JSON_REQUIRED, 1, &version, err);
        if (r == 0)
                r = json_get_u64(&root, "failing_streak", JSON_REQUIRED, UINT32_MAX, &streak, err);
        if (r == 0)
                r = json_want_array(&probes, JSON_REQUIRED, err);
        to->failing_streak = (uint32_t)streak;
        for (size_t i = 0; r == 0 && i < json_count(&probes); i++) {
                struct json_value probe = json_item(&probes, i);

                r = get_probe(&probe, to, err);
        }
        return r;
}

int health_log_read(int box_dir_fd, struct health_log *ret_log, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(STATE_BYTES_MAX);
        struct health_log log = {.count = 0};
        int r = buf_read_file(&text, box_dir_fd, "health.json");

        if (r < 0)
                return error_set(err, r == -E2BIG ? -EBADMSG : r, "read the probes of the box");
        r = parse(&text, &log, err);
        if (r < 0) {
                health_log_release(&log);
                return r == -ENOMEM ? r : -EBADMSG;
        }
        *ret_log = log;
        return 0;
}
