/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a configuration that spec_to_json() wrote.  Values go through spec_set(), so they are
 * checked as if they had been given anew.  Whatever is left of strictness is one step at the end:
 * the spec is written again, and the two documents must be equal.  So an unknown member, a changed
 * list of masked paths or a second spelling is refused with its place, and no part of the document
 * can say something that is not done.
 */
#include "spec/spec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "spec/base64.h"
#include "spec/mounts.h"
#include "spec/oci.h"

#define DEPTH_MAX    8
#define POINTER_MAX  128
#define PLACE_MAX    200
#define ARGUMENT_MAX 64

static const struct json_limits limits = {
        .max_bytes = SPEC_JSON_MAX_BYTES,
        .max_depth = DEPTH_MAX,
        .max_values = 4 * STRV_MAX,
};

/**
 * struct reader - what is read
 * @s:      where to
 * @root:   the document
 * @coffer: its own section
 * @raw:    the strings that are not UTF-8; absent when there are none
 * @err:    where words go
 */
struct reader {
        struct spec *s;
        struct json_value root;
        struct json_value coffer;
        struct json_value raw;
        struct coffer_error *err;
};

/* RFC 6901, as far as our members go.  False when the place is deeper than we write. */
static bool write_pointer(const struct json_value *v, char *to, size_t size)
{
        const struct json_value *steps[DEPTH_MAX];
        size_t count = 0, used = 0;

        for (; v->parent; v = v->parent) {
                if (count == DEPTH_MAX)
                        return false;
                steps[count++] = v;
        }
        while (count > 0 && used < size) {
                const struct json_value *step = steps[--count];
                int n = step->key ? snprintf(to + used, size - used, "/%s", step->key)
                                  : snprintf(to + used, size - used, "/%zu", step->index);

                used += n > 0 ? (size_t)n : 0;
        }
        return used < size;
}

/* A string, or the bytes that stand for it; NULL when optional and absent. */
static int read_text(const struct reader *rd, const struct json_value *v, enum json_need need,
                     char **ret_text)
{
        char pointer[POINTER_MAX];
        const char *text = NULL, *bytes = NULL;
        int r;

        r = json_to_string(v, need, &text, rd->err);
        if (r < 0 || !text)
                return r;
        if (json_has(&rd->raw) && write_pointer(v, pointer, sizeof(pointer)))
                r = json_get_string(&rd->raw, pointer, JSON_OPTIONAL, &bytes, rd->err);
        if (r < 0)
                return r;
        if (bytes)
                r = base64_decode(bytes, ret_text);
        if (r == -EINVAL)
                return json_say(v, rd->err, "has raw bytes that are not base64");
        if (!bytes)
                r = (*ret_text = strdup(text)) ? 0 : -ENOMEM;
        return r < 0 ? error_set(rd->err, r, "read a string") : 0;
}

/* Puts the place before what spec_set() says. */
static int set(const struct reader *rd, const struct json_value *v, const char *key,
               const char *value)
{
        char place[PLACE_MAX];
        int r = spec_set(rd->s, key, value, rd->err);

        if (r == 0 || r == -ENOMEM)
                return r;
        json_path(v, place, sizeof(place));
        return error_wrap(rd->err, r, "%s", place);
}

static int set_text(const struct reader *rd, const struct json_value *v, const char *key,
                    enum json_need need)
{
        cleanup_free char *text = NULL;
        int r = read_text(rd, v, need, &text);

        return r < 0 || !text ? r : set(rd, v, key, text);
}

static int set_texts(const struct reader *rd, const struct json_value *array, const char *key)
{
        int r = json_want_array(array, JSON_REQUIRED, rd->err);

        for (size_t i = 0; r == 0 && i < json_count(array); i++) {
                struct json_value item = json_item(array, i);

                r = set_text(rd, &item, key, JSON_REQUIRED);
        }
        return r;
}

/* The first ones are the entrypoint's. */
static int read_args(const struct reader *rd, const struct json_value *process)
{
        struct json_value args = json_member(process, "args");
        struct strv *entrypoint = &rd->s->entrypoint.argv;
        uint64_t count = 0;
        int r;

        r = json_get_bool(&rd->coffer, "entrypointSet", JSON_REQUIRED, &rd->s->entrypoint.set,
                          rd->err);
        if (r == 0)
                r = json_get_u64(&rd->coffer, "entrypointCount", JSON_REQUIRED, STRV_MAX, &count,
                                 rd->err);
        if (r == 0)
                r = json_want_array(&args, JSON_REQUIRED, rd->err);
        if (r < 0)
                return r;
        if (count > json_count(&args) || json_count(&args) == 0)
                return json_say(&args, rd->err, "has too few items");

        for (size_t i = 0; r == 0 && i < json_count(&args); i++) {
                struct json_value item = json_item(&args, i);
                char *text = NULL;

                if (i >= count) {
                        r = set_text(rd, &item, "arg", JSON_REQUIRED);
                        continue;
                }
                r = read_text(rd, &item, JSON_REQUIRED, &text);
                if (r == 0 && strv_take(entrypoint, text) < 0)
                        r = error_set(rd->err, -ENOMEM, "read the entrypoint");
        }
        return r;
}

