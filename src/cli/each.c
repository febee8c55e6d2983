/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/each.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"

#define AT_ONCE 16 /* boxes that are worked on together */

struct job {
        const char *reference;
        struct coffer_box *box;   /* owned */
        struct coffer_call *call; /* owned; NULL when it needed no waiting, or is over */
        bool done;
        int result;
        struct coffer_error err;
};

static void begin(struct job *j, struct coffer_runtime *runtime, const struct each_way *way,
                  void *data)
{
        j->result = coffer_box_open(runtime, j->reference, &j->box, &j->err);
        if (j->result == 0)
                j->result = way->begin(j->box, data, &j->call, &j->err);
        j->done = j->result < 0 || !j->call;
}

static void step(struct job *j)
{
        struct coffer_error err = {0};
        int r = coffer_call_finish(j->call, &err);

        if (r == -EAGAIN)
                return;
        j->result = r;
        j->err = err;
        j->done = true;
}

/* Returns when the first may have come further; the others come along. */
static void wait_for_one(struct job *jobs, size_t count)
{
        struct pollfd fds[AT_ONCE];
        size_t waiting = 0;

        for (size_t i = 0; i < count; i++) {
                int fd;

                if (jobs[i].done)
                        continue;
                step(&jobs[i]);
                if (jobs[i].done)
                        continue;
                fd = coffer_call_fd(jobs[i].call);
                if (fd < 0) {
                        jobs[i].result = error_set(&jobs[i].err, fd, "wait for the box");
                        jobs[i].done = true;
                        continue;
                }
                fds[waiting++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        if (!jobs[0].done)
                (void)poll(fds, (nfds_t)waiting, -1);
}

/* Prints or reports the first job and gives back what it holds; returns whether it went well. */
static bool end(const struct each_way *way, struct job *j)
{
        bool idle = way->may_be_done && (j->result == -EALREADY || j->result == -ECANCELED);
        bool good = j->result >= 0;

        if (good && way->print)
                way->print(j->reference, j->box, j->call);
        else if (good)
                (void)puts(j->reference);
        else if (idle)
                good = true;
        if (j->result > 0) { /* done, and there is something to say about it */
                (void)fflush(stdout);
                command_report(&j->err);
        }
        if (!good) {
                (void)fflush(stdout); /* in the order in which things happened */
                command_report(&j->err);
                good = way->missing_is_fine && j->err.kind == COFFER_ERROR_NO_SUCH_BOX;
        }
        j->call = coffer_call_free(j->call);
        j->box = coffer_box_free(j->box);
        return good;
}

int each_of(const struct invocation *in, struct coffer_runtime *runtime, char *const *references,
            const struct each_way *way, void *data)
{
        struct job *jobs = calloc(AT_ONCE, sizeof(*jobs));
        size_t count = 0;
        int status = 0;

        if (!jobs) {
                struct coffer_error err = {0};

                (void)error_set(&err, -ENOMEM, "begin");
                return command_fail(in, &err);
        }
        while (count > 0 || *references) {
                while (count < AT_ONCE && *references) {
                        jobs[count] = (struct job){.reference = *references++};
                        begin(&jobs[count++], runtime, way, data);
                }
                /* What is done is printed only when all before it is. */
                while (count > 0 && jobs[0].done) {
                        if (!end(way, &jobs[0]))
                                status = EXIT_FAILED;
                        memmove(jobs, jobs + 1, --count * sizeof(*jobs));
                }
                if (count > 0 && (count == AT_ONCE || !*references))
                        wait_for_one(jobs, count);
        }
        free(jobs);
        return status;
}

int each_box(const struct invocation *in, const struct each_way *way, void *data)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        int status = command_open_home(in, &runtime);

        return status != 0 ? status : each_of(in, runtime, in->argv, way, data);
}

int each_listed(const struct invocation *in,
                bool (*keep)(const struct coffer_box_info *info, const void *data),
                const struct each_way *way, void *data)
{
        cleanup_with(coffer_runtime_freep) struct coffer_runtime *runtime = NULL;
        cleanup_with(coffer_release) struct coffer_box_info **infos = NULL;
        cleanup_with(strv_release) struct strv ids = {0};
        char *none[] = {NULL};
        struct coffer_error err = {0};
        size_t count = 0;
        int status = command_open_home(in, &runtime);
        int r = 0;

        if (status != 0)
                return status;
        if (coffer_box_list(runtime, &infos, &count, &err) < 0)
                return command_fail(in, &err);
        /* The newest are first in the list. */
        for (size_t i = count; r == 0 && i-- > 0;)
                if (keep(infos[i], data))
                        r = strv_add(&ids, infos[i]->id);
        if (r < 0) {
                (void)error_set(&err, r, "list the boxes");
                return command_fail(in, &err);
        }
        return each_of(in, runtime, ids.items ? ids.items : none, way, data);
}
