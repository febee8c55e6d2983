/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/log.h"

#include <sys/resource.h>
#include <signal.h>

#include "audit/test-audit.h"
#include "fault.h"

#define SMALL 4000 /* bytes: four records a file */

TEST(the_head_is_read_as_it_is_written_and_not_otherwise)
{
        struct audit_head head = {.count = 3, .first = 2, .dropped = UINT64_MAX}, read;
        char text[AUDIT_HEAD_BYTES + 1];

        memset(head.hash, 'a', AUDIT_HASH_CHARS);
        memset(head.base, '0', AUDIT_HASH_CHARS);
        audit_head_format(&head, text);
        t_ok(audit_head_parse(text, AUDIT_HEAD_BYTES, &read));
        t_true(memcmp(&head, &read, sizeof(head)) == 0);
        t_errno(ENODATA, audit_head_parse(text, 0, &read));
        t_errno(EBADMSG, audit_head_parse(text, AUDIT_HEAD_BYTES - 1, &read));
        for (size_t i = 0; i < AUDIT_HEAD_BYTES; i++) {
                char was = text[i];

                text[i] = '!';
                t_errno(EBADMSG, audit_head_parse(text, AUDIT_HEAD_BYTES, &read));
                text[i] = was;
        }
}

TEST(a_log_goes_on_where_it_ended)
{
        struct tree t = scratch();
        struct audit_report report;

        write_records(&t, 3, AUDIT_FILE_MAX);
        write_records(&t, 2, AUDIT_FILE_MAX);
        report = verify(&t, NULL);
        t_int(AUDIT_INTACT, report.problem);
        t_int(5, (int64_t)report.last);
        t_int(0, (int64_t)report.dropped);
        tree_remove(&t);
}

TEST(rotation_keeps_the_chain_and_the_newest_files)
{
        struct tree t = scratch();
        struct audit_report report;

        write_records(&t, 9, SMALL);
        report = verify(&t, NULL);
        t_int(AUDIT_INTACT, report.problem);
        t_int(9, (int64_t)report.records);
        for (unsigned i = 0; i < 5; i++) {
                write_records(&t, 7, SMALL);
                report = verify(&t, NULL);
                t_int(AUDIT_INTACT, report.problem);
        }
        t_int(44, (int64_t)report.last);
        t_true(report.first > 20 && report.records == report.last - report.first + 1);
        t_int(0, tree_sh(&t, "test $(ls audit | wc -l) = 5"));
        tree_remove(&t);
}

/* A writer who was killed: the newest record is torn, or the head is that of the one before. */
TEST(what_a_killed_writer_leaves_is_put_in_order)
{
        static const struct {
                const char *script;
                uint64_t records; /* whole ones that are left */
                uint64_t torn;
        } rows[] = {
                {"printf '{\"metadata\":{\"seq' >> audit/" ID ".jsonl",                    3, 17 },
                {"cp audit/two.head audit/" ID ".head",                                    3, 0  },
                {"cp audit/two.head audit/" ID ".head; truncate -s -9 audit/" ID ".jsonl", 2, 900},
                {": > audit/" ID ".head",                                                  3, 0  },
                {"mv audit/" ID ".jsonl audit/" ID ".jsonl.1",                             3, 0  },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct tree t = scratch();
                struct audit_report report;
                struct buf text;

                t_note("row %zu", i);
                write_records(&t, 2, AUDIT_FILE_MAX);
                t_int(0, tree_sh(&t, "cp audit/" ID ".head audit/two.head"));
                write_records(&t, 1, AUDIT_FILE_MAX);
                t_int(0, tree_sh(&t, rows[i].script));
                report = verify(&t, NULL);
                t_int(AUDIT_INTACT, report.problem);
                t_int((int64_t)rows[i].records, (int64_t)report.records);
                t_true(rows[i].torn == 0 ? report.torn == 0 : report.torn > 0);

                write_records(&t, 1, AUDIT_FILE_MAX);
                report = verify(&t, NULL);
                t_int(AUDIT_INTACT, report.problem);
                t_int(0, (int64_t)report.torn);
                text = slurp(&t, ID ".jsonl");
                t_true((strstr(text.data, "\"Repair\"") != NULL) == (i != 4));
                buf_release(&text);
                tree_remove(&t);
        }
}

