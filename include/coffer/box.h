/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COFFER_BOX_H
#define COFFER_BOX_H

#include <coffer/api.h>
#include <coffer/call.h>
#include <coffer/process.h>
#include <coffer/runtime.h>
#include <coffer/spec.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A box.  A handle is a view: freeing it changes nothing, and any number of programs may have
 * handles on the same box.
 *
 * While a box runs its monitor, the program coffer-shim, runs beside it.  It is started by a
 * process in the middle, which is waited for before coffer_box_start() returns, so it is not a
 * child of the calling program.  If that program is a child subreaper or PID 1 the kernel makes
 * the shim its child all the same: then it has to reap strays, as any init does.
 */
struct coffer_box;

/* See coffer_state_name() for the words. */
enum coffer_state {
        COFFER_STATE_CREATED = 1,
        COFFER_STATE_STARTING,
        COFFER_STATE_RUNNING,
        COFFER_STATE_PAUSED,
        COFFER_STATE_STOPPING,
        COFFER_STATE_RESTARTING,
        COFFER_STATE_STOPPED, /* main has ended; there is an exit status */
        COFFER_STATE_FAILED,  /* it ended for a reason that is not main's: see there */
        COFFER_STATE_UNKNOWN  /* somebody holds the box who cannot be asked: see the reason */
};

/** coffer_state_name() - "created", "running", …; static; "unknown" for a number without a name */
COFFER_API const char *coffer_state_name(enum coffer_state state);

/**
 * coffer_box_create() - make a box
 * @runtime: the home; must outlive @ret_box
 * @spec:    what the box should be; borrowed
 * @ret_box: free with coffer_box_free()
 * @err:     why not; may be NULL
 *
 * An image that is not in the home yet is unpacked first, which can take seconds.  What a failed
 * call had made is removed.  What @spec does not say comes from coffer.conf(5), which may also lock
 * something.
 *
 * Context: one thread at a time per @runtime.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -EEXIST  the name is taken (COFFER_ERROR_EXISTS)
 *   -EINVAL  the spec cannot work (COFFER_ERROR_USAGE)
 *   -ENOENT  the image, or a volume's source, is not there
 *   -EPERM   coffer.conf locks what @spec would weaken, or the host's is not to be trusted
 *   -EROFS, -ENOSPC, -EDQUOT  the home cannot be written
 */
COFFER_API int coffer_box_create(struct coffer_runtime *runtime, const struct coffer_spec *spec,
                                 struct coffer_box **ret_box, struct coffer_error *err);

/**
 * coffer_box_open() - find a box
 * @runtime:   the home; must outlive @ret_box
 * @reference: an id, else a name, else the beginning of an id, 4 characters or more
 * @ret_box:   free with coffer_box_free()
 * @err:       why not; lists the ids when there are several; may be NULL
 *
 * Context: one thread at a time per @runtime.
 *
 * Return: 0, or a negative errno:
 *   -ENOENT    there is none (COFFER_ERROR_NO_SUCH_BOX)
 *   -ENOTUNIQ  there are several (COFFER_ERROR_AMBIGUOUS)
 */
COFFER_API int coffer_box_open(struct coffer_runtime *runtime, const char *reference,
                               struct coffer_box **ret_box, struct coffer_error *err);

/**
 * coffer_box_free() - forget a handle
 * @box: may be NULL
 *
 * Context: any thread.  errno is unchanged.
 *
 * Return: NULL.
 */
COFFER_API struct coffer_box *coffer_box_free(struct coffer_box *box);

/** coffer_box_id() - its 12 characters; owned by @box */
COFFER_API const char *coffer_box_id(const struct coffer_box *box);

/** coffer_box_name() - its name when the handle was made; owned by @box */
COFFER_API const char *coffer_box_name(const struct coffer_box *box);

/* For coffer_start_options.flags */
#define COFFER_START_FOREGROUND 1u /* the box is stopped when its coffer_process is freed */
#define COFFER_START_IF_DUE     2u /* only if its restart policy wants it to run; else -ECANCELED */

