/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The part of Go's templates that --format needs:
 *
 *     {{.State.Status}}   {{json .Config}}   {{index .Config.Labels "app"}}   {{.}}
 *     {{len .Mounts}}     {{upper .Name}}    {{lower .Name}}     {{"text"}}   {{- … -}}
 *
 * \t and \n stand for tab and line feed.  Anything else between braces is refused by name.
 */

#include <coffer/error.h>
#include <stdbool.h>

#include "base/buf.h"
#include "cli/jv.h"

/**
 * struct template_header - what a field is called in the first line of a table
 * @field:  as in the template, without the dot
 * @header: what stands above it; fields without a row are written in capitals
 */
struct template_header {
        const char *field;
        const char *header;
};

/** template_check() - 0, or -EINVAL with the reason; says nothing about the names of fields */
int template_check(const char *template, struct coffer_error *err);

/**
 * template_render() - fill in one value
 * @template:  passed template_check()
 * @value:     what the fields are taken from
 * @printable: put '?' for control characters in values, so that they break no table
 * @to:        appended to
 * @err:       names a field that is not there, and those that are
 *
 * Return: 0 or a negative errno; -ENOENT: there is no such field.
 */
int template_render(const char *template, struct jv value, bool printable, struct buf *to,
                    struct coffer_error *err);

/**
 * struct template_cell - a field of a row that has nothing but texts
 * @key:   its name
 * @value: never NULL
 */
struct template_cell {
        const char *key;
        const char *value;
};

/** template_json() - the row as a JSON object */
int template_json(const struct template_cell *cells, size_t count, struct buf *to);

/**
 * template_render_cells() - as template_render() of template_json()
 * @template:  passed template_check()
 * @cells:     the row
 * @count:     of cells
 * @printable: as above
 * @to:        appended to
 * @err:       as above
 *
 * No JSON is made where the template only puts texts side by side: a long list does that a
 * thousand times.
 */
int template_render_cells(const char *template, const struct template_cell *cells, size_t count,
                          bool printable, struct buf *to, struct coffer_error *err);

/** template_head() - fill in the headers; the list ends with a row without a field */
int template_head(const char *template, const struct template_header *headers, struct buf *to);
