/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar-pack.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/tar-write.h"

#define PIECE_BYTES ((size_t)64 * 1024)
#define FLUSH_BYTES ((size_t)128 * 1024)
#define OUT_MAX     (4 * TAR_EXTENDED_MAX)
#define FIRST_LINKS 256

/* A file that has more than one name, and the first of them that went into the archive. */
struct link {
        uint64_t inode;
        uint32_t dev_major, dev_minor;
        uint32_t path_at; /* in packer.link_paths, and one more: 0 is a free place */
};

struct packer {
        const struct tar_pack_spec *spec;
        struct buf out;  /* not yet written */
        struct buf path; /* of what is at hand, as in the archive */
        struct buf xattrs;
        struct tar_entry entry; /* the one being written; here, as it is large */
        struct link *links;     /* owned; open addressing, at most half full */
        size_t link_count, link_capacity;
        struct buf link_paths;
        unsigned depth;
        bool complained;
};

/* A name in a directory and what stands there; the top has the name "" in itself (O_PATH). */
struct item {
        int dir_fd;
        const char *name;
        bool top;
        uint32_t dir_dev_major, dir_dev_minor;
        struct statx st;
};

struct names {
        struct buf text;
        char **sorted; /* owned */
        size_t count;
};

static void names_release(struct names *n)
{
        buf_release(&n->text);
        free(n->sorted);
}

static int look(int fd, const char *name, struct statx *ret_st)
{
        return sys_statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH,
                         STATX_BASIC_STATS, ret_st);
}

static void complain(struct packer *p, const struct coffer_error *err)
{
        p->complained = true;
        if (p->spec->complain)
                p->spec->complain(p->spec->data, err);
}

/* Goes on without it; what has vanished is no loss. */
static int leave_out(struct packer *p, int code)
{
        struct coffer_error err;

        (void)error_set(&err, code, "archive '%.200s'", p->path.data);
        if (code != -ENOENT)
                complain(p, &err);
        return 0;
}

static void tell_short(struct packer *p)
{
        struct coffer_error err;

        (void)error_say(&err, -ENODATA, COFFER_ERROR_OTHER,
                        "archive '%.200s': it became shorter meanwhile; zeros stand for the rest",
                        p->path.data);
        complain(p, &err);
}

static int flush(struct packer *p)
{
        int r = sys_write_all(p->spec->out_fd, p->out.data, p->out.size);

        p->out.size = 0;
        return r;
}

/* 1 when it was written, 0 when it had to be left out. */
static int put_header(struct packer *p)
{
        int r;

        p->entry.path = p->path.data;
        r = tar_write_header(&p->out, &p->entry);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return leave_out(p, r);
        r = p->out.size >= FLUSH_BYTES ? flush(p) : 0;
        return r < 0 ? r : 1;
}

static void describe(struct packer *p, enum tar_type type, const struct statx *st)
{
        struct tar_entry *e = &p->entry;

        e->type = type;
        e->link = "";
        e->mode = st->stx_mode & 07777;
        e->uid = st->stx_uid;
        e->gid = st->stx_gid;
        e->size = 0;
        e->mtime_sec = st->stx_mtime.tv_sec;
        e->mtime_nsec = st->stx_mtime.tv_nsec;
        e->device_major = e->device_minor = 0;
        e->xattr_count = 0;
}

/* --------------------------------------------------------------------------- attributes */

/*
 * user.* is the user's, a capability is what makes some programs work.  user.overlay.* steers an
 * overlay; security.* and trusted.* else belong to the host.
 */
static bool is_wanted(const char *name)
{
        if (str_eq(name, "security.capability"))
                return true;
        return str_after(name, "user.") && !str_after(name, "user.overlay.") && !strchr(name, '=');
}

/* The values lie one after the other in p->xattrs, which must not move while they are pointed at.
 */
static int read_xattrs(struct packer *p, int fd, char *list, size_t size)
{
        struct tar_entry *e = &p->entry;
        char *value;

        p->xattrs.size = 0;
        for (char *name = list; name < list + size; name += strlen(name) + 1) {
                ssize_t n;

                if (!is_wanted(name))
                        continue;
                if (e->xattr_count == TAR_XATTRS_MAX)
                        return -E2BIG;
                if (e->xattr_count == 0 && !buf_space(&p->xattrs, TAR_XATTRS_MAX * TAR_XATTR_MAX))
                        return -ENOMEM;
                value = p->xattrs.data + p->xattrs.size;
                n = fgetxattr(fd, name, value, TAR_XATTR_MAX);
                if (n < 0)
                        continue; /* removed, or a capability of another user namespace */
                e->xattrs[e->xattr_count++] = (struct tar_xattr){name, value, (size_t)n};
                p->xattrs.size += (size_t)n;
        }
        return 0;
}

