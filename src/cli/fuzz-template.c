/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template and a JSON text, with a NUL between them: nothing crashes, what passes the check is
 * refused for a missing field only, and what is printed compactly is JSON and prints the same.
 * A row of texts prints as the object that is made of it.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template.h"

#define TEXT_MAX ((size_t)1024 * 1024)

static void check_print(struct jv v)
{
        struct buf once = BUF_INIT(TEXT_MAX), twice = BUF_INIT(TEXT_MAX),
                   pretty = BUF_INIT(TEXT_MAX);
        struct jv again;

        if (jv_compact(v, &once) == 0 && jv_pretty(v, 4, &pretty) == 0) {
                fuzz_assert(jv_read(pretty.data, pretty.size, &again) == 0);
                fuzz_assert(jv_compact(again, &twice) == 0);
                fuzz_assert(once.size == twice.size &&
                            memcmp(once.data, twice.data, once.size) == 0);
                fuzz_assert(jv_count(v) == jv_count(again));
        }
        buf_release(&once);
        buf_release(&twice);
        buf_release(&pretty);
}

static void check_cells(const char *template, const char *text, bool printable)
{
        const struct template_cell cells[] = {
                {"ID",     text    },
                {"Labels", template},
        };
        struct buf json = BUF_INIT(TEXT_MAX), once = BUF_INIT(TEXT_MAX), twice = BUF_INIT(TEXT_MAX);
        struct jv v;
        int r;

        fuzz_assert(template_json(cells, ELEMENTS(cells), &json) == 0);
        fuzz_assert(jv_read(json.data, json.size, &v) == 0);
        r = template_render(template, v, printable, &once, NULL);
        fuzz_assert(template_render_cells(template, cells, ELEMENTS(cells), printable, &twice,
                                          NULL) == r);
        fuzz_assert(once.size == twice.size &&
                    (once.size == 0 || memcmp(once.data, twice.data, once.size) == 0));
        buf_release(&json);
        buf_release(&once);
        buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *nul = memchr(data, '\0', size);
        size_t json_size = nul ? size - (size_t)(nul + 1 - (const char *)data) : 0;
        struct buf out = BUF_INIT(TEXT_MAX);
        struct jv v;
        int r;

        if (!nul || size > 65536)
                return 0;
        if (template_check((const char *)data, NULL) == 0) {
                char *text = strndup(nul + 1, json_size);

                fuzz_assert(text != NULL);
                check_cells((const char *)data, text, size & 1);
                free(text);
        }
        if (jv_read(nul + 1, json_size, &v) == 0) {
                check_print(v);
                if (template_check((const char *)data, NULL) == 0) {
                        r = template_render((const char *)data, v, size & 1, &out, NULL);
                        fuzz_assert(r == 0 || r == -ENOENT || r == -E2BIG || r == -EINVAL);
                }
        }
        buf_release(&out);
        return 0;
}
