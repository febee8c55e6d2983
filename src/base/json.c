/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

/* Longest place that an error names; a longer one is cut. */
#define PATH_MAX_BYTES 200
#define PATH_MAX_STEPS 64

static const struct json_limits default_limits = {
        .max_bytes = JSON_MAX_BYTES,
        .max_depth = JSON_MAX_DEPTH,
        .max_values = JSON_MAX_VALUES,
};

/*
 * Counts brackets and commas outside strings.  The text may be no JSON at all: then the counts
 * mean nothing, but are still bounds on what the parser can build before it notices.
 */
static int check_limits(const char *data, size_t size, const struct json_limits *limits,
                        struct coffer_error *err)
{
        size_t depth = 0, values = 0;
        bool in_string = false;

        if (size > limits->max_bytes)
                return error_say(err, -E2BIG, COFFER_ERROR_OTHER,
                                 "the JSON text has more than %zu bytes", limits->max_bytes);

        for (size_t i = 0; i < size; i++) {
                char c = data[i];

                if (in_string) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                in_string = false;
                        continue;
                }
                if (c == '"')
                        in_string = true;
                else if (c == '{' || c == '[')
                        depth++;
                else if ((c == '}' || c == ']') && depth > 0)
                        depth--;
                if (c == '{' || c == '[' || c == ',')
                        values++;
                if (depth > limits->max_depth)
                        return error_say(err, -E2BIG, COFFER_ERROR_OTHER,
                                         "the JSON text is nested deeper than %u levels",
                                         limits->max_depth);
                if (values > limits->max_values)
                        return error_say(err, -E2BIG, COFFER_ERROR_OTHER,
                                         "the JSON text has more than %zu values",
                                         limits->max_values);
        }
        return 0;
}

int json_parse(const void *data, size_t size, const struct json_limits *limits,
               struct json_t **ret_doc, struct coffer_error *err)
{
        json_error_t error;
        json_t *doc;
        int r;

        assert(data || size == 0);

        r = check_limits(data, size, limits ? limits : &default_limits, err);
        if (r < 0)
                return r;

        /* Without JSON_ALLOW_NUL the escape \u0000 is refused, so C strings are whole. */
        doc = json_loadb(data ? data : "", size, JSON_REJECT_DUPLICATES, &error);
        if (!doc && json_error_code(&error) == json_error_out_of_memory)
                return error_set(err, -ENOMEM, "read JSON");
        if (!doc)
                return error_say(err, -EINVAL, COFFER_ERROR_OTHER, "line %d, column %d: %s",
                                 error.line, error.column, error.text);

        *ret_doc = doc;
        return 0;
}

struct json_t *json_drop(struct json_t *doc)
{
        json_decref(doc);
        return NULL;
}

void json_seed(void)
{
        json_object_seed(0);
}

struct json_value json_root(const struct json_t *doc)
{
        return (struct json_value){.node = doc};
}

struct json_value json_member(const struct json_value *object, const char *key)
{
        const json_t *node = object->node ? json_object_get(object->node, key) : NULL;

        return (struct json_value){
                .node = json_is_null(node) ? NULL : node,
                .parent = object,
                .key = key,
        };
}

struct json_value json_item(const struct json_value *array, size_t index)
{
        const json_t *node = array->node ? json_array_get(array->node, index) : NULL;

        return (struct json_value){
                .node = json_is_null(node) ? NULL : node,
                .parent = array,
                .index = index,
        };
}

bool json_next(const struct json_value *object, void **iter, struct json_value *ret_member)
{
        /* jansson's iterators want a table that could be changed; we do not. */
        json_t *node = (json_t *)(uintptr_t)object->node;
        const json_t *member;

        if (!json_is_object(node))
                return false;
        *iter = *iter ? json_object_iter_next(node, *iter) : json_object_iter(node);
        if (!*iter)
                return false;

        member = json_object_iter_value(*iter);
        *ret_member = (struct json_value){
                .node = json_is_null(member) ? NULL : member,
                .parent = object,
                .key = json_object_iter_key(*iter),
        };
        return true;
}

bool json_has(const struct json_value *value)
{
        return value->node && !json_is_null(value->node);
}

size_t json_count(const struct json_value *value)
{
        return json_is_array(value->node) ? json_array_size(value->node)
                                          : json_object_size(value->node);
}

void json_path(const struct json_value *value, char *to, size_t size)
{
        const struct json_value *steps[PATH_MAX_STEPS];
        size_t count = 0, used = 0;

        for (; value && value->parent && count < PATH_MAX_STEPS; value = value->parent)
                steps[count++] = value;
        if (count == 0) {
                (void)snprintf(to, size, "the document");
                return;
        }

        to[0] = '\0';
        while (count > 0 && used < size) {
                const struct json_value *step = steps[--count];
                int n = step->key ? snprintf(to + used, size - used, "%s%s", used ? "." : "",
                                             step->key)
                                  : snprintf(to + used, size - used, "[%zu]", step->index);

                used += n > 0 ? (size_t)n : 0;
        }
}

int json_say(const struct json_value *value, struct coffer_error *err, const char *text)
{
        char path[PATH_MAX_BYTES];

        json_path(value, path, sizeof(path));
        return error_say(err, -EINVAL, COFFER_ERROR_OTHER, "%s %s", path, text);
}

