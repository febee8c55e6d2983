/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#define SPEC_ID_LENGTH   12
#define SPEC_NAME_BUFFER 64 /* enough for a made-up name */

/** spec_new_id() - 12 random characters [a-z2-7] and a NUL; 0 or what getrandom(2) answers */
int spec_new_id(char ret_id[SPEC_ID_LENGTH + 1]);
/** spec_is_id() - has the form of an id */
bool spec_is_id(const char *s);
/** spec_is_id_prefix() - 4 to 12 characters of which an id could begin with */
bool spec_is_id_prefix(const char *s);
/** spec_is_name() - may name a box: [a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}, and not of the form of an id
 */
bool spec_is_name(const char *s);
/** spec_is_volume_name() - the same characters; one of the form of an id is an anonymous volume's
 */
bool spec_is_volume_name(const char *s);

/**
 * spec_made_up_name() - a name for a box that was given none, "quiet_bramah"
 * @attempt:  how many names were taken already; from the third on a number is appended
 * @ret_name: the name and a NUL
 *
 * Return: 0 or what getrandom(2) answers.
 */
int spec_made_up_name(unsigned attempt, char ret_name[SPEC_NAME_BUFFER]);
