/* SPDX-License-Identifier: Apache-2.0 */
#include "store/log.h"

#include <stdlib.h>
#include <string.h>

#include "store/test-store.h"

#define A "aaaaaaaaaaaa"

TEST(bytes_come_back_as_they_were)
{
        struct scratch s = scratch_begin();
        int dir_fd = scratch_box(&s, A);
        struct log_reader reader;
        struct log_record record;
        struct box_log log;
        size_t total = 0;
        char *big = malloc(3 * LOG_RECORD_MAX + 5);

        t_true(big != NULL);
        for (size_t i = 0; i < 3 * LOG_RECORD_MAX + 5; i++)
                big[i] = (char)(i * 31);
        t_ok(log_reader_open(&reader, dir_fd));
        t_int(0, log_reader_next(&reader, &record));
        t_ok(box_log_open(&log, dir_fd, UINT64_MAX, 1));
        t_ok(box_log_append(&log, LOG_STDOUT, 7, "a\0b", 3));
        t_ok(box_log_append(&log, LOG_STDERR, 8, "", 0));
        t_ok(box_log_append(&log, LOG_STDERR, 9, big, 3 * LOG_RECORD_MAX + 5));

        t_int(1, log_reader_next(&reader, &record));
        t_int(LOG_STDOUT, record.stream);
        t_true(record.time_ns == 7);
        t_int(3, record.bytes);
        t_mem("a\0b", record.data, 3);
        while (log_reader_next(&reader, &record) > 0) {
                t_int(LOG_STDERR, record.stream);
                t_mem(big + total, record.data, record.bytes);
                total += record.bytes;
        }
        t_int(3 * LOG_RECORD_MAX + 5, total);
        log_reader_close(&reader);
        box_log_close(&log);
        (void)close(dir_fd);
        free(big);
        scratch_end(&s);
}

static void append_number(struct box_log *log, int number)
{
        char text[16];
        int n = snprintf(text, sizeof(text), "%08d", number);

        t_ok(box_log_append(log, LOG_STDOUT, (uint64_t)number + 1, text, (size_t)n));
}

TEST(the_oldest_file_is_dropped_and_a_follower_misses_nothing)
{
        struct scratch s = scratch_begin();
        int dir_fd = scratch_box(&s, A);
        struct log_reader follower, late;
        struct log_record record;
        struct box_log log;
        int seen = 0, first = -1, count = 0;

        t_ok(box_log_open(&log, dir_fd, 240, 3)); /* ten records a file */
        t_ok(log_reader_open(&follower, dir_fd));
        for (int i = 0; i < 100; i++) {
                append_number(&log, i);
                while (i % 7 == 0 && log_reader_next(&follower, &record) > 0)
                        t_int(seen++, atoi(record.data));
        }
        while (log_reader_next(&follower, &record) > 0)
                t_int(seen++, atoi(record.data));
        t_int(100, seen);

        t_ok(log_reader_open(&late, dir_fd));
        while (log_reader_next(&late, &record) > 0) {
                if (first < 0)
                        first = atoi(record.data);
                t_int(first + count++, atoi(record.data));
        }
        t_int(70, first);
        t_int(30, count);
        t_false(exists(dir_fd, "log.3"));
        log_reader_close(&late);
        log_reader_close(&follower);
        box_log_close(&log);
        (void)close(dir_fd);
        scratch_end(&s);
}

TEST(a_torn_end_is_not_read_and_is_cut_off)
{
        struct scratch s = scratch_begin();
        int dir_fd = scratch_box(&s, A);
        struct log_reader reader;
        struct log_record record;
        struct box_log log;
        struct stat st;

        for (int torn = 1; torn < 24; torn++) {
                t_note("%d bytes", torn);
                (void)unlinkat(dir_fd, "log", 0);
                t_ok(box_log_open(&log, dir_fd, UINT64_MAX, 3));
                append_number(&log, 1);
                append_number(&log, 2);
                box_log_close(&log);
                t_ok(fstatat(dir_fd, "log", &st, 0));
                log.fd = t_ok(sys_open(dir_fd, "log", O_RDWR));
                t_ok(ftruncate(log.fd, st.st_size - torn));
                (void)close(log.fd);

                t_ok(log_reader_open(&reader, dir_fd));
                t_int(1, log_reader_next(&reader, &record));
                t_int(0, log_reader_next(&reader, &record));
                t_ok(box_log_open(&log, dir_fd, UINT64_MAX, 3));
                append_number(&log, 3);
                t_int(1, log_reader_next(&reader, &record));
                t_int(3, atoi(record.data));
                box_log_close(&log);
                log_reader_close(&reader);
        }
        (void)close(dir_fd);
        scratch_end(&s);
}

TEST(rubbish_is_an_error_and_no_record)
{
        struct scratch s = scratch_begin();
        int dir_fd = scratch_box(&s, A);
        struct log_reader reader;
        struct log_record record;
        char rubbish[64];
        int fd;

        memset(rubbish, 0xff, sizeof(rubbish));
        fd = t_ok(sys_open_mode(dir_fd, "log", O_WRONLY | O_CREAT, 0600));
        t_ok(sys_write_all(fd, rubbish, sizeof(rubbish)));
        t_ok(log_reader_open(&reader, dir_fd));
        t_errno(EBADMSG, log_reader_next(&reader, &record));
        log_reader_close(&reader);
        (void)close(fd);
        (void)close(dir_fd);
        scratch_end(&s);
}
