/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify.h"

#include "audit/test-audit.h"

#define LOG "audit/" ID ".jsonl"

/* Nine records: four in .2, four in .1, one in the file that is written to. */
static struct tree nine(void)
{
        struct tree t = scratch();

        write_records(&t, 9, 4000);
        t_int(0, tree_sh(&t, "test $(wc -l < " LOG ".2) = 4; test $(wc -l < " LOG ".1) = 4"));
        return t;
}

TEST(tells_what_was_done_and_where)
{
        static const struct {
                const char *script;
                enum audit_problem problem;
                unsigned file;
                uint64_t line;
                uint64_t from;
                uint64_t to;
        } rows[] = {
                {":",                                                            AUDIT_INTACT,       0, 0, 0, 0},
 /* one byte */
                {"sed -i '2s/Pause/Pausf/' " LOG ".1",                           AUDIT_IS_EDITED,    1, 2, 6, 6},
                {"sed -i '4s/Pause/Pausf/' " LOG ".2",                           AUDIT_IS_EDITED,    2, 4, 4, 4},
                {"sed -i '1s/Pause/Pausf/' " LOG ".2",                           AUDIT_IS_EDITED,    2, 1, 1, 1},
                {"sed -i '1s/Pause/Pausf/' " LOG,                                AUDIT_IS_EDITED,    0, 1, 9, 9},
                {"sed -i '3s/\"prev\":\"./\"prev\":\"x/' " LOG ".1",             AUDIT_IS_EDITED,    1, 3, 7, 7},
                {"sed -i '3s/...\"}}$/000\"}}/' " LOG ".1",                      AUDIT_IS_EDITED,    1, 3, 7, 7},
                {"sed -i '3s/e\":7,/e\":8,/' " LOG ".1",                         AUDIT_IS_EDITED,    1, 3, 8, 8},
                {"sed -i '1s/^{/[/' " LOG,                                       AUDIT_IS_EDITED,    0, 1, 9, 9},
                {"sed -i '2s/$/ /' " LOG ".1",                                   AUDIT_IS_EDITED,    1, 2, 6, 6},
                {"sed -i '2{h;G}' " LOG ".2",                                    AUDIT_IS_REORDERED, 2, 3, 2, 2},
 /* lines */
                {"sed -i 2d " LOG ".1",                                          AUDIT_IS_REMOVED,   1, 2, 6, 6},
                {"sed -i 2,3d " LOG ".1",                                        AUDIT_IS_REMOVED,   1, 2, 6, 7},
                {"sed -i 4d " LOG ".2",                                          AUDIT_IS_REMOVED,   1, 1, 4, 4},
                {"sed -i 1d " LOG ".2",                                          AUDIT_IS_BEHEADED,  2, 1, 1, 1},
                {"sed -i '2{h;d};3{G}' " LOG ".1",                               AUDIT_IS_REORDERED, 1, 2, 7, 7},
                {"sed -i '1{h;d};2{G}' " LOG ".2",                               AUDIT_IS_REORDERED, 2, 2, 1, 1},
                {"sed -i '$d' " LOG,                                             AUDIT_IS_TRUNCATED, 0, 0, 9, 9},
                {"sed -i '3,$d' " LOG ".1; : > " LOG,                            AUDIT_IS_TRUNCATED, 0, 0, 7, 9},
                {"truncate -s -1 " LOG,                                          AUDIT_IS_TRUNCATED, 0, 0, 9, 9},
                {"truncate -s -9 " LOG,                                          AUDIT_IS_TRUNCATED, 0, 0, 9, 9},
 /* files */
                {"rm " LOG,                                                      AUDIT_IS_TRUNCATED, 0, 0, 9, 9},
                {"rm " LOG ".1",                                                 AUDIT_IS_REMOVED,   0, 1, 5, 8},
                {"rm " LOG ".2",                                                 AUDIT_IS_BEHEADED,  1, 1, 1, 4},
                {"mv " LOG ".2 x; mv " LOG ".1 " LOG ".2; mv x " LOG ".1",       AUDIT_IS_REORDERED, 1, 1,
                 1,                                                                                           1},
                {"rm " LOG "*",                                                  AUDIT_IS_GONE,      0, 0, 1, 9},
                {"rm audit/*.head",                                              AUDIT_HAS_NO_HEAD,  0, 0, 0, 0},
                {"echo > audit/" ID ".head",                                     AUDIT_HAS_NO_HEAD,  0, 0, 0, 0},
                {"sed -i 's/t\":9/t\":8/' audit/*.head",                         AUDIT_HEAD_DIFFERS, 1, 4, 8, 8},
                {"sed -i 's/t\":9/t\":7/; s/first\":1/first\":2/' audit/*.head", AUDIT_HEAD_DIFFERS,
                 1,                                                                                     3, 7, 7},
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct tree t = nine();
                struct audit_report report;
                char words[256];

                t_note("row %zu: %s", i, rows[i].script);
                t_int(0, tree_sh(&t, rows[i].script));
                report = verify(&t, NULL);
                audit_problem_format(ID, &report, words, sizeof(words));
                t_note("%s", words);
                t_int(rows[i].problem, report.problem);
                t_int(rows[i].file, report.file);
                t_int((int64_t)rows[i].line, (int64_t)report.line);
                t_int((int64_t)rows[i].from, (int64_t)report.from);
                t_int((int64_t)rows[i].to, (int64_t)report.to);
                t_true(words[0] != '\0');
                tree_remove(&t);
        }
}

TEST(a_head_that_was_kept_elsewhere_tells_a_log_that_was_written_anew)
{
        struct tree t = scratch();
        struct audit_report report, kept;

        write_records(&t, 3, AUDIT_FILE_MAX);
        kept = verify(&t, NULL);
        write_records(&t, 2, AUDIT_FILE_MAX);
        report = verify(&t, kept.hash);
        t_int(AUDIT_INTACT, report.problem);
        t_int(2, (int64_t)report.after);

        t_int(0, tree_sh(&t, "rm -r audit"));
        write_records(&t, 5, AUDIT_FILE_MAX);
        t_int(AUDIT_INTACT, verify(&t, NULL).problem);
        t_int(AUDIT_HEAD_UNKNOWN, verify(&t, kept.hash).problem);
        tree_remove(&t);
}

TEST(every_byte_counts)
{
        struct tree t = scratch();
        struct buf text;
        int fd;

        write_records(&t, 4, AUDIT_FILE_MAX);
        text = slurp(&t, ID ".jsonl");
        fd = t_ok(sys_open(t.fd, LOG, O_WRONLY));
        for (size_t i = 0; i < text.size; i += 1 + t_seed() % 7) {
                char other = (char)(text.data[i] ^ 1);

                t_true(pwrite(fd, &other, 1, (off_t)i) == 1);
                t_true(verify(&t, NULL).problem != AUDIT_INTACT);
                t_true(pwrite(fd, text.data + i, 1, (off_t)i) == 1);
        }
        t_int(AUDIT_INTACT, verify(&t, NULL).problem);
        for (size_t n = 0; n < text.size; n += 11) {
                t_true(ftruncate(fd, (off_t)(text.size - 1 - n)) == 0);
                t_true(verify(&t, NULL).problem != AUDIT_INTACT);
        }
        (void)close(fd);
        buf_release(&text);
        tree_remove(&t);
}

TEST(there_may_be_none)
{
        struct audit_report report;
        struct tree t = scratch();

        t_errno(ENOENT, audit_verify(t.fd, ID, NULL, &report));
        tree_remove(&t);
}