/* A start after somebody has cut the log: it goes on, and says so for good. */
TEST(a_loss_is_written_down_by_the_next_writer)
{
        static const struct {
                const char *script;
                const char *control;
        } rows[] = {
                {"sed -i '$d' audit/" ID ".jsonl",                                    "audit-log-cut"         },
                {"truncate -s -9 audit/" ID ".jsonl",                                 "audit-log-cut"         },
                {": > audit/" ID ".jsonl",                                            "audit-log-cut"         },
                {"rm audit/" ID ".jsonl",                                             "audit-log-cut"         },
                {"rm audit/" ID ".head",                                              "audit-log-head-missing"},
                {"echo > audit/" ID ".head",                                          "audit-log-head-missing"},
                {"sed -i '$s/Pause/Pausf/' audit/" ID ".jsonl",                       "audit-log-changed"     },
                {"sed -i '$s/metadata/metadatb/' audit/" ID ".jsonl",                 "audit-log-changed"     },
                {"for i in 1 2 3; do cat audit/" ID ".jsonl; done > audit/x; mv audit/x audit/" ID
                 ".jsonl; sed -i '$s/:9,/:99,/' audit/" ID ".jsonl",
                 "audit-log-head-old"                                                                         },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct tree t = scratch();
                struct audit_report report;
                struct buf text;

                t_note("row %zu", i);
                write_records(&t, 9, AUDIT_FILE_MAX);
                t_int(0, tree_sh(&t, rows[i].script));
                write_records(&t, 1, AUDIT_FILE_MAX);
                text = slurp(&t, ID ".jsonl");
                t_has(rows[i].control, text.data);
                report = verify(&t, NULL);
                t_true(report.problem != AUDIT_INTACT);
                buf_release(&text);
                tree_remove(&t);
        }
}

TEST(refuses_a_file_that_could_not_be_ours)
{
        static const char *const scripts[] = {
                "mkdir -p audit; head -c 100000 /dev/zero > audit/" ID ".jsonl",
                "mkdir -p audit/" ID ".jsonl",
                "mkdir -p audit; mkfifo audit/" ID ".jsonl",
                "mkdir -p audit; ln -s /etc/passwd audit/" ID ".jsonl",
                "mkdir -p audit/" ID ".head",
                "echo > audit",
                "ln -s /tmp audit",
        };

        for (size_t i = 0; i < ELEMENTS(scripts); i++) {
                struct audit_log log = AUDIT_LOG_INIT;
                struct tree t = scratch();
                int before = t_open_fds();

                t_note("row %zu", i);
                t_int(0, tree_sh(&t, scripts[i]));
                t_true(audit_open(&log, t.fd, &subject) < 0);
                t_false(audit_is_open(&log));
                t_int(before, t_open_fds());
                tree_remove(&t);
        }
}

/* The size that a file may have stands for a disk that is full, at every byte of a record. */
TEST(a_full_disk_loses_whole_records_and_counts_them)
{
        struct rlimit was, limit;
        struct tree t = scratch();
        struct audit_log log = AUDIT_LOG_INIT;
        struct audit_report report;
        unsigned lost = 0;

        (void)signal(SIGXFSZ, SIG_IGN);
        t_true(getrlimit(RLIMIT_FSIZE, &was) == 0);
        limit = was;
        t_ok(audit_open(&log, t.fd, &subject));
        for (unsigned i = 0; i < 40; i++) {
                audit_add(&log, &pause_record);
                if (i % 4 == 3) {
                        limit.rlim_cur = log.bytes + i * 20;
                        t_true(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                        t_true(audit_write(&log, false) < 0);
                        limit.rlim_cur = was.rlim_cur;
                        t_true(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                        lost++;
                } else {
                        t_ok(audit_write(&log, false));
                }
                report = verify(&t, NULL);
                t_int(AUDIT_INTACT, report.problem);
                t_int(lost, (int64_t)report.dropped);
        }
        audit_close(&log);
        tree_remove(&t);
}

/* Whichever call fails: the log is intact, and what was not written is counted. */
TEST(a_call_that_fails_costs_no_more_than_its_record)
{
        for (unsigned n = 1;; n++) {
                struct audit_log log = AUDIT_LOG_INIT;
                struct tree t = scratch();
                int before = t_open_fds(), r;
                struct audit_report report;
                bool struck;

                t_note("call %u", n);
                write_records(&t, 6, SMALL);
                fault_arm_sys(n, EIO);
                r = audit_open(&log, t.fd, &subject);
                log.max_bytes = SMALL;
                for (unsigned i = 0; r == 0 && i < 6; i++) {
                        audit_add(&log, &pause_record);
                        (void)audit_write(&log, true);
                }
                struck = fault_disarm();
                audit_close(&log);
                report = verify(&t, NULL);
                t_int(AUDIT_INTACT, report.problem);
                t_true(r < 0 || report.last + report.dropped == 12);
                t_int(before, t_open_fds());
                tree_remove(&t);
                if (!struck)
                        break;
        }
}
