/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * boxes/<id>/identity: who the shim of a box is.  Written by the shim as its first act under the
 * lock; no fsync, since it means nothing after this boot.  One line a field, "key value":
 *
 *     version 1
 *     id abcdefghijkl
 *     nonce 32 hexadecimal digits
 *     pid 1234
 *     start_time 567890
 *     boot_id 36 characters
 *     pid_ns 4026531836
 *     coffer 0.1.0
 *     pid_inode 4321          (from Linux 6.9 on; before, there is no such line)
 */

#define IDENTITY_VERSION     1
#define IDENTITY_NONCE_BYTES 16
#define BOOT_ID_CHARS        36

/**
 * struct identity - the fields, in their order
 * @version:    of the format
 * @id:         of the box
 * @nonce:      random, new with every start
 * @pid:        of the shim in @pid_ns
 * @start_time: field 22 of /proc/PID/stat
 * @boot_id:    /proc/sys/kernel/random/boot_id
 * @pid_ns:     inode of its PID namespace
 * @coffer:     its version, for people
 * @pid_inode:  of the shim in pidfs, see process_inode(); 0 when it is not known
 */
struct identity {
        uint32_t version;
        char id[13];
        uint8_t nonce[IDENTITY_NONCE_BYTES];
        uint32_t pid;
        uint64_t start_time;
        char boot_id[BOOT_ID_CHARS + 1];
        uint64_t pid_ns;
        char coffer[32];
        uint64_t pid_inode;
};

/**
 * struct here - where the numbers of a record mean what they meant
 * @boot_id: this boot
 * @pid_ns:  inode of the caller's PID namespace
 */
struct here {
        char boot_id[BOOT_ID_CHARS + 4];
        uint64_t pid_ns;
};

/**
 * identity_read() - read the file
 * @box_dir_fd:   the directory of the box
 * @ret_identity: all fields set
 *
 * Return: 0; -ENOENT when there is none; -EBADMSG when a field but the last is missing, or one is
 * twice or malformed; -EPROTO for a version of the format that we do not know; or what open(2) and
 * read(2) answer.
 */
int identity_read(int box_dir_fd, struct identity *ret_identity);

/** identity_parse() - the same from memory; @text is changed */
int identity_parse(char *text, struct identity *ret_identity);

/** identity_write() - replace the file by rename */
int identity_write(int box_dir_fd, const struct identity *identity);

/**
 * identity_of_self() - everything of the calling process, with a new nonce
 * @id:           of the box
 * @coffer:       version
 * @ret_identity: all fields set
 */
int identity_of_self(const char *id, const char *coffer, struct identity *ret_identity);

/** boot_id_read() - this boot's; 0 or a negative errno */
int boot_id_read(char ret_boot_id[BOOT_ID_CHARS + 1]);
/** pid_ns_read() - the inode of the caller's PID namespace; 0 or a negative errno */
int pid_ns_read(uint64_t *ret_inode);
/** here_read() - both; what cannot be read is like nothing that a record says */
void here_read(struct here *ret_here);
/**
 * process_inode() - the number of a process in pidfs, which no other of this boot gets
 * @pidfd:     of it
 * @ret_inode: never 0
 *
 * Return: 0, -EOPNOTSUPP before Linux 6.9, or what fstat(2) answers.
 */
int process_inode(int pidfd, uint64_t *ret_inode);
/**
 * process_mark() - what tells a process from whoever gets its pid later
 * @pidfd:     of it
 * @pid:       of it
 * @ret_inode: as process_inode(); 0 where there is none
 * @ret_start: then as process_start_time(); 0: it has ended, or is not to be seen
 */
void process_mark(int pidfd, uint32_t pid, uint64_t *ret_inode, uint64_t *ret_start);
/** process_has_mark() - is @pidfd, which was opened by @pid, the process that was marked so? */
bool process_has_mark(int pidfd, uint32_t pid, uint64_t inode, uint64_t start);
/**
 * process_start_time() - field 22 of /proc/PID/stat
 * @pid:            in the caller's PID namespace
 * @ret_start_time: in clock ticks after boot
 *
 * Return: 0, -ESRCH when there is no such process, -EBADMSG, or what open(2) answers.
 */
int process_start_time(uint32_t pid, uint64_t *ret_start_time);