/**
 * struct coffer_start_options - how to start a box; zero means the default for each member
 * @size:    sizeof(struct coffer_start_options), so that members can be added later
 * @flags:   COFFER_START_*
 * @streams: COFFER_STDIN | COFFER_STDOUT | COFFER_STDERR: the streams of main to connect to.  With
 *           a terminal COFFER_STDOUT carries everything
 * @rows:    lines of main's terminal, so that it has its size before main runs; 0: not known
 * @columns: characters a line
 */
struct coffer_start_options {
        uint32_t size;
        uint32_t flags;
        uint32_t streams;
        uint32_t rows;
        uint32_t columns;
};

/**
 * coffer_box_start() - start a box that is not running
 * @box:         the box
 * @options:     NULL for all defaults
 * @timeout_ms:  how long to wait until main runs
 * @ret_process: main; free with coffer_process_free(); NULL when not wanted, which is an error
 *               with COFFER_START_FOREGROUND
 * @err:         why not; may be NULL
 *
 * When it fails nothing of the attempt is left, and a box made with "rm" is removed.
 *
 * With a restart policy main is started again when it has ended, until coffer_box_stop(), SIGKILL
 * or the stop signal by coffer_box_kill(), or a failing start.  A foreground @ret_process follows
 * the box through all of that; its exit is the last one.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -EALREADY  it is running, or waits to be started again (COFFER_ERROR_STATE)
 *   -ECANCELED COFFER_START_IF_DUE was given, and it is not due (COFFER_ERROR_STATE)
 *   -EBUSY     it is held by somebody who cannot be asked
 *   -ENOENT, -EACCES, -ENOEXEC  as coffer_exec_start(), or a volume's source has gone
 *   -EPERM     a control could not be enforced (COFFER_ERROR_CONTROL)
 *   -ETIMEDOUT no answer in time
 */
COFFER_API int coffer_box_start(struct coffer_box *box, const struct coffer_start_options *options,
                                int timeout_ms, struct coffer_process **ret_process,
                                struct coffer_error *err);

/**
 * coffer_box_start_begin() - coffer_box_start() for an event loop
 * @box:      the box; must outlive the call
 * @options:  NULL for all defaults
 * @ret_call: take the process out with coffer_call_take_process()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not wait for the box.
 *
 * Return: 0, or as coffer_box_start().
 */
COFFER_API int coffer_box_start_begin(struct coffer_box *box,
                                      const struct coffer_start_options *options,
                                      struct coffer_call **ret_call, struct coffer_error *err);

/**
 * coffer_box_stop() - ask main to end, then make it, and wait until nothing of the box is left
 * @box:        the box; one that does not run is fine
 * @signal:     how to ask; 0: the stop signal of the box
 * @grace_ms:   how long main has after the signal; negative: the stop timeout of the box
 * @timeout_ms: how long to wait for all of it
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -EBUSY      it is held by somebody who cannot be asked
 *   -ETIMEDOUT  it is not gone yet
 */
COFFER_API int coffer_box_stop(struct coffer_box *box, int signal, int grace_ms, int timeout_ms,
                               struct coffer_error *err);

/**
 * coffer_box_stop_begin() - coffer_box_stop() for an event loop
 * @box:      the box; must outlive the call
 * @signal:   as there
 * @grace_ms: as there
 * @ret_call: its coffer_call_exit() is how main ended
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_stop().
 */
COFFER_API int coffer_box_stop_begin(struct coffer_box *box, int signal, int grace_ms,
                                     struct coffer_call **ret_call, struct coffer_error *err);

/**
 * coffer_box_kill() - send main a signal
 * @box:        the box
 * @signal:     1 to 64
 * @timeout_ms: how long to wait for the answer
 * @err:        why not; may be NULL
 *
 * SIGKILL also ends a box whose monitor does not answer any more.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -ESRCH   the box is not running (COFFER_ERROR_STATE)
 *   -EINVAL  no such signal
 *   -EBUSY, -ETIMEDOUT  as coffer_box_stop()
 */
