/* SPDX-License-Identifier: Apache-2.0 */
#include <coffer/error.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>

#include "store/events.h"
#include "store/file.h"
#include "store/health.h"
#include "store/identity.h"
#include "store/meta.h"
#include "store/state.h"
#include "store/volume.h"
#include "store/test-store.h"

#define A "aaaaaaaaaaaa"

TEST(homes_that_cannot_keep_boxes_are_refused)
{
        struct coffer_error err;
        struct home *home;

        t_errno(EINVAL, home_open("relative", &home, &err));
        t_errno(EOPNOTSUPP, home_check_fs(NFS_SUPER_MAGIC, "/h", &err));
        t_has("NFS", err.msg);
        t_true(err.hint[0] != '\0');
        t_errno(EOPNOTSUPP, home_check_fs(V9FS_MAGIC, "/h", &err));
        t_errno(EOPNOTSUPP, home_check_fs(0x65735546, "/h", &err));
        t_ok(home_check_fs(EXT4_SUPER_MAGIC, "/h", &err));
        t_ok(home_check_fs(TMPFS_MAGIC, "/h", &err));
        t_true(home_open("/proc/coffer", &home, &err) < 0);
}

TEST(a_home_that_others_may_write_to_is_refused)
{
        struct scratch s = scratch_begin();
        struct coffer_error err;
        struct home *home;

        t_ok(chmod(s.path, 0770));
        t_errno(EPERM, home_open(s.path, &home, &err));
        t_has("others may write", err.msg);
        t_ok(chmod(s.path, 0700));
        scratch_end(&s);
}

TEST(a_file_is_replaced_whole)
{
        struct scratch s = scratch_begin();
        char text[8];

        t_ok(file_replace(s.home->fd, "f", "one", 3, FILE_NEW));
        t_errno(EEXIST, file_replace(s.home->fd, "f", "two", 3, FILE_NEW));
        t_ok(file_replace(s.home->fd, ".f", "torn", 4, FILE_NEW)); /* of a killed writer */
        t_ok(file_replace(s.home->fd, "f", "two", 3, FILE_SYNC));
        t_int(3, (int)file_read(s.home->fd, "f", text, sizeof(text)));
        t_str("two", text);
        t_false(exists(s.home->fd, ".f"));
        t_errno(EFBIG, (int)file_read(s.home->fd, "f", text, 3));
        t_ok(symlinkat("f", s.home->fd, "link"));
        t_errno(ELOOP, (int)file_read(s.home->fd, "link", text, sizeof(text)));
        scratch_end(&s);
}

TEST(an_identity_comes_back_as_written)
{
        struct scratch s = scratch_begin();
        struct identity a, b;
        uint64_t start;
        int fd = scratch_box(&s, A);

        t_errno(ENOENT, identity_read(fd, &b));
        t_ok(identity_of_self(A, "0.1.0", &a));
        t_ok(process_start_time(a.pid, &start));
        t_true(start == a.start_time);
        t_ok(identity_write(fd, &a));
        t_ok(identity_read(fd, &b));
        t_mem(&a, &b, sizeof(a));
        t_errno(ESRCH, process_start_time(0x3fffffff, &start));
        (void)close(fd);
        scratch_end(&s);
}

/* A pipe is as little of pidfs as a pidfd was before Linux 6.9, and as alive. */
TEST(a_process_without_a_number_in_pidfs_is_told_by_its_start)
{
        uint32_t pid = (uint32_t)getpid();
        uint64_t inode, start, now;
        int pidfd = t_ok(sys_pidfd_open(getpid()));
        int ends[2];

        t_ok(pipe2(ends, O_CLOEXEC));
        process_mark(ends[0], pid, &inode, &start);
        t_ok(process_start_time(pid, &now));
        t_true(inode == 0 && start == now);
        t_true(process_has_mark(ends[0], pid, 0, start));
        t_false(process_has_mark(ends[0], pid, 0, start + 1));
        t_false(process_has_mark(ends[0], pid, 0, 0));
        t_false(process_has_mark(ends[0], pid, 1, start));
        t_false(process_has_mark(ends[0], 0x3fffffff, 0, start));
        (void)close(ends[1]); /* as one that has ended, whose pid may be another's */
        process_mark(ends[0], pid, &inode, &start);
        t_true(inode == 0 && start == 0);
        (void)close(ends[0]);

        if (process_inode(pidfd, &now) == 0) {
                process_mark(pidfd, pid, &inode, &start);
                t_true(inode == now && start == 0);
                t_true(process_has_mark(pidfd, pid, inode, 0));
                t_false(process_has_mark(pidfd, pid, inode + 1, 0));
        }
        (void)close(pidfd);
}

