/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "t.h"

TEST(is_followed_by_a_nul_that_is_not_counted)
{
        struct buf b = BUF_INIT(16);

        t_ok(buf_append(&b, "a\0b", 3));
        t_int(3, (int)b.size);
        t_mem("a\0b\0", b.data, 4);
        buf_release(&b);
        t_null(b.data);
        t_int(16, (int)b.max_bytes);
}

TEST(takes_its_maximum_and_not_a_byte_more)
{
        static const struct {
                size_t max, first, second;
                int expected;
        } cases[] = {
                {10,   10,   0,        0     },
                {10,   4,    6,        0     },
                {10,   0,    11,       -E2BIG},
                {10,   10,   1,        -E2BIG},
                {1000, 1000, 0,        0     },
                {1000, 999,  2,        -E2BIG},
                {0,    0,    0,        0     },
                {0,    0,    1,        -E2BIG},
                {10,   5,    SIZE_MAX, -E2BIG},
        };
        static const char bytes[1024];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct buf b = BUF_INIT(cases[i].max);

                t_note("max %zu: %zu, then %zu", cases[i].max, cases[i].first, cases[i].second);
                if (cases[i].first > 0)
                        t_ok(buf_append(&b, bytes, cases[i].first));
                t_int(cases[i].expected, buf_append(&b, bytes, cases[i].second));
                t_true(b.size <= cases[i].max);
                buf_release(&b);
        }
}

TEST(keeps_its_first_failure)
{
        struct buf b = BUF_INIT(4);

        t_ok(buf_append_str(&b, "abc"));
        t_errno(E2BIG, buf_append_str(&b, "de"));
        t_errno(E2BIG, buf_append_str(&b, "d"));
        t_errno(E2BIG, buf_printf(&b, "%d", 1));
        t_null(buf_space(&b, 1));
        t_str("abc", b.data);
        t_int(-E2BIG, b.failed);
        buf_release(&b);
        t_ok(buf_append_str(&b, "abcd"));
        buf_release(&b);
}

TEST(grows_without_losing_bytes)
{
        struct buf b = BUF_INIT(1 << 20);

        for (unsigned i = 0; i < 20000; i++)
                t_ok(buf_printf(&b, "%08x", i));
        t_int(160000, (int64_t)b.size);
        t_mem("00000000", b.data, 8);
        t_mem("00004e1f", b.data + 8 * 19999, 9);
        buf_release(&b);
}

TEST(prints_the_same_at_every_fill)
{
        for (size_t fill = 0; fill < 600; fill++) {
                struct buf b = BUF_INIT(620);

                for (size_t i = 0; i < fill; i++)
                        t_ok(buf_append(&b, "x", 1));
                t_ok(buf_printf(&b, "%s-%d", "abc", 12));
                t_int(fill + 6, b.size);
                t_str("abc-12", b.data + fill);
                t_errno(E2BIG, buf_printf(&b, "%700d", 1));
                t_str("abc-12", b.data + fill);
                buf_release(&b);
        }
}

TEST(drops_bytes_from_the_front)
{
        static const struct {
                size_t n;
                const char *left;
        } cases[] = {
                {0,        "abcdef"},
                {2,        "cdef"  },
                {6,        ""      },
                {7,        ""      },
                {SIZE_MAX, ""      },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct buf b = BUF_INIT(64);

                t_ok(buf_append_str(&b, "abcdef"));
                buf_consume(&b, cases[i].n);
                t_int((int64_t)strlen(cases[i].left), (int64_t)b.size);
                t_mem(cases[i].left, b.data, b.size);
                t_ok(buf_append_str(&b, "!"));
                t_true(b.data[b.size - 1] == '!');
                buf_release(&b);
        }
}