COFFER_API int coffer_box_kill(struct coffer_box *box, int signal, int timeout_ms,
                               struct coffer_error *err);

/**
 * coffer_box_kill_begin() - coffer_box_kill() for an event loop
 * @box:      the box; must outlive the call
 * @signal:   1 to 64
 * @ret_call: the call
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_kill().
 */
COFFER_API int coffer_box_kill_begin(struct coffer_box *box, int signal,
                                     struct coffer_call **ret_call, struct coffer_error *err);

/**
 * coffer_box_wait() - wait until main has ended, whether or not it is started again then
 * @box:        the box
 * @timeout_ms: how long
 * @ret_exit:   how it ended; of a box that is not running, how it ended last
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -ETIMEDOUT  it has not ended
 *   -ENOENT     it was removed and nobody knows any more
 *   -ENODATA    it has never run (COFFER_ERROR_STATE)
 */
COFFER_API int coffer_box_wait(struct coffer_box *box, int timeout_ms, struct coffer_exit *ret_exit,
                               struct coffer_error *err);

/**
 * coffer_box_wait_begin() - coffer_box_wait() for an event loop
 * @box:      the box; must outlive the call
 * @ret_call: its coffer_call_exit() is how main ended
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_wait().
 */
COFFER_API int coffer_box_wait_begin(struct coffer_box *box, struct coffer_call **ret_call,
                                     struct coffer_error *err);

/**
 * coffer_box_restart() - coffer_box_stop(), then coffer_box_start() in the background
 * @box:        the box
 * @signal:     as coffer_box_stop()
 * @grace_ms:   as coffer_box_stop()
 * @timeout_ms: for both together
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or as the two.
 */
COFFER_API int coffer_box_restart(struct coffer_box *box, int signal, int grace_ms, int timeout_ms,
                                  struct coffer_error *err);

/**
 * coffer_box_restart_begin() - coffer_box_restart() for an event loop
 * @box:      the box; must outlive the call
 * @signal:   as coffer_box_stop()
 * @grace_ms: as coffer_box_stop()
 * @ret_call: the call
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not wait for the box.
 *
 * Return: 0, or as coffer_box_restart().
 */
COFFER_API int coffer_box_restart_begin(struct coffer_box *box, int signal, int grace_ms,
                                        struct coffer_call **ret_call, struct coffer_error *err);

/**
 * coffer_box_pause() - stop every process of a running box where it is
 * @box:        the box
 * @timeout_ms: how long to wait for the answer
 * @err:        why not; may be NULL
 *
 * Its memory stays, its timers go on.  Nothing begins in a paused box: coffer_exec_start() and
 * coffer_box_attach() refuse; stopping, killing and removing end it all the same.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -ESRCH       the box is not running (COFFER_ERROR_STATE)
 *   -EPERM       it is paused already (COFFER_ERROR_STATE)
 *   -EBUSY       it is held by somebody who cannot be asked
 *   -EOPNOTSUPP  no cgroup of this host and user can freeze it (COFFER_ERROR_HOST), or the box was
 *                started by a coffer that cannot (COFFER_ERROR_VERSION)
 *   -ETIMEDOUT   no answer in time, or it forks faster than its processes can be moved
 */
COFFER_API int coffer_box_pause(struct coffer_box *box, int timeout_ms, struct coffer_error *err);

/**
 * coffer_box_pause_begin() - coffer_box_pause() for an event loop
 * @box:      the box; must outlive the call
 * @ret_call: the call
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_pause().
 */
COFFER_API int coffer_box_pause_begin(struct coffer_box *box, struct coffer_call **ret_call,
                                      struct coffer_error *err);

/**
 * coffer_box_unpause() - let the processes of a paused box go on
 * @box:        the box
 * @timeout_ms: how long to wait for the answer
 * @err:        why not; may be NULL
 *
 * It does not matter who froze its cgroup.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -ESRCH     the box is not running (COFFER_ERROR_STATE)
 *   -EALREADY  it is not paused (COFFER_ERROR_STATE)
 *   -EBUSY, -ETIMEDOUT  as coffer_box_stop()
 */
