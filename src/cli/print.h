/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rows on standard output, the way --format says:
 *
 *     nothing, or "table"    the command's own table
 *     "table TEMPLATE"       a table with these columns
 *     "json"                 one JSON object a line
 *     TEMPLATE               as it says, one line each
 */

#include <stdbool.h>

#include <coffer/error.h>

#include "cli/template.h"

/**
 * struct print - a listing
 * @format:  what was asked for; NULL: nothing
 * @table:   the template of the command's own table
 * @quiet:   a template that -q stands for; NULL: -q was not given
 * @headers: of columns, ended by a row without a field
 * @rest:    ours
 */
struct print {
        const char *format;
        const char *table;
        const char *quiet;
        const struct template_header *headers;
        struct {
                const char *template; /* NULL: JSON */
                bool is_table;
                struct buf text;
        } rest;
};

/** print_begin() - 0, or -EINVAL when the format is none */
int print_begin(struct print *p, struct coffer_error *err);
/**
 * print_wants() - may the format show this field?
 *
 * So that a row of a long list has what is asked for and no more.
 */
bool print_wants(const struct print *p, const char *field);
/** print_cells() - one row that has nothing but texts; as print_row() else */
int print_cells(struct print *p, const struct template_cell *cells, size_t count,
                struct coffer_error *err);
/** print_row() - one object; tables are kept until the end, all else is written at once */
int print_row(struct print *p, struct jv row, struct coffer_error *err);
/** print_made() - close the JSON object that is being made in @row and print it */
int print_made(struct print *p, struct buf *row, struct coffer_error *err);
/** print_end() - write what was kept and free it */
void print_end(struct print *p);

/** print_table() - write lines with tabs between cells in columns, as Docker spaces them */
void print_table(const char *lines);

/** print_width() - characters, not bytes, of @size bytes of UTF-8 */
size_t print_width(const char *s, size_t size);

/** print_member() - append a JSON string to a row that is being made: ,"key":"value" */
int print_member(struct buf *row, const char *key, const char *value);
