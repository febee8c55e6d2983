/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char *blanks(const char *s, const char *end)
{
        while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'))
                s++;
        return s;
}

static int hex4(const char *s, const char *end)
{
        int value = 0;

        if (end - s < 4)
                return -1;
        for (int i = 0; i < 4; i++) {
                char c = s[i];
                int digit = c >= '0' && c <= '9'   ? c - '0'
                            : c >= 'a' && c <= 'f' ? c - 'a' + 10
                            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                   : -1;

                if (digit < 0)
                        return -1;
                value = value * 16 + digit;
        }
        return value;
}

/* Each of these returns what follows the thing at s, or NULL when there is no such thing. */

static const char *skip_string(const char *s, const char *end)
{
        for (s++; s < end && *s != '"'; s++) {
                if ((unsigned char)*s < 0x20)
                        return NULL;
                if (*s != '\\')
                        continue;
                if (++s >= end || *s == '\0' || !strchr("\"\\/bfnrtu", *s))
                        return NULL;
                if (*s == 'u') {
                        if (hex4(s + 1, end) < 0)
                                return NULL;
                        s += 4;
                }
        }
        return s < end ? s + 1 : NULL;
}

static const char *skip_digits(const char *s, const char *end)
{
        const char *first = s;

        while (s < end && *s >= '0' && *s <= '9')
                s++;
        return s > first ? s : NULL;
}

static const char *skip_number(const char *s, const char *end)
{
        if (*s == '-')
                s++;
        if (s < end && *s == '0')
                s++;
        else
                s = skip_digits(s, end);
        if (s && s < end && *s == '.')
                s = skip_digits(s + 1, end);
        if (s && s < end && (*s == 'e' || *s == 'E')) {
                s++;
                if (s < end && (*s == '+' || *s == '-'))
                        s++;
                s = skip_digits(s, end);
        }
        return s;
}

static const char *skip_word(const char *s, const char *end)
{
        static const char *const words[] = {"true", "false", "null"};

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                size_t n = strlen(words[i]);

                if ((size_t)(end - s) >= n && memcmp(s, words[i], n) == 0)
                        return s + n;
        }
        return NULL;
}

static const char *skip_scalar(const char *s, const char *end)
{
        if (*s == '"')
                return skip_string(s, end);
        if (*s == '-' || (*s >= '0' && *s <= '9'))
                return skip_number(s, end);
        return skip_word(s, end);
}

/* "key" : in front of a member; in an array nothing. */
static const char *skip_key(const char *s, const char *end, char container)
{
        if (container != '{')
                return s;
        if (s >= end || *s != '"')
                return NULL;
        s = skip_string(s, end);
        if (!s)
                return NULL;
        s = blanks(s, end);
        return s < end && *s == ':' ? blanks(s + 1, end) : NULL;
}

static const char *skip_value(const char *s, const char *end)
{
        char open[JV_DEPTH_MAX];
        size_t depth = 0;

        for (;;) {
                if (s >= end)
                        return NULL;
                if (*s == '{' || *s == '[') {
                        char close = *s == '{' ? '}' : ']';

                        if (depth == JV_DEPTH_MAX)
                                return NULL;
                        open[depth] = *s;
                        s = blanks(s + 1, end);
                        if (s >= end || *s != close) {
                                s = skip_key(s, end, open[depth++]);
                                if (!s)
                                        return NULL;
                                continue;
                        }
                        s++;
                } else {
                        s = skip_scalar(s, end);
                        if (!s)
                                return NULL;
                }
                /* Behind a value: close as many as close here, then a comma and the next one. */
                while (depth > 0) {
                        s = blanks(s, end);
                        if (s >= end || *s != (open[depth - 1] == '{' ? '}' : ']'))
                                break;
                        depth--;
                        s++;
                }
                if (depth == 0)
                        return s;
                if (s == end || *s != ',')
                        return NULL;
                s = skip_key(blanks(s + 1, end), end, open[depth - 1]);
                if (!s)
                        return NULL;
        }
}

int jv_read(const char *text, size_t size, struct jv *ret_value)
{
        const char *end = text + size;
        const char *first = blanks(text, end);
        const char *last = skip_value(first, end);

        if (!last || blanks(last, end) != end)
                return -EINVAL;
        *ret_value = (struct jv){first, (size_t)(last - first)};
        return 0;
}

char jv_type(struct jv v)
{
        if (!v.text)
                return '\0';
        if (*v.text == '-' || (*v.text >= '0' && *v.text <= '9'))
                return '0';
        return *v.text;
}

bool jv_next(struct jv v, size_t *at, struct jv *ret_key, struct jv *ret_value)
{
        const char *end = v.text + v.size;
        const char *s, *after;

        if (jv_type(v) != '{' && jv_type(v) != '[')
                return false;
        s = blanks(v.text + (*at ? *at : 1), end);
        if (*s == ',')
                s = blanks(s + 1, end);
        if (*s == '}' || *s == ']')
                return false;

        if (*v.text == '{') {
                after = skip_string(s, end);
                if (!after)
                        return false;
                if (ret_key)
                        *ret_key = (struct jv){s, (size_t)(after - s)};
                s = skip_key(s, end, '{');
        }
        after = s ? skip_value(s, end) : NULL;
        if (!after)
                return false;
        *ret_value = (struct jv){s, (size_t)(after - s)};
        *at = (size_t)(after - v.text);
        return true;
}