static void limit_to_text(uint64_t limit, char *to, size_t size)
{
        if (limit == OCI_NO_LIMIT)
                (void)snprintf(to, size, "-1");
        else
                (void)snprintf(to, size, "%" PRIu64, limit);
}

static int read_rlimit(const struct reader *rd, const struct json_value *v)
{
        char soft_text[24], hard_text[24], value[ARGUMENT_MAX];
        uint64_t soft = 0, hard = 0;
        const char *type = NULL;
        int r;

        r = json_get_string(v, "type", JSON_REQUIRED, &type, rd->err);
        if (r == 0)
                r = json_get_u64(v, "soft", JSON_REQUIRED, UINT64_MAX, &soft, rd->err);
        if (r == 0)
                r = json_get_u64(v, "hard", JSON_REQUIRED, UINT64_MAX, &hard, rd->err);
        if (r < 0)
                return r;
        limit_to_text(soft, soft_text, sizeof(soft_text));
        limit_to_text(hard, hard_text, sizeof(hard_text));
        if (!str_after(type, "RLIMIT_") || strlen(type) > 20)
                return json_say(v, rd->err, "is not a known type of limit");

        (void)snprintf(value, sizeof(value), "%s=%s:%s", str_after(type, "RLIMIT_"), soft_text,
                       hard_text);
        for (char *p = value; *p != '='; p++)
                *p = (char)tolower((unsigned char)*p);
        return set(rd, v, "ulimit", value);
}

static int read_process(const struct reader *rd)
{
        struct json_value process = json_member(&rd->root, "process");
        struct json_value env = json_member(&process, "env");
        struct json_value cwd = json_member(&process, "cwd");
        struct json_value rlimits = json_member(&process, "rlimits");
        int r;

        r = json_get_bool(&process, "terminal", JSON_REQUIRED, &rd->s->tty, rd->err);
        if (r == 0)
                r = read_args(rd, &process);
        if (r == 0)
                r = set_texts(rd, &env, "env");
        if (r == 0)
                r = set_text(rd, &cwd, "workdir", JSON_REQUIRED);
        for (size_t i = 0; r == 0 && i < json_count(&rlimits); i++) {
                struct json_value item = json_item(&rlimits, i);

                r = read_rlimit(rd, &item);
        }
        return r;
}

static int read_kind(const struct reader *rd, const struct json_value *v,
                     enum spec_mount_kind *ret_kind)
{
        static const char *const types[] = {"bind", "volume", "tmpfs"};
        const char *type = NULL;
        int r = json_get_string(v, "type", JSON_REQUIRED, &type, rd->err);

        for (size_t i = 0; r == 0 && i < ELEMENTS(types); i++) {
                if (!str_eq(types[i], type))
                        continue;
                *ret_kind = (enum spec_mount_kind)i;
                return 0;
        }
        return r < 0 ? r : json_say(v, rd->err, "is of no type that can be asked for");
}

static int read_mount_options(const struct reader *rd, const struct json_value *v,
                              struct spec_mount *m)
{
        struct json_value options = json_member(v, "options");
        unsigned seen = 0;
        int r = json_want_array(&options, JSON_REQUIRED, rd->err);

        for (size_t i = 0; r == 0 && i < json_count(&options); i++) {
                struct json_value item = json_item(&options, i);
                const char *option = NULL;

                r = json_to_string(&item, JSON_REQUIRED, &option, rd->err);
                if (r < 0)
                        return r;
                if (str_eq(option, OCI_FROM_IMAGE) && m->kind == SPEC_VOLUME)
                        m->from_image = true;
                else
                        r = mount_set_option(m, option, &seen, rd->err);
        }
        return r;
}