static struct health_probe probe_of(int number, const char *bytes, size_t size)
{
        return (struct health_probe){.start_ns = (uint64_t)number,
                                     .end_ns = INT64_MAX,
                                     .exit_code = number - 1,
                                     .output =
                                             health_output(number % 2 ? "head " : "", bytes, size)};
}

TEST(the_last_probes_come_back_as_written)
{
        struct scratch s = scratch_begin();
        struct health_log log = {.failing_streak = UINT32_MAX}, again;
        char *large = malloc(HEALTH_OUTPUT_BYTES + 1);
        int fd = scratch_box(&s, A);

        t_errno(ENOENT, health_log_read(fd, &again, NULL));
        t_true(large != NULL);
        memset(large, '\x01', HEALTH_OUTPUT_BYTES + 1); /* six bytes each in the file */
        for (int i = 0; i < HEALTH_LOG_MAX + 3; i++) {
                struct health_probe p = probe_of(i, large, HEALTH_OUTPUT_BYTES + (i == 4));

                health_log_add(&log, &p);
        }
        free(log.probes[3].output);
        log.probes[3] = probe_of(0, "a\0\xff\xc3\xa9\n\"\xe2\x82", 9);
        t_ok(health_log_write(fd, &log));
        t_ok(health_log_read(fd, &again, NULL));
        t_true(again.failing_streak == UINT32_MAX);
        t_int(HEALTH_LOG_MAX, again.count);
        t_true(again.probes[0].start_ns == 3 && again.probes[0].end_ns == INT64_MAX);
        t_int(2, again.probes[0].exit_code);
        t_int(5 + HEALTH_OUTPUT_BYTES, strlen(again.probes[0].output));
        t_int(HEALTH_OUTPUT_BYTES + 3, strlen(again.probes[1].output));
        t_true(str_eq(again.probes[1].output + HEALTH_OUTPUT_BYTES, "..."));
        t_int(-1, again.probes[3].exit_code);
        t_str("a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\n\"\xef\xbf\xbd\xef\xbf\xbd",
              again.probes[3].output);
        health_log_release(&log);
        health_log_release(&again);
        free(large);
        (void)close(fd);
        scratch_end(&s);
}

TEST(a_file_of_probes_that_is_torn_or_not_ours_is_refused)
{
        static const char *const bad[] = {
                "",
                "{",
                "[]",
                "{\"version\":2,\"failing_streak\":0,\"log\":[]}",
                "{\"version\":1,\"log\":[]}",
                "{\"version\":1,\"failing_streak\":-1,\"log\":[]}",
                "{\"version\":1,\"failing_streak\":0,\"log\":[{}]}",
                ("{\"version\":1,\"failing_streak\":0,\"log\":[{\"start_ns\":1,\"end_ns\":2,"
                 "\"exit_code\":256,\"output\":\"\"}]}"),
        };
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct health_log log;

                t_note("row %zu", i);
                t_ok(file_replace(fd, "health.json", bad[i], strlen(bad[i]), 0));
                t_errno(EBADMSG, health_log_read(fd, &log, NULL));
        }
        (void)close(fd);
        scratch_end(&s);
}

