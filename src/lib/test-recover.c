/* SPDX-License-Identifier: Apache-2.0 */

/* Boxes whose shim died, and boxes that somebody else holds. */

#include "lib/test-lib.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "store/identity.h"
#include "store/lock.h"
#include "store/state.h"

static int open_dir(struct lab *lab, const struct coffer_box *box)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/boxes/%s", lab->home, coffer_box_id(box));
        return t_ok(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void kill_shim(struct lab *lab, const struct coffer_box *box)
{
        struct identity identity;
        int dir_fd = open_dir(lab, box);
        struct pollfd p = {.events = POLLIN};

        t_ok(identity_read(dir_fd, &identity));
        p.fd = t_ok(sys_pidfd_open((pid_t)identity.pid));
        t_ok(sys_pidfd_send_signal(p.fd, SIGKILL));
        t_int(1, poll(&p, 1, LONG_MS));
        (void)close(p.fd);
        (void)close(dir_fd);
}

TEST(a_box_whose_shim_died_is_failed_and_can_be_used_again)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_running(&lab, "echo hi; exec sleep 1000");
        struct coffer_call *waiting;
        struct coffer_box_info *info;
        struct coffer_log_record record;
        struct coffer_logs *logs;
        struct coffer_exit end;
        bool marked = false;

        lab_ok(&lab, coffer_box_wait_begin(box, &waiting, &lab.err));
        t_errno(EAGAIN, coffer_call_finish(waiting, &lab.err));
        kill_shim(&lab, box);
        lab_ok(&lab, coffer_call_wait(waiting, LONG_MS, &lab.err));
        t_ok(coffer_call_exit(waiting, &end));
        t_int(137, end.status);
        t_str("shim died", end.reason);
        (void)coffer_call_free(waiting);

        lab_ok(&lab, coffer_box_get_info(box, &info, &lab.err));
        t_int(COFFER_STATE_FAILED, info->state);
        t_str("shim died", info->reason);
        t_int(0, info->pid);
        coffer_free(info);
        lab_ok(&lab, coffer_logs_open(box, NULL, &logs, &lab.err));
        while (coffer_logs_next(logs, 0, &record, &lab.err) > 0)
                marked = marked || record.stream == 0;
        t_true(marked);
        (void)coffer_logs_free(logs);

        lab_ok(&lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
        kill_shim(&lab, box);
        lab_ok(&lab, coffer_box_remove(box, 0, LONG_MS, &lab.err));
        (void)coffer_box_free(box);
        lab_end(&lab);
}

TEST(a_foreground_client_learns_that_the_shim_died)
{
        const char *keys[] = {"rm", "true", NULL};
        struct coffer_start_options options = {.size = sizeof(options),
                                               .flags = COFFER_START_FOREGROUND};
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "exec sleep 1000", keys);
        struct coffer_process *p;
        struct coffer_exit end;

        lab_ok(&lab, coffer_box_start(box, &options, LONG_MS, &p, &lab.err));
        kill_shim(&lab, box);
        lab_ok(&lab, coffer_process_wait(p, LONG_MS, &end, &lab.err));
        t_int(137, end.status);
        t_str("shim died", end.reason);
        (void)coffer_process_free(p);
        (void)coffer_box_free(box);
        lab_end(&lab); /* --rm: it is gone */
}

static void check_due(struct lab *lab, struct coffer_box *box, const char *restart, bool due)
{
        const struct coffer_start_options if_due = {.size = sizeof(if_due),
                                                    .flags = COFFER_START_IF_DUE};
        struct coffer_box_info *info;

        lab_ok(lab, coffer_box_get_info(box, &info, &lab->err));
        t_str(restart, info->restart);
        t_int(due, info->due);
        coffer_free(info);
        if (due)
                lab_ok(lab, coffer_box_start(box, &if_due, LONG_MS, NULL, &lab->err));
        else
                t_errno(ECANCELED, coffer_box_start(box, &if_due, LONG_MS, NULL, &lab->err));
}

