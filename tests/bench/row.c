/* SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_MAX_MS    60000
#define SETTLE_MAX_MS 10000

/* What the competitors write to standard error; emptied before each run. */
static int stderr_fd = -EBADF;
static int own_mnt_fd = -EBADF;
static int current_mnt_fd = -EBADF;

static _Noreturn void usage(const char *word)
{
        (void)fprintf(stderr, "timer: cannot use '%s'\n", word);
        exit(2);
}

double now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- the command line ---- */

static void set_count(struct row *row, char *value)
{
        uint64_t count;

        if (str_to_u64(value, SAMPLES_MAX, &count) < 0)
                usage(value);
        row->count = (unsigned)count;
}

static void set_namespace(struct row *row, char *value)
{
        row->mnt_fd = sys_open(AT_FDCWD, value, O_RDONLY);
        if (row->mnt_fd < 0)
                usage(value);
}

static void set_file(struct row *row, char *value)
{
        char *colon = strchr(value, ':');
        uint64_t fd;

        if (!colon)
                usage(value);
        *colon = '\0';
        if (str_to_u64(value, 255, &fd) < 0)
                usage(value);
        row->from_fd = (int)fd;
        row->from = colon + 1;
}

static const struct {
        const char *prefix;
        void (*set)(struct row *row, char *value);
} keys[] = {
        {"count=", set_count    },
        {"ns=",    set_namespace},
        {"fd=",    set_file     },
};

static void set_key(struct row *row, char *word)
{
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                if (str_after(word, keys[i].prefix)) {
                        keys[i].set(row, word + strlen(keys[i].prefix));
                        return;
                }
        }
        usage(word);
}

static char **parse_row(char **argv, struct row *row)
{
        *row = (struct row){.name = *argv, .mnt_fd = -EBADF};
        if (!*argv)
                usage("+row");
        for (argv++; *argv && !str_eq(*argv, "--"); argv++)
                set_key(row, *argv);
        if (!*argv || !argv[1])
                usage(row->name);
        row->argv = ++argv;
        row->samples = calloc(SAMPLES_MAX, sizeof(double));
        row->cpu = calloc(SAMPLES_MAX, sizeof(double));
        if (!row->samples || !row->cpu)
                usage("memory");
        while (*argv && !str_eq(*argv, "+row"))
                argv++;
        return argv;
}

