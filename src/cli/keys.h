/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The key sequence that detaches from a terminal, in Docker's notation: "ctrl-p,ctrl-q", "a,b",
 * "ctrl-[".  Keys that may still become the sequence are held back; when they do not, they are
 * let through.
 */

#include <stdbool.h>
#include <stddef.h>

#define KEYS_MAX     16
#define KEYS_DEFAULT "ctrl-p,ctrl-q"

/**
 * struct keys - the sequence and how much of it was typed
 * @sequence: its bytes
 * @count:    how many; 0: there is none
 * @typed:    how many of them have come
 */
struct keys {
        char sequence[KEYS_MAX];
        size_t count;
        size_t typed;
};

/** keys_parse() - read the notation; "" turns it off; 0 or -EINVAL */
int keys_parse(const char *text, struct keys *ret_keys);

/**
 * keys_filter() - pass on what was typed
 * @k:        the sequence
 * @in:       what was typed
 * @size:     its bytes
 * @out:      what is to be passed on; room for @size + KEYS_MAX
 * @ret_size: its bytes
 *
 * Return: true when the sequence is complete; what was typed behind it is dropped.
 */
bool keys_filter(struct keys *k, const char *in, size_t size, char *out, size_t *ret_size);