TEST(what_is_due_is_what_its_policy_names)
{
        static const struct {
                const char *restart;
                bool killed;  /* after the shim was: */
                bool stopped; /* after a client has stopped it */
        } cases[] = {
                {"no",             false, false},
                {"on-failure:2",   true,  false},
                {"always",         true,  true },
                {"unless-stopped", true,  false},
        };
        const struct coffer_start_options if_due = {.size = sizeof(if_due),
                                                    .flags = COFFER_START_IF_DUE};
        struct lab lab = lab_begin();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *keys[] = {"restart", cases[i].restart, NULL};
                struct coffer_box *box = lab_box(&lab, "exec sleep 1000", keys);
                struct coffer_box_info *info;

                t_note("%s", cases[i].restart);
                check_due(&lab, box, cases[i].restart, false); /* it was never started */
                lab_ok(&lab, coffer_box_start(box, NULL, LONG_MS, NULL, &lab.err));
                lab_ok(&lab, coffer_box_get_info(box, &info, &lab.err));
                t_int(0, info->due);
                coffer_free(info);
                t_errno(EALREADY, coffer_box_start(box, &if_due, LONG_MS, NULL, &lab.err));
                kill_shim(&lab, box);
                check_due(&lab, box, cases[i].restart, cases[i].killed);
                lab_ok(&lab, coffer_box_stop(box, SIGKILL, 0, LONG_MS, &lab.err));
                check_due(&lab, box, cases[i].restart, cases[i].stopped);
                lab_remove(&lab, box);
        }
        lab_end(&lab);
}

TEST(a_state_that_is_torn_or_of_another_boot_is_settled)
{
        static const struct {
                const char *boot_id;
                const char *reason;
        } cases[] = {
                {NULL,                                   "shim died"     },
                {"00000000-0000-0000-0000-000000000000", "host restarted"},
        };
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "true", NULL);
        int dir_fd = open_dir(&lab, box);

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct box_record record = {.state = "running", .started_ns = 1};
                struct coffer_box_info *info;
                struct identity identity;

                t_ok(state_write(dir_fd, &record, false));
                t_ok(identity_of_self(coffer_box_id(box), "0.0.1", &identity));
                if (cases[i].boot_id)
                        t_ok(str_copy(identity.boot_id, sizeof(identity.boot_id),
                                      cases[i].boot_id));
                t_ok(identity_write(dir_fd, &identity));
                lab_ok(&lab, coffer_box_get_info(box, &info, &lab.err));
                t_int(COFFER_STATE_FAILED, info->state);
                t_int(137, info->exit_code);
                t_str(cases[i].reason, info->reason);
                coffer_free(info);
        }
        (void)close(dir_fd);
        lab_remove(&lab, box);
        lab_end(&lab);
}

/* Is the process that a dead shim has left as main ended, and waited for? */
static bool ends_main(struct lab *lab, struct coffer_box *box, struct box_record *record)
{
        struct pollfd p = {.events = POLLIN};
        struct coffer_box_info *info;
        struct identity identity;
        int dir_fd = open_dir(lab, box);
        pid_t pid = t_ok(fork());
        uint64_t inode, start;
        bool ended;

        if (pid == 0)
                for (;;)
                        (void)pause();
        p.fd = t_ok(sys_pidfd_open(pid));
        t_ok(process_start_time((uint32_t)pid, &start));
        if (process_inode(p.fd, &inode) < 0)
                inode = 0;
        record->pid = (uint32_t)pid;
        record->pid_inode *= inode;
        record->pid_start *= start;
        t_ok(state_write(dir_fd, record, false));
        t_ok(identity_of_self(coffer_box_id(box), "0.0.1", &identity));
        t_ok(identity_write(dir_fd, &identity));
        lab_ok(lab, coffer_box_get_info(box, &info, &lab->err));
        t_int(COFFER_STATE_FAILED, info->state);
        coffer_free(info);
        ended = poll(&p, 1, 0) == 1;
        t_ok(sys_pidfd_send_signal(p.fd, SIGKILL));
        t_int(pid, waitpid(pid, NULL, 0));
        (void)close(p.fd);
        (void)close(dir_fd);
        return ended;
}

TEST(main_is_ended_if_it_is_the_one_that_the_record_means)
{
        static const struct {
                uint64_t inode, start; /* times the right one */
                bool ends;
        } cases[] = {
                {0, 1, true }, /* before Linux 6.9 */
                {0, 2, false}, /* a stranger has its pid */
                {2, 0, false},
                {0, 0, false},
        };
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "true", NULL);

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct box_record record = {
                        .state = "running",
                        .started_ns = 1,
                        .pid_inode = cases[i].inode,
                        .pid_start = cases[i].start,
                };

                t_note("%zu", i);
                t_int(cases[i].ends, ends_main(&lab, box, &record));
        }
        lab_remove(&lab, box);
        lab_end(&lab);
}

