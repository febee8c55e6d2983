/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/coffer.h>

#include <stdbool.h>

#include "base/cleanup.h"
#include "proto/messages.h"
#include "spec/restart.h"
#include "spec/spec.h"
#include "store/home.h"

/* What the opaque handles of the public headers are. */

/**
 * struct coffer_runtime - an open home
 * @home:        owned
 * @program_dir: owned; where coffer-shim and the others lie
 * @as_root:     coffer runs as root: each box has a range of ids of its own
 * @userns_fd:   owned; an ordinary user's namespace, made when it is first needed
 */
struct coffer_runtime {
        struct home *home;
        char *program_dir;
        bool as_root;
        int userns_fd;
};

/**
 * struct coffer_spec - settings, in the order given, and what they add up to
 * @spec:     owned
 * @keys:     owned; of spec_set()
 * @values:   owned; one for each key
 * @detached: of a process: nobody will read its output
 * @rows:     of a process: the size of its terminal
 * @columns:  likewise
 */
struct coffer_spec {
        struct spec spec;
        struct strv keys;
        struct strv values;
        bool detached;
        uint32_t rows;
        uint32_t columns;
};

/**
 * struct coffer_box - a box
 * @runtime: borrowed
 * @id:      of it
 * @name:    when the handle was made
 * @dir_fd:  owned; boxes/<id>
 * @spec:    owned; NULL until it is needed
 * @fresh:   made by this handle and never started, so nobody else needs to be asked
 * @created_ns: when it was made; 0: not looked up
 * @restart: its restart policy when the handle was made, for a fresh box
 */
struct coffer_box {
        struct coffer_runtime *runtime;
        char id[BOX_ID_CHARS + 1];
        char name[BOX_NAME_MAX + 1];
        int dir_fd;
        struct spec *spec;
        bool fresh;
        uint64_t created_ns;
        struct restart_policy restart;
        int shim_fd; /* a shim that waits for START, from coffer_box_create(); -1 for none */
};

/* Answers -EINVAL, with words, when a public call was given a NULL that it needs. */
#define REQUIRE(condition, err)                                                         \
        do {                                                                            \
                if (!(condition))                                                       \
                        return error_say((err), -EINVAL, COFFER_ERROR_USAGE,            \
                                         "%s() was called wrongly: not (%s)", __func__, \
                                         #condition);                                   \
        } while (0)

static inline struct coffer_box *box_drop(struct coffer_box *box)
{
        return coffer_box_free(box);
}
DEFINE_FREEP(struct coffer_box, box_drop)

/** box_spec() - the spec of a box, read from config.json when it is not there yet */
int box_spec(struct coffer_box *box, const struct spec **ret_spec, struct coffer_error *err);

/** box_apply_updates() - put what `update` has kept in meta.json over the spec, which is there */
int box_apply_updates(struct coffer_box *box, const struct strv *updates, struct coffer_error *err);

/** box_handle_new() - a handle on a directory; @dir_fd is taken, also on failure */
int box_handle_new(struct coffer_runtime *runtime, const char *id, const char *name, int dir_fd,
                   struct coffer_box **ret_box, struct coffer_error *err);

/** box_idmap() - which ids of the host the box has */
int box_idmap(const struct coffer_box *box, struct msg_idmap *ret_map, struct coffer_error *err);

/**
 * runtime_remove_as() - a remove_as_fn: run @fn as root of the user namespace of all boxes
 * @runtime: a struct coffer_runtime
 * @fn:      what to run
 * @data:    for it
 *
 * Return: what @fn returned; -EPERM when there is no such namespace (root needs none).
 */
int runtime_remove_as(void *runtime, int (*fn)(void *data), void *data);

/** name_check() - 0, or -EINVAL with words when @name cannot name a @what ("box", "volume") */
int name_check(const char *what, const char *name, struct coffer_error *err);

/* How root's host ids are divided; below 2^31, above what distributions hand out. */
#define IDS_BASE       1900544000U
#define IDS_RANGES     3000U
#define IDS_SUPERVISOR (IDS_BASE + IDS_RANGES * 65536U) /* one id a range */
#define IDS_STORE      (IDS_SUPERVISOR + 65536U)        /* the image store's range */