COFFER_API int coffer_box_unpause(struct coffer_box *box, int timeout_ms, struct coffer_error *err);

/**
 * coffer_box_unpause_begin() - coffer_box_unpause() for an event loop
 * @box:      the box; must outlive the call
 * @ret_call: the call
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_unpause().
 */
COFFER_API int coffer_box_unpause_begin(struct coffer_box *box, struct coffer_call **ret_call,
                                        struct coffer_error *err);

/**
 * coffer_box_update() - change limits and restart policy of a box
 * @box:        the box, running or not
 * @changes:    the fields with COFFER_FIELD_UPDATE that were set in it, and no others; borrowed
 * @timeout_ms: how long to wait for the answer
 * @err:        why not; may be NULL
 *
 * A running box is changed at once, then the change is kept for all later starts.  When the running
 * box cannot be changed nothing is kept.  A limit on memory that comes to a running box which had
 * none counts what is used from then on.
 *
 * The restart policy of a box that was started without one cannot be followed before its next
 * start, since nobody is there who could start it again.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0; 1 when all was kept, but a part counts from the next start only, or the box ended
 * while it was asked: @err says it; or a negative errno:
 *   -EINVAL      a field that cannot be changed, or values that cannot work together
 *   -EOPNOTSUPP  the running box cannot be changed so (COFFER_ERROR_CONTROL)
 *   -EBUSY, -ETIMEDOUT  as coffer_box_stop()
 */
COFFER_API int coffer_box_update(struct coffer_box *box, const struct coffer_spec *changes,
                                 int timeout_ms, struct coffer_error *err);

/**
 * coffer_box_update_begin() - coffer_box_update() for an event loop
 * @box:      the box; must outlive the call
 * @changes:  as there; need not outlive the call
 * @ret_call: the call
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_update(); the call's end may be 1, as there.
 */
COFFER_API int coffer_box_update_begin(struct coffer_box *box, const struct coffer_spec *changes,
                                       struct coffer_call **ret_call, struct coffer_error *err);

/* For coffer_box_remove() */
#define COFFER_REMOVE_FORCE   1u /* a running box is killed first */
#define COFFER_REMOVE_VOLUMES 2u /* with the unnamed volumes that were made for it */

/**
 * coffer_box_remove() - remove a box with all its files
 * @box:        the box; the handle stays yours to free
 * @flags:      COFFER_REMOVE_*
 * @timeout_ms: how long to wait for a box that must be killed
 * @err:        why not; may be NULL
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, also when somebody else removed it meanwhile, or a negative errno:
 *   -EBUSY      it is running (COFFER_ERROR_STATE), or held by somebody who cannot be asked
 *   -ETIMEDOUT  it is not gone yet
 */
COFFER_API int coffer_box_remove(struct coffer_box *box, uint32_t flags, int timeout_ms,
                                 struct coffer_error *err);

/**
 * coffer_box_remove_begin() - coffer_box_remove() for an event loop
 * @box:      the box; must outlive the call
 * @flags:    COFFER_REMOVE_*
 * @ret_call: the call
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not wait for the box.
 *
 * Return: 0, or as coffer_box_remove().
 */
COFFER_API int coffer_box_remove_begin(struct coffer_box *box, uint32_t flags,
                                       struct coffer_call **ret_call, struct coffer_error *err);

/**
 * coffer_box_attach() - connect to main of a running box
 * @box:         the box
 * @streams:     COFFER_STDIN | COFFER_STDOUT | COFFER_STDERR; all that the box has when 0
 * @timeout_ms:  how long to wait for the box to answer
 * @ret_process: main; free with coffer_process_free(), which changes nothing in the box
 * @err:         why not; may be NULL
 *
 * What main has written before is in the logs.
 *
 * Context: one thread at a time per @box.  Blocks.
 *
 * Return: 0, or a negative errno:
 *   -EBUSY      the box is not running (COFFER_ERROR_STATE)
 *   -EPERM      the box is paused (COFFER_ERROR_STATE)
 *   -ETIMEDOUT  no answer in time
 */
