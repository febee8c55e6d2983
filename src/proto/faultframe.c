/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/faultframe.h"

#include "proto/messages.h"

#define WORD(type) [PROTO_##type] = #type

static const char *const words[] = {
        WORD(HELLO),  WORD(ERROR),  WORD(OK),    WORD(INFO),    WORD(SIGNAL), WORD(STOP),
        WORD(WAIT),   WORD(EXITED), WORD(START), WORD(STARTED), WORD(EXEC),   WORD(ATTACH),
        WORD(RESIZE), WORD(DETACH), WORD(PAUSE), WORD(UNPAUSE), WORD(UPDATE), WORD(SETUP),
        WORD(READY),  WORD(SPAWN),  WORD(PLACE),
};

int fault_frame(const char *way, uint16_t type)
{
        const char *word = type < ELEMENTS(words) ? words[type] : NULL;

        return fault_here(NULL, way, word ? word : "unknown");
}

/* Who says what to whom: the arrows of messages.h, with both ends of each. */
static const char *const lib_send[] = {"HELLO",  "START",  "SIGNAL", "STOP",  "WAIT",    "EXEC",
                                       "ATTACH", "RESIZE", "DETACH", "PAUSE", "UNPAUSE", "UPDATE"};
static const char *const lib_recv[] = {"HELLO", "STARTED", "EXITED", "ERROR", "OK"};
static const char *const shim_send[] = {"HELLO", "STARTED", "EXITED", "ERROR",
                                        "OK",    "SETUP",   "SPAWN"};
static const char *const shim_recv[] = {
        "HELLO", "START",   "SIGNAL", "STOP",  "WAIT",  "EXEC",    "ATTACH", "RESIZE", "DETACH",
        "PAUSE", "UNPAUSE", "UPDATE", "READY", "PLACE", "STARTED", "EXITED", "ERROR"};
static const char *const launcher_send[] = {"READY", "ERROR", "SETUP", "OK", "SPAWN"};
static const char *const launcher_recv[] = {"OK", "READY", "PLACE", "ERROR"};
static const char *const init_send[] = {"READY",   "PLACE",  "SPAWN", "OK",
                                        "STARTED", "EXITED", "ERROR"};
static const char *const init_recv[] = {"SETUP", "SPAWN", "READY", "OK", "STARTED", "ERROR"};
static const char *const stem_recv[] = {"SPAWN"}; /* of an exec; where it is large: exec_recv */
static const char *const main_send[] = {"READY", "OK", "STARTED", "ERROR"};
static const char *const main_recv[] = {"OK", "SPAWN"};
static const char *const exec_send[] = {"STARTED", "ERROR"};
static const char *const exec_recv[] = {"SPAWN"};

#define GATHER(process, way)                                                                 \
        FAULT_GATHER(process##_##way, #process, #way, process##_##way, sizeof(const char *), \
                     ELEMENTS(process##_##way))

GATHER(lib, send);
GATHER(lib, recv);
GATHER(shim, send);
GATHER(shim, recv);
GATHER(launcher, send);
GATHER(launcher, recv);
GATHER(init, send);
GATHER(init, recv);
GATHER(stem, recv);
GATHER(main, send);
GATHER(main, recv);
GATHER(exec, send);
GATHER(exec, recv);
