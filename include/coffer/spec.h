/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_SPEC_H
#define COFFER_SPEC_H

#include <coffer/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a box, or one more process in it, should be. */
struct coffer_spec;

/**
 * coffer_spec_new() - an empty spec: all defaults
 * @ret_spec: free with coffer_spec_free()
 * @err:      why not; may be NULL
 *
 * Context: any thread.
 *
 * Return: 0 or -ENOMEM.
 */
COFFER_API int coffer_spec_new(struct coffer_spec **ret_spec, struct coffer_error *err);

/**
 * coffer_spec_free() - free a spec
 * @spec: may be NULL
 *
 * Context: any thread.  errno is unchanged.
 *
 * Return: NULL.
 */
COFFER_API struct coffer_spec *coffer_spec_free(struct coffer_spec *spec);

/**
 * coffer_spec_set() - set one field by its name
 * @spec:  the spec
 * @key:   the long option of `coffer run` without its dashes: "memory", "env", "volume"
 * @value: as on the command line; for a switch "true", "false" or NULL for true; copied
 * @err:   what is wrong with the value; may be NULL
 *
 * A field that may be repeated ("env") gets one more value, any other is replaced.  "detach" is a
 * key too, of coffer_exec_start() alone: nobody will read the output of that process, and it ends
 * with the box only.
 *
 * Context: one thread at a time per @spec.
 *
 * Return: 0, or a negative errno:
 *   -ENOENT  there is no such field
 *   -EINVAL  the value is not one for this field
 *   -E2BIG   too many values
 *   -ENOMEM
 */
COFFER_API int coffer_spec_set(struct coffer_spec *spec, const char *key, const char *value,
                               struct coffer_error *err);

/**
 * coffer_spec_set_image() - which root file system
 * @spec:      the spec
 * @reference: "host", "dir:PATH", "oci:DIR[:tag]", "oci-archive:FILE[:tag]" or
 *             "docker-archive:FILE[:tag]"; copied; looked at only by coffer_box_create()
 * @err:       why not; may be NULL
 *
 * Context: one thread at a time per @spec.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
COFFER_API int coffer_spec_set_image(struct coffer_spec *spec, const char *reference,
                                     struct coffer_error *err);

/**
 * coffer_spec_set_terminal_size() - the size of an exec's terminal before its process runs
 * @spec:    the spec; for coffer_exec_start() alone, a box looks at coffer_start_options
 * @rows:    lines; 0: not known
 * @columns: characters a line; 0: not known
 * @err:     why not; may be NULL
 *
 * Context: one thread at a time per @spec.
 *
 * Return: 0 or -EINVAL.
 */
COFFER_API int coffer_spec_set_terminal_size(struct coffer_spec *spec, uint32_t rows,
                                             uint32_t columns, struct coffer_error *err);

/**
 * coffer_spec_set_command() - the command and its arguments, byte for byte
 * @spec: the spec
 * @argv: NULL-terminated; copied; for a box, an empty list means what the image says
 * @err:  why not; may be NULL
 *
 * Context: one thread at a time per @spec.
 *
 * Return: 0, -E2BIG or -ENOMEM.
 */
COFFER_API int coffer_spec_set_command(struct coffer_spec *spec, const char *const *argv,
                                       struct coffer_error *err);

/* Where a field applies. */
#define COFFER_FIELD_BOX      1u  /* to coffer_box_create() */
#define COFFER_FIELD_PROCESS  2u  /* to coffer_exec_start() */
#define COFFER_FIELD_REPEAT   4u  /* setting it again adds a value */
#define COFFER_FIELD_OPTIONAL 8u  /* the value may be left out: "--here" and "--here=ro" */
#define COFFER_FIELD_UPDATE   16u /* to coffer_box_update() */

/**
 * struct coffer_spec_field - one field, for a command line's parser and its help
 * @name:    the key for coffer_spec_set()
 * @metavar: what the value is called ("SIZE"); NULL: a switch without a value
 * @help:    one line
 * @flags:   COFFER_FIELD_*
 * @letter:  the one-letter form on the command line; 0: none
 */
struct coffer_spec_field {
        const char *name;
        const char *metavar;
        const char *help;
        uint32_t flags;
        char letter;
};

/**
 * coffer_spec_fields() - walk the fields
 * @index: from 0
 *
 * Context: any thread.
 *
 * Return: the field, static, or NULL after the last one.
 */
COFFER_API const struct coffer_spec_field *coffer_spec_fields(size_t index);

#ifdef __cplusplus
}
#endif
#endif
