/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting a box: get the lock and make its state true, let go of it, start coffer-shim as
 * nobody's child, and tell it over one socket what to do.  The shim takes the lock again: whoever
 * comes between finds a box that is not running, which is right.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "base/faultpoint.h"
#include "base/sys.h"
#include "lib/plan.h"
#include "lib/process.h"
#include "lib/request.h"
#include "lib/settle.h"
#include "lib/start.h"
#include "store/claim.h"
#include "store/lock.h"
#include "store/meta.h"

#define SEND_TIMEOUT_MS 10000

/* ------------------------------------------------------------------------------------- launch */

static int say_program(struct coffer_error *err, int code, const char *dir, const char *name)
{
        (void)error_set(err, code, "start '%s/%s'", dir, name);
        if (code == -ENOENT)
                error_hint(err, "coffer is not installed completely");
        return code;
}

int shim_spawn(const struct coffer_runtime *rt, const char *id, int *ret_fd,
               struct coffer_error *err)
{
        const char *dir = rt->program_dir;
        char name[] = "coffer-shim";
        char path[PATH_MAX];
        char *argv[] = {name, (char *)(uintptr_t)id, NULL};
        char *envp[] = {fault_environment(), NULL};
        cleanup_close int ours = -EBADF;
        cleanup_close int theirs = -EBADF;
        struct child_spec spec = {
                .path = path,
                .argv = argv,
                .envp = envp,
                .fds = &theirs,
                .fd_count = 1,
                .stdio = {-1, -1, -1},
        };
        int ends[2];
        int r = FAULT("start.spawn");

        if (r < 0)
                return say_program(err, r, dir, name);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(err, -errno, "create a socket");
        ours = ends[0];
        theirs = ends[1];
        if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
                return say_program(err, -ENAMETOOLONG, dir, name);
        r = child_spawn_orphan(&spec);
        if (r < 0)
                return say_program(err, r, dir, name);
        *ret_fd = take_fd(&ours);
        return 0;
}

static int send_start(const struct coffer_box *box, int fd, int init_fd,
                      const struct msg_start *start)
{
        struct msg_hello hello = {
                .major = PROTO_MAJOR,
                .minor = PROTO_MINOR,
                .version = (char *)(uintptr_t)COFFER_VERSION,
                .box_id = (char *)(uintptr_t)box->id,
        };
        int fds[2] = {box->dir_fd, init_fd};
        int r = channel_send(fd, PROTO_HELLO, 0, &hello, NULL, 0, SEND_TIMEOUT_MS);

        if (r == 0)
                r = channel_send(fd, PROTO_START, 0, start, fds, 2, SEND_TIMEOUT_MS);
        return r;
}

static int open_init(const struct coffer_runtime *rt, struct coffer_error *err)
{
        char path[PATH_MAX];
        int fd = -ENAMETOOLONG;

        if (snprintf(path, sizeof(path), "%s/coffer-init", rt->program_dir) < (int)sizeof(path))
                fd = sys_open(AT_FDCWD, path, O_RDONLY);
        return fd < 0 ? say_program(err, fd, rt->program_dir, "coffer-init") : fd;
}

static uint32_t start_flags(const struct coffer_call *c)
{
        /* A helper's main is ours alone: its end is told to us, and with us it ends. */
        if (c->helper)
                return START_HELPER | START_NO_MAIN_LOG | START_FOREGROUND;
        return c->flags & COFFER_START_FOREGROUND ? START_FOREGROUND : 0;
}

static int launch(struct coffer_call *c)
{
        cleanup_close int init_fd = -EBADF;
        cleanup_close int fd = -EBADF;
        struct msg_start start;
        int r;

        init_fd = open_init(c->box->runtime, &c->error);
        if (init_fd < 0)
                return init_fd;
        /* First the shim, which gets ready while we plan; coffer_box_create() may have been first.
         */
        fd = take_fd(&c->box->shim_fd);
        r = fd < 0 ? shim_spawn(c->box->runtime, c->box->id, &fd, &c->error) : 0;
        if (r == 0) {
                r = FAULT("start.plan");
                if (r < 0)
                        (void)error_set(&c->error, r, "plan box %s", c->box->id);
        }
        if (r == 0)
                r = plan_start(c->box, c->helper, start_flags(c), c, &start, &c->error);
        if (r < 0)
                return r;
        r = send_start(c->box, fd, init_fd, &start);
        if (r == -E2BIG)
                (void)error_say(&c->error, r, COFFER_ERROR_USAGE,
                                "what box %s should be does not fit a message", c->box->id);
        else if (r < 0)
                (void)error_set(&c->error, r, "tell the monitor what to start");
        wire_release(&msg_start_table, &start);
        if (r < 0)
                return r;
        c->box->fresh = false;
        c->launched = true;
        link_reset(&c->link);
        c->link.request = 0;
        link_adopt(&c->link, take_fd(&fd));
        return 0;
}