TEST(writes_json_strings)
{
        static const struct {
                const char *text, *json;
        } cases[] = {
                {"",                 "\"\""                                                },
                {"plain",            "\"plain\""                                           },
                {"a\"b\\c/",         "\"a\\\"b\\\\c/\""                                    },
                {"\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\""             },
                {"h\xc3\xa9",        "\"h\xc3\xa9\""                                       },
                {"\xe2\x82\xac",     "\"\xe2\x82\xac\""                                    },
                {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""                                },
 /* What is not UTF-8: alone, cut off, overlong, surrogate, beyond U+10FFFF. */
                {"\x80",             "\"\xef\xbf\xbd\""                                    },
                {"\xc3",             "\"\xef\xbf\xbd\""                                    },
                {"\xe2\x82",         "\"\xef\xbf\xbd\xef\xbf\xbd\""                        },
                {"\xc3(",            "\"\xef\xbf\xbd(\""                                   },
                {"\xc0\xaf",         "\"\xef\xbf\xbd\xef\xbf\xbd\""                        },
                {"\xe0\x80\xaf",     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""            },
                {"\xed\xa0\x80",     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""            },
                {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct buf b = BUF_INIT(64);

                t_note("case %zu", i);
                t_ok(buf_append_json(&b, cases[i].text));
                t_str(cases[i].json, b.data);
                buf_release(&b);
        }
}

/* A pipe that holds size bytes and then ends. */
static int filled_pipe(size_t size)
{
        static const char bytes[8192];
        int fds[2];

        t_true(size <= sizeof(bytes));
        t_ok(pipe2(fds, O_CLOEXEC));
        if (size > 0)
                t_ok(sys_write_all(fds[1], bytes, size));
        t_ok(close(fds[1]));
        return fds[0];
}

TEST(reads_a_descriptor_to_its_end_but_not_past_the_maximum)
{
        static const struct {
                size_t max, size;
                int expected;
        } cases[] = {
                {0,    0,    0     },
                {0,    1,    -E2BIG},
                {1,    1,    0     },
                {1,    2,    -E2BIG},
                {4096, 4096, 0     },
                {4096, 4097, -E2BIG},
                {9000, 8192, 0     },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct buf b = BUF_INIT(cases[i].max);
                int fd = filled_pipe(cases[i].size);

                t_note("max %zu, %zu there", cases[i].max, cases[i].size);
                t_int(cases[i].expected, buf_read_fd(&b, fd));
                if (cases[i].expected == 0)
                        t_int((int64_t)cases[i].size, (int64_t)b.size);
                t_true(b.size <= cases[i].max);
                t_ok(close(fd));
                buf_release(&b);
        }
}

TEST(reading_a_file_leaves_no_descriptor)
{
        struct buf b = BUF_INIT(1 << 16);
        int before = t_ok(t_open_fds());

        t_ok(buf_read_file(&b, AT_FDCWD, "/proc/self/stat"));
        t_true(b.size > 0);
        t_errno(ENOENT, buf_read_file(&b, AT_FDCWD, "/nonexistent"));
        t_errno(EISDIR, buf_read_file(&b, AT_FDCWD, "/"));
        t_int(before, t_open_fds());
        buf_release(&b);
}

static int fill(struct buf *b)
{
        (void)buf_append_str(b, "abc");
        (void)buf_printf(b, "%0600d", 1);
        (void)buf_append_json(b, "x\"y");
        return buf_append(b, "z", 1);
}

TEST(survives_every_failed_allocation)
{
        unsigned n;

        for (n = 1;; n++) {
                struct buf b = BUF_INIT(4096);
                bool struck;
                int r;

                fault_arm(n);
                r = fill(&b);
                struck = fault_disarm();
                t_int(struck ? -ENOMEM : 0, r);
                t_int(r, b.failed);
                t_true(b.size <= b.capacity);
                buf_release(&b);
                if (!struck)
                        break;
        }
        t_true(n > 2);
}

TEST(survives_every_failed_read)
{
        unsigned n;

        for (n = 1;; n++) {
                struct buf b = BUF_INIT(1 << 16);
                int before = t_ok(t_open_fds());
                bool struck;
                int r;

                fault_arm_sys(n, EIO);
                r = buf_read_file(&b, AT_FDCWD, "/proc/self/status");
                struck = fault_disarm();
                t_int(struck ? -EIO : 0, r);
                t_int(before, t_open_fds());
                buf_release(&b);
                if (!struck)
                        break;
        }
        t_true(n > 2);
}
