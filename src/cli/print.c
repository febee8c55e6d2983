/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

#define COLUMNS_MAX 32
#define WIDTH_MIN   10 /* of a column, with the blanks behind it */
#define PADDING     3
#define TABLE_MAX   ((size_t)64 * 1024 * 1024)

int print_begin(struct print *p, struct coffer_error *err)
{
        const char *format = p->format ? p->format : "table";
        const char *columns = str_after(format, "table");

        p->rest.text = BUF_INIT(TABLE_MAX);
        p->rest.is_table = columns && (*columns == '\0' || isspace((unsigned char)*columns));
        if (p->rest.is_table) {
                while (isspace((unsigned char)*columns))
                        columns++;
                p->rest.template = *columns ? columns : p->table;
                /* The ids alone, as Docker: -q wins over a table, a template over -q. */
                if (*columns == '\0' && p->quiet) {
                        p->rest.template = p->quiet;
                        p->rest.is_table = false;
                }
        } else if (!str_eq(format, "json")) {
                p->rest.template = format;
        }
        if (p->rest.template && template_check(p->rest.template, err) < 0)
                return -EINVAL;
        if (p->rest.is_table)
                (void)template_head(p->rest.template, p->headers, &p->rest.text);
        return 0;
}

bool print_wants(const struct print *p, const char *field)
{
        const char *template = p->rest.template;

        if (!template || strstr(template, field))
                return true;
        /* A dot without a name is the whole row. */
        for (const char *dot = template; (dot = strchr(dot, '.')); dot++)
                if (!isalpha((unsigned char)dot[1]))
                        return true;
        return false;
}

/* What is no table goes out row by row: somebody may be reading. */
static int end_row(struct print *p, int r)
{
        if (r < 0 || p->rest.is_table)
                return r;
        (void)buf_append(&p->rest.text, "\n", 1);
        if (p->rest.text.data)
                (void)fwrite(p->rest.text.data, 1, p->rest.text.size, stdout);
        buf_consume(&p->rest.text, p->rest.text.size);
        return 0;
}

int print_row(struct print *p, struct jv row, struct coffer_error *err)
{
        if (p->rest.is_table)
                (void)buf_append(&p->rest.text, "\n", 1);
        return end_row(p, p->rest.template ? template_render(p->rest.template, row,
                                                             p->rest.is_table, &p->rest.text, err)
                                           : jv_compact(row, &p->rest.text));
}

int print_cells(struct print *p, const struct template_cell *cells, size_t count,
                struct coffer_error *err)
{
        if (p->rest.is_table)
                (void)buf_append(&p->rest.text, "\n", 1);
        return end_row(p, p->rest.template
                                  ? template_render_cells(p->rest.template, cells, count,
                                                          p->rest.is_table, &p->rest.text, err)
                                  : template_json(cells, count, &p->rest.text));
}

int print_made(struct print *p, struct buf *row, struct coffer_error *err)
{
        struct jv v;
        int r = buf_append(row, "}", 1);

        if (r == 0)
                r = jv_read(row->data, row->size, &v);
        return r < 0 ? error_set(err, r, "make a row") : print_row(p, v, err);
}

void print_end(struct print *p)
{
        if (p->rest.is_table && p->rest.text.data)
                print_table(p->rest.text.data);
        buf_release(&p->rest.text);
}

/* Bytes that go on a character take no place. */
size_t print_width(const char *s, size_t size)
{
        size_t n = 0;

        for (size_t i = 0; i < size; i++)
                n += ((unsigned char)s[i] & 0xc0) != 0x80;
        return n;
}

/* Calls for each cell with whether it is the last one of its line. */
static void each_cell(const char *lines, size_t widths[COLUMNS_MAX], struct buf *to,
                      void (*fn)(const char *s, size_t size, size_t *width, bool last,
                                 struct buf *to))
{
        for (const char *s = lines;;) {
                size_t column = 0, size;

                for (;; s += size + 1) {
                        size = strcspn(s, "\t\n");
                        fn(s, size, &widths[column], s[size] != '\t', to);
                        if (s[size] != '\t')
                                break;
                        if (column + 1 < COLUMNS_MAX)
                                column++;
                }
                if (s[size] == '\0')
                        return;
                s += size + 1;
        }
}

static void measure(const char *s, size_t size, size_t *width, bool last, struct buf *to)
{
        size_t n = print_width(s, size) + PADDING;

        if (!last && n > *width)
                *width = n;
}

static void write_cell(const char *s, size_t size, size_t *width, bool last, struct buf *to)
{
        size_t blanks = last ? 0 : *width - print_width(s, size);
        char *at = buf_space(to, size + blanks + 1);

        if (!at)
                return;
        memcpy(at, s, size);
        memset(at + size, last ? '\n' : ' ', last ? 1 : blanks);
        to->size += size + (last ? 1 : blanks);
}

void print_table(const char *lines)
{
        struct buf out = BUF_INIT(COLUMNS_MAX * TABLE_MAX);
        size_t widths[COLUMNS_MAX];

        for (size_t i = 0; i < COLUMNS_MAX; i++)
                widths[i] = WIDTH_MIN;
        each_cell(lines, widths, NULL, measure);
        (void)buf_space(&out, 2 * strlen(lines)); /* of what there is most, often enough */
        each_cell(lines, widths, &out, write_cell);
        if (out.data)
                (void)fwrite(out.data, 1, out.size, stdout);
        buf_release(&out);
}

int print_member(struct buf *row, const char *key, const char *value)
{
        (void)buf_append(row, row->size > 1 ? "," : "", row->size > 1);
        (void)buf_append_json(row, key);
        (void)buf_append(row, ":", 1);
        return buf_append_json(row, value);
}
