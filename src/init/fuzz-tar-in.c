/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive from a user of the host: whatever it holds, a name that is accepted is one beneath the
 * directory, said in one way only, and the parents of it are those that the name says.
 */
#include "init/tar-place.h"

#include <string.h>

#include "base/test-tar.h"
#include "fuzz.h"

static void check_component(const char *s, size_t n)
{
        fuzz_assert(n > 0 && !memchr(s, '/', n));
        fuzz_assert(!(n == 1 && s[0] == '.') && !(n == 2 && s[0] == '.' && s[1] == '.'));
}

static void check_name(const char *text)
{
        struct tar_name name, again;
        const char *p;

        if (tar_name_parse(text, &name) < 0)
                return;
        fuzz_assert(strlen(name.whole) <= strlen(text));
        if (name.last[0] == '\0') {
                fuzz_assert(name.whole[0] == '\0' && name.parent_size == 0);
                return;
        }
        for (p = name.whole;; p++) {
                size_t n = strcspn(p, "/");

                check_component(p, n);
                p += n;
                if (*p == '\0')
                        break;
        }
        fuzz_assert(strrchr(name.whole, '/') ? name.last == strrchr(name.whole, '/') + 1
                                             : name.last == name.whole);
        fuzz_assert(name.parent_size ==
                    (size_t)(name.last - name.whole) - (name.last != name.whole));

        fuzz_assert(tar_name_parse(name.whole, &again) == 0);
        fuzz_assert(strcmp(name.whole, again.whole) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct tar_memory memory = {data, size};
        const struct tar_entry *e;
        struct tar *tar;

        if (tar_memory_new(&memory, true, &tar) < 0)
                abort();
        while (tar_next(tar, &e, NULL) > 0) {
                uint64_t total = 0;
                size_t piece = 1;

                check_name(e->path);
                check_name(e->link);
                while (piece > 0) {
                        const void *content;
                        uint64_t offset = 0;

                        if (tar_content(tar, &content, &piece, &offset, NULL) < 0)
                                break;
                        total += piece;
                        fuzz_assert(total <= size && offset <= e->size);
                }
        }
        (void)tar_free(tar);
        return 0;
}
