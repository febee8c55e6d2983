/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "spec/spec.h"

/*
 * The three ways to write a mount.  Each checks it and appends it to the list.
 *
 * Return: 0, -EINVAL, -EEXIST (something is mounted there already), -E2BIG, -ENOTSUP or -ENOMEM,
 * with words for the part that is wrong.
 */

/** mounts_add_volume() - -v: "[SOURCE:]TARGET[:OPTIONS]" */
int mounts_add_volume(struct spec_mounts *to, const char *value, struct coffer_error *err);
/** mounts_add_csv() - --mount: "type=bind,source=…,target=…", fields quoted as in CSV */
int mounts_add_csv(struct spec_mounts *to, const char *value, struct coffer_error *err);
/** mounts_add_tmpfs() - --tmpfs: "TARGET[:OPTIONS]" */
int mounts_add_tmpfs(struct spec_mounts *to, const char *value, struct coffer_error *err);

/** mount_init() - overwrite @m with the defaults of its kind */
void mount_init(struct spec_mount *m, enum spec_mount_kind kind);
/** mount_may_cover() - something may be mounted at this clean path */
bool mount_may_cover(const char *path);
/** mount_set_target() - check @path and make it the target */
int mount_set_target(struct spec_mount *m, const char *path, struct coffer_error *err);
/** mount_set_source() - check @source for the kind of @m and make it the source */
int mount_set_source(struct spec_mount *m, const char *source, struct coffer_error *err);
/**
 * mount_set_option() - apply one word of -v, --tmpfs or an OCI mount, such as "ro" or "size=64m"
 * @m:    its kind is set
 * @word: as written
 * @seen: 0 before the first word; ours between words
 * @err:  what is wrong with it
 *
 * Return: 0, -EINVAL, or -ENOTSUP for what Docker has and Coffer has not.
 */
int mount_set_option(struct spec_mount *m, const char *word, unsigned *seen,
                     struct coffer_error *err);
/** mount_release() - free what @m owns */
void mount_release(struct spec_mount *m);

/** mounts_add() - append @m, which is taken, also on failure */
int mounts_add(struct spec_mounts *to, struct spec_mount *m, struct coffer_error *err);
/** mounts_find() - what is mounted exactly at @target; NULL when nothing is */
const struct spec_mount *mounts_find(const struct spec_mounts *list, const char *target);
/** mounts_sort() - a parent before its children, otherwise in the order given */
void mounts_sort(struct spec_mounts *list);
/** mounts_release() - free the list; the struct can be used again */
void mounts_release(struct spec_mounts *list);
