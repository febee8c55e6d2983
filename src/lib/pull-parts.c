/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The layers of one image, side by side: each is fetched into its partial file by whoever has the
 * lock of it, unpacked, which is when its digests are compared, and only then comes to its place.
 * A lock is held only while its layer gets on, so that two who want the same layers in another
 * order cannot wait for each other.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "lib/pull.h"
#include "registry/client.h"

#define FETCHES_MAX 4 /* at once */
#define UNPACKS_MAX 4
#define CHUNK_BYTES ((size_t)1024 * 1024)

enum part_state { PART_WAITS, PART_FETCHES, PART_READY, PART_UNPACKS, PART_DONE };

/* One layer; two layers of the same bytes are one part. */
struct part {
        const struct image_layer *layer;
        enum part_state state;
        uint32_t index;
        uint32_t id;   /* of the request */
        int file_fd;   /* owned; the partial file, locked; -1: the blob is there */
        int pipe_fd;   /* owned */
        uint64_t have; /* bytes in the file */
        bool resumed;  /* some of them from an earlier pull */
        bool said;     /* coffer-pull says that all bytes are in the pipe */
        bool busy;     /* somebody else fetches it */
        struct layer_job job;
};

struct parts {
        struct pulling *p;
        struct part *items; /* owned */
        size_t count;
        unsigned fetching, unpacking;
        bool look; /* at those that were busy */
};

static void tell(const struct parts *ps, const struct part *part, enum coffer_pull_step step)
{
        pull_tell(ps->p, &(const struct coffer_pull_progress){
                                 .step = step,
                                 .layer = part->index,
                                 .layers = (uint32_t)ps->count,
                                 .done = part->have,
                                 .total = part->layer->size,
                                 .name = part->layer->blob,
                         });
}

static int say(const struct parts *ps, const struct part *part, int r, const char *doing)
{
        return error_set(ps->p->err, r, "%s layer %.12s", doing, part->layer->blob);
}

/* --------------------------------------------------------------------------------------- fetch */

/* Out of an archive it comes in one go. */
static int copy(struct parts *ps, struct part *part)
{
        int r = ftruncate(part->file_fd, 0) < 0 || lseek(part->file_fd, 0, SEEK_SET) < 0
                        ? say(ps, part, -errno, "begin anew with")
                        : contents_copy(ps->p->archive, ps->p->archive_fd, part->layer->blob,
                                        part->layer->size, UINT64_MAX, part->file_fd, ps->p->err);

        if (r < 0)
                return r;
        part->have = part->layer->size;
        part->state = PART_READY;
        return 0;
}

static int ask(struct parts *ps, struct part *part)
{
        struct pull_get get = {
                .id = ps->p->next_id++,
                .kind = PULL_BLOB,
                .offset = part->have,
                .max_bytes = part->layer->size,
        };
        int r;

        if (ps->p->archive)
                return copy(ps, part);
        (void)snprintf(get.name, sizeof(get.name), "sha256:%s", part->layer->blob);
        r = client_get(ps->p->pull_fd, &get, &part->pipe_fd, ps->p->err);
        if (r < 0)
                return r;
        part->id = get.id;
        part->said = false;
        part->state = PART_FETCHES;
        ps->fetching++;
        tell(ps, part, COFFER_PULL_FETCHING);
        return 0;
}

/* What is here of it already, from a pull that did not come to its end. */
static int look_at_file(struct parts *ps, struct part *part)
{
        struct stat st;

        if (fstat(part->file_fd, &st) < 0)
                return say(ps, part, -errno, "look at");
        part->have = (uint64_t)st.st_size;
        if (part->have > part->layer->size) {
                if (ftruncate(part->file_fd, 0) < 0)
                        return say(ps, part, -errno, "begin anew with");
                part->have = 0;
        }
        part->resumed = part->have > 0;
        if (part->have == part->layer->size) {
                part->state = PART_READY;
                return 0;
        }
        return ask(ps, part);
}

static int begin(struct parts *ps, struct part *part, bool wait)
{
        int r = blobstore_begin(&ps->p->blobs, part->layer->blob, part->layer->size, wait,
                                &part->file_fd);

        if (r == -EAGAIN) {
                if (!part->busy)
                        tell(ps, part, COFFER_PULL_WAITING);
                part->busy = true;
                return 0;
        }
        if (r < 0)
                return say(ps, part, r, "make room for");
        part->busy = false;
        if (r > 0)
                return look_at_file(ps, part);
        part->have = part->layer->size;
        if (layers_has(&ps->p->layers, part->layer->diff_id)) {
                part->state = PART_DONE;
                tell(ps, part, COFFER_PULL_EXISTS);
        } else {
                part->state = PART_READY;
        }
        return 0;
}

