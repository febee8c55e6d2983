/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that were asked for.  -v and --tmpfs take words, --mount takes keys; both end in the same
 * setters, so that the same rules hold however a mount was written.  A target is checked here for
 * its form only: what lies in the box's root is followed with RESOLVE_IN_ROOT when it is mounted.
 */
#include "spec/mounts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "spec/id.h"
#include "spec/value.h"

#define MODE_DEFAULT 01777
#define MODE_MAX     07777

#define HINT_VOLUME "write [SOURCE:]TARGET[:ro|rw]; a SOURCE that begins with / or . is a directory"
#define HINT_BELOW  "mount it elsewhere, beneath /mnt or /srv"

void mount_release(struct spec_mount *m)
{
        free(m->source);
        free(m->target);
        *m = (struct spec_mount){0};
}

void mount_init(struct spec_mount *m, enum spec_mount_kind kind)
{
        *m = (struct spec_mount){
                .kind = kind,
                .no_exec = kind == SPEC_TMPFS,
                .mode = kind == SPEC_TMPFS ? MODE_DEFAULT : 0,
        };
}

void mounts_release(struct spec_mounts *list)
{
        for (size_t i = 0; i < list->count; i++)
                mount_release(&list->items[i]);
        free(list->items);
        *list = (struct spec_mounts){0};
}

const struct spec_mount *mounts_find(const struct spec_mounts *list, const char *target)
{
        for (size_t i = 0; i < list->count; i++)
                if (str_eq(list->items[i].target, target))
                        return &list->items[i];
        return NULL;
}

int mounts_add(struct spec_mounts *to, struct spec_mount *m, struct coffer_error *err)
{
        struct spec_mount *items;
        int r = 0;

        if (!m->target)
                r = value_refuse(err, -EINVAL, "add target=/PATH", "no target is given", NULL);
        else if (mounts_find(to, m->target))
                r = value_refuse(err, -EEXIST, "give each target once", "there are two mounts at",
                                 m->target);
        else if (to->count >= SPEC_MOUNTS_MAX)
                r = value_refuse(err, -E2BIG, "mount a directory that holds several",
                                 "more than 512 mounts", NULL);
        else if (m->kind == SPEC_BIND && !m->source)
                r = value_refuse(err, -EINVAL, "add source=/DIR or source=./DIR",
                                 "no source is given", NULL);
        if (r < 0) {
                mount_release(m);
                return r;
        }

        items = reallocarray(to->items, to->count + 1, sizeof(*items));
        if (!items) {
                mount_release(m);
                return error_set(err, -ENOMEM, "add a mount");
        }
        to->items = items;
        to->items[to->count++] = *m;
        *m = (struct spec_mount){0};
        return 0;
}

static size_t depth(const struct spec_mount *m)
{
        size_t n = 0;

        for (const char *p = m->target; *p != '\0'; p++)
                n += *p == '/';
        return n;
}

/* By insertion: stable, and the list is short. */
void mounts_sort(struct spec_mounts *list)
{
        for (size_t i = 1; i < list->count; i++) {
                struct spec_mount m = list->items[i];
                size_t at = i;

                for (; at > 0 && depth(&list->items[at - 1]) > depth(&m); at--)
                        list->items[at] = list->items[at - 1];
                list->items[at] = m;
        }
}

/*
 * What may be mounted below the kernel's own trees.  /proc: files that only tell about resources,
 * which lxcfs replaces, as in Docker; anything else there could hide or fake what controls a box.
 * /sys: nothing, it is read-only and masked.  /dev: what is not a device.
 */
static const struct {
        const char *tree;
        const char *allowed; /* itself and, with a '/' at the end, what is beneath */
} guarded[] = {
        {"/proc", "/proc/cpuinfo"  },
        {"/proc", "/proc/diskstats"},
        {"/proc", "/proc/loadavg"  },
        {"/proc", "/proc/meminfo"  },
        {"/proc", "/proc/slabinfo" },
        {"/proc", "/proc/stat"     },
        {"/proc", "/proc/swaps"    },
        {"/proc", "/proc/uptime"   },
        {"/sys",  NULL             },
        {"/dev",  "/dev/shm/"      },
        {"/dev",  "/dev/mqueue"    },
        {"/dev",  "/dev/log"       },
};

