/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader and the stream below it, in memory; whole layers are in test-hostile.py. */
#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "fault.h"
#include "image/extract-parts.h"
#include "image/stream.h"
#include "base/tar-parse.h"

#define EMPTY_DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TEST(numbers_of_headers)
{
        static const struct {
                const char *field; /* 12 bytes */
                int64_t number;
                bool good;
        } cases[] = {
                {"00000000017\0",                                    15,          true },
                {"         17 ",                                     15,          true },
                {"17 \0       ",                                     15,          true },
                {"\0\0\0\0\0\0\0\0\0\0\0\0",                         0,           true },
                {"777777777777",                                     68719476735, true },
                {"\x80\0\0\0\0\0\0\0\0\0\1\0",                       256,         true },
                {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", -1,          true },
                {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",       INT64_MAX,   true },
                {"\x80\0\0\0\x80\0\0\0\0\0\0\0",                     0,           false},
                {"\x80\0\0\1\0\0\0\0\0\0\0\0",                       0,           false},
                {"\xff\xff\xff\xfe\0\0\0\0\0\0\0\0",                 0,           false},
                {"00000000018\0",                                    0,           false},
                {"-0000000001\0",                                    0,           false},
                {"1\0         2",                                    0,           false},
                {"0x1         ",                                     0,           false},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct coffer_error err = {0};
                int64_t number = 0;
                int r = tar_number((const unsigned char *)cases[i].field, 12, "size", &number,
                                   &err);

                t_note("row %zu: %d %lld", i, r, (long long)number);
                t_true((r == 0) == cases[i].good);
                if (cases[i].good)
                        t_int(cases[i].number, number);
                else
                        t_has("the size", err.msg);
        }
}

TEST(names_are_put_in_order_or_refused)
{
        static const struct {
                const char *name;
                const char *rename;
                const char *whole; /* NULL: refused */
                const char *last;
        } cases[] = {
                {"a",           NULL,  "a",          "a"     },
                {"./a//b/./c/", NULL,  "a/b/c",      "c"     },
                {"/etc/passwd", NULL,  "etc/passwd", "passwd"},
                {".",           NULL,  "",           ""      },
                {"/",           NULL,  "",           ""      },
                {"...",         NULL,  "...",        "..."   },
                {"..",          NULL,  NULL,         NULL    },
                {"a/..",        NULL,  NULL,         NULL    },
                {"/../a",       NULL,  NULL,         NULL    },
                {"a/b",         "new", "new/b",      "b"     },
                {"./a",         "new", "new",        "new"   },
                {".",           "new", "",           ""      },
                {"../a",        "new", NULL,         NULL    },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct extract_spec spec = {.rename_first = cases[i].rename};
                struct extract x = {.spec = &spec};
                struct entry_path path;
                int r = extract_parse(&x, cases[i].name, &path, NULL);

                t_note("%s", cases[i].name);
                if (!cases[i].whole) {
                        t_errno(EBADMSG, r);
                        continue;
                }
                t_ok(r);
                t_str(cases[i].whole, path.whole);
                t_str(cases[i].last, path.last);
        }
}

static struct stream *open_stream(int fd, uint64_t size, const char *blob, const char *diff_id,
                                  int *ret_code)
{
        const struct stream_spec spec = {
                .fd = fd,
                .size = size,
                .blob = blob,
                .diff_id = diff_id,
                .max_bytes = 1000,
                .hangup_fd = -1,
        };
        struct stream *s = NULL;

        *ret_code = stream_new(&spec, &s, NULL);
        return s;
}

TEST(digests_are_compared_to_the_last_byte)
{
        static const struct {
                const char *bytes;
                uint64_t size;
                const char *blob;
                const char *diff_id;
                int code;
        } cases[] = {
                {"",  0,             EMPTY_DIGEST, EMPTY_DIGEST, 0       },
                {"",  STREAM_TO_END, "",           EMPTY_DIGEST, 0       },
                {"x", 0,             EMPTY_DIGEST, "",           0       },
                {"x", STREAM_TO_END, EMPTY_DIGEST, "",           -EBADMSG},
                {"x", 1,             "",           EMPTY_DIGEST, -EBADMSG},
                {"x", 2,             "",           "",           -EBADMSG}, /* cut short */
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                cleanup_with(stream_freep) struct stream *s = NULL;
                cleanup_close int fd =
                        sys_memfd_sealed("t", cases[i].bytes, strlen(cases[i].bytes));
                struct coffer_error err = {0};
                int r;

                t_note("row %zu", i);
                s = open_stream(fd, cases[i].size, cases[i].blob, cases[i].diff_id, &r);
                if (r == 0)
                        r = stream_finish(s, &err);
                t_int(cases[i].code, r);
        }
}

TEST(a_stream_ends_at_its_maximum)
{
        cleanup_with(stream_freep) struct stream *s = NULL;
        static const char bytes[1001];
        cleanup_close int fd = sys_memfd_sealed("t", bytes, sizeof(bytes));
        struct coffer_error err = {0};
        int r;

        s = open_stream(fd, sizeof(bytes), "", "", &r);
        t_ok(r);
        t_errno(E2BIG, stream_finish(s, &err));
        t_has("more than 1000 bytes", err.msg);
}

TEST(a_stream_ends_when_nobody_waits)
{
        struct stream_spec spec = {.blob = "", .diff_id = "", .max_bytes = 1 << 20};
        cleanup_with(stream_freep) struct stream *s = NULL;
        static const char bytes[300000];
        cleanup_close int fd = sys_memfd_sealed("t", bytes, sizeof(bytes));
        char to[1000];
        int pair[2];

        t_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        spec.fd = fd;
        spec.size = sizeof(bytes);
        spec.hangup_fd = pair[1];
        t_ok(stream_new(&spec, &s, NULL));
        t_int(sizeof(to), stream_read(s, to, sizeof(to), NULL));
        t_ok(shutdown(pair[0], SHUT_WR));
        t_errno(EPIPE, stream_finish(s, NULL));
        (void)close(pair[0]);
        (void)close(pair[1]);
}

TEST(a_failed_allocation_or_read_ends_a_stream)
{
        cleanup_close int fd = sys_memfd_sealed("t", "abc", 3);

        t_ok(stream_prepare());
        for (unsigned n = 1;; n++) {
                struct stream *s;
                int r;

                t_true(lseek(fd, 0, SEEK_SET) == 0);
                fault_arm(n);
                s = open_stream(fd, STREAM_TO_END, "", "", &r);
                if (r == 0)
                        r = stream_finish(s, NULL);
                (void)stream_free(s);
                if (!fault_disarm()) {
                        t_ok(r);
                        break;
                }
                t_errno(ENOMEM, r);
        }
        for (unsigned n = 1;; n++) {
                struct stream *s;
                int r;

                t_true(lseek(fd, 0, SEEK_SET) == 0);
                fault_arm_sys(n, EIO);
                s = open_stream(fd, STREAM_TO_END, "", "", &r);
                if (r == 0)
                        r = stream_finish(s, NULL);
                (void)stream_free(s);
                if (!fault_disarm()) {
                        t_ok(r);
                        break;
                }
                t_errno(EIO, r);
        }
}
