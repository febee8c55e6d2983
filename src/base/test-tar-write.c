/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar-write.h"

#include <stdlib.h>

#include "base/test-tar.h"
#include "fault.h"
#include "t.h"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* What was written, read again; lives until the next call. */
static const struct tar_entry *read_back(const struct buf *b)
{
        static struct tar_memory memory;
        static struct tar *tar;
        const struct tar_entry *e = NULL;
        struct coffer_error err = {0};

        tar = tar_free(tar);
        memory = (struct tar_memory){(const unsigned char *)b->data, b->size};
        t_ok(tar_memory_new(&memory, false, &tar));
        if (tar_next(tar, &e, &err) != 1)
                t_str("", err.msg);
        t_true(e != NULL);
        return e;
}

static const struct tar_entry *rewrite(const struct tar_entry *e, size_t blocks)
{
        static struct buf b;

        buf_release(&b);
        b = BUF_INIT(8 * TAR_EXTENDED_MAX);
        t_ok(tar_write_header(&b, e));
        t_int((int64_t)(blocks * TAR_BLOCK), (int64_t)b.size);
        return read_back(&b);
}

/* One block is ustar alone, three are a pax header of one block before it. */
static const struct {
        const char *what;
        const char *path;
        size_t blocks;
} names[] = {
        {"short",                                    "a",                                          1},
        {"as long as the field",                     HUNDRED,                                      1},
        {"longer, without a slash",                  HUNDRED "x",                                  3},
        {"cut at its slash",                         "dir/" HUNDRED,                               1},
        {"the front too long for the prefix",        HUNDRED HUNDRED "/name",                      3},
        {"the back too long for the name",           "d/" HUNDRED "x",                             3},
        {"as long as both fields",                   HUNDRED TEN TEN TEN TEN TEN "12345/" HUNDRED, 1},
        {"a directory whose only slash is its last", HUNDRED "/",                                  3},
        {"a long directory that can be cut",         "dir/" HUNDRED "/",                           3},
        {"a directory of a hundred bytes, cut",      HUNDRED "/abc/",                              1},
        {"absolute, where a prefix would be empty",  "/" HUNDRED,                                  3},
        {"bytes that are no text",                   "\xff\xfe\n",                                 1},
};

TEST(keeps_every_name)
{
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                bool dir = names[i].path[strlen(names[i].path) - 1] == '/';
                const struct tar_entry e = {
                        .type = dir ? TAR_DIR : TAR_SYMLINK,
                        .path = names[i].path,
                        .link = dir ? "" : "to",
                };
                const struct tar_entry *got;

                t_note("%s", names[i].what);
                got = rewrite(&e, names[i].blocks);
                t_str(e.path, got->path);
                t_str(e.link, got->link);
                t_int(e.type, got->type);
        }
}

TEST(keeps_a_target_that_is_too_long_for_ustar)
{
        struct tar_entry e = {.type = TAR_SYMLINK, .path = "l", .link = HUNDRED};

        t_str(HUNDRED, rewrite(&e, 1)->link);
        e.link = HUNDRED "x";
        t_str(e.link, rewrite(&e, 3)->link);
}

TEST(keeps_numbers_that_are_too_large_for_ustar)
{
        static const struct {
                uint64_t id, size;
                size_t blocks;
        } rows[] = {
                {07777777,   077777777777,  1},
                {010000000,  0,             3},
                {4294967294, 0,             3},
                {0,          0100000000000, 3},
                {1,          INT64_MAX,     3},
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct tar_entry e = {
                        .type = TAR_FILE,
                        .path = "f",
                        .link = "",
                        .mode = 07777,
                        .uid = rows[i].id,
                        .gid = rows[i].id,
                        .size = rows[i].size,
                };
                const struct tar_entry *got;

                t_note("row %zu", i);
                got = rewrite(&e, rows[i].blocks);
                t_true(got->uid == e.uid && got->gid == e.gid && got->size == e.size);
                t_int(07777, got->mode);
        }
}

TEST(keeps_times_to_the_nanosecond)
{
        static const struct {
                int64_t sec;
                uint32_t nsec;
                size_t blocks;
        } rows[] = {
                {0,             0,         1},
                {1700000000,    0,         1},
                {1700000000,    1,         3},
                {1700000000,    500000000, 3},
                {077777777777,  999999999, 3},
                {0100000000000, 0,         3},
                {-1,            0,         3},
                {-1,            500000000, 3},
                {-1,            999999999, 3},
                {-1700000000,   1,         3},
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct tar_entry e = {
                        .type = TAR_FIFO,
                        .path = "f",
                        .link = "",
                        .mtime_sec = rows[i].sec,
                        .mtime_nsec = rows[i].nsec,
                };
                const struct tar_entry *got;

                t_note("row %zu", i);
                got = rewrite(&e, rows[i].blocks);
                t_int(rows[i].sec, got->mtime_sec);
                t_int(rows[i].nsec, got->mtime_nsec);
        }
}