static int read_mount(const struct reader *rd, const struct json_value *v)
{
        struct json_value destination = json_member(v, "destination");
        struct json_value source_value = json_member(v, "source");
        cleanup_with(mount_release) struct spec_mount m = {0};
        cleanup_free char *source = NULL, *target = NULL;
        enum spec_mount_kind kind = SPEC_BIND;
        char place[PLACE_MAX];
        int r;

        r = read_kind(rd, v, &kind);
        if (r == 0)
                r = read_text(rd, &destination, JSON_REQUIRED, &target);
        if (r == 0)
                r = read_text(rd, &source_value, JSON_REQUIRED, &source);
        if (r < 0)
                return r;

        mount_init(&m, kind);
        r = mount_set_target(&m, target, rd->err);
        if (r == 0 && kind != SPEC_TMPFS && *source != '\0')
                r = mount_set_source(&m, source, rd->err);
        if (r == 0)
                r = read_mount_options(rd, v, &m);
        if (r == 0)
                r = mounts_add(&rd->s->mounts, &m, rd->err);
        if (r == 0 || r == -ENOMEM)
                return r;
        json_path(v, place, sizeof(place));
        return error_wrap(rd->err, r, "%s", place);
}

static int read_mounts(const struct reader *rd)
{
        struct json_value mounts = json_member(&rd->root, "mounts");
        int r = json_want_array(&mounts, JSON_REQUIRED, rd->err);

        for (size_t i = OCI_OWN_MOUNTS; r == 0 && i < json_count(&mounts); i++) {
                struct json_value item = json_item(&mounts, i);

                r = read_mount(rd, &item);
        }
        return r;
}

static int read_resources(const struct reader *rd)
{
        struct json_value section = json_member(&rd->root, "linux");
        struct json_value resources = json_member(&section, "resources");
        struct json_value memory = json_member(&resources, "memory");
        struct json_value cpu = json_member(&resources, "cpu");
        struct json_value pids = json_member(&resources, "pids");
        uint64_t quota = 0;
        int64_t processes = 0;
        int r;

        r = json_get_u64(&memory, "limit", JSON_OPTIONAL, UINT64_MAX, &rd->s->memory_bytes,
                         rd->err);
        if (r == 0)
                r = json_get_u64(&cpu, "quota", JSON_OPTIONAL, UINT64_MAX, &quota, rd->err);
        if (r == 0)
                r = json_get_i64(&pids, "limit", JSON_OPTIONAL, -1, INT64_MAX, &processes, rd->err);
        if (r < 0)
                return r;
        rd->s->cpu_millis = quota / (OCI_CPU_PERIOD_US / 1000);
        rd->s->pids_max = processes < 0 ? SPEC_UNLIMITED : (uint64_t)processes;
        return 0;
}

/* A text or an item for which there is no option. */
static int read_checked(const struct reader *rd, const struct json_value *v,
                        const struct oci_row *row, enum json_need need, char **ret_text)
{
        int r = read_text(rd, v, need, ret_text);

        if (r == 0 && *ret_text && !row->check(*ret_text))
                r = json_say(v, rd->err, "does not have its form");
        return r;
}

static int read_list_row(const struct reader *rd, const struct json_value *v,
                         const struct oci_row *row, struct strv *to)
{
        int r;

        if (row->key)
                return set_texts(rd, v, row->key);
        r = json_want_array(v, JSON_REQUIRED, rd->err);
        for (size_t i = 0; r == 0 && i < json_count(v); i++) {
                struct json_value item = json_item(v, i);
                cleanup_free char *text = NULL;

                r = read_checked(rd, &item, row, JSON_REQUIRED, &text);
                if (r == 0 && strv_add(to, text) < 0)
                        r = error_set(rd->err, -ENOMEM, "read a list");
        }
        return r;
}

static int read_number_row(const struct reader *rd, const struct json_value *v,
                           const struct oci_row *row, void *at)
{
        uint64_t number = 0;
        int r = json_to_u64(v, JSON_REQUIRED, row->max, &number, rd->err);

        if (r < 0)
                return r;
        if (number < row->min)
                return json_say(v, rd->err, "is too small");
        if (row->kind == OCI_U32)
                *(uint32_t *)at = (uint32_t)number;
        else
                *(uint64_t *)at = number;
        return 0;
}

static int read_word_row(const struct reader *rd, const struct json_value *v,
                         const struct oci_row *row, unsigned *to)
{
        const char *word = NULL;
        int r = json_to_string(v, JSON_REQUIRED, &word, rd->err);

        for (unsigned i = 0; r == 0 && row->words[i]; i++) {
                if (!str_eq(row->words[i], word))
                        continue;
                *to = i;
                return 0;
        }
        return r < 0 ? r : json_say(v, rd->err, "is not one of its words");
}