static int put_header_with_xattrs(struct packer *p, int fd)
{
        char few[256];
        cleanup_free char *many = NULL;
        char *list = few;
        ssize_t n = flistxattr(fd, few, sizeof(few));
        int r;

        if (n < 0 && errno == ERANGE) {
                many = malloc(XATTR_LIST_MAX);
                if (!many)
                        return -ENOMEM;
                list = many;
                n = flistxattr(fd, many, XATTR_LIST_MAX);
        }
        if (n > 0) {
                r = read_xattrs(p, fd, list, (size_t)n);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        (void)leave_out(p, r); /* what does not fit; the file itself goes on */
        }
        return put_header(p);
}

/* --------------------------------------------------------------------------- hard links */

static bool is_file_of(const struct link *l, const struct statx *st)
{
        return l->inode == st->stx_ino && l->dev_major == st->stx_dev_major &&
               l->dev_minor == st->stx_dev_minor;
}

/* Where the file is, or could be. */
static struct link *find_link(struct link *links, size_t capacity, const struct statx *st)
{
        uint64_t hash = (st->stx_ino ^ ((uint64_t)st->stx_dev_minor << 32)) * 0x9e3779b97f4a7c15u;
        size_t at = (size_t)(hash >> 32) & (capacity - 1);

        while (links[at].path_at != 0 && !is_file_of(&links[at], st))
                at = (at + 1) & (capacity - 1);
        return &links[at];
}

