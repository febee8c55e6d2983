/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

#define CONF_MAX_BYTES ((size_t)64 * 1024)
#define CONF_MAX_LINES 4096
#define PATH_SHOWN     80 /* bytes of a path in a message */
#define CONF_HINT      "see coffer.conf(5) for what can stand there"
#define NOBODY         65534 /* as whom an id shows that is not mapped here */

/* In which sections a line may stand; what may stand in them is for those to say who read them. */
static const char *const sections[] = {"", "run", "locked"};

void conf_release(struct conf *c)
{
        for (size_t i = 0; i < c->count; i++) {
                free(c->items[i].section);
                free(c->items[i].name);
                free(c->items[i].value);
        }
        free(c->items);
        for (size_t i = 0; i < CONF_PLACES; i++)
                free(c->paths[i]);
        *c = (struct conf){.count = 0};
}

struct conf_where conf_where(const struct conf *c, const struct conf_entry *e)
{
        const char *path = c->paths[e->place];
        size_t size = strlen(path);
        bool is_cut = size > PATH_SHOWN;
        struct conf_where where;

        if (is_cut)
                path += size - PATH_SHOWN;
        while (is_cut && ((unsigned char)*path & 0xc0) == 0x80) /* not within a character */
                path++;
        (void)snprintf(where.text, sizeof(where.text), "line %u of '%s%s'", e->line,
                       is_cut ? "…" : "", path);
        return where;
}

int conf_refuse(const struct conf *c, const struct conf_entry *e, int code,
                struct coffer_error *err, const char *format, ...)
{
        char text[COFFER_ERROR_MSG_MAX];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void)error_say(err, code, COFFER_ERROR_USAGE, "%s: %.200s", conf_where(c, e).text, text);
        error_hint(err, CONF_HINT);
        return code;
}

/* ------------------------------------------------------------------------------------- lines */

struct reading {
        struct conf *conf;
        const char *rest; /* of the text */
        enum conf_place place;
        unsigned line;
        struct coffer_error *err;
        int code;
};

static int refuse_line(struct reading *r, const char *why)
{
        struct conf_entry here = {.place = r->place, .line = r->line};

        r->code = conf_refuse(r->conf, &here, -EINVAL, r->err, "%s", why);
        return 0; /* inih's "no" */
}

/*
 * As fgets(3), for inih, which does not tell its handler the number of a line.  What it would take
 * for the going on of the line before (one that is indented) or for two lines (one that is longer
 * than its buffer) is refused: either might turn into something else than what was meant.
 */
static char *next_line(char *to, int size, void *data)
{
        struct reading *r = data;
        size_t length = strcspn(r->rest, "\n");
        size_t blank = strspn(r->rest, " \t");

        if (*r->rest == '\0' || r->code < 0)
                return NULL;
        r->line++;
        if (length + 2 > (size_t)size) {
                (void)refuse_line(r, "is longer than 197 characters");
                return NULL;
        }
        if (blank > 0 && blank < length && !strchr(";#\r", r->rest[blank])) {
                (void)refuse_line(r, "begins with a blank");
                return NULL;
        }
        memcpy(to, r->rest, length);
        to[length] = '\n';
        to[length + 1] = '\0';
        r->rest += length;
        r->rest += *r->rest == '\n';
        return to;
}

static bool is_section(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(sections); i++)
                if (str_eq(sections[i], name))
                        return true;
        return false;
}

static int handle(void *data, const char *section, const char *name, const char *value)
{
        struct reading *r = data;
        struct conf *c = r->conf;
        struct conf_entry e = {.place = r->place, .line = r->line};
        struct conf_entry *items;

        if (r->code < 0)
                return 0;
        if (!is_section(section)) {
                r->code =
                        conf_refuse(c, &e, -EINVAL, r->err, "there is no section '%.40s'", section);
                return 0;
        }
        if (str_eq(section, "locked") && r->place != CONF_SYSTEM)
                return refuse_line(r, "only " CONF_SYSTEM_PATH " can lock anything");
        if (c->count >= CONF_MAX_LINES)
                return refuse_line(r, "there are too many lines");
        items = realloc(c->items, (c->count + 1) * sizeof(*items));
        if (items)
                c->items = items;
        e.section = strdup(section);
        e.name = strdup(name);
        e.value = strdup(value ? value : "");
        if (items && e.section && e.name && e.value) {
                items[c->count++] = e;
                return 1;
        }
        free(e.section);
        free(e.name);
        free(e.value);
        r->code = error_set(r->err, -ENOMEM, "read '%s'", c->paths[r->place]);
        return 0;
}

static int parse(struct conf *c, enum conf_place place, const char *text, struct coffer_error *err)
{
        struct reading r = {.conf = c, .rest = text, .place = place, .err = err};
        int bad = ini_parse_stream(next_line, &r, handle, &r);

        if (r.code < 0)
                return r.code;
        r.line = (unsigned)bad;
        if (bad != 0)
                (void)refuse_line(&r, "is not NAME = VALUE");
        return r.code;
}

/* ------------------------------------------------------------------------------------- files */