/* --------------------------------------------------------------------------------------- steps */

/* Before a second box could be given the same range of ids. */
static int restore_claims(struct coffer_call *c)
{
        struct claims claims;
        int r = claims_read(c->box->dir_fd, &claims);

        if (r < 0 || claims.index == CLAIM_NO_INDEX)
                return 0; /* plan_start() says what is wrong */
        claims.name[0] = '\0';
        r = claims_restore(c->box->runtime->home, &claims, c->box->id);
        if (r == -EEXIST) {
                (void)error_say(&c->error, -EBUSY, COFFER_ERROR_STATE,
                                "the range of ids of box %s was given to another box", c->box->id);
                error_hint(&c->error,
                           "links in 'ids' of the home were deleted: copy out what is worth "
                           "keeping, and make the box anew");
                return -EBUSY;
        }
        return r < 0 ? error_set(&c->error, r, "keep the ids of box %s", c->box->id) : 0;
}

/* Under the lock: somebody may have started and stopped it since it was looked at. */
static int check_due(struct coffer_call *c, const struct box_record *record)
{
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        int r = meta_read(c->box->dir_fd, &meta, &c->error);

        if (r < 0 || box_is_due(&meta, record))
                return r;
        return error_say(&c->error, -ECANCELED, COFFER_ERROR_STATE,
                         "the restart policy of box %s does not want it to run", c->box->id);
}

static int prepare(struct coffer_call *c)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_close int lock_fd = -EBADF;
        int r;

        if (c->box->fresh && !(c->flags & COFFER_START_IF_DUE))
                return 0;
        r = request_lock(c, &lock_fd);
        if (r == -EAGAIN)
                return r;
        lock_wait_release(&c->lock);
        if (r == -EALREADY) {
                (void)error_say(&c->error, r, COFFER_ERROR_STATE, "box %s is running already",
                                c->box->id);
                error_hint(&c->error, "`coffer exec` starts another command in it");
        }
        if (r == -ENOENT) {
                (void)error_say(&c->error, r, COFFER_ERROR_NO_SUCH_BOX, "box %s was removed",
                                c->box->id);
                error_hint(&c->error, "`coffer ps -a` lists all boxes");
        }
        if (r == 0)
                r = settle(c->box, &record, &c->error);
        if (r == 0)
                r = restore_claims(c);
        return r == 0 && c->flags & COFFER_START_IF_DUE ? check_due(c, &record) : r;
}

/* A box that was to be removed after its run has had it. */
static int step_clean_up(struct coffer_call *c)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_with(box_meta_release) struct box_meta meta = {0};
        cleanup_close int lock_fd = -EBADF;
        struct coffer_error why = c->error;
        int r;

        if (c->helper || (meta_read(c->box->dir_fd, &meta, NULL) == 0 && !meta.remove))
                return c->start_result;
        r = request_lock(c, &lock_fd);
        if (r == -EAGAIN)
                return r;
        if (r == 0) {
                (void)settle(c->box, &record, NULL);
                (void)box_remove_now(c->box, true, NULL);
        }
        c->error = why;
        return c->start_result;
}

static int failed(struct coffer_call *c, int code)
{
        c->start_result = code;
        link_reset(&c->link);
        c->step = step_clean_up;
        return c->step(c);
}

static int take_started(struct coffer_call *c, struct frame *f)
{
        int fd = take_fd(&c->link.fd);
        int r;

        if (!c->wanted) {
                (void)close(fd);
                return 0;
        }
        r = process_new(c->box, fd, f, true, &c->process, &c->error);
        if (r == 0)
                (void)str_copy(c->process->peer, sizeof(c->process->peer), c->link.peer);
        /* The shim tells the end of its own accord only to who keeps the box in the foreground. */
        if (r == 0 && !(start_flags(c) & START_FOREGROUND))
                (void)channel_send(c->process->fd, PROTO_WAIT, 0, NULL, NULL, 0, SEND_TIMEOUT_MS);
        return r;
}