static int grow_links(struct packer *p)
{
        size_t capacity = p->link_capacity ? 2 * p->link_capacity : FIRST_LINKS;
        struct link *grown;

        if (2 * p->link_count < p->link_capacity)
                return 0;
        grown = calloc(capacity, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        for (size_t i = 0; i < p->link_capacity; i++) {
                const struct statx key = {
                        .stx_ino = p->links[i].inode,
                        .stx_dev_major = p->links[i].dev_major,
                        .stx_dev_minor = p->links[i].dev_minor,
                };

                if (p->links[i].path_at != 0)
                        *find_link(grown, capacity, &key) = p->links[i];
        }
        free(p->links);
        p->links = grown;
        p->link_capacity = capacity;
        return 0;
}

/* Beyond the maximum, further names of a file become files of their own. */
static int remember_link(struct packer *p, const struct statx *st)
{
        size_t at = p->link_paths.size;
        int r;

        if (p->link_count == TAR_PACK_LINKS_MAX ||
            p->path.size + 1 > TAR_PACK_LINK_BYTES_MAX - p->link_paths.size)
                return 0;
        r = grow_links(p);
        if (r == 0)
                r = buf_append(&p->link_paths, p->path.data, p->path.size + 1);
        if (r < 0)
                return r;
        *find_link(p->links, p->link_capacity, st) = (struct link){
                .inode = st->stx_ino,
                .dev_major = st->stx_dev_major,
                .dev_minor = st->stx_dev_minor,
                .path_at = (uint32_t)at + 1,
        };
        p->link_count++;
        return 0;
}

static const char *linked_path(const struct packer *p, const struct statx *st)
{
        const struct link *l;

        if (st->stx_nlink < 2 || p->link_count == 0)
                return NULL;
        l = find_link(p->links, p->link_capacity, st);
        return l->path_at != 0 ? p->link_paths.data + l->path_at - 1 : NULL;
}

/* -------------------------------------------------------------------------------- files */

/* Never waits for the other end of a FIFO, and never makes a terminal ours. */
static int open_item(const struct packer *p, const struct item *it, int flags)
{
        const struct tar_pack_spec *s = p->spec;

        flags |= O_RDONLY | O_NONBLOCK | O_NOCTTY;
        if (!it->top)
                return sys_open(it->dir_fd, it->name, flags | O_NOFOLLOW);
        return sys_openat2(s->dir_fd, s->path, flags | (s->follow ? 0 : O_NOFOLLOW), 0, s->resolve);
}

/* As many bytes as the header said: zeros for those that are missing by now. */
static int put_content(struct packer *p, int fd, uint64_t size)
{
        uint64_t left = size;
        bool ended = false;
        int r = 0;

        while (r == 0 && left > 0) {
                size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
                char *to = buf_space(&p->out, want);
                ssize_t n;

                if (!to)
                        return p->out.failed;
                n = ended ? 0 : sys_read(fd, to, want);
                if (n <= 0) {
                        if (n < 0)
                                (void)leave_out(p, (int)n);
                        else if (!ended)
                                tell_short(p);
                        ended = true;
                        memset(to, 0, want);
                        n = (ssize_t)want;
                }
                p->out.size += (size_t)n;
                left -= (uint64_t)n;
                if (p->out.size >= FLUSH_BYTES)
                        r = flush(p);
        }
        return r < 0 ? r : tar_write_padding(&p->out, size);
}

static int pack_file(struct packer *p, const struct item *it)
{
        cleanup_close int fd = open_item(p, it, 0);
        const char *linked;
        struct statx st;
        int r = fd < 0 ? fd : look(fd, "", &st);

        if (r == 0 && !S_ISREG(st.stx_mode))
                r = -ESTALE; /* something else took its place */
        if (r < 0)
                return leave_out(p, r);

        linked = linked_path(p, &st);
        describe(p, linked ? TAR_HARDLINK : TAR_FILE, &st);
        if (linked) {
                p->entry.link = linked;
                return put_header(p);
        }
        p->entry.size = st.stx_size;
        r = put_header_with_xattrs(p, fd);
        if (r <= 0)
                return r;
        r = put_content(p, fd, st.stx_size);
        return r == 0 && st.stx_nlink > 1 ? remember_link(p, &st) : r;
}

static int pack_symlink(struct packer *p, const struct item *it)
{
        char target[TAR_PATH_MAX + 1];
        ssize_t n = readlinkat(it->dir_fd, it->name, target, sizeof(target));

        if (n < 0)
                return leave_out(p, -errno);
        if ((size_t)n == sizeof(target))
                return leave_out(p, -ENAMETOOLONG);
        target[n] = '\0';
        describe(p, TAR_SYMLINK, &it->st);
        p->entry.link = target;
        return put_header(p);
}

static int pack_special(struct packer *p, const struct item *it)
{
        mode_t mode = it->st.stx_mode;

        if (S_ISSOCK(mode))
                return 0;
        describe(p,
                 S_ISFIFO(mode)  ? TAR_FIFO
                 : S_ISCHR(mode) ? TAR_CHAR
                                 : TAR_BLOCK_DEVICE,
                 &it->st);
        if (!S_ISFIFO(mode)) {
                p->entry.device_major = it->st.stx_rdev_major;
                p->entry.device_minor = it->st.stx_rdev_minor;
        }
        return put_header(p);
}

/* -------------------------------------------------------------------------- directories */

static int compare_names(const void *left, const void *right)
{
        return strcmp(*(char *const *)left, *(char *const *)right);
}

static int sort_names(struct names *n)
{
        char *name = n->text.data;

        if (n->count == 0)
                return 0;
        n->sorted = calloc(n->count, sizeof(*n->sorted));
        if (!n->sorted)
                return -ENOMEM;
        for (size_t i = 0; i < n->count; i++, name += strlen(name) + 1)
                n->sorted[i] = name;
        qsort(n->sorted, n->count, sizeof(*n->sorted), compare_names);
        return 0;
}

static int read_names(int dir_fd, struct names *n)
{
        cleanup_close int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
        struct dirent *d;
        DIR *dir;
        int r = 0;

        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return -errno;
        (void)take_fd(&fd);
        while (r == 0) {
                errno = 0;
                d = readdir(dir);
                if (!d)
                        break;
                if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
                        continue;
                r = buf_append(&n->text, d->d_name, strlen(d->d_name) + 1);
                n->count++;
        }
        if (r == 0)
                r = -errno;
        (void)closedir(dir);
        return r < 0 ? r : sort_names(n);
}

static bool is_mount(const struct item *it)
{
        if (it->top)
                return false;
        if (it->st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
                return it->st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
        return S_ISDIR(it->st.stx_mode) && (it->st.stx_dev_major != it->dir_dev_major ||
                                            it->st.stx_dev_minor != it->dir_dev_minor);
}

/* File systems whose files are the kernel's words, not anybody's data. */
static bool is_of_the_kernel(int fd)
{
        static const uint32_t types[] = {
                PROC_SUPER_MAGIC, SYSFS_MAGIC,         CGROUP_SUPER_MAGIC,
                DEBUGFS_MAGIC,    CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
                TRACEFS_MAGIC,    SECURITYFS_MAGIC,    BPF_FS_MAGIC,
        };
        struct statfs st;

        if (fstatfs(fd, &st) < 0)
                return true;
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if ((uint32_t)st.f_type == types[i])
                        return true;
        return false;
}

static int pack_item(struct packer *p, const struct item *it);

static int pack_children(struct packer *p, int fd, const struct statx *st)
{
        cleanup_with(names_release) struct names names = {.text = BUF_INIT(TAR_PACK_NAMES_MAX)};
        struct item it = {
                .dir_fd = fd,
                .dir_dev_major = st->stx_dev_major,
                .dir_dev_minor = st->stx_dev_minor,
        };
        size_t mark = p->path.size;
        int r = p->depth == TAR_PACK_DEPTH_MAX ? -ELOOP : read_names(fd, &names);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return leave_out(p, r);
        p->depth++;
        for (size_t i = 0; r == 0 && i < names.count; i++) {
                it.name = names.sorted[i];
                r = buf_append_str(&p->path, it.name);
                if (r < 0)
                        break;
                r = look(fd, it.name, &it.st);
                r = r < 0 ? leave_out(p, r) : pack_item(p, &it);
                p->path.size = mark;
                p->path.data[mark] = '\0';
        }
        p->depth--;
        return r;
}

static int pack_dir(struct packer *p, const struct item *it)
{
        bool mount = is_mount(it);
        bool enter = !(mount && p->spec->one_mount);
        cleanup_close int fd = enter ? open_item(p, it, O_DIRECTORY) : -EBADF;
        struct statx st = it->st;
        int r = enter && fd >= 0 ? look(fd, "", &st) : 0;

        if (r < 0)
                return leave_out(p, r);
        if (p->path.size > 0) {
                r = buf_append_str(&p->path, "/");
                describe(p, TAR_DIR, &st);
                if (r == 0)
                        r = fd < 0 ? put_header(p) : put_header_with_xattrs(p, fd);
        }
        if (r < 0 || !enter)
                return r;
        if (fd < 0)
                return leave_out(p, fd);
        return (mount || it->top) && is_of_the_kernel(fd) ? 0 : pack_children(p, fd, &st);
}

/* 0 or, when the archive cannot go on, a negative errno. */
static int pack_item(struct packer *p, const struct item *it)
{
        mode_t mode = it->st.stx_mode;
        int r;

        if (p->path.size > TAR_PATH_MAX - 1)
                return leave_out(p, -ENAMETOOLONG);
        if (S_ISDIR(mode)) {
                r = pack_dir(p, it);
        } else if (p->spec->one_mount && is_mount(it)) {
                describe(p, TAR_FILE, &it->st);
                r = put_header(p);
        } else if (S_ISREG(mode)) {
                r = pack_file(p, it);
        } else if (S_ISLNK(mode)) {
                r = pack_symlink(p, it);
        } else {
                r = pack_special(p, it);
        }
        return r < 0 ? r : 0;
}

static int pack(struct packer *p, struct coffer_error *err)
{
        const struct tar_pack_spec *s = p->spec;
        cleanup_close int fd = sys_openat2(s->dir_fd, s->path,
                                           O_PATH | (s->follow ? 0 : O_NOFOLLOW), 0, s->resolve);
        struct item it = {.dir_fd = fd, .name = "", .top = true};
        int r = fd < 0 ? fd : look(fd, "", &it.st);

        if (r < 0)
                return error_set(err, r, "open '%.200s'", s->path);
        if (s->name[0] == '\0' && !S_ISDIR(it.st.stx_mode))
                return error_set(err, -ENOTDIR, "open '%.200s'", s->path);
        r = buf_append_str(&p->path, s->name);
        if (r == 0)
                r = pack_item(p, &it);
        if (r == 0)
                r = tar_write_end(&p->out);
        if (r == 0)
                r = flush(p);
        return r < 0 ? error_set(err, r, "write the archive") : p->complained;
}

int tar_pack(const struct tar_pack_spec *spec, struct coffer_error *err)
{
        struct packer p = {
                .spec = spec,
                .out = BUF_INIT(OUT_MAX),
                .path = BUF_INIT((size_t)2 * TAR_PATH_MAX),
                .xattrs = BUF_INIT((size_t)2 * TAR_XATTRS_MAX * TAR_XATTR_MAX),
                .link_paths = BUF_INIT(TAR_PACK_LINK_BYTES_MAX),
        };
        int r;

        assert(spec && spec->path && spec->name);
        r = pack(&p, err);
        buf_release(&p.out);
        buf_release(&p.path);
        buf_release(&p.xattrs);
        buf_release(&p.link_paths);
        free(p.links);
        return r;
}
