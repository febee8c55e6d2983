/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * The life of a box.  The words are what state.json, `ps`, `inspect` and the events say.
 */

/* clang-format off */
#define BOX_STATES(X)               \
        X(BOX_CREATED, "created")       \
        X(BOX_STARTING, "starting")     \
        X(BOX_RUNNING, "running")       \
        X(BOX_STOPPING, "stopping")     \
        X(BOX_STOPPED, "stopped")       \
        X(BOX_PAUSED, "paused")         \
        X(BOX_RESTARTING, "restarting") \
        X(BOX_FAILED, "failed")

#define BOX_EVENTS(X)               \
        X(BOX_EV_START, "start")     /* a client asks */                                   \
        X(BOX_EV_STARTED, "started") /* main has been executed */                          \
        X(BOX_EV_STOP, "stop")       /* a client, a time limit or a lost foreground asks */ \
        X(BOX_EV_EXITED, "exited")   /* main has ended */                                  \
        X(BOX_EV_PAUSE, "pause")                                                           \
        X(BOX_EV_UNPAUSE, "unpause")                                                       \
        X(BOX_EV_RESTART, "restart") /* main has ended; its policy wants it back */          \
        X(BOX_EV_FAIL, "fail")       /* shim or supervisor died, or the start went wrong */
/* clang-format on */

#define BOX_ENUM(name, word) name,
enum box_state {
        BOX_STATES(BOX_ENUM) BOX_STATE_COUNT,
};
enum box_event {
        BOX_EVENTS(BOX_ENUM) BOX_EVENT_COUNT,
};
#undef BOX_ENUM

/** box_state_name() - "running" */
const char *box_state_name(enum box_state state);
/** box_event_name() - "start" */
const char *box_event_name(enum box_event event);
/** box_state_parse() - 0, or -EINVAL for a word that is none */
int box_state_parse(const char *word, enum box_state *ret_state);

/**
 * box_state_next() - where an event leads
 * @from:   the state now
 * @on:     what happened
 * @ret_to: the new state
 *
 * Return: 0, or -EINVAL with @ret_to untouched: there is no such move.
 */
int box_state_next(enum box_state from, enum box_event on, enum box_state *ret_to);

/** box_state_is_live() - a shim must hold the lock; a free lock means that it died */
bool box_state_is_live(enum box_state state);