static int step_started(struct coffer_call *c)
{
        struct frame f = FRAME_INIT;
        int r = request_frame(c, &f);

        if (r == -EAGAIN)
                return r;
        if (r == -EPIPE)
                (void)error_say(&c->error, r, COFFER_ERROR_OTHER,
                                "the monitor of box %s ended without a word", c->box->id);
        if (r < 0)
                return failed(c, r);
        if (f.header.type == PROTO_STARTED)
                r = take_started(c, &f);
        else if (f.header.type == PROTO_ERROR)
                r = frame_error(&f, &c->error);
        else
                r = error_set(&c->error, -EBADMSG, "start box %s", c->box->id);
        frame_release(&f);
        /* Somebody else is starting it as well, and was faster: then it is not due any more. */
        if (r == -EBUSY && c->flags & COFFER_START_IF_DUE) {
                link_reset(&c->link);
                c->step = step_start;
                return c->step(c);
        }
        return r < 0 ? failed(c, r) : 0;
}

int step_start(struct coffer_call *c)
{
        int r = prepare(c);

        if (r < 0)
                return r;
        r = launch(c);
        if (r < 0)
                return failed(c, r);
        c->step = step_started;
        return c->step(c);
}

/* -------------------------------------------------------------------------------------- public */

static int start_begin(struct coffer_box *box, const struct coffer_start_options *options,
                       bool wanted, struct coffer_call **ret_call, struct coffer_error *err)
{
        struct coffer_call *c;
        int r = call_new(box, step_start, &c, err);

        if (r < 0)
                return r;
        c->flags = options ? options->flags : 0;
        c->streams = options ? options->streams : 0;
        c->rows = options ? options->rows : 0;
        c->columns = options ? options->columns : 0;
        c->wanted = wanted;
        return call_begin(c, ret_call, err);
}

static int check_options(const struct coffer_start_options *options, struct coffer_error *err)
{
        const uint32_t all = COFFER_STDIN | COFFER_STDOUT | COFFER_STDERR;

        REQUIRE(!options || options->size >= sizeof(*options), err);
        REQUIRE(!options || !(options->flags & ~(COFFER_START_FOREGROUND | COFFER_START_IF_DUE)),
                err);
        REQUIRE(!options || !(options->streams & ~all), err);
        REQUIRE(!options || (options->rows <= UINT16_MAX && options->columns <= UINT16_MAX), err);
        return 0;
}

int coffer_box_start_begin(struct coffer_box *box, const struct coffer_start_options *options,
                           struct coffer_call **ret_call, struct coffer_error *err)
{
        int r;

        REQUIRE(box && ret_call, err);
        r = check_options(options, err);
        return r < 0 ? r : start_begin(box, options, true, ret_call, err);
}

int coffer_box_start(struct coffer_box *box, const struct coffer_start_options *options,
                     int timeout_ms, struct coffer_process **ret_process, struct coffer_error *err)
{
        struct coffer_call *c = NULL;
        int r;

        REQUIRE(box, err);
        REQUIRE(ret_process || !options ||
                        (!(options->flags & COFFER_START_FOREGROUND) && options->streams == 0),
                err);
        r = check_options(options, err);
        if (r == 0)
                r = start_begin(box, options, ret_process != NULL, &c, err);
        return call_run(c, r, timeout_ms, NULL, ret_process, err);
}

int start_helper(struct coffer_box *box, const struct msg_process *process, uint32_t streams,
                 int timeout_ms, struct coffer_process **ret_process, struct coffer_error *err)
{
        struct coffer_call *c;
        int r = call_new(box, step_start, &c, err);

        if (r < 0)
                return r;
        c->helper = process;
        c->streams = streams;
        c->wanted = true;
        r = call_begin(c, &c, err);
        return call_run(c, r, timeout_ms, NULL, ret_process, err);
}

static int step_helper_end(struct coffer_call *c)
{
        cleanup_with(box_record_release) struct box_record record = {0};
        cleanup_close int lock_fd = -EBADF;
        int r = request_lock(c, &lock_fd);

        /* Somebody has started or removed it already: then it has ended, too. */
        if (r == -EALREADY || r == -ENOENT)
                return 0;
        return r < 0 ? r : settle(c->box, &record, &c->error);
}

int start_helper_end(struct coffer_box *box, struct coffer_error *err)
{
        struct coffer_call *c;
        int r = call_new(box, step_helper_end, &c, err);

        if (r < 0)
                return r;
        r = call_begin(c, &c, err);
        return call_run(c, r, COFFER_FOREVER, NULL, NULL, err);
}