#define GOOD                                                                          \
        "version 1\nid aaaaaaaaaaaa\nnonce 00112233445566778899aabbccddeeff\npid 7\n" \
        "start_time 5\nboot_id 4e1b4a8b-1111-2222-3333-444444444444\npid_ns 4026531836\n"

TEST(an_identity_that_is_torn_or_forged_is_no_identity)
{
        static const struct {
                const char *text;
                int code;
        } cases[] = {
                {GOOD "coffer 0.1.0\n",                                 0      },
                {GOOD "coffer 0.1.0\nnewer field\n",                    0      },
                {GOOD "coffer 0.1.0\npid_inode 9\n",                    0      },
                {GOOD "coffer 0.1.0\npid_inode x\n",                    EBADMSG},
                {GOOD "pid_inode 9\n",                                  EBADMSG},
                {"",                                                    EBADMSG},
                {GOOD,                                                  EBADMSG},
                {GOOD "coffer 0.1.0",                                   EBADMSG},
                {GOOD "coffer 0.1.0\npid 8\n",                          EBADMSG},
                {GOOD "coffer 0.1.0\nrubbish\n",                        EBADMSG},
                {"version 2\n",                                         EPROTO },
                {"version x\n",                                         EBADMSG},
                {"version 1\nid aaaaaaaaaaaaaaaaa\n",                   EBADMSG},
                {"version 1\nnonce 0011\n",                             EBADMSG},
                {"version 1\npid 4294967296\n",                         EBADMSG},
                {"version 1\nnonce 00112233445566778899aabbccddeefg\n", EBADMSG},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct identity identity;
                char *text = strdup(cases[i].text);

                t_note("case %zu", i);
                if (cases[i].code == 0)
                        t_ok(identity_parse(text, &identity));
                else
                        t_errno(cases[i].code, identity_parse(text, &identity));
                free(text);
        }
}

TEST(a_state_comes_back_as_written)
{
        struct scratch s = scratch_begin();
        struct box_record a = {
                .state = "failed",
                .reason = "shim died",
                .error = "a \"quoted\"\nline",
                .pid = 12,
                .pid_inode = 4294967296,
                .pid_start = 4294967297,
                .created_ns = 1,
                .started_ns = 1700000000123456789U,
                .finished_ns = 3,
                .exit_code = 137,
                .oom_killed = true,
                .timed_out = true,
                .stop_asked = true,
                .restart_count = 4,
                .health = "unhealthy",
        };
        struct box_record b = {0};
        int fd = scratch_box(&s, A);

        t_ok(strv_add(&a.posture, "seccomp\trequired\tenforced\t"));
        t_ok(strv_add(&a.posture, "egress\trequired\tdegraded\tbecause\ttabs"));
        t_errno(ENOENT, state_read(fd, &b, NULL));
        t_ok(state_write(fd, &a, true));
        t_ok(state_read(fd, &b, NULL));
        t_str(a.state, b.state);
        t_str(a.reason, b.reason);
        t_str(a.error, b.error);
        t_true(a.started_ns == b.started_ns && b.oom_killed && b.timed_out);
        t_true(b.stop_asked && b.restart_count == 4);
        t_true(b.pid_inode == 4294967296 && b.pid_start == 4294967297);
        t_int(137, b.exit_code);
        t_str("unhealthy", b.health);
        t_int(2, b.posture.count);
        t_str(a.posture.items[0], b.posture.items[0]);
        t_str(a.posture.items[1], b.posture.items[1]);
        box_record_release(&a);
        box_record_release(&b);
        (void)close(fd);
        scratch_end(&s);
}