static int read_row(const struct reader *rd, const struct json_value *section,
                    const struct oci_row *row)
{
        struct json_value v = json_member(section, row->member);
        void *at = (char *)rd->s + row->offset;

        switch (row->kind) {
        case OCI_TEXT:
                return row->key ? set_text(rd, &v, row->key, JSON_OPTIONAL)
                                : read_checked(rd, &v, row, JSON_OPTIONAL, at);
        case OCI_LIST:
                return read_list_row(rd, &v, row, at);
        case OCI_BOOL:
                return json_to_bool(&v, JSON_REQUIRED, at, rd->err);
        case OCI_U32:
        case OCI_U64:
                return read_number_row(rd, &v, row, at);
        case OCI_WORD:
        default:
                return read_word_row(rd, &v, row, at);
        }
}

static int read_health(const struct reader *rd)
{
        struct json_value health = json_member(&rd->coffer, "health");
        int r = json_want_object(&health, JSON_OPTIONAL, rd->err);

        if (!json_has(&health))
                return r;
        for (size_t i = 0; r == 0 && i < oci_health_row_count; i++)
                r = read_row(rd, &health, &oci_health_rows[i]);
        return r;
}

static int read_all(const struct reader *rd)
{
        struct json_value root = json_member(&rd->root, "root");
        struct json_value hostname = json_member(&rd->root, "hostname");
        int64_t format = 0;
        int r;

        r = json_get_i64(&rd->coffer, "format", JSON_REQUIRED, OCI_FORMAT, OCI_FORMAT, &format,
                         rd->err);
        if (r == 0)
                r = read_process(rd);
        if (r == 0)
                r = json_get_bool(&root, "readonly", JSON_REQUIRED, &rd->s->read_only, rd->err);
        if (r == 0)
                r = set_text(rd, &hostname, "hostname", JSON_REQUIRED);
        if (r == 0)
                r = read_mounts(rd);
        if (r == 0)
                r = read_resources(rd);
        for (size_t i = 0; r == 0 && i < oci_row_count; i++)
                r = read_row(rd, &rd->coffer, &oci_rows[i]);
        if (r == 0)
                r = read_health(rd);
        return r == 0 ? spec_validate(rd->s, rd->err) : r;
}

/* -EINVAL, with the place, when @read is not what @written is.  DEPTH_MAX bounds the recursion. */
static int compare(const struct json_value *read, const struct json_value *written,
                   struct coffer_error *err)
{
        struct json_value member, other;
        void *iter = NULL;
        int r = 0;

        if (json_is_object(read->node) && json_is_object(written->node)) {
                while (r == 0 && json_next(read, &iter, &member)) {
                        other = json_member(written, member.key);
                        r = json_has(&other) ? compare(&member, &other, err)
                                             : json_say(&member, err, "is not known");
                }
                while (r == 0 && json_next(written, &iter, &member)) {
                        other = json_member(read, member.key);
                        r = json_has(&other) ? 0 : json_say(&other, err, "is missing");
                }
                return r;
        }
        if (json_is_array(read->node) && json_is_array(written->node) &&
            json_count(read) == json_count(written)) {
                for (size_t i = 0; r == 0 && i < json_count(read); i++) {
                        member = json_item(read, i);
                        other = json_item(written, i);
                        r = compare(&member, &other, err);
                }
                return r;
        }
        return json_equal(read->node, written->node)
                       ? 0
                       : json_say(read, err, "is not what follows from the rest");
}

static int check_same(const struct reader *rd)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        cleanup_with(buf_release) struct buf text = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct json_value written;
        int r = spec_to_json(rd->s, &text);

        if (r < 0)
                return error_set(rd->err, r, "write the configuration again");
        r = json_parse(text.data, text.size, &limits, &doc, rd->err);
        if (r < 0)
                return r;
        written = json_root(doc);
        return compare(&rd->root, &written, rd->err);
}

int spec_from_json(const char *text, size_t size, struct spec *s, struct coffer_error *err)
{
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct reader rd = {.s = s, .err = err};
        int r;

        spec_init(s);
        r = json_parse(text, size, &limits, &doc, err);
        if (r == 0) {
                rd.root = json_root(doc);
                rd.coffer = json_member(&rd.root, "coffer");
                rd.raw = json_member(&rd.coffer, "raw");
                r = read_all(&rd);
                if (r == 0)
                        r = check_same(&rd);
        }
        if (r == 0)
                return 0;

        spec_release(s);
        if (r != -ENOMEM && r != -E2BIG)
                r = -EBADMSG;
        if (err)
                err->code = r;
        error_kind(err, COFFER_ERROR_OTHER);
        return r;
}
