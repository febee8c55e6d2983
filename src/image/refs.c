/* SPDX-License-Identifier: Apache-2.0 */
#include "image/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "image/message.h"

#define REFS      "images/refs"
#define LINK_SIZE (2 * IMAGE_DIGEST_HEX + 1)
#define REFS_MAX  65536

/* name_parse() has bounded the two together, so that this is a file's name. */
static void dir_name(const struct image_name *name, char *to, size_t size)
{
        (void)snprintf(to, size, "%s@%s", name->host, name->repository);
        for (char *p = to; *p; p++)
                if (*p == '/')
                        *p = '@';
}

static void entry_name(const struct image_name *name, char *to, size_t size)
{
        if (name->digest[0] != '\0')
                (void)snprintf(to, size, "sha256:%s", name->digest);
        else
                (void)snprintf(to, size, "%s", name->tag);
}

static int open_repository(int home_fd, const struct image_name *name)
{
        char dir[NAME_TEXT_MAX], path[NAME_TEXT_MAX + sizeof(REFS)];

        dir_name(name, dir, sizeof(dir));
        (void)snprintf(path, sizeof(path), REFS "/%s", dir);
        return sys_open_beneath(home_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

static int read_entry(int dir_fd, const char *entry, struct image_ref *ret)
{
        char text[LINK_SIZE + 2];
        ssize_t n = readlinkat(dir_fd, entry, text, sizeof(text) - 1);

        if (n < 0)
                return -errno;
        text[n] = '\0';
        if (n != LINK_SIZE || text[IMAGE_DIGEST_HEX] != '.')
                return -EBADMSG;
        text[IMAGE_DIGEST_HEX] = '\0';
        if (!image_is_digest(text) || !image_is_digest(text + IMAGE_DIGEST_HEX + 1))
                return -EBADMSG;
        memcpy(ret->top, text, sizeof(ret->top));
        memcpy(ret->manifest, text + IMAGE_DIGEST_HEX + 1, sizeof(ret->manifest));
        return 0;
}

static int name_entry(const char *entry, struct image_name *name)
{
        const char *hex = str_after(entry, "sha256:");

        name->tag[0] = name->digest[0] = '\0';
        if (hex)
                return image_is_digest(hex) ? str_copy(name->digest, sizeof(name->digest), hex)
                                            : -EINVAL;
        return str_copy(name->tag, sizeof(name->tag), entry);
}

/* Any of the repository that has the digest. */
static int find_digest(int dir_fd, const struct image_name *name, struct image_ref *ret)
{
        int fd = sys_open(dir_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = -ENOENT;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                close_fd(&fd);
                return r;
        }
        while (r < 0 && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && read_entry(dir_fd, entry->d_name, ret) == 0 &&
                    (str_eq(ret->top, name->digest) || str_eq(ret->manifest, name->digest)))
                        r = 0;
        (void)closedir(dir);
        return r;
}

int refs_get(int home_fd, const struct image_name *name, struct image_ref *ret)
{
        cleanup_close int dir_fd = open_repository(home_fd, name);
        char entry[NAME_TAG_MAX + IMAGE_DIGEST_HEX];
        int r;

        if (dir_fd < 0)
                return dir_fd;
        entry_name(name, entry, sizeof(entry));
        r = read_entry(dir_fd, entry, ret);
        if (r == -ENOENT && name->digest[0] != '\0')
                r = find_digest(dir_fd, name, ret);
        if (r == 0) {
                ret->name = *name;
                if (name->digest[0] != '\0')
                        ret->name.tag[0] = '\0';
        }
        return r;
}

static int make_repository(int home_fd, const struct image_name *name)
{
        char dir[NAME_TEXT_MAX];
        cleanup_close int refs_fd = -EBADF;
        int fd;

        if (mkdirat(home_fd, "images", 0700) < 0 && errno != EEXIST)
                return -errno;
        if (mkdirat(home_fd, REFS, 0700) < 0 && errno != EEXIST)
                return -errno;
        refs_fd = sys_open_beneath(home_fd, REFS, O_RDONLY | O_DIRECTORY);
        if (refs_fd < 0)
                return refs_fd;
        dir_name(name, dir, sizeof(dir));
        if (mkdirat(refs_fd, dir, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = sys_open(refs_fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd >= 0 && fsync(refs_fd) < 0) {
                (void)close(fd);
                return -errno;
        }
        return fd;
}

static int try_set(const struct image_ref *ref, int dir_fd)
{
        char entry[NAME_TAG_MAX + IMAGE_DIGEST_HEX], temporary[32], text[LINK_SIZE + 1];
        uint64_t number;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                return -EIO;
        entry_name(&ref->name, entry, sizeof(entry));
        (void)snprintf(temporary, sizeof(temporary), ".%016llx", (unsigned long long)number);
        (void)snprintf(text, sizeof(text), "%s.%s", ref->top, ref->manifest);
        if (symlinkat(text, dir_fd, temporary) < 0)
                return -errno;
        if (renameat(dir_fd, temporary, dir_fd, entry) < 0) {
                int r = -errno;

                (void)unlinkat(dir_fd, temporary, 0);
                return r;
        }
        return fsync(dir_fd) < 0 ? -errno : 0;
}

/* Who removes the last tag removes the directory: then it is made anew. */
int refs_set(int home_fd, const struct image_ref *ref)
{
        int r = -ENOENT;

        for (unsigned i = 0; i < 16 && r == -ENOENT; i++) {
                cleanup_close int dir_fd = make_repository(home_fd, &ref->name);

                r = dir_fd < 0 ? dir_fd : try_set(ref, dir_fd);
        }
        return r;
}

int refs_remove(int home_fd, const struct image_name *name)
{
        cleanup_close int dir_fd = open_repository(home_fd, name);
        cleanup_close int refs_fd = -EBADF;
        char entry[NAME_TAG_MAX + IMAGE_DIGEST_HEX], dir[NAME_TEXT_MAX];

        if (dir_fd < 0)
                return dir_fd;
        entry_name(name, entry, sizeof(entry));
        if (unlinkat(dir_fd, entry, 0) < 0)
                return -errno;
        if (fsync(dir_fd) < 0)
                return -errno;
        dir_name(name, dir, sizeof(dir));
        refs_fd = sys_open_beneath(home_fd, REFS, O_RDONLY | O_DIRECTORY);
        if (refs_fd >= 0)
                (void)unlinkat(refs_fd, dir, AT_REMOVEDIR); /* while nothing else is in it */
        return 0;
}

struct list {
        struct image_ref *refs;
        size_t count, capacity;
};

static int add_ref(struct list *l, const struct image_ref *ref)
{
        if (l->count == l->capacity) {
                size_t capacity = l->capacity ? 2 * l->capacity : 16;
                struct image_ref *more;

                if (l->count >= REFS_MAX)
                        return -E2BIG;
                more = reallocarray(l->refs, capacity, sizeof(*more));
                if (!more)
                        return -ENOMEM;
                l->refs = more;
                l->capacity = capacity;
        }
        l->refs[l->count++] = *ref;
        return 0;
}

/* HOST@PATH@OF@REPOSITORY: a host has no '@', and no component of a repository has one. */
static int split_dir(const char *dir, struct image_name *name)
{
        const char *at = strchr(dir, '@');
        int r;

        if (!at || (size_t)(at - dir) >= sizeof(name->host))
                return -EINVAL;
        memcpy(name->host, dir, (size_t)(at - dir));
        name->host[at - dir] = '\0';
        r = str_copy(name->repository, sizeof(name->repository), at + 1);
        for (char *p = name->repository; r == 0 && *p; p++)
                if (*p == '@')
                        *p = '/';
        return r;
}

static int list_repository(struct list *l, int refs_fd, const char *dir_text)
{
        int fd = sys_open(refs_fd, dir_text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct image_ref ref = {0};
        struct dirent *entry;
        int r = split_dir(dir_text, &ref.name);

        if (!dir) {
                close_fd(&fd);
                return 0; /* its last tag went just now */
        }
        while (r == 0 && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && read_entry(fd, entry->d_name, &ref) == 0 &&
                    name_entry(entry->d_name, &ref.name) == 0)
                        r = add_ref(l, &ref);
        (void)closedir(dir);
        return r == -EINVAL || r == -ENAMETOOLONG ? 0 : r;
}

static int compare(const void *a, const void *b)
{
        const struct image_ref *x = a, *y = b;
        int r = strcmp(x->name.host, y->name.host);

        if (r == 0)
                r = strcmp(x->name.repository, y->name.repository);
        if (r == 0)
                r = strcmp(x->name.tag, y->name.tag);
        return r != 0 ? r : strcmp(x->name.digest, y->name.digest);
}

int refs_list(int home_fd, struct image_ref **ret_refs, size_t *ret_count)
{
        int fd = sys_open_beneath(home_fd, REFS, O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct list l = {.refs = NULL};
        struct dirent *entry;
        int r = 0;

        *ret_refs = NULL;
        *ret_count = 0;
        if (!dir) {
                r = fd < 0 ? fd : -errno;
                close_fd(&fd);
                return r == -ENOENT ? 0 : r;
        }
        while (r == 0 && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        r = list_repository(&l, fd, entry->d_name);
        (void)closedir(dir);
        if (r < 0) {
                free(l.refs);
                return r;
        }
        if (l.count > 0)
                qsort(l.refs, l.count, sizeof(*l.refs), compare);
        *ret_refs = l.refs;
        *ret_count = l.count;
        return 0;
}
