/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "proto/messages.h"

struct coffer_error;
struct spec;

/*
 * From a spec to what coffer-init does: the steps of building the root and the main process.
 * Runs in the client, which may read the host's files; the shim and coffer-init only obey.
 */

enum ns_root_kind { NS_ROOT_HOST, NS_ROOT_DIR, NS_ROOT_LAYERS };

/**
 * struct ns_root - what the library knows and the spec does not
 * @kind:          which of the three forms of root
 * @dir:           NS_ROOT_DIR: canonical absolute path
 * @layer_dirs:    NS_ROOT_LAYERS: canonical absolute directories, lowest first
 * @store_base:    first host id of the store's range (root only)
 * @box_dir:       canonical absolute path of boxes/<id>; fs/upper and fs/work are made below it by
 *                 the shim
 * @mount_sources: for each of spec->mounts the canonical absolute host path, "" for a tmpfs
 * @as_root:       coffer runs as root
 * @caller_uid:    who calls, for host boxes
 * @caller_gid:    likewise
 * @caller_name:   his name, "user" when he has none
 * @caller_home:   his home directory, "/" when he has none
 */
struct ns_root {
        enum ns_root_kind kind;
        const char *dir;
        const struct strv *layer_dirs;
        uint32_t store_base;
        const char *box_dir;
        const struct strv *mount_sources;
        bool as_root;
        uid_t caller_uid;
        gid_t caller_gid;
        const char *caller_name;
        const char *caller_home;
};

/**
 * ns_plan_setup() - how the root of this box is built, its filter, its limits
 * @spec:      completed and valid
 * @root:      see above
 * @map:       the box's ids
 * @ret_setup: release with wire_release(&msg_setup_table, …)
 *
 * Return: 0, or a negative errno with words.
 */
int ns_plan_setup(const struct spec *spec, const struct ns_root *root, const struct msg_idmap *map,
                  struct msg_setup *ret_setup, struct coffer_error *err);

/**
 * ns_plan_process() - one process of the box
 * @box:         the box's spec: capabilities, ulimits, environment, user, directory
 * @process:     for exec: a spec in which only args, env, workdir, user, tty, open_stdin, timeout
 *               count; unset ones come from @box.  NULL: main
 * @root:        see above
 * @ret_process: release with wire_release(&msg_process_table, …)
 */
int ns_plan_process(const struct spec *box, const struct spec *process, const struct ns_root *root,
                    struct msg_process *ret_process, struct coffer_error *err);