TEST(what_may_change_of_a_box_comes_back_as_written)
{
        static char image[] = "host", command[] = "sleep 1";
        static const struct restart_policy policies[] = {
                {RESTART_NO,             0},
                {RESTART_ON_FAILURE,     3},
                {RESTART_UNLESS_STOPPED, 0},
        };
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);

        for (size_t i = 0; i < ELEMENTS(policies); i++) {
                struct box_meta a = {.image = image,
                                     .command = command,
                                     .created_ns = 7,
                                     .tty = true,
                                     .restart = policies[i]};
                struct box_meta b = {0};

                t_ok(meta_write(fd, &a, 0));
                t_ok(meta_read(fd, &b, NULL));
                t_str("host", b.image);
                t_str("sleep 1", b.command);
                t_true(b.created_ns == 7 && b.tty && !b.remove);
                t_int(policies[i].kind, b.restart.kind);
                t_int(policies[i].max_retries, b.restart.max_retries);
                box_meta_release(&b);
        }
        (void)close(fd);
        scratch_end(&s);
}

TEST(a_policy_that_is_none_makes_a_box_unreadable_rather_than_one_that_stays_down)
{
        static const char *const bad[] = {"\"never\"", "\"always:3\"", "7"};
        struct scratch s = scratch_begin();
        int fd = scratch_box(&s, A);

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct box_meta meta = {0};
                char text[200];

                t_note("%s", bad[i]);
                (void)snprintf(text, sizeof(text),
                               "{\"version\":1,\"image\":\"host\",\"command\":\"true\","
                               "\"created_ns\":1,\"restart\":%s}",
                               bad[i]);
                t_ok(file_replace(fd, "meta.json", text, strlen(text), 0));
                t_errno(EBADMSG, meta_read(fd, &meta, NULL));
        }
        (void)close(fd);
        scratch_end(&s);
}

TEST(a_torn_state_is_told_from_a_missing_one)
{
        static const char *const bad[] = {
                "",
                "{",
                "{}",
                "[]",
                "{\"version\":2,\"state\":\"stopped\"}",
                "{\"version\":1}",
                "{\"version\":1,\"state\":7}",
                "{\"version\":1,\"state\":\"a-word-that-is-too-long\"}",
                "{\"version\":1,\"state\":\"stopped\",\"exit_code\":256}",
                "{\"version\":1,\"state\":\"stopped\",\"posture\":[{}]}",
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct box_record record;

                t_note("%s", bad[i]);
                t_errno(EBADMSG, state_parse(bad[i], strlen(bad[i]), &record, NULL));
        }
}

static void event(struct scratch *s, const char *action, uint64_t time_ns)
{
        static const char *const extra[] = {"exitCode", "0", NULL};
        char label[] = "a=\"b\"";
        char *labels[] = {label, NULL};
        struct strv list = {labels, 1};
        struct event e = {"container", action, A, "web", "host", &list, extra, time_ns};

        t_ok(event_append(s->home->fd, &e));
}

TEST(events_come_back_in_order_and_torn_lines_do_not)
{
        struct scratch s = scratch_begin();
        struct event_reader reader;
        uint64_t ns;
        char *line;
        int fd;

        t_ok(event_reader_open(&reader, s.home->fd, false));
        t_int(0, event_reader_next(&reader, &line, &ns));
        event(&s, "create", 5000000007U);
        t_int(1, event_reader_next(&reader, &line, &ns));
        t_true(ns == 5000000007U);
        t_has("\"Attributes\":{\"a\":\"\\\"b\\\"\",\"exitCode\":\"0\",\"image\":\"host\"", line);
        t_has("\"time\":5,", line);

        fd = t_ok(sys_open(s.home->fd, "events", O_WRONLY | O_APPEND));
        t_ok(sys_write_all(fd, "{\"torn\":\nrubbish\n{\"timeNano\":1}\n", 32));
        event(&s, "start", 0);
        t_int(1, event_reader_next(&reader, &line, &ns));
        t_has("\"Action\":\"start\"", line);
        t_int(0, event_reader_next(&reader, &line, &ns));
        (void)close(fd);
        event_reader_close(&reader);
        scratch_end(&s);
}

