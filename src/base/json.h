/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/cleanup.h"
#include "base/str.h"

/*
 * Reading JSON strictly: RFC 8259 only, no duplicate keys, no NUL in strings, integers that fit,
 * and a bound on bytes, depth and number of values that is checked before anything is allocated.
 *
 * What is read is reached through cursors that know where they are, so that every error names its
 * place: "process.args[2] is not a string".  A cursor points at its parent cursor; keep the parent
 * in place while the child is used.
 *
 *      cleanup_with(json_dropp) struct json_t *doc = NULL;
 *      struct json_value root, process;
 *
 *      r = json_parse(data, size, NULL, &doc, err);
 *      root = json_root(doc);
 *      process = json_member(&root, "process");
 *      r = json_get_string(&process, "cwd", JSON_REQUIRED, &cwd, err);
 */

struct json_t; /* jansson's */
struct buf;

/**
 * struct json_limits - what a text may be
 * @max_bytes:  its length
 * @max_depth:  objects and arrays inside each other
 * @max_values: commas and opening brackets, which bounds the memory that the tree takes
 */
struct json_limits {
        size_t max_bytes;
        unsigned max_depth;
        size_t max_values;
};

#define JSON_MAX_BYTES  ((size_t)4 * 1024 * 1024)
#define JSON_MAX_DEPTH  32
#define JSON_MAX_VALUES 65536

/**
 * json_parse() - read one object or array
 * @data:    the text; need not end in NUL
 * @size:    its bytes
 * @limits:  NULL means JSON_MAX_BYTES, JSON_MAX_DEPTH and JSON_MAX_VALUES
 * @ret_doc: the tree; free with json_drop() or cleanup_with(json_dropp)
 * @err:     words for a failure, with line and column; may be NULL
 *
 * Return: 0, -EINVAL (not JSON, or a duplicate key), -E2BIG (a limit), -ENOMEM.
 */
int json_parse(const void *data, size_t size, const struct json_limits *limits,
               struct json_t **ret_doc, struct coffer_error *err);
struct json_t *json_drop(struct json_t *doc);
DEFINE_FREEP(struct json_t, json_drop)

/** json_seed() - seed the hash tables now, for a process about to lose /dev/urandom */
void json_seed(void);

/**
 * struct json_value - a place in a document
 * @node:   what stands there; NULL when nothing does, or null
 * @parent: the cursor that it was reached from; borrowed
 * @key:    the name in @parent when that is an object; borrowed
 * @index:  the position in @parent when that is an array
 */
struct json_value {
        const struct json_t *node;
        const struct json_value *parent;
        const char *key;
        size_t index;
};

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

/** json_root() - the cursor at the top of @doc */
struct json_value json_root(const struct json_t *doc);
/** json_member() - the member @key; absent when @object has none or is not an object */
struct json_value json_member(const struct json_value *object, const char *key);
/** json_item() - the item at @index; absent when @array has none or is not an array */
struct json_value json_item(const struct json_value *array, size_t index);
/** json_next() - walk the members of an object in the order of the text
 * @object: where
 * @iter:   NULL before the first call; ours between calls
 * @ret_member: the next member
 *
 * Return: false after the last member.
 */
bool json_next(const struct json_value *object, void **iter, struct json_value *ret_member);
/** json_has() - whether something other than null stands there */
bool json_has(const struct json_value *value);
/** json_count() - items of an array or members of an object; 0 for all else */
size_t json_count(const struct json_value *value);
/** json_path() - write the place of @value, "a.b[2]", or "the document"; cut when too long */
void json_path(const struct json_value *value, char *to, size_t size);
/** json_say() - -EINVAL with "<place of value> <text>" */
int json_say(const struct json_value *value, struct coffer_error *err, const char *text);

/*
 * Checks.  When nothing stands there (or null), an optional value gives 0 and leaves the output
 * untouched; a required one gives -EINVAL and "x.y is missing".  A wrong type is always -EINVAL.
 */
int json_want_object(const struct json_value *value, enum json_need need, struct coffer_error *err);
int json_want_array(const struct json_value *value, enum json_need need, struct coffer_error *err);
/** json_to_string() - *@ret_string is borrowed from the document */
int json_to_string(const struct json_value *value, enum json_need need, const char **ret_string,
                   struct coffer_error *err);
int json_to_bool(const struct json_value *value, enum json_need need, bool *ret_bool,
                 struct coffer_error *err);
int json_to_i64(const struct json_value *value, enum json_need need, int64_t min, int64_t max,
                int64_t *ret_number, struct coffer_error *err);
int json_to_u64(const struct json_value *value, enum json_need need, uint64_t max,
                uint64_t *ret_number, struct coffer_error *err);
/** json_to_strv() - an array of strings, appended to @to */
int json_to_strv(const struct json_value *value, enum json_need need, struct strv *to,
                 struct coffer_error *err);
/** json_write() - append the text of a value and of all below it, members in their order
 * @value:  what
 * @indent: blanks a level, at most 31; 0: all on one line
 * @to:     where
 *
 * Return: 0, -E2BIG or -ENOMEM.
 */
int json_write(const struct json_value *value, unsigned indent, struct buf *to);

/** json_only() - refuse members of an object that are not in @known
 * @value: an object; anything else passes
 * @known: names, ended by NULL
 * @err:   names the first unknown member
 *
 * Return: 0 or -EINVAL.
 */
int json_only(const struct json_value *value, const char *const *known, struct coffer_error *err);

/* The same for a member in one step. */
int json_get_string(const struct json_value *object, const char *key, enum json_need need,
                    const char **ret_string, struct coffer_error *err);
int json_get_bool(const struct json_value *object, const char *key, enum json_need need,
                  bool *ret_bool, struct coffer_error *err);
int json_get_i64(const struct json_value *object, const char *key, enum json_need need, int64_t min,
                 int64_t max, int64_t *ret_number, struct coffer_error *err);
int json_get_u64(const struct json_value *object, const char *key, enum json_need need,
                 uint64_t max, uint64_t *ret_number, struct coffer_error *err);
int json_get_strv(const struct json_value *object, const char *key, enum json_need need,
                  struct strv *to, struct coffer_error *err);
