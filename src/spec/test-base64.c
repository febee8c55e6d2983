/* SPDX-License-Identifier: Apache-2.0 */
#include "t.h"

#include <stdlib.h>

#include "fault.h"
#include "spec/base64.h"

static const struct {
        const char *bytes;
        const char *text;
} pairs[] = {
        {"",                         ""        },
        {"f",                        "Zg=="    },
        {"fo",                       "Zm8="    },
        {"foo",                      "Zm9v"    },
        {"foob",                     "Zm9vYg=="},
        {"fooba",                    "Zm9vYmE="},
        {"foobar",                   "Zm9vYmFy"},
        {"\xff",                     "/w=="    },
        {"\xff\xfe\xfd\xfb\xef\xbe", "//79++++"},
        {"\xfb\xef\xbe\xfb\xef\xbe", "++++++++"},
};

TEST(writes_and_reads_the_rfcs_examples)
{
        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                struct buf b = BUF_INIT(100);
                char *s = NULL;

                t_note("%zu", i);
                t_ok(base64_encode(pairs[i].bytes, &b));
                t_str(pairs[i].text, b.data ? b.data : "");
                t_ok(base64_decode(pairs[i].text, &s));
                t_str(pairs[i].bytes, s);
                free(s);
                buf_release(&b);
        }
}

TEST(refuses_any_other_spelling)
{
        static const char *const bad[] = {
                "Z",        "Zg",       "Zg=",      "Z===", "====",
                "=m9v",     "Zm=v",     "Zh==",     "Zm9=", "Zm9",
                "Zg==Zg==", "Zm8=Zg==", "Zm9v\n",   "Zm 9", "Zm-_",
                "Zm9\xff",  "AAAA",     "Zm9vAA==", "AGZm", "Zm9vZg==\xff\xff\xff\xff",
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                char *s = NULL;

                t_note("'%s'", bad[i]);
                t_errno(EINVAL, base64_decode(bad[i], &s));
                t_null(s);
        }
}

TEST(every_string_of_bytes_survives)
{
        char bytes[256], *s;

        for (unsigned first = 1; first < 256; first++)
                for (size_t size = 1; size < 8; size++) {
                        struct buf b = BUF_INIT(100);

                        for (size_t i = 0; i < size; i++)
                                bytes[i] = (char)((first + 37 * i - 1) % 255 + 1);
                        bytes[size] = '\0';
                        t_ok(base64_encode(bytes, &b));
                        t_ok(base64_decode(b.data, &s));
                        t_str(bytes, s);
                        free(s);
                        buf_release(&b);
                }
}

TEST(says_when_there_is_no_room)
{
        struct buf b = BUF_INIT(7);
        char *s = NULL;

        t_errno(E2BIG, base64_encode("foobar", &b));
        buf_release(&b);
        fault_arm(1);
        t_errno(ENOMEM, base64_decode("Zm9v", &s));
        t_true(fault_disarm());
        t_null(s);
}