/* 1 when the value is there to be looked at, 0 when it may be absent and is. */
static int present(const struct json_value *value, enum json_need need, struct coffer_error *err)
{
        if (json_has(value))
                return 1;
        return need == JSON_REQUIRED ? json_say(value, err, "is missing") : 0;
}

int json_want_object(const struct json_value *value, enum json_need need, struct coffer_error *err)
{
        int r = present(value, need, err);

        if (r <= 0)
                return r;
        return json_is_object(value->node) ? 0 : json_say(value, err, "is not an object");
}

int json_want_array(const struct json_value *value, enum json_need need, struct coffer_error *err)
{
        int r = present(value, need, err);

        if (r <= 0)
                return r;
        return json_is_array(value->node) ? 0 : json_say(value, err, "is not an array");
}

int json_to_string(const struct json_value *value, enum json_need need, const char **ret_string,
                   struct coffer_error *err)
{
        int r = present(value, need, err);

        if (r <= 0)
                return r;
        if (!json_is_string(value->node))
                return json_say(value, err, "is not a string");
        *ret_string = json_string_value(value->node);
        return 0;
}

int json_to_bool(const struct json_value *value, enum json_need need, bool *ret_bool,
                 struct coffer_error *err)
{
        int r = present(value, need, err);

        if (r <= 0)
                return r;
        if (!json_is_boolean(value->node))
                return json_say(value, err, "is not true or false");
        *ret_bool = json_is_true(value->node);
        return 0;
}

int json_to_i64(const struct json_value *value, enum json_need need, int64_t min, int64_t max,
                int64_t *ret_number, struct coffer_error *err)
{
        int r = present(value, need, err);
        char text[80];
        int64_t number;

        if (r <= 0)
                return r;
        if (!json_is_integer(value->node))
                return json_say(value, err, "is not a whole number");
        number = json_integer_value(value->node);
        if (number < min || number > max) {
                (void)snprintf(text, sizeof(text), "is not between %" PRId64 " and %" PRId64, min,
                               max);
                return json_say(value, err, text);
        }
        *ret_number = number;
        return 0;
}

int json_to_u64(const struct json_value *value, enum json_need need, uint64_t max,
                uint64_t *ret_number, struct coffer_error *err)
{
        int64_t number = -1;
        int r;

        /* JSON numbers above INT64_MAX are refused by the parser already. */
        r = json_to_i64(value, need, 0, max > INT64_MAX ? INT64_MAX : (int64_t)max, &number, err);
        if (r < 0)
                return r;
        if (number >= 0)
                *ret_number = (uint64_t)number;
        return 0;
}

int json_to_strv(const struct json_value *value, enum json_need need, struct strv *to,
                 struct coffer_error *err)
{
        int r = json_want_array(value, need, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < json_count(value); i++) {
                struct json_value item = json_item(value, i);
                const char *s = NULL;

                r = json_to_string(&item, JSON_REQUIRED, &s, err);
                if (r < 0)
                        return r;
                r = strv_add(to, s);
                if (r < 0)
                        return error_set(err, r, "read a list of strings");
        }
        return 0;
}

int json_only(const struct json_value *value, const char *const *known, struct coffer_error *err)
{
        struct json_value member;
        void *iter = NULL;

        while (json_next(value, &iter, &member)) {
                size_t i = 0;

                while (known[i] && !str_eq(known[i], member.key))
                        i++;
                if (!known[i])
                        return json_say(&member, err, "is not known");
        }
        return 0;
}

int json_get_string(const struct json_value *object, const char *key, enum json_need need,
                    const char **ret_string, struct coffer_error *err)
{
        struct json_value value = json_member(object, key);

        return json_to_string(&value, need, ret_string, err);
}

int json_get_bool(const struct json_value *object, const char *key, enum json_need need,
                  bool *ret_bool, struct coffer_error *err)
{
        struct json_value value = json_member(object, key);

        return json_to_bool(&value, need, ret_bool, err);
}

int json_get_i64(const struct json_value *object, const char *key, enum json_need need, int64_t min,
                 int64_t max, int64_t *ret_number, struct coffer_error *err)
{
        struct json_value value = json_member(object, key);

        return json_to_i64(&value, need, min, max, ret_number, err);
}

int json_get_u64(const struct json_value *object, const char *key, enum json_need need,
                 uint64_t max, uint64_t *ret_number, struct coffer_error *err)
{
        struct json_value value = json_member(object, key);

        return json_to_u64(&value, need, max, ret_number, err);
}

int json_get_strv(const struct json_value *object, const char *key, enum json_need need,
                  struct strv *to, struct coffer_error *err)
{
        struct json_value value = json_member(object, key);

        return json_to_strv(&value, need, to, err);
}

static int append_text(const char *text, size_t size, void *to)
{
        return buf_append(to, text, size) < 0 ? -1 : 0;
}

int json_write(const struct json_value *value, unsigned indent, struct buf *to)
{
        size_t flags = JSON_ENCODE_ANY | JSON_PRESERVE_ORDER |
                       (indent ? JSON_INDENT(indent) : JSON_COMPACT);

        if (!value->node)
                return buf_append_str(to, "null");
        if (json_dump_callback(value->node, append_text, to, flags) < 0)
                return to->failed < 0 ? to->failed : -ENOMEM;
        return 0;
}
