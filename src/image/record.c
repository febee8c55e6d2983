/* SPDX-License-Identifier: Apache-2.0 */
#include "image/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"

#define RECORDS      "images/records"
#define RECORD_MAGIC 0x31726663U /* "cfr1" */

struct header {
        uint32_t magic;
        uint32_t version; /* of what follows: UNPACK_MAGIC */
        uint64_t stored_ns;
        uint64_t size;
};

void image_record_release(struct image_record *r)
{
        image_manifest_release(&r->manifest);
        *r = (struct image_record){.size = 0};
}

static int write_to(int dir_fd, const char *name, const struct buf *text)
{
        cleanup_close int fd = -EBADF;
        char temporary[32];
        uint64_t number;
        int r;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                return -EIO;
        (void)snprintf(temporary, sizeof(temporary), ".%016llx", (unsigned long long)number);
        fd = sys_open_mode(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fd;
        r = sys_write_all(fd, text->data, text->size);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir_fd, temporary, 0);
        return r == 0 && fsync(dir_fd) < 0 ? -errno : r;
}

int record_write(int home_fd, const struct image_record *record)
{
        const struct header header = {
                .magic = RECORD_MAGIC,
                .version = UNPACK_MAGIC,
                .stored_ns = record->stored_ns,
                .size = record->size,
        };
        struct buf text = BUF_INIT(sizeof(header) + UNPACK_ANSWER_MAX);
        cleanup_close int dir_fd = -EBADF;
        int r = buf_append(&text, &header, sizeof(header));

        if (r == 0)
                r = message_encode(&record->manifest, &text);
        if (r == 0 && mkdirat(home_fd, RECORDS, 0700) < 0 && errno != EEXIST)
                r = -errno;
        if (r == 0) {
                dir_fd = sys_open_beneath(home_fd, RECORDS, O_RDONLY | O_DIRECTORY);
                r = dir_fd < 0 ? dir_fd : write_to(dir_fd, record->digest, &text);
        }
        buf_release(&text);
        return r;
}

int record_read(int home_fd, const char *digest, struct image_record *ret)
{
        struct buf text = BUF_INIT(sizeof(struct header) + UNPACK_ANSWER_MAX);
        struct image_record record = {.size = 0};
        cleanup_close int fd = -EBADF;
        char path[sizeof(RECORDS "/") + IMAGE_DIGEST_HEX];
        struct header header;
        int r;

        (void)snprintf(path, sizeof(path), RECORDS "/%s", digest);
        fd = sys_open_beneath(home_fd, path, O_RDONLY | O_NOFOLLOW);
        r = fd < 0 ? fd : buf_read_fd(&text, fd);
        if (r == 0 && text.size < sizeof(header))
                r = -EBADMSG;
        if (r == 0) {
                memcpy(&header, text.data, sizeof(header));
                r = header.magic == RECORD_MAGIC && header.version == UNPACK_MAGIC
                            ? message_decode(text.data + sizeof(header), text.size - sizeof(header),
                                             &record.manifest)
                            : -EBADMSG;
        }
        buf_release(&text);
        if (r < 0)
                return r;
        (void)str_copy(record.digest, sizeof(record.digest), digest);
        record.stored_ns = header.stored_ns;
        record.size = header.size;
        *ret = record;
        return 0;
}

int record_remove(int home_fd, const char *digest)
{
        char path[sizeof(RECORDS "/") + IMAGE_DIGEST_HEX];

        (void)snprintf(path, sizeof(path), RECORDS "/%s", digest);
        return unlinkat(home_fd, path, 0) < 0 ? -errno : 0;
}

int record_list(int home_fd, struct strv *ret_digests)
{
        int fd = sys_open_beneath(home_fd, RECORDS, O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = fd < 0 ? fd : -errno;
                close_fd(&fd);
                return r == -ENOENT ? 0 : r;
        }
        while (r == 0 && (entry = readdir(dir)))
                if (image_is_digest(entry->d_name))
                        r = strv_add(ret_digests, entry->d_name);
        (void)closedir(dir);
        return r;
}
