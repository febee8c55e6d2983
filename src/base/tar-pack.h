/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

/*
 * From files to a tar stream: coffer-init's tar-out does it with the files of a box, as one of its
 * processes, and libcoffer with those of the host, as the caller.  Somebody else may change the
 * files meanwhile: nothing but regular files and directories is ever opened, each is looked at
 * again once it is open, and a file has as many bytes in the archive as its header says.
 *
 * Names of a directory come in the order of strcmp(), so that the same files make the same archive.
 */

#define TAR_PACK_DEPTH_MAX      512                         /* directories in each other */
#define TAR_PACK_NAMES_MAX      ((size_t)128 * 1024 * 1024) /* bytes of one directory's names */
#define TAR_PACK_LINKS_MAX      ((size_t)256 * 1024)        /* files that have several names ... */
#define TAR_PACK_LINK_BYTES_MAX ((size_t)32 * 1024 * 1024)  /* ... beyond which each is a file */

/**
 * struct tar_pack_spec - what to archive
 * @dir_fd:    where @path begins; borrowed
 * @path:      not followed when its end is a symlink, unless '/' comes after that
 * @resolve:   how @path is walked: RESOLVE_* of openat2(2)
 * @follow:    @path is followed in any case
 * @name:      stands for @path in the archive, "." too; "": what is in the directory, without it
 * @one_mount: what is mounted below @path is left out; an empty directory or file stands for it.
 *             Otherwise only directories of the kernel's own file systems, such as procfs, are;
 *             those are empty as @path too
 * @out_fd:    where to; blocking; borrowed
 * @complain:  told what is left out, and why; may be NULL
 * @data:      for @complain
 */
struct tar_pack_spec {
        int dir_fd;
        const char *path;
        uint64_t resolve;
        bool follow;
        const char *name;
        bool one_mount;
        int out_fd;
        void (*complain)(void *data, const struct coffer_error *err);
        void *data;
};

/**
 * tar_pack() - write a whole archive
 * @spec: what; borrowed
 * @err:  words for a failure; may be NULL
 *
 * Sockets are left out without complaint, and so is what vanishes before it is looked at.
 *
 * Context: SIGPIPE should be ignored.
 *
 * Return: 0, 1 when there were complaints but the archive is whole, or a negative errno: -ENOENT or
 * -ENOTDIR when nothing stands at the path (nothing was written then), or what write(2) answers.
 */
int tar_pack(const struct tar_pack_spec *spec, struct coffer_error *err);
