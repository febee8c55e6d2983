/* SPDX-License-Identifier: Apache-2.0 */
#include "store/claim.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

#define TRIES 100 /* of a claim that others keep taking and losing */

static bool is_id(const char *s)
{
        return strlen(s) == BOX_ID_CHARS && strspn(s, ID_ALPHABET) == BOX_ID_CHARS;
}

static int read_link(int dir_fd, const char *name, char ret_id[BOX_ID_CHARS + 1])
{
        char target[BOX_ID_CHARS + 2];
        ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

        if (n < 0)
                return errno == EINVAL ? -EBADMSG : -errno;
        if (n != BOX_ID_CHARS)
                return -EBADMSG;
        target[n] = '\0';
        if (!is_id(target))
                return -EBADMSG;
        memcpy(ret_id, target, BOX_ID_CHARS + 1);
        return 0;
}

/*
 * Held for a few system calls, never while anything slow runs.  The directory itself is locked, so
 * that claims can be released where there is no room for another file.
 */
static int lock(const struct home *home, int *ret_fd)
{
        int fd = sys_open(home->names_fd, ".", O_RDONLY | O_DIRECTORY);
        int r;

        if (fd < 0)
                return fd;
        do
                r = flock(fd, LOCK_EX);
        while (r < 0 && errno == EINTR);
        if (r < 0) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static bool is_stale(const struct home *home, const char *owner)
{
        struct stat st;

        return fstatat(home->boxes_fd, owner, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* Under the lock nobody else removes claims; new ones can only appear where none is. */
static int drop_if(const struct home *home, int dir_fd, const char *name, const char *owner)
{
        char current[BOX_ID_CHARS + 1];
        cleanup_close int lock_fd = -EBADF;
        int r = lock(home, &lock_fd);

        if (r < 0)
                return r;
        r = read_link(dir_fd, name, current);
        if (r == 0 && str_eq(current, owner) && unlinkat(dir_fd, name, 0) < 0)
                r = -errno;
        return r == -ENOENT ? 0 : r;
}

/* 0; -EEXIST: somebody has it, who is written to @ret_owner. */
static int take(const struct home *home, int dir_fd, const char *name, const char *id,
                char ret_owner[BOX_ID_CHARS + 1])
{
        for (int i = 0; i < TRIES; i++) {
                int r;

                if (symlinkat(id, dir_fd, name) == 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
                r = read_link(dir_fd, name, ret_owner);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                if (!is_stale(home, ret_owner))
                        return -EEXIST;
                r = drop_if(home, dir_fd, name, ret_owner);
                if (r < 0)
                        return r;
        }
        return -EAGAIN;
}

int claim_name(const struct home *home, const char *name, const char *id, struct coffer_error *err)
{
        char owner[BOX_ID_CHARS + 1];
        int r = take(home, home->names_fd, name, id, owner);

        if (r == -EEXIST) {
                (void)error_say(err, r, COFFER_ERROR_EXISTS, "the name '%s' is taken by box %s",
                                name, owner);
                error_hint(err, "choose another name, or `coffer rm %s`", name);
        } else if (r < 0) {
                (void)error_set(err, r, "claim the name '%s'", name);
        }
        return r;
}

int claim_index(const struct home *home, uint32_t count, const char *id, uint32_t *ret_index,
                struct coffer_error *err)
{
        char owner[BOX_ID_CHARS + 1];
        uint32_t first = 0;

        assert(count > 0 && count < CLAIM_NO_INDEX);

        /* Begin anywhere, so that many boxes started at once do not all try the same. */
        for (const char *p = id; *p != '\0'; p++)
                first = first * 31 + (uint8_t)*p;

        for (uint32_t i = 0; i < count; i++) {
                uint32_t index = (uint32_t)(((uint64_t)first + i) % count);
                char name[11];
                int r;

                (void)snprintf(name, sizeof(name), "%u", index);
                r = take(home, home->ids_fd, name, id, owner);
                if (r == 0) {
                        *ret_index = index;
                        return 0;
                }
                if (r != -EEXIST)
                        return error_set(err, r, "claim a range of ids");
        }
        (void)error_say(err, -ENOSPC, COFFER_ERROR_HOST, "all %u ranges of ids are taken by boxes",
                        count);
        error_hint(err, "remove boxes that are not needed: `coffer ps -a` lists all");
        return -ENOSPC;
}

int claim_lookup(const struct home *home, const char *name, char ret_id[BOX_ID_CHARS + 1])
{
        return read_link(home->names_fd, name, ret_id);
}

int claims_write(int box_dir_fd, const struct claims *claims)
{
        char text[BOX_NAME_MAX + 16];

        if (claims->index == CLAIM_NO_INDEX)
                (void)snprintf(text, sizeof(text), ":%s", claims->name);
        else
                (void)snprintf(text, sizeof(text), "%u:%s", claims->index, claims->name);

        if (symlinkat(text, box_dir_fd, "claims") == 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        (void)unlinkat(box_dir_fd, ".claims", 0);
        if (symlinkat(text, box_dir_fd, ".claims") < 0)
                return -errno;
        return renameat(box_dir_fd, ".claims", box_dir_fd, "claims") < 0 ? -errno : 0;
}

static int read_claims(int dir_fd, const char *path, struct claims *ret_claims)
{
        struct claims c = {.index = CLAIM_NO_INDEX};
        char text[BOX_NAME_MAX + 16];
        uint64_t index = CLAIM_NO_INDEX;
        ssize_t n = readlinkat(dir_fd, path, text, sizeof(text) - 1);
        char *colon;

        if (n < 0)
                return errno == EINVAL ? -EBADMSG : -errno;
        text[n] = '\0';
        colon = strchr(text, ':');
        if (!colon)
                return -EBADMSG;
        *colon = '\0';
        if (text[0] != '\0' && str_to_u64(text, CLAIM_NO_INDEX - 1, &index) < 0)
                return -EBADMSG;
        if (colon[1] == '.' || strchr(colon + 1, '/') ||
            str_copy(c.name, sizeof(c.name), colon + 1) < 0)
                return -EBADMSG;
        c.index = (uint32_t)index;
        *ret_claims = c;
        return 0;
}

int claims_read(int box_dir_fd, struct claims *ret_claims)
{
        return read_claims(box_dir_fd, "claims", ret_claims);
}

int claims_read_at(int boxes_fd, const char *id, struct claims *ret_claims)
{
        char path[BOX_ID_CHARS + sizeof("/claims")];

        (void)snprintf(path, sizeof(path), "%.*s/claims", BOX_ID_CHARS, id);
        return read_claims(boxes_fd, path, ret_claims);
}

static int restore(const struct home *home, int dir_fd, const char *name, const char *id)
{
        char owner[BOX_ID_CHARS + 1];
        int r = read_link(dir_fd, name, owner);

        if (r == 0 && str_eq(owner, id))
                return 0;
        if (r == -EBADMSG && unlinkat(dir_fd, name, 0) < 0) /* no claim of anybody */
                return -errno;
        return take(home, dir_fd, name, id, owner);
}

int claims_restore(const struct home *home, const struct claims *claims, const char *id)
{
        char index[11];
        int r = 0;

        if (claims->name[0] != '\0')
                r = restore(home, home->names_fd, claims->name, id);
        if (claims->index == CLAIM_NO_INDEX)
                return r;
        (void)snprintf(index, sizeof(index), "%u", claims->index);
        if (r == 0 || r == -EEXIST) {
                int range = restore(home, home->ids_fd, index, id);

                r = range < 0 ? range : r;
        }
        return r;
}

void claim_release_name(const struct home *home, const char *name, const char *id)
{
        (void)drop_if(home, home->names_fd, name, id);
}

void claims_release(const struct home *home, const struct claims *claims, const char *id)
{
        char index[11];

        if (claims->name[0] != '\0')
                claim_release_name(home, claims->name, id);
        if (claims->index == CLAIM_NO_INDEX)
                return;
        (void)snprintf(index, sizeof(index), "%u", claims->index);
        (void)drop_if(home, home->ids_fd, index, id);
}

static void release_from(const struct home *home, int dir_fd, const char *id)
{
        int fd = sys_open(dir_fd, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        char owner[BOX_ID_CHARS + 1];
        struct dirent *entry;

        if (!dir) {
                close_fd(&fd);
                return;
        }
        while ((entry = readdir(dir)))
                if (read_link(dir_fd, entry->d_name, owner) == 0 && str_eq(owner, id))
                        (void)drop_if(home, dir_fd, entry->d_name, id);
        (void)closedir(dir);
}

void claims_release_all(const struct home *home, const char *id)
{
        release_from(home, home->names_fd, id);
        release_from(home, home->ids_fd, id);
}