/* 1: all that is in the pipe for now; 0: its end. */
static int drain(struct parts *ps, struct part *part)
{
        for (;;) {
                off64_t at = (off64_t)part->have;
                ssize_t n = splice(part->pipe_fd, NULL, part->file_fd, &at, CHUNK_BYTES,
                                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return 1;
                if (n < 0)
                        return say(ps, part, -errno, "keep");
                if (n == 0)
                        return 0;
                part->have += (uint64_t)n;
                if (part->have > part->layer->size)
                        return error_say(ps->p->err, -EPROTO, COFFER_ERROR_OTHER,
                                         "coffer-pull gave more bytes than it was asked for");
                tell(ps, part, COFFER_PULL_FETCHING);
        }
}

static int fetched(struct parts *ps, struct part *part)
{
        close_fd(&part->pipe_fd);
        ps->fetching--;
        if (part->have != part->layer->size)
                return error_say(ps->p->err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-pull gave fewer bytes than it said");
        part->state = PART_READY;
        return 0;
}

static struct part *part_of(struct parts *ps, uint32_t id)
{
        for (size_t i = 0; i < ps->count; i++)
                if (ps->items[i].state == PART_FETCHES && ps->items[i].id == id)
                        return &ps->items[i];
        return NULL;
}

/* Where a registry cannot go on in the middle of a blob, or we had more than it has. */
static int fetch_anew(struct parts *ps, struct part *part)
{
        close_fd(&part->pipe_fd);
        ps->fetching--;
        if (ftruncate(part->file_fd, 0) < 0)
                return say(ps, part, -errno, "begin anew with");
        part->have = 0;
        part->resumed = false;
        return ask(ps, part);
}

static int take_event(struct parts *ps)
{
        struct pull_event event;
        struct part *part;
        int r = client_event(ps->p->pull_fd, &event, ps->p->err);

        if (r < 0)
                return r;
        part = part_of(ps, event.id);
        if (!part)
                return error_say(ps->p->err, -EPROTO, COFFER_ERROR_OTHER,
                                 "coffer-pull answers what it was not asked");
        if (event.what == PULL_RETRY) {
                pull_tell(ps->p, &(const struct coffer_pull_progress){
                                         .step = COFFER_PULL_RETRY,
                                         .layer = part->index,
                                         .layers = (uint32_t)ps->count,
                                         .wait_s = event.wait_s,
                                         .name = part->layer->blob,
                                         .words = event.err.msg,
                                 });
                return 0;
        }
        if (event.what == PULL_FAILED && event.err.code == -ERANGE && part->resumed)
                return fetch_anew(ps, part);
        if (event.what == PULL_FAILED) {
                (void)drain(ps, part); /* it is kept for the next time */
                *ps->p->err = event.err;
                return error_wrap(ps->p->err, event.err.code, "fetch layer %.12s",
                                  part->layer->blob);
        }
        part->said = true;
        r = drain(ps, part);
        return r < 0 ? r : fetched(ps, part);
}

/* -------------------------------------------------------------------------------------- unpack */

static int unpack(struct parts *ps, struct part *part)
{
        cleanup_close int fd = part->file_fd >= 0
                                       ? blobstore_reopen(&ps->p->blobs, part->layer->blob)
                                       : blobstore_read(&ps->p->blobs, part->layer->blob);
        int r = fd < 0 ? say(ps, part, fd, "open")
                       : layer_job_start(&ps->p->layers, &part->job, part->layer, fd, ps->p->err);

        if (r < 0)
                return r;
        part->state = PART_UNPACKS;
        ps->unpacking++;
        tell(ps, part, COFFER_PULL_UNPACKING);
        return 0;
}

/* What is not what its digest says is not kept; a part of it may be an earlier pull's fault. */
static int bad_bytes(struct parts *ps, struct part *part, int code)
{
        if (part->file_fd < 0) {
                /* The blob itself was damaged after it had been verified. */
                (void)unlinkat(ps->p->blobs.blobs_fd, part->layer->blob, 0);
                part->state = PART_WAITS;
                return part->resumed ? code : (part->resumed = true, 0);
        }
        if (!part->resumed) {
                blobstore_drop(&ps->p->blobs, part->layer->blob);
                return code;
        }
        if (ftruncate(part->file_fd, 0) < 0)
                return say(ps, part, -errno, "begin anew with");
        part->have = 0;
        part->resumed = false;
        return ask(ps, part);
}

static int unpacked(struct parts *ps, struct part *part)
{
        int r = layer_job_finish(&ps->p->layers, &part->job, ps->p->err);

        ps->unpacking--;
        ps->look = true;
        if (r < 0 && ps->p->err->kind == COFFER_ERROR_IMAGE)
                return bad_bytes(ps, part, r);
        if (r < 0)
                return r;
        if (part->file_fd >= 0) {
                r = blobstore_commit(&ps->p->blobs, part->layer->blob);
                close_fd(&part->file_fd);
        }
        if (r < 0)
                return say(ps, part, r, "keep");
        part->state = PART_DONE;
        tell(ps, part, COFFER_PULL_COMPLETE);
        return 0;
}

/* --------------------------------------------------------------------------------------- turns */

/* Starts what can be started; the only one that is left, and somebody else's, is waited for. */
static int start_more(struct parts *ps)
{
        bool look = ps->look;
        int r = 0;

        ps->look = false;
        for (size_t i = 0; r == 0 && i < ps->count; i++) {
                struct part *part = &ps->items[i];

                if (part->state == PART_WAITS && ps->fetching < FETCHES_MAX &&
                    (look || !part->busy))
                        r = begin(ps, part, false);
                if (r == 0 && part->state == PART_READY && ps->unpacking < UNPACKS_MAX)
                        r = unpack(ps, part);
        }
        for (size_t i = 0; r == 0 && ps->fetching + ps->unpacking == 0 && i < ps->count; i++) {
                if (ps->items[i].state != PART_WAITS)
                        continue;
                r = begin(ps, &ps->items[i], true);
                ps->look = true;
                if (r == 0 && ps->items[i].state == PART_READY)
                        r = unpack(ps, &ps->items[i]);
        }
        return r;
}

static int handle(struct parts *ps, const struct pollfd *polled, size_t index)
{
        struct part *part;

        if (index == ps->count)
                return take_event(ps);
        part = &ps->items[index];
        if (part->state == PART_UNPACKS)
                return unpacked(ps, part);
        if (part->state == PART_FETCHES && polled->fd == part->pipe_fd) {
                int r = drain(ps, part);

                return r < 0 ? r : 0;
        }
        return 0;
}

static bool all_done(const struct parts *ps)
{
        for (size_t i = 0; i < ps->count; i++)
                if (ps->items[i].state != PART_DONE)
                        return false;
        return true;
}

/* A pipe whose end was seen stays readable: then only the word of coffer-pull is waited for. */
static int wait_and_handle(struct parts *ps)
{
        struct pollfd fds[IMAGE_LAYERS_MAX + 1];
        int r;

        for (size_t i = 0; i < ps->count; i++) {
                const struct part *part = &ps->items[i];
                int fd = -1;

                if (part->state == PART_UNPACKS)
                        fd = part->job.answer_fd;
                else if (part->state == PART_FETCHES && part->have < part->layer->size)
                        fd = part->pipe_fd;
                fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        fds[ps->count] = (struct pollfd){.fd = ps->p->pull_fd, .events = POLLIN};
        r = poll(fds, ps->count + 1, -1);
        if (r < 0)
                return errno == EINTR ? 0 : error_set(ps->p->err, -errno, "wait for layers");
        r = 0;
        /* The word that all is there comes after the last byte, and is looked at first. */
        for (size_t i = ps->count + 1; r == 0 && i-- > 0;)
                if (fds[i].revents)
                        r = handle(ps, &fds[i], i);
        return r;
}

static bool known(const struct parts *ps, const struct image_layer *layer)
{
        for (size_t i = 0; i < ps->count; i++)
                if (str_eq(ps->items[i].layer->blob, layer->blob))
                        return true;
        return false;
}

static void release(struct parts *ps)
{
        struct coffer_error ignored = {0};

        for (size_t i = 0; i < ps->count; i++) {
                struct part *part = &ps->items[i];

                if (part->job.answer_fd >= 0)
                        (void)shutdown(part->job.answer_fd, SHUT_WR);
                (void)layer_job_finish(&ps->p->layers, &part->job, &ignored);
                close_fd(&part->pipe_fd);
                close_fd(&part->file_fd);
        }
        free(ps->items);
}

int pull_layers(struct pulling *p)
{
        struct parts ps = {.p = p};
        int r = 0;

        ps.items = calloc(p->manifest.layer_count + 1, sizeof(*ps.items));
        if (!ps.items)
                return error_set(p->err, -ENOMEM, "fetch the layers");
        for (size_t i = 0; i < p->manifest.layer_count; i++) {
                if (known(&ps, &p->manifest.layers[i]))
                        continue;
                ps.items[ps.count] = (struct part){
                        .layer = &p->manifest.layers[i],
                        .index = (uint32_t)ps.count,
                        .file_fd = -EBADF,
                        .pipe_fd = -EBADF,
                        .job = LAYER_JOB_INIT,
                };
                ps.count++;
        }
        layers_sweep(&p->layers);
        while (r == 0 && !all_done(&ps)) {
                r = start_more(&ps);
                if (r == 0 && ps.fetching + ps.unpacking > 0)
                        r = wait_and_handle(&ps);
        }
        release(&ps);
        return r;
}
