/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lib/handle.h"
#include "proto/channel.h"

#define STREAM_COUNT 4 /* stdin, stdout, stderr, terminal */

/**
 * struct coffer_process - a process and the connection that it hangs on
 * @runtime: borrowed
 * @id:      of the box
 * @fd:      owned; non-blocking socket to the shim
 * @reader:  the frame that is arriving
 * @streams: owned; our ends, in the order of enum proto_stdio
 * @pid:     in the host's PID namespace, or 0
 * @is_main: else it is an exec
 * @tty:     main has a terminal, whose size is set by a frame
 * @peer:    version of the shim's coffer
 * @asked:   requests without an answer so far
 * @refused: one of them is newer than the shim
 * @ended:   @exit is known
 * @exit:    how it ended
 */
struct coffer_process {
        struct coffer_runtime *runtime;
        char id[BOX_ID_CHARS + 1];
        int fd;
        struct frame_reader reader;
        int streams[STREAM_COUNT];
        pid_t pid;
        bool is_main;
        bool tty;
        char peer[32];
        unsigned asked;
        bool refused;
        bool ended;
        struct coffer_exit exit;
};

/**
 * process_new() - what a STARTED frame has brought
 * @box:         of the process
 * @fd:          the socket; taken, also on failure
 * @started:     its descriptors are taken out
 * @is_main:     main, or an exec
 * @ret_process: free with coffer_process_free()
 * @err:         words
 */
int process_new(const struct coffer_box *box, int fd, struct frame *started, bool is_main,
                struct coffer_process **ret_process, struct coffer_error *err);

/** exit_from_frame() - decode an EXITED frame */
int exit_from_frame(const struct frame *f, struct coffer_exit *ret_exit);
