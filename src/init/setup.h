/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "init/init.h"

/**
 * struct box_inside - a box that is ready for its main process to be told what to run
 * @inside:   what every process of the box inherits
 * @stem_fd:  see stem_start()
 * @stem_pid: for reaping
 * @main_pid: in the supervisor's PID namespace; confined as far as can be without knowing what it
 *            is to run, waiting for SPAWN
 * @main_fd:  its socket
 */
struct box_inside {
        struct inside inside;
        int stem_fd;
        pid_t stem_pid;
        pid_t main_pid;
        int main_fd;
};

/**
 * setup_box() - receive SETUP, build the root, start stem and main, give up what is not needed
 * @ret_posture: what is enforced now, rows "control\tstate\tdetail"
 *
 * Return: 0, or a negative errno; a half-built box is ended by exiting.
 */
int setup_box(struct box_inside *box, struct strv *ret_posture, struct coffer_error *err);
