/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

#define WORDS_MAX       4 /* of one action: a function and its arguments */
#define PATH_MAX_BYTES  256
#define CELLS_MAX_BYTES ((size_t)8 * 1024 * 1024) /* of a row; labels may be long */

enum mode { CHECK, RENDER, HEAD };

struct renderer {
        enum mode mode;
        struct jv value;
        const struct template_cell *cells; /* instead of @value, which is made of them if need be */
        size_t cell_count;
        struct buf json;
        bool printable;
        const struct template_header *headers;
        struct buf *to;
        struct coffer_error *err;
};

/* One word of an action, a piece of the template. */
struct word {
        const char *text;
        size_t size;
};

static int refuse(struct renderer *r, const char *what, const struct word *w)
{
        (void)error_say(r->err, -EINVAL, COFFER_ERROR_USAGE, "--format: %s '%.*s'", what,
                        (int)w->size, w->text);
        error_hint(r->err, "use {{.Field}}, {{.Field.Sub}}, {{json .Field}}, {{index .Field "
                           "\"key\"}}, {{len .Field}}, {{upper .Field}} or {{lower .Field}}");
        return -EINVAL;
}

static bool word_is(const struct word *w, const char *s)
{
        return w->size == strlen(s) && memcmp(w->text, s, w->size) == 0;
}

/* Value of .A.B.C; absent ones are an error that names what is there. */
static int look_up(struct renderer *r, const struct word *w, struct jv *ret_value)
{
        struct jv v = r->value, name, item;
        char key[PATH_MAX_BYTES];
        struct buf known = BUF_INIT(COFFER_ERROR_HINT_MAX);
        size_t at = 0;

        for (const char *s = w->text + 1; s < w->text + w->size;) {
                const char *dot = memchr(s, '.', (size_t)(w->text + w->size - s));
                size_t n = (size_t)((dot ? dot : w->text + w->size) - s);
                struct jv member;

                memcpy(key, s, n); /* fits: parse_word() has looked */
                key[n] = '\0';
                member = jv_member(v, key);
                if (!member.text)
                        goto missing;
                v = member;
                s += n + 1;
        }
        *ret_value = v;
        return 0;

missing:
        (void)error_say(r->err, -ENOENT, COFFER_ERROR_OTHER, "--format: there is no field '%.*s'",
                        (int)w->size, w->text);
        if (jv_type(v) == '{')
                while (jv_next(v, &at, &name, &item))
                        (void)buf_printf(&known, " %.*s", (int)name.size - 2, name.text + 1);
        if (known.data)
                error_hint(r->err, "beside it there are:%s", known.data);
        buf_release(&known);
        return -ENOENT;
}

static int append(struct renderer *r, const char *s, size_t size)
{
        size_t start = r->to->size;
        int ret = buf_append(r->to, s, size);

        for (size_t i = start; ret == 0 && r->printable && i < r->to->size; i++)
                if ((unsigned char)r->to->data[i] < 0x20 || r->to->data[i] == 0x7f)
                        r->to->data[i] = '?';
        return ret;
}

/* As Go prints it: strings plain, the rest as JSON. */
static int append_value(struct renderer *r, struct jv v, int (*change)(int))
{
        struct buf b = BUF_INIT(v.size * 3 + 16);
        int ret = jv_type(v) == '"' ? jv_plain(v, &b) : jv_compact(v, &b);

        for (size_t i = 0; change && i < b.size; i++)
                b.data[i] = (char)change((unsigned char)b.data[i]);
        if (ret == 0 && b.size > 0)
                ret = append(r, b.data, b.size);
        buf_release(&b);
        return ret;
}

static int do_print(struct renderer *r, struct jv v, const struct word *key)
{
        return append_value(r, v, NULL);
}

static int do_json(struct renderer *r, struct jv v, const struct word *key)
{
        return jv_compact(v, r->to);
}

static int do_upper(struct renderer *r, struct jv v, const struct word *key)
{
        return append_value(r, v, toupper);
}

static int do_lower(struct renderer *r, struct jv v, const struct word *key)
{
        return append_value(r, v, tolower);
}

static int do_len(struct renderer *r, struct jv v, const struct word *key)
{
        struct buf b = BUF_INIT(v.size + 4);
        size_t n = jv_count(v);
        int ret = 0;

        if (jv_type(v) == '"') {
                ret = jv_plain(v, &b);
                n = b.size;
        }
        buf_release(&b);
        return ret < 0 ? ret : buf_printf(r->to, "%zu", n);
}

