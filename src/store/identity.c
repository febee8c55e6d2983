/* SPDX-License-Identifier: Apache-2.0 */
#include "store/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"
#include "store/file.h"

#define IDENTITY_BYTES_MAX 1024
#define PIDFS_MAGIC_       0x50494446

enum kind { U32, U64, TEXT, NONCE };

static const struct field {
        const char *key;
        enum kind kind;
        size_t offset;
        size_t size;
} fields[] = {
#define FIELD(key, kind)                                                                           \
        {                                                                                          \
#key, kind, offsetof(struct identity, key), sizeof(((struct identity *)NULL)->key) \
        }
        FIELD(version, U32), FIELD(id, TEXT),        FIELD(nonce, NONCE),
        FIELD(pid, U32),     FIELD(start_time, U64), FIELD(boot_id, TEXT),
        FIELD(pid_ns, U64),  FIELD(coffer, TEXT),    FIELD(pid_inode, U64),
};

#define NEEDED (ELEMENTS(fields) - 1) /* all but the last */

static int hex_digit(char c)
{
        const char *digits = "0123456789abcdef";
        const char *at = c != '\0' ? strchr(digits, c) : NULL;

        return at ? (int)(at - digits) : -1;
}

static int parse_nonce(const char *value, uint8_t *to)
{
        if (strlen(value) != 2 * (size_t)IDENTITY_NONCE_BYTES)
                return -EBADMSG;
        for (size_t i = 0; i < IDENTITY_NONCE_BYTES; i++) {
                int high = hex_digit(value[2 * i]);
                int low = hex_digit(value[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                to[i] = (uint8_t)(high << 4 | low);
        }
        return 0;
}

static int parse_field(const struct field *f, const char *value, struct identity *identity)
{
        char *at = (char *)identity + f->offset;
        uint64_t number;

        switch (f->kind) {
        case TEXT:
                return value[0] == '\0' || str_copy(at, f->size, value) < 0 ? -EBADMSG : 0;
        case NONCE:
                return parse_nonce(value, (uint8_t *)at);
        case U32:
        case U64:
                if (str_to_u64(value, f->kind == U32 ? UINT32_MAX : UINT64_MAX, &number) < 0)
                        return -EBADMSG;
                if (f->kind == U32)
                        *(uint32_t *)(void *)at = (uint32_t)number;
                else
                        *(uint64_t *)(void *)at = number;
                return 0;
        }
        return -EBADMSG;
}

static int parse_line(char *line, unsigned *seen, struct identity *identity)
{
        char *value = strchr(line, ' ');

        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                if (!str_eq(fields[i].key, line))
                        continue;
                if (*seen & 1U << i)
                        return -EBADMSG;
                *seen |= 1U << i;
                return parse_field(&fields[i], value, identity);
        }
        return 0; /* a newer coffer may say more */
}

int identity_parse(char *text, struct identity *ret_identity)
{
        struct identity identity = {0};
        unsigned seen = 0;
        char *line = text;

        while (*line != '\0') {
                char *end = strchr(line, '\n');
                int r;

                if (!end)
                        return -EBADMSG; /* torn */
                *end = '\0';
                r = parse_line(line, &seen, &identity);
                if (r < 0)
                        return r;
                line = end + 1;
        }
        if ((seen & 1) && identity.version != IDENTITY_VERSION)
                return -EPROTO;
        if ((seen & ((1U << NEEDED) - 1)) != (1U << NEEDED) - 1)
                return -EBADMSG;
        *ret_identity = identity;
        return 0;
}

int identity_read(int box_dir_fd, struct identity *ret_identity)
{
        char text[IDENTITY_BYTES_MAX + 1];
        ssize_t n = file_read(box_dir_fd, "identity", text, sizeof(text));

        if (n < 0)
                return n == -EFBIG ? -EBADMSG : (int)n;
        if (strlen(text) != (size_t)n)
                return -EBADMSG;
        return identity_parse(text, ret_identity);
}

int identity_write(int box_dir_fd, const struct identity *identity)
{
        char nonce[2 * IDENTITY_NONCE_BYTES + 1];
        char text[IDENTITY_BYTES_MAX];
        int n;

        for (size_t i = 0; i < IDENTITY_NONCE_BYTES; i++)
                (void)snprintf(nonce + 2 * i, 3, "%02x", identity->nonce[i]);
        n = snprintf(text, sizeof(text),
                     "version %u\nid %s\nnonce %s\npid %u\nstart_time %" PRIu64 "\nboot_id %s\n"
                     "pid_ns %" PRIu64 "\ncoffer %s\n",
                     identity->version, identity->id, nonce, identity->pid, identity->start_time,
                     identity->boot_id, identity->pid_ns, identity->coffer);
        if (identity->pid_inode != 0)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "pid_inode %" PRIu64 "\n",
                              identity->pid_inode);
        return file_replace(box_dir_fd, "identity", text, (size_t)n, 0);
}