/* A stranger has the pid of the record, and somebody the lock: nobody is signalled. */
/* A directory in its place stands for the full disk, on which no state can be written. */
TEST(a_box_whose_state_cannot_be_written_is_removed)
{
        static const uint32_t flags[] = {0, COFFER_REMOVE_FORCE};
        struct lab lab = lab_begin();
        struct coffer_exit end;

        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                struct coffer_box *box = lab_running(&lab, "exec sleep 1000");
                int dir_fd = open_dir(&lab, box);

                kill_shim(&lab, box);
                t_ok(unlinkat(dir_fd, "state.json", 0));
                t_ok(mkdirat(dir_fd, "state.json", 0700));
                t_true(coffer_box_wait(box, LONG_MS, &end, &lab.err) < 0);
                lab_ok(&lab, coffer_box_remove(box, flags[i], LONG_MS, &lab.err));
                (void)coffer_box_free(box);
                (void)close(dir_fd);
        }
        lab_end(&lab);
}

TEST(a_stranger_is_left_alone)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "true", NULL);
        struct box_record record = {.state = "running", .started_ns = 1};
        struct coffer_box_info *info;
        struct identity identity;
        int dir_fd = open_dir(&lab, box);
        int lock_fd, status;
        pid_t stranger = fork();

        if (stranger == 0) {
                (void)execl("/bin/sleep", "sleep", "1000", NULL);
                _exit(1);
        }
        t_ok(stranger);
        t_ok(state_write(dir_fd, &record, false));
        t_ok(identity_of_self(coffer_box_id(box), "0.0.1", &identity));
        identity.pid = (uint32_t)stranger;
        t_ok(identity_write(dir_fd, &identity));
        t_ok(box_lock_take(dir_fd, coffer_box_id(box), &lock_fd));

        t_errno(EBUSY, coffer_box_kill(box, SIGKILL, LONG_MS, &lab.err));
        t_errno(EBUSY, coffer_box_remove(box, COFFER_REMOVE_FORCE, LONG_MS, &lab.err));
        t_has("left alone", lab.err.msg);
        lab_ok(&lab, coffer_box_get_info(box, &info, &lab.err));
        t_int(COFFER_STATE_UNKNOWN, info->state);
        coffer_free(info);
        t_int(0, waitpid(stranger, &status, WNOHANG));

        (void)kill(stranger, SIGKILL);
        t_int(stranger, waitpid(stranger, &status, 0));
        (void)close(lock_fd);
        (void)close(dir_fd);
        lab_remove(&lab, box);
        lab_end(&lab);
}

TEST(creations_that_were_cut_short_are_swept)
{
        struct lab lab = lab_begin();
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/boxes/aaaaaaaaaaaa", lab.home);
        t_ok(mkdir(path, 0700));
        (void)snprintf(path, sizeof(path), "%s/boxes/.trash-bbbbbbbbbbbb", lab.home);
        t_ok(mkdir(path, 0700));
        t_int(0, (int)lab_count(&lab));
        t_false(lab_has(&lab, "boxes/aaaaaaaaaaaa"));
        t_false(lab_has(&lab, "boxes/.trash-bbbbbbbbbbbb"));
        lab_end(&lab);
}

TEST(a_box_that_only_lent_its_files_was_never_started)
{
        struct lab lab = lab_begin();
        struct coffer_box *box = lab_box(&lab, "true", NULL);
        struct coffer_box_info *info;

        lab_ok(&lab, coffer_copy_in(box, "/etc/passwd", "/tmp/", 0, LONG_MS, &lab.err));
        lab_ok(&lab, coffer_box_get_info(box, &info, &lab.err));
        t_int(COFFER_STATE_CREATED, info->state);
        coffer_free(info);
        t_errno(ENODATA,
                coffer_box_wait(box, LONG_MS, &(struct coffer_exit){.status = 0}, &lab.err));
        lab_remove(&lab, box);
        lab_end(&lab);
}
