/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * boxes/<id>/lock: an open file description lock that the shim holds for its whole life.  Whoever
 * starts, cleans up or removes takes it first and then decides.  Such a lock belongs to the open
 * file, not to a process: a forked child that has the descriptor holds it too.
 */

/**
 * box_lock_take() - take the lock, or learn that somebody has it
 * @box_dir_fd: the directory of the box
 * @id:         its name in boxes/
 * @ret_fd:     holds the lock until it is closed
 *
 * Return: 0; -EAGAIN when somebody has it; -ENOENT when the box was removed meanwhile;
 * -EOPNOTSUPP when the file system has no such locks; or what open(2) answers.
 */
int box_lock_take(int box_dir_fd, const char *id, int *ret_fd);

/**
 * box_lock_make() - make the file in a new directory and take the lock
 * @box_dir_fd: the directory of the box
 * @ret_fd:     holds the lock until it is closed
 *
 * Return: 0, -EAGAIN or -ENOENT when somebody who found the directory abandoned was faster, or as
 * box_lock_take().
 */
int box_lock_make(int box_dir_fd, int *ret_fd);

/** box_lock_is_held() - 1 when somebody has it, 0 when nobody has, or a negative errno */
int box_lock_is_held(int box_dir_fd);
/** box_lock_is_held_at() - the same of a box in boxes/, which need not be opened */
int box_lock_is_held_at(int boxes_fd, const char *id);
