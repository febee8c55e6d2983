/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lib/handle.h"
#include "lib/spec.h"

/* Of a process alone, and of the client alone: no part of what a box is. */
#define DETACH "detach"

#define FIELDS_MAX 128

/* The rows of spec/spec.h through the public struct; constant after the library was loaded. */
static struct coffer_spec_field fields[FIELDS_MAX];
static size_t field_count;

__attribute__((constructor)) static void fill_fields(void)
{
        size_t count;
        const struct spec_field *rows = spec_fields(&count);

        for (const struct spec_field *f = rows; f < rows + count; f++) {
                if (f->kind == SPEC_FIELD_OPERAND)
                        continue;
                assert(field_count < FIELDS_MAX);
                fields[field_count++] = (struct coffer_spec_field){
                        .name = f->key,
                        .metavar = f->arg,
                        .help = f->help,
                        .letter = f->letter,
                        .flags = COFFER_FIELD_BOX | (f->exec ? COFFER_FIELD_PROCESS : 0) |
                                 (f->update ? COFFER_FIELD_UPDATE : 0) |
                                 (f->kind == SPEC_FIELD_APPEND ? COFFER_FIELD_REPEAT : 0) |
                                 (f->kind == SPEC_FIELD_OPTIONAL ? COFFER_FIELD_OPTIONAL : 0),
                };
        }
}

int coffer_spec_new(struct coffer_spec **ret_spec, struct coffer_error *err)
{
        struct coffer_spec *spec;

        REQUIRE(ret_spec, err);
        spec = calloc(1, sizeof(*spec));
        if (!spec)
                return error_set(err, -ENOMEM, "make a spec");
        spec_init(&spec->spec);
        *ret_spec = spec;
        return 0;
}

struct coffer_spec *coffer_spec_free(struct coffer_spec *spec)
{
        if (!spec)
                return NULL;
        spec_release(&spec->spec);
        strv_release(&spec->keys);
        strv_release(&spec->values);
        free(spec);
        return NULL;
}

static int set_detach(struct coffer_spec *spec, const char *value, struct coffer_error *err)
{
        if (!value || str_eq(value, "true") || str_eq(value, "")) {
                spec->detached = true;
                return 0;
        }
        if (str_eq(value, "false")) {
                spec->detached = false;
                return 0;
        }
        return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "--" DETACH " is true or false");
}

int coffer_spec_set(struct coffer_spec *spec, const char *key, const char *value,
                    struct coffer_error *err)
{
        int r;

        REQUIRE(spec && key, err);
        if (str_eq(key, DETACH))
                return set_detach(spec, value, err);
        r = spec_set(&spec->spec, key, value, err);
        if (r < 0) {
                error_kind(err, COFFER_ERROR_USAGE);
                return r;
        }
        r = strv_add(&spec->keys, key);
        if (r == 0)
                r = strv_add(&spec->values, value ? value : "");
        return r < 0 ? error_set(err, r, "set %s", key) : 0;
}

int coffer_spec_set_image(struct coffer_spec *spec, const char *reference, struct coffer_error *err)
{
        REQUIRE(spec && reference, err);
        return coffer_spec_set(spec, "image", reference, err);
}

int coffer_spec_set_terminal_size(struct coffer_spec *spec, uint32_t rows, uint32_t columns,
                                  struct coffer_error *err)
{
        REQUIRE(spec, err);
        REQUIRE(rows <= UINT16_MAX && columns <= UINT16_MAX, err);
        spec->rows = rows;
        spec->columns = columns;
        return 0;
}

int coffer_spec_set_command(struct coffer_spec *spec, const char *const *argv,
                            struct coffer_error *err)
{
        int r = 0;

        REQUIRE(spec && argv, err);
        for (; r == 0 && *argv; argv++)
                r = coffer_spec_set(spec, "arg", *argv, err);
        return r;
}

const struct coffer_spec_field *coffer_spec_fields(size_t index)
{
        return index < field_count ? &fields[index] : NULL;
}

int spec_copy(const struct coffer_spec *from, struct spec *ret_spec, struct coffer_error *err)
{
        struct spec spec;
        int r = 0;

        spec_init(&spec);
        for (size_t i = 0; r == 0 && i < from->keys.count; i++)
                r = spec_set(&spec, from->keys.items[i], from->values.items[i], err);
        if (r < 0) {
                spec_release(&spec);
                return r;
        }
        *ret_spec = spec;
        return 0;
}

int spec_check_process(const struct coffer_spec *spec, struct coffer_error *err)
{
        for (size_t i = 0; i < spec->keys.count; i++) {
                const struct spec_field *f = spec_field_find(spec->keys.items[i]);

                if (!f->exec)
                        return error_say(err, -EINVAL, COFFER_ERROR_USAGE,
                                         "--%s is of a box, not of one more process in it", f->key);
        }
        if (spec->spec.args.count == 0)
                return error_say(err, -EINVAL, COFFER_ERROR_USAGE, "there is no command to run");
        return 0;
}
