/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/log.h"
#include "base/cleanup.h"
#include "base/sys.h"

/* Always of one size, so that writing it anew needs no room on a full disk. */
void audit_head_format(const struct audit_head *head, char ret_text[AUDIT_HEAD_BYTES + 1])
{
        int n = snprintf(ret_text, AUDIT_HEAD_BYTES + 1,
                         "{\"version\":1,\"count\":%" PRIu64 ",\"hash\":\"%s\",\"first\":%" PRIu64
                         ",\"base\":\"%s\",\"dropped\":%" PRIu64 "}",
                         head->count, head->hash, head->first, head->base, head->dropped);

        memset(ret_text + n, ' ', AUDIT_HEAD_BYTES - (size_t)n);
        ret_text[AUDIT_HEAD_BYTES - 1] = '\n';
        ret_text[AUDIT_HEAD_BYTES] = '\0';
}

/* Whatever is not byte for byte what would be written is not ours. */
int audit_head_parse(const char *text, size_t bytes, struct audit_head *ret)
{
        char copy[AUDIT_HEAD_BYTES + 1], again[AUDIT_HEAD_BYTES + 1];
        struct audit_head head = {0};

        if (bytes == 0)
                return -ENODATA;
        if (bytes != AUDIT_HEAD_BYTES)
                return -EBADMSG;
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
        if (sscanf(copy,
                   "{\"version\":1,\"count\":%20" SCNu64
                   ",\"hash\":\"%64[0-9a-f]\",\"first\":%20" SCNu64
                   ",\"base\":\"%64[0-9a-f]\",\"dropped\":%20" SCNu64 "}",
                   &head.count, head.hash, &head.first, head.base, &head.dropped) != 5)
                return -EBADMSG;
        if (strlen(head.hash) != AUDIT_HASH_CHARS || strlen(head.base) != AUDIT_HASH_CHARS)
                return -EBADMSG;
        audit_head_format(&head, again);
        if (memcmp(copy, again, bytes) != 0)
                return -EBADMSG;
        *ret = head;
        return 0;
}

int audit_head_read(int dir_fd, const char *id, struct audit_head *ret)
{
        cleanup_close int fd = -EBADF;
        char text[AUDIT_HEAD_BYTES + 1];
        ssize_t n;

        fd = sys_open(dir_fd, audit_head_file(id).text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return fd;
        n = sys_read_full(fd, text, sizeof(text));
        return n < 0 ? (int)n : audit_head_parse(text, (size_t)n, ret);
}

struct audit_name audit_file(const char *id, unsigned number)
{
        struct audit_name name;

        if (number > 0)
                (void)snprintf(name.text, sizeof(name.text), "%.*s.jsonl.%u", AUDIT_ID_MAX, id,
                               number);
        else
                (void)snprintf(name.text, sizeof(name.text), "%.*s.jsonl", AUDIT_ID_MAX, id);
        return name;
}

struct audit_name audit_head_file(const char *id)
{
        struct audit_name name;

        (void)snprintf(name.text, sizeof(name.text), "%.*s.head", AUDIT_ID_MAX, id);
        return name;
}
