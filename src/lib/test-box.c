/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test-lib.h"

#include <poll.h>
#include <signal.h>

TEST(a_box_lives_from_create_to_remove)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "echo hi; exit 7", NULL);
        struct coffer_box_info *info;
        struct coffer_exit end;

        t_errno(ENODATA, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        lab_ok(&lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        lab_ok(&lab, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        t_int(7, end.status);
        lab_ok(&lab, coffer_box_get_info(box, &info, &lab.err));
        t_int(COFFER_STATE_STOPPED, info->state);
        t_int(7, info->exit_code);
        t_true(info->started_ns >= info->created_ns && info->finished_ns >= info->started_ns);
        t_str("host", info->image);
        coffer_free(info);

        lab_ok(&lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err)); /* again */
        lab_ok(&lab, coffer_box_stop(box, 0, 0, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_stop(box, 0, 0, LONG_MS, &lab.err)); /* nothing to stop */
        t_errno(ESRCH, coffer_box_kill(box, SIGTERM, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_remove(box, 0, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_remove(box, 0, LONG_MS, &lab.err));
        t_errno(ENOENT, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        t_errno(ENOENT, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        (void)coffer_box_free(box);
        lab_end(&lab);
}

TEST(a_running_box_refuses_what_it_must)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(&lab, "exec sleep 1000");
        struct coffer_exit end;

        t_errno(EALREADY, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        t_errno(EBUSY, coffer_box_remove(box, 0, LONG_MS, &lab.err));
        t_int(COFFER_ERROR_STATE, lab.err.kind);
        t_errno(ETIMEDOUT, coffer_box_wait(box, 10, &end, &lab.err));
        t_errno(EINVAL, coffer_box_kill(box, 65, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_kill(box, SIGKILL, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        t_int(128 + SIGKILL, end.status);
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(an_exec_has_its_own_streams_and_status)
{
        const char *argv[] = {"/bin/sh", "-c", "cat; echo err >&2; exit 3", NULL};
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(&lab, "exec sleep 1000");
        struct coffer_process *p;
        struct coffer_spec *spec;
        struct coffer_exit end;
        char text[64];
        int fd;

        lab_ok(&lab, coffer_spec_new(&spec, &lab.err));
        t_errno(EINVAL, coffer_exec_start(box, spec, LONG_MS, &p, &lab.err));
        lab_ok(&lab, coffer_spec_set_command(spec, argv, &lab.err));
        lab_ok(&lab, coffer_spec_set(spec, "interactive", NULL, &lab.err));
        lab_ok(&lab, coffer_exec_start(box, spec, LONG_MS, &p, &lab.err));
        fd = coffer_process_take_stream(p, COFFER_STDIN);
        t_errno(EBADF, coffer_process_take_stream(p, COFFER_STDIN));
        t_errno(EBADF, coffer_process_stream(p, COFFER_TTY));
        t_int(6, write(fd, "bytes\n", 6));
        (void)close(fd);
        t_str("bytes\n", lab_read(coffer_process_stream(p, COFFER_STDOUT), text, sizeof(text)));
        t_str("err\n", lab_read(coffer_process_stream(p, COFFER_STDERR), text, sizeof(text)));
        lab_ok(&lab, coffer_process_wait(p, LONG_MS, &end, &lab.err));
        t_int(3, end.status);
        lab_ok(&lab, coffer_process_wait(p, 0, &end, &lab.err)); /* it stays ended */
        t_errno(ENOTTY, coffer_process_resize(p, 24, 80, &lab.err));
        (void)coffer_process_free(p);

        lab_ok(&lab, coffer_spec_set(spec, "memory", "64m", &lab.err));
        t_errno(EINVAL, coffer_exec_start(box, spec, LONG_MS, &p, &lab.err));
        (void)coffer_spec_free(spec);
        lab_remove(&lab, box);
        lab_end(&lab);
}

/* Nobody calls coffer_process_resize() here: that would come too late for a quick program. */
TEST(a_terminal_has_its_size_before_its_process_runs)
{
        const char *argv[] = {"stty", "size", NULL};
        const char *keys[] = {"tty", "true", NULL};
        const struct coffer_start_options options = {
                .size = sizeof(options),
                .flags = COFFER_START_FOREGROUND,
                .streams = COFFER_STDOUT,
                .rows = 31,
                .columns = 113,
        };
        struct lab lab = lab_begin();
        struct coffer_box *running = lab_running(&lab, "exec sleep 1000");
        struct coffer_box *box = lab_box(&lab, "exec stty size", keys);
        struct coffer_process *p;
        struct coffer_spec *spec;
        char text[64];

        lab_ok(&lab, coffer_spec_new(&spec, &lab.err));
        lab_ok(&lab, coffer_spec_set_command(spec, argv, &lab.err));
        lab_ok(&lab, coffer_spec_set(spec, "tty", "true", &lab.err));
        t_errno(EINVAL, coffer_spec_set_terminal_size(spec, 65536, 80, &lab.err));
        lab_ok(&lab, coffer_spec_set_terminal_size(spec, 31, 113, &lab.err));
        lab_ok(&lab, coffer_exec_start(running, spec, LONG_MS, &p, &lab.err));
        (void)coffer_spec_free(spec);
        t_str("31 113\r\n", lab_read(coffer_process_stream(p, COFFER_TTY), text, sizeof(text)));
        (void)coffer_process_free(p);

        lab_ok(&lab, coffer_box_start(box, &options, LONG_MS, &p, &lab.err));
        t_str("31 113\r\n", lab_read(coffer_process_stream(p, COFFER_STDOUT), text, sizeof(text)));
        (void)coffer_process_free(p);
        lab_remove(&lab, running);
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(what_cannot_be_run_says_so_and_leaves_nothing)
{
        static const struct {
                const char *key, *value, *command;
                int code;
                uint32_t kind;
        } cases[] = {
                {"rm",      "true",     "/no/such/program", ENOENT, COFFER_ERROR_NOT_FOUND     },
                {"rm",      "true",     "/etc/passwd",      EACCES, COFFER_ERROR_NOT_EXECUTABLE},
                {"workdir", "/no/such", "/bin/true",        ENOENT, COFFER_ERROR_NOT_EXECUTABLE},
        };
        struct lab lab = lab_begin();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *argv[] = {cases[i].command, NULL};
                struct coffer_spec *spec;
                struct coffer_box *box;

                t_note("%s", cases[i].command);
                lab_ok(&lab, coffer_spec_new(&spec, &lab.err));
                lab_ok(&lab, coffer_spec_set_image(spec, "host", &lab.err));
                lab_ok(&lab, coffer_spec_set(spec, "rm", NULL, &lab.err));
                lab_ok(&lab, coffer_spec_set(spec, cases[i].key, cases[i].value, &lab.err));
                lab_ok(&lab, coffer_spec_set_command(spec, argv, &lab.err));
                lab_ok(&lab, coffer_box_create(lab.rt, spec, &box, &lab.err));
                t_errno(cases[i].code, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
                t_int(cases[i].kind, lab.err.kind);
                (void)coffer_box_free(box);
                (void)coffer_spec_free(spec);
                t_int(0, (int)lab_count(&lab));
        }
        lab_end(&lab);
}

TEST(a_start_without_its_programs_leaves_nothing)
{
        struct lab lab = lab_begin();
        const char *keys[] = {"rm", "true", NULL};
        struct coffer_runtime_options options = {
                .size = sizeof(options),
                .home = lab.home,
                .program_dir = "/no/such/directory",
        };
        struct coffer_box *box;

        lab.rt = coffer_runtime_free(lab.rt);
        lab_ok(&lab, coffer_runtime_open(&options, &lab.rt, &lab.err));
        box = lab_box(&lab, "true", keys);
        t_errno(ENOENT, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        t_has("/no/such/directory", lab.err.msg);
        (void)coffer_box_free(box);
        lab_end(&lab);
}

TEST(a_name_and_a_prefix_find_the_box)
{
        struct lab lab = lab_begin();
        const char *named[] = {"name", "web", NULL};
        struct coffer_box *box = lab_box(&lab, "true", named);
        struct coffer_box *other;
        struct coffer_spec *spec;
        char prefix[8], path[128];

        t_errno(ENOENT, coffer_box_open(lab.rt, "we", &other, &lab.err));
        t_int(COFFER_ERROR_NO_SUCH_BOX, lab.err.kind);
        t_errno(ENOENT, coffer_box_open(lab.rt, "../boxes", &other, &lab.err));
        t_errno(ENOENT, coffer_box_open(lab.rt, "", &other, &lab.err));
        lab_ok(&lab, coffer_box_open(lab.rt, "web", &other, &lab.err));
        t_str(coffer_box_id(box), coffer_box_id(other));
        (void)coffer_box_free(other);

        (void)snprintf(prefix, sizeof(prefix), "%.3s", coffer_box_id(box));
        t_errno(ENOENT, coffer_box_open(lab.rt, prefix, &other, &lab.err));
        (void)snprintf(prefix, sizeof(prefix), "%.5s", coffer_box_id(box));
        lab_ok(&lab, coffer_box_open(lab.rt, prefix, &other, &lab.err));
        (void)coffer_box_free(other);
        /* A directory planted beside it makes the prefix ambiguous; the whole id stays exact. */
        (void)snprintf(path, sizeof(path), "%s/boxes/%.5saaaaaaa", lab.home, coffer_box_id(box));
        t_ok(mkdir(path, 0700));
        t_errno(ENOTUNIQ, coffer_box_open(lab.rt, prefix, &other, &lab.err));
        t_int(COFFER_ERROR_AMBIGUOUS, lab.err.kind);
        t_has(coffer_box_id(box), lab.err.msg);
        lab_ok(&lab, coffer_box_open(lab.rt, coffer_box_id(box), &other, &lab.err));
        (void)coffer_box_free(other);

        lab_ok(&lab, coffer_spec_new(&spec, &lab.err));
        lab_ok(&lab, coffer_spec_set_image(spec, "host", &lab.err));
        lab_ok(&lab, coffer_spec_set(spec, "arg", "true", &lab.err));
        lab_ok(&lab, coffer_spec_set(spec, "name", "web", &lab.err));
        t_errno(EEXIST, coffer_box_create(lab.rt, spec, &other, &lab.err));
        t_int(COFFER_ERROR_EXISTS, lab.err.kind);
        lab_ok(&lab, coffer_box_rename(box, "web2", &lab.err));
        t_str("web2", coffer_box_name(box));
        lab_ok(&lab, coffer_box_create(lab.rt, spec, &other, &lab.err));
        t_errno(EEXIST, coffer_box_rename(box, "web", &lab.err));
        t_errno(EINVAL, coffer_box_rename(box, "aaaabbbbcccc", &lab.err));
        (void)coffer_spec_free(spec);
        lab_remove(&lab, other);
        lab_remove(&lab, box);
        lab_end(&lab);
}

static void await_output(struct lab *lab, struct coffer_box *box)
{
        const struct coffer_logs_options options = {
                .size = sizeof(options),
                .follow = 1,
                .tail = COFFER_LOGS_ALL,
        };
        struct coffer_log_record record;
        struct coffer_logs *logs;

        lab_ok(lab, coffer_logs_open(box, &options, &logs, &lab->err));
        t_int(1, coffer_logs_next(logs, LONG_MS, &record, &lab->err));
        (void)coffer_logs_free(logs);
}

TEST(an_event_loop_can_do_it_all)
{
        struct lab lab = lab_begin();
        struct coffer_box *box =
                lab_box(&lab, "trap 'exit 5' TERM; echo; while :; do sleep 0.05; done", NULL);
        struct coffer_call *calls[2];
        struct coffer_exit end;
        struct pollfd p[2];
        int fds = t_open_fds();
        int left = 2;

        lab_ok(&lab, coffer_box_start_begin(box, NULL, &calls[0], &lab.err));
        p[0] = (struct pollfd){.fd = coffer_call_fd(calls[0]), .events = POLLIN};
        while (coffer_call_finish(calls[0], &lab.err) == -EAGAIN)
                t_int(1, poll(p, 1, LONG_MS));
        lab_ok(&lab, coffer_call_finish(calls[0], &lab.err));
        t_errno(EINVAL, coffer_call_exit(calls[0], &end));
        (void)coffer_call_free(calls[0]);

        await_output(&lab, box); /* the trap is set */
        /* Two at once: one waits, the other stops. */
        lab_ok(&lab, coffer_box_wait_begin(box, &calls[0], &lab.err));
        t_errno(EAGAIN, coffer_call_finish(calls[0], &lab.err));
        /* The monitor's greeting comes in its own time; then there is nothing to be told. */
        p[0] = (struct pollfd){.fd = coffer_call_fd(calls[0]), .events = POLLIN};
        for (int rounds = 0; poll(p, 1, 50) != 0; rounds++) {
                t_true(rounds < 10);
                t_errno(EAGAIN, coffer_call_finish(calls[0], &lab.err));
                p[0].fd = coffer_call_fd(calls[0]);
        }
        lab_ok(&lab, coffer_box_stop_begin(box, 0, LONG_MS, &calls[1], &lab.err));
        while (left > 0) {
                left = 0;
                for (int i = 0; i < 2; i++) {
                        int r = coffer_call_finish(calls[i], &lab.err);

                        t_true(r == 0 || r == -EAGAIN);
                        p[i] = (struct pollfd){
                                .fd = r == 0 ? -1 : coffer_call_fd(calls[i]),
                                .events = POLLIN,
                        };
                        left += r != 0;
                }
                if (left > 0)
                        t_true(poll(p, 2, LONG_MS) > 0);
        }
        for (int i = 0; i < 2; i++) {
                t_ok(coffer_call_exit(calls[i], &end));
                t_int(5, end.status);
                /* Who polls once more is told at once that it has ended. */
                t_int(1, poll(&(struct pollfd){.fd = coffer_call_fd(calls[i]), .events = POLLIN}, 1,
                              LONG_MS));
                (void)coffer_call_free(calls[i]);
        }
        t_int(fds, t_open_fds());
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(a_foreground_box_ends_with_its_process)
{
        struct coffer_start_options options = {
                .size = sizeof(options),
                .flags = COFFER_START_FOREGROUND,
                .streams = COFFER_STDOUT,
        };
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "echo hi; exec sleep 1000", NULL);
        struct coffer_process *p;
        struct coffer_exit end;
        char text[4] = "";

        lab_ok(&lab, coffer_box_start(box, &options, LONG_MS, &p, &lab.err));
        t_int(3, read(coffer_process_stream(p, COFFER_STDOUT), text, 3));
        t_str("hi\n", text);
        (void)coffer_process_free(p);
        lab_ok(&lab, coffer_box_wait(box, LONG_MS, &end, &lab.err));
        t_true(end.status > 128);

        /* Detached it goes on. */
        lab_ok(&lab, coffer_box_start(box, &options, LONG_MS, &p, &lab.err));
        lab_ok(&lab, coffer_process_detach(p, LONG_MS, &lab.err));
        (void)coffer_process_free(p);
        t_errno(ETIMEDOUT, coffer_box_wait(box, 200, &end, &lab.err));
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(logs_tell_what_was_written)
{
        struct lab lab = lab_begin();
        struct coffer_logs_options options = {.size = sizeof(options), .follow = 1, .tail = 2};
        struct coffer_box *box = lab_running(&lab, "echo 1; echo 2; echo 3; echo 4 >&2; read x; "
                                                   "for i in 5 6 7; do sleep 0.1; echo $i; done");
        struct coffer_log_record record;
        struct coffer_logs *logs;
        char text[64] = "";
        int r;

        /* Main reads /dev/null, so it goes on at once; all comes in order up to the end. */
        lab_ok(&lab, coffer_logs_open(box,
                                      &(struct coffer_logs_options){.size = sizeof(options),
                                                                    .follow = 1,
                                                                    .tail = COFFER_LOGS_ALL},
                                      &logs, &lab.err));
        while ((r = coffer_logs_next(logs, LONG_MS, &record, &lab.err)) > 0)
                (void)strncat(text, record.data, record.bytes);
        t_int(0, r);
        t_int(14, (int)strlen(text));
        t_has("5\n6\n7\n", text);
        (void)coffer_logs_free(logs);

        lab_ok(&lab, coffer_logs_open(box, &options, &logs, &lab.err));
        for (text[0] = '\0'; (r = coffer_logs_next(logs, LONG_MS, &record, &lab.err)) > 0;)
                (void)strncat(text, record.data, record.bytes);
        t_str("6\n7\n", text);
        (void)coffer_logs_free(logs);
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(events_tell_what_happened)
{
        static const char *const expected[] = {"create", "start", "kill", "die", "destroy"};
        struct lab lab = lab_begin();
        struct coffer_events_options options = {.size = sizeof(options), .follow = 1};
        struct coffer_events *events;
        struct coffer_box *box;
        char action[32];
        const char *line;

        lab_ok(&lab, coffer_events_open(lab.rt, &options, &events, &lab.err));
        t_errno(EAGAIN, coffer_events_next(events, 0, &line, &lab.err));
        box = lab_running(&lab, "exec sleep 1000");
        lab_ok(&lab, coffer_box_kill(box, SIGKILL, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_wait(box, LONG_MS, &(struct coffer_exit){.status = 0}, &lab.err));
        lab_remove(&lab, box);
        for (size_t i = 0; i < ELEMENTS(expected); i++) {
                t_int(1, coffer_events_next(events, LONG_MS, &line, &lab.err));
                (void)snprintf(action, sizeof(action), "\"Action\":\"%s\"", expected[i]);
                t_has(action, line);
        }
        t_errno(EAGAIN, coffer_events_next(events, 0, &line, &lab.err));
        (void)coffer_events_free(events);
        lab_end(&lab);
}