COFFER_API int coffer_box_attach(struct coffer_box *box, uint32_t streams, int timeout_ms,
                                 struct coffer_process **ret_process, struct coffer_error *err);

/**
 * coffer_box_attach_begin() - coffer_box_attach() for an event loop
 * @box:      the box; must outlive the call
 * @streams:  as there
 * @ret_call: take the process out with coffer_call_take_process()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not block.
 *
 * Return: 0, or as coffer_box_attach().
 */
COFFER_API int coffer_box_attach_begin(struct coffer_box *box, uint32_t streams,
                                       struct coffer_call **ret_call, struct coffer_error *err);

/**
 * coffer_box_rename() - give a box another name
 * @box:  the box
 * @name: [a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}, not of the form of an id
 * @err:  why not; may be NULL
 *
 * Context: one thread at a time per @box.
 *
 * Return: 0, or a negative errno:
 *   -EEXIST  the name is taken (COFFER_ERROR_EXISTS)
 *   -EINVAL  it is no name
 */
COFFER_API int coffer_box_rename(struct coffer_box *box, const char *name,
                                 struct coffer_error *err);

/**
 * struct coffer_box_info - one box in a list; times are nanoseconds since 1970, 0 when never
 * @id:          its id
 * @name:        its name
 * @image:       the reference it was made from
 * @command:     command and arguments joined by spaces, for people
 * @created_ns:  when it was made
 * @started_ns:  when main was last started
 * @finished_ns: when main last ended
 * @state:       enum coffer_state
 * @exit_code:   of the last run; meaningful in the states stopped and failed
 * @reason:      why it is in the states failed or unknown; else empty
 * @labels:      "NAME=value", NULL-terminated
 * @pid:         of main in the host's PID namespace; 0 when it does not run
 * @tty:         not 0: main has a terminal
 * @health:      "starting", "healthy" or "unhealthy"; empty without a health check
 * @restart:     its restart policy: "no", "on-failure:3", …
 * @due:         not 0: it does not run, has run before, and its restart policy wants it to run:
 *               COFFER_START_IF_DUE starts it
 *
 * Made by the library only: members may be added at the end.
 */
struct coffer_box_info {
        const char *id;
        const char *name;
        const char *image;
        const char *command;
        uint64_t created_ns;
        uint64_t started_ns;
        uint64_t finished_ns;
        uint32_t state;
        int32_t exit_code;
        const char *reason;
        const char *const *labels;
        pid_t pid;
        uint32_t tty;
        const char *health;
        const char *restart;
        uint32_t due;
};

/**
 * coffer_box_list() - all boxes of a home, the newest first
 * @runtime:   the home
 * @ret_infos: NULL-terminated array of boxes, one allocation; free with coffer_free()
 * @ret_count: how many
 * @err:       why not; may be NULL
 *
 * Boxes that are removed meanwhile may or may not be in it.
 *
 * Context: one thread at a time per @runtime.  Does not wait for any box.
 *
 * Return: 0 or a negative errno.
 */
COFFER_API int coffer_box_list(struct coffer_runtime *runtime, struct coffer_box_info ***ret_infos,
                               size_t *ret_count, struct coffer_error *err);

/**
 * coffer_box_get_info() - the same for one box
 * @box:      the box
 * @ret_info: one allocation; free with coffer_free()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.  Does not wait for the box.
 *
 * Return: 0, -ENOENT when it was removed, or another negative errno.
 */
COFFER_API int coffer_box_get_info(struct coffer_box *box, struct coffer_box_info **ret_info,
                                   struct coffer_error *err);

/**
 * coffer_box_inspect() - all there is to know about a box
 * @box:      the box
 * @ret_json: one JSON object with Docker's names; free with coffer_free()
 * @err:      why not; may be NULL
 *
 * Context: one thread at a time per @box.
 *
 * Return: 0, -ENOENT when it was removed, or another negative errno.
 */
COFFER_API int coffer_box_inspect(struct coffer_box *box, char **ret_json,
                                  struct coffer_error *err);

#ifdef __cplusplus
}
#endif
#endif
