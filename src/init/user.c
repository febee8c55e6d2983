/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "init/init.h"

/*
 * passwd(5) and group(5) of the image are foreign text.  They are read here, in the confined
 * child that is going to be the process, with nothing but its own rights to lose.
 */
#define FILE_MAX_BYTES (4 * 1024 * 1024)
#define ID_MAX         (UINT32_MAX - 1) /* (uid_t)-1 means "leave it" to setresuid(2) */
#define FIELDS_MAX     7

/* A file that was written to this short a time ago may be once more without a sign of it. */
#define SETTLED_NS 1000000000

static int parse_id(const char *text, uint32_t *ret_id)
{
        uint64_t id;
        int r = str_to_u64(text, ID_MAX, &id);

        if (r == 0)
                *ret_id = (uint32_t)id;
        return r;
}

/* One line split at ':' in place; returns how many fields. */
static size_t split(char *line, char *fields[FIELDS_MAX])
{
        size_t n = 0;

        while (n < FIELDS_MAX) {
                fields[n++] = line;
                line = n < FIELDS_MAX ? strchr(line, ':') : NULL;
                if (!line)
                        break;
                *line++ = '\0';
        }
        return n;
}

struct lines {
        struct buf copy;
        char *next;
};

static int lines_start(struct lines *l, const char *text)
{
        l->copy = BUF_INIT(FILE_MAX_BYTES);
        if (buf_append_str(&l->copy, text ? text : "") < 0)
                return l->copy.failed;
        l->next = l->copy.data;
        return 0;
}

static void lines_release(struct lines *l)
{
        buf_release(&l->copy);
}

static char *lines_next(struct lines *l)
{
        char *line = l->next;
        char *end;

        if (!line || *line == '\0')
                return NULL;
        end = strchr(line, '\n');
        if (end)
                *end++ = '\0';
        l->next = end;
        return line;
}

struct wanted {
        const char *name;  /* as given, before ':' */
        const char *group; /* after ':', or NULL */
        bool numeric;
        uint32_t uid;
};

/* The line of passwd that a name or a number means; found_name is the user's name there. */
static int find_user(const char *passwd, const struct wanted *w, struct user *u, bool *ret_found,
                     char *found_name, size_t name_size)
{
        cleanup_with(lines_release) struct lines l;
        char *line;
        int r = lines_start(&l, passwd);

        *ret_found = false;
        while (r == 0 && (line = lines_next(&l))) {
                char *f[FIELDS_MAX];
                uint32_t uid = 0, gid = 0;

                if (split(line, f) < 6 || parse_id(f[2], &uid) < 0 || parse_id(f[3], &gid) < 0)
                        continue;
                if (!(str_eq(f[0], w->name) || (w->numeric && uid == w->uid)))
                        continue;
                u->uid = uid;
                u->gid = gid;
                if (f[5][0] == '/')
                        (void)str_copy(u->home, sizeof(u->home), f[5]);
                if (str_copy(found_name, name_size, f[0]) < 0)
                        found_name[0] = '\0';
                *ret_found = true;
                return 0;
        }
        return r;
}

static bool is_member(char *members, const char *name)
{
        char *save = NULL;

        for (char *m = strtok_r(members, ",", &save); m; m = strtok_r(NULL, ",", &save))
                if (str_eq(m, name))
                        return true;
        return false;
}

static int add_group(struct user *u, gid_t gid)
{
        for (size_t i = 0; i < u->group_count; i++)
                if (u->groups[i] == gid)
                        return 0;
        if (u->group_count >= USER_GROUPS_MAX)
                return -E2BIG;
        u->groups[u->group_count++] = gid;
        return 0;
}

static int add_memberships(const char *group, const char *name, struct user *u)
{
        cleanup_with(lines_release) struct lines l;
        char *line;
        int r = lines_start(&l, group);

        while (r == 0 && (line = lines_next(&l))) {
                char *f[FIELDS_MAX];
                uint32_t gid = 0;

                if (split(line, f) < 4 || parse_id(f[2], &gid) < 0)
                        continue;
                if (gid != u->gid && is_member(f[3], name))
                        r = add_group(u, gid);
        }
        return r;
}

static int find_group(const char *group, const char *name, gid_t *ret_gid, struct coffer_error *err)
{
        cleanup_with(lines_release) struct lines l;
        char *line;
        int r = lines_start(&l, group);

        if (r < 0)
                return error_set(err, r, "read /etc/group of the box");
        while ((line = lines_next(&l))) {
                char *f[FIELDS_MAX];

                if (split(line, f) >= 3 && str_eq(f[0], name) && parse_id(f[2], ret_gid) == 0)
                        return 0;
        }
        if (parse_id(name, ret_gid) == 0)
                return 0;
        (void)error_say(err, -ENOENT, COFFER_ERROR_USAGE, "no group '%s' in the box", name);
        error_hint(err, "name one of the image's /etc/group, or a number");
        return -ENOENT;
}

static int resolve_user(const struct wanted *w, const char *passwd, const char *group,
                        struct user *u, struct coffer_error *err)
{
        char name[256] = "";
        bool found;
        int r = find_user(passwd, w, u, &found, name, sizeof(name));