void rows_parse(char **argv, struct rows *rows)
{
        stderr_fd = memfd_create("bench-stderr", MFD_CLOEXEC);
        own_mnt_fd = sys_open(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
        current_mnt_fd = own_mnt_fd;
        if (stderr_fd < 0 || own_mnt_fd < 0)
                usage("/proc");
        if (!*argv)
                usage("no +row");
        for (rows->count = 0; *argv; rows->count++) {
                if (rows->count == ROWS_MAX || !str_eq(*argv, "+row"))
                        usage(*argv);
                *argv = NULL; /* the end of the argv before */
                argv = parse_row(argv + 1, &rows->items[rows->count]);
        }
}

/* ---- one run ---- */

/* Each id is new: a box name of an earlier run may still be on its way out. */
static int expand(const struct row *row, struct strv *argv)
{
        static unsigned serial;
        int r;

        serial++;
        for (char **word = row->argv; *word; word++) {
                const char *mark = strstr(*word, "%n");

                r = mark ? strv_addf(argv, "%.*s%u%s", (int)(mark - *word), *word, serial, mark + 2)
                         : strv_add(argv, *word);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int enter_namespace(const struct row *row)
{
        int wanted = row->mnt_fd >= 0 ? row->mnt_fd : own_mnt_fd;

        if (wanted == current_mnt_fd)
                return 0;
        if (setns(wanted, CLONE_NEWNS) < 0)
                return -errno;
        current_mnt_fd = wanted;
        return 0;
}

static int plan_fds(const struct row *row, const int stdio[2], posix_spawn_file_actions_t *plan)
{
        int r = 0;

        for (int fd = 0; r == 0 && fd < 2; fd++)
                r = stdio[fd] >= 0
                            ? posix_spawn_file_actions_adddup2(plan, stdio[fd], fd)
                            : posix_spawn_file_actions_addopen(plan, fd, "/dev/null", O_RDWR, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(plan, stderr_fd, STDERR_FILENO);
        if (r == 0 && row->from)
                r = posix_spawn_file_actions_addopen(plan, row->from_fd, row->from, O_RDONLY, 0);
        return -r;
}

/* We hold SIGCHLD back for row_settle() and ignore SIGPIPE; a competitor must not inherit it. */
static int spawn(const struct row *row, const int stdio[2], char **argv, double *ret_at,
                 pid_t *ret_pid)
{
        posix_spawn_file_actions_t plan;
        posix_spawnattr_t attr;
        sigset_t set;
        int r;

        (void)posix_spawn_file_actions_init(&plan);
        (void)posix_spawnattr_init(&attr);
        (void)sigemptyset(&set);
        (void)posix_spawnattr_setsigmask(&attr, &set);
        (void)sigaddset(&set, SIGPIPE);
        (void)posix_spawnattr_setsigdefault(&attr, &set);
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        r = plan_fds(row, stdio, &plan);
        if (r == 0) {
                *ret_at = now_ms();
                r = -posix_spawn(ret_pid, argv[0], &plan, &attr, argv, environ);
        }
        (void)posix_spawn_file_actions_destroy(&plan);
        (void)posix_spawnattr_destroy(&attr);
        return r;
}

int row_start(struct row *row, const int stdio[2], double *ret_at, struct started *ret_run)
{
        cleanup_with(strv_release) struct strv argv = {0};
        struct started run;
        int r;

        r = expand(row, &argv);
        if (r == 0)
                r = enter_namespace(row);
        if (r == 0 && (ftruncate(stderr_fd, 0) < 0 || lseek(stderr_fd, 0, SEEK_SET) < 0))
                r = -errno;
        if (r == 0)
                r = spawn(row, stdio, argv.items, ret_at, &run.pid);
        if (r < 0)
                return r;
        run.pidfd = sys_pidfd_open(run.pid);
        if (run.pidfd < 0)
                return run.pidfd;
        *ret_run = run;
        return 0;
}

static double cpu_ms(const struct rusage *use)
{
        return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) * 1e3 +
               (double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e3;
}

bool row_wait(struct started *run, double *ret_cpu_ms)
{
        struct pollfd ended = {.fd = run->pidfd, .events = POLLIN};
        struct rusage use;
        int status;

        if (poll(&ended, 1, RUN_MAX_MS) == 0)
                (void)sys_pidfd_send_signal(run->pidfd, SIGKILL);
        if (wait4(run->pid, &status, 0, &use) != run->pid)
                return false;
        close_fd(&run->pidfd);
        *ret_cpu_ms += cpu_ms(&use);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void row_settle(struct row *row, double *ret_cpu_ms)
{
        double deadline = now_ms() + SETTLE_MAX_MS;
        struct rusage use;
        sigset_t child;
        pid_t pid;

        (void)sigemptyset(&child);
        (void)sigaddset(&child, SIGCHLD);
        while ((pid = wait4(-1, NULL, WNOHANG, &use)) >= 0) {
                double left = deadline - now_ms();
                struct timespec t = {.tv_sec = (time_t)(left / 1e3),
                                     .tv_nsec = (long)(fmod(left, 1e3) * 1e6)};

                if (pid > 0) {
                        *ret_cpu_ms += cpu_ms(&use);
                } else if (left <= 0) {
                        row->strays++;
                        return;
                } else {
                        (void)sigtimedwait(&child, NULL, &t);
                }
        }
}

/* ---- results ---- */

void row_add(struct row *row, double sample, double cpu)
{
        assert(row->done < SAMPLES_MAX);

        row->samples[row->done] = sample;
        row->cpu[row->done++] = cpu;
}

void row_fail(struct row *row)
{
        ssize_t size = pread(stderr_fd, row->error, sizeof(row->error) - 1, 0);

        row->failed++;
        row->error[size > 0 ? size : 0] = '\0';
        row->error[strcspn(row->error, "\n")] = '\0';
}

void print_row(const struct row *row)
{
        struct buf json = BUF_INIT(4096);

        (void)buf_append_str(&json, "{\"row\": ");
        (void)buf_append_json(&json, row->name);
        (void)buf_printf(&json, ", \"failed\": %u, \"strays\": %u, \"error\": ", row->failed,
                         row->strays);
        (void)buf_append_json(&json, row->error);
        (void)fputs(json.data ? json.data : "{", stdout);
        buf_release(&json);
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

double sorted_at(double *values, unsigned count, double fraction)
{
        if (count == 0)
                return 0;
        qsort(values, count, sizeof(*values), compare);
        return values[(unsigned)((double)(count - 1) * fraction + 0.5)];
}