int boot_id_read(char ret_boot_id[BOOT_ID_CHARS + 1])
{
        char text[BOOT_ID_CHARS + 3];
        ssize_t n = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text));

        if (n < 0)
                return (int)n;
        if (n != BOOT_ID_CHARS + 1)
                return -EBADMSG;
        text[BOOT_ID_CHARS] = '\0';
        memcpy(ret_boot_id, text, BOOT_ID_CHARS + 1);
        return 0;
}

int pid_ns_read(uint64_t *ret_inode)
{
        struct stat st;

        if (stat("/proc/self/ns/pid", &st) < 0)
                return -errno;
        *ret_inode = st.st_ino;
        return 0;
}

void here_read(struct here *ret_here)
{
        *ret_here = (struct here){.pid_ns = 0};
        (void)boot_id_read(ret_here->boot_id);
        (void)pid_ns_read(&ret_here->pid_ns);
}

int process_inode(int pidfd, uint64_t *ret_inode)
{
        struct statfs fs;
        struct stat st;

        if (fstatfs(pidfd, &fs) < 0 || fstat(pidfd, &st) < 0)
                return -errno;
        if (fs.f_type != PIDFS_MAGIC_)
                return -EOPNOTSUPP;
        *ret_inode = st.st_ino;
        return 0;
}

int process_start_time(uint32_t pid, uint64_t *ret_start_time)
{
        char path[sizeof("/proc/4294967295/stat")];
        char text[2048];
        ssize_t n;
        char *p;

        (void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
        n = file_read(AT_FDCWD, path, text, sizeof(text));
        if (n < 0)
                return n == -ENOENT ? -ESRCH : (int)n;

        /* The second field is in parentheses and may hold anything, these included. */
        p = strrchr(text, ')');
        for (int field = 2; p && field < 22; field++) {
                p = strchr(p, ' ');
                if (p)
                        p++;
        }
        if (!p)
                return -EBADMSG;
        p[strcspn(p, " \n")] = '\0';
        return str_to_u64(p, UINT64_MAX, ret_start_time) < 0 ? -EBADMSG : 0;
}

static bool has_ended(int pidfd)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        return poll(&p, 1, 0) != 0;
}

void process_mark(int pidfd, uint32_t pid, uint64_t *ret_inode, uint64_t *ret_start)
{
        *ret_inode = *ret_start = 0;
        if (process_inode(pidfd, ret_inode) == 0)
                return;
        /* What lives still has its pid: what was read is its own. */
        if (process_start_time(pid, ret_start) < 0 || has_ended(pidfd))
                *ret_start = 0;
}

bool process_has_mark(int pidfd, uint32_t pid, uint64_t inode, uint64_t start)
{
        uint64_t now;

        if (inode != 0)
                return process_inode(pidfd, &now) == 0 && now == inode;
        return start != 0 && process_start_time(pid, &now) == 0 && now == start;
}

int identity_of_self(const char *id, const char *coffer, struct identity *ret_identity)
{
        struct identity identity = {.version = IDENTITY_VERSION, .pid = (uint32_t)getpid()};
        cleanup_close int pidfd = sys_pidfd_open(getpid());
        int r;

        if (str_copy(identity.id, sizeof(identity.id), id) < 0 ||
            str_copy(identity.coffer, sizeof(identity.coffer), coffer) < 0)
                return -EINVAL;
        if (getrandom(identity.nonce, sizeof(identity.nonce), 0) != sizeof(identity.nonce))
                return -EIO;
        r = boot_id_read(identity.boot_id);
        if (r == 0)
                r = pid_ns_read(&identity.pid_ns);
        if (r == 0)
                r = process_start_time(identity.pid, &identity.start_time);
        if (r == 0 && (pidfd < 0 || process_inode(pidfd, &identity.pid_inode) < 0))
                identity.pid_inode = 0; /* an older kernel: the start time has to do */
        if (r < 0)
                return r;
        *ret_identity = identity;
        return 0;
}