TEST(a_reader_follows_events_through_rotation)
{
        struct scratch s = scratch_begin();
        struct event_reader reader;
        uint64_t ns, expected = 1;
        char *line;
        int r = 1;

        event(&s, "start", expected);
        t_ok(event_reader_open(&reader, s.home->fd, false));
        for (uint64_t n = 1; !exists(s.home->fd, "events.1"); n++) {
                event(&s, "exec", n + 1);
                while ((n & 63) == 0 && (r = event_reader_next(&reader, &line, &ns)) > 0)
                        t_true(ns == expected++);
                t_ok(r);
        }
        event(&s, "die", 77);
        do {
                r = event_reader_next(&reader, &line, &ns);
                if (r > 0 && ns != 77)
                        t_true(ns == expected++);
        } while (r > 0 && ns != 77);
        t_int(1, r);
        event_reader_close(&reader);
        scratch_end(&s);
}

TEST(volumes_that_were_cut_short_are_swept)
{
        struct scratch s = scratch_begin();
        struct volume v = {.anonymous = false};
        struct coffer_error err;
        int fd, live;

        t_int(1, volume_create(s.home, "data", &v, (uint32_t)-1, (uint32_t)-1, &err));
        fd = t_ok(sys_open(s.home->fd, "volumes", O_RDONLY | O_DIRECTORY));
        t_ok(mkdirat(fd, ".new-1-2", 0700));
        t_ok(mkdirat(fd, ".new-1-2/_data", 0700));
        t_ok(mkdirat(fd, ".new-3-4", 0700));
        live = t_ok(sys_open(fd, ".new-3-4", O_RDONLY | O_DIRECTORY));
        t_ok(flock(live, LOCK_EX));
        t_ok(mkdirat(fd, ".trash-data", 0700));
        t_ok(mkdirat(fd, ".trash-data/_data", 0700));

        /* One of its name in the trash is in nobody's way. */
        t_ok(volume_remove(s.home, "data", NULL, NULL, &err));
        t_errno(ENOENT, faccessat(fd, ".trash-data", F_OK, 0) < 0 ? -errno : 0);
        t_ok(mkdirat(fd, ".trash-data", 0700));
        volume_sweep(s.home, NULL, NULL);
        t_errno(ENOENT, faccessat(fd, ".trash-data", F_OK, 0) < 0 ? -errno : 0);
        t_errno(ENOENT, faccessat(fd, ".new-1-2", F_OK, 0) < 0 ? -errno : 0);
        t_ok(faccessat(fd, ".new-3-4", F_OK, 0)); /* whoever makes it lives */
        (void)close(live);
        volume_sweep(s.home, NULL, NULL);
        t_errno(ENOENT, faccessat(fd, ".new-3-4", F_OK, 0) < 0 ? -errno : 0);
        (void)close(fd);
        scratch_end(&s);
}

TEST(a_volume_is_made_once_and_removed)
{
        struct scratch s = scratch_begin();
        struct volume v = {.anonymous = true}, w = {0};
        struct strv names = {0};
        struct coffer_error err;
        int fd;

        t_ok(strv_add(&v.labels, "a=b"));
        t_int(1, volume_create(s.home, "data", &v, (uint32_t)-1, (uint32_t)-1, &err));
        t_int(0, volume_create(s.home, "data", &v, (uint32_t)-1, (uint32_t)-1, &err));
        t_ok(volume_read(s.home, "data", &w, &err));
        t_true(w.anonymous && w.created_ns > 0);
        t_str("a=b", w.labels.items[0]);
        t_ok(volume_list(s.home, &names, &err));
        t_int(1, names.count);
        fd = t_ok(sys_open(s.home->fd, "volumes/data/_data", O_RDONLY | O_DIRECTORY));
        t_ok(file_replace(fd, "x", "y", 1, 0));
        t_ok(volume_remove(s.home, "data", NULL, NULL, &err));
        t_errno(ENOENT, volume_remove(s.home, "data", NULL, NULL, &err));
        t_errno(ENOENT, volume_read(s.home, "data", &w, &err));
        (void)close(fd);
        strv_release(&names);
        volume_release(&v);
        volume_release(&w);
        scratch_end(&s);
}