static int do_index(struct renderer *r, struct jv v, const struct word *key)
{
        char text[PATH_MAX_BYTES];
        struct jv item = {0};
        uint64_t wanted;
        size_t at = 0;

        if (*key->text == '"') {
                memcpy(text, key->text + 1, key->size - 2);
                text[key->size - 2] = '\0';
                /* A key that a map has not is empty, as in Go. */
                return append_value(r, jv_member(v, text), NULL);
        }
        memcpy(text, key->text, key->size);
        text[key->size] = '\0';
        if (str_to_u64(text, UINT32_MAX, &wanted) < 0)
                return refuse(r, "neither a string nor a number:", key);
        for (uint64_t i = 0; i <= wanted; i++)
                if (!jv_next(v, &at, NULL, &item))
                        return error_say(r->err, -ENOENT, COFFER_ERROR_OTHER,
                                         "--format: there is no item %s", text);
        return append_value(r, item, NULL);
}

static const struct {
        const char *name;
        size_t words;
        int (*render)(struct renderer *r, struct jv v, const struct word *key);
} functions[] = {
        {"json",  2, do_json },
        {"len",   2, do_len  },
        {"upper", 2, do_upper},
        {"lower", 2, do_lower},
        {"index", 3, do_index},
};

static int head(struct renderer *r, const struct word *field)
{
        const char *name = field->text + 1;
        size_t size = field->size - 1;

        for (const struct template_header *h = r->headers; h->field; h++)
                if (strlen(h->field) == size && memcmp(h->field, name, size) == 0)
                        return buf_append_str(r->to, h->header);
        for (size_t i = 0; i < size; i++)
                (void)buf_printf(r->to, "%c", toupper((unsigned char)name[i]));
        return r->to->failed;
}

/* What stands for itself in JSON is the same without it. */
static bool is_plain(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
                        return false;
        return true;
}

/* The text of {{.Key}}; NULL when it takes the row as a value to say it. */
static const char *plain_cell(const struct renderer *r, const struct word *field)
{
        for (size_t i = 0; i < r->cell_count; i++) {
                const char *key = r->cells[i].key;

                if (strncmp(key, field->text + 1, field->size - 1) == 0 &&
                    key[field->size - 1] == '\0')
                        return is_plain(r->cells[i].value) ? r->cells[i].value : NULL;
        }
        return NULL;
}

int template_json(const struct template_cell *cells, size_t count, struct buf *to)
{
        for (size_t i = 0; i < count; i++) {
                (void)buf_append(to, i > 0 ? "," : "{", 1);
                (void)buf_append_json(to, cells[i].key);
                (void)buf_append(to, ":", 1);
                (void)buf_append_json(to, cells[i].value);
        }
        return buf_append_str(to, count > 0 ? "}" : "{}");
}

static int make_value(struct renderer *r)
{
        int ret = r->json.data ? 0 : template_json(r->cells, r->cell_count, &r->json);

        return ret == 0 ? jv_read(r->json.data, r->json.size, &r->value) : ret;
}

/* {{words[0] words[1] …}}, well-formed words. */
static int action(struct renderer *r, const struct word *words, size_t count)
{
        const struct word *field = count == 1 ? &words[0] : &words[1];
        int (*render)(struct renderer *, struct jv, const struct word *) = NULL;
        const char *plain;
        struct jv v;
        int ret;

        if (count == 1 && *words[0].text == '"')
                return r->mode == CHECK ? 0 : append(r, words[0].text + 1, words[0].size - 2);
        if (count == 1 && *words[0].text == '.')
                render = do_print;
        for (size_t i = 0; i < ELEMENTS(functions); i++)
                if (functions[i].words == count && word_is(&words[0], functions[i].name))
                        render = functions[i].render;
        if (!render)
                return refuse(r, "cannot do", &words[0]);
        if (*field->text != '.')
                return refuse(r, "not a field:", field);

        if (r->mode == CHECK)
                return 0;
        if (r->mode == HEAD)
                return head(r, field);
        plain = r->cells && render == do_print ? plain_cell(r, field) : NULL;
        if (plain)
                return buf_append_str(r->to, plain);
        ret = r->cells ? make_value(r) : 0;
        if (ret == 0)
                ret = look_up(r, field, &v);
        return ret < 0 ? ret : render(r, v, count > 2 ? &words[2] : NULL);
}

