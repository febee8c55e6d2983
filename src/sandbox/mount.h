/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "proto/messages.h"

struct coffer_error;

/*
 * Building a box's root by steps, in the box's own mount namespace, as root of its user namespace.
 * No step follows a path of the image out of the new root: every target is resolved with
 * openat2(RESOLVE_IN_ROOT), those in /proc, /sys and /dev with RESOLVE_NO_SYMLINKS.
 */

/*
 * enum mount_op_kind - what struct msg_mount_op does
 *
 * Flags are MOUNT_ATTR_* for mounts and a mode for the rest.  Targets are made when missing:
 * directories 0755, files empty 0644.
 */
enum mount_op_kind {
        MOUNT_OP_BIND,  /* a source; its flags say read-only; op flags are MOUNT_ATTR_* to set */
        MOUNT_OP_TMPFS, /* data: "size=…,mode=…" */
        MOUNT_OP_SYSFS,
        MOUNT_OP_MQUEUE,
        MOUNT_OP_DEVPTS,  /* data: "gid=5,…"; the supervisor keeps a descriptor of it */
        MOUNT_OP_DEVICE,  /* data: the host's node, "/dev/null"; must be a character device */
        MOUNT_OP_SYMLINK, /* data: what it says; what stands there is left alone */
        MOUNT_OP_DIR,     /* flags: mode */
        MOUNT_OP_FILE,    /* data: content; flags: mode; of the skeleton, or of a tmpfs and bound */
        MOUNT_OP_PROC,    /* where procfs goes; comes last of all mounts, see mount_attach_proc() */
        MOUNT_OP_MASK,    /* hide a file or directory when it exists (after procfs) */
        MOUNT_OP_READ_ONLY, /* make a subtree read-only when it exists (after procfs) */
        MOUNT_OP_COUNT
};

/**
 * struct mount_root - a root under construction
 * @scratch_fd: private tmpfs that holds what the root is made of; goes with the old root
 * @root_fd:    the new root, attached below @scratch_fd
 * @old_fd:     the old root
 * @devpts_fd:  the box's devpts, -1 when it has none
 * @null_fd:    the host's /dev/null, char 1:3, as O_PATH: what masks are made of
 * @null_used:  it is the first of them
 * @files:      how many MOUNT_OP_FILE there were
 */
struct mount_root {
        int scratch_fd;
        int root_fd;
        int old_fd;
        int devpts_fd;
        int null_fd;
        bool null_used;
        unsigned files;
};

#define MOUNT_ROOT_INIT ((struct mount_root){-1, -1, -1, -1, -1, false, 0})

/**
 * mount_open_source() - a detached copy of what a source names
 * @s:         the source
 * @idmap_fd:  user namespace for an id-mapped mount, -1 for none
 * @ret_fd:    owned by the caller
 *
 * Context: as real root in the host's mount namespace, or as root of the user namespace that owns
 * the current mount namespace.
 *
 * Return: 0 or a negative errno with words: -ELOOP when the path holds a symlink, -EINVAL when
 * the file system cannot be id-mapped.
 */
int mount_open_source(const struct msg_source *s, int idmap_fd, int *ret_fd,
                      struct coffer_error *err);

/**
 * mount_build() - everything up to, and not including, procfs
 * @setup:      what to build
 * @source_fds: one detached mount per source
 * @ret_root:   for the calls below
 */
int mount_build(const struct msg_setup *setup, int *source_fds, struct mount_root *ret_root,
                struct coffer_error *err);

/**
 * mount_make_proc() - a detached procfs of the caller's PID namespace
 *
 * Needs the old root to be still there: the kernel allows a procfs only where another, fully
 * visible one is mounted (KERNEL 8 in ARCHITECTURE.md).
 */
int mount_make_proc(int *ret_fd, struct coffer_error *err);

/** mount_attach_proc() - attach procfs where the ops say */
int mount_attach_proc(const struct msg_setup *setup, struct mount_root *root, int proc_fd,
                      struct coffer_error *err);

/** mount_enter() - pivot_root into the new root; mount_leave() has to follow */
int mount_enter(const struct msg_setup *setup, struct mount_root *root, struct coffer_error *err);

/**
 * mount_leave() - detach the old root and the scratch: from here on nothing of the host is there
 *
 * Waits for an RCU grace period, which may take a millisecond.
 */
int mount_leave(struct mount_root *root, struct coffer_error *err);

/** mount_mask() - hide and make read-only what the ops say, and close @root; after mount_leave() */
int mount_mask(const struct msg_setup *setup, struct mount_root *root, struct coffer_error *err);