        if (r < 0)
                return error_set(err, r, "read /etc/passwd of the box");
        if (!found && !w->numeric) {
                (void)error_say(err, -ENOENT, COFFER_ERROR_USAGE, "no user '%s' in the box",
                                w->name);
                error_hint(err, "name one of the image's /etc/passwd, or a number");
                return -ENOENT;
        }
        if (!found)
                u->uid = w->uid;
        if (w->group)
                return find_group(group, w->group, &u->gid, err);
        if (name[0] != '\0')
                r = add_memberships(group, name, u);
        return r < 0 ? error_set(err, r, "give user '%s' its groups", w->name) : 0;
}

int user_resolve_text(const char *text, const struct strv *groups, const char *passwd,
                      const char *group, struct user *ret_user, struct coffer_error *err)
{
        struct user u = {.home = "/"};
        const char *colon = strchr(text, ':');
        size_t length = colon ? (size_t)(colon - text) : strlen(text);
        char name[256] = "0"; /* "" and ":group" mean root, as in Docker */
        struct wanted w = {.name = name, .group = colon && colon[1] ? colon + 1 : NULL};
        int r;

        if (length >= sizeof(name))
                return error_set(err, -ENAMETOOLONG, "read the user '%.32s…'", text);
        if (length > 0) {
                memcpy(name, text, length);
                name[length] = '\0';
        }
        w.numeric = parse_id(name, &w.uid) == 0;
        r = resolve_user(&w, passwd, group, &u, err);
        for (size_t i = 0; r == 0 && i < groups->count; i++) {
                gid_t gid = 0;

                r = find_group(group, groups->items[i], &gid, err);
                if (r == 0 && add_group(&u, gid) < 0)
                        r = error_set(err, -E2BIG, "add group '%s'", groups->items[i]);
        }
        if (r == 0)
                *ret_user = u;
        return r;
}

static const char *const paths[USER_FILES] = {"/etc/passwd", "/etc/group"};

static struct file_stamp stamp_of(const struct stat *st)
{
        return (struct file_stamp){
                .dev = st->st_dev,
                .ino = st->st_ino,
                .size = (uint64_t)st->st_size,
                .changed_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
        };
}

/* Missing is empty; anything but a regular file (a FIFO would hang us) is refused. */
static int read_file(const char *path, struct buf *to, struct file_stamp *ret_stamp,
                     struct coffer_error *err)
{
        cleanup_close int fd = sys_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        int r;

        *ret_stamp = (struct file_stamp){0};
        if (fd == -ENOENT || fd == -ENOTDIR)
                return buf_append_str(to, "");
        if (fd < 0)
                return error_set(err, fd, "open %s of the box", path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_say(err, -EINVAL, COFFER_ERROR_IMAGE, "%s of the box is not a file",
                                 path);
        *ret_stamp = stamp_of(&st);
        r = buf_read_fd(to, fd);
        if (r == 0)
                r = buf_append_str(to, "");
        return r < 0 ? error_set(err, r, "read %s of the box", path) : 0;
}

static void release(struct buf *b)
{
        buf_release(b);
}

int user_resolve(const char *text, const struct strv *groups, struct user *ret_user,
                 struct file_stamp ret_files[USER_FILES], struct coffer_error *err)
{
        cleanup_with(release) struct buf passwd = BUF_INIT(FILE_MAX_BYTES);
        cleanup_with(release) struct buf group = BUF_INIT(FILE_MAX_BYTES);
        int r = read_file(paths[USER_PASSWD], &passwd, &ret_files[USER_PASSWD], err);

        if (r == 0)
                r = read_file(paths[USER_GROUP], &group, &ret_files[USER_GROUP], err);
        if (r == 0)
                r = user_resolve_text(text, groups, passwd.data, group.data, ret_user, err);
        return r;
}

/* ------------------------------------------------------------------- what was read before */

bool user_make_known(const char *text, const struct user *user,
                     const struct file_stamp files[USER_FILES], struct known_user *ret_known)
{
        struct known_user k = {.user = *user};
        struct timespec now;

        if (str_copy(k.text, sizeof(k.text), text) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
                return false;
        for (size_t i = 0; i < USER_FILES; i++) {
                int64_t age_ns =
                        (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - files[i].changed_ns;

                if (files[i].ino != 0 && age_ns < SETTLED_NS)
                        return false;
                k.files[i] = files[i];
        }
        *ret_known = k;
        return true;
}

/* A symlink is never the file that was read, wherever it leads now. */
static bool is_same_file(const char *path, const struct file_stamp *known)
{
        struct file_stamp stamp = {0};
        struct stat st;

        if (lstat(path, &st) == 0)
                stamp = stamp_of(&st);
        else if (errno != ENOENT && errno != ENOTDIR)
                return false;
        return stamp.dev == known->dev && stamp.ino == known->ino && stamp.size == known->size &&
               stamp.changed_ns == known->changed_ns;
}

bool user_is_known(const struct known_user *known, const char *text, const struct strv *groups)
{
        if (known->user.home[0] == '\0' || groups->count > 0 || !str_eq(known->text, text))
                return false;
        for (size_t i = 0; i < USER_FILES; i++)
                if (!is_same_file(paths[i], &known->files[i]))
                        return false;
        return true;
}

bool user_check_known(const struct known_user *known, size_t size)
{
        return size == sizeof(*known) && memchr(known->text, '\0', sizeof(known->text)) &&
               memchr(known->user.home, '\0', sizeof(known->user.home)) &&
               known->user.group_count <= USER_GROUPS_MAX;
}