static bool is_below(const char *path, const char *tree)
{
        const char *rest = str_after(path, tree);

        return rest && (*rest == '\0' || *rest == '/');
}

static bool is_allowed(const char *path, const char *allowed)
{
        size_t n = strlen(allowed);

        if (allowed[n - 1] == '/')
                return str_after(path, allowed) ||
                       (strlen(path) == n - 1 && str_after(allowed, path));
        return str_eq(path, allowed);
}

static bool is_guarded(const char *path)
{
        bool below = false;

        for (size_t i = 0; i < ELEMENTS(guarded); i++) {
                if (!is_below(path, guarded[i].tree))
                        continue;
                if (guarded[i].allowed && is_allowed(path, guarded[i].allowed))
                        return false;
                below = true;
        }
        return below;
}

bool mount_may_cover(const char *path)
{
        return !str_eq(path, "/") && !is_guarded(path);
}

int mount_set_target(struct spec_mount *m, const char *path, struct coffer_error *err)
{
        cleanup_free char *target = NULL;
        int r;

        r = value_path(path, &target);
        if (r == -ENOMEM)
                return error_set(err, r, "add a mount");
        if (r == -ENOTDIR)
                return value_refuse(err, -EINVAL, "write the path without '..'",
                                    "'..' in the target", path);
        if (r == -ENAMETOOLONG)
                return value_refuse(err, -EINVAL, "use a shorter path",
                                    "the target is longer than 4095 bytes", NULL);
        if (r < 0)
                return value_refuse(err, -EINVAL, "a target begins with '/'",
                                    "the target is not an absolute path:", path);
        if (str_eq(target, "/"))
                return value_refuse(err, -EINVAL, "name the root as the image: dir:PATH",
                                    "nothing can be mounted over", target);
        if (is_guarded(target))
                return value_refuse(err, -EINVAL, HINT_BELOW, "Coffer keeps for itself the target",
                                    target);
        free(m->target);
        m->target = take_ptr(target);
        return 0;
}

int mount_set_source(struct spec_mount *m, const char *source, struct coffer_error *err)
{
        char *copy;

        if (m->kind == SPEC_TMPFS)
                return value_refuse(err, -EINVAL, "leave the source out",
                                    "a tmpfs has no source:", source);
        if (m->kind == SPEC_BIND && source[0] != '/' && source[0] != '.')
                return value_refuse(err, -EINVAL, "write /DIR or ./DIR; a volume is type=volume",
                                    "the source is neither absolute nor begins with '.':", source);
        if (m->kind == SPEC_BIND && strlen(source) > SPEC_PATH_MAX)
                return value_refuse(err, -EINVAL, "use a shorter path",
                                    "the source is longer than 4095 bytes", NULL);
        if (m->kind == SPEC_VOLUME && !spec_is_volume_name(source))
                return value_refuse(err, -EINVAL,
                                    strchr(source, '/') ? "a directory is written /DIR or ./DIR"
                                                        : "use letters, digits, '_', '.' and '-'",
                                    "not a name for a volume:", source);
        copy = strdup(source);
        if (!copy)
                return error_set(err, -ENOMEM, "add a mount");
        free(m->source);
        m->source = copy;
        return 0;
}

/* Numbers of a tmpfs. */
static int set_size(struct spec_mount *m, const char *value)
{
        int r = value_size(value, &m->size_bytes);

        return r < 0 ? r : m->size_bytes == 0 ? -EINVAL : 0;
}

static int set_mode(struct spec_mount *m, const char *value)
{
        uint32_t mode = 0;

        if (*value == '\0' || strlen(value) > 5)
                return -EINVAL;
        for (; *value != '\0'; value++) {
                if (*value < '0' || *value > '7')
                        return -EINVAL;
                mode = mode * 8 + (uint32_t)(*value - '0');
        }
        if (mode > MODE_MAX)
                return -ERANGE;
        m->mode = mode;
        return 0;
}

