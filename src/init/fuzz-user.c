/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of --user, a NUL, passwd, a NUL, group.  Whoever comes out is written so in the text or
 * on a line of passwd; in particular nobody is uid 0 whom neither says to be.
 */
#include "fuzz.h"

#include <inttypes.h>
#include <string.h>

#include <coffer/error.h>

#include "init/init.h"

/* Is the field between two colons a decimal number, and which? */
static bool field_is(const char *field, size_t length, uint32_t id)
{
        char text[16], *end = text;

        (void)snprintf(text, sizeof(text), "%" PRIu32, id);
        while (length > 1 && *field == '0')
                field++, length--;
        return length == strlen(end) && memcmp(field, end, length) == 0;
}

/* A line of the file whose third field is @id, written by another hand than user.c's. */
static bool file_says(const char *file, uint32_t id)
{
        for (const char *line = file; line; line = strchr(line, '\n')) {
                const char *end, *field;

                line += *line == '\n';
                end = line + strcspn(line, "\n");
                field = memchr(line, ':', (size_t)(end - line));
                field = field ? memchr(field + 1, ':', (size_t)(end - field - 1)) : NULL;
                if (field && field_is(field + 1, strcspn(field + 1, ":\n"), id))
                        return true;
        }
        return false;
}

static bool text_says(const char *text, uint32_t id)
{
        size_t length = strcspn(text, ":");

        return length == 0 ? id == 0 : field_is(text, length, id);
}

static void check(const char *text, const char *passwd, const char *group)
{
        static const struct strv none;
        struct coffer_error err = {0};
        struct user u;
        const char *colon = strchr(text, ':');
        int r = user_resolve_text(text, &none, passwd, group, &u, &err);

        fuzz_assert(r <= 0 && err.code == r);
        if (r < 0) {
                fuzz_assert(err.msg[0] != '\0' && !strchr(err.msg, '\n'));
                return;
        }
        fuzz_assert(text_says(text, u.uid) || file_says(passwd, u.uid));
        fuzz_assert(u.uid != (uid_t)-1 && u.gid != (gid_t)-1);
        fuzz_assert(u.group_count <= USER_GROUPS_MAX);
        fuzz_assert(u.home[0] == '/' && memchr(u.home, '\0', sizeof(u.home)));
        for (size_t i = 0; i < u.group_count; i++)
                fuzz_assert(u.groups[i] != u.gid && file_says(group, u.groups[i]));
        if (colon && colon[1] != '\0')
                fuzz_assert(u.group_count == 0 &&
                            (file_says(group, u.gid) || text_says(colon + 1, u.gid)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *copy = calloc(1, size + 3); /* three strings, whatever comes */
        const char *passwd, *group;

        if (!copy)
                return 0;
        if (size > 0)
                memcpy(copy, data, size);
        passwd = copy + strlen(copy) + 1;
        group = passwd + strlen(passwd) + 1;
        check(copy, passwd, group);
        free(copy);
        return 0;
}