static int say_untrusted(const char *path, const char *what, const char *hint,
                         struct coffer_error *err)
{
        (void)error_say(err, -EPERM, COFFER_ERROR_HOST, "'%s' is not to be trusted: %s", path,
                        what);
        error_hint(err, "%s", hint);
        return -EPERM;
}

/* In a user namespace without root of the host its files show as nobody's. */
static bool is_unmapped(uid_t uid)
{
        cleanup_with(buf_release) struct buf map = BUF_INIT(4096);
        unsigned long inside, outside, count;

        if (uid != NOBODY || buf_read_file(&map, AT_FDCWD, "/proc/self/uid_map") < 0 || !map.data)
                return false;
        return sscanf(map.data, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
               !(inside == 0 && outside == 0 && count > NOBODY);
}

/* @what: "file" or "directory"; who can write the directory can put another file there. */
static int check_owner(const char *path, int fd, uid_t owner, const char *what,
                       struct coffer_error *err)
{
        char text[100];
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_set(err, -errno, "read '%s'", path);
        if (st.st_uid != owner && !(owner == 0 && is_unmapped(st.st_uid))) {
                (void)snprintf(text, sizeof(text), "the %s belongs to user %u, not to root", what,
                               st.st_uid);
                return say_untrusted(path, text, "chown root it: it binds every user of this host",
                                     err);
        }
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
                return 0;
        (void)snprintf(text, sizeof(text), "others than root can write the %s", what);
        return say_untrusted(path, text, "chmod go-w it: it binds every user of this host", err);
}

static int check_directory(const char *path, uid_t owner, struct coffer_error *err)
{
        char dir[PATH_MAX];
        cleanup_close int fd = -EBADF;

        if (str_copy(dir, sizeof(dir), path) < 0 || !strrchr(dir, '/'))
                return error_set(err, -ENAMETOOLONG, "read '%s'", path);
        *strrchr(dir, '/') = '\0';
        fd = sys_open(AT_FDCWD, dir, O_PATH | O_DIRECTORY);
        if (fd < 0)
                return error_set(err, fd, "read '%s'", path);
        return check_owner(path, fd, owner, "directory", err);
}

/* What cannot be read might say anything: it is refused, not left out. */
static int read_place(struct conf *c, enum conf_place place, const char *path, const uid_t *owner,
                      bool must_exist, struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf text = BUF_INIT(CONF_MAX_BYTES);
        cleanup_close int fd = sys_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        int r;

        if ((fd == -ENOENT || fd == -ENOTDIR) && !must_exist)
                return 0;
        c->paths[place] = strdup(path);
        r = fd < 0 ? fd : !c->paths[place] ? -ENOMEM : fstat(fd, &st) < 0 ? -errno : 0;
        /* /dev/null is how one says: nothing of my own. */
        if (r == 0 && !S_ISREG(st.st_mode) && !(place == CONF_USER && S_ISCHR(st.st_mode))) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%s' is not a file", path);
                error_hint(err, CONF_HINT);
                return -EINVAL;
        }
        if (r == 0)
                r = buf_read_fd(&text, fd);
        if (r < 0) {
                (void)error_set(err, r, "read '%s'", path);
                error_hint_path(err, r);
                return r;
        }
        if (owner) {
                r = check_directory(path, *owner, err);
                if (r == 0)
                        r = check_owner(path, fd, *owner, "file", err);
        }
        if (r < 0 || text.size == 0)
                return r;
        if (memchr(text.data, '\0', text.size)) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "'%s' is no text", path);
                error_hint(err, CONF_HINT);
                return -EINVAL;
        }
        return parse(c, place, text.data, err);
}

static int read_both(const struct conf_places *places, bool must_exist, struct conf *ret,
                     struct coffer_error *err)
{
        struct conf c = {.count = 0};
        int r = read_place(&c, CONF_SYSTEM, places->system, &places->owner, false, err);

        if (r == 0 && places->user)
                r = read_place(&c, CONF_USER, places->user, NULL, must_exist, err);
        if (r < 0) {
                conf_release(&c);
                return r;
        }
        *ret = c;
        return 0;
}

int conf_read_places(const struct conf_places *places, struct conf *ret, struct coffer_error *err)
{
        return read_both(places, false, ret, err);
}

int conf_own_path(char *to, size_t size, const char *path)
{
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int n = 0;

        to[0] = '\0';
        if (config && config[0] == '/')
                n = snprintf(to, size, "%s/%s", config, path);
        else if (home && home[0] == '/')
                n = snprintf(to, size, "%s/.config/%s", home, path);
        return (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int conf_read(struct conf *ret, struct coffer_error *err)
{
        const char *given = getenv("COFFER_CONFIG");
        struct conf_places places = {.system = CONF_SYSTEM_PATH};
        char own[PATH_MAX];
        int r = 0;

        if (given && given[0] != '\0') {
                places.user = given;
        } else {
                r = conf_own_path(own, sizeof(own), "coffer/coffer.conf");
                places.user = own[0] != '\0' ? own : NULL;
        }
        if (r < 0)
                return error_set(err, r, "find your coffer.conf");
        return read_both(&places, places.user == given && given, ret, err);
}