static int set_inodes(struct spec_mount *m, const char *value)
{
        int r = str_to_u64(value, INT64_MAX, &m->inodes);

        return r < 0 ? r : m->inodes == 0 ? -EINVAL : 0;
}

static int set_owner(uint32_t *to, const char *value)
{
        uint64_t id;
        int r = str_to_u64(value, UINT32_MAX - 1, &id);

        if (r == 0)
                *to = (uint32_t)id;
        return r;
}

static int set_uid(struct spec_mount *m, const char *value)
{
        return set_owner(&m->uid, value);
}

static int set_gid(struct spec_mount *m, const char *value)
{
        return set_owner(&m->gid, value);
}

#define ON(kind)  (1u << (kind))
#define ON_TREES  (ON(SPEC_BIND) | ON(SPEC_VOLUME))
#define ON_ALL    (ON_TREES | ON(SPEC_TMPFS))
#define NO_LABELS "leave it out: Coffer changes no SELinux labels"
#define NO_SHARED "leave it out: mounts never travel between a box and the host"
#define NO_SUID   "leave it out: every mount of a box is nosuid and nodev"

/* Two words of one group contradict or repeat each other. */
enum group { WRITE, EXEC, COPY, SUID, DEV, TRAVEL, DEPTH, SIZE, MODE, INODES, UID, GID };

#define ALWAYS SIZE_MAX /* says what is so anyway */

#define TRUTH(w, on, what)                                                  \
        {                                                                   \
                .word = (w), .kinds = (on), .group = (what), .flag = ALWAYS \
        }
#define REFUSED(w, on, what, h)                                             \
        {                                                                   \
                .word = (w), .kinds = (on), .group = (what), .refused = (h) \
        }
#define NUMBER(w, what, fn)                                                        \
        {                                                                          \
                .word = (w), .kinds = ON(SPEC_TMPFS), .group = (what), .set = (fn) \
        }
#define FLAG(w, on, what, field, is)                                      \
        {                                                                 \
                .word = (w), .kinds = (on), .group = (what),              \
                .flag = offsetof(struct spec_mount, field), .value = (is) \
        }

/* The words of -v and --tmpfs.  A row with a hint is refused. */
static const struct option {
        const char *word; /* ends in '=' when a value follows */
        unsigned kinds;
        enum group group;
        size_t flag;
        bool value;
        int (*set)(struct spec_mount *m, const char *value);
        const char *refused;
} options[] = {
        FLAG("ro", ON_ALL, WRITE, read_only, true),
        FLAG("rw", ON_ALL, WRITE, read_only, false),
        FLAG("noexec", ON_ALL, EXEC, no_exec, true),
        FLAG("exec", ON_ALL, EXEC, no_exec, false),
        FLAG("nocopy", ON(SPEC_VOLUME), COPY, no_copy, true),
        TRUTH("nosuid", ON_ALL, SUID),
        TRUTH("nodev", ON_ALL, DEV),
        TRUTH("private", ON_TREES, TRAVEL),
        TRUTH("rprivate", ON_TREES, TRAVEL),
        TRUTH("rbind", ON(SPEC_BIND), DEPTH),
        NUMBER("size=", SIZE, set_size),
        NUMBER("mode=", MODE, set_mode),
        NUMBER("nr_inodes=", INODES, set_inodes),
        NUMBER("uid=", UID, set_uid),
        NUMBER("gid=", GID, set_gid),
        REFUSED("suid", ON_ALL, SUID, NO_SUID),
        REFUSED("dev", ON_ALL, DEV, NO_SUID),
        REFUSED("z", ON_TREES, TRAVEL, NO_LABELS),
        REFUSED("Z", ON_TREES, TRAVEL, NO_LABELS),
        REFUSED("shared", ON_TREES, TRAVEL, NO_SHARED),
        REFUSED("rshared", ON_TREES, TRAVEL, NO_SHARED),
        REFUSED("slave", ON_TREES, TRAVEL, NO_SHARED),
        REFUSED("rslave", ON_TREES, TRAVEL, NO_SHARED),
};