size_t jv_count(struct jv v)
{
        struct jv item;
        size_t at = 0, n = 0;

        while (jv_next(v, &at, NULL, &item))
                n++;
        return n;
}

struct jv jv_member(struct jv object, const char *key)
{
        struct jv name, value;
        size_t at = 0;

        if (jv_type(object) == '{')
                while (jv_next(object, &at, &name, &value))
                        if (jv_is(name, key))
                                return value;
        return (struct jv){0};
}

static int append_utf8(uint32_t c, struct buf *to)
{
        char s[4];
        size_t n = 0;

        if (c < 0x80) {
                s[n++] = (char)c;
        } else if (c < 0x800) {
                s[n++] = (char)(0xc0 | c >> 6);
                s[n++] = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
                s[n++] = (char)(0xe0 | c >> 12);
                s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
                s[n++] = (char)(0x80 | (c & 0x3f));
        } else {
                s[n++] = (char)(0xf0 | c >> 18);
                s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
                s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
                s[n++] = (char)(0x80 | (c & 0x3f));
        }
        return buf_append(to, s, n);
}

/* The escape at *at, a backslash; *at moves to its last byte. */
static int append_escape(const char **at, const char *end, struct buf *to)
{
        static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
        const char *s = *at + 1;
        int c, low;

        *at = s;
        if (*s != 'u')
                return buf_append(to, &into[strchr(from, *s) - from], 1);
        c = hex4(s + 1, end);
        *at = s + 4;
        if (c >= 0xd800 && c < 0xdc00 && end - s >= 11 && s[5] == '\\' && s[6] == 'u') {
                low = hex4(s + 7, end);
                if (low >= 0xdc00 && low < 0xe000) {
                        *at = s + 10;
                        return append_utf8(
                                (uint32_t)(0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00)), to);
                }
        }
        return append_utf8(c >= 0xd800 && c < 0xe000 ? 0xfffd : (uint32_t)c, to);
}

int jv_plain(struct jv v, struct buf *to)
{
        const char *end = v.text + v.size - 1;
        int r = 0;

        if (jv_type(v) != '"')
                return v.text ? buf_append(to, v.text, v.size) : 0;
        for (const char *s = v.text + 1; s < end && r == 0; s++)
                r = *s == '\\' ? append_escape(&s, end, to) : buf_append(to, s, 1);
        return r;
}

bool jv_is(struct jv v, const char *s)
{
        struct buf b = BUF_INIT(v.size + 4);
        size_t n = strlen(s);
        bool same;

        if (jv_type(v) != '"')
                return false;
        if (!memchr(v.text, '\\', v.size))
                return v.size == n + 2 && memcmp(v.text + 1, s, n) == 0;
        same = jv_plain(v, &b) == 0 && b.size == n && (n == 0 || memcmp(b.data, s, n) == 0);
        buf_release(&b);
        return same;
}

static int new_line(struct buf *to, unsigned indent)
{
        return buf_printf(to, "\n%*s", (int)indent, "");
}

/* No recursion: the depth is bounded, but the text alone says all that is needed. */
static int print(struct jv v, bool pretty, unsigned indent, struct buf *to)
{
        const char *end = v.text + v.size;
        int r = 0;

        for (const char *s = v.text; s < end && r == 0;) {
                const char *after = s + 1;

                if (*s == '"') {
                        after = skip_string(s, end);
                        r = buf_append(to, s, (size_t)(after - s));
                } else if (!pretty) {
                        if (blanks(s, end) == s)
                                r = buf_append(to, s, 1);
                } else if (*s == '{' || *s == '[') {
                        const char *next = blanks(after, end);

                        r = buf_append(to, s, 1);
                        if (next < end && (*next == '}' || *next == ']')) {
                                r = buf_append(to, next, 1);
                                after = next + 1;
                        } else if (r == 0) {
                                indent += 4;
                                r = new_line(to, indent);
                        }
                } else if (*s == '}' || *s == ']') {
                        indent -= 4;
                        (void)new_line(to, indent);
                        r = buf_append(to, s, 1);
                } else if (*s == ',') {
                        (void)buf_append(to, s, 1);
                        r = new_line(to, indent);
                } else if (*s == ':') {
                        r = buf_append_str(to, ": ");
                } else if (blanks(s, end) == s) {
                        r = buf_append(to, s, 1);
                }
                s = after;
        }
        return r;
}

int jv_pretty(struct jv v, unsigned indent, struct buf *to)
{
        return print(v, true, indent, to);
}

int jv_compact(struct jv v, struct buf *to)
{
        return print(v, false, 0, to);
}

char *jv_dup(struct jv object, const char *key)
{
        struct jv v = jv_member(object, key);
        struct buf b = BUF_INIT(v.size + 4);

        if (!v.text || jv_type(v) == 'n')
                return strdup("");
        if (jv_plain(v, &b) < 0) {
                buf_release(&b);
                return NULL;
        }
        return b.data ? b.data : strdup("");
}

int64_t jv_int(struct jv object, const char *key, int64_t otherwise)
{
        struct jv v = jv_member(object, key);
        char digits[24];
        char *end;
        long long value;

        if (jv_type(v) != '0' || v.size >= sizeof(digits))
                return otherwise;
        memcpy(digits, v.text, v.size);
        digits[v.size] = '\0';
        errno = 0;
        value = strtoll(digits, &end, 10);
        return errno == 0 && *end == '\0' ? value : otherwise;
}

bool jv_true(struct jv object, const char *key)
{
        return jv_type(jv_member(object, key)) == 't';
}
