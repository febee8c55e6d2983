/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as lines "key value".  Whatever is accepted and does not contradict itself is completed,
 * written and read back; what is refused has words.
 */
#include "fuzz.h"

#include <string.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "spec/mounts.h"
#include "spec/spec.h"

static void set_line(struct spec *s, char *line)
{
        struct coffer_error err = {0};
        char *value = strchr(line, ' ');
        int r;

        if (value)
                *value++ = '\0';
        r = spec_set(s, line, value, &err);
        fuzz_assert(r <= 0);
        if (r < 0) {
                fuzz_assert(err.code == r && err.msg[0] != '\0' && err.hint[0] != '\0');
                fuzz_assert(!strchr(err.msg, '\n'));
        }
}

/* Nothing is ever mounted over what controls the box. */
static void check_targets(const struct spec *s)
{
        for (size_t i = 0; i < s->mounts.count; i++) {
                const char *target = s->mounts.items[i].target;

                fuzz_assert(target[0] == '/' && target[1] != '\0' && !strstr(target, "/../"));
                fuzz_assert(strncmp(target, "/sys/", 5) != 0 && strcmp(target, "/proc") != 0);
                fuzz_assert(strncmp(target, "/proc/self", 10) != 0);
                fuzz_assert(mounts_find(&s->mounts, target) == &s->mounts.items[i]);
        }
}

static void check_round_trip(const struct spec *s)
{
        struct buf first = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct buf second = BUF_INIT(SPEC_JSON_MAX_BYTES);
        struct coffer_error err = {0};
        struct spec again;

        if (spec_to_json(s, &first) == 0) { /* else a path was relative */
                fuzz_assert(spec_from_json(first.data, first.size, &again, &err) == 0);
                fuzz_assert(spec_to_json(&again, &second) == 0);
                fuzz_assert(first.size == second.size);
                fuzz_assert(memcmp(first.data, second.data, first.size) == 0);
                spec_release(&again);
        }
        buf_release(&first);
        buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1), *rest = text, *line;
        struct coffer_error err = {0};
        struct spec s;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';

        spec_init(&s);
        while ((line = strsep(&rest, "\n")))
                set_line(&s, line);
        check_targets(&s);
        if (spec_complete(&s, "abcdefghij27", &err) == 0 && spec_validate(&s, &err) == 0)
                check_round_trip(&s);
        spec_release(&s);
        free(text);
        return 0;
}