static const char *const kind_names[] = {"bind", "volume", "tmpfs"};

static const struct option *find_option(const char *word, const char **ret_value)
{
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                size_t n = strlen(options[i].word);
                bool valued = options[i].word[n - 1] == '=';

                if (valued ? strncmp(word, options[i].word, n) != 0
                           : !str_eq(word, options[i].word))
                        continue;
                *ret_value = word + n;
                return &options[i];
        }
        return NULL;
}

int mount_set_option(struct spec_mount *m, const char *word, unsigned *seen,
                     struct coffer_error *err)
{
        const char *value = NULL;
        const struct option *o = find_option(word, &value);

        if (!o || !(o->kinds & ON(m->kind))) {
                (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "a %s has no option '%.80s'",
                                kind_names[m->kind], word);
                error_hint(err, "%s",
                           m->kind == SPEC_TMPFS
                                   ? "ro, exec, size=, mode=, uid=, gid= and nr_inodes= are"
                                   : "ro, rw and noexec are");
                return -EINVAL;
        }
        if (o->refused)
                return value_refuse(err, -ENOTSUP, o->refused, "Coffer has no mount option", word);
        if (*seen & 1u << o->group)
                return value_refuse(err, -EINVAL, "give each option once, and none that contradict",
                                    "a second word on the same thing:", word);
        *seen |= 1u << o->group;

        if (o->set) {
                if (o->set(m, value) < 0)
                        return value_refuse(err, -EINVAL, "e.g. size=64m, mode=1777, uid=1000",
                                            "not a value for this option:", word);
        } else if (o->flag != ALWAYS) {
                *(bool *)((char *)m + o->flag) = o->value;
        }
        return 0;
}

static int set_options(struct spec_mount *m, char *words, struct coffer_error *err)
{
        unsigned seen = 0;
        char *word;
        int r;

        while ((word = strsep(&words, ","))) {
                r = mount_set_option(m, word, &seen, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int mounts_add_tmpfs(struct spec_mounts *to, const char *value, struct coffer_error *err)
{
        cleanup_with(mount_release) struct spec_mount m;
        cleanup_free char *copy = strdup(value);
        char *words = copy;
        int r;

        mount_init(&m, SPEC_TMPFS);
        if (!copy)
                return error_set(err, -ENOMEM, "add a mount");
        r = mount_set_target(&m, strsep(&words, ":"), err);
        if (r < 0)
                return r;
        if (words)
                r = set_options(&m, words, err);
        return r < 0 ? r : mounts_add(to, &m, err);
}

int mounts_add_volume(struct spec_mounts *to, const char *value, struct coffer_error *err)
{
        cleanup_with(mount_release) struct spec_mount m;
        cleanup_free char *copy = strdup(value);
        char *parts[3] = {NULL};
        char *rest = copy;
        size_t count = 0;
        int r;

        mount_init(&m, SPEC_VOLUME);
        if (!copy)
                return error_set(err, -ENOMEM, "add a mount");
        while (rest && count < ELEMENTS(parts))
                parts[count++] = strsep(&rest, ":");
        for (size_t i = 0; i < count; i++)
                if (rest || *parts[i] == '\0')
                        return value_refuse(err, -EINVAL, HINT_VOLUME,
                                            rest ? "more than three parts" : "an empty part", NULL);

        if (count > 1 && (parts[0][0] == '/' || parts[0][0] == '.'))
                mount_init(&m, SPEC_BIND);
        r = mount_set_target(&m, parts[count > 1], err);
        if (r == 0 && count > 1)
                r = mount_set_source(&m, parts[0], err);
        if (r == 0 && count > 2)
                r = set_options(&m, parts[2], err);
        return r < 0 ? r : mounts_add(to, &m, err);
}