/* The word at s; returns what follows it, NULL when it is not closed, too long or odd. */
static const char *parse_word(const char *s, const char *end, struct word *w)
{
        w->text = s;
        if (*s == '"') {
                for (s++; s < end && *s != '"' && *s != '\\'; s++)
                        ;
                if (s >= end || *s != '"')
                        return NULL;
                s++;
        } else {
                while (s < end && !isspace((unsigned char)*s) && *s != '"')
                        s++;
        }
        w->size = (size_t)(s - w->text);
        if (w->size >= PATH_MAX_BYTES || w->size == 0)
                return NULL;
        if (*w->text == '.' && w->size > 1 &&
            (w->text[w->size - 1] == '.' || memmem(w->text, w->size, "..", 2)))
                return NULL;
        return s;
}

static int parse_action(struct renderer *r, const char *s, const char *end)
{
        const struct word whole = {s, (size_t)(end - s)};
        struct word words[WORDS_MAX];
        size_t count = 0;

        for (;;) {
                while (s < end && isspace((unsigned char)*s))
                        s++;
                if (s == end)
                        break;
                if (count == WORDS_MAX || !(s = parse_word(s, end, &words[count++])))
                        return refuse(r, "cannot read", &whole);
        }
        if (count == 0)
                return refuse(r, "nothing between", &(struct word){"{{}}", 4});
        return action(r, words, count);
}

/* Text between actions; \t and \n are the two that shells make hard to type. */
static int literal(struct renderer *r, const char *s, const char *end)
{
        if (r->mode == CHECK)
                return 0;
        while (s < end) {
                const char *escape = memchr(s, '\\', (size_t)(end - s));

                if (buf_append(r->to, s, (size_t)((escape ? escape : end) - s)) < 0 || !escape)
                        return r->to->failed;
                s = escape + 1;
                if (s < end && (*s == 't' || *s == 'n'))
                        (void)buf_append(r->to, *s++ == 't' ? "\t" : "\n", 1);
                else
                        (void)buf_append(r->to, escape, 1);
        }
        return r->to->failed;
}

static int walk(struct renderer *r, const char *s)
{
        bool trim = false; /* the action before ended with -}} */

        for (;;) {
                const char *open = strstr(s, "{{");
                const char *text_end = open ? open : s + strlen(s);
                const char *close;
                int ret;

                while (trim && s < text_end && isspace((unsigned char)*s))
                        s++;
                if (open && open[2] == '-' && isspace((unsigned char)open[3]))
                        while (text_end > s && isspace((unsigned char)text_end[-1]))
                                text_end--;
                ret = literal(r, s, text_end);
                if (ret < 0 || !open)
                        return ret;

                close = strstr(open, "}}");
                if (!close)
                        return refuse(r, "not closed:",
                                      &(struct word){open, strnlen(open, PATH_MAX_BYTES)});
                s = close + 2;
                trim = close[-1] == '-' && close - open > 2 && isspace((unsigned char)close[-2]);
                open += open[2] == '-' && isspace((unsigned char)open[3]) ? 3 : 2;
                ret = parse_action(r, open, trim && close > open ? close - 1 : close);
                if (ret < 0)
                        return ret;
        }
}

int template_check(const char *template, struct coffer_error *err)
{
        struct renderer r = {.mode = CHECK, .err = err};

        return walk(&r, template);
}

int template_render(const char *template, struct jv value, bool printable, struct buf *to,
                    struct coffer_error *err)
{
        struct renderer r = {
                .mode = RENDER, .value = value, .printable = printable, .to = to, .err = err};
        int ret = walk(&r, template);

        return ret < 0 && to->failed < 0 ? error_set(err, to->failed, "write the output") : ret;
}

int template_render_cells(const char *template, const struct template_cell *cells, size_t count,
                          bool printable, struct buf *to, struct coffer_error *err)
{
        struct renderer r = {
                .mode = RENDER,
                .cells = cells,
                .cell_count = count,
                .json = BUF_INIT(CELLS_MAX_BYTES),
                .printable = printable,
                .to = to,
                .err = err,
        };
        int ret = walk(&r, template);

        if (ret < 0 && to->failed < 0)
                ret = error_set(err, to->failed, "write the output");
        buf_release(&r.json);
        return ret;
}

int template_head(const char *template, const struct template_header *headers, struct buf *to)
{
        struct renderer r = {.mode = HEAD, .headers = headers, .to = to};

        return walk(&r, template);
}