/* At 8, 98, 998, … bytes the length of a record has one digit more than that of its body. */
TEST(counts_a_record_whose_length_grows_by_its_own_digits)
{
        static char value[2000];
        struct tar_entry e = {.type = TAR_FILE, .path = "f", .link = "", .xattr_count = 1};

        memset(value, 'v', sizeof(value));
        for (size_t size = 0; size < sizeof(value); size++) {
                const struct tar_entry *got;

                e.xattrs[0] = (struct tar_xattr){"user.x", value, size};
                got = rewrite(&e, size <= 487 ? 3 : size <= 998 ? 4 : size <= 1510 ? 5 : 6);
                t_int(1, (int64_t)got->xattr_count);
                t_int((int64_t)size, (int64_t)got->xattrs[0].size);
                t_mem(value, got->xattrs[0].value, size);
        }
}

TEST(keeps_attributes_that_are_no_text)
{
        struct tar_entry e = {.type = TAR_FILE, .path = "f", .link = "", .xattr_count = 2};
        const struct tar_entry *got;

        e.xattrs[0] = (struct tar_xattr){"user.a", "\0\n=\xff", 4};
        e.xattrs[1] = (struct tar_xattr){"security.capability", "", 0};
        got = rewrite(&e, 3);
        t_int(2, (int64_t)got->xattr_count);
        t_str("user.a", got->xattrs[0].name);
        t_mem("\0\n=\xff", got->xattrs[0].value, 4);
        t_str("security.capability", got->xattrs[1].name);
        t_int(0, (int64_t)got->xattrs[1].size);
}

TEST(refuses_what_tar_cannot_hold)
{
        static char value[TAR_XATTR_MAX];
        struct tar_entry e = {.type = TAR_CHAR, .path = "f", .link = "", .device_major = 07777777};
        struct buf b = BUF_INIT(8 * TAR_EXTENDED_MAX);

        t_true(rewrite(&e, 1)->device_major == 07777777);
        e.device_major++;
        t_errno(ERANGE, tar_write_header(&b, &e));
        e.device_major = 0;
        e.device_minor = UINT64_MAX;
        t_errno(ERANGE, tar_write_header(&b, &e));

        e = (struct tar_entry){.type = TAR_FILE, .path = "f", .link = ""};
        for (size_t i = 0; i < 17; i++)
                e.xattrs[e.xattr_count++] = (struct tar_xattr){"user.x", value, sizeof(value)};
        t_errno(E2BIG, tar_write_header(&b, &e));
        t_int(0, (int64_t)b.size);
        e.xattr_count = 15;
        t_ok(tar_write_header(&b, &e));
        buf_release(&b);
}

TEST(leaves_the_archive_as_it_was_when_it_has_no_room)
{
        const struct tar_entry e = {.type = TAR_FILE, .path = HUNDRED "x", .link = ""};
        struct buf b = BUF_INIT(3 * TAR_BLOCK - 1);

        t_errno(E2BIG, tar_write_header(&b, &e));
        t_int(0, (int64_t)b.size);
        buf_release(&b);
}

TEST(survives_each_failing_allocation)
{
        const struct tar_entry e = {.type = TAR_FILE, .path = HUNDRED "x", .link = ""};

        for (unsigned n = 1;; n++) {
                struct buf b = BUF_INIT(TAR_EXTENDED_MAX);
                bool struck;
                int r;

                fault_arm(n);
                r = tar_write_header(&b, &e);
                struck = fault_disarm();
                t_int(struck ? -ENOMEM : 0, r);
                t_int(struck ? 0 : 3 * TAR_BLOCK, (int64_t)b.size);
                buf_release(&b);
                if (!struck) {
                        t_true(n > 2);
                        break;
                }
        }
}

TEST(ends_so_that_a_strict_reader_sees_the_end)
{
        const struct tar_entry e = {.type = TAR_FILE, .path = "f", .link = "", .size = 513};
        struct buf b = BUF_INIT(TAR_EXTENDED_MAX);
        struct tar_memory memory;
        const struct tar_entry *got;
        struct coffer_error err = {0};
        struct tar *tar;

        t_ok(tar_write_header(&b, &e));
        t_true(buf_space(&b, 513) != NULL);
        memset(b.data + b.size, 'x', 513);
        b.size += 513;
        t_ok(tar_write_padding(&b, 513));
        t_int(3 * TAR_BLOCK, (int64_t)b.size);
        t_ok(tar_write_padding(&b, 1024));
        t_int(3 * TAR_BLOCK, (int64_t)b.size);
        t_ok(tar_write_end(&b));

        for (size_t cut = 0; cut < 2; cut++) {
                memory = (struct tar_memory){(const unsigned char *)b.data,
                                             b.size - cut * TAR_BLOCK};
                t_ok(tar_memory_new(&memory, true, &tar));
                t_int(1, tar_next(tar, &got, &err));
                t_int(cut ? -EBADMSG : 0, tar_next(tar, &got, &err));
                (void)tar_free(tar);
        }
        buf_release(&b);
}
