/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/loop.h"
#include "lib/handle.h"
#include "lib/tail.h"
#include "store/events.h"
#include "store/state.h"

/**
 * struct coffer_events - a walk over the lines
 * @runtime: borrowed
 * @options: copied
 * @reader:  the files
 * @tail:    what tells that there is more
 */
struct coffer_events {
        struct coffer_runtime *runtime;
        struct coffer_events_options options;
        struct event_reader reader;
        struct tail tail;
};

int coffer_events_open(struct coffer_runtime *runtime, const struct coffer_events_options *options,
                       struct coffer_events **ret_events, struct coffer_error *err)
{
        struct coffer_events *events;
        bool new_only;
        int r = 0;

        REQUIRE(runtime && ret_events, err);
        REQUIRE(!options || options->size >= sizeof(*options), err);
        events = calloc(1, sizeof(*events));
        if (!events)
                return error_set(err, -ENOMEM, "read the events");
        events->runtime = runtime;
        if (options)
                events->options = *options;
        events->reader.fd = -EBADF;
        tail_init(&events->tail);

        new_only = events->options.follow && events->options.since_ns == 0;
        if (events->options.follow)
                r = tail_watch(&events->tail, runtime->home->fd, events->options.until_ns);
        if (r == 0)
                r = event_reader_open(&events->reader, runtime->home->fd, new_only);
        if (r < 0) {
                (void)coffer_events_free(events);
                return error_set(err, r, "read the events");
        }
        *ret_events = events;
        return 0;
}

struct coffer_events *coffer_events_free(struct coffer_events *events)
{
        int saved_errno = errno;

        if (!events)
                return NULL;
        event_reader_close(&events->reader);
        tail_release(&events->tail);
        free(events);
        errno = saved_errno;
        return NULL;
}

int coffer_events_fd(const struct coffer_events *events)
{
        return events && events->options.follow ? events->tail.fd : -EINVAL;
}

static int next_line(struct coffer_events *events, char **ret_line)
{
        const struct coffer_events_options *o = &events->options;
        uint64_t time_ns;
        int r;

        while ((r = event_reader_next(&events->reader, ret_line, &time_ns)) > 0)
                if (time_ns >= o->since_ns && (o->until_ns == 0 || time_ns < o->until_ns))
                        return 1;
        return r;
}

int coffer_events_next(struct coffer_events *events, int timeout_ms, const char **ret_line,
                       struct coffer_error *err)
{
        uint64_t deadline_ms;
        char *line = NULL;
        int r;

        REQUIRE(events && ret_line, err);
        deadline_ms = timeout_ms > 0 ? loop_now_ms() + (uint64_t)timeout_ms : 0;
        while ((r = next_line(events, &line)) == 0) {
                if (!events->options.follow || tail_is_over(&events->tail))
                        return 0;
                r = tail_wait(&events->tail, timeout_ms, deadline_ms);
                if (r == -EAGAIN)
                        return r;
                if (r < 0)
                        break;
        }
        if (r < 0)
                return error_set(err, r, "read the events");
        *ret_line = line;
        return 1;
}
