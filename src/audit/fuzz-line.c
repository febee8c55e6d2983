/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of an audit log, or its head.  What is read is sound: a number without a nought before
 * it, a hash of 64 digits that stands in the line, one newline; a head is what would be written.
 */
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/log.h"

static void check_line(const char *text, size_t size)
{
        struct audit_line line;
        char part[96];

        if (audit_line_read(text, size, &line) < 0)
                return;
        fuzz_assert(size <= AUDIT_LINE_MAX && text[size - 1] == '\n');
        fuzz_assert(strlen(line.prev) == AUDIT_HASH_CHARS);
        fuzz_assert(strspn(line.prev, "0123456789abcdef") == AUDIT_HASH_CHARS);
        (void)snprintf(part, sizeof(part), "{\"metadata\":{\"sequence\":%" PRIu64, line.sequence);
        fuzz_assert(memcmp(text, part, strlen(part)) == 0);
        (void)snprintf(part, sizeof(part), "\"prev\":\"%s\"}}\n", line.prev);
        fuzz_assert(memcmp(text + size - strlen(part), part, strlen(part)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char again[AUDIT_HEAD_BYTES + 1];
        struct audit_head head;

        check_line((const char *)data, size);
        if (audit_head_parse((const char *)data, size, &head) == 0) {
                audit_head_format(&head, again);
                fuzz_assert(size == AUDIT_HEAD_BYTES && memcmp(again, data, size) == 0);
        }
        return 0;
}
